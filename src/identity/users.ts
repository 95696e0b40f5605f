/** Numbers of users by name, from passwd(5) and, through getent(1), from the host's other name services. */
import { execFile, execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { USER_LOOKUP_WAIT_MS } from "../base/limits.ts";

const LIMITS = { encoding: "utf8", timeout: USER_LOOKUP_WAIT_MS } as const;

/** What was found is kept: a user's number does not change. Who is not found is asked for again. */
export function createUidOf(file = "/etc/passwd"): (name: string) => number | undefined {
  const known = new Map<string, number>();
  return (name) => {
    const uid = known.get(name) ?? uidIn(textOf(file), name) ?? uidIn(asked(name), name);
    if (uid !== undefined) known.set(name, uid);
    return uid;
  };
}

/** At this moment: who has left may not go on as whoever was given their number since. Holds no thread. */
export async function uidNow(name: string, file = "/etc/passwd"): Promise<number | undefined> {
  return uidIn(textOf(file), name) ?? uidIn(await askedAside(name), name);
}

function uidIn(text: string, name: string): number | undefined {
  const row = text.split("\n").map((line) => line.split(":"));
  const uid = row.find(([first]) => first === name)?.[2] ?? "";
  return /^[0-9]{1,10}$/.test(uid) ? Number(uid) : undefined;
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

function asked(name: string): string {
  try {
    return execFileSync("getent", question(name), { ...LIMITS, stdio: ["ignore", "pipe", "ignore"] });
  } catch {
    return ""; // unknown, or no getent
  }
}

async function askedAside(name: string): Promise<string> {
  try {
    return (await promisify(execFile)("getent", question(name), LIMITS)).stdout;
  } catch {
    return "";
  }
}

function question(name: string): string[] {
  return ["passwd", "--", name];
}
