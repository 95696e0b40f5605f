/** Who may answer a held action: by their own groups, or in the place of somebody who lends theirs. Decides from the rules' demands alone. */
import { UserError } from "../base/errors.ts";
import type { Loan, Standing } from "../model/delegation.ts";
import { type HumansOf, haveCommon, unixAccount } from "../model/human.ts";
import type { HoldRecord } from "./record.ts";

/** Somebody outside of every agent who asks. */
export interface Person {
  /** Of the process that asks; undefined: none of this host's does. */
  readonly uid: number | undefined;
  /** As the host names them, "" for one without a name; a human as their issuer does, with the account: "Ada [corp:ada]". */
  readonly user: string;
  readonly groups: ReadonlySet<string>;
  /** By which they are known: "unix:2001", "corp:ada". One at least. */
  readonly accounts: readonly string[];
  /** Of the session or API token that they show; absent: none. */
  readonly by?: string;
  /** Others' that they act through: the user of the process, and who logged in on the host before sudo. */
  readonly through: readonly string[];
  /** Groups of others', for which they may answer in the others' place. */
  readonly lent: readonly Loan[];
  /** "every": stands for all groups, as root does, and whoever has broken the glass. */
  readonly reach: "own" | "every";
  /** "every": sees also what they may not answer. */
  readonly sees: "own" | "every";
}

/** By what answers are judged: who is the same human, and what delegations lend at this moment. */
export interface Judging {
  readonly humansOf: HumansOf;
  readonly standing: Standing;
}

/** Of the groups that any rule asks for, those of the person by their own right. */
export function groupsThatCount(record: Pick<HoldRecord, "demands">, person: Person): readonly string[] {
  const asked = groupsAsked(record);
  return person.reach === "every" ? asked : asked.filter((group) => person.groups.has(group));
}

/** Of the others, those that the person has been lent by somebody who could answer: one delegation each, the one that lasts longest. */
export function loansThatCount(record: HoldRecord, person: Person, judging: Judging): readonly Loan[] {
  if (person.reach === "every") return [];
  const usable = person.lent
    .flatMap(({ delegation }) => standingFor(record, delegation, judging) ?? [])
    .toSorted((a, b) => b.endsMs - a.endsMs);
  const others = groupsAsked(record).filter((group) => !person.groups.has(group));
  return others.flatMap((group) => usable.find((loan) => loan.group === group) ?? []);
}

/** Whether the person may see it. */
export function maySee(record: HoldRecord, person: Person): boolean {
  if (person.sees === "every" || person.reach === "every") return true;
  return groupsThatCount(record, person).length > 0 || asksForLent(record, person);
}

/** Why the person may not answer; undefined: they may. */
export function bar(record: HoldRecord, person: Person, judging: Judging): string | undefined {
  const { humansOf } = judging;
  const starters = humansOf(record.origin.startedBy);
  const own = humansOf([...person.accounts, ...person.through]);
  if (haveCommon(own, starters)) {
    const sudo = isBySudo(person) ? `, also not by sudo: the kernel keeps who logged in, ${person.user}` : "";
    return `whoever started the agent never answers for it${sudo}`;
  }
  if (humansOf(person.accounts).size > 1) return "several people use this account: sign in (sallyport login)";
  if (person.reach === "every" || groupsThatCount(record, person).length > 0) return undefined;
  if (loansThatCount(record, person, judging).length > 0) return undefined;
  const groups = groupsAsked(record);
  const who = groups.length === 0 ? "only root may" : `only root and members of ${groups.join(", ")} may`;
  if (!asksForLent(record, person)) return who;
  return `${who}, and whoever lent you their place started the agent, or lends it no longer`;
}

/** Root, of whom the kernel knows who logged in before. */
function isBySudo({ uid, by, accounts }: Person): boolean {
  return uid === 0 && by === undefined && !accounts.includes(unixAccount(0));
}

/** Throws APPROVAL_NOT_PERMITTED. */
export function requireEntitled(record: HoldRecord, person: Person, judging: Judging): void {
  const why = bar(record, person, judging);
  if (why === undefined) return;
  const others = "Ask one of those who may: sallyport approvals show names them";
  const alone = "or start agents with no login behind them, as services: docs/approvals.md, A host with one admin";
  const remedy = isBySudo(person) ? `${others}; ${alone}` : others;
  throw new UserError("APPROVAL_NOT_PERMITTED", `Cannot answer ${record.id}: ${why}`, remedy, { exitCode: 4 });
}

/** What it lends of this action: nobody lends what they may not do themselves, answer for an agent that they have started. */
export function standingFor(record: HoldRecord, delegation: string, { humansOf, standing }: Judging): Loan | undefined {
  const loan = standing(delegation);
  if (loan === undefined) return undefined;
  const lender = humansOf([...loan.accounts, ...loan.through]);
  return haveCommon(lender, humansOf(record.origin.startedBy)) ? undefined : loan;
}

function asksForLent(record: HoldRecord, { lent }: Person): boolean {
  return groupsAsked(record).some((asked) => lent.some(({ group }) => group === asked));
}

function groupsAsked({ demands }: Pick<HoldRecord, "demands">): readonly string[] {
  return [...new Set(demands.flatMap(({ approvers }) => approvers))];
}
