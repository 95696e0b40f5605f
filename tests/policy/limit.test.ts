/** Limits: what they count, when they are reached, when there is room again, and what is stopped. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LIMIT_COUNTERS_MAX } from "../../src/base/limits.ts";
import type { Decision } from "../../src/model/decision.ts";
import { Ledger, type SessionUsage } from "../../src/policy/ledger.ts";
import { askedOf, CONNECT_FACTS, operationOf, policyOf, statementOf, subjectOf } from "../kit/policy.ts";

const READ = operationOf({ name: "sql.read", facts: statementOf() });
const WIDE = operationOf({ name: "sql.read", facts: statementOf({ joins: 9 }) });
const HOUSEKEEPING = Object.freeze({ actions: [] });
const BYTES = new Uint8Array();

/** A daemon's ledger with a clock that a test moves, and sessions of one policy. */
function world(limit: string) {
  let nowMs = 1_700_000_000_000;
  const clock = { nowMs: () => nowMs };
  const ledger = new Ledger(clock);
  const policy = policyOf(`rules:\n  - { name: read, on: sql.read, allow: {} }\n  - ${limit}`);
  const session = (agent = "ci", connection = "orders") => {
    const usage = ledger.session(agent, connection);
    const subject = subjectOf({ clock, room: usage });
    return { usage, judge: policy.judge(subject) };
  };
  return {
    session,
    later: (ms: number) => {
      nowMs += ms;
    },
  };
}

/** One statement, decided and answered at once; what the session would be stopped for. */
function run({ judge, usage }: ReturnType<ReturnType<typeof world>["session"]>, id: number, rows = 1, bytes = 10) {
  const decision = judge.decide(id, [askedOf(READ)], BYTES);
  if (decision.kind !== "allow") return decision;
  usage.begin(id, decision.limits);
  usage.answered(id, rows, bytes);
  return decision;
}

const kinds = (decisions: readonly Decision[]) => decisions.map(({ kind }) => kind).join(" ");

test("statements beyond the limit are denied until the window has slid", () => {
  const { session, later } = world("{ name: few, on: sql.read, limit: { statements: 2, per: 1m, message: Slowly } }");
  const one = session();
  assert.equal(kinds([run(one, 1), run(one, 2)]), "allow allow");
  const denied = run(one, 3);
  assert.ok(denied.kind === "deny");
  assert.deepEqual(denied.rules, ["few"]);
  assert.match(
    denied.message,
    /^Slowly: The limit of rule few \(2 statements in 60 s\) is reached; .* again in 6[01] s$/,
  );
  later(59_000);
  assert.equal(run(one, 4).kind, "deny");
  later(2_000);
  assert.equal(run(one, 5).kind, "allow");
});

test("what goes on from something before it counts towards the limit of that, and is denied when it is reached", () => {
  const { session } = world("{ name: few, on: sql.read, limit: { rows: 50, per: 1m } }");
  const one = session();
  const fetch = (id: number, rows: number, changes: object = { continues: true }) => {
    const decision = one.judge.decide(id, [{ operation: HOUSEKEEPING, text: "FETCH", ...changes }], BYTES);
    if (decision.kind === "allow") one.usage.begin(id, decision.limits);
    one.usage.answered(id, rows, 10);
    return decision.kind;
  };
  assert.equal(fetch(1, 100), "allow", "nothing was asked for before");
  assert.equal(run(one, 2, 0).kind, "allow");
  assert.deepEqual([fetch(3, 40), fetch(4, 40), fetch(5, 40)], ["allow", "allow", "deny"]);
  assert.equal(fetch(6, 0, {}), "allow", "other housekeeping goes on");
  assert.equal(run(session(), 7).kind, "deny", "another session of the agent shares it");
});

test("the time that is told is the time at which there is room", () => {
  const { session, later } = world("{ name: few, on: sql.read, limit: { statements: 3, per: 1h } }");
  const one = session();
  for (const ms of [0, 600_000, 600_000]) {
    later(ms);
    assert.equal(run(one, 1).kind, "allow");
  }
  const denied = run(one, 2);
  const seconds = Number(/again in (\d+) s/.exec(denied.kind === "deny" ? denied.message : "")?.[1]);
  later((seconds - 1) * 1_000 - 60_000);
  assert.equal(run(one, 3).kind, "deny");
  later(61_000);
  assert.equal(run(one, 4).kind, "allow");
});

test("what is asked for together counts together", () => {
  const { session } = world("{ name: few, on: sql.read, limit: { statements: 3, per: 1m } }");
  const { judge, usage } = session();
  const many = (count: number) =>
    judge.decide(
      1,
      Array.from({ length: count }, () => askedOf(READ)),
      BYTES,
    );
  assert.equal(many(4).kind, "deny");
  const three = many(3);
  assert.equal(three.kind, "allow");
  if (three.kind === "allow") usage.begin(1, three.limits);
  assert.equal(many(1).kind, "deny");
});

test("an agent's sessions on one connection share a limit; other agents and connections have their own", () => {
  const { session } = world("{ name: few, on: sql.read, limit: { statements: 1, per: 1m } }");
  assert.equal(run(session(), 1).kind, "allow");
  assert.equal(run(session(), 1).kind, "deny");
  assert.equal(run(session("bot"), 1).kind, "allow");
  assert.equal(run(session("ci", "billing"), 1).kind, "allow");
});

test("only what the rule's condition selects is counted and denied", () => {
  const { session } = world(
    "{ name: few, on: sql.read, when: statement.joins > 3, limit: { statements: 1, per: 1m } }",
  );
  const { judge, usage } = session();
  for (const [operation, kind] of [
    [WIDE, "allow"],
    [READ, "allow"],
    [WIDE, "deny"],
    [READ, "allow"],
  ] as const) {
    const decision = judge.decide(1, [askedOf(operation)], BYTES);
    assert.equal(decision.kind, kind);
    if (decision.kind === "allow") usage.begin(1, decision.limits);
  }
});

test("a limit allows nothing by itself", () => {
  const judge = policyOf("rules: [{ name: few, on: sql.read, limit: { rows: 5 } }]").judge(subjectOf());
  const decision = judge.decide(1, [askedOf(READ)], BYTES);
  assert.deepEqual([decision.kind, decision.kind === "deny" && decision.message], ["deny", "No rule allows sql.read"]);
});

test("a limit whose condition fails denies", () => {
  const { session } = world("{ name: few, on: sql.read, when: 1 / statement.joins > 0, limit: { rows: 5 } }");
  const decision = session().judge.decide(1, [askedOf(READ)], BYTES);
  assert.deepEqual([decision.kind, decision.rules], ["deny", ["few"]]);
});

for (const [what, rows, bytes] of [
  ["rows", 100, 0],
  ["bytes", 1, 100],
] as const) {
  test(`${what} of answers fill the window, and what comes next is denied`, () => {
    const { session } = world(`{ name: few, on: sql.read, limit: { ${what}: 100, per: 1m } }`);
    const one = session();
    assert.equal(run(one, 1, rows, bytes).kind, "allow");
    assert.equal(run(one, 2, rows, bytes).kind, "deny");
  });
}

test("an answer that runs over while it streams stops the session, and none that just fits", () => {
  const { session } = world("{ name: few, on: sql.read, limit: { rows: 100, per: 1m } }");
  const { judge, usage } = session();
  const decision = judge.decide(1, [askedOf(READ)], BYTES);
  assert.ok(decision.kind === "allow");
  usage.begin(1, decision.limits);
  assert.equal(usage.progress(1, 60, 600), undefined);
  assert.equal(usage.progress(1, 100, 1_000), undefined);
  assert.match(usage.progress(1, 101, 1_010) ?? "", /^The limit of rule few \(100 rows in 60 s\) is passed$/);
});

test("an answer that ended over the limit stops the session where more of the rule's is under way", () => {
  const { session } = world("{ name: few, on: sql.read, limit: { rows: 100, per: 1m } }");
  const { judge, usage } = session();
  const begin = (id: number) => {
    const decision = judge.decide(id, [askedOf(READ)], BYTES);
    assert.ok(decision.kind === "allow");
    usage.begin(id, decision.limits);
  };
  begin(1);
  begin(2);
  assert.match(usage.answered(1, 101, 0) ?? "", /is passed/);
  assert.equal(usage.answered(2, 1, 0), undefined);
});

test("without a window each operation counts by itself, and one that ran over closes the session to the rule", () => {
  const { session } = world("{ name: big, on: sql.read, limit: { rows: 100 } }");
  const one = session();
  for (let id = 1; id < 5; id++) assert.equal(run(one, id, 100).kind, "allow");
  assert.equal(run(one, 5, 101).kind, "allow");
  const denied = run(one, 6, 1);
  assert.match(denied.kind === "deny" ? denied.message : "", /100 rows an operation.* was passed in this session/);
  assert.equal(run(session(), 1).kind, "allow");
});

test("an observed agent is not denied for a limit, and is told of", () => {
  const clock = { nowMs: () => 1_700_000_000_000 };
  const usage = new Ledger(clock).session("ci", "orders");
  const text = "rules: [{ name: read, on: sql, allow: {} }, { name: few, on: sql, limit: { statements: 1, per: 1m } }]";
  const judge = policyOf(text).judge(subjectOf({ clock, room: usage, isObserved: () => true }));
  run({ judge, usage }, 1);
  const second = judge.decide(2, [askedOf(READ)], BYTES);
  assert.deepEqual([second.kind, second.kind === "allow" && second.observed?.rules], ["allow", ["few"]]);
});

test("a limit in shadow counts, tells when it is reached, and stops nothing", () => {
  const { session } = world("{ name: few, shadow: true, on: sql.read, limit: { rows: 5, statements: 1, per: 1m } }");
  const { judge, usage } = session();
  const first = judge.decide(1, [askedOf(READ)], BYTES);
  assert.deepEqual([first.kind, first.shadow], ["allow", undefined]);
  usage.begin(1, first.kind === "allow" ? first.limits : undefined);
  assert.equal(usage.progress(1, 50, 0), undefined);
  const second = judge.decide(2, [askedOf(READ)], BYTES);
  assert.deepEqual([second.kind, second.shadow], ["allow", [{ rule: "few", would: "deny" }]]);
});

test("a session that was let in goes on across a reload although the limit of its entrance is reached", () => {
  const clock = { nowMs: () => 1_700_000_000_000 };
  const usage = new Ledger(clock).session("ci", "orders");
  const text = (outcome: string) => `rules:
  - { name: reach, on: connect, ${outcome}: {} }
  - { name: few, on: connect, limit: { statements: 1, per: 1h } }`;
  const asked = [askedOf(operationOf({ name: "connect", facts: CONNECT_FACTS }))];
  const judge = policyOf(text("allow")).judge(subjectOf({ clock, room: usage }));
  const first = judge.decide(1, asked, BYTES);
  assert.ok(first.kind === "allow");
  usage.begin(1, first.limits);
  assert.equal(judge.decide(2, asked, BYTES).kind, "deny");
  assert.equal(judge.again(asked), undefined);
  const stricter = policyOf(text("deny")).judge(subjectOf({ clock, room: usage }));
  assert.deepEqual(stricter.again(asked)?.rules, ["reach"]);
});

test("a clock that is set back frees nothing", () => {
  const { session, later } = world("{ name: few, on: sql.read, limit: { statements: 1, per: 1m } }");
  assert.equal(run(session(), 1).kind, "allow");
  later(-3_600_000);
  assert.equal(run(session(), 2).kind, "deny");
});

test("counters are bounded: idle ones make room, and with none idle the answer is no", () => {
  let nowMs = 1_700_000_000_000;
  const ledger = new Ledger({ nowMs: () => nowMs });
  const terms = { rule: "few", statements: 1, perMs: 60_000 };
  const use = (usage: SessionUsage) => usage.begin(1, [{ terms, operations: 1, isShadow: false }]);
  for (let agent = 0; agent < LIMIT_COUNTERS_MAX; agent++) use(ledger.session(`a${agent}`, "orders"));
  assert.match(ledger.session("late", "orders").refusal(terms, 1) ?? "", /More limits are counted/);
  nowMs += 120_000;
  assert.equal(ledger.session("late", "orders").refusal(terms, 1), undefined);
});

test("a session whose counter has made room for others counts on in the one that its agent has then", () => {
  let nowMs = 1_700_000_000_000;
  const ledger = new Ledger({ nowMs: () => nowMs });
  const terms = { rule: "few", statements: 1, perMs: 60_000 };
  const use = (usage: SessionUsage) => usage.begin(1, [{ terms, operations: 1, isShadow: false }]);
  const old = ledger.session("a0", "orders");
  use(old);
  for (let agent = 1; agent < LIMIT_COUNTERS_MAX; agent++) use(ledger.session(`a${agent}`, "orders"));
  nowMs += 120_000;
  assert.equal(ledger.session("late", "orders").refusal(terms, 1), undefined); // all that were idle are gone
  use(old);
  assert.match(ledger.session("a0", "orders").refusal(terms, 1) ?? "", /is reached/);
  assert.match(old.refusal(terms, 1) ?? "", /is reached/);
});
