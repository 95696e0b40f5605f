/** What is made ready only does not wait for a human; what is denied is denied all the same. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Asked } from "../../src/model/operation.ts";
import { operationOf, policyOf, statementOf, subjectOf } from "../kit/policy.ts";

const JUDGE = policyOf(`
rules:
  - { name: all, on: sql, allow: {} }
  - { name: deletes, on: sql.delete, hold: { approvers: [sre] } }
  - { name: no-ddl, on: sql.define, deny: {} }
`).judge(subjectOf());

const asked = (name: string, prepared: boolean): Asked => {
  const facts = name === "sql.define" ? { ...statementOf(), kind: "drop-table" } : statementOf();
  const operation = operationOf({ name, facts });
  return prepared ? { operation, text: "", prepared } : { operation, text: "" };
};

const rows = [
  { name: "a held action, prepared", asks: [asked("sql.delete", true)], kind: "allow" },
  { name: "a held action, executed", asks: [asked("sql.delete", false)], kind: "hold" },
  {
    name: "prepared and executed together",
    asks: [asked("sql.delete", true), asked("sql.delete", false)],
    kind: "hold",
  },
  { name: "a prepared one beside a read", asks: [asked("sql.delete", true), asked("sql.read", false)], kind: "allow" },
  { name: "a denied action, prepared", asks: [asked("sql.define", true)], kind: "deny" },
] as const;
for (const { name, asks, kind } of rows) {
  test(`${name}: ${kind}`, () => {
    const decision = JUDGE.decide(1, asks, new Uint8Array());
    assert.equal(decision.kind, kind);
    if (kind === "allow" && name.includes("held")) assert.deepEqual(decision.rules, ["deletes"]);
  });
}
