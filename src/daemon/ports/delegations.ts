/** What the API may ask about delegations of approvals: who may lend what, whom a lender means, who may see and end which. */
import { UserError } from "../../base/errors.ts";
import { API_LIST_MAX } from "../../base/limits.ts";
import type { DelegationListing, DelegationPorts } from "../../control/delegation-ports.ts";
import type { Caller } from "../../control/ports.ts";
import type { Person } from "../../holds/entitled.ts";
import type { Delegation, Lender, ListedDelegation, Party } from "../../identity/humans/delegations.ts";
import { haveCommon, issuedAccount, unixAccount } from "../../model/human.ts";
import { calledBy, callerFields, personOf } from "./callers.ts";
import type { PortParts } from "./parts.ts";

type Parts = Pick<PortParts, "clock" | "humans" | "uidOf" | "userOf" | "groupsOf" | "loginUidOf" | "lentTo">;

export function delegationPorts(parts: Parts): DelegationPorts {
  const { clock, humans } = parts;
  const { delegations } = humans;
  const { humansOf } = humans.people;
  const isOf = ({ from, to }: Delegation, { accounts }: Person) =>
    haveCommon(humansOf([...from.accounts, ...to.accounts]), humansOf(accounts));
  return {
    async list({ all }, caller) {
      const person = await personOf(caller, parts);
      const seesAll = caller.roles.has("admin") || caller.roles.has("auditor");
      const seen = delegations.list().filter(({ delegation }) => seesAll || isOf(delegation, person));
      return seen
        .filter(({ isOver }) => all || !isOver)
        .map(listingOf)
        .slice(0, API_LIST_MAX);
    },
    async make({ group, to, forMs = 0, untilMs = clock.nowMs() + forMs, reason = "" }, caller) {
      const from = await lenderOf(caller, group, parts);
      const asked = { group, from, to: await partyCalled(to, parts), reason, untilMs };
      return listingOf(await delegations.make(asked, callerFields(caller)));
    },
    async end(id, caller) {
      const person = await personOf(caller, parts);
      const found = delegations.list().find(({ delegation }) => delegation.id === id);
      if (found === undefined || !(caller.roles.has("admin") || isOf(found.delegation, person))) return undefined;
      const ended = await delegations.end(id, `${nameOf(person)} ended it`, callerFields(caller));
      return ended && listingOf(ended);
    },
  };
}

/**
 * Somebody who has the group by their own right, or an admin; in person, since a script that lends on would outlive its
 * token. What one has been lent themselves is none of their groups. Throws DELEGATION_NOT_PERMITTED.
 */
async function lenderOf(caller: Caller, group: string, parts: Parts): Promise<Lender> {
  const { acting } = caller;
  const { humans } = parts;
  const no = (why: string, remedy: string) =>
    new UserError("DELEGATION_NOT_PERMITTED", `Cannot lend ${group}: ${why}`, remedy, { exitCode: 4 });
  if (acting?.by.kind === "token") throw no("an API token lends nothing", "Sign in first: sallyport login");
  const person = await personOf(caller, parts);
  if (humans.people.humansOf(person.accounts).size > 1) {
    throw no("several people use this account", "Sign in first: sallyport login");
  }
  const isAdmin = acting === undefined ? person.reach === "every" : humans.isAdmin(acting.human);
  const as = person.groups.has(group) ? "member" : isAdmin ? "admin" : undefined;
  if (as === undefined) throw no("you are no member of it yourself", "Ask a member of it, or an admin");
  const [account = ""] = person.accounts;
  const accounts = acting === undefined ? [account] : [issuedAccount(acting.human.issuer, acting.human.sub)];
  const name = acting === undefined ? nameOf(person) : calledBy(acting.human); // without what broken glass adds to it
  return { name, account, accounts, through: person.through, as };
}

/**
 * A name of the settings, an account that has signed in, a user of the host; never a name that people give themselves at
 * their issuer. Throws DELEGATION_WHO, also where that could be several.
 */
async function partyCalled(who: string, { humans, uidOf, userOf }: Parts): Promise<Party> {
  const { people } = humans;
  const found: Party[] = [];
  const mapped = people.mappedAs(who);
  if (mapped !== undefined) found.push({ name: who, account: who, accounts: mapped.accounts });
  const human = people.find(who);
  if (human !== undefined) {
    const { account, issuer, sub } = human;
    found.push({ name: calledBy(human), account, accounts: [issuedAccount(issuer, sub)] });
  }
  const [, user = who] = /^unix:(.+)$/s.exec(who) ?? [];
  const isNumber = /^[0-9]{1,10}$/.test(user);
  const uid = isNumber ? Number(user) : await uidOf(user);
  const name = isNumber ? userOf(Number(user)) : user;
  if (uid !== undefined && name !== "") found.push({ name, account: unixAccount(uid), accounts: [unixAccount(uid)] });
  const [party] = found;
  if (party === undefined || uid === 0) {
    const remedy =
      "Name an account that has signed in (LOGIN:SUBJECT), a user of this host who is not root, or a name of humans in the settings";
    throw new UserError(
      "DELEGATION_WHO",
      `Cannot lend anything to ${who}: that is nobody who could answer here`,
      remedy,
    );
  }
  if (people.humansOf(found.flatMap(({ accounts }) => accounts)).size === 1) return party;
  const remedy = "Name one of their accounts: LOGIN:SUBJECT, or unix:NAME of one whom nobody else uses";
  throw new UserError("DELEGATION_WHO", `Cannot lend anything to ${who}: that could be several people`, remedy);
}

function listingOf({ delegation, isOver, why }: ListedDelegation): DelegationListing {
  const { id, group, from, to, sinceMs, untilMs, reason } = delegation;
  return {
    ...{ id, group, from: from.name, fromAccount: from.account, as: from.as, to: to.name, toAccount: to.account },
    ...{ sinceMs, untilMs, reason, state: isOver ? "over" : why === undefined ? "in force" : "suspended" },
    ...(why === undefined ? {} : { why }),
  };
}

function nameOf({ user, uid }: Person): string {
  return user === "" ? `uid ${uid}` : user;
}
