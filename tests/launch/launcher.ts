/** The launcher itself, told what a daemon would have it told; and the same program without it, for the control runs. */
import { type SpawnOptions, spawn } from "node:child_process";
import { chmodSync, copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { Duplex } from "node:stream";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { BUILT_LAUNCHER, launcherArguments, wordOf } from "../../src/control/cli/launcher.ts";
import type { RunBounds } from "../../src/control/runs.ts";

/** Copies, since a plain user may not enter the checkout. */
const REACHABLE = mkdtempSync(join(tmpdir(), "sallyport-launch-"));
chmodSync(REACHABLE, 0o755);
process.once("exit", () => rmSync(REACHABLE, { recursive: true, force: true }));
export const LAUNCH = reachable(BUILT_LAUNCHER, 0o755);
const PROBE = reachable(fileURLToPath(new URL("probe.py", import.meta.url)), 0o644);
/** Debian's own, which every user may start. */
const PYTHON = "/usr/bin/python3";
/** A user who is nobody else's. */
export const STRANGER = 65_534;

export interface Said {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface Launch {
  readonly bounds?: Partial<RunBounds>;
  readonly uid?: number;
  readonly user?: string;
  readonly newPrivileges?: "allowed" | "forbidden";
  readonly files?: string;
  readonly ignored?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Another copy of it, or a word of another shape. */
  readonly launcher?: string;
  readonly word?: Buffer;
}

/** Runs `words` behind the launcher, to their end. */
export function launch(words: readonly string[], how: Launch = {}): Promise<Said> {
  const { user, newPrivileges = "allowed", files, ignored } = how;
  const bounds = { unixSockets: "judged", hidden: [], fixed: [], ...how.bounds } as const;
  const PATH = process.env["PATH"] ?? "";
  const word = how.word ?? wordOf(bounds, how.environment ?? { PATH });
  const named = {
    ...(user === undefined ? {} : { user }),
    ...(files === undefined ? {} : { files }),
    ...(ignored === undefined ? {} : { ignored }),
  };
  const args = launcherArguments({ words, newPrivileges, json: false, ...named });
  return run(how.launcher ?? LAUNCH, args, how, word);
}

/** The control: the same without the launcher. */
export function plain(words: readonly string[], how: Pick<Launch, "uid" | "cwd"> = {}): Promise<Said> {
  const [file = "", ...args] = words;
  return run(file, args, how);
}

function run(file: string, args: readonly string[], { uid, cwd }: Launch, word?: Buffer): Promise<Said> {
  return new Promise((resolve, reject) => {
    const options: SpawnOptions = {
      stdio: ["pipe", "pipe", "pipe", word === undefined ? "ignore" : "pipe"],
      timeout: 30_000,
      killSignal: "SIGKILL",
      ...(word === undefined ? {} : { env: {} }),
      ...(uid === undefined ? {} : { uid, gid: uid }),
      ...(cwd === undefined ? {} : { cwd }),
    };
    const child = spawn(file, args, options);
    let [out, err] = ["", ""];
    child.stdout?.on("data", (chunk) => (out += String(chunk)));
    child.stderr?.on("data", (chunk) => (err += String(chunk)));
    child.stdin?.on("error", () => {}).end();
    const pipe = child.stdio[3] as Duplex | null;
    pipe?.on("error", () => {}).resume();
    pipe?.end(word);
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, out: out.trim(), err: err.trim() }));
  });
}

export const probe = (...words: readonly string[]): string[] => [PYTHON, "-B", PROBE, ...words];

/** A copy that lasts as long as this process. */
export function reachable(file: string, mode: number): string {
  const copy = join(REACHABLE, basename(file));
  copyFileSync(file, copy);
  chmodSync(copy, mode);
  return copy;
}

/** A folder that every user may enter; gone after the test. */
export function openFolder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "sallyport-launch-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  chmodSync(path, 0o755);
  return path;
}

export function copyOf(t: TestContext, file: string, mode: number): string {
  const copy = join(openFolder(t), "copy");
  copyFileSync(file, copy);
  chmodSync(copy, mode);
  return copy;
}

/** A process outside, of that user, for others to reach into. */
export function outsider(t: TestContext, uid = 0): string {
  const child = spawn("sleep", ["120"], { stdio: "ignore", uid, gid: uid });
  t.after(() => child.kill("SIGKILL"));
  return String(child.pid);
}
