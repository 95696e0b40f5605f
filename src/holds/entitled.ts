/** Who may answer a held action, and when enough have. Decides from the rules' demands alone. */
import { UserError } from "../base/errors.ts";
import type { Demand } from "../model/hold.ts";
import { type HumansOf, haveCommon, unixAccount } from "../model/human.ts";
import type { HoldRecord, Vote } from "./record.ts";
import { inWords } from "./words.ts";

/** Somebody outside of every agent who asks. */
export interface Person {
  /** Of the process that asks. */
  readonly uid: number;
  /** As the host names them, "" for one without a name; a human as their issuer does, with the account: "Ada [corp:ada]". */
  readonly user: string;
  readonly groups: ReadonlySet<string>;
  /** By which they are known: "unix:2001", "corp:ada". One at least. */
  readonly accounts: readonly string[];
  /** Of the session or API token that they show; absent: none. */
  readonly by?: string;
  /** Others' that they act through: the user of the process, and who logged in on the host before sudo. */
  readonly through: readonly string[];
  /** "every": stands for all groups, as root does, and whoever has broken the glass. */
  readonly reach: "own" | "every";
  /** "every": sees also what they may not answer. */
  readonly sees: "own" | "every";
}

/** Of the groups that any rule asks for, those of the person. */
export function groupsThatCount({ demands }: Pick<HoldRecord, "demands">, person: Person): readonly string[] {
  const asked = [...new Set(demands.flatMap(({ approvers }) => approvers))];
  return person.reach === "every" ? asked : asked.filter((group) => person.groups.has(group));
}

/** Whether the person may see it. */
export function maySee(record: HoldRecord, person: Person): boolean {
  return person.sees === "every" || person.reach === "every" || groupsThatCount(record, person).length > 0;
}

/** Why the person may not answer; undefined: they may. */
export function bar(record: HoldRecord, person: Person, humansOf: HumansOf): string | undefined {
  const starters = humansOf(record.origin.startedBy);
  const own = humansOf([...person.accounts, ...person.through]);
  if (haveCommon(own, starters)) {
    const sudo = isBySudo(person) ? `, also not by sudo: the kernel keeps who logged in, ${person.user}` : "";
    return `whoever started the agent never answers for it${sudo}`;
  }
  if (humansOf(person.accounts).size > 1) return "several people use this account: sign in (sallyport login)";
  if (person.reach === "every" || groupsThatCount(record, person).length > 0) return undefined;
  const groups = [...new Set(record.demands.flatMap(({ approvers }) => approvers))];
  return groups.length === 0 ? "only root may" : `only root and members of ${groups.join(", ")} may`;
}

/** Root, of whom the kernel knows who logged in before. */
function isBySudo({ uid, by, accounts }: Person): boolean {
  return uid === 0 && by === undefined && !accounts.includes(unixAccount(0));
}

/** Throws APPROVAL_NOT_PERMITTED. */
export function requireEntitled(record: HoldRecord, person: Person, humansOf: HumansOf): void {
  const why = bar(record, person, humansOf);
  if (why === undefined) return;
  const others = "Ask one of those who may: sallyport approvals show names them";
  const alone = "or start agents with no login behind them, as services: docs/approvals.md, A host with one admin";
  const remedy = isBySudo(person) ? `${others}; ${alone}` : others;
  throw new UserError("APPROVAL_NOT_PERMITTED", `Cannot answer ${record.id}: ${why}`, remedy, { exitCode: 4 });
}

/** Throws APPROVAL_TWICE: one of those who approved may be the person, under whatever account. */
export function requireFirstVote({ id, votes }: HoldRecord, { accounts }: Person, humansOf: HumansOf): void {
  const own = humansOf(accounts);
  if (!votes.some((vote) => haveCommon(humansOf(vote.accounts), own))) return;
  throw new UserError("APPROVAL_TWICE", `Cannot approve ${id} again: one person counts once`, "Ask somebody else");
}

/** What is still missing, in words; undefined: every rule has what it asks for. */
export function missing(
  { demands, votes }: Pick<HoldRecord, "demands" | "votes">,
  humansOf: HumansOf,
): string | undefined {
  const parts = demands.flatMap((demand) => missingOf(demand, votes, humansOf) ?? []);
  return parts.length === 0 ? undefined : parts.join("; ");
}

function missingOf(demand: Demand, votes: readonly Vote[], humansOf: HumansOf): string | undefined {
  const counting = votes.filter((vote) => countsFor(demand, vote));
  const humans = distinct(counting, humansOf);
  const lacking = demand.each
    ? demand.approvers.filter(
        (group) => !counting.some((vote) => vote.reach === "every" || vote.groups.includes(group)),
      )
    : [];
  if (humans >= demand.quorum && lacking.length === 0) return undefined;
  const more = Math.max(demand.quorum - humans, lacking.length > 0 ? 1 : 0);
  const from = lacking.length > 0 ? `, among them of ${lacking.join(" and ")}` : ` of ${whoMay(demand)}`;
  return `${more} more${from} (rule ${demand.rule})`;
}

/** How many humans these are at least. What the accounts of one are may have become known since they voted. */
function distinct(votes: readonly Vote[], humansOf: HumansOf): number {
  const counted = new Set<string>();
  return votes.filter(({ accounts }) => {
    const humans = humansOf(accounts);
    const isAnother = !haveCommon(humans, counted);
    for (const human of humans) counted.add(human);
    return isAnother;
  }).length;
}

function countsFor({ approvers }: Demand, { reach, groups }: Vote): boolean {
  return reach === "every" || groups.some((group) => approvers.includes(group));
}

function whoMay({ approvers }: Demand): string {
  return approvers.length === 0 ? "root" : approvers.join(" or ");
}

/** One demand as a reviewer reads it: "2 of sre or dba", "1 of each: sre, dba", "1 of sre; after 5 min also of leads". */
export function demandWords({ approvers, each, quorum, escalate }: Demand): string {
  const later =
    escalate === undefined ? "" : `; after ${inWords(escalate.afterMs)} also of ${escalate.to.join(" or ")}`;
  if (approvers.length === 0) return (quorum === 1 ? "root" : `${quorum} humans, though only root may answer`) + later;
  if (!each) return `${quorum} of ${approvers.join(" or ")}${later}`;
  return `${quorum}, at least one of each of ${approvers.join(", ")}`;
}
