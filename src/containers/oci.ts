/** The OCI state that a runtime hands to its hooks, as far as it counts here. Source: OCI runtime-spec, "State". */
import { UserError } from "../base/errors.ts";
import { type ContainerPlace, placeOf } from "./container.ts";

export interface OciState {
  readonly id: string;
  /** Of the container's first process, in the host's numbers. */
  readonly pid: number;
  /** The folder of its config.json. */
  readonly bundle: string;
}

/** The container's cgroup: the one that carries its id, else the process's own. `cgroup` is that process's v2 path. */
export function placeOfState(state: OciState, cgroup: string): ContainerPlace {
  const place = placeOf(cgroup);
  return place !== undefined && place.id === state.id
    ? place
    : { runtime: runtimeOf(state.bundle), id: state.id, cgroup };
}

/** Why it cannot be guarded: it has no cgroup of its own, and what were tagged then were others. `companions` live in it. */
export function whyNotGuarded(
  state: OciState,
  { cgroup }: ContainerPlace,
  companions: readonly number[],
): UserError | undefined {
  if (placeOf(cgroup)?.id === state.id) return undefined;
  if (cgroup !== "/" && companions.every((pid) => pid === state.pid)) return undefined;
  return new UserError(
    "CONTAINER_CGROUP",
    `Cannot guard container ${state.id.slice(0, 64)}: it has no cgroup of its own, but shares ${cgroup}`,
    "Start it without --cgroups=disabled and without another's --cgroup-parent",
  );
}

/** For containers whose cgroup has no known form (named by hand, or without a parent): whose state they are part of. */
function runtimeOf(bundle: string): ContainerPlace["runtime"] {
  const task = /\/io\.containerd\.runtime\.v2\.task\/(moby|k8s\.io)\/[^/]+$/.exec(bundle)?.[1];
  if (task !== undefined) return task === "moby" ? "docker" : "containerd";
  if (!/^\/.+\/[a-z0-9]+-containers\/[0-9a-f]{64}\/userdata$/.test(bundle)) return "oci";
  return bundle.startsWith("/run/") || bundle.startsWith("/var/run/") ? "cri-o" : "podman"; // runroot, graphroot
}
