/** Approvals that count no more: their giver was revoked, may not answer by now, or turns out to have started the agent. */
import { type HumansOf, haveCommon } from "../model/human.ts";
import type { HoldRecord, Vote } from "./record.ts";

export interface VotesNow {
  /** As somebody's vote counts by now, with those of its groups that they still have; undefined: it does not. */
  readonly voteNow: (vote: Vote) => Promise<Vote | undefined>;
  readonly humansOf: HumansOf;
}

/** What each vote is worth when it is counted. Those that come meanwhile are of people who were just asked about. */
export async function votesNow(
  { votes, origin }: HoldRecord,
  { voteNow, humansOf }: VotesNow,
): Promise<(vote: Vote) => Vote | undefined> {
  const asked = votes.map(async (vote) => [vote, await voteNow(vote)] as const);
  const now = new Map(await Promise.all(asked));
  const starters = humansOf(origin.startedBy);
  return (vote) => {
    if (haveCommon(humansOf(vote.accounts), starters)) return undefined; // it has become known since
    return now.has(vote) ? now.get(vote) : vote;
  };
}

/** With its votes as they are now, and those that are gone. */
export function revoted(
  record: HoldRecord,
  now: (vote: Vote) => Vote | undefined,
): { readonly record: HoldRecord; readonly gone: readonly Vote[] } {
  const votes = record.votes.map((before) => ({ before, after: now(before) }));
  const gone = votes.flatMap(({ before, after }) => (after === undefined ? [before] : []));
  return { record: { ...record, votes: votes.flatMap(({ after }) => after ?? []) }, gone };
}
