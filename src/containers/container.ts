/** What a container is, and where one lives among cgroups: told by paths alone. No files, no processes. */

/** `oci`: a runtime that keeps no names or images, e.g. plain runc. */
export type Runtime = "podman" | "docker" | "cri-o" | "containerd" | "oci";

/** What a runtime says of a container. Written by whoever may start containers, which is trusted like root. */
export interface ContainerFacts {
  readonly id: string;
  readonly runtime: Runtime;
  /** Of Kubernetes: the container's in its pod. */
  readonly name: string;
  /** As it was asked for, with registry and tag where the runtime completes them; "" where none is kept. */
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** A cgroup that a runtime made for one container. */
export interface ContainerPlace {
  readonly runtime: Runtime;
  readonly id: string;
  /** v2 path of the whole container ("/machine.slice/libpod-….scope"); its processes may live below. */
  readonly cgroup: string;
}

const ID = "([0-9a-f]{64})";

/** The last parts of a container's path. conmon's own scopes ("libpod-conmon-…") have no such form. */
const FORMS: readonly { readonly runtime: Runtime; readonly form: RegExp }[] = [
  { runtime: "podman", form: new RegExp(`/libpod-${ID}(?:\\.scope)?$`) },
  { runtime: "docker", form: new RegExp(`/docker-${ID}\\.scope$`) },
  { runtime: "docker", form: new RegExp(`/docker/${ID}$`) },
  { runtime: "cri-o", form: new RegExp(`/crio-${ID}(?:\\.scope)?$`) },
  { runtime: "containerd", form: new RegExp(`/cri-containerd-${ID}\\.scope$`) },
  { runtime: "containerd", form: new RegExp(`/kubepods/(?:[^/]+/)*${ID}$`) },
];

/**
 * The container in whose cgroup a v2 path lies. Undefined below /user.slice: there a user's own service manager makes
 * folders with any name it likes, and a rootless runtime keeps state that its user can write.
 */
export function placeOf(path: string): ContainerPlace | undefined {
  if (path === "/user.slice" || path.startsWith("/user.slice/")) return undefined;
  for (let end = path.indexOf("/", 1); ; end = path.indexOf("/", end + 1)) {
    const cgroup = end < 0 ? path : path.slice(0, end);
    for (const { runtime, form } of FORMS) {
      const id = form.exec(cgroup)?.[1];
      if (id !== undefined) return { runtime, id, cgroup };
    }
    if (end < 0) return undefined;
  }
}

/** Folders in which runtimes make containers, or pods with containers. Slices of pods and pods of podman lie one below. */
const PARENTS = [
  /^$/,
  /^\/(docker|system\.slice)$/,
  /^\/(libpod_parent|machine\.slice)(\/[^/.]+(\.slice)?)?$/,
  /^\/kubepods(\.slice)?(\/[^/.]+(\.slice)?){0,2}$/,
];

/** Whether a folder of this v2 path ("" is the root) is worth watching for new containers. */
export function holdsContainers(path: string): boolean {
  return PARENTS.some((parent) => parent.test(path)) && placeOf(path) === undefined;
}

/**
 * What an image may be called in a matcher: in full, without its tag or digest, and both without registry and folders.
 * "docker.io/library/postgres:16" is also "docker.io/library/postgres", "postgres:16" and "postgres".
 */
export function imageNames(image: string): readonly string[] {
  const bare = image.replace(/@sha256:[0-9a-f]+$/, "").replace(/:[^:/]*$/, "");
  const short = (text: string) => text.slice(text.lastIndexOf("/") + 1);
  return [...new Set([image, bare, short(image), short(bare)])];
}
