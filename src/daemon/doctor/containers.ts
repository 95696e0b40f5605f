/** Which container runtimes are here, and whether containers are guarded from their first instruction. */
import type { RuntimeFolders } from "../../containers/folders.ts";
import type { HookStatus } from "../../containers/installation.ts";
import type { DoctorCheck } from "../../control/ports.ts";
import type { Host } from "./kernel.ts";

export function runtimeChecks(host: Host, folders: RuntimeFolders, hooks: readonly HookStatus[]): DoctorCheck[] {
  const present = hooks.filter((hook) => hook.present);
  const containerd = host.exists(folders.containerd);
  if (present.length === 0 && !containerd) {
    return [{ name: "containers", verdict: "ok", found: "no podman, CRI-O, Docker or containerd here", remedy: "" }];
  }
  return [
    ...present.map(hookCheck),
    ...(containerd
      ? [
          {
            name: "containerd",
            verdict: "warning" as const,
            found: "runs containers and has no hooks folder",
            remedy:
              "Its containers are guarded as soon as they are seen; what they dial before that is refused, not let through, where a matcher by unit or cgroup covers them",
          },
        ]
      : []),
  ];
}

function hookCheck({ runtime, installed, file, problem }: HookStatus): DoctorCheck {
  if (!installed) {
    return {
      name: runtime,
      verdict: "warning",
      found: "no hook installed: containers are guarded a moment after they start",
      remedy: `For agents that the settings match by container: sudo sallyport hooks install --runtime ${runtime}`,
    };
  }
  return problem === ""
    ? { name: runtime, verdict: "ok", found: `hook in ${file}`, remedy: "" }
    : { name: runtime, verdict: "failed", found: problem, remedy: "Install it again: sudo sallyport hooks install" };
}
