import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { messageOf } from "../../src/base/errors.ts";
import { DRAIN_FRESH_WAIT_MS, DRAIN_WAIT_MS, SESSIONS_MAX, SESSIONS_PER_AGENT_MAX } from "../../src/base/limits.ts";
import { type LiveSession, Sessions } from "../../src/path/sessions.ts";
import type { Backend } from "../../src/path/upstream.ts";
import { SAMPLE_AGENT, SAMPLE_ORIGIN } from "../kit/policy.ts";
import { turns } from "./kit.ts";

const BACKEND = { address: "192.0.2.1", port: 5432 } as Backend;
const KEY = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
const OTHER = Uint8Array.of(8, 7, 6, 5, 4, 3, 2, 1);

function live(sessionId: string, stop: (reason: string) => void = () => {}): LiveSession {
  const connection = {
    name: "orders",
    protocol: "postgres",
    addresses: [],
    labels: {},
    tls: { mode: "disable" },
    data: {},
  } as const;
  return {
    sessionId,
    agent: SAMPLE_AGENT,
    connection,
    origin: SAMPLE_ORIGIN,
    hasEntered: () => true,
    stop,
    drain: () => {},
    expel: (reason) => stop(`expelled: ${reason}`),
    cut: (reason) => stop(`cut: ${reason}`),
    fail: (error) => stop(`failed: ${messageOf(error)}`),
    recheck: () => stop("asked again"),
    cancelHeld: () => false,
  };
}

test("the house is full at its maximum and has room again when one leaves", () => {
  const sessions = new Sessions();
  for (let count = 1; count < SESSIONS_MAX; count++) sessions.add(live(`s${count}`));
  assert.equal(sessions.full, false);
  sessions.add(live("last"));
  assert.equal(sessions.full, true);
  sessions.remove("s1", KEY);
  assert.equal(sessions.full, false);
});

test("a cancel key finds its session until it leaves", () => {
  const sessions = new Sessions();
  sessions.add(live("s1"));
  sessions.rememberCancel(KEY, "s1", SAMPLE_AGENT, BACKEND, OTHER);
  assert.deepEqual(sessions.findCancel(KEY.slice()), {
    sessionId: "s1",
    agent: SAMPLE_AGENT,
    backend: BACKEND,
    cancel: OTHER,
  });
  assert.equal(sessions.findCancel(OTHER), undefined);
  sessions.remove("s1", KEY);
  assert.equal(sessions.findCancel(KEY), undefined);
});

test("a drain asks all to end, calls those that have not asked anything a second later, and stops the rest at the deadline", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const sessions = new Sessions();
  const heard: string[] = [];
  const listen = (id: string, leaves: "at once" | "at the last call" | "at the stop"): LiveSession => ({
    ...live(id, (reason) => {
      heard.push(`${id} stop ${reason}`);
      sessions.remove(id, KEY);
    }),
    drain: (_reason, fresh) => {
      heard.push(`${id} ${fresh}`);
      const last = fresh === "end" && leaves === "at the last call";
      if (leaves === "at once" || last) sessions.remove(id, KEY);
    },
  });
  sessions.add(listen("idle", "at once"));
  sessions.add(listen("silent", "at the last call"));
  sessions.add(listen("busy", "at the stop"));
  const drained = sessions.drain("going");
  assert.deepEqual(heard.splice(0), ["idle wait", "silent wait", "busy wait"]);
  mock.timers.tick(DRAIN_FRESH_WAIT_MS);
  await turns(5);
  assert.deepEqual(heard.splice(0), ["silent end", "busy end"]);
  mock.timers.tick(DRAIN_WAIT_MS - DRAIN_FRESH_WAIT_MS - 1);
  await turns(5);
  assert.deepEqual(heard, []);
  mock.timers.tick(1);
  await drained;
  mock.timers.reset();
  assert.deepEqual(heard, ["busy stop going"]);
});

test("a drain that is hurried stops what is left at once", async () => {
  const sessions = new Sessions();
  const heard: string[] = [];
  sessions.add(
    live("busy", (reason) => {
      heard.push(reason);
      sessions.remove("busy", KEY);
    }),
  );
  const drained = sessions.drain("going");
  assert.deepEqual(heard, []);
  sessions.hurry();
  await drained;
  assert.deepEqual(heard, ["going"]);
});

test("the key of a login that came after its session's end is not kept", () => {
  const sessions = new Sessions();
  sessions.add(live("s1"));
  sessions.remove("s1", KEY);
  sessions.rememberCancel(KEY, "s1", SAMPLE_AGENT, BACKEND, OTHER);
  assert.equal(sessions.findCancel(KEY), undefined);
});

test("stop reaches the chosen ones and counts them", () => {
  const sessions = new Sessions();
  const stopped: string[] = [];
  for (const id of ["s1", "s2", "s3"]) sessions.add(live(id, (reason) => stopped.push(`${id} ${reason}`)));
  assert.equal(
    sessions.stop(({ sessionId }) => sessionId !== "s2", "enough"),
    2,
  );
  assert.deepEqual(stopped, ["s1 enough", "s3 enough"]);
});

test("settled waits for those that are asked for, and for no others", async () => {
  const sessions = new Sessions();
  for (const id of ["s1", "s2"]) sessions.add(live(id));
  let isSettled = false;
  const waiting = sessions
    .settled(({ sessionId }) => sessionId === "s1", 60_000)
    .then(() => {
      isSettled = true;
    });
  sessions.remove("s2", OTHER);
  await turns(3);
  assert.equal(isSettled, false);
  sessions.remove("s1", KEY);
  await waiting;
});

test("settled waits no longer than it may", async () => {
  const sessions = new Sessions();
  sessions.add(live("s1"));
  await sessions.settled(() => true, 5);
  assert.equal(sessions.list().length, 1);
});

test("end stops all and resolves when they have left", async () => {
  const sessions = new Sessions();
  for (const id of ["s1", "s2"]) sessions.add(live(id, () => setImmediate(() => sessions.remove(id, KEY))));
  await sessions.end("going down");
  assert.deepEqual(sessions.list(), []);
});

test("a change of policy asks every session again", () => {
  const sessions = new Sessions();
  const asked: string[] = [];
  for (const id of ["s1", "s2"]) sessions.add(live(id, () => asked.push(id)));
  sessions.recheck();
  assert.deepEqual(asked, ["s1", "s2"]);
});

test("a session that cannot be asked again fails, and those behind it are asked", () => {
  const sessions = new Sessions();
  const said: string[] = [];
  const broken = live("s1", (reason) => said.push(reason));
  const recheck = () => {
    throw new Error("no more");
  };
  sessions.add({ ...broken, recheck });
  sessions.add(live("s2", (reason) => said.push(reason)));
  sessions.recheck();
  assert.deepEqual(said, ["failed: no more", "asked again"]);
});

test("one agent may not take the room of the others", () => {
  const sessions = new Sessions();
  for (let count = 1; count < SESSIONS_PER_AGENT_MAX; count++) sessions.add(live(`s${count}`));
  assert.equal(sessions.isFullFor(SAMPLE_AGENT), false);
  sessions.add(live("last"));
  assert.equal(sessions.isFullFor(SAMPLE_AGENT), true);
  assert.equal(sessions.isFullFor({ ...SAMPLE_AGENT, slot: SAMPLE_AGENT.slot + 1 }), false);
  sessions.remove("s1", KEY);
  sessions.remove("s1", KEY);
  assert.equal(sessions.isFullFor(SAMPLE_AGENT), false);
  sessions.add(live("again"));
  assert.equal(sessions.isFullFor(SAMPLE_AGENT), true);
});
