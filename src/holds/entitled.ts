/** Who may answer a held action, and when enough have. Decides from the rules' demands alone. */
import { UserError } from "../base/errors.ts";
import type { Demand } from "../model/hold.ts";
import type { HoldRecord, Vote } from "./record.ts";

/** Somebody outside of every agent who asks. */
export interface Person {
  readonly uid: number;
  /** As the host names them; "" for one without a name. */
  readonly user: string;
  readonly groups: ReadonlySet<string>;
}

const ROOT = 0;

/** Of the groups that any rule asks for, those of the person. Root stands for all of them. */
export function groupsThatCount({ demands }: Pick<HoldRecord, "demands">, person: Person): readonly string[] {
  const asked = [...new Set(demands.flatMap(({ approvers }) => approvers))];
  return person.uid === ROOT ? asked : asked.filter((group) => person.groups.has(group));
}

/** Whether the person may see it. */
export function maySee(record: HoldRecord, person: Person): boolean {
  return person.uid === ROOT || groupsThatCount(record, person).length > 0;
}

/** Why the person may not answer; undefined: they may. */
export function bar(record: HoldRecord, person: Person): string | undefined {
  if (person.uid === ROOT) return undefined; // outside of every agent, or the API had refused it
  if (record.origin.startedBy.includes(person.uid)) return "the user who started the agent never answers for it";
  if (groupsThatCount(record, person).length > 0) return undefined;
  const groups = [...new Set(record.demands.flatMap(({ approvers }) => approvers))];
  return groups.length === 0 ? "only root may" : `only root and members of ${groups.join(", ")} may`;
}

/** Throws APPROVAL_NOT_PERMITTED. */
export function requireEntitled(record: HoldRecord, person: Person): void {
  const why = bar(record, person);
  if (why === undefined) return;
  const remedy = "Ask one of those who may: sallyport approvals show names them";
  throw new UserError("APPROVAL_NOT_PERMITTED", `Cannot answer ${record.id}: ${why}`, remedy, { exitCode: 4 });
}

/** What is still missing, in words; undefined: every rule has what it asks for. */
export function missing({ demands, votes }: Pick<HoldRecord, "demands" | "votes">): string | undefined {
  const parts = demands.flatMap((demand) => missingOf(demand, votes) ?? []);
  return parts.length === 0 ? undefined : parts.join("; ");
}

function missingOf(demand: Demand, votes: readonly Vote[]): string | undefined {
  const counting = votes.filter((vote) => countsFor(demand, vote));
  const humans = new Set(counting.map(({ uid }) => uid)).size;
  const lacking = demand.each
    ? demand.approvers.filter((group) => !counting.some((vote) => vote.uid === ROOT || vote.groups.includes(group)))
    : [];
  if (humans >= demand.quorum && lacking.length === 0) return undefined;
  const more = Math.max(demand.quorum - humans, lacking.length > 0 ? 1 : 0);
  const from = lacking.length > 0 ? `, among them of ${lacking.join(" and ")}` : ` of ${whoMay(demand)}`;
  return `${more} more${from} (rule ${demand.rule})`;
}

function countsFor({ approvers }: Demand, { uid, groups }: Vote): boolean {
  return uid === ROOT || groups.some((group) => approvers.includes(group));
}

function whoMay({ approvers }: Demand): string {
  return approvers.length === 0 ? "root" : approvers.join(" or ");
}

/** One demand as a reviewer reads it: "2 of sre or dba", "1 of each: sre, dba". */
export function demandWords({ approvers, each, quorum }: Demand): string {
  if (approvers.length === 0) return quorum === 1 ? "root" : `${quorum} humans, though only root may answer`;
  if (!each) return `${quorum} of ${approvers.join(" or ")}`;
  return `${quorum}, at least one of each of ${approvers.join(", ")}`;
}
