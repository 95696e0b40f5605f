/** From what a person names to a cgroup's folder on the host. Finds; tags nothing. */
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { UserError } from "../../base/errors.ts";
import type { Containers } from "../../containers/containers.ts";
import type { TagTarget } from "../../control/ports.ts";
import { cgroupOf } from "../../kernel/cgroups.ts";

const run = promisify(execFile);

export interface TargetWorld {
  readonly cgroupRoot: string;
  readonly containers: Pick<Containers, "find">;
  /** Whether a service manager runs that knows units. */
  readonly hasSystemd?: boolean;
}

/** A path below the mount; whether it is there is for who tags it to see. Throws what `AgentPorts.tag` names. */
export async function pathOfTarget(target: TagTarget, world: TargetWorld): Promise<string> {
  const { cgroupRoot } = world;
  switch (target.kind) {
    case "cgroup": // in one spelling: whether it is guarded already is told by comparing paths
      return target.path.startsWith(`${cgroupRoot}/`) ? resolve(target.path) : join(cgroupRoot, target.path, ".");
    case "pid":
      return `${cgroupRoot}${cgroupOfProcess(target.pid)}`;
    case "container":
      return (await world.containers.find(target.name)).cgroup;
    case "unit":
      return `${cgroupRoot}${await cgroupOfUnit(target.name, world)}`;
    default:
      return target satisfies never;
  }
}

function cgroupOfProcess(pid: number): string {
  const cgroup = cgroupOf(pid);
  if (cgroup === undefined || isZombie(pid)) {
    throw new UserError("PROCESS_UNKNOWN", `Cannot find process ${pid}: it does not run`, "Check the number: ps -e");
  }
  if (isKernelThread(pid)) {
    const remedy = "Name a process of an agent: ps -e shows kernel threads in brackets";
    throw new UserError("PROCESS_KERNEL", `Cannot tag process ${pid}: it is a thread of the kernel`, remedy);
  }
  if (cgroup === "/") {
    throw new UserError(
      "PROCESS_UNCONFINED",
      `Cannot tag process ${pid}: it is in the root cgroup, together with everything else that has none of its own`,
      "Start it with `sallyport run`, or give it a cgroup: mkdir one below the mount, write the pid to its cgroup.procs, tag that",
    );
  }
  return cgroup;
}

/** Field 9 of proc(5) /proc/PID/stat, PF_KTHREAD. */
function isKernelThread(pid: number): boolean {
  return (Number(statOf(pid)[6] ?? 0) & 0x0020_0000) !== 0;
}

function isZombie(pid: number): boolean {
  return ["Z", "X"].includes(statOf(pid)[0] ?? "");
}

/** From the third field on: the second may hold spaces. */
function statOf(pid: number): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return ["X"];
  }
}

/** Asks the service manager; without one, looks for the folder that it would have made. */
async function cgroupOfUnit(unit: string, world: TargetWorld): Promise<string> {
  const unknown = (why: string) =>
    new UserError(
      "UNIT_UNKNOWN",
      `Cannot find the cgroup of unit ${unit}: ${why}`,
      "See: systemctl status, systemd-cgls",
    );
  if (!/^[A-Za-z0-9:_.\\@-]{1,255}$/.test(unit) || !/\.(service|scope|slice)$/.test(unit)) {
    throw unknown("its name must end in .service, .scope or .slice");
  }
  if (world.hasSystemd ?? existsSync("/run/systemd/system")) {
    const { stdout } = await run("systemctl", ["show", "--property=ControlGroup", "--value", "--", unit]).catch(
      (error: Error) => {
        throw unknown(error.message.split("\n")[0] ?? "");
      },
    );
    const path = stdout.trim();
    if (path === "" || path === "/") throw unknown("it does not run");
    return path;
  }
  const found = findFolder(world.cgroupRoot, "", unit, 0);
  if (found === undefined) throw unknown("no service manager runs here, and no cgroup has that name");
  return found;
}

/** Only slices hold units; they nest by their dashes, hardly ever deeper than this. */
const SLICES_DEEP_MAX = 8;

function findFolder(root: string, path: string, unit: string, depth: number): string | undefined {
  if (existsSync(`${root}${path}/${unit}`)) return `${path}/${unit}`;
  if (depth >= SLICES_DEEP_MAX) return undefined;
  const slices = readdirSync(`${root}${path}`, { withFileTypes: true }).filter(
    (entry) => entry.isDirectory() && entry.name.endsWith(".slice"),
  );
  for (const { name } of slices) {
    const found = findFolder(root, `${path}/${name}`, unit, depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}
