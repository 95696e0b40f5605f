/** Grants of the settings: which one covers what, when it ends, and what that ends. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { GrantTerms } from "../../src/model/grant.ts";
import type { Agent } from "../../src/model/identity.ts";
import { compileGrantCondition as when } from "../../src/policy/grant-condition.ts";
import { ended, MINUTE_MS, terms, world } from "./grants-kit.ts";

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
