/** When enough have answered a held action: distinct humans, each by a right of their own or by one that is lent once. */
import { UserError } from "../base/errors.ts";
import type { Loan } from "../model/delegation.ts";
import type { Demand } from "../model/hold.ts";
import { type HumansOf, haveCommon } from "../model/human.ts";
import { type Judging, type Person, standingFor } from "./entitled.ts";
import type { HoldRecord, Vote } from "./record.ts";
import { inWords } from "./words.ts";

/** Throws APPROVAL_TWICE: one of those who approved may be the person, under whatever account. */
export function requireFirstVote({ id, votes }: HoldRecord, { accounts }: Person, humansOf: HumansOf): void {
  const own = humansOf(accounts);
  if (!votes.some((vote) => haveCommon(humansOf(vote.accounts), own))) return;
  throw new UserError("APPROVAL_TWICE", `Cannot approve ${id} again: one person counts once`, "Ask somebody else");
}

/**
 * Whether an answer is worth anything by now: by the person's own right, or by a delegation that stands. Who was found to
 * have started the agent since, by another account of theirs, has none.
 */
export function isCounted(record: HoldRecord, vote: Vote, judging: Judging): boolean {
  const { humansOf } = judging;
  if (haveCommon(humansOf(vote.accounts), humansOf(record.origin.startedBy))) return false;
  return vote.reach === "every" || vote.groups.length > 0 || loansOf(record, vote, judging).length > 0;
}

/** What is still missing, in words; undefined: every rule has what it asks for. */
export function missing(record: HoldRecord, judging: Judging): string | undefined {
  const claims = record.votes.flatMap((vote) =>
    isCounted(record, vote, judging) ? [{ vote, loans: loansOf(record, vote, judging) }] : [],
  );
  const parts = record.demands.flatMap((demand) => missingOf(demand, claims, judging.humansOf) ?? []);
  return parts.length === 0 ? undefined : parts.join("; ");
}

/** An answer that counts, with what delegations lend to it. */
interface Claim {
  readonly vote: Vote;
  readonly loans: readonly Loan[];
}

function missingOf(demand: Demand, claims: readonly Claim[], humansOf: HumansOf): string | undefined {
  const counting = claims.flatMap((claim) => rightsFor(demand, claim));
  const humans = distinct(counting, humansOf);
  const lacking = demand.each
    ? demand.approvers.filter(
        (group) =>
          !claims.some(
            ({ vote, loans }) =>
              vote.reach === "every" || vote.groups.includes(group) || loans.some((loan) => loan.group === group),
          ),
      )
    : [];
  if (humans >= demand.quorum && lacking.length === 0) return undefined;
  const more = Math.max(demand.quorum - humans, lacking.length > 0 ? 1 : 0);
  const from = lacking.length > 0 ? `, among them of ${lacking.join(" and ")}` : ` of ${whoMay(demand)}`;
  return `${more} more${from} (rule ${demand.rule})`;
}

/**
 * How many humans these are at least, by the accounts of each. What the accounts of one are may have become known since
 * they voted.
 */
function distinct(votes: readonly (readonly string[])[], humansOf: HumansOf): number {
  const counted = new Set<string>();
  return votes.filter((accounts) => {
    const humans = humansOf(accounts);
    const isAnother = !haveCommon(humans, counted);
    for (const human of humans) counted.add(human);
    return isAnother;
  }).length;
}

/**
 * The accounts that one answer takes up of a demand's quorum; none where it is not one that it asks for. In another's place
 * also the lender's: they and all to whom they lend make one between them.
 */
function rightsFor({ approvers }: Demand, { vote, loans }: Claim): readonly (readonly string[])[] {
  const { reach, groups, accounts } = vote;
  if (reach === "every" || groups.some((group) => approvers.includes(group))) return [accounts];
  const loan = loans.find(({ group }) => approvers.includes(group));
  return loan === undefined ? [] : [[...accounts, ...loan.accounts]];
}

function loansOf(record: HoldRecord, { lent = [] }: Vote, judging: Judging): readonly Loan[] {
  return lent.flatMap(({ delegation }) => standingFor(record, delegation, judging) ?? []);
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
