/** What goes and what stays, by age, size, labels, holds and whether it is open. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { planRetention, type RetentionRule, type StoredSession } from "../../src/recorder/retention.ts";

const DAY = 86_400_000;
const NOW = 1_000 * DAY;
const session = (id: string, days: number | "open", more: Partial<StoredSession> = {}): StoredSession => ({
  ...{ id, labels: { environment: "prod" }, bytes: 10, held: "free" },
  endedMs: days === "open" ? undefined : NOW - days * DAY,
  ...more,
});
const all: RetentionRule["connections"] = {};
const prod = { environment: "prod" };

const rows: readonly {
  readonly name: string;
  readonly sessions: readonly StoredSession[];
  readonly rules: readonly RetentionRule[];
  readonly goes: readonly string[];
}[] = [
  { name: "without rules all stays", sessions: [session("a", 900)], rules: [], goes: [] },
  { name: "a rule without terms keeps all", sessions: [session("a", 900)], rules: [{ connections: all }], goes: [] },
  {
    name: "what ended longer ago than its rule keeps goes, at the day itself it stays",
    sessions: [session("a", 31), session("b", 30), session("c", 29)],
    rules: [{ connections: all, keepMs: 30 * DAY }],
    goes: ["a 0 age"],
  },
  {
    name: "the oldest go until the rest fits",
    sessions: [session("c", 1), session("a", 3), session("b", 2)],
    rules: [{ connections: all, keepBytes: 15 }],
    goes: ["a 0 size", "b 0 size"],
  },
  {
    name: "what goes by age makes room first",
    sessions: [session("a", 40), session("b", 2), session("c", 1)],
    rules: [{ connections: all, keepMs: 30 * DAY, keepBytes: 20 }],
    goes: ["a 0 age"],
  },
  {
    name: "what is under legal hold stays, and counts",
    sessions: [session("a", 40, { held: "held" }), session("b", 2), session("c", 1)],
    rules: [{ connections: all, keepMs: 30 * DAY, keepBytes: 20 }],
    goes: ["b 0 size"],
  },
  {
    name: "what is open stays, and counts",
    sessions: [session("a", "open", { bytes: 100 }), session("b", 1)],
    rules: [{ connections: all, keepMs: 0, keepBytes: 50 }],
    goes: ["b 0 age"],
  },
  {
    name: "the first rule that fits counts, and each rule has a size of its own",
    sessions: [
      session("a", 50),
      session("b", 50, { labels: {} }),
      session("c", 50, { labels: { environment: "test" } }),
    ],
    rules: [
      { connections: prod, keepMs: 365 * DAY },
      { connections: { environment: "test" }, keepBytes: 5 },
      { connections: all, keepMs: 30 * DAY },
    ],
    goes: ["b 2 age", "c 1 size"],
  },
  {
    name: "a connection that was removed from the settings is kept as long as the longest rule says, and never goes by size",
    sessions: [session("a", 50, { labels: undefined }), session("b", 400, { labels: undefined, bytes: 100 })],
    rules: [
      { connections: prod, keepMs: 365 * DAY, keepBytes: 5 },
      { connections: all, keepMs: 30 * DAY },
    ],
    goes: ["b 0 age"],
  },
  {
    name: "a connection that was removed stays for ever where a rule keeps some for ever",
    sessions: [session("a", 900, { labels: undefined })],
    rules: [
      { connections: prod, keepBytes: 5 },
      { connections: all, keepMs: 30 * DAY },
    ],
    goes: [],
  },
  {
    name: "all labels of a rule must fit",
    sessions: [session("a", 50)],
    rules: [{ connections: { environment: "prod", team: "x" }, keepMs: 0 }],
    goes: [],
  },
];
for (const { name, sessions, rules, goes } of rows) {
  test(`${name}`, () => {
    const plan = planRetention(sessions, rules, NOW).map(({ id, rule, why }) => `${id} ${rule} ${why}`);
    assert.deepEqual(plan.toSorted(), goes);
  });
}

test("whatever there is: nothing open or held goes, nothing goes twice, and what is left fits or may not go", () => {
  const stored = fc.record({
    endedMs: fc.option(fc.integer({ min: 0, max: NOW }), { nil: undefined }),
    bytes: fc.nat(1_000),
    held: fc.constantFrom("held" as const, "free" as const),
  });
  fc.assert(
    fc.property(fc.array(stored), fc.nat(10_000), fc.nat(NOW), (some, keepBytes, keepMs) => {
      const sessions = some.map((one, at): StoredSession => ({ id: `s${at}`, labels: {}, ...one }));
      const gone = planRetention(sessions, [{ connections: {}, keepBytes, keepMs }], NOW).map(({ id }) => id);
      assert.equal(new Set(gone).size, gone.length);
      const left = sessions.filter(({ id }) => !gone.includes(id));
      const free = left.filter(({ endedMs, held }) => endedMs !== undefined && held === "free");
      assert.equal(
        left.filter(({ endedMs, held }) => endedMs === undefined || held === "held").length,
        left.length - free.length,
      );
      for (const id of gone)
        assert.ok(sessions.some((one) => one.id === id && one.held === "free" && one.endedMs !== undefined));
      for (const { endedMs } of free) assert.ok(NOW - (endedMs ?? 0) <= keepMs);
      assert.ok(free.length === 0 || left.reduce((sum, { bytes }) => sum + bytes, 0) <= keepBytes);
    }),
  );
});
