/** What policy answers to one ask. */
import type { HoldTerms } from "./hold.ts";
import type { Limited } from "./limit.ts";
import type { Permit } from "./permit.ts";

export type RuleName = string;

export type Decision = (
  | {
      readonly kind: "allow";
      readonly permit: Permit;
      readonly rules: readonly RuleName[];
      readonly policy: string;
      /** What would have been answered, had the agent not been observed; then `rules` is empty. */
      readonly observed?: Refusal;
      /** It was held, and this is whose answer let it go. */
      readonly approval?: Approval;
      /** What it counts towards once it is forwarded; absent: nothing. */
      readonly limits?: readonly Limited[];
    }
  /** A human must answer first; then the judge lifts it, or it is denied. */
  | ({ readonly kind: "hold"; readonly policy: string; readonly terms: HoldTerms } & Refusal)
  /** `policy`: the hash of the policy that decided. `held`: it was held before, and this is how that ended. */
  | ({ readonly kind: "deny"; readonly policy: string; readonly held?: HeldEnd } & Refusal)
) & {
  /** Rules in shadow that would have changed it, each by itself; absent: none. */
  readonly shadow?: readonly ShadowEffect[];
};

export type HoldDecision = Extract<Decision, { kind: "hold" }>;
/** What a session is told in the end. */
export type Verdict = Exclude<Decision, HoldDecision>;

/** Were the rule in force, this would have been decided. */
export interface ShadowEffect {
  readonly rule: RuleName;
  readonly would: "allow" | "deny" | "hold";
}

export interface Approval {
  /** Id of the hold. */
  readonly hold: string;
  /** Who approved, as the record names them. */
  readonly by: readonly string[];
}

export interface HeldEnd {
  /** Id of the hold. */
  readonly hold: string;
  readonly state: "denied" | "expired" | "abandoned";
  /** Who denied it; empty where time or the session did. */
  readonly by: readonly string[];
}

export interface Refusal {
  /** Every rule that denied or holds; empty when nothing allowed it. */
  readonly rules: readonly RuleName[];
  /** For the agent: the rule's own message, or what was missing. Holds no data. */
  readonly message: string;
}
