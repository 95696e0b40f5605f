/** Cgroup folders: made, filled, watched and removed. Knows nothing of agents. Source: cgroups(7). */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { messageOf, UserError } from "../base/errors.ts";
import { CGROUP_TREE_MAX } from "../base/limits.ts";

const run = promisify(execFile);

/**
 * Puts a waiting process into a cgroup of its own: a transient scope in sallyport.slice where systemd
 * runs, else a folder at the root; never under the daemon's own. Returns the folder's host path.
 */
export async function confine(cgroupRoot: string, name: string, pid: number): Promise<string> {
  if (existsSync("/run/systemd/system")) return confineInScope(cgroupRoot, `${name}.scope`, pid);
  const path = join(cgroupRoot, "sallyport.slice", name);
  mkdirSync(path, { recursive: true });
  try {
    writeFileSync(join(path, "cgroup.procs"), String(pid));
  } catch (error) {
    removeCgroup(path);
    throw error;
  }
  return path;
}

/** Source: org.freedesktop.systemd1(5), StartTransientUnit. */
async function confineInScope(cgroupRoot: string, unit: string, pid: number): Promise<string> {
  const properties = [
    "3",
    "PIDs",
    "au",
    "1",
    String(pid),
    "Slice",
    "s",
    "sallyport.slice",
    "CollectMode",
    "s",
    "inactive-or-failed",
  ];
  const target = ["org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"];
  await run("busctl", ["call", ...target, "StartTransientUnit", "ssa(sv)a(sa(sv))", unit, "fail", ...properties, "0"]);
  for (let round = 0; round < 200; round++) {
    const path = cgroupOf(pid);
    if (path?.endsWith(`/${unit}`)) return join(cgroupRoot, path);
    await new Promise((resolve) => setTimeout(resolve, 10)); // the job is queued; two seconds at most
  }
  throw new UserError("SCOPE_FAILED", `Cannot move process ${pid} into ${unit}`, "See: journalctl -u init.scope");
}

/** The v2 path of a process ("/a/b"), by its id or its thread's folder in /proc; undefined once it is gone. */
export function cgroupOf(task: number | string): string | undefined {
  const folder = typeof task === "number" ? `/proc/${task}` : task;
  try {
    return /^0::(.*)$/m.exec(readFileSync(`${folder}/cgroup`, "utf8"))?.[1];
  } catch {
    return undefined;
  }
}

/** Whether any process lives in it or below; undefined when the folder is gone. */
export function isPopulated(path: string): boolean | undefined {
  try {
    return /^populated 1$/m.test(readFileSync(join(path, "cgroup.events"), "utf8"));
  } catch {
    return undefined;
  }
}

/** Process ids directly in it. */
export function processesOf(path: string): number[] {
  try {
    return readFileSync(join(path, "cgroup.procs"), "utf8").split("\n").filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** A cgroup's folder and all below it, at most CGROUP_TREE_MAX, parents first. */
export function cgroupsIn(path: string): string[] {
  const folders = [path];
  for (const folder of folders) {
    for (const name of childrenOf(folder)) {
      if (folders.length < CGROUP_TREE_MAX) folders.push(join(folder, name));
    }
  }
  return folders;
}

/** The cgroup's id is its folder's inode. Source: kernfs, cgroup_id(). Undefined when the folder is gone. */
export function cgroupIdOf(path: string): bigint | undefined {
  try {
    return statSync(path, { bigint: true }).ino;
  } catch {
    return undefined;
  }
}

/** A full path below the mount, from what a person typed. One spelling only: who is an agent is told by comparing paths. */
export function resolveCgroup(cgroupRoot: string, text: string): string {
  const path = resolve(text === cgroupRoot || text.startsWith(`${cgroupRoot}/`) ? text : join(cgroupRoot, text));
  if (path === cgroupRoot) {
    const message = `Cannot tag ${cgroupRoot}: everything of this host is in the root cgroup`;
    throw new UserError("CGROUP_ROOT", message, "Name a cgroup below it: systemd-cgls, or cat /proc/PID/cgroup");
  }
  if (!path.startsWith(`${cgroupRoot}/`) || cgroupIdOf(path) === undefined) {
    throw new UserError(
      "CGROUP_UNKNOWN",
      `Cannot find the cgroup ${text} below ${cgroupRoot}`,
      "See: systemd-cgls, or cat /proc/PID/cgroup",
    );
  }
  return path;
}

/** Removes an empty cgroup; one that is not empty or already gone is left alone. */
export function removeCgroup(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    if (!/ENOENT|EBUSY|ENOTEMPTY/.test(messageOf(error))) throw error;
  }
}

function childrenOf(folder: string): string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    return entries.flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
  } catch {
    return []; // removed meanwhile
  }
}
