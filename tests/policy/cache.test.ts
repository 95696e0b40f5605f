/** What is remembered of a text or of a decision never answers otherwise than a fresh look would. */
import assert from "node:assert/strict";
import { createSecretKey } from "node:crypto";
import { before, test } from "node:test";
import fc from "fast-check";
import { REVEALED_COLUMNS_MAX } from "../../src/base/limits.ts";
import { replaceText } from "../../src/masking/replace.ts";
import type { DataLabels } from "../../src/model/connection.ts";
import { type CatalogRelation, catalogFacts } from "../../src/protocols/postgres/catalog.ts";
import { Fresh, Kept, MASK_KEY, type Question } from "../kit/evaluation.ts";
import { askedOf, operationOf, policyOf, statementOf, subjectOf } from "../kit/policy.ts";

const HASH = replaceText("219-09-9999", "hash", "", createSecretKey(MASK_KEY)) ?? "";
const allow = (when: string) => `rules: [{ name: r, on: sql, when: ${JSON.stringify(when)}, allow: {} }]`;
const ALL = "rules: [{ name: all, on: sql, allow: {} }]";
const READ_ONLY = "rules: [{ name: read, on: sql.read, allow: {} }]";
const CLEAN = allow('statement.tables.all(t, !("pii" in t.labels) && !("pii" in t.columnLabels))');
const SEARCH = "SELECT a FROM t WHERE id = 1";

function relation(schema: string, name: string, labels: readonly string[]): CatalogRelation {
  const column = { name: "a", labels, typeOid: 25 };
  const standing = labels.length > 0 ? "labelled" : "clean";
  return { oid: 16_400, schema, name, kind: "r", standing, labels: [], columns: new Map([[1, column]]) };
}
const DATA: DataLabels = { "public.u": { labels: [], columns: { a: ["pii"] } } };
const BEFORE = catalogFacts("v1", [relation("public", "u", ["pii"])], []);
/** A table of the settings was made in the meantime. */
const AFTER = catalogFacts(
  "v2",
  [relation("public", "u", ["pii"]), { ...relation("x", "t", ["pii"]), oid: 16_401 }],
  [],
);

interface Row {
  readonly name: string;
  readonly first: Question;
  /** Changed then. */
  readonly changed: Partial<Question>;
  readonly between?: readonly string[];
  readonly answers: readonly [string, string];
}

const rows: readonly Row[] = [
  {
    name: "another executable",
    first: { text: SEARCH, policy: allow('origin.executable == "/usr/bin/psql"') },
    changed: { origin: { executable: "/tmp/psql" } },
    answers: ["allow r", "deny"],
  },
  {
    name: "another user",
    first: { text: SEARCH, policy: allow('origin.user == "runner"') },
    changed: { origin: { user: "root" } },
    answers: ["allow r", "deny"],
  },
  {
    name: "another process",
    first: { text: SEARCH, policy: allow("origin.pid == 4242") },
    changed: { origin: { pid: 1 } },
    answers: ["allow r", "deny"],
  },
  {
    name: "another address",
    first: { text: SEARCH, policy: allow('origin.address == "192.0.2.10"') },
    changed: { origin: { address: "192.0.2.11" } },
    answers: ["allow r", "deny"],
  },
  {
    name: "another agent",
    first: { text: SEARCH, policy: allow('agent.name == "ci"') },
    changed: { agent: { name: "bot" } },
    answers: ["allow r", "deny"],
  },
  {
    name: "another group of the agent",
    first: { text: SEARCH, policy: allow('"ci" in agent.groups') },
    changed: { agent: { groups: [] } },
    answers: ["allow r", "deny"],
  },
  {
    name: "another claim of the agent",
    first: { text: SEARCH, policy: allow('"repository" in agent.claims') },
    changed: { agent: { claims: {} } },
    answers: ["allow r", "deny"],
  },
  {
    name: "another connection",
    first: { text: SEARCH, policy: allow('connection.name == "orders"') },
    changed: { connection: { name: "billing" } },
    answers: ["allow r", "deny"],
  },
  {
    name: "another label of the connection",
    first: { text: SEARCH, policy: allow('!("environment" in connection.labels)') },
    changed: { connection: { labels: { environment: "prod" } } },
    answers: ["allow r", "deny"],
  },
  {
    name: "another session",
    first: { text: SEARCH, policy: allow('session.id == "s1"') },
    changed: { session: "s2" },
    answers: ["allow r", "deny"],
  },
  {
    name: "the end of a time window, in the same session",
    first: { text: SEARCH, policy: allow("time.hour < 18") },
    changed: { atMs: Date.UTC(2025, 0, 15, 18) },
    answers: ["allow r", "deny"],
  },
  {
    name: "another day, in the same session",
    first: { text: SEARCH, policy: allow("time.weekday != 0") },
    changed: { atMs: Date.UTC(2025, 0, 19, 12) },
    answers: ["allow r", "deny"],
  },
  {
    name: "another policy",
    first: { text: "DELETE FROM t WHERE id = 1", policy: ALL },
    changed: { policy: READ_ONLY },
    answers: ["allow all", "deny"],
  },
  {
    name: "a policy that takes nothing away",
    first: { text: SEARCH, policy: ALL },
    changed: { policy: READ_ONLY },
    answers: ["allow all", "allow read"],
  },
  {
    name: "a literal that matters, in the same shape",
    first: { text: "DELETE FROM t WHERE id = 1", policy: allow("!statement.where.tautology") },
    changed: { text: "DELETE FROM t WHERE 1 = 1" },
    answers: ["allow r", "deny"],
  },
  {
    name: "constants that are compared, of one shape",
    first: { text: "DELETE FROM t WHERE 1 = 2", policy: allow("!statement.where.tautology") },
    changed: { text: "DELETE FROM t WHERE 1 = 1" },
    answers: ["allow r", "deny"],
  },
  {
    name: "a literal that does not matter",
    first: { text: SEARCH, policy: READ_ONLY },
    changed: { text: "SELECT a FROM t WHERE id = 2" },
    answers: ["allow read", "allow read"],
  },
  {
    name: "a literal that is one of our masks",
    first: { text: "INSERT INTO t VALUES ('plain')", policy: ALL },
    changed: { text: `INSERT INTO t VALUES ('${HASH}')` },
    answers: ["allow all", "deny built-in:masked-value"],
  },
  {
    name: "a parameter that is one of our masks",
    first: { text: "INSERT INTO t VALUES ($1)", policy: ALL, parameters: ["plain"] },
    changed: { parameters: ["[redacted]"] },
    answers: ["allow all", "deny built-in:masked-value"],
  },
  {
    name: "a parameter that is none any more",
    first: { text: "INSERT INTO t VALUES ($1)", policy: ALL, parameters: ["[redacted]"] },
    changed: { parameters: [null] },
    answers: ["deny built-in:masked-value", "allow all"],
  },
  {
    name: "a catalog in which the name means a labelled table too",
    first: { text: SEARCH, policy: CLEAN, data: DATA, catalog: BEFORE },
    changed: { catalog: AFTER },
    answers: ["allow r", "deny"],
  },
  {
    name: "labels in the settings",
    first: { text: "SELECT a FROM u", policy: CLEAN },
    changed: { data: DATA, catalog: BEFORE },
    answers: ["allow r", "deny"],
  },
  {
    name: "another search_path: an unqualified name means every table of that name before and after",
    first: { text: SEARCH, policy: CLEAN, data: DATA, catalog: AFTER },
    changed: {},
    between: ["SET search_path = public"],
    answers: ["deny", "deny"],
  },
  {
    name: "another role: what it may do is the server's to say, what a statement does stays the same",
    first: { text: SEARCH, policy: allow('statement.kind in ["select", "set-role"]') },
    changed: {},
    between: ["SET ROLE other"],
    answers: ["allow r", "allow r"],
  },
  {
    name: "a setting by which the server would read the text differently: the change itself is refused",
    first: { text: "SELECT 'a\\'", policy: READ_ONLY },
    changed: { text: "SET standard_conforming_strings = off" },
    answers: ["allow read", "deny built-in:statement-reading"],
  },
  {
    name: "an agent that is observed no longer",
    first: { text: "DROP TABLE t", policy: READ_ONLY, isObserved: true },
    changed: { isObserved: false },
    answers: ["observed", "deny"],
  },
  {
    name: "an agent that is observed now",
    first: { text: "DROP TABLE t", policy: READ_ONLY },
    changed: { isObserved: true },
    answers: ["deny", "observed"],
  },
  {
    name: "a statement more in the same query",
    first: { text: SEARCH, policy: READ_ONLY },
    changed: { text: `${SEARCH}; DROP TABLE t` },
    answers: ["allow read", "deny"],
  },
];

let fresh: Fresh;
before(async () => {
  fresh = await new Fresh().prepare();
});

for (const { name, first, changed, between = [], answers } of rows) {
  test(`a decision is not kept over ${name}`, async () => {
    const kept = await new Kept().prepare();
    const second = { ...first, ...changed };
    const given: string[] = [];
    for (const question of [first, ...between.map((text) => ({ ...first, text })), second, second]) {
      const answer = kept.ask(question);
      assert.equal(answer, fresh.ask(question));
      given.push(answer);
    }
    assert.deepEqual([given[0], given.at(-2), given.at(-1)], [answers[0], answers[1], answers[1]]);
  });
}

test("a limit that is reached is seen although the decision on the statement is kept", () => {
  let full = false;
  const room = { refusal: () => (full ? "no room" : undefined) };
  const text = "rules: [{ name: read, on: sql, allow: {} }, { name: few, on: sql, limit: { rows: 5 } }]";
  const judge = policyOf(text).judge(subjectOf({ room }));
  const asked = [askedOf(operationOf({ name: "sql.read", facts: statementOf() }))];
  assert.equal(judge.decide(1, asked, new Uint8Array()).kind, "allow");
  full = true;
  assert.equal(judge.decide(2, asked, new Uint8Array()).kind, "deny");
  full = false;
  assert.equal(judge.decide(3, asked, new Uint8Array()).kind, "allow");
});

test("an approval lifts one ask, and the next of the same statement is held again", () => {
  const judge = policyOf("rules: [{ name: h, on: sql, hold: { approvers: [] } }]").judge(subjectOf());
  const asked = [askedOf(operationOf({ name: "sql.read", facts: statementOf() }))];
  const approval = { hold: "h1", by: ["root"] };
  assert.equal(judge.decide(1, asked, new Uint8Array()).kind, "hold");
  assert.equal(judge.lift(1, asked, new Uint8Array(), approval).kind, "allow");
  assert.equal(judge.decide(2, asked, new Uint8Array()).kind, "hold");
});

test("how a column is masked is not kept over its labels, the detector or the time", () => {
  let nowMs = Date.UTC(2025, 0, 15, 12);
  const rules = (when: string) =>
    `rules: [{ name: m, on: reveal, when: ${JSON.stringify(when)}, mask: { style: redact } }]`;
  const column = (labels: readonly string[]) => ({ schema: "s", table: "t", name: "c", labels });
  const byLabel = policyOf(rules("'pii' in column.labels")).judge(subjectOf());
  assert.deepEqual(
    [["pii"], [], ["pii"]].map((labels) => byLabel.reveal(column(labels), "")),
    ["redact", undefined, "redact"],
  );
  const byDetector = policyOf(rules("detector == 'email'")).judge(subjectOf());
  assert.deepEqual(
    ["email", "", "email"].map((one) => byDetector.reveal(column([]), one)),
    ["redact", undefined, "redact"],
  );
  const [marked, plain] = [column(["pii"]), column([])]; // the same objects, in turn
  assert.deepEqual(
    [marked, plain, marked].map((one) => byLabel.reveal(one, "")),
    ["redact", undefined, "redact"],
  );
  const byTime = policyOf(rules("time.hour < 18")).judge(subjectOf({ clock: { nowMs: () => nowMs } }));
  assert.equal(byTime.reveal(column([]), ""), "redact");
  nowMs = Date.UTC(2025, 0, 15, 18);
  assert.equal(byTime.reveal(column([]), ""), undefined);
});

const question: fc.Arbitrary<Question> = fc.record({
  text: fc.constantFrom(
    SEARCH,
    "SELECT a FROM t WHERE id = 2",
    "SELECT a FROM u",
    "DELETE FROM t WHERE id = 1",
    "DELETE FROM t WHERE 1 = 1",
    "DELETE FROM t WHERE 1 = 2",
    "INSERT INTO t VALUES ('x')",
    `INSERT INTO t VALUES ('${HASH}')`,
    "UPDATE t SET a = $1 WHERE id = $2",
    `${SEARCH}; DROP TABLE t`,
    "SET search_path = x",
    "BEGIN",
    "nonsense",
  ),
  policy: fc.constantFrom(
    ALL,
    READ_ONLY,
    CLEAN,
    allow('origin.executable == "/usr/bin/psql" && time.hour < 18'),
    allow('agent.name == "ci" || size(connection.labels) > 0'),
    `rules:
  - { name: all, on: sql, allow: {} }
  - { name: whole, on: [sql.update, sql.delete], when: "statement.where.tautology", deny: {} }
  - { name: night, on: sql.delete, when: "time.hour > 20", hold: { approvers: [] } }
  - { name: trial, shadow: true, on: sql.read, deny: {} }`,
  ),
  session: fc.constantFrom("s1", "s2"),
  agent: fc.constantFrom({}, { name: "bot" }, { groups: [] }),
  origin: fc.constantFrom({}, { executable: "/tmp/psql" }),
  connection: fc.constantFrom({}, { labels: { environment: "prod" } }),
  data: fc.constantFrom({}, DATA),
  catalog: fc.constantFrom(BEFORE, AFTER),
  parameters: fc.constantFrom(["x", "1"], ["[redacted]", "1"], [null, "********"]),
  atMs: fc.constantFrom(Date.UTC(2025, 0, 15, 12), Date.UTC(2025, 0, 15, 19), Date.UTC(2025, 0, 15, 23)),
  isObserved: fc.boolean(),
});

test("over any sequence of questions what is kept answers as a fresh look does", async () => {
  const kept = await new Kept().prepare();
  fc.assert(
    fc.property(fc.array(question, { minLength: 2, maxLength: 40 }), (questions) => {
      for (const one of questions) assert.equal(kept.ask(one), fresh.ask(one), JSON.stringify(one.text));
    }),
    { numRuns: 60 },
  );
});

test("what is revealed to one session is not kept for another that rules tell apart, nor for another policy", () => {
  const rules = (when: string) =>
    `rules: [{ name: m, on: reveal, when: ${JSON.stringify(when)}, mask: { style: redact } }]`;
  const column = { schema: "s", table: "t", name: "c", labels: ["pii"] };
  const other = { agent: { ...subjectOf().agent, name: "bot" }, sessionId: "s2" };
  const apart: readonly (readonly [when: string, one: string | undefined, other: string | undefined])[] = [
    ['agent.name == "ci"', "redact", undefined],
    [`session.id == "${subjectOf().sessionId}" && "pii" in column.labels`, "redact", undefined],
    ['column.labels.exists(l, l == "pii" && agent.name == "bot")', undefined, "redact"],
    ['"pii" in column.labels', "redact", "redact"],
  ];
  for (const [when, one, another] of apart) {
    const policy = policyOf(rules(when));
    const reveal = (changes: Parameters<typeof subjectOf>[0]) => policy.judge(subjectOf(changes)).reveal(column, "");
    assert.deepEqual([reveal({}), reveal(other), reveal({})], [one, another, one], when);
  }
  assert.equal(policyOf(rules("'payment' in column.labels")).judge(subjectOf()).reveal(column, ""), undefined);
});

test("what is revealed of more columns than are kept is what a fresh look says", () => {
  const judge = policyOf(
    `rules: [{ name: m, on: reveal, when: column.name.endsWith("7"), mask: { style: redact } }]`,
  ).judge(subjectOf());
  for (const round of [1, 2]) {
    for (let at = 0; at < REVEALED_COLUMNS_MAX + 20; at++) {
      const column = { schema: "s", table: "t", name: `c${at}`, labels: [] };
      assert.equal(judge.reveal(column, ""), at % 10 === 7 ? "redact" : undefined, `round ${round}, ${at}`);
    }
  }
});

test("a rule in shadow is told to each session, also where its answer is kept for all", () => {
  const policy = policyOf(
    `rules: [{ name: m, on: reveal, shadow: true, when: "'pii' in column.labels", mask: { style: redact } }]`,
  );
  const told: string[] = [];
  for (const sessionId of ["one", "two"]) {
    const subject = subjectOf({
      sessionId,
      shadowMask: (rule, style) => void told.push(`${sessionId} ${rule} ${style}`),
    });
    policy.judge(subject).reveal({ schema: "s", table: "t", name: "c", labels: ["pii"] }, "");
  }
  assert.deepEqual(told, ["one m redact", "two m redact"]);
});
