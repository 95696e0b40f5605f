/** What the meter is told is what the text says. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { METRIC_LABEL_VALUES_MAX } from "../../src/base/limits.ts";
import { CATALOGUE } from "../../src/metrics/catalogue.ts";
import type { SessionTotals } from "../../src/metrics/meter.ts";
import { Metrics } from "../../src/metrics/metrics.ts";
import type { Decision } from "../../src/model/decision.ts";
import { mintPermit } from "../../src/model/permit.ts";
import { parseExposition, sampled } from "../kit/exposition.ts";

const ABOUT = { connection: "orders", protocol: "postgres" };
const NOTHING: SessionTotals = { bytesIn: 0, bytesOut: 0, statements: 0 };
const permit = mintPermit("s", 1, new Uint8Array());
const allow: Decision = { kind: "allow", permit, rules: ["rows"], policy: "p" };
const denied = (rule: string): Decision => ({ kind: "deny", rules: [rule], message: "", policy: "p" });
const read = (metrics: Metrics) => parseExposition(metrics.text({}));

test("a daemon that has done nothing tells every metric with its type, and every phase", () => {
  const parsed = read(new Metrics(() => false));
  assert.deepEqual(
    [...parsed.keys()].sort(),
    Object.values(CATALOGUE)
      .map(({ name }) => name)
      .sort(),
  );
  for (const { name, type } of Object.values(CATALOGUE)) assert.equal(parsed.get(name)?.type, type);
  assert.equal(sampled(parsed, "sallyport_phase_seconds_count"), 0);
});

test("sessions are open until they end, and end once", () => {
  const metrics = new Metrics(() => false);
  const [first, second] = [metrics.session(ABOUT, () => NOTHING), metrics.session(ABOUT, () => NOTHING)];
  assert.equal(sampled(read(metrics), "sallyport_sessions_open", ABOUT), 2);
  first.ended("ended");
  first.ended("fault");
  second.ended("fault");
  const parsed = read(metrics);
  assert.equal(sampled(parsed, "sallyport_sessions_open", ABOUT), 0);
  assert.equal(sampled(parsed, "sallyport_sessions_started_total", ABOUT), 2);
  assert.equal(sampled(parsed, "sallyport_sessions_ended_total", { ...ABOUT, end: "ended" }), 1);
  assert.equal(sampled(parsed, "sallyport_sessions_ended_total", { ...ABOUT, end: "fault" }), 1);
});

test("bytes of a session that goes on are told, and counted once however often somebody asks", () => {
  const metrics = new Metrics(() => false);
  let totals = NOTHING;
  const session = metrics.session(ABOUT, () => totals);
  totals = { bytesIn: 10, bytesOut: 200, statements: 1 };
  read(metrics);
  read(metrics);
  totals = { bytesIn: 15, bytesOut: 300, statements: 2 };
  session.ended("ended");
  totals = { bytesIn: 99, bytesOut: 999, statements: 9 };
  const parsed = read(metrics);
  assert.equal(sampled(parsed, "sallyport_bytes_total", { direction: "in" }), 15);
  assert.equal(sampled(parsed, "sallyport_bytes_total", { direction: "out" }), 300);
  assert.equal(sampled(parsed, "sallyport_statements_total"), 2);
});

const decisions: readonly { name: string; decision: Decision; kind: string; rule: string; limits: number }[] = [
  { name: "an allow", decision: allow, kind: "allow", rule: "rows", limits: 0 },
  { name: "a denial", decision: denied("no-ddl"), kind: "deny", rule: "no-ddl", limits: 0 },
  { name: "a denial by a limit", decision: denied("few-rows"), kind: "deny", rule: "few-rows", limits: 1 },
  {
    name: "what passes because the agent is observed",
    decision: { ...allow, rules: [], observed: { rules: ["no-ddl"], message: "" } },
    kind: "observed",
    rule: "no-ddl",
    limits: 0,
  },
];
for (const { name, decision, kind, rule, limits } of decisions) {
  test(`${name} is counted as ${kind}, with its rule`, () => {
    const metrics = new Metrics((one) => one === "few-rows");
    metrics.session(ABOUT, () => NOTHING).decided(decision);
    const parsed = read(metrics);
    assert.equal(sampled(parsed, "sallyport_decisions_total"), 1);
    assert.equal(sampled(parsed, "sallyport_decisions_total", { connection: "orders", decision: kind }), 1);
    assert.equal(sampled(parsed, "sallyport_rules_fired_total", { rule, decision: kind }), 1);
    assert.equal(sampled(parsed, "sallyport_limits_hit_total", { rule }), limits);
  });
}

test("rules without end are told as a bounded list and the rest as other", () => {
  const metrics = new Metrics(() => false);
  const session = metrics.session(ABOUT, () => NOTHING);
  for (let at = 0; at < METRIC_LABEL_VALUES_MAX + 5; at++) session.decided(denied(`rule-${at}`));
  const parsed = read(metrics);
  assert.equal(parsed.get("sallyport_rules_fired_total")?.samples.length, METRIC_LABEL_VALUES_MAX + 1);
  assert.equal(sampled(parsed, "sallyport_rules_fired_total", { rule: "other" }), 5);
});

const ends = [
  { name: "approved", verdict: { ...allow, approval: { hold: "h", by: [] } } },
  ...(["denied", "expired", "abandoned"] as const).map((state) => ({
    name: state,
    verdict: { kind: "deny", rules: [], message: "", policy: "p", held: { hold: "h", state, by: [] } } as const,
  })),
];
for (const { name, verdict } of ends) {
  test(`a hold that is ${name} is counted as that, with its time`, () => {
    const metrics = new Metrics(() => false);
    metrics.session(ABOUT, () => NOTHING).settled(verdict, 45_000);
    const parsed = read(metrics);
    assert.equal(sampled(parsed, "sallyport_holds_settled_total", { connection: "orders", result: name }), 1);
    assert.equal(sampled(parsed, "sallyport_hold_wait_seconds_bucket", { le: "30" }), 0);
    assert.equal(sampled(parsed, "sallyport_hold_wait_seconds_bucket", { le: "60" }), 1);
  });
}

test("rows and masks of an answer, failed records and answers that ran over are counted", () => {
  const metrics = new Metrics(() => false);
  const session = metrics.session(ABOUT, () => NOTHING);
  const masks = [
    { column: "ssn", by: "label:pii", count: 3 },
    { column: "note", by: "detector:payment-card", count: 1 },
  ];
  session.answered({ askId: 1, rows: 3, bytes: 9, masks, outcome: "SELECT 3" });
  session.unrecorded();
  session.overran();
  const parsed = read(metrics);
  assert.equal(sampled(parsed, "sallyport_rows_total", { connection: "orders" }), 3);
  assert.equal(sampled(parsed, "sallyport_masked_values_total", { by: "label:pii" }), 3);
  assert.equal(sampled(parsed, "sallyport_masked_values_total", { by: "detector:payment-card" }), 1);
  assert.equal(sampled(parsed, "sallyport_record_failures_total", { connection: "orders" }), 1);
  assert.equal(sampled(parsed, "sallyport_limit_stops_total", { connection: "orders" }), 1);
});

test("a phase's time is told in seconds", () => {
  const metrics = new Metrics(() => false);
  metrics.took("login", 20);
  const parsed = read(metrics);
  assert.equal(sampled(parsed, "sallyport_phase_seconds_bucket", { phase: "login", le: "0.01" }), 0);
  assert.equal(sampled(parsed, "sallyport_phase_seconds_bucket", { phase: "login", le: "0.025" }), 1);
  assert.equal(sampled(parsed, "sallyport_phase_seconds_sum", { phase: "login" }), 0.02);
});

test("what owners say at the moment is told as it is", () => {
  const metrics = new Metrics(() => false);
  const outbox = [{ labels: ["siem"], value: 12 }];
  const parsed = parseExposition(metrics.text({ outbox, holdsWaiting: [{ labels: [], value: 2 }] }));
  assert.equal(sampled(parsed, "sallyport_outbox_events", { sink: "siem" }), 12);
  assert.equal(sampled(parsed, "sallyport_holds_waiting"), 2);
});
