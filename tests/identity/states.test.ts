import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { OBSERVE_MS_MAX } from "../../src/base/limits.ts";
import { AgentStates } from "../../src/identity/states.ts";
import type { AuditEvent } from "../../src/model/event.ts";
import type { AgentStateStore } from "../../src/store/agent-states.ts";
import { openStore, type Store } from "../../src/store/store.ts";
import { folder, handClock, quietLog } from "../store/folder.ts";

const HOUR_MS = 3_600_000;
const BOOT_NS = 5_000_000_000n;

interface Call {
  readonly what: "quarantine" | "observe";
  readonly slot: number;
  readonly value: unknown;
}

async function world(t: TestContext) {
  const store = await openStore(join(folder(t), "state"), quietLog());
  t.after(() => store.close());
  const clock = handClock();
  const calls: Call[] = [];
  const events: AuditEvent[] = [];
  let boot = BOOT_NS;
  const kernel = {
    quarantine: (slot: number, value: unknown) => void calls.push({ what: "quarantine", slot, value }),
    observe: (slot: number, value: unknown) => void calls.push({ what: "observe", slot, value }),
  };
  const make = (agentStates: AgentStateStore = store.agentStates) =>
    new AgentStates({
      ...{ kernel, store: agentStates, slotOf: (name) => store.tags.slotOf(name), clock, bootNs: () => boot },
      emit: (event) => events.push(event),
    });
  /** Both clocks, as time does. */
  const pass = (ms: number) => {
    clock.advance(ms);
    boot += BigInt(ms) * 1_000_000n;
  };
  const slot = await store.tags.slotOf("ci");
  return { store, clock, calls, events, make, slot, pass, states: make() };
}

const kept = async (store: Store) => (await store.agentStates.all()).map(({ agent }) => agent);
const by = (untilMs: number) => ({ uid: 1000, untilMs });

test("a quarantine is in the kernel before anything is waited for, and in the store when it is answered", async (t) => {
  const { states, slot, calls, store, clock } = await world(t);
  const stored = states.quarantine("ci", slot, { uid: 1000, reason: "odd queries" });
  assert.deepEqual(calls, [{ what: "quarantine", slot, value: "on" }]);
  assert.equal(states.isQuarantined("ci"), true);
  await stored;
  assert.deepEqual(await store.agentStates.all(), [
    {
      agent: "ci",
      quarantine: { sinceMs: clock.nowMs(), uid: 1000, reason: "odd queries" },
      revocation: undefined,
      observation: undefined,
    },
  ]);
});

test("a second quarantine keeps when and why the first began, unless it says why itself", async (t) => {
  const { states, slot, clock } = await world(t);
  const sinceMs = clock.nowMs();
  await states.quarantine("ci", slot, { uid: 1000, reason: "odd queries" });
  clock.advance(5);
  await states.quarantine("ci", slot, { uid: 0, reason: "" });
  assert.deepEqual(states.of("ci")?.quarantine, { sinceMs, uid: 0, reason: "odd queries" });
  await states.quarantine("ci", slot, { uid: 0, reason: "worse ones" });
  assert.deepEqual(states.of("ci")?.quarantine, { sinceMs, uid: 0, reason: "worse ones" });
});

test("a next daemon quarantines again what the last one had, and lets the others be", async (t) => {
  const { states, slot, calls, make, store } = await world(t);
  await states.quarantine("ci", slot, { uid: 0, reason: "" });
  await store.tags.slotOf("other");
  calls.length = 0;
  const next = make();
  await next.restore();
  assert.deepEqual(
    calls.filter(({ what }) => what === "quarantine"),
    [{ what: "quarantine", slot, value: "on" }],
  );
  assert.deepEqual([next.isQuarantined("ci"), next.isQuarantined("other")], [true, false]);
});

test("what the store could not keep is quarantined all the same, and whoever asked is told", async (t) => {
  const { make, slot, calls } = await world(t);
  const states = make({
    put: () => Promise.reject(new Error("disk full")),
    all: async () => [],
    names: async () => [],
  });
  await assert.rejects(states.quarantine("ci", slot, { uid: 0, reason: "" }), /disk full/);
  assert.deepEqual(calls, [{ what: "quarantine", slot, value: "on" }]);
  assert.equal(states.isQuarantined("ci"), true);
});

test("a release lifts it in the kernel and forgets the row; without a quarantine it says so and lifts it still", async (t) => {
  const { states, slot, calls, store } = await world(t);
  await states.quarantine("ci", slot, { uid: 0, reason: "" });
  assert.equal(await states.release("ci", slot, { uid: 0 }), true);
  assert.deepEqual([states.isQuarantined("ci"), await kept(store)], [false, []]);
  calls.length = 0;
  assert.equal(await states.release("ci", slot, { uid: 0 }), false);
  assert.deepEqual(calls, [{ what: "quarantine", slot, value: "off" }]);
});

test("an observation reaches the kernel with its end in time since boot, and ends by itself", async (t) => {
  const { states, slot, calls, store, clock, pass } = await world(t);
  await states.observe("ci", slot, by(clock.nowMs() + HOUR_MS));
  assert.deepEqual(calls, [{ what: "observe", slot, value: BOOT_NS + 3_600_000_000_000n }]);
  pass(HOUR_MS - 1);
  assert.deepEqual([states.isObserved("ci"), await states.expire()], [true, []]);
  assert.match(states.warnings().join(), /^ci is observed until 2026-01-31T13:00:00/);
  pass(1);
  assert.equal(states.isObserved("ci"), false);
  assert.deepEqual([await states.expire(), await kept(store)], [["ci"], []]);
  assert.deepEqual(calls.at(-1), { what: "observe", slot, value: 0n });
});

test("a wall clock that is set back prolongs no observation", async (t) => {
  const { states, slot, clock, pass } = await world(t);
  await states.observe("ci", slot, by(clock.nowMs() + HOUR_MS));
  pass(HOUR_MS);
  clock.advance(-HOUR_MS);
  assert.deepEqual([await states.expire(), states.isObserved("ci")], [["ci"], false]);
});

test("a next daemon observes for what is left, and not at all when it is over", async (t) => {
  const { states, slot, calls, clock, make, store, pass } = await world(t);
  await states.observe("ci", slot, by(clock.nowMs() + HOUR_MS));
  pass(HOUR_MS / 2);
  calls.length = 0;
  const next = make();
  await next.restore();
  assert.deepEqual(calls, [{ what: "observe", slot, value: BOOT_NS + 3_600_000_000_000n }]);
  assert.equal(next.isObserved("ci"), true);
  pass(HOUR_MS);
  const last = make();
  await last.restore();
  assert.deepEqual([last.isObserved("ci"), await kept(store)], [false, []]);
  assert.equal(calls.at(-1)?.value, 0n);
});

test("a stored end that lies too far away counts as the longest that may be", async (t) => {
  const { calls, clock, make, store } = await world(t);
  const untilMs = clock.nowMs() + OBSERVE_MS_MAX * 10;
  await store.agentStates.put({
    agent: "ci",
    quarantine: undefined,
    revocation: undefined,
    observation: { untilMs, uid: 0 },
  });
  await make().restore();
  assert.equal(calls.at(-1)?.value, BOOT_NS + BigInt(OBSERVE_MS_MAX) * 1_000_000n);
});

test("of an agent that is observed and quarantined nothing is observed, until it is released", async (t) => {
  const { states, slot, clock } = await world(t);
  await states.observe("ci", slot, by(clock.nowMs() + HOUR_MS));
  await states.quarantine("ci", slot, { uid: 0, reason: "" });
  assert.equal(states.isObserved("ci"), false);
  await states.release("ci", slot, { uid: 0 });
  assert.equal(states.isObserved("ci"), true);
});

test("every event of an observed agent is marked, and no other's", async (t) => {
  const { states, slot, clock } = await world(t);
  const event = (agent?: string): AuditEvent => ({
    ...{ atMs: 0, kind: "session.end", message: "", fields: { rows: 1 } },
    ...(agent === undefined ? {} : { agent }),
  });
  assert.deepEqual(states.mark(event("ci")).fields, { rows: 1 });
  await states.observe("ci", slot, by(clock.nowMs() + HOUR_MS));
  assert.deepEqual(states.mark(event("ci")).fields, { rows: 1, observed: true });
  assert.deepEqual([states.mark(event("other")).fields, states.mark(event()).fields], [{ rows: 1 }, { rows: 1 }]);
});

test("each change is an event that names who asked", async (t) => {
  const { states, slot, clock, events } = await world(t);
  await states.observe("ci", slot, by(clock.nowMs() + HOUR_MS));
  await states.endObservation("ci", { uid: 7 });
  await states.quarantine("ci", slot, { uid: 8, reason: "why not" });
  await states.release("ci", slot, { uid: 9 });
  assert.deepEqual(
    events.map(({ kind, agent, fields }) => [kind, agent, fields?.["uid"]]),
    [
      ["agent.observe.start", "ci", 1000],
      ["agent.observe.end", "ci", 7],
      ["agent.quarantine", "ci", 8],
      ["agent.release", "ci", 9],
    ],
  );
  assert.match(events[2]?.message ?? "", /why not/);
});

test("each change by a human is an event that names them, and says nothing twice", async (t) => {
  const { states, slot, clock, events } = await world(t);
  const ada = { uid: 0, human: "corp:ada", humanName: "Ada", login: "corp" };
  await states.observe("ci", slot, { ...ada, untilMs: clock.nowMs() + HOUR_MS });
  await states.endObservation("ci", ada);
  await states.quarantine("ci", slot, { ...ada, reason: "why not" });
  await states.release("ci", slot, ada);
  await states.revoke("ci", slot, { ...ada, reason: "why not" });
  await states.reinstate("ci", ada);
  assert.deepEqual(
    events.map(({ fields }) => fields),
    Array.from({ length: 6 }, () => ada),
  );
});

test("a quarantine that is asked for again keeps its time, and takes the newer reason", async (t) => {
  const { states, slot, clock, pass } = await world(t);
  const sinceMs = clock.nowMs();
  await states.quarantine("ci", slot, { uid: 0, reason: "first" });
  pass(HOUR_MS);
  await states.quarantine("ci", slot, { uid: 0, reason: "second" });
  assert.deepEqual(states.of("ci")?.quarantine, { sinceMs, uid: 0, reason: "second" });
});

test("a revocation stands until the agent is reinstated, also under the next daemon, and asks nothing of the kernel", async (t) => {
  const { states, slot, calls, make, events, clock } = await world(t);
  assert.equal(states.isRevoked("ci"), false);
  const stored = states.revoke("ci", slot, { uid: 0, reason: "its token leaked" });
  assert.equal(states.isRevoked("ci"), true); // before anything is waited for
  await stored;
  clock.advance(HOUR_MS);
  const next = make();
  await next.restore();
  const revocation = { sinceMs: clock.nowMs() - HOUR_MS, uid: 0, reason: "its token leaked" };
  assert.deepEqual([next.isRevoked("ci"), next.of("ci")?.revocation], [true, revocation]);
  await next.observe("ci", slot, by(clock.nowMs() + HOUR_MS));
  assert.deepEqual(next.warnings(), [
    "ci is revoked: what matchers make it may do nothing",
    "ci is observed until 2026-01-31T14:00:00.000Z: nothing that rules deny is stopped",
  ]);
  await next.endObservation("ci", { uid: 0 });
  assert.equal(await next.reinstate("ci", { uid: 0 }), true);
  assert.equal(await next.reinstate("ci", { uid: 0 }), false);
  const last = make();
  await last.restore();
  assert.deepEqual([next.isRevoked("ci"), last.isRevoked("ci"), last.list()], [false, false, []]);
  assert.deepEqual(
    calls.filter(({ what }) => what === "quarantine"),
    [],
  );
  assert.deepEqual(
    events.filter(({ kind }) => !kind.startsWith("agent.observe")).map(({ kind, message }) => [kind, message]),
    [
      ["agent.revoked", "ci is revoked: its token leaked"],
      ["agent.reinstated", "What matchers make ci is that agent again"],
    ],
  );
});
