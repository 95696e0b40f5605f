/** The condition of a grant: CEL as in rules, over who the agent is and the time. Whatever fails does not hold. */
import type { GrantCondition } from "../model/grant.ts";
import { nodesOf } from "./ast.ts";
import { type Checker, ConditionError, compileCondition, createChecker } from "./condition.ts";
import { SUBJECT_FACTS, timeFacts } from "./facts.ts";

/** A grant is asked for an agent as a whole, before there is a session. */
const NOT_KNOWN: ReadonlySet<string> = new Set(Object.keys(SUBJECT_FACTS).filter((name) => name !== "agent"));

let checker: Checker | undefined;

/** Throws ConditionError. */
export function compileGrantCondition(text: string): GrantCondition {
  checker ??= createChecker({ name: "grant", about: "Have a grant", facts: {} });
  const condition = compileCondition(text, [checker]);
  for (const node of nodesOf(condition.ast)) {
    if (node.op !== "id" || !NOT_KNOWN.has(node.args)) continue;
    throw new ConditionError(`A grant's condition reads agent and time, not ${node.args}.`, node.range.start);
  }
  return {
    holds: ({ name, groups, claims }, nowMs) => {
      const subject = { agent: { name, groups: [...groups], claims: { ...claims } } };
      return condition.test(subject, {}, condition.readsTime ? timeFacts(nowMs) : {}) === true;
    },
  };
}
