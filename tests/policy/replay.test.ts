/** A draft over recorded asks: exactly those that it decides otherwise, and how. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Operation } from "../../src/model/operation.ts";
import type { RecordedAsk } from "../../src/policy/recorded.ts";
import { type Change, type ReplaySummary, replay } from "../../src/policy/replay.ts";
import { operationOf, policyOf, SAMPLE_AGENT, SAMPLE_ORIGIN, statementOf } from "../kit/policy.ts";

const READ = operationOf({ name: "sql.read", facts: statementOf() });
const WIDE = operationOf({ name: "sql.read", facts: statementOf({ joins: 9 }) });
const DELETE = operationOf({ name: "sql.delete", facts: statementOf() });
const NOON = Date.UTC(2025, 0, 15, 12, 0, 0);

let number = 0;
function ask(operation: Operation, changes: Partial<RecordedAsk> = {}): RecordedAsk {
  number++;
  return {
    ...{ session: "s1", number, atMs: NOON, agent: SAMPLE_AGENT, origin: SAMPLE_ORIGIN },
    connection: { name: "orders", protocol: "postgres", labels: {} },
    asked: [{ operation, text: `text ${number}` }],
    ...{ isPartial: false, decision: "allow", rules: ["all"], wasObserved: false },
    ...changes,
  };
}

async function run(draft: string, asks: readonly RecordedAsk[]) {
  async function* source() {
    yield* asks;
  }
  const changes: string[] = [];
  let summary: ReplaySummary | undefined;
  const told = ({ session, number: at, was, would }: Change) =>
    changes.push(`${session}#${at} ${was.decision} -> ${would.decision} ${would.rules.join()}`);
  for await (const found of replay(policyOf(draft), source())) {
    if ("changes" in found) summary = found;
    else told(found);
  }
  return { changes, summary };
}

const STRICTER = `rules:
  - { name: read, on: sql.read, when: statement.joins < 3, allow: {} }
  - { name: approve, on: sql.delete, hold: { approvers: [] } }`;

test("a stricter draft lists exactly the statements that it decides otherwise", async () => {
  number = 0;
  const asks = [
    ask(READ),
    ask(WIDE),
    ask(DELETE),
    ask(WIDE, { decision: "deny", rules: ["old"] }),
    ask(operationOf()),
    ask(DELETE, { session: "s2" }),
  ];
  const { changes, summary } = await run(STRICTER, asks);
  assert.deepEqual(changes, ["s1#2 allow -> deny ", "s1#3 allow -> hold approve", "s2#6 allow -> hold approve"]);
  assert.deepEqual(summary, { asks: 5, changes: 3, unknown: 0 });
});

test("the policy under which it was recorded changes nothing", async () => {
  const all = "rules: [{ name: all, on: sql, allow: {} }]";
  assert.deepEqual((await run(all, [ask(READ), ask(DELETE), ask(WIDE)])).changes, []);
});

test("what was refused and would pass is a change, too", async () => {
  number = 0;
  const { changes } = await run(STRICTER, [
    ask(READ, { decision: "deny", rules: [] }),
    ask(DELETE, { decision: "hold" }),
  ]);
  assert.deepEqual(changes, ["s1#1 deny -> allow read"]);
});

test("an observed statement counts as what the rules said of it", async () => {
  number = 0;
  const observed = { decision: "deny", wasObserved: true } as const;
  const { changes } = await run(STRICTER, [
    ask(WIDE, { ...observed, rules: [] }),
    ask(DELETE, { ...observed, rules: ["approve"] }),
    ask(READ, { ...observed, rules: ["x"] }),
  ]);
  assert.deepEqual(changes, ["s1#3 deny -> allow read"]);
});

test("each statement is judged at its own time", async () => {
  const late = `rules: [{ name: day, on: sql, when: time.hour < 18, allow: {} }]`;
  number = 0;
  const { changes } = await run(late, [ask(READ), ask(READ, { atMs: NOON + 8 * 3_600_000 }), ask(READ)]);
  assert.deepEqual(changes, ["s1#2 allow -> deny "]);
});

test("what the facts do not tell any more is counted and not judged", async () => {
  const { changes, summary } = await run(STRICTER, [
    ask(READ, { isPartial: true }),
    ask(READ, { decision: "deny", rules: ["built-in:masked-value"] }),
    ask(
      { actions: [], forbidden: { rule: "built-in:unparsable", message: "" } },
      { decision: "deny", rules: ["built-in:unparsable"] },
    ),
  ]);
  assert.deepEqual([changes, summary], [[], { asks: 1, changes: 0, unknown: 2 }]);
});

test("a limit is not replayed", async () => {
  const limited = `rules:
  - { name: all, on: sql, allow: {} }
  - { name: few, on: sql, limit: { statements: 1, per: 1d } }`;
  assert.deepEqual((await run(limited, [ask(READ), ask(READ), ask(READ)])).changes, []);
});
