/**
 * Approvals that count no more: their giver was revoked, may not answer by now, or turns out to have started the agent, or
 * the delegation under which it was given has ended.
 */
import { haveCommon } from "../model/human.ts";
import type { Judging, Person } from "./entitled.ts";
import { isCounted } from "./quorum.ts";
import type { HoldRecord, Vote } from "./record.ts";
import { delegationsOf } from "./vote.ts";

/** What is left of a vote; undefined: nothing. */
export type Revote = (vote: Vote) => Vote | undefined;

export interface VotesNow extends Judging {
  /** As somebody's vote counts by now, with those of its own groups that they still have; undefined: it does not. */
  readonly voteNow: (vote: Vote) => Promise<Vote | undefined>;
  /** Looks up what the lenders of these delegations have by now. Never rejects. */
  readonly lookAt: (delegations: readonly string[]) => Promise<void>;
}

/** What each vote is worth when it is counted. Those that come meanwhile are of people who were just asked about. */
export async function votesNow(record: HoldRecord, parts: VotesNow): Promise<Revote> {
  const asked = record.votes.map(async (vote) => [vote, await parts.voteNow(vote)] as const);
  const [now] = await Promise.all([
    Promise.all(asked).then((all) => new Map(all)),
    parts.lookAt(record.votes.flatMap(delegationsOf)),
  ]);
  const counted = countedOf(record, parts);
  return (vote) => {
    const left = now.has(vote) ? now.get(vote) : vote;
    return left && counted(left);
  };
}

/** Whatever they were. */
export const none = (): Revote => () => undefined;

/** By what is known already: who started the agent, what delegations lend. */
export function countedOf(record: HoldRecord, judging: Judging): Revote {
  return (vote) => (isCounted(record, vote, judging) ? vote : undefined);
}

/** Of the person's own those that count: whose right has ended may answer anew by another. */
export function ownCounted(record: HoldRecord, { accounts }: Person, judging: Judging): Revote {
  const { humansOf } = judging;
  const own = humansOf(accounts);
  return (vote) => (!haveCommon(humansOf(vote.accounts), own) || isCounted(record, vote, judging) ? vote : undefined);
}

/** With its votes as they are now, and those that are gone. */
export function revoted(
  record: HoldRecord,
  now: Revote,
): { readonly record: HoldRecord; readonly gone: readonly Vote[] } {
  const votes = record.votes.map((before) => ({ before, after: now(before) }));
  const gone = votes.flatMap(({ before, after }) => (after === undefined ? [before] : []));
  return { record: { ...record, votes: votes.flatMap(({ after }) => after ?? []) }, gone };
}
