/** The groups of a user by name, as the host's name services know them: id(1) asks those that getgrouplist(3) asks. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Clock } from "../base/clock.ts";
import { GROUPS_KEPT_MAX, GROUPS_KEPT_MS, USER_LOOKUP_WAIT_MS } from "../base/limits.ts";

type AskGroups = (uid: number) => Promise<string>;

/** Never rejects: who is not known has no groups. What was found counts for GROUPS_KEPT_MS. */
export function createGroupsOf(clock: Clock, ask: AskGroups = askHost): (uid: number) => Promise<ReadonlySet<string>> {
  const known = new Map<number, { readonly groups: Promise<ReadonlySet<string>>; readonly atMs: number }>();
  return (uid) => {
    const nowMs = clock.nowMs();
    const found = known.get(uid);
    if (found !== undefined && nowMs - found.atMs < GROUPS_KEPT_MS) return found.groups;
    const groups = ask(uid).then(
      (names) => new Set(names.split("\0").slice(0, -1)), // each ends with a NUL: a rest was cut off
      () => new Set<string>(),
    );
    if (known.size >= GROUPS_KEPT_MAX) known.clear();
    known.set(uid, { groups, atMs: nowMs });
    return groups;
  };
}

/** id(1) fails where one group has no name, and prints its number among the names all the same. One that was stopped says nothing. */
async function askHost(uid: number): Promise<string> {
  const asked = promisify(execFile)("id", ["-G", "-n", "-z", "--", String(uid)], {
    encoding: "utf8",
    timeout: USER_LOOKUP_WAIT_MS,
  });
  const { stdout } = await asked.catch((error: { readonly stdout?: string; readonly code?: unknown }) => {
    return { stdout: error.code === 1 ? (error.stdout ?? "") : "" };
  });
  return stdout;
}
