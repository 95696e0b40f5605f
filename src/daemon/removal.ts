/**
 * `down --remove`: nothing that Sallyport made stays: links, maps, cgroups, hooks of container runtimes, the CA in the
 * system's store, sockets, state. What belongs to another daemon of the host is left alone.
 */
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { removePinned } from "ebpf-loader";
import { messageOf, UserError } from "../base/errors.ts";
import { createLog } from "../base/log.ts";
import { LIBRARY, removeHooks } from "../containers/installation.ts";
import { isPopulated, processesOf, removeCgroup } from "../kernel/cgroups.ts";
import { findCgroupRoot, pinDirOf } from "../kernel/interception.ts";
import { openStore } from "../store/store.ts";
import type { Tag } from "../store/tags.ts";
import { EXPORTS } from "./evidence.ts";
import { UNDECIDED_FILES } from "./hooks.ts";

const run = promisify(execFile);

export interface RemovalOptions {
  readonly stateDir: string;
  readonly runDir: string;
  /** Tests look elsewhere. */
  readonly library?: string;
  readonly systemStore?: string;
}

/** As `trust install` puts it there. */
const SYSTEM_CA = "sallyport.crt";
const SYSTEM_STORE = "/usr/local/share/ca-certificates";
const UPDATE_STORE = "/usr/sbin/update-ca-certificates";

/** By name, so that a folder which holds other things too (a wrong flag) loses none of them. */
const STATE = [
  "sallyport.db",
  "sallyport.db-wal",
  "sallyport.db-shm",
  "search.db",
  "search.db-wal",
  "search.db-shm",
  "vault.key",
  "ca",
  "recordings",
  "events",
  "sinks",
  EXPORTS,
  "daemon.lock",
  "audit.jsonl", // of versions before the journal
  ...UNDECIDED_FILES,
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

/** What lives in these cgroups runs unguarded once the programs are gone: whoever asked for that is told. */
function guardsThatEnd(cgroups: readonly string[]): readonly string[] {
  return cgroups
    .filter((path) => isPopulated(path) === true)
    .map((path) => `the guard of ${path}, where processes live: ${processesOf(path).slice(0, 20).join(", ")}`);
}

/** The daemon must not run. Returns what was removed, for display. Throws PRIVILEGE, AGENTS_RUNNING, HOOK_INSTALL. */
export async function removeEverything(options: RemovalOptions): Promise<readonly string[]> {
  const { stateDir, runDir } = options;
  if (process.geteuid?.() !== 0) {
    throw new UserError("PRIVILEGE", "Cannot remove Sallyport as an ordinary user", "Run it with sudo", {
      exitCode: 4,
    });
  }
  const removed: string[] = [];
  const tags = await tagsOf(stateDir);
  const cgroups = tags.filter(({ kind }) => kind === "run").map(({ cgroup }) => cgroup);
  refuseWhileRunning(cgroups);
  removed.push(...ownHooks(runDir, options.library ?? LIBRARY));
  removed.push(...(await systemTrust(stateDir, options.systemStore ?? SYSTEM_STORE)));
  const pinDir = pinDirOf(runDir);
  removed.push(...guardsThatEnd(tags.filter(({ kind }) => kind !== "run").map(({ cgroup }) => cgroup)));
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

/** Hooks ask one daemon; those of another one stay. First of all: without a daemon they keep matched containers from starting. */
function ownHooks(runDir: string, library: string): readonly string[] {
  const settings = textOf(join(library, "hook.conf"));
  return settings.split("\n").includes(`socket=${join(runDir, "api.sock")}`) ? removeHooks(library) : [];
}

/** The CA of this state folder only. A store that cannot be brought up to date still has the file taken away. */
async function systemTrust(stateDir: string, store: string): Promise<readonly string[]> {
  const installed = join(store, SYSTEM_CA);
  const own = textOf(join(stateDir, "ca", "ca.pem")).trim();
  if (own === "" || textOf(installed).trim() !== own) return [];
  rmSync(installed);
  if (store === SYSTEM_STORE && existsSync(UPDATE_STORE)) await run(UPDATE_STORE, []).catch(tellStale);
  return [installed];
}

function tellStale(error: unknown): never {
  const message = `Cannot bring the system's trust store up to date: ${messageOf(error)}`;
  throw new UserError("TRUST_INSTALL", message, `Run ${UPDATE_STORE}, then this again`, { cause: error });
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

/** What is tagged, as far as it is known. A damaged store must not keep the rest from being removed. */
async function tagsOf(stateDir: string): Promise<readonly Tag[]> {
  if (!existsSync(join(stateDir, "sallyport.db"))) return [];
  const store = await openStore(
    stateDir,
    createLog(() => {}),
  ).catch(() => undefined);
  if (store === undefined) return [];
  try {
    return await store.tags.all();
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
