/** Who a caller is beyond their process: for the trail, for what they start, and for what they may answer. */
import type { Caller } from "../../control/ports.ts";
import type { Person } from "../../holds/entitled.ts";
import type { Vote } from "../../holds/record.ts";
import { type Humans, humanFields } from "../../identity/humans/humans.ts";
import type { Doer, EventFields } from "../../model/event.ts";
import { type Human, NO_UID, unixAccount } from "../../model/human.ts";

export interface CallerParts {
  /** The name of a user, or "". */
  readonly userOf: (uid: number) => string;
  readonly groupsOf: (uid: number) => Promise<ReadonlySet<string>>;
  /** Who logged in on the host before any sudo; undefined: nobody, or it is not known. */
  readonly loginUidOf: (pid: number) => number | undefined;
}

/**
 * Somebody's vote by now: the human of an account is still known, and in those groups. Root's stands, and so does one by
 * broken glass while its human is known. Undefined: it counts for nothing.
 */
export async function voteNow(
  vote: Vote,
  { humans, groupsOf }: Pick<CallerParts, "groupsOf"> & { readonly humans: Pick<Humans, "people"> },
): Promise<Vote | undefined> {
  const [account = ""] = vote.accounts;
  const isUser = account.startsWith("unix:");
  const human = isUser ? undefined : humans.people.find(account);
  if (!isUser && human === undefined) return undefined;
  if (vote.reach === "every") return vote;
  const own = human === undefined ? await groupsOf(vote.uid) : new Set(human.groups);
  const groups = vote.groups.filter((group) => own.has(group));
  return groups.length === 0 ? undefined : { ...vote, groups };
}

/** A caller with the groups and roles of now; undefined: what they showed has ended. */
export function callerNow(caller: Caller, humans: Pick<Humans, "now">): Caller | undefined {
  if (caller.acting === undefined) return caller;
  const acting = humans.now(caller.acting.by);
  return acting && { ...caller, roles: acting.roles, acting };
}

/** What an event says of whose doing it is. */
export function callerFields(caller: Caller): EventFields {
  return { ...doerOf(caller), pid: caller.pid };
}

export function doerOf({ uid, acting }: Pick<Caller, "uid" | "acting">): Doer {
  return { uid, ...(acting === undefined ? {} : humanFields(acting.human)) };
}

/** All accounts by which a caller is known or acts, without root: what they start, none of these approves. */
export function accountsOf({ uid, pid, acting }: Caller, loginUidOf: CallerParts["loginUidOf"]): readonly string[] {
  const users = [uid, loginUidOf(pid) ?? 0].filter((one) => one !== 0 && one !== NO_UID).map(unixAccount);
  return [...new Set([...(acting === undefined ? [] : [acting.human.account]), ...users])];
}

/**
 * A human counts by their own account and groups, whoever's the process is. Root without a session stands for every group,
 * and is whoever logged in before sudo, where the kernel knows.
 */
export async function personOf(caller: Caller, { userOf, groupsOf, loginUidOf }: CallerParts): Promise<Person> {
  const { uid, acting } = caller;
  const all = accountsOf(caller, loginUidOf);
  if (acting !== undefined) {
    const { human, roles, by, glassUntilMs } = acting;
    const { account, groups } = human;
    const user = glassUntilMs === undefined ? calledBy(human) : `${calledBy(human)} (broken glass)`;
    return {
      ...{ uid, user, groups: new Set(groups), accounts: [account] },
      by: by.id,
      through: all.filter((one) => one !== account),
      reach: glassUntilMs === undefined ? "own" : "every",
      sees: roles.has("admin") || roles.has("auditor") ? "every" : "own",
    };
  }
  if (uid !== 0) {
    const own = unixAccount(uid);
    // A name service could call a group "corp:sre", and that one is the login's.
    const groups = new Set([...(await groupsOf(uid))].filter((group) => !group.includes(":")));
    const through = all.filter((one) => one !== own);
    return { uid, user: userOf(uid), groups, accounts: [own], through, reach: "own", sees: "own" };
  }
  const [before] = all;
  const loginUid = loginUidOf(caller.pid) ?? 0;
  const user = before === undefined ? userOf(uid) : `${userOf(uid)} (${userOf(loginUid) || `uid ${loginUid}`})`;
  const accounts = [before ?? unixAccount(uid)];
  return { uid, user, groups: new Set(), accounts, through: [], reach: "every", sees: "every" };
}

/** Names are no one's alone: "Ada Lovelace [corp:ada]". What a name has of brackets is left away, so that it names no account. */
function calledBy({ name, account }: Human): string {
  return `${name.replaceAll(/[[\]]/g, "")} [${account}]`;
}
