/**
 * Notices cgroups of new containers by inotify on the folders in which runtimes make them; for runtimes without our
 * hook. Between the folder's making and the call lies about a millisecond, in which a container is not guarded.
 */
import { existsSync, type FSWatcher, watch } from "node:fs";
import { join } from "node:path";
import { CGROUPS_WATCHED_MAX } from "../base/limits.ts";
import { type ContainerPlace, holdsContainers, placeOf } from "./container.ts";
import { childrenOf } from "./tree.ts";

export class ContainerWatch {
  readonly #cgroupRoot: string;
  readonly #onContainer: (place: ContainerPlace) => void;
  readonly #watchers = new Map<string, FSWatcher>();
  /** Containers that were told; forgotten when their folder goes. */
  readonly #told = new Set<string>();

  /** Tells of every container that is there, then of each new one, once. */
  constructor(cgroupRoot: string, onContainer: (place: ContainerPlace) => void) {
    this.#cgroupRoot = cgroupRoot;
    this.#onContainer = onContainer;
    this.#enter("");
  }

  /** Looks through all watched folders again: the kernel drops events when too many come at once. */
  look(): void {
    for (const path of this.#watchers.keys()) {
      for (const name of childrenOf(join(this.#cgroupRoot, path))) this.#changed(`${path}/${name}`);
    }
  }

  /** It is told again at the next look. */
  forget({ cgroup }: ContainerPlace): void {
    this.#told.delete(cgroup);
  }

  close(): void {
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #enter(path: string): void {
    if (this.#watchers.has(path) || this.#watchers.size >= CGROUPS_WATCHED_MAX) return;
    const folder = join(this.#cgroupRoot, path);
    try {
      const watcher = watch(folder, (_kind, name) => name !== null && this.#changed(`${path}/${name}`));
      watcher.on("error", () => this.#leave(path));
      this.#watchers.set(path, watcher);
    } catch {
      return; // gone again
    }
    for (const name of childrenOf(folder)) this.#changed(`${path}/${name}`); // what came before the watch
  }

  #changed(path: string): void {
    if (!existsSync(join(this.#cgroupRoot, path))) {
      this.#told.delete(path);
      this.#leave(path);
      return;
    }
    const place = placeOf(path);
    if (place === undefined) {
      if (holdsContainers(path)) this.#enter(path);
    } else if (!this.#told.has(path)) {
      this.#told.add(path);
      this.#onContainer(place);
    }
  }

  #leave(path: string): void {
    this.#watchers.get(path)?.close();
    this.#watchers.delete(path);
  }
}
