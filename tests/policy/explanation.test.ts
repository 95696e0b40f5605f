import assert from "node:assert/strict";
import { test } from "node:test";
import { askedOf, operationOf, policyOf, SAMPLE_AGENT, statementOf, subjectOf } from "../kit/policy.ts";

const POLICY = policyOf(`rules:
  - name: small
    on: sql.read
    when: statement.joins < 3 && (agent.name == "bot" || "ops" in agent.groups) && !statement.where.present
    allow: {}
  - name: everything
    on: sql
    allow: {}
  - name: clean
    on: sql.read
    when: statement.tables.all(t, !("pii" in t.labels))
    deny: {}
  - name: broken
    on: sql.read
    when: 1 / statement.joins == 1
    deny: {}
  - name: trial
    shadow: true
    on: sql
    deny: {}
  - { name: other, on: exec, allow: {} }`);

const facts = (changes = {}) =>
  statementOf({ tables: [{ schema: "s", name: "t", labels: ["pii"] }], joins: 1, ...changes });

function explain(changes = {}) {
  const asked = [askedOf(operationOf({ name: "sql.read", facts: facts(changes) }), "select …")];
  return POLICY.explain(subjectOf({ agent: { ...SAMPLE_AGENT, groups: ["ci"] } }), asked);
}

test("every rule that covers the action is told in order, with file, line and outcome; others are not", () => {
  const [operation] = explain().operations;
  assert.deepEqual(
    operation?.actions[0]?.rules.map(({ name, file, line, outcome, shadow }) => [name, file, line, outcome, shadow]),
    [
      ["small", "test.yaml", 2, "allow", false],
      ["everything", "test.yaml", 6, "allow", false],
      ["clean", "test.yaml", 9, "deny", false],
      ["broken", "test.yaml", 13, "deny", false],
      ["trial", "test.yaml", 17, "deny", true],
    ],
  );
});

test("the decision is the judge's own, with what shadow rules would change", () => {
  const { decision, rules, message, shadow, policy } = explain({ joins: 1 });
  assert.deepEqual([decision, rules, policy], ["deny", ["broken"], POLICY.version]);
  assert.equal(message, "Denied by rule broken");
  assert.deepEqual(shadow, []);
  assert.deepEqual(explain({ joins: 2 }).shadow, [{ rule: "trial", would: "deny" }]);
});

const causes: readonly { name: string; rule: string; changes: object; because: readonly object[] }[] = [
  {
    name: "each false part of a conjunction, and all of a false disjunction",
    rule: "small",
    changes: { joins: 5, where: { present: true, tautology: false } },
    because: [
      { text: "statement.joins < 3", facts: { "statement.joins": 5 } },
      { text: 'agent.name == "bot"', facts: { "agent.name": "ci" } },
      { text: '"ops" in agent.groups', facts: { "agent.groups": ["ci"] } },
      { text: "!statement.where.present", facts: { "statement.where.present": true } },
    ],
  },
  {
    name: "what a macro went over",
    rule: "clean",
    changes: {},
    because: [
      {
        text: 'statement.tables.all(t, !("pii" in t.labels))',
        facts: { "statement.tables": [{ schema: "s", name: "t", labels: ["pii"] }] },
      },
    ],
  },
  {
    name: "why a part failed",
    rule: "broken",
    changes: { joins: 0 },
    because: [{ text: "1 / statement.joins == 1", failure: "division by zero", facts: { "statement.joins": 0 } }],
  },
  { name: "nothing of a rule that matched", rule: "everything", changes: {}, because: [] },
];
for (const { name, rule, changes, because } of causes) {
  test(`an explanation tells ${name}`, () => {
    const found = explain(changes).operations[0]?.actions[0]?.rules.find((one) => one.name === rule);
    assert.deepEqual(found?.because, because);
    assert.equal(found?.matched, because.length === 0);
  });
}

test("what is forbidden says so, and housekeeping has no actions", () => {
  const forbidden = { rule: "built-in:unparsable", message: "no" } as const;
  const operations = [{ actions: [], forbidden }, operationOf()];
  const explained = POLICY.explain(
    subjectOf(),
    operations.map((operation) => askedOf(operation)),
  );
  assert.deepEqual(explained.operations, [
    { text: "", forbidden, actions: [] },
    { text: "", actions: [] },
  ]);
  assert.deepEqual([explained.decision, explained.rules], ["deny", ["built-in:unparsable"]]);
});
