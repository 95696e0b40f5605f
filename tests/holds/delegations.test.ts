/** Delegations as people use them: what is told of them, what they are bound to, and who may see and end which. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  DELEGATION_MS_MAX,
  DELEGATIONS_EACH_MAX,
  DELEGATIONS_ENDED_KEPT_MAX,
  DELEGATIONS_MAX,
} from "../../src/base/limits.ts";
import type { Caller } from "../../src/control/ports.ts";
import { answerOf, demand } from "./kit.ts";
import { ADA, BEN, DORA, EVE, FAY, GIL, humanOf, lending, OMA, ROOT } from "./lending.ts";
import { human, signedIn } from "./people.ts";

const TWO = [demand({ quorum: 2 })];

test("an answer in another's place names the delegation: to who looks, in the trail, and where it counts", async (t) => {
  const w = await lending(t);
  const { id } = await w.lend(BEN, "eve", { reason: "on leave" });
  const hold = w.open({ demands: TWO });
  const { approvals } = w.daemon();
  await hold.notice;
  assert.deepEqual(
    (await approvals.list({ all: false, limit: 9 }, EVE)).map(({ barred }) => barred),
    [undefined],
    "who was lent it sees it",
  );
  assert.deepEqual(await approvals.list({ all: false, limit: 9 }, FAY), [], "and nobody else");
  await w.vote(hold, EVE);
  const name = `user2005 (sre for user2002, delegation ${id})`;
  const [answer] = (await approvals.show(hold.id, BEN))?.answers ?? [];
  assert.deepEqual([answer?.name, answer?.delegations, answer?.counts], [name, [id], undefined]);
  const [told] = w.told("hold.approval");
  assert.deepEqual([told?.["by"], told?.["delegation"], told?.["account"]], [name, id, "unix:2005"]);
  await w.vote(hold, DORA);
  assert.match(String(w.told("hold.approved")[0]?.["by"]), new RegExp(`delegation ${id}`));
  const [made] = w.told("delegation.made");
  assert.deepEqual(
    [made?.["delegation"], made?.["fromAccount"], made?.["toAccount"], made?.["as"], made?.["reason"], made?.["uid"]],
    [id, "unix:2002", "unix:2005", "member", "on leave", 2002],
  );
});

test("once it has ended, an answer that waits is taken back and told of once, and can be given anew", async (t) => {
  const w = await lending(t);
  const { id } = await w.lend(BEN, "eve");
  const hold = w.open({ demands: [demand({ quorum: 3 })] });
  await w.vote(hold, EVE);
  const changes: number[] = [];
  w.daemon().approvals.watch(ROOT, ({ approval }) => changes.push(approval.answers.length));
  await new Promise(setImmediate);
  await w.end(id, BEN);
  await new Promise(setImmediate);
  const shown = await w.daemon().approvals.show(hold.id, BEN);
  assert.deepEqual([shown?.answers, shown?.missing], [[], "3 more of sre (rule deletes)"]);
  assert.deepEqual([changes[0], changes.at(-1)], [1, 0], "who watches is told at once");
  await w.vote(hold, BEN);
  await w.lend(DORA, "eve");
  assert.equal(await w.vote(hold, EVE), "waiting", "by another delegation");
  const names = (await w.daemon().holds.get(hold.id))?.votes.map((vote) => vote.name) ?? [];
  assert.deepEqual([names.length, /for dora \[corp:dora\]/.test(names[1] ?? "")], [2, true]);
  const [told, ...more] = w.told("hold.approval.withdrawn");
  assert.deepEqual(
    [told?.["by"], told?.["account"], told?.["delegation"], told?.["reason"], more.length],
    [
      `user2005 (sre for user2002, delegation ${id})`,
      "unix:2005",
      id,
      `delegation ${id} has ended: user2002 ended it`,
      0,
    ],
  );
  assert.equal(w.told("delegation.ended").length, 1);
});

test("whose lender cannot be told at the moment is shown as worth nothing, and taken back by nobody", async (t) => {
  const w = await lending(t);
  await w.lend(BEN, "eve");
  const hold = w.open({ demands: TWO });
  await w.vote(hold, EVE);
  w.groups.set(2002, new Set());
  await w.daemon().humans.sweep();
  const counts = async () => (await w.daemon().approvals.show(hold.id, DORA))?.answers.map((one) => one.counts);
  assert.deepEqual(await counts(), [false]);
  w.groups.set(2002, new Set(["sre"]));
  await w.daemon().humans.sweep();
  assert.deepEqual([await counts(), w.told("hold.approval.withdrawn")], [[undefined], []]);
});

for (const [who, name, reason] of [
  ["unix:2002", "lender", /^delegation [0-9a-f]+ has ended: an account of it was revoked$/],
  ["unix:2005", "borrower", /^whoever gave it was revoked$/],
] as const) {
  test(`a ${name} who is revoked takes the answer with them: one event of each end, and both are counted`, async (t) => {
    const w = await lending(t);
    await w.lend(BEN, "eve");
    const hold = w.open({ demands: TWO });
    await w.vote(hold, EVE);
    assert.deepEqual(await w.daemon().humans.revoke(who, {}), { sessions: 0, tokens: 0, delegations: 1, approvals: 1 });
    const told = w.told("hold.approval.withdrawn");
    assert.deepEqual([told.length, w.told("delegation.ended").length], [1, 1]);
    assert.match(String(told[0]?.["reason"]), reason);
    assert.deepEqual((await w.daemon().holds.get(hold.id))?.votes, []);
  });
}

test("an answer by a right of one's own and by a delegation counts on by the former once the latter has ended", async (t) => {
  const w = await lending(t);
  const { id } = await w.lend(ROOT, "ben", { group: "dba" });
  const hold = w.open({ demands: [demand({ approvers: ["sre", "dba"], each: true, quorum: 2 })] });
  await w.vote(hold, BEN);
  await w.end(id, ROOT);
  assert.deepEqual(w.told("hold.approval.withdrawn"), []);
  const shown = await w.daemon().approvals.show(hold.id, ROOT);
  assert.deepEqual(
    [shown?.answers.map(({ counts }) => counts), shown?.missing],
    [[undefined], "1 more, among them of dba (rule deletes)"],
  );
});

test("what stands by a delegation is told of once when that ends, and shown as standing no more", async (t) => {
  const w = await lending(t);
  const { id } = await w.lend(BEN, "eve");
  const hold = w.open({ reuseMs: 3_600_000 });
  await w.vote(hold, EVE, "approve", 60_000);
  assert.notEqual((await w.daemon().holds.get(hold.id))?.standsUntilMs, undefined);
  await w.end(id, BEN);
  await w.daemon().holds.all(1);
  assert.equal((await w.daemon().holds.get(hold.id))?.standsUntilMs, undefined);
  assert.deepEqual(
    w.told("hold.approval.withdrawn").map((fields) => [fields?.["hold"], fields?.["delegation"]]),
    [[hold.id, id]],
  );
});

test("lender and borrower are called by their accounts, whatever name they gave themselves", async (t) => {
  const w = await lending(t);
  const forged = { ...humanOf(GIL), name: "root [unix:0]" };
  await w.daemon().humans.people.met(forged);
  const made = await w.lend(DORA, "corp:gil");
  assert.deepEqual([made.from, made.to], ["dora [corp:dora]", "root unix:0 [corp:gil]"]);
  const hold = w.open();
  await w.vote(hold, signedIn(forged));
  const by = `root unix:0 [corp:gil] (sre for dora [corp:dora], delegation ${made.id})`;
  assert.deepEqual([w.told("hold.approval")[0]?.["by"], w.told("hold.approved")[0]?.["delegation"]], [by, made.id]);
});

test("a denial in another's place ends it and names the delegation; the lender's own agent is not denied so", async (t) => {
  const w = await lending(t);
  const { id } = await w.lend(BEN, "eve");
  const own = w.open({ startedBy: BEN });
  assert.equal(await w.vote(own, EVE, "deny"), "APPROVAL_NOT_PERMITTED");
  assert.match((await w.daemon().approvals.show(own.id, EVE))?.barred ?? "", /whoever lent you their place started/);
  const other = w.open({ startedBy: FAY });
  assert.equal(await w.vote(other, EVE, "deny"), "denied");
  assert.deepEqual([await answerOf(own.answer), await answerOf(other.answer)], ["waits", "denied"]);
  assert.equal(w.told("hold.denied")[0]?.["delegation"], id);
});

test("who is of a group answers by that and not by what they were lent, and so are two with their lender", async (t) => {
  const w = await lending(t);
  await w.lend(BEN, "corp:dora");
  const hold = w.open({ demands: TWO });
  await w.vote(hold, DORA);
  assert.deepEqual((await w.daemon().holds.get(hold.id))?.votes[0]?.lent, undefined);
  await w.vote(hold, BEN);
  assert.equal(await answerOf(hold.answer), "approved");
});

test("a group that joins by escalation is answered for by delegation from then on", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const w = await lending(t);
  await w.lend(ROOT, "eve", { group: "leads" });
  const hold = w.open({ demands: [demand({ escalate: { afterMs: 5_000, to: ["leads"] } })] });
  await hold.notice;
  assert.equal(await w.vote(hold, EVE), "APPROVAL_NOT_PERMITTED");
  w.pass(5_000);
  t.mock.timers.tick(5_000);
  await w.vote(hold, EVE);
  assert.equal(await answerOf(hold.answer), "approved");
});

test("of a time and a delegation that ends sooner, an approval stands for the shorter", async (t) => {
  const w = await lending(t);
  const { untilMs } = await w.lend(BEN, "eve", { forMs: 30_000 });
  const hold = w.open({ reuseMs: 3_600_000 });
  await w.vote(hold, EVE, "approve", 60_000);
  assert.equal((await w.daemon().holds.get(hold.id))?.standsUntilMs, untilMs);
});

test("an admin's delegation is marked as one that was not theirs, everywhere", async (t) => {
  const w = await lending(t);
  const { as, from } = await w.lend(ROOT, "eve");
  assert.deepEqual([as, from, w.told("delegation.made")[0]?.["as"]], ["admin", "root", "admin"]);
  const hold = w.open();
  await w.vote(hold, EVE);
  assert.match((await w.daemon().holds.get(hold.id))?.votes[0]?.name ?? "", /\(sre for admin root, delegation/);
});

const whom: readonly (readonly [string, string, string])[] = [
  ["a user of the host", "eve", "unix:2005"],
  ["a user of the host, by account", "unix:eve", "unix:2005"],
  ["a user of the host, by number", "unix:2005", "unix:2005"],
  ["an account that has signed in", "corp:gil", "corp:gil"],
  ["a human of the settings, though a user is called so: they are one", "ada", "ada"],
];
for (const [name, to, account] of whom) {
  test(`is lent to ${name}`, async (t) => {
    const w = await lending(t);
    assert.deepEqual([(await w.lend(BEN, to)).toAccount, w.told("delegation.made").length], [account, 1]);
  });
}

const refused: readonly (readonly [string, Caller, string, object, string])[] = [
  ["to nobody", BEN, "nobody", {}, "DELEGATION_WHO"],
  ["to an account that has not signed in", BEN, "corp:zoe", {}, "DELEGATION_WHO"],
  ["to a name that people give themselves", BEN, "gil", {}, "DELEGATION_WHO"],
  ["to root", BEN, "root", {}, "DELEGATION_WHO"],
  ["to root, by number", BEN, "unix:0", {}, "DELEGATION_WHO"],
  ["to oneself", BEN, "ben", {}, "DELEGATION_WHO"],
  ["to oneself by another account", ADA, "unix:3001", {}, "DELEGATION_WHO"],
  ["for no time", BEN, "eve", { forMs: 0 }, "DELEGATION_TIME"],
  ["until a moment that is past", BEN, "eve", { untilMs: 1 }, "DELEGATION_TIME"],
  ["for longer than the longest", BEN, "eve", { forMs: DELEGATION_MS_MAX + 1 }, "DELEGATION_TIME"],
  ["by who is no member", EVE, "fay", {}, "DELEGATION_NOT_PERMITTED"],
  ["by a member of another group", BEN, "fay", { group: "dba" }, "DELEGATION_NOT_PERMITTED"],
  ["a login's group by a user of the host", BEN, "fay", { group: "corp:sre" }, "DELEGATION_NOT_PERMITTED"],
];
for (const [name, by, to, more, code] of refused) {
  test(`is refused: ${name}`, async (t) => {
    const w = await lending(t);
    await assert.rejects(w.lend(by, to, more), { code });
    assert.deepEqual(await w.daemon().delegations.list({ all: true }, ROOT), []);
  });
}

test("a name that is one human's in the settings and another's on the host is nobody's", async (t) => {
  const w = await lending(t);
  const people = [{ name: "eve", accounts: ["corp:gil"] }];
  w.daemon().humans.people.configure([], people);
  await assert.rejects(w.lend(BEN, "eve"), { code: "DELEGATION_WHO", message: /several people/ });
});

test("the longest is as long as it says, and what is over is told once", async (t) => {
  const w = await lending(t);
  const { id } = await w.lend(BEN, "eve", { forMs: DELEGATION_MS_MAX });
  w.pass(DELEGATION_MS_MAX - 1);
  await w.daemon().humans.sweep();
  assert.deepEqual(w.told("delegation.expired"), []);
  w.pass(1);
  for (let round = 0; round < 2; round++) await w.daemon().humans.sweep();
  await w.restart();
  await w.daemon().humans.sweep();
  assert.deepEqual(
    w.told("delegation.expired").map((fields) => fields?.["delegation"]),
    [id],
  );
  const [listed] = await w.daemon().delegations.list({ all: true }, BEN);
  assert.deepEqual([listed?.state, listed?.why], ["over", "its time is up"]);
});

test("lenders and borrowers see and end theirs, auditors see all, admins end any, and it is told who did", async (t) => {
  const w = await lending(t);
  const auditor: Caller = { ...GIL, roles: new Set(["auditor"]) };
  const admin: Caller = { ...OMA, roles: new Set(["admin"]) };
  const seen = async (by: Caller) => (await w.daemon().delegations.list({ all: false }, by)).length;
  const ids: string[] = [];
  for (let times = 0; times < 3; times++) ids.push((await w.lend(BEN, "eve")).id);
  assert.deepEqual(
    [await seen(BEN), await seen(EVE), await seen(auditor), await seen(admin), await seen(FAY)],
    [3, 3, 3, 3, 0],
  );
  assert.equal(await w.end(ids[0] ?? "", FAY), undefined);
  assert.equal(await w.end(ids[0] ?? "", auditor), undefined);
  for (const [index, by] of [BEN, EVE, admin].entries())
    assert.equal((await w.end(ids[index] ?? "", by))?.state, "over");
  assert.equal(await w.end(ids[0] ?? "", BEN), undefined, "it has ended already");
  assert.equal(await seen(ROOT), 0);
  assert.deepEqual(
    w.told("delegation.ended").map((fields) => [fields?.["delegation"], fields?.["why"]]),
    [
      [ids[0], "user2002 ended it"],
      [ids[1], "user2005 ended it"],
      [ids[2], "oma [corp:oma] ended it"],
    ],
  );
});

test("one lender has a bounded number, also of those that are made at once, and an ended one makes room", async (t) => {
  const w = await lending(t);
  const asked = Array.from({ length: DELEGATIONS_EACH_MAX + 5 }, () => w.lend(BEN, "eve"));
  const made = (await Promise.allSettled(asked)).flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  assert.equal(made.length, DELEGATIONS_EACH_MAX);
  await assert.rejects(w.lend(BEN, "fay"), { code: "DELEGATIONS_FULL" });
  await w.lend(DORA, "fay");
  await w.end(made[0]?.id ?? "", BEN);
  await w.lend(BEN, "fay");
});

test("all have a bounded number, and of those that have ended the oldest are forgotten", async (t) => {
  const w = await lending(t);
  const { delegations } = w.daemon().humans;
  const untilMs = w.clock.nowMs() + 60_000;
  const party = (name: string) => ({ name, account: `unix:${name}`, accounts: [`unix:${name}`] });
  const make = (by: number) =>
    delegations.make(
      {
        ...{ group: "sre", untilMs, reason: "" },
        ...{ from: { ...party(`9${by}`), through: [], as: "admin" }, to: party("5") },
      },
      {},
    );
  for (let by = 0; by < DELEGATIONS_MAX; by++) await make(by);
  await assert.rejects(make(DELEGATIONS_MAX), { code: "DELEGATIONS_FULL" });
  w.pass(60_000);
  await delegations.sweep();
  await w.lend(BEN, "eve");
  w.pass(3_600_000);
  await delegations.sweep();
  const kept = await w.store.humans.all("delegation");
  assert.deepEqual([kept.length, delegations.list().length], [DELEGATIONS_ENDED_KEPT_MAX, DELEGATIONS_ENDED_KEPT_MAX]);
});

test("an end that could not be written counts all the same, and is written by the next round", async (t) => {
  const w = await lending(t);
  const { id } = await w.lend(BEN, "eve");
  const { put } = w.store.humans;
  Object.assign(w.store.humans, { put: async () => assert.fail("the disk is full") });
  await assert.rejects(w.end(id, BEN), /the disk is full/);
  const hold = w.open();
  assert.equal(await w.vote(hold, EVE), "APPROVAL_NOT_PERMITTED");
  Object.assign(w.store.humans, { put });
  await w.daemon().humans.sweep();
  await w.restart();
  assert.equal(await w.vote(w.open(), EVE), "APPROVAL_NOT_PERMITTED");
});

test("who comes over the network with a session answers in another's place as on the host", async (t) => {
  const w = await lending(t);
  await w.lend(DORA, "corp:gil", { group: "corp:sre" });
  const hold = w.open({ demands: [demand({ approvers: ["corp:sre"] })] });
  const over = signedIn({ ...human("corp", "gil"), groups: [] }, { by: "token" });
  await w.vote(hold, over);
  assert.equal(await answerOf(hold.answer), "approved");
});
