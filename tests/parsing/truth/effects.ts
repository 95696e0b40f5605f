/** What a statement really did, as the server shows it. Plain values; nothing here comes from our analysis. */
import type { Relation } from "./catalog.ts";

export interface Touched {
  readonly relation: Relation;
  /** Modes of the locks that the transaction holds on it (its indexes and its TOAST table included). */
  readonly modes: ReadonlySet<string>;
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
  /** Scans of it that began; counted where rows were changed or functions tell of relations. */
  readonly scans: number;
  /** Made by the statement itself. */
  readonly isNew: boolean;
}

export interface Effects {
  /**
   * ran: its effects were observed. planned: it failed when it ran, and EXPLAIN of it told what it would touch.
   * apart: it ran in a database of its own, where rows and catalogs were counted and locks were not seen.
   * failed: the server refused it, so nothing is known of it; `error` says why.
   */
  readonly outcome: "ran" | "planned" | "apart" | "failed";
  readonly error?: { readonly code: string; readonly message: string };
  readonly touched: readonly Touched[];
  /** Settings with another value than before. */
  readonly settings: readonly string[];
  /** The current or session user is another one. */
  readonly changesUser: boolean;
  /** The access list of something that was there before is another one under the same owner. */
  readonly changesAccess: boolean;
  /** Sequences whose counter did not just go on. */
  readonly setSequences: readonly string[];
  readonly advisoryLocks: boolean;
  readonly copy: "none" | "in" | "out";
  readonly rowSets: number;
  /** What only files of the server hold came back. */
  readonly readsFiles: boolean;
  /** A file of the server appeared or changed, its configuration included. */
  readonly writesFiles: boolean;
  /** Another session, or this one, was ended. */
  readonly endsSession: boolean;
  /** VACUUM or ANALYZE ran. */
  readonly maintains: boolean;
  /** Somebody else was notified, or this session listens. */
  readonly notifies: boolean;
}

export const NO_EFFECTS: Effects = {
  outcome: "failed",
  touched: [],
  settings: [],
  changesUser: false,
  changesAccess: false,
  setSequences: [],
  advisoryLocks: false,
  copy: "none",
  rowSets: 0,
  readsFiles: false,
  writesFiles: false,
  endsSession: false,
  maintains: false,
  notifies: false,
};
