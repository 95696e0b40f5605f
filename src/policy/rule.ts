/** Rules as they are judged by: compiled, and found by action. */
import type { RuleName } from "../model/decision.ts";
import type { ActionDeclaration } from "../model/operation.ts";
import type { Condition } from "./condition.ts";
import type { Outcome } from "./outcomes.ts";

export interface Rule {
  readonly name: RuleName;
  /** Its place among all rules of the policy. */
  readonly order: number;
  /** Declared actions. */
  readonly covers: ReadonlySet<string>;
  readonly outcome: Outcome;
  /** It is counted and told, and never applied. */
  readonly isShadow: boolean;
  /** Undefined: always. */
  readonly condition: Condition | undefined;
}

/** Every declared action with the rules that cover it, in the order of the files. */
export type RuleIndex = ReadonlyMap<string, Covering>;

export interface Covering {
  readonly declaration: ActionDeclaration;
  readonly rules: readonly Rule[];
  /** Whether a condition among them reads time: then answers are not kept. */
  readonly readsTime: boolean;
}
