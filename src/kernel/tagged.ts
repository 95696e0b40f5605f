/** Which tagged cgroup a process lives in, by what the kernel itself holds as tagged. */
import { join } from "node:path";
import { cgroupIdOf, cgroupOf } from "./cgroups.ts";
import type { Place } from "./netns.ts";

export interface KernelTag {
  readonly cgroupId: bigint;
  /** The agent's slot. */
  readonly agent: number;
}

export class TaggedCgroups {
  readonly #cgroupRoot: string;
  readonly #read: () => readonly KernelTag[];
  #tags: ReadonlyMap<bigint, KernelTag> = new Map();

  /** `read` asks the kernel for all of them. */
  constructor(cgroupRoot: string, read: () => readonly KernelTag[]) {
    this.#cgroupRoot = cgroupRoot;
    this.#read = read;
  }

  /** Asks the kernel: one call for each tag. */
  refresh(): void {
    this.#tags = new Map(this.#read().map((tag) => [tag.cgroupId, tag]));
  }

  /** The deepest tagged cgroup above a task, or its own. Undefined for one that is no agent or gone. */
  tagOf(place: Place): KernelTag | undefined {
    const known = this.knownTagOf(place);
    if (known !== undefined) return known;
    this.refresh();
    return this.knownTagOf(place);
  }

  /** The same as of the last refresh. */
  knownTagOf(place: Place): KernelTag | undefined {
    const path = cgroupOf(place);
    const ids = path === undefined ? [] : this.#idsUpwards(path);
    const id = ids.find((one) => this.#tags.has(one));
    return id === undefined ? undefined : this.#tags.get(id);
  }

  #idsUpwards(path: string): bigint[] {
    const parts = path.split("/").filter(Boolean);
    return parts.flatMap((_, at) => cgroupIdOf(join(this.#cgroupRoot, ...parts.slice(0, parts.length - at))) ?? []);
  }
}
