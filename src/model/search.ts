/** What may be asked of recordings and events, and what comes back. Plain values; who answers is search/. */

/** Terms of the query language, each with what its values are. */
export const SEARCH_TERMS = {
  agent: "name of the agent",
  group: "group of the agent",
  connection: "name of the connection",
  protocol: "postgres, opaque",
  session: "id of the session",
  pid: "process that connected",
  uid: "number of its user",
  user: "name of its user",
  exe: "its executable",
  table: "schema.table or table, read or written",
  column: "column or table.column, named or found in an answer",
  function: "function that was called",
  action: "sql.read, sql.define, connect …",
  statement: "select, drop-table …",
  oracle: "label of what was searched or sorted by",
  label: "label of values in answers",
  detector: "detector that found values in answers",
  value: "masked or shown",
  decision: "allow, deny, hold, observed",
  rule: "rule that decided",
  approver: "who answered a hold",
  hold: "id of a hold",
  kind: "operation, or the kind of an event: session.start …",
  error: "SQLSTATE or the like",
} as const;

export type SearchTerm = keyof typeof SEARCH_TERMS;

export interface SearchRequest {
  readonly query: string;
  readonly limit: number;
  /** Absent: sessions for questions about values, else entries. */
  readonly by?: "sessions" | "entries";
  /** `next` of the page before. */
  readonly cursor?: string;
}

export interface SearchAnswer {
  readonly by: "sessions" | "entries";
  readonly sessions: readonly FoundSession[];
  readonly entries: readonly FoundEntry[];
  /** Of all pages; by sessions only. */
  readonly totals?: { readonly sessions: number; readonly masked: number; readonly shown: number };
  /** For each detector that was asked for. */
  readonly looked: readonly Looked[];
  /** Sessions that fit and have no end: what they read last may not be recorded. */
  readonly interrupted: number;
  /** Sessions that fit and could not be read in full: sealed, damaged, or the disk took no recording. */
  readonly unread: number;
  /** What the index knew. */
  readonly lag: SearchLag;
  readonly next?: string;
}

/** Whether a detector looked at all: of sessions that fit in who they are and when. */
export interface Looked {
  readonly detector: string;
  readonly sessions: number;
  /** Of those, it did not look in so many, from the first to the last start of one. */
  readonly notLooked: number;
  readonly notLookedFromMs?: number;
  readonly notLookedToMs?: number;
  /** Some of their ids. */
  readonly examples: readonly string[];
  /** Sessions in a part of which it looked. */
  readonly partly: number;
}

export interface FoundSession {
  readonly id: string;
  readonly agent: string;
  readonly connection: string;
  readonly user: string;
  readonly executable: string;
  readonly pid: number;
  readonly startedMs: number;
  readonly endedMs?: number;
  readonly state: string;
  /** Operations and events that fit. */
  readonly entries: number;
  readonly firstMs: number;
  readonly lastMs: number;
  readonly findings: readonly FoundValue[];
}

/** Values in answers that a label or a detector has named. */
export interface FoundValue {
  readonly column: string;
  readonly by: string;
  readonly masked: number;
  readonly shown: number;
}

export interface FoundEntry {
  readonly kind: string;
  readonly atMs: number;
  readonly lastMs: number;
  /** The same thing so many times. */
  readonly count: number;
  readonly session?: string;
  /** Of its decision in the recording, for `sessions replay --at`. */
  readonly number?: number;
  readonly agent: string;
  readonly connection: string;
  readonly decision?: string;
  readonly rules: readonly string[];
  /** Cut, where it is long. */
  readonly text: string;
  readonly message: string;
  /** It stands for others of the same facts as well, whose text is not kept. */
  readonly folded: boolean;
  readonly findings: readonly FoundValue[];
}

/** What waits to be indexed. */
export interface SearchLag {
  readonly sessions: number;
  readonly segments: number;
  readonly events: number;
  /** Since the oldest of it was recorded; 0: nothing waits. */
  readonly oldestMs: number;
  /** Everything recorded until then can be found. */
  readonly indexedUpToMs: number;
}
