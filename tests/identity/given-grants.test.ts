/** Grants that people gave: how long they open, who ends them, what a restart keeps, and how many there may be. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { GRANT_GIVEN_MS_MAX, GRANTS_ENDED_KEPT_MAX, GRANTS_GIVEN_MAX } from "../../src/base/limits.ts";
import type { GrantStore } from "../../src/store/grants.ts";
import { ended, MINUTE_MS, world } from "./grants-kit.ts";

const BY = { uid: 0, reason: "" };
const GIFT = { agent: "ci", connections: ["orders"], forMs: 60 * MINUTE_MS, uid: 0, reason: "ticket 4711" };

test("a grant that was given opens for every cgroup of its agent, until its time is over", async (t) => {
  const { grants, tag, open, pass, expelled, events } = await world(t);
  grants.configure([]);
  const [one, two] = [tag(1n), tag(2n)];
  const { grant, endsMs } = await grants.give(GIFT);
  assert.equal(endsMs, Date.UTC(2026, 0, 31, 13));
  assert.deepEqual(
    [one, two].map((agent, at) => grants.refusal(agent, BigInt(at + 1), "orders")),
    [undefined, undefined],
  );
  open(1n, "orders");
  pass(60 * MINUTE_MS);
  await grants.review();
  await grants.review();
  assert.deepEqual(expelled.slice(0, 1), [`ci to orders: its grant ${grant} has ended`]);
  const until = "2026-01-31T13:00:00.000Z";
  assert.deepEqual(
    events.map(({ kind, fields }) => [kind, fields]),
    [
      ["grant.given", { grant, connections: "orders", until, uid: 0, reason: "ticket 4711" }],
      ["grant.ended", { grant, connections: "orders", until, why: "has ended" }],
    ],
  );
});

test("a person ends one that was given, once; a revocation ends all of its agent", async (t) => {
  const { grants, tag, open, expelled, events } = await world(t);
  grants.configure([]);
  tag(1n);
  const [first, second] = [await grants.give(GIFT), await grants.give(GIFT)];
  const other = await grants.give({ ...GIFT, agent: "bot" });
  open(1n, "orders");
  assert.equal((await grants.end(first.grant, { uid: 1000, reason: "done" }))?.over, "was ended by a person");
  assert.equal(await grants.end(first.grant, BY), undefined);
  assert.equal(await grants.end("none", BY), undefined);
  assert.deepEqual(expelled, []); // the second one covers it
  assert.equal(await grants.endAll("ci", BY), 1);
  assert.deepEqual(expelled, [`ci to orders: its grant ${second.grant} was revoked with its agent`]);
  assert.deepEqual(ended(events), [
    [first.grant, "was ended by a person"],
    [second.grant, "was revoked with its agent"],
  ]);
  const standing = grants.given().filter(({ over }) => over === undefined);
  assert.deepEqual(
    standing.map(({ grant }) => grant),
    [other.grant],
  );
});

test("the events of a grant name the human who gave it and who ended it", async (t) => {
  const { grants, events } = await world(t);
  grants.configure([]);
  const { grant } = await grants.give(GIFT, { uid: 0, human: "corp:ada" });
  await grants.end(grant, { uid: 0, human: "corp:ben", reason: "done" });
  assert.deepEqual(
    events.map(({ fields }) => fields?.["human"]),
    ["corp:ada", "corp:ben"],
  );
});

test("what was given is kept over a restart with its end, in the same boot by the clock that nobody sets", async (t) => {
  const { grants, make, tag, clock, boot, pass } = await world(t);
  grants.configure([]);
  const agent = tag(1n);
  await grants.give(GIFT);
  pass(30 * MINUTE_MS);
  clock.advance(-10 * 60 * MINUTE_MS);
  const next = make();
  next.configure([]);
  await next.restore();
  assert.equal(next.refusal(agent, 1n, "orders"), undefined);
  boot.ns += BigInt(30 * MINUTE_MS + 10) * 1_000_000n;
  assert.match(next.refusal(agent, 1n, "orders") ?? "", /has ended$/);
});

test("after another boot it lasts no longer than its whole time once more, whatever the wall clock says", async (t) => {
  const { grants, make, tag, clock, boot } = await world(t);
  grants.configure([]);
  const agent = tag(1n);
  await grants.give(GIFT);
  clock.advance(-10 * 60 * MINUTE_MS);
  Object.assign(boot, { id: "two", ns: 5n });
  const next = make();
  next.configure([]);
  await next.restore();
  assert.equal(next.refusal(agent, 1n, "orders"), undefined);
  boot.ns += BigInt(60 * MINUTE_MS + 10) * 1_000_000n;
  assert.match(next.refusal(agent, 1n, "orders") ?? "", /has ended$/);
});

test("what has ended stays so over a restart, and is told once", async (t) => {
  const { grants, make, events } = await world(t);
  grants.configure([]);
  const { grant } = await grants.give(GIFT);
  await grants.end(grant, { uid: 1000, reason: "done" });
  const next = make();
  next.configure([]);
  await next.restore();
  await next.review();
  assert.deepEqual(ended(events).length, 1);
  assert.deepEqual(next.given()[0]?.given?.ended, {
    ...{ atMs: Date.UTC(2026, 0, 31, 12), why: "was ended by a person", uid: 1000, reason: "done" },
  });
});

const refused = [
  { name: "where nobody needs one", settings: undefined, gift: GIFT, code: "GRANTS_OFF" },
  { name: "for less than a second", settings: [], gift: { ...GIFT, forMs: 999 }, code: "GRANT_TIME" },
  {
    name: "for longer than may be",
    settings: [],
    gift: { ...GIFT, forMs: GRANT_GIVEN_MS_MAX + 1 },
    code: "GRANT_TIME",
  },
] as const;
for (const { name, settings, gift, code } of refused) {
  test(`a grant is not given ${name}`, async (t) => {
    const { grants, events } = await world(t);
    grants.configure(settings);
    await assert.rejects(grants.give(gift), { code });
    assert.deepEqual([grants.given(), events], [[], []]);
  });
}

/** As the database, in memory: what is asked here is how many there are. */
function heldInMemory() {
  const rows = new Map<string, unknown>();
  const store: GrantStore = {
    put: async (grant) => void rows.set(grant.id, grant),
    forget: async (id) => void rows.delete(id),
    all: async () => [],
  };
  return { rows, store };
}

test("no more are given than fit, and of those that ended the oldest are forgotten", async (t) => {
  const { make } = await world(t);
  const { rows, store } = heldInMemory();
  const grants = make(store);
  grants.configure([]);
  const given: string[] = [];
  const give = async () => given.push((await grants.give(GIFT)).grant);
  for (let count = 0; count < GRANTS_GIVEN_MAX; count++) await give();
  await assert.rejects(grants.give(GIFT), { code: "GRANTS_FULL" });
  await grants.endAll("ci", BY);
  for (let count = 0; count < 3; count++) await give();
  await grants.endAll("ci", BY);
  assert.deepEqual([rows.size, grants.given().length], [GRANTS_ENDED_KEPT_MAX, GRANTS_ENDED_KEPT_MAX]);
  assert.deepEqual([rows.has(given[2] ?? ""), rows.has(given[3] ?? "")], [false, true]);
});

test("on a full disk nothing is given, and what ends ends all the same", async (t) => {
  const { make, store, tag, open, expelled } = await world(t);
  let isFull = false;
  const put: GrantStore["put"] = (grant) => (isFull ? Promise.reject(new Error("disk full")) : store.grants.put(grant));
  const grants = make({ ...store.grants, put });
  grants.configure([]);
  const agent = tag(1n);
  const { grant } = await grants.give(GIFT);
  open(1n, "orders");
  isFull = true;
  await assert.rejects(grants.give(GIFT), /disk full/);
  await assert.rejects(grants.end(grant, BY), /disk full/);
  assert.deepEqual(expelled, [`ci to orders: its grant ${grant} was ended by a person`]);
  assert.equal(grants.given().length, 1);
  isFull = false;
  await grants.review(); // the end of one that has ended cannot be asked for again
  const next = make();
  next.configure([]);
  await next.restore();
  assert.equal(next.refusal(agent, 1n, "orders"), `its grant ${grant} was ended by a person`);
});
