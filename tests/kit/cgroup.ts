/** Test cgroups on the host's cgroup2 hierarchy, and children that start inside them. Needs root. */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Writable } from "node:stream";
import { setTimeout as wait } from "node:timers/promises";

/** The mount point of the whole cgroup2 hierarchy, e.g. "/sys/fs/cgroup" or, on a hybrid host, ".../unified". */
export function cgroup2Root(): string {
  for (const line of readFileSync("/proc/self/mountinfo", "utf8").split("\n")) {
    const [left = "", right = ""] = line.split(" - ");
    const [, , , root, mountPoint] = left.split(" ");
    if (right.startsWith("cgroup2 ") && root === "/" && mountPoint !== undefined) return mountPoint;
  }
  throw new Error("Cannot find a cgroup2 mount of the whole hierarchy: /proc/self/mountinfo has none");
}

export interface TestCgroup {
  readonly path: string;
  /** The kernel's cgroup id: the inode number of the folder. */
  readonly id: bigint;
  /** A cgroup below this one; removed together with it. */
  child(name: string): TestCgroup;
  /** Kills what runs inside, then removes it and all below. Does nothing the second time. */
  remove(): Promise<void>;
}

let made = 0;

/** A new cgroup at the root of the hierarchy, with a name of its own. */
export function makeCgroup(label = "agent"): TestCgroup {
  made += 1;
  return cgroupAt(join(cgroup2Root(), `sallyport-test-${label}-${process.pid}-${made}`));
}

function cgroupAt(path: string): TestCgroup {
  mkdirSync(path);
  return {
    path,
    id: statSync(path, { bigint: true }).ino,
    child: (name) => cgroupAt(join(path, name)),
    remove: () => removeCgroup(path),
  };
}

const EMPTY_WAIT_MS = 10_000;

async function removeCgroup(path: string): Promise<void> {
  if (!isFolder(path)) return;
  writeFileSync(join(path, "cgroup.kill"), "1");
  const deadline = performance.now() + EMPTY_WAIT_MS;
  while (readFileSync(join(path, "cgroup.events"), "utf8").includes("populated 1")) {
    if (performance.now() > deadline) throw new Error(`Cannot remove ${path}: processes in it survive SIGKILL`);
    await wait(5);
  }
  removeFolders(path);
}

function removeFolders(path: string): void {
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) removeFolders(join(path, entry.name));
  }
  rmdirSync(path);
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/**
 * Starts a command inside the cgroup at `path`: a shell waits on a pipe until it was moved there, then becomes the
 * command, which so never ran outside. The first three of `stdio` are the caller's.
 */
export function inCgroup(path: string, argv: readonly string[], options: SpawnOptions = {}): ChildProcess {
  const { stdio = ["ignore", "pipe", "pipe"], ...rest } = options;
  const three = Array.isArray(stdio) ? stdio.slice(0, 3) : [stdio, stdio, stdio];
  const wrapped = ["-c", 'read -r _ <&3 && exec "$@" 3<&-', "sh", ...argv];
  const child = spawn("sh", wrapped, { ...rest, stdio: [...three, "pipe"] });
  if (child.pid === undefined) return child;
  try {
    writeFileSync(join(path, "cgroup.procs"), String(child.pid));
  } catch (error) {
    child.kill("SIGKILL");
    throw new Error(`Cannot move process ${child.pid} into ${path}`, { cause: error });
  }
  const gate = child.stdio[3] as Writable;
  // A child that was killed at once does not read: that shows in its exit.
  gate.on("error", () => {});
  gate.end("\n");
  return child;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command inside the cgroup to its end. Never rejects for an exit code; SIGKILL after `timeoutMs`. */
export function runInCgroup(
  path: string,
  argv: readonly string[],
  options: { readonly input?: string; readonly env?: NodeJS.ProcessEnv; readonly timeoutMs?: number } = {},
): Promise<Ended> {
  const { input = "", env = process.env, timeoutMs = 30_000 } = options;
  const child = inCgroup(path, argv, {
    env,
    stdio: ["pipe", "pipe", "pipe"],
    timeout: timeoutMs,
    killSignal: "SIGKILL",
  });
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  child.stdin?.on("error", () => {});
  child.stdin?.end(input);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}
