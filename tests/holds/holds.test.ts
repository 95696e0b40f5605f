import assert from "node:assert/strict";
import { mock, test } from "node:test";
import {
  HOLD_BYTES_MAX,
  HOLD_TEXT_MAX,
  HOLDS_BYTES_MAX,
  HOLDS_MAX,
  HOLDS_PER_AGENT_MAX,
  HOLDS_PRUNED_EVERY,
} from "../../src/base/limits.ts";
import type { HoldStore } from "../../src/store/holds.ts";
import { SAMPLE_AGENT } from "../kit/policy.ts";
import { ADA, answerOf, BEN, CYD, demand, EVE, person, ROOT, request, STARTER, world } from "./kit.ts";

test("approved: kept as approved, then as running, and only then told; the result comes last", async (t) => {
  const order: string[] = [];
  const { holds, store, kinds } = await world(t, { kept: (state) => order.push(`kept ${state}`) });
  const hold = holds.open(request());
  const told = hold.answer.then(async () => order.push(`told, kept as ${(await store.get(hold.id))?.state}`));
  await holds.approve(hold.id, {}, ADA);
  await told;
  assert.deepEqual(order, ["kept approved", "kept running", "told, kept as running"]);
  hold.finished("DELETE 1");
  const ended = await holds.get(hold.id);
  assert.deepEqual([ended?.state, ended?.result], ["executed", "DELETE 1"]);
  assert.deepEqual(kinds(), ["hold.waiting", "hold.approval", "hold.approved", "hold.result"]);
  assert.deepEqual(await hold.answer, { kind: "approved", approval: { hold: hold.id, by: ["ada (sre)"] } });
});

test("an action that waits is kept from the start, with its texts scrubbed", async (t) => {
  const { holds, store, events, kinds } = await world(t);
  const { id, notice } = holds.open(request({ texts: ["delete where card = '4111'"], parameters: ["4111", null] }));
  assert.deepEqual([holds.list(), kinds()], [[], []], "nobody sees what a crash would forget");
  const said = await notice;
  assert.deepEqual([holds.list().length, kinds()], [1, ["hold.waiting"]]);
  await holds.all(1);
  const row = await store.get(id);
  assert.equal(row?.state, "waiting");
  assert.ok(!row?.document.includes("4111"));
  assert.match(said, new RegExp(`${id}.*deletes: Deletes need a reviewer.*approvals approve ${id}`));
  const [event] = events;
  assert.equal(event?.fields?.["tables"], "public.orders");
  assert.ok(!JSON.stringify(event).includes("card"), "the trail holds no statement");
});

type World = Awaited<ReturnType<typeof world>>;
const ends: readonly {
  name: string;
  act: (world: World, id: string, hold: ReturnType<World["holds"]["open"]>) => unknown;
  state: string;
  reason?: RegExp;
}[] = [
  { name: "denied", act: ({ holds }, id) => holds.deny(id, { comment: "no" }, ADA), state: "denied", reason: /no/ },
  { name: "given up", act: (_, _id, hold) => hold.abandon("the client has gone"), state: "abandoned", reason: /gone/ },
  {
    name: "given up with all others",
    act: ({ holds }) => holds.abandonAll("going down"),
    state: "abandoned",
    reason: /down/,
  },
];
for (const { name, act, state, reason } of ends) {
  test(`${name}: refused once, kept, and answered no more`, async (t) => {
    const made = await world(t);
    const hold = made.holds.open(request());
    assert.equal(await answerOf(hold.answer), "waits");
    await act(made, hold.id, hold);
    assert.equal(await answerOf(hold.answer), state);
    const [row] = await made.holds.all(1);
    assert.equal(row?.state, state);
    assert.match(row?.reason ?? "", reason ?? /^$/);
    await assert.rejects(made.holds.approve(hold.id, {}, ADA), { code: "APPROVAL_ENDED" });
    hold.abandon("again");
    hold.finished("DELETE 1");
    assert.equal((await made.store.get(hold.id))?.state, state);
    assert.equal(made.kinds().filter((kind) => kind !== "hold.waiting").length, 1);
  });
}

const large = [
  { name: "a text too long to be shown", it: request({ texts: ["x".repeat(HOLD_TEXT_MAX + 1)] }) },
  { name: "very many statements", it: request({ texts: Array.from({ length: 1_000 }, () => "delete") }) },
  { name: "very many parameters", it: request({ parameters: Array.from({ length: 10_000 }, () => null) }) },
  { name: "very many bytes", it: request({ changes: { bytes: Buffer.alloc(HOLD_BYTES_MAX + 1) } }) },
] as const;
for (const { name, it } of large) {
  test(`${name}: denied, not held`, async (t) => {
    const { holds } = await world(t);
    assert.equal(await answerOf(holds.open(it).answer), "denied");
    assert.equal(holds.waiting, 0);
  });
}

test("bytes of all that waits are bounded together", async (t) => {
  const { holds } = await world(t);
  const it = request({ changes: { bytes: Buffer.alloc(HOLD_BYTES_MAX) } });
  for (let index = 0; index < HOLDS_BYTES_MAX / HOLD_BYTES_MAX; index++) holds.open(it);
  const over = holds.open(it);
  assert.equal(await answerOf(over.answer), "denied");
  holds.abandonAll("enough");
  assert.equal(holds.waiting, 0);
});

test("once all was given up, nothing begins to wait", async (t) => {
  const { holds } = await world(t);
  holds.abandonAll("going down");
  assert.equal(await answerOf(holds.open(request()).answer), "abandoned");
});

test("nobody answers in time: expired", async (t) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  t.after(() => mock.timers.reset());
  const { holds } = await world(t);
  const hold = holds.open(request({ terms: { expiresMs: 5_000 } }));
  mock.timers.tick(4_999);
  assert.equal(holds.waiting, 1);
  mock.timers.tick(1);
  assert.equal(await answerOf(hold.answer), "expired");
  assert.equal(holds.waiting, 0);
});

test("whoever stops wanting it while it is let go is heard: never forwarded, and the record says so", async (t) => {
  for (const at of ["approved", "running"] as const) {
    let abandon = () => {};
    const { holds } = await world(t, { kept: (state) => void (state === at && abandon()) });
    const hold = holds.open(request());
    abandon = () => hold.abandon("the client has gone");
    await holds.approve(hold.id, {}, ADA);
    assert.equal(await answerOf(hold.answer), "abandoned");
    assert.match((await holds.get(hold.id))?.reason ?? "", /approved and not forwarded: the client has gone/);
  }
});

test("taken back by the data path after it was let go: abandoned, not executed", async (t) => {
  const { holds, kinds } = await world(t);
  const hold = holds.open(request());
  await holds.approve(hold.id, {}, ADA);
  hold.withdraw("the policy has changed");
  assert.equal((await holds.get(hold.id))?.state, "abandoned");
  assert.equal(kinds().at(-1), "hold.abandoned");
});

test("a session that ends before the answer leaves it unknown", async (t) => {
  const { holds } = await world(t);
  const hold = holds.open(request());
  await holds.approve(hold.id, {}, ADA);
  hold.finished(undefined);
  assert.equal((await holds.get(hold.id))?.state, "unknown");
});

test("of two answers in one turn the first counts", async (t) => {
  const { holds } = await world(t);
  const hold = holds.open(request());
  const [first, second] = await Promise.allSettled([holds.approve(hold.id, {}, ADA), holds.approve(hold.id, {}, BEN)]);
  assert.deepEqual([first.status, second.status], ["fulfilled", "rejected"]);
  assert.equal((await holds.get(hold.id))?.votes.length, 1);
});

test("what cannot be kept is denied and never let go", async (t) => {
  const full = () => Promise.reject(new Error("disk full"));
  const { store } = await world(t);
  for (const failing of ["waiting", "approved", "running"]) {
    const put: HoldStore["put"] = (row) => (row.state === failing ? full() : store.put(row));
    const { holds } = await world(t, { store: { ...store, put } });
    const hold = holds.open(request());
    await holds.approve(hold.id, {}, ADA).catch(() => {});
    assert.equal(await answerOf(hold.answer), "denied", failing);
  }
});

const refused = [
  { name: "somebody of no group", answer: {}, by: EVE, code: "APPROVAL_NOT_PERMITTED" },
  { name: "whoever started the agent", answer: {}, by: STARTER, code: "APPROVAL_NOT_PERMITTED" },
  { name: "another digest", answer: { digest: "0".repeat(64) }, by: ADA, code: "APPROVAL_DIGEST" },
  { name: "too little of a digest", answer: { digest: "" }, by: ADA, code: "APPROVAL_DIGEST" },
  { name: "a time where the rule allows none", answer: { forMs: 60_000 }, by: ADA, code: "APPROVAL_SCOPE" },
] as const;
for (const { name, answer, by, code } of refused) {
  test(`no answer: ${name}`, async (t) => {
    const { holds } = await world(t);
    const hold = holds.open(request());
    await assert.rejects(holds.approve(hold.id, answer, by), { code });
    assert.equal(await answerOf(hold.answer), "waits");
    assert.equal((await holds.get(hold.id))?.votes.length, 0);
  });
}

test("whoever tagged the cgroup cannot answer either; root outside of agents can", async (t) => {
  const { holds } = await world(t, { taggedBy: () => ADA.accounts });
  const hold = holds.open(request());
  await assert.rejects(holds.approve(hold.id, {}, ADA), { code: "APPROVAL_NOT_PERMITTED" });
  await assert.rejects(holds.deny(hold.id, {}, ADA), { code: "APPROVAL_NOT_PERMITTED" });
  await holds.approve(hold.id, {}, ROOT);
  assert.equal(await answerOf(hold.answer), "approved");
});

test("an unknown id is said to be unknown, to anybody", async (t) => {
  const { holds } = await world(t);
  await assert.rejects(holds.approve("nothing", {}, ROOT), { code: "APPROVAL_UNKNOWN" });
  await assert.rejects(holds.deny("nothing", {}, EVE), { code: "APPROVAL_UNKNOWN" });
});

test("what comes when too much waits is denied", async (t) => {
  const { holds } = await world(t);
  for (let index = 0; index < HOLDS_PER_AGENT_MAX; index++) holds.open(request());
  assert.equal(await answerOf(holds.open(request()).answer), "denied");
  const other = { agent: { ...SAMPLE_AGENT, name: "bot" } };
  assert.equal(await answerOf(holds.open(request({ changes: other })).answer), "waits", "others still may");
  for (let index = holds.waiting; index < HOLDS_MAX; index++) {
    holds.open(request({ changes: { agent: { ...SAMPLE_AGENT, name: `agent-${index % 3}` } } }));
  }
  assert.equal(
    await answerOf(holds.open(request({ changes: { agent: { ...SAMPLE_AGENT, name: "new" } } })).answer),
    "denied",
  );
});

test("the oldest are forgotten while the daemon runs, not only when it starts", async (t) => {
  const { holds, store } = await world(t);
  const prune = mock.method(store, "prune");
  for (let count = 0; count < HOLDS_PRUNED_EVERY; count++) {
    const hold = holds.open(request());
    hold.abandon("canceled");
    await hold.answer;
  }
  await holds.close();
  assert.equal(prune.mock.callCount(), 1);
});

test("after its time a rule asks further groups as well, and says so", async (t) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  t.after(() => mock.timers.reset());
  const { holds, kinds, events } = await world(t);
  const demands = [
    demand({ escalate: { afterMs: 5_000, to: ["dba"] } }),
    demand({ rule: "b", approvers: ["dba", "sre"] }),
  ];
  const hold = holds.open(request({ terms: { demands, expiresMs: 60_000 } }));
  await hold.notice;
  const changes: string[] = [];
  holds.watch(({ demands: [first] }) => changes.push((first?.approvers ?? []).join()));
  mock.timers.tick(4_999);
  await holds.approve(hold.id, {}, CYD);
  assert.equal(await answerOf(hold.answer), "waits", "a member of dba does not count for the first rule yet");
  mock.timers.tick(1);
  assert.equal(kinds().at(-1), "hold.escalated");
  assert.equal(events.at(-1)?.fields?.["to"], "dba");
  assert.ok(changes.includes("sre,dba"), "whoever watches sees it");
  await holds.approve(hold.id, {}, person(2005, "dan", "dba"));
  assert.equal(await answerOf(hold.answer), "approved");
});

test("what was answered before is not escalated", async (t) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  t.after(() => mock.timers.reset());
  const { holds, kinds } = await world(t);
  const demands = [demand({ escalate: { afterMs: 5_000, to: ["dba"] } })];
  const hold = holds.open(request({ terms: { demands, expiresMs: 60_000 } }));
  await holds.approve(hold.id, {}, ADA);
  mock.timers.tick(6_000);
  assert.equal(await answerOf(hold.answer), "approved");
  assert.ok(!kinds().includes("hold.escalated"));
});
