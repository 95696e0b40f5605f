/** The times and counts of a session's ports: each at its own port, and none of them changes what passes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { METERED_ASKS_MAX } from "../../src/base/limits.ts";
import type { Phase, SessionMeter } from "../../src/metrics/meter.ts";
import type { AnswerEntry } from "../../src/model/session.ts";
import { metered } from "../../src/path/metered.ts";
import { asked, portsOf } from "./kit.ts";

function meterOf() {
  const told: string[] = [];
  const meter: SessionMeter = {
    took: (phase: Phase, ms) => void told.push(`${phase}${ms >= 0 ? "" : " in no time"}`),
    decided: ({ kind }) => void told.push(kind),
    settled: ({ kind }) => void told.push(`settled ${kind}`),
    answered: ({ rows }) => void told.push(`rows ${rows}`),
    relayed: ({ rows }) => void told.push(`relayed ${rows}`),
    unrecorded: () => void told.push("unrecorded"),
    overran: () => void told.push("overran"),
    ended: (how) => void told.push(how),
  };
  return { told, meter };
}

const NO_BYTES = new Uint8Array();
const answer = (askId: number): AnswerEntry => ({ askId, rows: 2, bytes: 9, masks: [], outcome: "" });

test("a statement's way is timed from its decision to its answer, in the order of the ports", () => {
  const { told, meter } = meterOf();
  const { ports, steps } = portsOf("s");
  const both = metered(ports, meter);
  const decision = both.decide(1, asked("SELECT 1"), NO_BYTES);
  both.recordAsked(1, asked("SELECT 1"), decision);
  both.flush();
  both.recordAnswered(answer(1));
  assert.deepEqual(told, ["judge", "allow", "record", "answer", "rows 2"]);
  assert.deepEqual(steps, ["decide SELECT 1", "record allow SELECT 1", "flush", "answered "]);
});

test("an answer without an ask that was let go has no time, and answers of a pipeline have one each", () => {
  const { told, meter } = meterOf();
  const { ports } = portsOf("s");
  const both = metered(ports, meter);
  both.recordAnswered(answer(7));
  for (const id of [8, 9, 10]) both.recordAsked(id, asked("x"), both.decide(id, asked("x"), NO_BYTES));
  both.recordAnswered(answer(9)); // 8 is housekeeping that is never answered
  both.recordAnswered(answer(8));
  both.recordAnswered(answer(10));
  assert.equal(told.filter((one) => one === "answer").length, 2);
});

test("of asks without end that nobody answers, so many are remembered and no more", () => {
  const { told, meter } = meterOf();
  const { ports } = portsOf("s");
  const both = metered(ports, meter);
  const decision = both.decide(0, asked("x"), NO_BYTES);
  for (let id = 0; id <= METERED_ASKS_MAX; id++) both.recordAsked(id, asked("x"), decision);
  both.recordAnswered(answer(METERED_ASKS_MAX)); // one too many to be timed
  assert.equal(told.filter((one) => one === "answer").length, 0);
  both.recordAsked(5_000, asked("x"), decision);
  both.recordAnswered(answer(5_000));
  assert.equal(told.filter((one) => one === "answer").length, 1);
});

test("a record that fails has no time and fails all the same; the fault that it leads to is counted", () => {
  const { told, meter } = meterOf();
  const failing = () => assert.fail("the disk is full");
  const { ports, faults } = portsOf("s", { flush: failing });
  const both = metered(ports, meter);
  assert.throws(() => both.flush(), /the disk is full/);
  assert.deepEqual(told, []);
  both.fault("RECORDING_FAILED", "the disk is full");
  both.fault("FRAME_LENGTH", "a peer's fault");
  assert.deepEqual(told, ["unrecorded"]);
  assert.equal(faults.length, 2);
});

test("what has to settle on the disk is timed, unless that fails", async () => {
  const { told, meter } = meterOf();
  const both = metered(portsOf("s", { settle: () => Promise.resolve() }).ports, meter);
  await both.settle();
  assert.deepEqual(told, ["sync"]);
  const failing = () => Promise.reject(new Error("the disk is gone"));
  await assert.rejects(
    async () => metered(portsOf("s", { settle: failing }).ports, meter).settle(),
    /the disk is gone/,
  );
  assert.deepEqual(told, ["sync"]);
  assert.equal(metered(portsOf("s", { settle: () => undefined }).ports, meter).settle(), undefined);
});

test("a login that fails has no time, and a lookup only where the backend is asked", async () => {
  const { told, meter } = meterOf();
  const both = metered(portsOf("s").ports, meter);
  await assert.rejects(both.logIn("request"), /no backend/);
  assert.equal(both.look("known"), "fact");
  assert.deepEqual(told, []);
  const asking = metered(portsOf("s", { look: () => Promise.resolve("fact") }).ports, meter);
  assert.equal(await asking.look("unknown"), "fact");
  assert.deepEqual(told, ["lookup"]);
});

test("a hold is settled once, by its verdict", () => {
  const { told, meter } = meterOf();
  const both = metered(portsOf("s").ports, meter);
  both.recordDecided(1, { kind: "deny", rules: [], message: "", policy: "p" });
  assert.deepEqual(told, ["settled deny"]);
});
