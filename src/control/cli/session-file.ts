/**
 * Where the command line keeps the secret of a human's session: one file for each daemon, of nobody else's. Or the API
 * token that a script names. Neither is in any error.
 */
import { createHash, randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { codeOf, UserError } from "../../base/errors.ts";
import { readToken } from "./bounded-file.ts";
import type { World } from "./world.ts";

type Environment = World["env"];

/** `where`: the daemon's run folder, or its origin. Source: XDG Base Directory Specification, $XDG_STATE_HOME. */
export function sessionFile(env: Environment, where: string): string {
  const named = env["XDG_STATE_HOME"] ?? "";
  const home = env["HOME"] ?? "";
  const state = isAbsolute(named) ? named : join(home === "" ? homedir() : home, ".local", "state");
  const daemon = createHash("sha256")
    .update(where.startsWith("https://") ? where : resolve(where))
    .digest("hex")
    .slice(0, 16);
  return join(state, "sallyport", `session-${daemon}`);
}

/** What is shown to the daemon; undefined: nothing, and the user of the process counts. Throws SESSION_FILE, FILE_…. */
export function bearerOf(env: Environment, where: string): string | undefined {
  const tokenFile = env["SALLYPORT_TOKEN_FILE"] ?? "";
  return tokenFile === "" ? readSession(sessionFile(env, where)) : readToken(tokenFile);
}

/** Throws SESSION_FILE. */
export function keepSession(file: string, secret: string): void {
  const fresh = `${file}.${randomBytes(6).toString("hex")}`;
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(fresh, `${secret}\n`, { mode: 0o600, flag: "wx" });
    renameSync(fresh, file);
  } catch (cause) {
    rmSync(fresh, { force: true });
    throw unusable(file, codeOf(cause), "Make its folder writable, or name another with XDG_STATE_HOME");
  }
}

export function forgetSession(file: string): void {
  rmSync(file, { force: true });
}

function readSession(file: string): string | undefined {
  let fd: number;
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (cause) {
    const code = codeOf(cause);
    if (["ENOENT", "ENOTDIR", "EACCES"].includes(code)) return undefined; // in a home of somebody else's there is none of ours
    throw unusable(file, code, "Remove it, and sign in again: sallyport login");
  }
  try {
    const { uid, mode } = fstatSync(fd);
    if (uid !== process.geteuid?.()) throw unusable(file, "it is another user's", "Set HOME to your own (sudo -H)");
    if ((mode & 0o077) !== 0) {
      throw unusable(file, "others may read it", "Take it for stolen: sallyport humans revoke YOU; then remove it");
    }
    return readFileSync(fd, "utf8").trim();
  } finally {
    closeSync(fd);
  }
}

function unusable(file: string, why: string, remedy: string): UserError {
  return new UserError("SESSION_FILE", `Cannot use ${file}: ${why}`, remedy);
}
