/** How a session learns what to do with a value of an answer. Built by the path from policy and masking. */

/** null: SQL NULL or its like. redact: a fixed text. hash: keyed. partial: shape and last digits stay. */
export type MaskStyle = "null" | "redact" | "hash" | "partial";

/** What kind of text a value is; `other` (numbers, dates, bytes) is never searched by detectors. */
export type ValueKind = "text" | "json" | "text-array" | "other";

/** Instead of a detector: nobody has looked into the value, since it was too long. */
export const TOO_LONG_BY = "too-long";

export interface ColumnFacts {
  /** Of the source column; "" where the server names none. */
  readonly schema: string;
  readonly table: string;
  /** The source column's own name where known, else the output name. */
  readonly name: string;
  readonly labels: readonly string[];
  readonly valueKind: ValueKind;
  readonly format: "text" | "binary";
  /** Of a value that depends on several columns, or on one that it is not: all of them. The strictest mask counts. */
  readonly sources?: readonly SourceFacts[];
  /** The value is made from its sources: a mask that keeps a part of it could show another part of theirs. */
  readonly isMade?: boolean;
}

export type SourceFacts = Pick<ColumnFacts, "schema" | "table" | "name" | "labels">;

export interface Masked {
  /** What the client gets instead; null is SQL NULL. */
  readonly value: Uint8Array | null;
  /** "label:pii" ("label:pii,payment" of several) or "detector:payment-card": for the recording's tally. */
  readonly by: string;
}

/**
 * Undefined: the value is shown as it is. `value` is a view that is valid during the call only. `saw` hears what a
 * detector has found that the rules show all the same ("detector:email").
 */
export interface ValueMask {
  (value: Uint8Array, saw?: (by: string) => void): Masked | undefined;
  /** The quick way for bulk reads: whether bytes[start, end) surely hold nothing that is masked or told. */
  readonly isClear?: (bytes: Uint8Array, start: number, end: number) => boolean;
  /** The quick way for a column that is masked as a whole. */
  readonly whole?: WholeMask;
  /** "label:pii": what every value counts as that is shown. Absent: the column has no label, or is masked as a whole. */
  readonly shownBy?: string;
  /** It never masks, and is there to be counted: a value that is too long to be searched may pass. */
  readonly onlyWatches?: true;
}

/** Masks where the value stands, without a copy of it: what the client gets is `head`, and then what stays of the value. */
export interface WholeMask {
  /** As in Masked. */
  readonly by: string;
  /**
   * Looks at bytes[start, end), and may change them there. Returns where that begins which stays of them, up to `end`: nothing
   * stays. Or ASK: nothing is changed, and the mask itself has to say. Or NULLED: the client gets SQL NULL.
   */
  cut(bytes: Uint8Array, start: number, end: number): number;
  /** Belongs to the latest cut, and is overwritten by the next. */
  readonly head: Uint8Array;
}

export const ASK = -1;
export const NULLED = -2;

/** Undefined: no value of this column can be masked or counts as shown, so it need not be looked at. */
export type MaskFor = (column: ColumnFacts) => ValueMask | undefined;
