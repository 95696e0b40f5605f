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

/**
 * The container's cgroup: the one that carries its id, else the process's own. `cgroup` is that process's v2 path,
 * `companions` who else is in it. Throws CONTAINER_CGROUP when it has none of its own: what were tagged then were others.
 */
export function placeOfState(state: OciState, cgroup: string, companions: readonly number[]): ContainerPlace {
  const place = placeOf(cgroup);
  if (place !== undefined && place.id === state.id) return place;
  if (cgroup === "/" || companions.some((pid) => pid !== state.pid)) {
    throw new UserError(
      "CONTAINER_CGROUP",
      `Cannot guard container ${state.id.slice(0, 64)}: it has no cgroup of its own, but shares ${cgroup}`,
      "Start it without --cgroups=disabled and without another's --cgroup-parent",
    );
  }
  return { runtime: runtimeOf(state.bundle), id: state.id, cgroup };
}

/** For containers whose cgroup somebody named by hand: whose state they are part of. */
function runtimeOf(bundle: string): ContainerPlace["runtime"] {
  if (bundle.startsWith("/run/containerd/io.containerd.runtime.v2.task/moby/")) return "docker";
  if (/^\/.+\/[a-z0-9]+-containers\/[0-9a-f]{64}\/userdata$/.test(bundle)) return "podman";
  return "oci";
}
