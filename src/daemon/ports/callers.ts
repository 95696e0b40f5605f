/** Who a caller is beyond their process: for the trail, for what they start, and for what they may answer. */
import type { Caller } from "../../control/ports.ts";
import type { Person } from "../../holds/entitled.ts";
import { type Humans, humanFields } from "../../identity/humans/humans.ts";
import type { Loan } from "../../model/delegation.ts";
import { type Doer, type EventFields, processFields, userFields } from "../../model/event.ts";
import { type Human, shownAs, unixAccount } from "../../model/human.ts";

export interface CallerParts {
  /** The name of a user, or "". */
  readonly userOf: (uid: number) => string;
  readonly groupsOf: (uid: number) => Promise<ReadonlySet<string>>;
  /** Who logged in on the host before any sudo; undefined: nobody, or it is not known. */
  readonly loginUidOf: (pid: number) => number | undefined;
  /** What others have lent to whoever has these accounts. */
  readonly lentTo: (accounts: readonly string[]) => Promise<readonly Loan[]>;
}

/** A caller with the groups and roles of now; undefined: what they showed has ended. */
export function callerNow(caller: Caller, humans: Pick<Humans, "now">): Caller | undefined {
  if (caller.acting === undefined) return caller;
  const acting = humans.now(caller.acting.by);
  return acting && { ...caller, roles: acting.roles, acting };
}

/** What an event says of whose doing it is. */
export function callerFields(caller: Caller): EventFields {
  return { ...doerOf(caller), ...processFields(caller) };
}

export function doerOf({ uid, acting }: Pick<Caller, "uid" | "acting">): Doer {
  return {
    ...userFields(uid),
    ...(acting === undefined ? {} : { ...humanFields(acting.human), credential: shownAs(acting) }),
  };
}

/** All accounts by which a caller is known or acts, without root: what they start, none of these approves. */
export function accountsOf({ uid, pid, acting }: Caller, loginUidOf: CallerParts["loginUidOf"]): readonly string[] {
  const loginUid = pid === undefined ? undefined : loginUidOf(pid);
  const users = [uid, loginUid].flatMap((one) => (one === undefined || one === 0 ? [] : [unixAccount(one)]));
  return [...new Set([...(acting === undefined ? [] : [acting.human.account]), ...users])];
}

/**
 * A human counts by their own account and groups, whoever's the process is. Root without a session stands for every group,
 * and is whoever logged in before sudo, where the kernel knows.
 */
export async function personOf(caller: Caller, { userOf, groupsOf, loginUidOf, lentTo }: CallerParts): Promise<Person> {
  const { uid, pid, acting } = caller;
  const all = accountsOf(caller, loginUidOf);
  if (acting !== undefined) {
    const { human, roles, by, glassUntilMs } = acting;
    const { account, groups } = human;
    const user = glassUntilMs === undefined ? calledBy(human) : `${calledBy(human)} (broken glass)`;
    return {
      ...{ uid, user, groups: new Set(groups), accounts: [account] },
      by: by.id,
      through: all.filter((one) => one !== account),
      lent: glassUntilMs === undefined ? await lentTo([account]) : [],
      reach: glassUntilMs === undefined ? "own" : "every",
      sees: roles.has("admin") || roles.has("auditor") ? "every" : "own",
    };
  }
  if (uid === undefined || pid === undefined) throw new Error("Cannot tell who asks: neither a process nor a human");
  if (uid !== 0) {
    const own = unixAccount(uid);
    // A name service could call a group "corp:sre", and that one is the login's.
    const groups = new Set([...(await groupsOf(uid))].filter((group) => !group.includes(":")));
    const through = all.filter((one) => one !== own);
    const lent = await lentTo([own]);
    return { uid, user: userOf(uid), groups, accounts: [own], through, lent, reach: "own", sees: "own" };
  }
  const [before] = all;
  const loginUid = loginUidOf(pid) ?? 0;
  const user = before === undefined ? userOf(uid) : `${userOf(uid)} (${userOf(loginUid) || `uid ${loginUid}`})`;
  const accounts = [before ?? unixAccount(uid)];
  return { uid, user, groups: new Set(), accounts, through: [], lent: [], reach: "every", sees: "every" };
}

/** Names are no one's alone: "Ada Lovelace [corp:ada]". What a name has of brackets is left away, so that it names no account. */
export function calledBy({ name, account }: Human): string {
  return `${name.replaceAll(/[[\]]/g, "")} [${account}]`;
}
