/** What policy answers to one ask. Holds come with the approvals; a rule that holds fails at load until then. */
import type { Permit } from "./permit.ts";

export type RuleName = string;

export type Decision =
  | {
      readonly kind: "allow";
      readonly permit: Permit;
      readonly rules: readonly RuleName[];
      readonly policy: string;
      /** What would have been answered, had the agent not been observed; then `rules` is empty. */
      readonly observed?: Refusal;
    }
  /** `policy`: the hash of the policy that decided. */
  | ({ readonly kind: "deny"; readonly policy: string } & Refusal);

export interface Refusal {
  /** Every rule that denied; empty when nothing allowed it. */
  readonly rules: readonly RuleName[];
  /** For the agent: the rule's own message, or what was missing. Holds no data. */
  readonly message: string;
}
