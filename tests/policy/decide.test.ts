import assert from "node:assert/strict";
import { test } from "node:test";
import type { Decision } from "../../src/model/decision.ts";
import type { Facts, Operation } from "../../src/model/operation.ts";
import { redeemPermit } from "../../src/model/permit.ts";
import { askedOf, CONNECT_FACTS, operationOf, policyOf, statementOf, subjectOf } from "../kit/policy.ts";

const POLICY = `
rules:
  - name: reach-orders
    on: connect
    when: connection.name == "orders" && "ci" in agent.groups
    allow: {}
  - name: read-clean
    on: sql.read
    when: statement.tables.all(t, !("pii" in t.labels))
    allow: {}
  - name: read-small
    on: sql.read
    when: statement.joins < 3
    allow: {}
  - name: delete
    on: sql.delete
    allow: {}
  - name: whole-table
    on: [sql.delete]
    when: "!statement.where.present || statement.where.tautology"
    deny: { message: "DELETE needs a WHERE that selects" }
  - name: office-hours
    on: sql.delete
    when: time.hour < 8 || time.hour >= 18 || time.weekday == 0
    deny: {}
  - name: no-secrets
    on: sql
    when: statement.text.contains("secret")
    deny: { message: "Not this text" }
  - name: tenth-table
    on: sql.read
    when: statement.joins == 99 && statement.tables[10].name == "x"
    deny: {}
  - name: prod-exec
    on: exec
    when: pod.labels["environment"] != "prod"
    allow: {}
`;
const WHERE: Facts = statementOf({ where: { present: true, tautology: false } });
const PII = statementOf({ tables: [{ schema: "public", name: "customers", labels: ["pii"] }] });
const exec = (labels: Record<string, string>) => operationOf({ name: "exec", facts: { pod: { labels } } });

const rows: readonly { name: string; operation: Operation; rules: string[]; message?: RegExp }[] = [
  {
    name: "connect by its rule",
    operation: operationOf({ name: "connect", facts: CONNECT_FACTS }),
    rules: ["reach-orders"],
  },
  {
    name: "a read by all rules that allow it",
    operation: operationOf({ name: "sql.read", facts: statementOf() }),
    rules: ["read-clean", "read-small"],
  },
  {
    name: "two actions that are both allowed",
    operation: operationOf({ name: "sql.read", facts: PII }, { name: "sql.delete", facts: WHERE }),
    rules: ["read-small", "delete"],
  },
  { name: "housekeeping without rules", operation: operationOf(), rules: [] },
  { name: "a command outside of production", operation: exec({ environment: "test" }), rules: ["prod-exec"] },
  {
    name: "an action without rules",
    operation: operationOf({ name: "sql.define", facts: { ...statementOf(), kind: "x" } }),
    rules: [],
    message: /^No rule allows sql\.define$/,
  },
  {
    name: "an operation of which one action has no allow",
    operation: operationOf(
      { name: "sql.read", facts: statementOf() },
      { name: "sql.define", facts: { ...statementOf(), kind: "x" } },
    ),
    rules: [],
    message: /^No rule allows sql\.define$/,
  },
  {
    name: "what a deny and an allow match",
    operation: operationOf({ name: "sql.delete", facts: statementOf() }),
    rules: ["whole-table"],
    message: /^DELETE needs a WHERE that selects$/,
  },
  {
    name: "what the rule of a parent denies",
    operation: operationOf({ name: "sql.read", facts: statementOf({ text: "secret" }) }),
    rules: ["no-secrets"],
    message: /^Not this text$/,
  },
  {
    name: "what two rules deny, with both names and messages",
    operation: operationOf({ name: "sql.delete", facts: statementOf({ text: "secret" }) }),
    rules: ["whole-table", "no-secrets"],
    message: /^DELETE needs a WHERE that selects; Not this text$/,
  },
  {
    name: "whatever a failed condition is about",
    operation: operationOf({ name: "sql.read", facts: statementOf({ joins: 99 }) }),
    rules: ["tenth-table"],
    message: /rule tenth-table failed: index out of range/,
  },
  {
    name: "what a failed allow is about",
    operation: exec({}),
    rules: ["prod-exec"],
    message: /rule prod-exec failed: no such key/,
  },
  {
    name: "a forbidden operation, though rules allow it",
    operation: {
      actions: [{ name: "sql.read", facts: statementOf() }],
      forbidden: { rule: "built-in:parse", message: "Not understood" },
    },
    rules: ["built-in:parse"],
    message: /^Not understood$/,
  },
  {
    name: "an undeclared action",
    operation: operationOf({ name: "sql.reed", facts: statementOf() }),
    rules: ["built-in:facts"],
    message: /sql\.reed/,
  },
  {
    name: "an undeclared child",
    operation: operationOf({ name: "sql.read.x", facts: statementOf() }),
    rules: ["built-in:facts"],
    message: /sql\.read\.x/,
  },
  {
    name: "a missing fact",
    operation: operationOf({ name: "sql.read", facts: {} }),
    rules: ["built-in:facts"],
    message: /statement is missing/,
  },
  {
    name: "a missing field of a fact",
    operation: operationOf({ name: "sql.read", facts: statementOf({ where: { present: true } }) }),
    rules: ["built-in:facts"],
    message: /statement\.where\.tautology/,
  },
  {
    name: "a fact of another type deep inside",
    operation: operationOf({
      name: "sql.read",
      facts: statementOf({ tables: [{ schema: "a", name: "b", labels: [1] }] }),
    }),
    rules: ["built-in:facts"],
    message: /statement\.tables\[0\]\.labels\[0\]/,
  },
  {
    name: "an integer that is none",
    operation: operationOf({ name: "sql.read", facts: statementOf({ joins: 2 ** 53 }) }),
    rules: ["built-in:facts"],
    message: /joins/,
  },
  {
    name: "reveal as an action",
    operation: operationOf({
      name: "reveal",
      facts: { column: { schema: "", table: "", name: "", labels: [] }, detector: "" },
    }),
    rules: ["built-in:facts"],
    message: /reveal/,
  },
];
for (const { name, operation, rules, message } of rows)
  test(`a judge ${message === undefined ? "allows" : "denies"} ${name}`, () => {
    const judge = policyOf(POLICY).judge(subjectOf());
    const first = judge.decide(1, [askedOf(operation)], new Uint8Array());
    checkDecision(first, rules, message);
    // The second answer may come from the cache.
    checkDecision(judge.decide(2, [askedOf(operation)], new Uint8Array()), rules, message);
    assert.equal(first.policy, judge.policy);
  });

function checkDecision(decision: Decision, rules: string[], message: RegExp | undefined) {
  assert.equal(decision.kind, message === undefined ? "allow" : "deny");
  assert.deepEqual(decision.rules, rules);
  if (decision.kind === "deny") assert.match(decision.message, message ?? /^$/);
}

test("no policy files at all deny everything", () => {
  const decision = policyOf("")
    .judge(subjectOf())
    .decide(1, [askedOf(operationOf({ name: "connect", facts: CONNECT_FACTS }))], new Uint8Array());
  checkDecision(decision, [], /^No rule allows connect$/);
});

test("an ask of nothing is denied", () => {
  const judge = policyOf(POLICY).judge(subjectOf());
  assert.equal(judge.decide(1, [], new Uint8Array()).kind, "deny");
});

test("of several statements all must be allowed, and one permit owns the bytes of all", () => {
  const judge = policyOf(POLICY).judge(subjectOf());
  const read = askedOf(operationOf({ name: "sql.read", facts: statementOf() }));
  const wipe = askedOf(operationOf({ name: "sql.delete", facts: statementOf() }));
  const bytes = new Uint8Array([1, 2, 3]);

  const allowed = judge.decide(7, [read, askedOf(operationOf()), read], bytes);
  assert.ok(allowed.kind === "allow");
  assert.deepEqual(allowed.rules, ["read-clean", "read-small"]);
  assert.equal(redeemPermit(allowed.permit, "session-1", 7), bytes);

  const denied = judge.decide(8, [read, wipe], bytes);
  checkDecision(denied, ["whole-table"], /WHERE/);
});

test("a permit belongs to its session and ask", () => {
  const judge = policyOf(POLICY).judge(subjectOf());
  const decision = judge.decide(7, [askedOf(operationOf())], new Uint8Array());
  assert.ok(decision.kind === "allow");
  const { permit } = decision;
  assert.throws(() => redeemPermit(permit, "session-2", 7));
  assert.throws(() => redeemPermit(permit, "session-1", 8));
});

test("the subject decides, not the policy alone", () => {
  const policy = policyOf(POLICY);
  const connect = askedOf(operationOf({ name: "connect", facts: CONNECT_FACTS }));
  const connection = { name: "billing", protocol: "postgres", labels: {} };
  assert.equal(policy.judge(subjectOf()).decide(1, [connect], new Uint8Array()).kind, "allow");
  assert.equal(policy.judge(subjectOf({ connection })).decide(1, [connect], new Uint8Array()).kind, "deny");
});

test("rules that read time are asked again for the same operation", () => {
  let nowMs = Date.UTC(2025, 0, 15, 17, 59);
  const judge = policyOf(POLICY).judge(subjectOf({ clock: { nowMs: () => nowMs } }));
  const operation = askedOf(operationOf({ name: "sql.delete", facts: WHERE }));
  assert.equal(judge.decide(1, [operation], new Uint8Array()).kind, "allow");
  nowMs += 60_000;
  checkDecision(judge.decide(2, [operation], new Uint8Array()), ["office-hours"], /^Denied by rule office-hours$/);
});

test("an operation that is not frozen is judged anew", () => {
  const judge = policyOf(POLICY).judge(subjectOf());
  const operation: { actions: { name: string; facts: Facts }[] } = { actions: [] };
  assert.equal(judge.decide(1, [askedOf(operation)], new Uint8Array()).kind, "allow");
  operation.actions.push({ name: "sql.delete", facts: statementOf() });
  assert.equal(judge.decide(2, [askedOf(operation)], new Uint8Array()).kind, "deny");
});

test("time is UTC, Sunday is 0, epoch counts seconds", () => {
  const when = "time.hour == 13 && time.minute == 45 && time.weekday == 3 && time.epoch == 1736948710";
  const judge = policyOf(`rules:\n  - { name: t, on: sql.read, when: "${when}", allow: {} }`).judge(subjectOf());
  const read = operationOf({ name: "sql.read", facts: statementOf() });
  assert.equal(judge.decide(1, [askedOf(read)], new Uint8Array()).kind, "allow");
});

const MASKS = `
rules:
  - { name: pii, on: reveal, when: "'pii' in column.labels", mask: { style: partial } }
  - { name: card, on: reveal, when: detector == "payment-card", mask: { style: hash } }
  - { name: payment, on: reveal, when: "'payment' in column.labels && detector == ''", mask: { style: redact } }
  - { name: gone, on: reveal, when: column.table == "secrets", mask: { style: null } }
  - { name: broken, on: reveal, when: 'column.name == "broken" && column.labels[5] == "x"', mask: { style: partial } }
`;
const masks = [
  { labels: [], name: "c", table: "t", detector: "", style: undefined },
  { labels: ["pii"], name: "c", table: "t", detector: "", style: "partial" },
  { labels: [], name: "c", table: "t", detector: "payment-card", style: "hash" },
  { labels: ["pii"], name: "c", table: "t", detector: "payment-card", style: "hash" },
  { labels: ["pii", "payment"], name: "c", table: "t", detector: "", style: "redact" },
  { labels: ["pii", "payment"], name: "c", table: "secrets", detector: "", style: "null" },
  { labels: [], name: "broken", table: "t", detector: "", style: "null" },
] as const;
for (const { labels, name, table, detector, style } of masks)
  test(`a column ${table}.${name} [${labels}] with "${detector}" is ${style ?? "shown"}`, () => {
    const judge = policyOf(MASKS).judge(subjectOf());
    const column = { schema: "public", table, name, labels };
    assert.equal(judge.reveal(column, detector), style);
    assert.equal(judge.reveal(column, detector), style);
  });

test("without rules on reveal everything is shown", () => {
  const column = { schema: "", table: "", name: "", labels: [] };
  assert.equal(policyOf("").judge(subjectOf()).reveal(column, ""), undefined);
});

test("more columns than the cache holds are still answered rightly", () => {
  const judge = policyOf(MASKS).judge(subjectOf());
  for (let at = 0; at < 10_000; at++) {
    const labels = at % 2 === 0 ? ["pii"] : [];
    const column = { schema: "s", table: "t", name: `c${at}`, labels };
    assert.equal(judge.reveal(column, ""), at % 2 === 0 ? "partial" : undefined);
  }
});

const observed = (text = POLICY) => policyOf(text).judge(subjectOf({ isObserved: () => true }));

test("what rules deny of an observed agent is allowed, and the answer that it would have had is kept", () => {
  const wipe = askedOf(operationOf({ name: "sql.delete", facts: statementOf() }));
  const bytes = new Uint8Array([1, 2, 3]);
  const decision = observed().decide(7, [wipe], bytes);
  assert.ok(decision.kind === "allow");
  assert.deepEqual(decision.rules, []);
  assert.deepEqual(decision.observed, { rules: ["whole-table"], message: "DELETE needs a WHERE that selects" });
  assert.equal(redeemPermit(decision.permit, "session-1", 7), bytes);
});

test("what no rule allows is observed, too, and what rules allow is no observation", () => {
  const connect = askedOf(operationOf({ name: "connect", facts: CONNECT_FACTS }));
  const unlisted = observed("").decide(1, [connect], new Uint8Array());
  assert.deepEqual(unlisted.kind === "allow" && unlisted.observed, { rules: [], message: "No rule allows connect" });
  const allowed = observed().decide(2, [connect], new Uint8Array());
  assert.ok(allowed.kind === "allow");
  assert.deepEqual([allowed.rules, allowed.observed], [["reach-orders"], undefined]);
});

test("what the analysis forbids stays denied for an observed agent, alone and beside what rules deny", () => {
  const hidden: Operation = {
    actions: [{ name: "sql.read", facts: statementOf() }],
    forbidden: { rule: "built-in:labelled-column", message: "A labelled column would be read" },
  };
  const wipe = askedOf(operationOf({ name: "sql.delete", facts: statementOf() }));
  for (const asked of [[askedOf(hidden)], [wipe, askedOf(hidden)], [askedOf(hidden), wipe]]) {
    assert.equal(observed().decide(1, asked, new Uint8Array()).kind, "deny");
  }
  assert.equal(
    observed().decide(1, [askedOf(operationOf({ name: "sql.read", facts: {} }))], new Uint8Array()).kind,
    "deny",
  );
});

test("an observation that ends denies the very next ask, though the answer was kept", () => {
  let isObserved = true;
  const judge = policyOf(POLICY).judge(subjectOf({ isObserved: () => isObserved }));
  const wipe = askedOf(Object.freeze(operationOf({ name: "sql.delete", facts: statementOf() })));
  assert.equal(judge.decide(1, [wipe], new Uint8Array()).kind, "allow");
  isObserved = false;
  checkDecision(judge.decide(2, [wipe], new Uint8Array()), ["whole-table"], /WHERE/);
});

test("masks are the same for an observed agent", () => {
  const column = { schema: "", table: "", name: "", labels: ["pii"] };
  assert.equal(observed(MASKS).reveal(column, ""), policyOf(MASKS).judge(subjectOf()).reveal(column, ""));
  assert.notEqual(observed(MASKS).reveal(column, ""), undefined);
});
