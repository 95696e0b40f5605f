/** What the server still has to answer, message by message, and what came of each ask so far. Plain values. */
import { MASKED_COLUMNS_TOLD_MAX } from "../../base/limits.ts";
import type { AnswerEntry, MaskTally } from "../../model/session.ts";
import type { Effects } from "./actions.ts";
import type { Change, Portal, PreparedStatement } from "./prepared.ts";

export type Step =
  | {
      readonly kind: "query";
      readonly answer: Answer | undefined;
      /** Ours, in place of what was refused: its error is swallowed and this one shown. */
      readonly refusal: Buffer | undefined;
      readonly series: number;
      /** With which its statements were followed. */
      readonly catalogVersion: string;
      /** Of each statement in it, in order; none of what was refused. */
      readonly effects: readonly Effects[];
    }
  | {
      readonly kind: "parse";
      readonly answer: Answer | undefined;
      readonly change: Change | undefined;
      /** As of a query. */
      readonly refusal: Buffer | undefined;
    }
  | { readonly kind: "bind"; readonly answer: Answer | undefined; readonly change: Change }
  | { readonly kind: "describeStatement"; readonly answer: Answer | undefined; readonly statement: PreparedStatement }
  | {
      readonly kind: "describePortal";
      readonly answer: Answer | undefined;
      readonly portal: Portal;
      /** `none`: Sallyport asked for itself, the client does not see the answer. */
      readonly shown: "all" | "none";
    }
  | { readonly kind: "execute"; readonly answer: Answer | undefined; readonly portal: Portal }
  | { readonly kind: "close"; readonly answer: Answer | undefined; readonly change: Change | undefined }
  | { readonly kind: "sync"; readonly answer: Answer | undefined; readonly series: number };

/** Of one ask, until its last step is answered. */
export interface Answer {
  askId: number;
  /** Something of it touches labelled columns: errors may quote their values. */
  labelled: boolean;
  /** It counts towards a limit: whoever counts is told while it streams. */
  limited: boolean;
  /** Steps that are not answered yet. */
  open: number;
  rows: number;
  bytes: number;
  masks: { readonly column: string; readonly by: string; count: number }[] | undefined;
  outcome: string;
  error: { readonly code: string; readonly message: string } | undefined;
}

/** Bytes of outcome texts kept of one ask: 1,000 statements have as many. */
const OUTCOME_MAX = 1_024;

export function newAnswer(): Answer {
  const nothing = { masks: undefined, outcome: "", error: undefined };
  return { askId: 0, labelled: false, limited: false, open: 0, rows: 0, bytes: 0, ...nothing };
}

export function addOutcome(answer: Answer, tag: string): void {
  if (answer.outcome === "") answer.outcome = tag;
  else if (answer.outcome.length < OUTCOME_MAX) answer.outcome += `; ${tag}`;
}

/** Instead of the name of a column that is one too many. */
const OTHERS = "(others)";

/** A result masks few columns for few reasons: a list is searched faster than a key is made. */
export function addMask(answer: Answer, column: string, by: string): void {
  answer.masks ??= [];
  for (const tally of answer.masks) {
    if (tally.column !== column || tally.by !== by) continue;
    tally.count++;
    return;
  }
  if (answer.masks.length < MASKED_COLUMNS_TOLD_MAX || column === OTHERS) answer.masks.push({ column, by, count: 1 });
  else addMask(answer, OTHERS, by);
}

const NO_MASKS: readonly MaskTally[] = Object.freeze([]);

export function entryOf(answer: Answer): AnswerEntry {
  const { askId, rows, bytes, outcome } = answer;
  const masks = answer.masks ?? NO_MASKS;
  const entry = { askId, rows, bytes, masks, outcome };
  return answer.error === undefined ? entry : { ...entry, error: answer.error };
}
