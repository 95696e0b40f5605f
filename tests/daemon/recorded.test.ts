/** Recordings as asks to judge again: numbered as `sessions show` does, with the first decision of a hold. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { entriesOf } from "../../src/daemon/entries.ts";
import { recordedAsks } from "../../src/daemon/recorded.ts";
import type { Connection } from "../../src/model/connection.ts";
import type { RecordedAsk } from "../../src/policy/recorded.ts";
import type { ReadEntry } from "../../src/recorder/read.ts";
import { SAMPLE_ORIGIN } from "../kit/policy.ts";

const ORDERS: Connection = {
  ...{ name: "orders", protocol: "postgres", addresses: [], tls: { mode: "disable" }, data: {} },
  labels: { environment: "prod" },
};
let sequence = 0;
const at = () => ({ sequence: ++sequence, atMs: 1_000 + sequence });
const start = (connection = "orders") => ({
  ...at(),
  ...{ kind: "start", sessionId: "s1", agent: "ci", groups: ["ci"], claims: { team: "shop" }, connection },
  ...{ protocol: "postgres", origin: SAMPLE_ORIGIN, policy: "p", upstreamTls: "disable", placeholders: [] },
});
const action = (askId: number, text: string, facts = '{"a":1}', more: object = {}) => ({
  ...at(),
  ...{ kind: "action", askId, text, textTruncated: false, parameters: [], parametersTruncated: false, prepared: false },
  ...{ actions: [{ name: "sql.read", facts }], forbidden: undefined },
  ...more,
});
const decision = (askId: number, kind: "allow" | "deny" | "hold", more: object = {}) => ({
  ...at(),
  ...{ kind: "decision", askId, decision: kind, rules: ["r"], message: "", policy: "p", ...more },
});
const answer = (askId: number) => ({ ...at(), kind: "answer", askId, rows: 1, bytes: 1, masks: [], outcome: "" });

async function* source(read: readonly object[]): AsyncGenerator<ReadEntry> {
  for (const entry of read) yield entry as ReadEntry;
}

async function asksIn(read: readonly object[], connections: readonly Connection[] = [ORDERS]) {
  const all: RecordedAsk[] = [];
  for await (const ask of recordedAsks(source(read), connections)) all.push(ask);
  return all;
}

test("an ask has its subject as recorded, and its connection's labels of today", async () => {
  const [ask, ...more] = await asksIn([start(), action(1, "select 1"), decision(1, "allow")]);
  assert.ok(ask);
  assert.equal(more.length, 0);
  assert.deepEqual(ask.agent, { slot: 0, name: "ci", groups: ["ci"], claims: { team: "shop" } });
  assert.deepEqual(ask.connection.labels, { environment: "prod" });
  assert.equal(ask.origin.executable, SAMPLE_ORIGIN.executable);
  assert.deepEqual(ask.asked, [{ operation: { actions: [{ name: "sql.read", facts: { a: 1 } }] }, text: "select 1" }]);
  assert.deepEqual([ask.decision, ask.rules, ask.wasObserved, ask.isPartial], ["allow", ["r"], false, false]);
  const [gone] = await asksIn([start("old"), action(1, "select 1"), decision(1, "allow")]);
  assert.deepEqual(gone?.connection, { name: "old", protocol: "postgres", labels: {} });
});

test("several operations of one ask stay together", async () => {
  const [ask] = await asksIn([start(), action(1, "a"), action(1, "b"), decision(1, "deny")]);
  assert.deepEqual(
    ask?.asked.map(({ text }) => text),
    ["a", "b"],
  );
});

test("of a hold the first decision counts, not what came of it", async () => {
  const asks = await asksIn([start(), action(1, "a"), decision(1, "hold"), decision(1, "allow"), answer(1)]);
  assert.deepEqual(
    asks.map((ask) => [ask.decision, ask.wasLetGo]),
    [["hold", true]],
  );
  const [denied] = await asksIn([start(), action(1, "a"), decision(1, "hold"), decision(1, "deny")]);
  assert.deepEqual([denied?.decision, denied?.wasLetGo], ["hold", false]);
  const [crashed] = await asksIn([start(), action(1, "a"), decision(1, "hold")]);
  assert.deepEqual([crashed?.decision, crashed?.wasLetGo], ["hold", undefined]);
});

test("what was made ready only is known as such, so that a rule that holds does not count as a change", async () => {
  const [ask] = await asksIn([start(), action(1, "a", "{}", { prepared: true }), decision(1, "allow")]);
  assert.equal(ask?.asked[0]?.prepared, true);
});

test("of an observed ask counts what the rules said", async () => {
  const observed = { observed: { rules: ["no"], message: "No" } };
  const [ask] = await asksIn([start(), action(1, "a"), decision(1, "allow", observed)]);
  assert.deepEqual([ask?.decision, ask?.rules, ask?.wasObserved], ["deny", ["no"], true]);
});

test("facts that were not kept make an ask partial, and what was forbidden stays so", async () => {
  const forbidden = { rule: "built-in:unparsable", message: "no" };
  const [long, bad] = await asksIn([
    ...[start(), action(1, "a", ""), decision(1, "allow")],
    ...[action(2, "b", "{}", { actions: [], forbidden }), decision(2, "deny")],
  ]);
  assert.equal(long?.isPartial, true);
  assert.deepEqual([bad?.isPartial, bad?.asked[0]?.operation], [false, { actions: [], forbidden }]);
});

test("asks are numbered as the session's lines are", async () => {
  const read = [
    ...[
      start(),
      action(1, "a"),
      action(1, "b"),
      decision(1, "allow"),
      answer(1),
      { ...at(), kind: "gap", operations: 1 },
    ],
    ...[action(2, "c"), decision(2, "hold"), decision(2, "allow"), answer(2), action(3, "d"), decision(3, "deny")],
  ];
  const lines = new Map<number, string>();
  for await (const { number, kind, text } of entriesOf(source(read), 0, "ended")) lines.set(number, `${kind} ${text}`);
  const asks = await asksIn(read);
  assert.deepEqual(
    asks.map(({ number }) => lines.get(number)),
    ["decision a\nb", "decision c", "decision d"],
  );
});
