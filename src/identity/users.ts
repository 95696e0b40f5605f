/** Numbers of users by name, from passwd(5) and, through getent(1), from the host's other name services. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { USER_LOOKUP_WAIT_MS } from "../base/limits.ts";

/** What was found is kept: a user's number does not change. Who is not found is asked for again. */
export function createUidOf(file = "/etc/passwd"): (name: string) => number | undefined {
  const known = new Map<string, number>();
  return (name) => {
    const uid = known.get(name) ?? uidIn(textOf(file), name) ?? uidIn(asked(name), name);
    if (uid !== undefined) known.set(name, uid);
    return uid;
  };
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
    return execFileSync("getent", ["passwd", "--", name], {
      encoding: "utf8",
      timeout: USER_LOOKUP_WAIT_MS,
      stdio: ["ignore", "pipe", "ignore"],
    });
  } catch {
    return ""; // unknown, or no getent
  }
}
