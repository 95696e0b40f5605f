/** Rows of agents, tags, events, grants and legal holds: what is put is found again, as it was. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { openStore } from "../../src/store/store.ts";
import { folder, quietLog } from "./folder.ts";

test("an agent keeps its slot for ever, and two agents never share one", async (t) => {
  const dir = folder(t);
  const store = await openStore(dir, quietLog());
  const [ci, bot, ciAgain] = await Promise.all([
    store.tags.slotOf("ci"),
    store.tags.slotOf("bot"),
    store.tags.slotOf("ci"),
  ]);
  assert.equal(ci, ciAgain);
  assert.notEqual(ci, bot);
  await store.close();
  const again = await openStore(dir, quietLog());
  t.after(() => again.close());
  assert.equal(await again.tags.slotOf("ci"), ci);
  assert.notEqual(await again.tags.slotOf("other"), bot);
});

test("a tag keeps a cgroup id that no JavaScript number holds", async (t) => {
  const store = await openStore(folder(t), quietLog());
  t.after(() => store.close());
  const slot = await store.tags.slotOf("ci");
  const tag = {
    cgroupId: 2n ** 63n + 1n,
    cgroup: "/sallyport/run-1",
    agent: "ci",
    slot,
    kind: "run",
    runId: "run-1",
    uid: 1000,
    createdMs: 5,
    matcher: "unit build.service",
    container: "",
    startedBy: ["unix:1000", "corp:ada"],
  } as const;
  await store.tags.put(tag);
  assert.deepEqual(await store.tags.all(), [tag]);
  assert.equal(await store.tags.remove(2n ** 63n), false);
  assert.equal(await store.tags.remove(tag.cgroupId), true);
  assert.deepEqual(await store.tags.all(), []);
});

test("a tag for a slot that nobody was given is refused", async (t) => {
  const store = await openStore(folder(t), quietLog());
  t.after(() => store.close());
  const tag = {
    cgroupId: 1n,
    cgroup: "/a",
    agent: "ci",
    slot: 7,
    kind: "tag",
    runId: undefined,
    uid: 0,
    createdMs: 5,
    matcher: "unit build.service",
    container: "",
    startedBy: [],
  } as const;
  await assert.rejects(store.tags.put(tag), { code: "SQLITE_CONSTRAINT" });
});

test("events come back newest first and by kind, agent and session", async (t) => {
  const store = await openStore(folder(t), quietLog());
  t.after(() => store.close());
  const start = { atMs: 1, kind: "session.start", agent: "ci", sessionId: "s1", connection: "orders", message: "a" };
  const deny = {
    atMs: 2,
    kind: "action.deny",
    agent: "ci",
    sessionId: "s1",
    message: "b",
    fields: { rows: 3, observe: false },
  };
  const load = { atMs: 3, kind: "policy.load", message: "c" };
  await store.events.append([start, deny, load]);
  assert.deepEqual(await store.events.list(), [load, deny, start]);
  assert.deepEqual(await store.events.list({ sessionId: "s1", kind: "action.deny" }), [deny]);
  assert.deepEqual(await store.events.list({ sinceMs: 3 }), [load]);
  assert.deepEqual(await store.events.list({ limit: 1 }), [load]);
});

test("states of agents are kept by name, replaced as a whole, and forgotten when nothing holds", async (t) => {
  const dir = folder(t);
  const store = await openStore(dir, quietLog());
  const quarantine = { sinceMs: 5, uid: 0, reason: "odd" };
  const revocation = { sinceMs: 7, uid: 1000, reason: "its token leaked" };
  const observation = { untilMs: 9, uid: 1000 };
  const nothing = { quarantine: undefined, revocation: undefined, observation: undefined };
  await store.agentStates.put({ agent: "ci", quarantine, revocation, observation });
  await store.agentStates.put({ ...nothing, agent: "bot", observation });
  await store.close();
  const again = await openStore(dir, quietLog());
  t.after(() => again.close());
  assert.deepEqual(await again.agentStates.all(), [
    { ...nothing, agent: "bot", observation },
    { agent: "ci", quarantine, revocation, observation },
  ]);
  await again.agentStates.put({ ...nothing, agent: "ci", revocation });
  await again.agentStates.put({ ...nothing, agent: "bot" });
  assert.deepEqual(await again.agentStates.all(), [{ ...nothing, agent: "ci", revocation }]);
});

test("names are those that ever got a slot", async (t) => {
  const store = await openStore(folder(t), quietLog());
  t.after(() => store.close());
  assert.deepEqual(await store.agentStates.names(), []);
  for (const name of ["ci", "bot", "ci"]) await store.tags.slotOf(name);
  assert.deepEqual(await store.agentStates.names(), ["bot", "ci"]);
});

test("a legal hold names the human who gave it, also after a restart; one from before humans were kept stays", async (t) => {
  const dir = folder(t);
  const store = await openStore(dir, quietLog());
  const old = { sessionId: "s1", reason: "case 1", uid: 0, sinceMs: 1 };
  const now = {
    sessionId: "s2",
    reason: "case 2",
    uid: undefined,
    sinceMs: 2,
    human: "corp:ada",
    humanName: "Ada",
  };
  for (const hold of [old, now]) await store.legalHolds.put(hold);
  await store.close();
  const again = await openStore(dir, quietLog());
  t.after(() => again.close());
  assert.deepEqual(await again.legalHolds.all(), [old, now]);
});

test("what somebody asked for over the network is of no user, in each row of it", async (t) => {
  const dir = folder(t);
  const store = await openStore(dir, quietLog());
  const uid = undefined;
  const order = { sinceMs: 5, uid, reason: "odd" };
  const state = { agent: "ci", quarantine: order, revocation: order, observation: { untilMs: 9, uid } };
  const names = {
    cgroup: "/a",
    agent: "ci",
    kind: "tag",
    matcher: "",
    container: "",
    startedBy: ["corp:ada"],
  } as const;
  const tag = { ...names, cgroupId: 1n, slot: await store.tags.slotOf("ci"), runId: undefined, uid, createdMs: 5 };
  const times = { givenMs: 1, endsMs: 2, boot: { id: "b", endsNs: 3n } };
  const grant = { ...times, id: "g", agent: "ci", connections: ["orders"], uid, reason: "" };
  const hold = { sessionId: "s1", reason: "case 4711", uid, sinceMs: 1 };
  await store.agentStates.put(state);
  await store.tags.put(tag);
  await store.grants.put(grant);
  await store.legalHolds.put(hold);
  await store.close();
  const again = await openStore(dir, quietLog());
  t.after(() => again.close());
  assert.deepEqual(await again.agentStates.all(), [state]);
  assert.deepEqual(await again.tags.all(), [tag]);
  assert.deepEqual(await again.grants.all(), [grant]);
  assert.deepEqual(await again.legalHolds.all(), [hold]);
});
