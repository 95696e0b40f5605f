/** The containers of this host: what runs, and which one a person means. Tags nothing. */
import { join } from "node:path";
import { messageOf, UserError } from "../base/errors.ts";
import { type ContainerFacts, type ContainerPlace, placeOf } from "./container.ts";
import type { RuntimeFolders } from "./folders.ts";
import { readBundle, readDocker, readPodman } from "./runtimes.ts";
import { someProcess, walkCgroups } from "./tree.ts";

export interface Container extends ContainerFacts {
  /** Host path of the folder. */
  readonly cgroup: string;
  /** One of its processes. */
  readonly pid: number;
}

export class Containers {
  readonly #cgroupRoot: string;
  readonly #folders: () => RuntimeFolders;

  constructor(parts: { readonly cgroupRoot: string; readonly folders: () => RuntimeFolders }) {
    this.#cgroupRoot = parts.cgroupRoot;
    this.#folders = parts.folders;
  }

  /** Cgroups of containers, running or just being made. */
  places(): readonly ContainerPlace[] {
    const paths = walkCgroups(
      this.#cgroupRoot,
      (path) => placeOf(path) === undefined && !path.startsWith("/user.slice"),
    );
    return paths
      .flatMap((path) => placeOf(path) ?? [])
      .filter(({ cgroup }, at, all) => all.findIndex((other) => other.cgroup === cgroup) === at);
  }

  /** Throws CONTAINER_UNKNOWN, CONTAINER_AMBIGUOUS, CONTAINER_STATE. `text` is a name, an id, or how an id begins. */
  async find(text: string): Promise<Container> {
    const running = await this.running();
    const exact = running.filter(({ id, name }) => id === text || name === text);
    const fitting = exact.length > 0 ? exact : running.filter(({ id }) => text.length > 0 && id.startsWith(text));
    const [found, other] = fitting;
    if (found === undefined) {
      const names = running.map(({ name }) => name).slice(0, 20);
      const remedy =
        names.length === 0
          ? "No container runs here as root; those of other users are matched by user"
          : `These run: ${names.join(", ")}`;
      throw new UserError("CONTAINER_UNKNOWN", `Cannot find a running container ${text}`, remedy);
    }
    if (other !== undefined) {
      const names = fitting.slice(0, 20).map(({ id, name }) => `${name} (${id.slice(0, 12)})`);
      throw new UserError(
        "CONTAINER_AMBIGUOUS",
        `Cannot tell which container ${text} is`,
        `Write more of it: ${names.join(", ")}`,
      );
    }
    return found;
  }

  /** Those with a process. One whose runtime keeps nothing readable has its id for a name. */
  async running(): Promise<readonly Container[]> {
    const found: Container[] = [];
    for (const place of this.places()) {
      const pid = someProcess(this.#cgroupRoot, place.cgroup);
      if (pid === undefined) continue;
      const facts = await this.factsOf(place).catch(() => undefined);
      const { id, runtime } = place;
      found.push({
        ...(facts ?? { id, runtime, name: id, image: "", labels: {} }),
        cgroup: join(this.#cgroupRoot, place.cgroup),
        pid,
      });
    }
    return found;
  }

  /**
   * Undefined when the runtime's state knows no such container. `bundle` is where the runtime keeps this one, if that is
   * known: a podman with folders of its own is found by it. Throws CONTAINER_STATE when state is there but not readable.
   */
  async factsOf(
    { id, runtime }: Pick<ContainerPlace, "id" | "runtime">,
    bundle?: string,
  ): Promise<ContainerFacts | undefined> {
    const folders = this.#folders();
    try {
      switch (runtime) {
        case "podman":
          return await readPodman(graphRootOf(bundle) ?? folders.podman, id);
        case "docker":
          return readDocker(folders.docker, id);
        case "cri-o":
          return readBundle(bundle ?? join(folders.crio, id, "userdata"), id, runtime);
        case "containerd":
          return readBundle(bundle ?? join(folders.containerd, id), id, runtime);
        case "oci":
          return bundle === undefined ? undefined : readBundle(bundle, id, runtime);
      }
    } catch (cause) {
      throw new UserError(
        "CONTAINER_STATE",
        `Cannot read what ${runtime} says of container ${id.slice(0, 12)}: ${messageOf(cause)}`,
        `See that ${runtime} itself can: its inspect command`,
        { cause },
      );
    }
  }
}

/** GRAPHROOT/DRIVER-containers/ID/userdata. Source: containers/storage, Store.ContainerDirectory. */
function graphRootOf(bundle: string | undefined): string | undefined {
  return /^(\/.+)\/[a-z0-9]+-containers\/[0-9a-f]{64}\/userdata$/.exec(bundle ?? "")?.[1];
}
