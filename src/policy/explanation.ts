/** One ask explained: every rule that covers it, the facts that were judged, why each rule matched or not, the decision. */
import type { Decision } from "../model/decision.ts";
import type { Asked, Facts } from "../model/operation.ts";
import { type Cause, causesOf } from "./causes.ts";
import { createJudge, type Subject } from "./decide.ts";
import { subjectFacts, timeFacts } from "./facts.ts";
import type { OutcomeKind } from "./outcomes.ts";
import type { RuleIndex } from "./rule.ts";
import { matchRule } from "./ruling.ts";

export interface Explanation {
  readonly decision: "allow" | "deny" | "hold";
  readonly rules: readonly string[];
  /** What the agent is told; "" for an allow. */
  readonly message: string;
  readonly shadow: readonly { readonly rule: string; readonly would: string }[];
  readonly policy: string;
  /** Of who asks, over which connection, and when. */
  readonly subject: Facts;
  readonly operations: readonly ExplainedOperation[];
  /** Where connections need grants: without one the agent is refused before any rule is asked. Absent of what was recorded. */
  readonly grant?: ExplainedGrant;
}

export interface ExplainedGrant {
  /** Those that let the agent reach the connection; none: it is refused. */
  readonly by: readonly string[];
  /** Those that cover it and do not count, each with why. */
  readonly not: readonly string[];
  /** "settings": what people gave is not known. */
  readonly known: "settings" | "all";
}

export interface ExplainedOperation {
  readonly text: string;
  /** Denied whatever the rules say. */
  readonly forbidden?: { readonly rule: string; readonly message: string };
  /** None: the protocol's own housekeeping, which `connect` permits. */
  readonly actions: readonly ExplainedAction[];
}

export interface ExplainedAction {
  readonly name: string;
  readonly facts: Facts;
  /** Those that cover the action, in the order of the files. */
  readonly rules: readonly ExplainedRule[];
}

export interface ExplainedRule {
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly outcome: OutcomeKind;
  readonly shadow: boolean;
  readonly matched: boolean;
  /** Its condition failed on these facts, which denies. */
  readonly failure?: string;
  /** Why it did not match. */
  readonly because: readonly Cause[];
}

export type Places = ReadonlyMap<string, { readonly file: string; readonly line: number }>;

export function explainAsk(
  index: RuleIndex,
  places: Places,
  policy: string,
  subject: Subject,
  asked: readonly Asked[],
): Explanation {
  const { sessionId, agent, origin, connection, clock } = subject;
  const who = subjectFacts(sessionId, agent, origin, connection);
  const time = timeFacts(clock.nowMs());
  const decision: Decision = createJudge(index, policy, subject).decide(1, asked, new Uint8Array());
  return {
    decision: decision.kind,
    rules: decision.rules,
    message: decision.kind === "allow" ? "" : decision.message,
    shadow: decision.shadow ?? [],
    policy,
    subject: { ...who, ...time },
    operations: asked.map(({ text, operation }) => ({
      text,
      ...(operation.forbidden === undefined ? {} : { forbidden: operation.forbidden }),
      actions: operation.actions.map(({ name, facts }) => ({
        name,
        facts,
        rules: explainRules(index, places, name, who, facts, time),
      })),
    })),
  };
}

function explainRules(
  index: RuleIndex,
  places: Places,
  action: string,
  who: Facts,
  facts: Facts,
  time: Facts,
): readonly ExplainedRule[] {
  return (index.get(action)?.rules ?? []).map((rule) => {
    const { name, outcome, isShadow, condition } = rule;
    const matched = matchRule(rule, who, facts, time);
    const place = places.get(name) ?? { file: "", line: 0 };
    return {
      ...{ name, ...place, outcome: outcome.kind, shadow: isShadow, matched: matched === true },
      ...(typeof matched === "boolean" ? {} : { failure: matched.message }),
      because: matched === true || condition === undefined ? [] : causesOf(condition, who, facts, time),
    };
  });
}
