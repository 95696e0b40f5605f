/** Approvals that were given and count no more: their giver was revoked, or may not answer any more. Each with its control. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ChatHumanParts } from "../../src/daemon/chat-human.ts";
import { voteNow } from "../../src/daemon/vote-now.ts";
import type { Vote } from "../../src/holds/record.ts";
import type { Loan } from "../../src/model/delegation.ts";
import { ADA, answerOf, BEN, CYD, demand, EVE, ROOT, request, world } from "./kit.ts";
import { human, people, person, signedIn } from "./people.ts";

const TWO = { terms: { demands: [demand({ quorum: 2 })] } };
const isAdas = ({ accounts }: Vote) => accounts.includes("unix:2001");

for (const isRevoked of [true, false]) {
  test(`a quorum with one who ${isRevoked ? "was revoked meanwhile waits on" : "was not is enough"}`, async (t) => {
    const { holds, kinds, events } = await world(t);
    const hold = holds.open(request(TWO));
    await holds.approve(hold.id, {}, ADA);
    if (isRevoked) assert.equal(holds.withdraw(isAdas, "whoever gave it was revoked"), 1);
    await holds.approve(hold.id, {}, BEN);
    assert.equal(await answerOf(hold.answer), isRevoked ? "waits" : "approved");
    assert.equal(kinds().filter((kind) => kind === "hold.approval.withdrawn").length, isRevoked ? 1 : 0);
    if (!isRevoked) return;
    const told = events.find(({ kind }) => kind === "hold.approval.withdrawn");
    assert.deepEqual(
      [told?.fields?.["by"], told?.fields?.["account"], told?.fields?.["reason"]],
      ["ada (sre)", "unix:2001", "whoever gave it was revoked"],
    );
    await holds.approve(hold.id, {}, ADA); // once more, as somebody who may again
    assert.equal(await answerOf(hold.answer), "approved");
  });
}

test("what was withdrawn is kept, and told to who watches", async (t) => {
  const { holds, store } = await world(t);
  const hold = holds.open(request(TWO));
  await holds.approve(hold.id, {}, ADA);
  const seen: number[] = [];
  holds.watch(({ votes }) => seen.push(votes.length));
  holds.withdraw(isAdas, "whoever gave it was revoked");
  await holds.all(1);
  assert.deepEqual([seen, JSON.parse((await store.get(hold.id))?.document ?? "").votes], [[0], []]);
});

for (const [name, now, state] of [
  ["who left every group of the rule", async (vote: Vote) => (isAdas(vote) ? undefined : vote), "waits"],
  ["who left nothing", async (vote: Vote) => vote, "approved"],
] as const) {
  test(`at the count, the vote of one ${name}: ${state}`, async (t) => {
    let asks = async (vote: Vote): Promise<Vote | undefined> => vote;
    const { holds } = await world(t, { voteNow: (vote) => asks(vote) });
    const hold = holds.open(request(TWO));
    await holds.approve(hold.id, {}, ADA);
    asks = now;
    await holds.approve(hold.id, {}, BEN);
    assert.equal(await answerOf(hold.answer), state);
  });
}

test("of one who left one of two groups, the other alone counts", async (t) => {
  let left: readonly string[] = [];
  const voteOf = async (vote: Vote) => ({ ...vote, groups: vote.groups.filter((group) => !left.includes(group)) });
  const { holds } = await world(t, { voteNow: voteOf });
  const each = demand({ approvers: ["sre", "dba"], each: true, quorum: 2 });
  const hold = holds.open(request({ terms: { demands: [each] } }));
  await holds.approve(hold.id, {}, { ...ADA, groups: new Set(["sre", "dba"]) });
  left = ["dba"];
  await holds.approve(hold.id, {}, BEN);
  assert.equal(await answerOf(hold.answer), "waits");
  left = [];
  await holds.approve(hold.id, {}, CYD);
  assert.equal(await answerOf(hold.answer), "approved");
});

test("what is revoked while the groups are being asked for counts neither", async (t) => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { holds } = await world(t, { voteNow: (vote) => promise.then(() => vote) });
  const hold = holds.open(request(TWO));
  await holds.approve(hold.id, {}, BEN);
  const approving = holds.approve(hold.id, {}, ADA);
  await new Promise(setImmediate);
  assert.equal(holds.withdraw(isAdas, "whoever gave it was revoked"), 1);
  resolve();
  await approving;
  assert.equal(await answerOf(hold.answer), "waits");
});

for (const isEnded of [true, false]) {
  test(`a delegation that ${isEnded ? "ends" : "lasts"} while the groups are being asked for ${isEnded ? "gives nothing" : "counts"}`, async (t) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const loan = { delegation: "d1", group: "sre", by: "cyd", accounts: ["unix:2003"], through: [], endsMs: 60_000 };
    let lent: Loan | undefined = loan;
    const { holds, kinds } = await world(t, {
      voteNow: (vote) => promise.then(() => vote),
      standing: () => lent,
    });
    const hold = holds.open(request(TWO));
    await holds.approve(hold.id, {}, BEN);
    const approving = holds.approve(hold.id, {}, { ...EVE, lent: [loan] });
    await new Promise(setImmediate);
    if (isEnded) {
      lent = undefined;
      assert.equal(holds.withdrawLent("d1", "delegation d1 has ended: its time is up"), 1);
    }
    resolve();
    await approving;
    assert.equal(await answerOf(hold.answer), isEnded ? "waits" : "approved");
    assert.equal(kinds().filter((kind) => kind === "hold.approval.withdrawn").length, isEnded ? 1 : 0);
  });
}

test("who turns out to have started the agent, by an account that has become known, is not counted", async (t) => {
  const known = await people(t);
  const { holds } = await world(t, { humansOf: known.humansOf, taggedBy: () => ["unix:2050"] });
  const sre = demand({ approvers: ["corp:sre", "sre"], quorum: 2 });
  const hold = holds.open(request({ terms: { demands: [sre] } }));
  await holds.approve(hold.id, {}, await person(signedIn(human("corp", "ben"))));
  await known.tie(2050, "corp:ben"); // they sign in as the user who started it
  await holds.approve(hold.id, {}, ADA);
  assert.equal(await answerOf(hold.answer), "waits");
});

test("on a disk that takes nothing what stood stands no more all the same, and the daemon lives", async (t) => {
  const made = await world(t);
  let isFull = false;
  const put: typeof made.store.put = (row) => (isFull ? Promise.reject(new Error("disk full")) : made.store.put(row));
  const { holds, log } = await world(t, { store: { ...made.store, put } });
  const hour = { terms: { reuseMs: 3_600_000 } };
  const first = holds.open(request(hour));
  await holds.approve(first.id, { forMs: 60_000 }, ADA);
  first.finished("DELETE 1");
  await holds.all(1);
  isFull = true;
  assert.equal(holds.withdraw(isAdas, "whoever gave it was revoked"), 1);
  const second = holds.open(request(hour));
  await second.notice;
  await holds.all(1);
  assert.equal(await answerOf(second.answer), "denied", "it could not be kept that it waits");
  assert.ok(log.lines.some((line) => line.includes("An end was not kept")));
});

test("two who approve at once release it once", async (t) => {
  const { holds, kinds } = await world(t);
  const hold = holds.open(request(TWO));
  await Promise.all([holds.approve(hold.id, {}, ADA), holds.approve(hold.id, {}, BEN)]);
  assert.equal(await answerOf(hold.answer), "approved");
  assert.equal(kinds().filter((kind) => kind === "hold.approved").length, 1);
});

for (const isRevoked of [true, false]) {
  test(`what stands by an approval ${isRevoked ? "stands no more once its giver is revoked" : "passes again"}`, async (t) => {
    const { holds, kinds } = await world(t);
    const hour = { terms: { reuseMs: 3_600_000 } };
    const first = holds.open(request(hour));
    await holds.approve(first.id, { forMs: 60_000 }, ADA);
    first.finished("DELETE 1");
    if (isRevoked) assert.equal(holds.withdraw(isAdas, "whoever gave it was revoked"), 1);
    const second = holds.open(request(hour));
    await second.notice;
    await holds.all(10);
    assert.equal(await answerOf(second.answer), isRevoked ? "waits" : "approved");
    assert.equal((await holds.get(first.id))?.standsUntilMs !== undefined, !isRevoked);
    assert.equal(kinds().includes("hold.approval.withdrawn"), isRevoked);
  });
}

const GROUPS: Readonly<Record<number, readonly string[]>> = { 2001: ["sre"], 2002: ["staff"] };
const vote = (account: string, changes: Partial<Vote> = {}): Vote => ({
  ...{ uid: Number(/^unix:(\d+)$/.exec(account)?.[1] ?? 0), name: account, accounts: [account] },
  ...{ reach: "own", groups: ["sre"], atMs: 1, ...changes },
});
const LENT = { groups: [], lent: [{ delegation: "d1", group: "sre" }] };
const votes: readonly (readonly [string, Vote, readonly string[] | undefined])[] = [
  ["a user in the group", vote("unix:2001", { groups: ["sre", "dba"] }), ["sre"]],
  ["a user who left it", vote("unix:2002"), undefined],
  ["a user whom the host knows no more", vote("unix:2999"), undefined],
  ["a user who was lent it", vote("unix:2002", LENT), []],
  ["a user who was lent it and whom the host knows no more", vote("unix:2999", LENT), undefined],
  ["root", vote("unix:0", { reach: "every", groups: [] }), []],
  ["root by sudo of a user who is gone", vote("unix:2999", { uid: 0, reach: "every", groups: [] }), []],
  ["a human in the group", vote("corp:ada"), ["sre"]],
  ["a human who left it", vote("corp:ada", { groups: ["corp:dba"] }), undefined],
  ["a human who was lent it", vote("corp:ada", LENT), []],
  ["an account of a login that is gone", vote("former:ada"), undefined],
  ["a session of a login that is gone, of whom the settings name groups", vote("former:zed", { by: "s1" }), undefined],
  ["a chat of theirs", vote("slack:T1/UZED"), ["sre"]],
  ["one by broken glass of a human who is known no more", vote("former:ada", { reach: "every" }), undefined],
  ["a chat of a human whom the settings name", vote("slack:T1/UADA", { groups: ["sre", "dba"] }), ["sre"]],
  ["a chat of one whom they name no more", vote("slack:T1/UBEN"), undefined],
  ["a chat of one of whom no group is known", vote("slack:T1/UCYD"), undefined],
];
test("a vote counts as its human is known by now", async (t) => {
  const known = await people(t);
  const parts: ChatHumanParts = {
    people: [
      { name: "ada", accounts: ["slack:T1/UADA", "corp:ada"] },
      { name: "cyd", accounts: ["slack:T1/UCYD"] },
      { name: "zed", accounts: ["former:zed", "slack:T1/UZED"], groups: ["sre"] },
    ],
    humans: {
      known: (account) => {
        const found = known.find(account);
        return found && { human: found, roles: new Set(found.groups.includes("corp:sre") ? ["reviewer"] : []) };
      },
    },
    humansOf: known.humansOf,
    groupsOf: async (uid) => new Set(GROUPS[uid] ?? []),
    uidOf: async () => undefined,
    lentTo: async () => [],
  };
  for (const [name, given, groups] of votes) {
    assert.deepEqual((await voteNow(given, parts))?.groups, groups, name);
  }
  await known.met({ ...human("corp", "ada"), groups: ["sre"] });
  assert.equal(await voteNow(vote("corp:ada"), parts), undefined, "whose groups give no role that answers");
  assert.equal(await voteNow(vote("corp:ada", LENT), parts), undefined, "nor in another's place");
  assert.ok(await voteNow(ROOT as unknown as Vote, parts));
});
