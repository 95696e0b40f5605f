/** When the planner may be asked for rows, what it is asked, and what its answer is taken to say. */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { analyse, prepareAnalysis } from "../../../src/protocols/postgres/actions.ts";
import { EstimateLookup, estimateOf } from "../../../src/protocols/postgres/estimate.ts";
import { join, messagesIn, server } from "../../kit/wire.ts";

before(() => prepareAnalysis());

const askedFor = (text: string, parameters: readonly (string | null)[] = []) =>
  analyse(text, { data: {}, catalog: undefined }).statements.map(({ operation, text: one }) => ({
    operation,
    text: one,
    parameters,
  }));

const estimated = [
  { text: "select * from t where lower(a) = 'x'", tables: ["t"] },
  { text: "delete from public.t using u where t.id = u.id", tables: ["t", "u"] },
  { text: "update t set a = a + 1 where id = $1", tables: ["t"] },
  { text: "insert into t select * from u", tables: ["t", "u"] },
  { text: "merge into t using u on t.id = u.id when matched then delete", tables: ["t", "u"] },
  { text: "with gone as (delete from t returning *) select count(*) from gone", tables: ["t"] },
] as const;
for (const { text, tables } of estimated) {
  test(`may be asked: ${text}`, () => {
    const found = estimateOf(askedFor(text));
    assert.ok("question" in found, JSON.stringify(found));
    assert.deepEqual(found.question.tables.map(({ name }) => name).toSorted(), [...tables]);
  });
}

const unestimated = [
  { text: "delete from t where id = my_function(id)", why: /my_function/ },
  { text: "delete from t where id = app.lower('x')", why: /app\.lower/ },
  { text: "update t set a = 1 where pg_sleep(10) is not null", why: /./ },
  { text: "delete from t where a operator(app.=) 1", why: /./ },
  { text: "truncate t", why: /only SELECT/ },
  { text: "drop table t", why: /only SELECT/ },
  { text: "copy t from stdin", why: /only SELECT/ },
  { text: "call p()", why: /./ },
  { text: "explain delete from t", why: /./ },
  { text: "delete from t; delete from u", why: /more than one/ },
] as const;
for (const { text, why } of unestimated) {
  test(`may not be asked: ${text}`, () => {
    const found = estimateOf(askedFor(text));
    assert.ok("unknown" in found, JSON.stringify(found));
    assert.match(found.unknown, why);
  });
}

test("a parameter that is known only as it is shown is not bound", () => {
  const text = "delete from t where id = $1";
  assert.ok("unknown" in estimateOf(askedFor(text, ["binary type 17: \\x00"])));
  assert.ok("unknown" in estimateOf(askedFor(text, ["aaa… (70000 bytes)"])));
  assert.ok("question" in estimateOf(askedFor(text, ["5"])));
});

const QUESTION = {
  kind: "estimate",
  text: "delete from t where id = $1",
  parameters: ["5", null],
  tables: [{ schema: "", name: "o'brien" }],
} as const;

test("it is read only, bounded in time, checked before it is planned, and never executed", () => {
  const [setting, parse, bind, execute, sync] = messagesIn(new EstimateLookup(QUESTION).start());
  const first = setting?.body.toString() ?? "";
  for (const part of [
    "statement_timeout = '1s'",
    "lock_timeout = '1s'",
    "BEGIN READ ONLY",
    "relkind NOT IN",
    "1 / CASE",
  ]) {
    assert.ok(first.includes(part), part);
  }
  assert.ok(!first.includes("brien"), "names go as hexadecimal");
  assert.equal(parse?.body.toString(), "\0EXPLAIN (FORMAT JSON) delete from t where id = $1\0\0\0");
  assert.doesNotMatch(parse?.body.toString() ?? "", /analyze/i);
  assert.deepEqual(
    [bind, execute, sync].map((one) => one?.type),
    ["B", "E", "S"],
  );
});

const plan = (json: unknown) =>
  join(
    server.complete("SET"),
    server.ready(),
    server.row(JSON.stringify(json)),
    server.complete("EXPLAIN"),
    server.ready(),
  );
const scan = (rows: number, more: object = {}) => ({ "Node Type": "Seq Scan", "Plan Rows": rows, ...more });
const failure = (C: string) => join(server.error({ S: "ERROR", C, M: "x" }), server.ready());

const answers = [
  { name: "a SELECT", bytes: plan([{ Plan: scan(7) }]), says: "about 7 rows" },
  { name: "one row", bytes: plan([{ Plan: scan(1) }]), says: "about 1 row" },
  {
    name: "a change: what is below it, over all partitions, without subplans",
    bytes: plan([
      {
        Plan: {
          "Node Type": "ModifyTable",
          "Plan Rows": 0,
          Plans: [scan(5), scan(2), scan(9, { "Parent Relationship": "InitPlan" })],
        },
      },
    ]),
    says: "about 7 rows",
  },
  { name: "no plan", bytes: plan("nothing"), says: "not known: the plan cannot be read" },
  {
    name: "something else than tables",
    bytes: join(failure("22012"), failure("25P02")),
    says: "not known: it names something else than plain tables",
  },
  {
    name: "a locked table",
    bytes: join(plan([]).subarray(0, 0), failure("55P03"), failure("25P02")),
    says: "not known: a table is locked",
  },
  { name: "another error", bytes: join(server.ready(), failure("42703")), says: "not known: the server says 42703" },
] as const;
for (const { name, bytes, says } of answers) {
  test(`an answer of ${name}`, () => {
    const whole = new EstimateLookup(QUESTION).receive(bytes);
    assert.equal(whole, says);
    const split = new EstimateLookup(QUESTION);
    let said: string | undefined;
    for (const byte of bytes) said ??= split.receive(Uint8Array.of(byte));
    assert.equal(said, says, "byte by byte");
  });
}

test("an answer without end is given up", () => {
  const lookup = new EstimateLookup(QUESTION);
  let said: string | undefined;
  for (let index = 0; said === undefined && index < 100; index++)
    said = lookup.receive(server.row("x".repeat(64 * 1024)));
  assert.match(said ?? "", /too large/);
});
