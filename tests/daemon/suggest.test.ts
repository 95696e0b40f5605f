/** Suggested rules, from real statements of PostgreSQL: the same traffic passes under them, anything else is denied. */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { SUGGESTED_VALUES_MAX } from "../../src/base/limits.ts";
import { compilePolicy } from "../../src/daemon/configuration.ts";
import type { Connection } from "../../src/model/connection.ts";
import type { Asked } from "../../src/model/operation.ts";
import { type RecordedAsk, subjectOfRecorded } from "../../src/policy/recorded.ts";
import { suggest } from "../../src/policy/suggest.ts";
import { postgres } from "../../src/protocols/postgres/index.ts";
import { SAMPLE_AGENT, SAMPLE_ORIGIN } from "../kit/policy.ts";

const ORDERS: Connection = {
  ...{ name: "orders", protocol: "postgres", addresses: [], labels: {}, tls: { mode: "disable" }, data: {} },
};
const BILLING = { ...ORDERS, name: "billing" };

before(() => postgres.prepare());

function ask(text: string, changes: Partial<RecordedAsk> = {}): RecordedAsk {
  const connect: readonly Asked[] = [
    { operation: { actions: [{ name: "connect", facts: { database: "shop", user: "app" } }] }, text },
  ];
  return {
    ...{ session: "s1", number: 1, atMs: 1, agent: SAMPLE_AGENT, origin: SAMPLE_ORIGIN, connection: ORDERS },
    asked: text === "connect" ? connect : (postgres.askedBy?.(text, ORDERS) ?? []),
    ...{ isPartial: false, decision: "deny", rules: [], wasObserved: true },
    ...changes,
  };
}

async function suggested(asks: readonly RecordedAsk[]) {
  async function* source() {
    yield* asks;
  }
  const found = await suggest(source(), postgres.actions);
  const policy = compilePolicy([{ name: "draft.yaml", text: found.text }], [ORDERS, BILLING]);
  const decide = (one: RecordedAsk) => policy.judge(subjectOfRecorded(one)).decide(1, one.asked, new Uint8Array()).kind;
  return { ...found, policy, decide };
}

/** What pgbench and a person with psql do. */
const TRAFFIC = [
  "connect",
  "SELECT abalance FROM pgbench_accounts WHERE aid = 17",
  "UPDATE pgbench_accounts SET abalance = abalance + 5 WHERE aid = 17",
  "UPDATE pgbench_tellers SET tbalance = tbalance + 5 WHERE tid = 3",
  "UPDATE pgbench_branches SET bbalance = bbalance + 5 WHERE bid = 1",
  "INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (3, 1, 17, 5, CURRENT_TIMESTAMP)",
  "BEGIN",
  "END",
  "SELECT count(*) FROM pgbench_history",
  "select n.nspname, c.relname from pg_catalog.pg_class c left join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r') order by 1,2",
];

const OTHERS = [
  "SELECT * FROM customers",
  "SELECT * FROM pgbench_accounts, customers",
  "SELECT * FROM pgbench_accounts, pgbench_history",
  "SELECT 1",
  "SELECT * FROM pg_catalog.pg_class",
  "SELECT * FROM secret.pgbench_accounts WHERE aid = 1",
  "DELETE FROM pgbench_accounts WHERE aid = 17",
  "UPDATE pgbench_accounts SET abalance = 0",
  "UPDATE pgbench_accounts SET abalance = 0 WHERE true",
  "UPDATE customers SET name = '' WHERE id = 1",
  "INSERT INTO pgbench_accounts VALUES (1)",
  "INSERT INTO pgbench_history SELECT * FROM customers",
  "TRUNCATE pgbench_history",
  "DROP TABLE pgbench_history",
  "SELECT pg_sleep(1)",
  "SELECT upper(abalance::text) FROM pgbench_accounts WHERE aid = 1",
  "COPY pgbench_accounts TO STDOUT",
  "SET ROLE postgres",
];

test("under the suggestion all of the traffic passes", async () => {
  const { decide, policy, asks, left } = await suggested(TRAFFIC.map((text) => ask(text)));
  for (const text of TRAFFIC) assert.equal(decide(ask(text)), "allow", text);
  assert.deepEqual([asks, left, policy.warnings], [8, 0, []]);
});

for (const text of OTHERS) {
  test(`under the suggestion is denied: ${text}`, async () => {
    const { decide } = await suggested(TRAFFIC.map((one) => ask(one)));
    assert.equal(decide(ask(text)), "deny");
  });
}

test("another agent, another connection and another database are denied", async () => {
  const { decide } = await suggested(TRAFFIC.map((text) => ask(text)));
  for (const text of ["connect", TRAFFIC[1] ?? ""]) {
    assert.equal(decide(ask(text, { agent: { ...SAMPLE_AGENT, name: "bot" } })), "deny");
    assert.equal(decide(ask(text, { connection: BILLING })), "deny");
  }
  const other = { operation: { actions: [{ name: "connect", facts: { database: "other", user: "app" } }] }, text: "" };
  assert.equal(decide(ask("connect", { asked: [other] })), "deny");
});

test("the file is short: one rule for each kind of action and set of tables, with how often it was seen", async () => {
  const { text, rules } = await suggested(TRAFFIC.map((one) => ask(one)));
  assert.equal(rules, 6);
  assert.match(text, /# seen 3 times\n {2}- name: ci-orders-sql-update\n {4}on: sql\.update\n {4}when: >-\n/);
  assert.match(text, /agent\.name == "ci"\n {6}&& connection\.name == "orders"\n {6}&& statement\.kind == "update"/);
  assert.match(text, /x\.name in \["pgbench_accounts", "pgbench_branches", "pgbench_tellers"\]/);
  assert.match(text, /^# Suggested from 8 recorded operations\. Read it before/);
});

test("what was done to one table is not allowed to another of which something else was seen", async () => {
  const traffic = ["DROP TABLE scratch", "CREATE INDEX ON orders (id)", "TRUNCATE logs", "DELETE FROM marks"];
  const { decide, text } = await suggested(traffic.map((one) => ask(one)));
  for (const one of traffic) assert.equal(decide(ask(one)), "allow", text);
  for (const one of ["DROP TABLE orders", "CREATE INDEX ON scratch (id)", "TRUNCATE marks", "DELETE FROM logs"]) {
    assert.equal(decide(ask(one)), "deny", `${one}\n${text}`);
  }
  const both = [
    "CREATE INDEX ON a (id)",
    "CREATE INDEX ON b (id)",
    "ALTER TABLE a ADD c int",
    "ALTER TABLE b ADD c int",
  ];
  assert.equal((await suggested(both.map((one) => ask(one)))).rules, 1);
});

test("two agents that do the same share a rule, and what differs does not", async () => {
  const bot = { agent: { ...SAMPLE_AGENT, name: "bot" } };
  const { text, rules, decide } = await suggested([
    ...[ask("connect"), ask("connect", bot), ask("SELECT * FROM a"), ask("SELECT * FROM a", bot)],
    ask("DELETE FROM b WHERE id = 1", bot),
  ]);
  assert.equal(rules, 3, text);
  assert.match(text, /agent\.name in \["bot", "ci"\]/);
  assert.equal(decide(ask("DELETE FROM b WHERE id = 1")), "deny");
});

test("what people did not let go is not suggested", async () => {
  const held = { decision: "hold", wasObserved: false } as const;
  const { left, decide } = await suggested([
    ask("DELETE FROM a WHERE id = 1", { ...held, wasLetGo: true }),
    ask("DELETE FROM b WHERE id = 1", { ...held, wasLetGo: false }),
    ask("DELETE FROM c WHERE id = 1", held),
  ]);
  assert.equal(left, 2);
  assert.deepEqual(
    ["a", "b", "c"].map((table) => decide(ask(`DELETE FROM ${table} WHERE id = 1`))),
    ["allow", "deny", "deny"],
  );
});

test("what was denied, forbidden or is not whole is left out and counted", async () => {
  const { left, text, decide } = await suggested([
    ask("SELECT * FROM a"),
    ask("SELECT * FROM b", { wasObserved: false }),
    ask("not SQL"),
    ask("SELECT * FROM c", { isPartial: true }),
  ]);
  assert.equal(left, 3);
  assert.match(text, /# 3 more were denied or cannot be judged again/);
  assert.deepEqual(
    ["a", "b", "c"].map((table) => decide(ask(`SELECT * FROM ${table}`))),
    ["allow", "deny", "deny"],
  );
});

test("what was allowed by rules counts like what was observed", async () => {
  const { decide } = await suggested([ask("SELECT * FROM a", { decision: "allow", wasObserved: false })]);
  assert.equal(decide(ask("SELECT * FROM a")), "allow");
});

test("names that an agent chose cannot write rules of their own", async () => {
  const text = 'SELECT * FROM "a\n  - name: evil\n    on: sql\n    allow: {}\n""\\\u2028😀"';
  const { policy, decide } = await suggested([ask(text)]);
  assert.equal(policy.rules.length, 1);
  assert.equal(decide(ask(text)), "allow");
  assert.equal(decide(ask("SELECT * FROM b")), "deny");
});

test("more values than anybody reviews are not listed, and the file says so", async () => {
  const many = Array.from({ length: SUGGESTED_VALUES_MAX + 1 }, (_, at) => ask(`SELECT * FROM t${at}`));
  const { text, decide } = await suggested(many);
  assert.match(text, /# statement\.tables had more than 64 values: it is not narrowed by them/);
  assert.equal(decide(ask("SELECT * FROM other")), "allow");
  assert.equal(decide(ask("DELETE FROM other")), "deny");
});

test("no traffic is a policy that denies everything", async () => {
  const { text, policy } = await suggested([]);
  assert.match(text, /\nrules: \[\]\n$/);
  assert.deepEqual(policy.rules, []);
});
