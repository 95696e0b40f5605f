/** How much of what a rule covers may pass. Plain values. */
import type { RuleName } from "./decision.ts";

/** At least one of `rows`, `bytes` and `statements`; for one agent on one connection. */
export interface LimitTerms {
  readonly rule: RuleName;
  readonly rows?: number;
  readonly bytes?: number;
  readonly statements?: number;
  /** A window that slides; absent: each operation by itself. */
  readonly perMs?: number;
}

/** What an allowed ask counts towards. */
export interface Limited {
  readonly terms: LimitTerms;
  /** Of the ask, those that the rule covers. */
  readonly operations: number;
  /** It is counted, and nothing comes of it. */
  readonly isShadow: boolean;
}

/** Whether what an answer brings counts, too, and not only that it was asked for. */
export function countsAnswers({ terms }: { readonly terms: LimitTerms }): boolean {
  return terms.rows !== undefined || terms.bytes !== undefined;
}
