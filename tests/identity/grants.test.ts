/** Grants by two clocks that a test moves: which one covers what, when it ends, what that ends, and what a restart keeps. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { GRANT_GIVEN_MS_MAX, GRANTS_ENDED_KEPT_MAX, GRANTS_GIVEN_MAX } from "../../src/base/limits.ts";
import { Grants } from "../../src/identity/grants.ts";
import type { AuditEvent } from "../../src/model/event.ts";
import type { GrantTerms } from "../../src/model/grant.ts";
import type { Agent } from "../../src/model/identity.ts";
import { compileGrantCondition } from "../../src/policy/grant-condition.ts";
import type { GrantStore } from "../../src/store/grants.ts";
import { openStore } from "../../src/store/store.ts";
import type { Tag } from "../../src/store/tags.ts";
import { folder, handClock, quietLog } from "../store/folder.ts";

const MINUTE_MS = 60_000;
const BY = { uid: 0, reason: "" };

async function world(t: TestContext) {
  const store = await openStore(join(folder(t), "state"), quietLog());
  t.after(() => store.close());
  const clock = handClock();
  const boot = { ns: 1_000_000_000n, id: "one" };
  /** Both clocks, as time does. */
  const pass = (ms: number) => {
    clock.advance(ms);
    boot.ns += BigInt(ms) * 1_000_000n;
  };
  const events: AuditEvent[] = [];
  const expelled: string[] = [];
  const tags = new Map<bigint, Tag>();
  const born = new Set<bigint>();
  const who = new Map<bigint, Partial<Agent>>();
  const flows: { agent: Agent; cgroupId: bigint; to: string }[] = [];
  const agentOf = (slot: number, cgroupId: bigint): Agent => {
    const name = slot === 1 ? "ci" : "bot";
    return { slot, name, groups: [], claims: {}, ...who.get(cgroupId) };
  };
  const make = (grants: GrantStore = store.grants) =>
    new Grants({
      ...{ clock, bootNs: () => boot.ns, bootId: boot.id, store: grants },
      emit: (event) => events.push(event),
      agents: { list: () => [...tags.values()], byId: (id) => tags.get(id), agentOf },
      isBorn: (id) => born.has(id),
      flows: () =>
        flows.map(({ agent, cgroupId, to }) => ({
          ...{ agent, origin: { tagCgroupId: cgroupId }, connection: { name: to } },
          expel: (why) => void expelled.push(`${agent.name} to ${to}: ${why}`),
        })),
    });
  /** An agent's cgroup, tagged now. */
  const tag = (cgroupId: bigint, agent: "ci" | "bot" = "ci") => {
    const slot = agent === "ci" ? 1 : 2;
    const more = { kind: "tag", runId: undefined, matcher: "", container: "", uid: 0 } as const;
    tags.set(cgroupId, { cgroupId, cgroup: `/c${cgroupId}`, agent, slot, createdMs: clock.nowMs(), ...more });
    return agentOf(slot, cgroupId);
  };
  const open = (cgroupId: bigint, to: string) => {
    const found = tags.get(cgroupId) ?? assert.fail();
    flows.push({ agent: agentOf(found.slot, cgroupId), cgroupId, to });
  };
  const grants = make();
  return { store, clock, boot, pass, events, expelled, tags, born, who, flows, make, grants, tag, open, agentOf };
}

function terms(more: Partial<GrantTerms> = {}): GrantTerms {
  const usual = { name: "g", agents: ["ci"], connections: ["orders"], condition: undefined, untilMs: undefined };
  return { ...usual, forMs: 30 * MINUTE_MS, ...more };
}
const when = (text: string) => compileGrantCondition(text);
const ended = (events: readonly AuditEvent[]) =>
  events.filter(({ kind }) => kind === "grant.ended").map(({ fields }) => [fields?.["grant"], fields?.["why"]]);

const NONE = "no grant of ci covers connection orders";
const cases: readonly {
  readonly name: string;
  readonly grants: readonly GrantTerms[] | undefined;
  readonly who?: Partial<Agent>;
  readonly passMs?: number;
  readonly says: string | undefined;
}[] = [
  { name: "without `grants` in the settings agents need none", grants: undefined, says: undefined },
  { name: "with an empty list nothing is reached", grants: [], says: NONE },
  { name: "a grant for the connection opens it", grants: [terms()], says: undefined },
  { name: "a grant for every connection opens it", grants: [terms({ connections: "*" })], says: undefined },
  { name: "a grant for another connection does not", grants: [terms({ connections: ["billing"] })], says: NONE },
  { name: "a grant for another agent does not", grants: [terms({ agents: ["bot"] })], says: NONE },
  { name: "a moment before its end it opens", grants: [terms()], passMs: 30 * MINUTE_MS - 1, says: undefined },
  { name: "at its end it does not", grants: [terms()], passMs: 30 * MINUTE_MS, says: "its grant g has ended" },
  {
    name: "`until` ends it before `for` does",
    grants: [terms({ untilMs: Date.UTC(2026, 0, 31, 12, 5) })],
    passMs: 5 * MINUTE_MS,
    says: "its grant g has ended",
  },
  {
    name: "of two the longer one counts",
    grants: [terms(), terms({ name: "h", forMs: 60 * MINUTE_MS })],
    passMs: 30 * MINUTE_MS,
    says: undefined,
  },
  {
    name: "a condition that is met opens it",
    grants: [terms({ condition: when('agent.claims["ref"] == "main"') })],
    who: { claims: { ref: "main" } },
    says: undefined,
  },
  {
    name: "a condition that is not met does not",
    grants: [terms({ condition: when('"builders" in agent.groups') })],
    says: "its grant g does not count: its condition is not met",
  },
  {
    name: "a condition over a fact that is missing does not",
    grants: [terms({ condition: when('agent.claims["ref"] != "main"') })],
    says: "its grant g does not count: its condition is not met",
  },
  {
    name: "a condition over the hour counts within it",
    grants: [terms({ condition: when("time.hour >= 12 && time.hour < 18") })],
    says: undefined,
  },
  {
    name: "and not outside of it",
    grants: [terms({ forMs: 24 * 60 * MINUTE_MS, condition: when("time.hour >= 12 && time.hour < 18") })],
    passMs: 6 * 60 * MINUTE_MS,
    says: "its grant g does not count: its condition is not met",
  },
  {
    name: "an identity that is over takes them along",
    grants: [terms()],
    who: { identity: { state: "over", issuer: "forge", subject: "s" } },
    says: "its grant g has ended with its agent's identity",
  },
  {
    name: "a revocation does",
    grants: [terms()],
    who: { revoked: true },
    says: "its grant g was revoked with its agent",
  },
];
for (const { name, grants: settings, who: is, passMs = 0, says } of cases) {
  test(name, async (t) => {
    const { grants, tag, who, pass } = await world(t);
    grants.configure(settings);
    tag(1n);
    if (is !== undefined) who.set(1n, is);
    pass(passMs);
    const agent = { slot: 1, name: "ci", groups: [], claims: {}, ...is };
    assert.equal(grants.refusal(agent, 1n, "orders"), says);
  });
}

test("a wall clock that is set back prolongs neither a time nor a moment, also by a reload", async (t) => {
  for (const settings of [terms(), terms({ forMs: 24 * 60 * MINUTE_MS, untilMs: Date.UTC(2026, 0, 31, 12, 30) })]) {
    const { grants, tag, clock, boot } = await world(t);
    grants.configure([settings]);
    const agent = tag(1n);
    assert.equal(grants.refusal(agent, 1n, "orders"), undefined);
    clock.advance(-20 * 60 * MINUTE_MS);
    grants.configure([settings]);
    boot.ns += BigInt(30 * MINUTE_MS + 10) * 1_000_000n;
    assert.equal(grants.refusal(agent, 1n, "orders"), "its grant g has ended");
  }
});

test("each cgroup has its own time, and one that is tagged anew begins anew", async (t) => {
  const { grants, tag, pass } = await world(t);
  grants.configure([terms()]);
  const one = tag(1n);
  pass(20 * MINUTE_MS);
  const two = tag(2n);
  pass(10 * MINUTE_MS);
  assert.equal(grants.refusal(one, 1n, "orders"), "its grant g has ended");
  assert.equal(grants.refusal(two, 2n, "orders"), undefined);
  tag(1n);
  assert.equal(grants.refusal(one, 1n, "orders"), undefined);
});

test("what was born and is not listed yet has its grant; what is tagged no more, or as another, has none", async (t) => {
  const { grants, agentOf, born, tag } = await world(t);
  grants.configure([terms()]);
  assert.equal(grants.refusal(agentOf(1, 7n), 7n, "orders"), "its grants have ended with its tag");
  born.add(7n);
  assert.equal(grants.refusal(agentOf(1, 7n), 7n, "orders"), undefined);
  tag(7n, "bot");
  assert.equal(grants.refusal(agentOf(1, 7n), 7n, "orders"), "its grants have ended with its tag");
});

test("the end of a grant expels what it alone let in, tells it once with the reason, and leaves the others alone", async (t) => {
  const { grants, tag, open, pass, expelled, events } = await world(t);
  grants.configure([
    terms(),
    terms({ name: "billing", connections: ["billing"], forMs: 60 * MINUTE_MS }),
    terms({ name: "bot", agents: ["bot"], forMs: 60 * MINUTE_MS }),
  ]);
  tag(1n);
  tag(2n, "bot");
  open(1n, "orders");
  open(1n, "billing");
  open(2n, "orders");
  await grants.review();
  pass(30 * MINUTE_MS - 1);
  await grants.review();
  assert.deepEqual([expelled, events], [[], []]);
  pass(1);
  await grants.review();
  assert.deepEqual(expelled, ["ci to orders: its grant g has ended"]);
  const { atMs, agent, message, fields } = events[0] ?? assert.fail();
  assert.deepEqual([atMs, agent, message], [Date.UTC(2026, 0, 31, 12, 30), "ci", "Grant g of ci has ended"]);
  const until = "2026-01-31T12:30:00.000Z";
  assert.deepEqual(fields, {
    grant: "g",
    connections: "orders",
    until,
    why: "has ended",
    cgroup: "/c1",
    cgroupId: "1",
  });
  await grants.review();
  assert.equal(events.length, 1);
});

test("what two grants let in goes on until the second one ends, which is named", async (t) => {
  const { grants, tag, open, pass, expelled } = await world(t);
  grants.configure([terms(), terms({ name: "longer", connections: "*", forMs: 40 * MINUTE_MS })]);
  tag(1n);
  open(1n, "orders");
  await grants.review();
  pass(30 * MINUTE_MS);
  await grants.review();
  assert.deepEqual(expelled, []);
  pass(10 * MINUTE_MS);
  await grants.review();
  assert.deepEqual(expelled, ["ci to orders: its grant longer has ended"]);
});

test("a grant that leaves the settings, or whose condition is met no more, ends what it let in", async (t) => {
  const { grants, tag, open, expelled, events, who } = await world(t);
  const builders = terms({ name: "builders", connections: ["billing"], condition: when('"builders" in agent.groups') });
  grants.configure([terms(), builders]);
  who.set(1n, { groups: ["builders"] });
  tag(1n);
  open(1n, "orders");
  open(1n, "billing");
  await grants.review();
  grants.configure([builders]);
  who.set(1n, { groups: [] });
  await grants.review();
  assert.deepEqual(expelled, [
    "ci to orders: its grant g has ended: it is not in the settings any more",
    "ci to billing: its grant builders does not count: its condition is not met",
  ]);
  assert.deepEqual(ended(events).length, 2);
  grants.configure(undefined);
  await grants.review();
  assert.equal(expelled.length, 2); // nobody needs one any more
});

test("flows of a cgroup that is tagged no more end, and nothing is told of its grants", async (t) => {
  const { grants, tag, open, tags, expelled, events } = await world(t);
  grants.configure([terms()]);
  tag(1n);
  open(1n, "orders");
  await grants.review();
  tags.delete(1n);
  await grants.review();
  assert.deepEqual([expelled, events], [["ci to orders: its grants have ended with its tag"], []]);
});

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
  tag(1n);
  const { grant } = await grants.give(GIFT);
  open(1n, "orders");
  isFull = true;
  await assert.rejects(grants.give(GIFT), /disk full/);
  await assert.rejects(grants.end(grant, BY), /disk full/);
  assert.deepEqual(expelled, [`ci to orders: its grant ${grant} was ended by a person`]);
  assert.equal(grants.given().length, 1);
});
