/**
 * How the native launcher is told what to do: its options, and the word that lets the command go. It does the rest:
 * native/launch/launch.c. Nothing here starts or stops anything.
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { RunBounds } from "../runs.ts";

/** Beside the addon. */
export const BUILT_LAUNCHER = fileURLToPath(new URL("../../../native/build/sallyport-launch", import.meta.url));
/** With file capabilities: commands of plain users are bounded as root's are, and may use sudo. */
export const INSTALLED_LAUNCHER = "/usr/libexec/sallyport/sallyport-launch";

/** Root has what it takes, so it takes the one that was built with this code. */
export function launcherFor(uid: number): string {
  return uid !== 0 && existsSync(INSTALLED_LAUNCHER) ? INSTALLED_LAUNCHER : BUILT_LAUNCHER;
}

/** The pipe on which it waits for its word. */
export const WORD_FD = 3;

export interface LaunchOptions {
  readonly words: readonly string[];
  /** Who the command is to be; absent: who calls. */
  readonly user?: string;
  /** "forbidden": nothing inside gains by setuid, setgid or file capabilities. */
  readonly newPrivileges: "allowed" | "forbidden";
  /** The caller's soft limit of open files: Node has raised its own. */
  readonly files?: string;
  /** Signals that the caller ignores, as proc(5) writes SigIgn: Node has forgotten them. */
  readonly ignored?: string;
  readonly json: boolean;
}

export function launcherArguments({ words, user, newPrivileges, files, ignored, json }: LaunchOptions): string[] {
  return [
    ...(json ? ["--json"] : []),
    ...(newPrivileges === "forbidden" ? ["--no-new-privs"] : []),
    ...(user === undefined ? [] : ["--user", user]),
    ...(files === undefined ? [] : ["--files", files]),
    ...(ignored === undefined ? [] : ["--ignore", ignored]),
    "--",
    ...words,
  ];
}

/**
 * Shape: records, each ended by NUL: orders, an empty one, the command's environment, an empty one. The environment goes
 * this way because a program with file capabilities is started without the loader's variables and with none that we give.
 */
export function wordOf(bounds: RunBounds, environment: Readonly<Record<string, string | undefined>>): Buffer {
  const variables = Object.entries(environment).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${value}`],
  );
  const orders = [
    `unix=${bounds.unixSockets === "judged" ? "allow" : "deny"}`,
    ...bounds.hidden.map((path) => `hide=${path}`),
    ...bounds.fixed.map((path) => `fix=${path}`),
  ];
  return Buffer.from([...orders, "", ...variables, "", ""].join("\0"));
}
