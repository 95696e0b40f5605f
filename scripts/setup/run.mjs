/**
 * What every step of the set-up shares: one line of progress, child processes, root where it is needed,
 * and errors that name their remedy. Runs on Node 20 without any package. Never decides what to install.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** The checkout. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const BUILD = join(ROOT, "build");

/** Shown as message and remedy; the process then exits 1. */
export class SetupError extends Error {
  constructor(message, remedy) {
    super(message);
    this.remedy = remedy;
  }
}

export function say(line) {
  process.stderr.write(`setup: ${line}\n`);
}

/** Standard output of a command that must not fail, or undefined if it failed or does not exist. */
export function ask(command, args) {
  const { status, stdout } = spawnSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  return status === 0 ? stdout : undefined;
}

/**
 * Runs a long command. Its output goes to build/setup-<name>.log and is shown only when it fails, so that the
 * first run reads as a few lines. Throws SetupError with the last lines and `remedy`.
 */
export function run(name, command, args, { remedy, env = process.env, ...options }) {
  mkdirSync(BUILD, { recursive: true });
  const started = Date.now();
  const result = spawnSync(command, args, {
    cwd: ROOT,
    encoding: "utf8",
    maxBuffer: 256 * 1024 * 1024,
    stdio: ["ignore", "pipe", "pipe"],
    env,
    ...options,
  });
  const output = `${result.stdout ?? ""}${result.stderr ?? ""}`;
  const log = join(BUILD, `setup-${name}.log`);
  writeFileSync(log, output);
  if (result.status === 0) {
    say(`${name}: done in ${((Date.now() - started) / 1000).toFixed(0)} s`);
    return;
  }
  const why = result.error?.message ?? (result.signal ? `ended by ${result.signal}` : `exit code ${result.status}`);
  const tail = output.trimEnd().split("\n").slice(-25).join("\n");
  throw new SetupError(
    `Cannot run "${command} ${args.join(" ")}": ${why}\n${tail}`,
    `${remedy} (all output: ${relative(ROOT, log)})`,
  );
}

/** The command as root runs it: itself when we are root, else through sudo. */
export function asRoot(command, args) {
  if (process.geteuid() === 0) return [command, args];
  if (ask("sudo", ["--version"]) === undefined) {
    throw new SetupError(
      `Cannot run "${command}" as root: this is not root and there is no sudo`,
      "run the same command as root, or install sudo",
    );
  }
  const quiet = process.stdin.isTTY ? [] : ["--non-interactive"];
  return ["sudo", [...quiet, command, ...args]];
}

/**
 * Options that make a child the owner of the checkout when root works in somebody else's, so that no file
 * in it becomes root's. Empty when that is not the case or the owner has no account here.
 */
export function asOwner(env) {
  const { uid, gid } = statSync(ROOT);
  if (process.geteuid() !== 0 || uid === 0) return { env };
  const home = ask("getent", ["passwd", String(uid)])?.split(":")[5];
  return home === undefined || !existsSync(home) ? { env } : { uid, gid, env: { ...env, HOME: home } };
}

/** One hash over the names and contents of files and folders, and over `extra`. */
export function hashOf(paths, extra = "") {
  const hash = createHash("sha256").update(extra);
  for (const file of paths.flatMap(filesUnder).sort()) hash.update(`${file}\0`).update(readFileSync(join(ROOT, file)));
  return hash.digest("hex");
}

/** Whether the last successful run of a step saw the same inputs. */
export function isStamped(name, hash) {
  const file = join(BUILD, "stamps", name);
  return existsSync(file) && readFileSync(file, "utf8") === hash;
}

export function stamp(name, hash) {
  mkdirSync(join(BUILD, "stamps"), { recursive: true });
  writeFileSync(join(BUILD, "stamps", name), hash);
}

const GENERATED = new Set(["node_modules", "build"]);

function filesUnder(path) {
  const full = join(ROOT, path);
  if (!existsSync(full)) return [];
  if (!statSync(full).isDirectory()) return [path];
  return readdirSync(full)
    .filter((name) => !GENERATED.has(name))
    .flatMap((name) => filesUnder(join(path, name)));
}
