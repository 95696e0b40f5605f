/** `down --remove`: nothing that Sallyport made stays: links, maps, cgroups, sockets, trust files, state. */
import { existsSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { removePinned } from "ebpf-loader";
import { UserError } from "../base/errors.ts";
import { createLog } from "../base/log.ts";
import { isPopulated, processesOf, removeCgroup } from "../kernel/cgroups.ts";
import { findCgroupRoot, pinDirOf } from "../kernel/interception.ts";
import { openStore } from "../store/store.ts";

export interface RemovalOptions {
  readonly stateDir: string;
  readonly runDir: string;
}

/** By name, so that a folder which holds other things too (a wrong flag) loses none of them. */
const STATE = [
  "sallyport.db",
  "sallyport.db-wal",
  "sallyport.db-shm",
  "vault.key",
  "ca",
  "recordings",
  "audit.jsonl",
  "daemon.lock",
];
const RUN = ["api.sock", "trust"];

/** Throws AGENTS_RUNNING: without the programs, what still runs in these cgroups would run unguarded. */
export function refuseWhileRunning(cgroups: readonly string[]): void {
  const busy = cgroups.filter((path) => isPopulated(path) === true);
  if (busy.length === 0) return;
  const pids = busy.flatMap(processesOf);
  throw new UserError(
    "AGENTS_RUNNING",
    `Cannot remove Sallyport: commands that it runs are alive, processes ${pids.slice(0, 20).join(", ")}`,
    "End them first, for instance: kill PID",
  );
}

/** The daemon must not run. Returns what was removed, for display. Throws PRIVILEGE, AGENTS_RUNNING. */
export async function removeEverything({ stateDir, runDir }: RemovalOptions): Promise<readonly string[]> {
  if (process.geteuid?.() !== 0) {
    throw new UserError("PRIVILEGE", "Cannot remove Sallyport as an ordinary user", "Run it with sudo", {
      exitCode: 4,
    });
  }
  const removed: string[] = [];
  const cgroups = await runCgroups(stateDir);
  refuseWhileRunning(cgroups);
  const pinDir = pinDirOf(runDir);
  if (existsSync(pinDir)) removed.push(...removePinned(pinDir));
  for (const path of cgroups) {
    removeCgroup(path);
    if (!existsSync(path)) removed.push(path);
  }
  removeSlice();
  for (const path of [...STATE.map((name) => join(stateDir, name)), ...RUN.map((name) => join(runDir, name))]) {
    if (!existsSync(path)) continue;
    rmSync(path, { recursive: true, force: true });
    removed.push(path);
  }
  for (const folder of [stateDir, runDir]) removeIfEmpty(folder);
  return removed;
}

/** The cgroups that `run` made and that may still be there. A damaged store must not keep the rest from being removed. */
async function runCgroups(stateDir: string): Promise<string[]> {
  if (!existsSync(join(stateDir, "sallyport.db"))) return [];
  const store = await openStore(
    stateDir,
    createLog(() => {}),
  ).catch(() => undefined);
  if (store === undefined) return [];
  try {
    return (await store.tags.all()).filter(({ kind }) => kind === "run").map(({ cgroup }) => cgroup);
  } finally {
    await store.close();
  }
}

/** Shared by every daemon of the host; goes with the last run. */
function removeSlice(): void {
  const slice = join(findCgroupRoot(), "sallyport.slice");
  if (!existsSync(slice) || existsSync("/run/systemd/system")) return;
  if (readdirSync(slice, { withFileTypes: true }).every((entry) => !entry.isDirectory())) removeCgroup(slice);
}

function removeIfEmpty(folder: string): void {
  if (existsSync(folder) && readdirSync(folder).length === 0) rmdirSync(folder);
}
