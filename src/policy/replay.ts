/**
 * A draft over recorded asks: which of them would be decided otherwise, and how. Limits are not replayed, since what they
 * say depends on all else that ran; neither is what was refused for reasons that recordings do not keep.
 */
import type { Decision } from "../model/decision.ts";
import type { Judge } from "./decide.ts";
import type { Policy } from "./load.ts";
import { isHousekeeping, type RecordedAsk, subjectOfRecorded } from "./recorded.ts";

export interface Change {
  readonly session: string;
  readonly number: number;
  readonly atMs: number;
  readonly agent: string;
  readonly connection: string;
  /** As recorded. */
  readonly text: string;
  readonly was: Judged;
  readonly would: Judged & { readonly message: string };
}

export interface Judged {
  readonly decision: "allow" | "deny" | "hold";
  readonly rules: readonly string[];
}

export interface ReplaySummary {
  /** Asks that were judged again, housekeeping apart. */
  readonly asks: number;
  readonly changes: number;
  /** Asks that cannot be judged again. */
  readonly unknown: number;
}

/** Yields each change as it is found and the summary last. */
export async function* replay(
  draft: Policy,
  asks: AsyncIterable<RecordedAsk>,
): AsyncGenerator<Change | ReplaySummary, void> {
  let [count, changes, unknown] = [0, 0, 0];
  let judge: Judge | undefined;
  let session = "";
  for await (const ask of asks) {
    if (isHousekeeping(ask)) continue;
    if (!isReplayable(ask)) {
      unknown++;
      continue;
    }
    count++;
    // one judge for each session, as the daemon has it; anew where time could matter
    if (judge === undefined || session !== ask.session || draft.readsTime) {
      judge = draft.judge(subjectOfRecorded(ask));
      session = ask.session;
    }
    const would = judge.decide(1, ask.asked, new Uint8Array());
    if (would.kind === ask.decision || isObservedSo(ask, would)) continue;
    changes++;
    yield {
      ...{ session: ask.session, number: ask.number, atMs: ask.atMs },
      ...{ agent: ask.agent.name, connection: ask.connection.name },
      text: ask.asked.map(({ text }) => text).join("\n"),
      was: { decision: ask.decision, rules: ask.rules },
      would: { decision: would.kind, rules: would.rules, message: would.kind === "allow" ? "" : would.message },
    };
  }
  yield { asks: count, changes, unknown };
}

/** A recording says of an observed agent by which rules it would have been refused, not whether these deny or hold. */
function isObservedSo({ wasObserved, rules }: RecordedAsk, would: Decision): boolean {
  const same = rules.length === would.rules.length && rules.every((rule) => would.rules.includes(rule));
  return wasObserved && would.kind === "hold" && same;
}

/** What was refused for reasons of its own that the facts do not tell ("built-in:masked-value") would be so again. */
function isReplayable({ isPartial, rules, asked }: RecordedAsk): boolean {
  const forbidden = asked.flatMap(({ operation }) => operation.forbidden?.rule ?? []);
  return !isPartial && rules.every((rule) => !rule.startsWith("built-in:") || forbidden.some((one) => one === rule));
}
