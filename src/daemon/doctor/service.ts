/** What the daemon stands on besides the kernel: launcher, trust, service manager, clock, disk. */
import { execFile } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { messageOf } from "../../base/errors.ts";
import { BUILT_LAUNCHER } from "../../control/cli/launcher.ts";
import type { DoctorCheck } from "../../control/ports.ts";
import type { Host } from "./kernel.ts";

const run = promisify(execFile);

export function launcherCheck(host: Host, file = BUILT_LAUNCHER): DoctorCheck {
  const name = "launcher";
  if (!host.exists(file)) {
    return {
      name,
      verdict: "failed",
      found: `${file} is missing: nothing can be run`,
      remedy: "Build it: npm run build",
    };
  }
  const { mode, uid } = statSync(file);
  if ((mode & 0o111) === 0)
    return { name, verdict: "failed", found: `${file} may not be executed`, remedy: `chmod 755 ${file}` };
  if ((mode & 0o022) !== 0 && uid === 0) {
    return { name, verdict: "failed", found: `others may write ${file}`, remedy: `chmod 755 ${file}` };
  }
  return { name, verdict: "ok", found: file, remedy: "" };
}

/** Where Debian keeps what an administrator trusts. Source: update-ca-certificates(8). */
const SYSTEM_STORE = "/usr/local/share/ca-certificates";

export function trustChecks(host: Host, runDir: string): DoctorCheck[] {
  const file = join(runDir, "trust", "ca.pem");
  const readable = host.read(file)?.includes("BEGIN CERTIFICATE") === true;
  const ca: DoctorCheck = readable
    ? { name: "local CA", verdict: "ok", found: file, remedy: "" }
    : {
        name: "local CA",
        verdict: host.exists(file) ? "failed" : "warning",
        found: host.exists(file) ? `${file} cannot be read` : `none at ${file}`,
        remedy: host.exists(file) ? `chmod 644 ${file}` : "`sallyport up` makes it",
      };
  const installed = namesIn(SYSTEM_STORE).filter((name) => name.startsWith("sallyport"));
  const system: DoctorCheck = {
    name: "system trust",
    verdict: "ok",
    found:
      installed.length > 0
        ? `${installed.join(", ")} in ${SYSTEM_STORE}`
        : "the local CA is not in the system's store: commands of `run` trust it by their environment, others by `trust install`",
    remedy: "",
  };
  return [ca, system];
}

export async function serviceCheck(host: Host): Promise<DoctorCheck> {
  const name = "service manager";
  if (!host.exists("/run/systemd/system")) {
    const first = host.read("/proc/1/comm")?.trim() ?? "unknown";
    const found = `${first}: runs get a cgroup of their own; nobody restarts the daemon`;
    return { name, verdict: "ok", found, remedy: "" };
  }
  const state = await run("systemctl", ["is-active", "sallyport.service"]).then(
    ({ stdout }) => stdout.trim(),
    (error: { stdout?: string }) => (error.stdout ?? "").trim() || "unknown",
  );
  return state === "active"
    ? { name, verdict: "ok", found: "systemd; sallyport.service is active", remedy: "" }
    : {
        ...{
          name,
          verdict: state === "failed" ? "failed" : "warning",
          found: `systemd; sallyport.service is ${state}`,
        },
        remedy: "See: systemctl status sallyport.service, or install it: sudo sallyport service install",
      };
}

/** Rules read the time, certificates and recordings bear it. */
export function clockCheck(host: Host, nowMs = Date.now()): DoctorCheck {
  const name = "clock";
  if (nowMs < Date.UTC(2025, 0)) {
    return { name, verdict: "failed", found: new Date(nowMs).toISOString(), remedy: "Set the clock" };
  }
  const keepers = [
    "/run/systemd/timesync/synchronized",
    "/run/chrony/chronyd.pid",
    "/run/ntpd.pid",
    "/run/ntpd/ntpd.pid",
  ];
  const keeper = keepers.find((file) => host.exists(file));
  return keeper === undefined
    ? {
        ...{ name, verdict: "warning", found: "nothing that is known to us keeps it right" },
        remedy: "Run systemd-timesyncd or chrony; in a virtual machine the host may do it",
      }
    : { name, verdict: "ok", found: `kept right by ${keeper.split("/")[2]}`, remedy: "" };
}

/** A dump of the daemon would hold credentials and rows. */
export function coreDumpCheck(host: Host): DoctorCheck {
  const name = "core dumps";
  const limit = /^Max core file size\s+(\S+)/m.exec(host.read("/proc/self/limits") ?? "")?.[1];
  const pattern = host.read("/proc/sys/kernel/core_pattern")?.trim() ?? "";
  if (limit === "0" && !pattern.startsWith("|")) return { name, verdict: "ok", found: "off", remedy: "" };
  return {
    ...{ name, verdict: "warning", found: pattern.startsWith("|") ? `given to ${pattern.slice(1)}` : `limit ${limit}` },
    remedy: "Start the daemon with `ulimit -c 0`, as systemd/sallyport.service does; a dump would hold credentials",
  };
}

const SPACE_LOW_BYTES = 1024 ** 3;
const SPACE_LEAST_BYTES = 100 * 1024 ** 2;

/** Of the folder, or of what will hold it. Recordings that cannot be written deny what they would record. */
export async function diskCheck(stateDir: string): Promise<DoctorCheck> {
  const name = "disk";
  try {
    const { bavail, bsize } = await statfs(existing(stateDir));
    const free = bavail * bsize;
    const found = `${Math.floor(free / 1024 ** 2)} MiB free for ${stateDir}`;
    if (free >= SPACE_LOW_BYTES) return { name, verdict: "ok", found, remedy: "" };
    const remedy = "Make room: without it nothing can be recorded, and what is not recorded is denied";
    return { name, verdict: free < SPACE_LEAST_BYTES ? "failed" : "warning", found, remedy };
  } catch (error) {
    return { name, verdict: "warning", found: messageOf(error), remedy: "Name the state folder with --state" };
  }
}

function existing(folder: string): string {
  try {
    statSync(folder);
    return folder;
  } catch {
    return folder === "/" ? folder : existing(dirname(folder));
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
