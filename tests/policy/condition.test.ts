import assert from "node:assert/strict";
import { test } from "node:test";
import type { Facts } from "../../src/model/operation.ts";
import { type Condition, compileCondition, createChecker } from "../../src/policy/condition.ts";
import { SAMPLE_CATALOGUE, statementOf } from "../kit/policy.ts";

const SUBJECT: Facts = {
  agent: { name: "ci", groups: ["ci", "dev"], claims: { repo: "acme/shop", constructor: "x" } },
  origin: { pid: 7, uid: 0, user: "", executable: "/bin/a", comm: "a", cgroup: "/a", address: "192.0.2.1", port: 1 },
  connection: { name: "orders", protocol: "postgres", labels: { environment: "prod" } },
  session: { id: "s" },
};
const TIME: Facts = { time: { hour: 1, minute: 2, weekday: 3, epoch: 4 } };
const FACTS = statementOf({
  text: "héllo 😀",
  joins: 3,
  tables: [
    { schema: "public", name: "a", labels: ["pii"] },
    { schema: "other", name: "b", labels: [] },
  ],
});

function compileFor(action: string, text: string): Condition {
  const declaration = SAMPLE_CATALOGUE.find(({ name }) => name === action);
  assert.ok(declaration);
  return compileCondition(text, [createChecker(declaration)]);
}

const answers: readonly [condition: string, answer: boolean][] = [
  ["statement.joins + 2 * 3 - 1 == 8", true],
  ["statement.joins / -2 == -1 && -statement.joins % 2 == -1", true],
  ["'ci' in agent.groups && !('ops' in agent.groups)", true],
  ["'repo' in agent.claims && !('toString' in agent.claims)", true],
  ["has(agent.claims.repo) && !has(agent.claims.toString)", true],
  ["has(agent.claims.constructor)", true],
  ["agent.claims['repo'].startsWith('acme/') && agent.claims.repo.endsWith('shop')", true],
  ["agent.claims.exists(k, k == 'repo')", true],
  ["statement.tables.exists(t, 'pii' in t.labels)", true],
  ["statement.tables.all(t, 'pii' in t.labels)", false],
  ["statement.tables.exists_one(t, t.schema == 'other')", true],
  ["statement.tables.filter(t, t.schema == 'public').map(t, t.name) == ['a']", true],
  ["statement.tables.map(t, t.schema == 'other', t.name)[0] == 'b'", true],
  ["size(statement.tables) == 2 && statement.tables.size() == 2", true],
  ["statement.tables.all(t, statement.tables.exists(u, u.name == t.name && t.labels == u.labels))", true],
  ["[].all(x, false) && ![].exists(x, true)", true],
  ["statement.text.size() == 7", true],
  ["'ABCé'.lowerAscii() == 'abcé' && 'É'.lowerAscii() == 'É' && 'abc'.upperAscii() == 'ABC'", true],
  ["'\\uFFFD' < '😀' && 'a' < 'b' && 'a' < 'aa' && 'a' <= 'a'", true],
  ["string(12) + 'x' == '12x' && int('-7') == -7 && string(true) == 'true'", true],
  ["(statement.joins > 2 ? 'many' : 'few') == 'many'", true],
  ["{'a': 1}['a'] == 1 && {'a': 1, 'b': 2} == {'b': 2, 'a': 1}", true],
  ["statement.tables[9].name == 'x' || true", true],
  ["false && statement.tables[9].name == 'x'", false],
  ["statement.tables[9].name == 'x' && false", false],
  ["[1, 0].exists(x, 1 / x == 1)", true],
  ["[0, 1].exists(x, 1 / x == 1)", true],
  ["[0, 1].all(x, 1 / x == 2)", false],
  ["agent.name.matches('^c.$') && agent.name.matches('i') && !agent.name.matches('^i')", true],
  ["connection.labels.environment == 'prod' && session.id == 's' && time.hour == 1", true],
];
for (const [text, answer] of answers)
  test(`${text} is ${answer}`, () => assert.equal(compileFor("sql", text).test(SUBJECT, FACTS, TIME), answer));

const failures: readonly [condition: string, says: RegExp][] = [
  ["statement.tables[9].name == 'x'", /index out of range/],
  ["statement.tables[-1].name == 'x'", /index out of range/],
  ["agent.claims['nope'] == 'x'", /no such key/],
  ["agent.claims.toString == 'x'", /no such key/],
  ["agent.claims['__proto__'] == 'x'", /no such key/],
  ["statement.joins / (statement.joins - 3) == 1", /division by zero/],
  ["statement.joins * 9007199254740991 > 0", /overflow/],
  ["statement.tables[9].name == 'x' || false", /index/],
  ["[0, 1].all(x, 1 / x == 1)", /division/],
  ["[0, 2].exists(x, 1 / x == 1)", /division/],
  ["[0, 1].exists_one(x, 1 / x == 1)", /division/],
  ["int('x') == 1", /digits/],
];
for (const [text, says] of failures)
  test(`${text} fails`, () => {
    const answer = compileFor("sql", text).test(SUBJECT, FACTS, TIME);
    assert.ok(answer instanceof Error);
    assert.match(answer.message, says);
  });

test("a budget that is spent fails, even where the other side of || would decide", () => {
  const tables = Array.from({ length: 400 }, (_, at) => ({ schema: "s", name: `t${at}`, labels: [] }));
  const condition = compileFor("sql", "statement.tables.all(t, statement.tables.all(u, u.name != '')) || true");
  const answer = condition.test(SUBJECT, statementOf({ tables }), TIME);
  assert.ok(answer instanceof Error);
  assert.match(answer.message, /too many steps/);
  assert.equal(condition.test(SUBJECT, statementOf({ tables: tables.slice(0, 100) }), TIME), true);
});

test("matches() takes linear time on a pattern that makes backtracking explode", () => {
  const condition = compileFor("sql", "statement.text.matches('(a+)+$')");
  const startedMs = performance.now();
  assert.equal(condition.test(SUBJECT, statementOf({ text: `${"a".repeat(50_000)}!` }), TIME), false);
  // Backtracking needs minutes for 40 characters; the bound is wide for slow machines.
  assert.ok(performance.now() - startedMs < 5_000);
});

test("a condition knows whether it reads time", () => {
  assert.equal(compileFor("sql", "time.hour > 3").readsTime, true);
  assert.equal(compileFor("sql", "agent.groups.exists(g, time.hour > 3 && g == 'x')").readsTime, true);
  assert.equal(compileFor("sql", "agent.name == 'time'").readsTime, false);
});

const excluded: readonly [condition: string, excludes: boolean][] = [
  ["agent.name == 'bot' && statement.joins == 3", true],
  ["statement.joins == 3 && agent.name == 'bot'", true],
  ["agent.name == 'bot' && 1 / (statement.joins - 3) == 1", true],
  ["'ops' in agent.groups", true],
  ["agent.groups.exists(g, g == 'ops') && statement.joins == 3", true],
  ["agent.name == 'ci' && statement.joins == 3", false],
  ["agent.name == 'bot' || statement.joins == 3", false],
  ["!(agent.name == 'ci' && statement.joins == 3)", false],
  ["agent.claims['none'] == 'x' && statement.joins == 3", false],
  ["time.hour == 25 && agent.name == 'ci'", false],
  ["statement.joins == 4", false],
];
for (const [text, excludes] of excluded) {
  test(`${text} is ${excludes ? "" : "not "}left out for this subject, and then nothing makes it true`, () => {
    const condition = compileFor("sql.read", text);
    assert.equal(condition.excludes(SUBJECT), excludes);
    if (excludes) assert.equal(condition.test(SUBJECT, FACTS, TIME), false);
  });
}
