/** What the server still has to answer, message by message, and what came of each ask so far. Plain values. */
import { MASKED_COLUMNS_TOLD_MAX } from "../../base/limits.ts";
import type { AnswerEntry, MaskTally } from "../../model/session.ts";
import type { Statement } from "./actions.ts";
import type { Trace } from "./forms.ts";
import type { OutputCapture } from "./output.ts";
import type { Change, Portal, PreparedStatement } from "./prepared.ts";
import type { Fate } from "./results.ts";

export type Step =
  | {
      readonly kind: "query";
      readonly answer: Answer | undefined;
      /** Ours, in place of what was refused: its error is swallowed and this one shown. */
      readonly refusal: Buffer | undefined;
      readonly series: number;
      /** With which its statements were followed. */
      readonly catalogVersion: string;
      /** In order; none of what was refused. */
      readonly statements: readonly Statement[];
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
  /** Its rows or bytes count towards a limit: whoever counts is told while it streams. */
  limited: boolean;
  /** Steps that are not answered yet. */
  open: number;
  rows: number;
  bytes: number;
  masks: Counted[] | undefined;
  /** What labels and detectors say that was shown. */
  shown: Counted[] | undefined;
  /** What is kept of its rows; undefined before the first, and where nothing is. */
  output: OutputCapture | undefined;
  outcome: string;
  error: { readonly code: string; readonly message: string } | undefined;
  /** Looks at what passes, for a form of it. */
  trace: Trace | undefined;
}

interface Counted {
  readonly column: string;
  readonly by: string;
  count: number;
}

/** Bytes of outcome texts kept of one ask: 1,000 statements have as many. */
const OUTCOME_MAX = 1_024;

export function newAnswer(): Answer {
  const nothing = {
    masks: undefined,
    shown: undefined,
    output: undefined,
    outcome: "",
    error: undefined,
    trace: undefined,
  };
  return { askId: 0, labelled: false, limited: false, open: 0, rows: 0, bytes: 0, ...nothing };
}

export function addOutcome(answer: Answer, tag: string): void {
  if (answer.outcome === "") answer.outcome = tag;
  else if (answer.outcome.length < OUTCOME_MAX) answer.outcome += `; ${tag}`;
}

/** Instead of the name of a column that is one too many. */
const OTHERS = "(others)";

/** A result has few columns to count for few reasons: a list is searched faster than a key is made. */
export function addCount(answer: Answer, column: string, by: string, fate: Fate, count = 1): void {
  const key = fate === "masked" ? "masks" : "shown";
  answer[key] ??= [];
  const counted = answer[key];
  for (const tally of counted) {
    if (tally.column !== column || tally.by !== by) continue;
    tally.count += count;
    return;
  }
  if (counted.length < MASKED_COLUMNS_TOLD_MAX || column === OTHERS) counted.push({ column, by, count });
  else addCount(answer, OTHERS, by, fate, count);
}

const NO_MASKS: readonly MaskTally[] = Object.freeze([]);

export function entryOf(answer: Answer): AnswerEntry {
  const { askId, rows, bytes, outcome } = answer;
  const masks = answer.masks ?? NO_MASKS;
  const shown = answer.shown === undefined ? {} : { shown: answer.shown };
  const entry = { askId, rows, bytes, masks, ...shown, outcome };
  return answer.error === undefined ? entry : { ...entry, error: answer.error };
}
