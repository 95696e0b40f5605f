/** Rules in shadow: never applied; the decision tells which of them would have changed it, and how. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Operation } from "../../src/model/operation.ts";
import { askedOf, operationOf, policyOf, statementOf, subjectOf } from "../kit/policy.ts";

const BASE = `
rules:
  - { name: read, on: sql.read, allow: {} }
  - { name: no-ddl, on: sql.define, deny: {} }`;
const READ = operationOf({ name: "sql.read", facts: statementOf() });
const DELETE = operationOf({ name: "sql.delete", facts: statementOf() });
const BOTH = operationOf(...READ.actions, ...DELETE.actions);
const DEFINE = operationOf({ name: "sql.define", facts: { ...statementOf(), kind: "x" } });

const rows: readonly {
  name: string;
  shadow: string;
  operations: readonly Operation[];
  kind: "allow" | "deny";
  would: readonly string[];
}[] = [
  {
    name: "a deny of what is allowed",
    shadow: "on: sql.read, deny: {}",
    operations: [READ],
    kind: "allow",
    would: ["s deny"],
  },
  {
    name: "a deny of what is denied",
    shadow: "on: sql.define, deny: {}",
    operations: [DEFINE],
    kind: "deny",
    would: [],
  },
  {
    name: "an allow of what nothing allows",
    shadow: "on: sql.delete, allow: {}",
    operations: [DELETE],
    kind: "deny",
    would: ["s allow"],
  },
  {
    name: "an allow of what a rule denies",
    shadow: "on: sql.define, allow: {}",
    operations: [DEFINE],
    kind: "deny",
    would: [],
  },
  {
    name: "an allow of what is allowed",
    shadow: "on: sql.read, allow: {}",
    operations: [READ],
    kind: "allow",
    would: [],
  },
  { name: "an allow of half of it", shadow: "on: sql.read, allow: {}", operations: [BOTH], kind: "deny", would: [] },
  {
    name: "an allow of the missing half",
    shadow: "on: sql.delete, allow: {}",
    operations: [BOTH],
    kind: "deny",
    would: ["s allow"],
  },
  {
    name: "a hold of what is allowed",
    shadow: "on: sql.read, hold: { approvers: [] }",
    operations: [READ],
    kind: "allow",
    would: ["s hold"],
  },
  {
    name: "a hold of what nothing allows",
    shadow: "on: sql.delete, hold: { approvers: [] }",
    operations: [DELETE],
    kind: "deny",
    would: ["s hold"],
  },
  {
    name: "a condition that is false",
    shadow: "on: sql.read, when: statement.joins > 1, deny: {}",
    operations: [READ],
    kind: "allow",
    would: [],
  },
  {
    name: "a condition that fails",
    shadow: "on: sql.read, when: 1 / statement.joins > 1, allow: {}",
    operations: [READ],
    kind: "allow",
    would: ["s deny"],
  },
  {
    name: "a deny of one of two statements",
    shadow: "on: sql.read, deny: {}",
    operations: [READ, READ],
    kind: "allow",
    would: ["s deny"],
  },
  {
    name: "an allow of one of two denied statements",
    shadow: "on: sql.delete, allow: {}",
    operations: [DELETE, DEFINE],
    kind: "deny",
    would: [],
  },
];
for (const { name, shadow, operations, kind, would } of rows) {
  test(`a shadow rule with ${name} tells [${would}] and changes nothing`, () => {
    const judge = policyOf(`${BASE}\n  - { name: s, shadow: true, ${shadow} }`).judge(subjectOf());
    const decision = judge.decide(
      1,
      operations.map((operation) => askedOf(operation)),
      new Uint8Array(),
    );
    assert.equal(decision.kind, kind);
    assert.deepEqual(
      (decision.shadow ?? []).map((effect) => `${effect.rule} ${effect.would}`),
      would,
    );
    const without = policyOf(BASE)
      .judge(subjectOf())
      .decide(
        1,
        operations.map((one) => askedOf(one)),
        new Uint8Array(),
      );
    assert.deepEqual([decision.kind, decision.rules], [without.kind, without.rules]);
  });
}

test("two shadow rules are told each by itself", () => {
  const judge = policyOf(`${BASE}
  - { name: a, shadow: true, on: sql, deny: {} }
  - { name: b, shadow: true, on: sql.read, hold: { approvers: [] } }`).judge(subjectOf());
  const { shadow } = judge.decide(1, [askedOf(READ)], new Uint8Array());
  assert.deepEqual(shadow, [
    { rule: "a", would: "deny" },
    { rule: "b", would: "hold" },
  ]);
});

test("a shadow rule tells of an observed agent what it would change of the real answer", () => {
  const text = `${BASE}\n  - { name: s, shadow: true, on: sql, deny: {} }`;
  const judge = policyOf(text).judge(subjectOf({ isObserved: () => true }));
  assert.equal(judge.decide(1, [askedOf(DEFINE)], new Uint8Array()).shadow, undefined);
  assert.deepEqual(judge.decide(2, [askedOf(READ)], new Uint8Array()).shadow, [{ rule: "s", would: "deny" }]);
});

test("a mask in shadow hides nothing and is told where it is stricter than what counts", () => {
  const told: string[] = [];
  const judge = policyOf(`
rules:
  - { name: part, on: reveal, when: "'pii' in column.labels", mask: { style: partial } }
  - { name: more, shadow: true, on: reveal, when: "'pii' in column.labels", mask: { style: redact } }
  - { name: less, shadow: true, on: reveal, mask: { style: partial } }`).judge(
    subjectOf({ shadowMask: (rule, style) => told.push(`${rule} ${style}`) }),
  );
  const column = (labels: string[]) => ({ schema: "s", table: "t", name: "c", labels });
  assert.equal(judge.reveal(column(["pii"]), ""), "partial");
  assert.deepEqual(told, ["more redact"]);
  assert.equal(judge.reveal(column([]), ""), undefined);
  assert.deepEqual(told, ["more redact", "less partial"]);
});
