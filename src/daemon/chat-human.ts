/**
 * Who a human of the settings is where an account of a chat or webhook speaks for them: all of their accounts, so that
 * they neither answer for what they started nor twice, and the groups that are theirs beyond doubt. Nobody signs in here:
 * groups are those of the settings, of the host's user, and of a login that has seen them within a month.
 */
import { UserError } from "../base/errors.ts";
import { ANSWERERS } from "../control/api/callers.ts";
import type { Person } from "../holds/entitled.ts";
import type { Humans } from "../identity/humans/humans.ts";
import type { Loan } from "../model/delegation.ts";
import { type HumansOf, type Person as Named, unixAccount } from "../model/human.ts";

export interface ChatHumanParts {
  readonly people: readonly Named[];
  readonly humans: Pick<Humans, "known">;
  readonly humansOf: HumansOf;
  readonly uidOf: (user: string) => Promise<number | undefined>;
  readonly groupsOf: (uid: number) => Promise<ReadonlySet<string>>;
  /** What others have lent to whoever has these accounts. */
  readonly lentTo: (accounts: readonly string[]) => Promise<readonly Loan[]>;
}

/** Undefined: the settings name nobody by that account. Throws NOTIFY_GROUPS where no group of theirs is known. */
export async function chatHuman(account: string, parts: ChatHumanParts): Promise<Person | undefined> {
  const named = parts.people.find(({ accounts }) => accounts.includes(account));
  if (named === undefined) return undefined;
  const accounts = new Set([account]);
  const through = new Set<string>();
  const groups = new Set(named.groups);
  for (const one of named.accounts) {
    const found = await lookUp(one, parts);
    if (found === undefined) continue;
    // A user whom several share says nothing of one of them, and gives nobody its groups.
    const whose = parts.humansOf([found.account]);
    const isTheirs = whose.size === 1 && whose.has(named.name);
    (isTheirs ? accounts : through).add(found.account);
    if (isTheirs) for (const group of found.groups) groups.add(group);
  }
  const lent = await parts.lentTo([...accounts]);
  if (groups.size === 0 && lent.length === 0) throw noGroups(named.name);
  return {
    ...{ uid: undefined, user: named.name, groups, accounts: [...accounts], through: [...through], lent },
    ...{ reach: "own", sees: "own" },
  };
}

/** An account as it is known now, with what it gives. Undefined: the host knows no such user. */
async function lookUp(account: string, { humans, uidOf, groupsOf }: ChatHumanParts) {
  const [, user] = /^unix:(.+)$/s.exec(account) ?? [];
  if (user === undefined) {
    const known = humans.known(account);
    const mayAnswer = known !== undefined && ANSWERERS.some((role) => known.roles.has(role));
    return { account, groups: mayAnswer ? known.human.groups : [] };
  }
  const uid = /^[0-9]+$/.test(user) ? Number(user) : await uidOf(user);
  if (uid === undefined || uid === 0) return undefined;
  // A name service could call a group "corp:sre", and that one is the login's.
  return { account: unixAccount(uid), groups: [...(await groupsOf(uid))].filter((group) => !group.includes(":")) };
}

function noGroups(name: string): UserError {
  const message = `Cannot take the answer: no group of ${name} is known`;
  const remedy = "Sign in (sallyport login), which counts for a month; or let an administrator give groups in humans";
  return new UserError("NOTIFY_GROUPS", message, remedy, { exitCode: 4 });
}
