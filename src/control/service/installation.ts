/**
 * Sallyport as a service of systemd: put there, looked at, taken away. Remembers what it made, so that nothing which was
 * there before is taken. Settings that exist are never touched, state and settings stay unless everything is to go.
 */
import { execFile } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { messageOf, UserError } from "../../base/errors.ts";
import { SERVICE_WAIT_MS } from "../../base/limits.ts";
import { isPopulated } from "../../kernel/cgroups.ts";
import { findCgroupRoot } from "../../kernel/interception.ts";
import { INSTALLED_LAUNCHER } from "../cli/launcher.ts";
import {
  type HostFile,
  LAUNCHER_CAPABILITIES,
  launcherFile,
  riskyOwner,
  SETTINGS_FILE,
  sampleSettings,
  UNITS,
  unitFiles,
  unitPath,
} from "./units.ts";

const run = promisify(execFile);
const GROUP = "sallyport";
const SLICE = "sallyport.slice";
/** What was made and is no file of the package's own. Lies with the state, so that it outlives a removal without --purge. */
const MEMORY = "/var/lib/sallyport/service.json";

export interface ServiceInstallation {
  readonly installed: readonly string[];
  readonly started: boolean;
  readonly warnings: readonly string[];
}

export interface ServiceStatus {
  readonly installed: boolean;
  /** "enabled", "disabled" …; of systemctl(1) is-enabled. */
  readonly enabled: string;
  /** "active", "inactive", "failed" … */
  readonly active: string;
  readonly pid?: number;
  /** What the daemon says of itself. */
  readonly status: string;
  /** Times that systemd had to start it again. */
  readonly restarts: number;
  /** Listeners that systemd holds over a restart. */
  readonly held: number;
}

export function isServiceInstalled(): boolean {
  return UNITS.some((unit) => existsSync(unitPath(unit)));
}

/** Throws PRIVILEGE, SERVICE_MANAGER_MISSING, SERVICE_PATH, SERVICE_FAILED. Safe to repeat. */
export async function installService(start: "now" | "not"): Promise<ServiceInstallation> {
  requireRootAndSystemd();
  const warnings: string[] = [];
  const risky = riskyOwner();
  if (risky !== undefined) warnings.push(`${risky} may be changed by others than root, who could thereby become root`);
  const units = unitFiles();
  const isOurs = await makeGroup();
  const installed = units.map(place);
  if (!existsSync(SETTINGS_FILE)) installed.push(place(sampleSettings()));
  const launcher = launcherFile();
  if (launcher === undefined) warnings.push("The launcher is not built: what users start is bound less; npm run build");
  else {
    installed.push(place(launcher));
    await tool("setcap", [LAUNCHER_CAPABILITIES, INSTALLED_LAUNCHER]).catch((error: unknown) =>
      warnings.push(messageOf(error)),
    );
  }
  if (isOurs) remember({ group: true });
  await tool("systemctl", ["daemon-reload"]);
  await tool("systemctl", ["enable", ...UNITS]);
  // A running one is replaced by what has just been installed; its listeners and agents stay.
  if (start === "now") await tool("systemctl", ["restart", ...UNITS]);
  return { installed, started: start === "now", warnings };
}

/**
 * Stops the service and takes its files away; agents stay guarded, hence refused. `purge` is called between, with the
 * daemon gone: it removes what the daemon made, or throws, and then the service is as before. The group goes with it, and
 * the settings unless told not.
 */
export async function removeService(
  purge?: () => Promise<readonly string[]>,
  settings: "kept" | "removed" = "removed",
): Promise<readonly string[]> {
  requireRootAndSystemd();
  const isThere = isServiceInstalled();
  if (isThere) await tool("systemctl", ["stop", ...UNITS]);
  const removed: string[] = [];
  const memory = recall();
  try {
    removed.push(...((await purge?.()) ?? []));
  } catch (error) {
    if (isThere) await tool("systemctl", ["start", ...UNITS]).catch(() => {}); // the first error is the one to tell
    throw error;
  }
  if (isThere) await tool("systemctl", ["disable", ...UNITS]);
  const files = [...UNITS.map(unitPath), INSTALLED_LAUNCHER, ...(purge === undefined ? [] : [MEMORY])];
  if (purge !== undefined && settings === "removed") files.push(SETTINGS_FILE);
  for (const path of files) {
    if (!existsSync(path)) continue;
    rmSync(path);
    removed.push(path);
  }
  const folders = [
    dirname(INSTALLED_LAUNCHER),
    ...(purge === undefined ? [] : [dirname(MEMORY), dirname(SETTINGS_FILE)]),
  ];
  for (const folder of folders) removeIfEmpty(folder);
  await tool("systemctl", ["daemon-reload"]);
  if (purge !== undefined) await removeSlice();
  await run("systemctl", ["reset-failed", ...UNITS]).catch(() => {}); // nothing had failed
  if (purge !== undefined && memory.group === true) {
    await tool("groupdel", [GROUP]);
    removed.push(`group ${GROUP}`);
  }
  return removed;
}

/** Source: systemctl(1) show, org.freedesktop.systemd1(5). Throws SERVICE_MANAGER_MISSING. */
export async function serviceStatus(): Promise<ServiceStatus> {
  requireSystemd();
  const names = ["UnitFileState", "ActiveState", "MainPID", "StatusText", "NRestarts", "NFileDescriptorStore"];
  const text = await tool("systemctl", ["show", "sallyport.service", `--property=${names.join(",")}`]);
  const lines = text.split("\n").map((line) => line.split(/=(.*)/s, 2) as [string, string | undefined]);
  const value = new Map(lines.map(([name, found = ""]) => [name, found]));
  const number = (name: string) => Number(value.get(name) ?? 0) || 0;
  const pid = number("MainPID");
  return {
    installed: isServiceInstalled(),
    enabled: value.get("UnitFileState") || "no",
    active: value.get("ActiveState") ?? "unknown",
    ...(pid === 0 ? {} : { pid }),
    status: value.get("StatusText") ?? "",
    restarts: number("NRestarts"),
    held: number("NFileDescriptorStore"),
  };
}

function requireRootAndSystemd(): void {
  requireSystemd();
  if (process.geteuid?.() === 0) return;
  throw new UserError("PRIVILEGE", "Cannot change the host's services as an ordinary user", "Run it with sudo", {
    exitCode: 4,
  });
}

/** Source: sd_booted(3). */
function requireSystemd(): void {
  if (existsSync("/run/systemd/system")) return;
  const remedy = "Start it in the foreground, or by what manages services here: sudo sallyport up";
  throw new UserError("SERVICE_MANAGER_MISSING", "Cannot use services: systemd does not run this host", remedy);
}

function place({ path, content, mode }: HostFile): string {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  rmSync(path, { force: true }); // a running launcher keeps its old file
  writeFileSync(path, content, { mode });
  chmodSync(path, mode); // whatever the umask was
  return path;
}

/** Whether it is ours: made now, or by a former installation. */
async function makeGroup(): Promise<boolean> {
  const exists = await run("getent", ["group", GROUP]).then(
    () => true,
    () => false,
  );
  if (!exists) await tool("groupadd", ["--system", GROUP]);
  return !exists || recall().group === true;
}

interface Memory {
  readonly group?: boolean;
}

function remember(memory: Memory): void {
  mkdirSync(dirname(MEMORY), { recursive: true, mode: 0o700 });
  writeFileSync(MEMORY, JSON.stringify(memory), { mode: 0o600 });
}

function recall(): Memory {
  try {
    return JSON.parse(readFileSync(MEMORY, "utf8")) as Memory;
  } catch {
    return {};
  }
}

/** Where runs had their scopes; other daemons of this host may have some there. */
async function removeSlice(): Promise<void> {
  const path = (await tool("systemctl", ["show", SLICE, "--property=ControlGroup", "--value"])).trim();
  if (path !== "" && isPopulated(join(findCgroupRoot(), path)) === false) await tool("systemctl", ["stop", SLICE]);
}

function removeIfEmpty(folder: string): void {
  if (existsSync(folder) && readdirSync(folder).length === 0) rmdirSync(folder);
}

async function tool(file: string, args: readonly string[]): Promise<string> {
  const path = `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`; // sudo and su may leave these out
  try {
    const { stdout } = await run(file, args, { timeout: SERVICE_WAIT_MS, env: { ...process.env, PATH: path } });
    return stdout;
  } catch (cause) {
    const told = cause instanceof Error && "stderr" in cause ? String(cause.stderr).trim() : "";
    const message = `Cannot ${[file, ...args].join(" ")}: ${told === "" ? messageOf(cause) : told}`;
    throw new UserError("SERVICE_FAILED", message, "See: journalctl -u sallyport.service", { cause });
  }
}
