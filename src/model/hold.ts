/** What must happen before an action that a rule holds may go on. Plain values. */
import type { RuleName } from "./decision.ts";

/** What one rule demands. Where several rules hold, all of their demands must be met. */
export interface Demand {
  readonly rule: RuleName;
  /** Groups whose members may answer; empty: root only. */
  readonly approvers: readonly string[];
  /** Whether each of the groups must be among those who approve; else members of any will do. */
  readonly each: boolean;
  /** Distinct humans. */
  readonly quorum: number;
  /** Once it has waited for so long, members of these groups may answer as well. Never with `each`. */
  readonly escalate?: { readonly afterMs: number; readonly to: readonly string[] };
}

export interface HoldTerms {
  /** At least one. */
  readonly demands: readonly Demand[];
  /** After so long nobody may approve any more: the shortest of the rules'. */
  readonly expiresMs: number;
  /** For how long at most an approver may let the same shape pass again: the shortest of the rules'; 0: only once. */
  readonly reuseMs: number;
}
