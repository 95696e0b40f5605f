/** An identity from its token to its end: bound once, kept over a restart, ended on time, never prolonged. */
import assert from "node:assert/strict";
import { mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { exportJWK } from "jose";
import { TOKENS_BOUND_MAX } from "../../src/base/limits.ts";
import { Agents, type TagRequest } from "../../src/identity/agents.ts";
import { Tokens } from "../../src/identity/tokens.ts";
import type { Interception } from "../../src/kernel/interception.ts";
import type { AuditEvent } from "../../src/model/event.ts";
import type { Identity } from "../../src/model/identity.ts";
import { openDatabase } from "../../src/store/database.ts";
import { openStore } from "../../src/store/store.ts";
import { AUDIENCE, makeKey, sign } from "../kit/issuer.ts";
import { folder, handClock, quietLog } from "../store/folder.ts";

const MINUTE_MS = 60_000;
const ISSUER = { name: "forge", url: "https://forge.example" };

async function world(t: TestContext) {
  const base = folder(t);
  const root = join(base, "unified");
  const fill = (path: string, populated: 0 | 1) =>
    writeFileSync(join(root, path, "cgroup.events"), `populated ${populated}\n`);
  for (const path of ["a", "b"]) {
    mkdirSync(join(root, path), { recursive: true });
    fill(path, 1);
  }
  const store = await openStore(join(base, "state"), quietLog());
  t.after(() => store.close());
  const clock = handClock();
  const boot = { ns: 1_000_000_000n };
  const pass = (ms: number) => {
    clock.advance(ms);
    boot.ns += BigInt(ms) * 1_000_000n;
  };
  const tagged = new Map<bigint, number>();
  const kernel = {
    cgroupRoot: root,
    fault: undefined as Error | undefined,
    tag(path: string, slot: number) {
      if (kernel.fault !== undefined) throw kernel.fault;
      tagged.set(idOf(path), slot);
    },
    untag: (id: bigint) => tagged.delete(id),
    tags: () => [],
    prepareCgroup: () => [],
  };
  const events: AuditEvent[] = [];
  const over: [bigint, string][] = [];
  /** Names whose matchers count no more. */
  const revoked = new Set<string>();
  const make = (tags = store.tags) => {
    const agents = new Agents({
      ...{ interception: kernel as unknown as Interception, store: tags, tokens: store.tokens, clock },
      emit: (event) => events.push(event),
      isRevoked: (agent) => revoked.has(agent),
      identityOver: (cgroupId, why) => over.push([cgroupId, why]),
      ownCgroup: () => "/daemon",
      bootNs: () => boot.ns,
    });
    agents.configure([{ name: "ci", groups: ["own"], claims: { team: "shop", ref: "settings" }, match: [] }], [ISSUER]);
    return agents;
  };
  const identity = (more: Partial<Identity> = {}): Identity => ({
    ...{ issuer: ISSUER.name, issuerUrl: ISSUER.url, subject: "repo:acme/shop", groups: ["builders", "own"] },
    ...{ claims: { ref: "refs/heads/main" }, token: "hash-1", tokenEndsMs: clock.nowMs() + 6 * MINUTE_MS },
    ...{ endsMs: clock.nowMs() + 30 * MINUTE_MS, ...more },
  });
  const request = (path: string, more: Partial<TagRequest> = {}): TagRequest => {
    return { as: "ci", path, kind: "tag", uid: 1000, identity: identity(), ...more };
  };
  return {
    ...{ base, root, fill, store, clock, boot, pass, kernel, tagged, events, over, revoked },
    ...{ make, agents: make(), identity, request },
  };
}

const idOf = (path: string) => statSync(path, { bigint: true }).ino;
const kinds = (events: readonly AuditEvent[]) => events.map(({ kind }) => kind);
const BARE = { groups: ["own"], claims: { team: "shop", ref: "settings" } };

test("an identity adds its groups and claims to those of the settings, for its own cgroup only", async (t) => {
  const { agents, request } = await world(t);
  const one = await agents.tag(request("/a"));
  const other = await agents.tag({ as: "ci", path: "/b", kind: "tag", uid: 1000 });
  assert.equal(one.slot, other.slot);
  assert.deepEqual(agents.agentOf(one.slot, one.cgroupId), {
    ...{ slot: one.slot, name: "ci", groups: ["own", "builders"], claims: { team: "shop", ref: "refs/heads/main" } },
    identity: { state: "valid", issuer: "forge", subject: "repo:acme/shop" },
  });
  assert.deepEqual(agents.agentOf(other.slot, other.cgroupId), { slot: one.slot, name: "ci", ...BARE });
  assert.deepEqual(agents.agentOf(one.slot, 7n), { slot: one.slot, name: "ci", ...BARE });
});

test("the event of a tag says who says who it is", async (t) => {
  const { agents, request, events } = await world(t);
  await agents.tag(request("/a"));
  const [{ fields } = assert.fail("no event")] = events;
  assert.deepEqual(
    [fields?.["issuer"], fields?.["subject"], fields?.["claim.ref"], fields?.["groups"]],
    ["forge", "repo:acme/shop", "refs/heads/main", "own builders"],
  );
});

test("an identity is kept over a restart, and ends at the same time", async (t) => {
  const { agents, make, request, pass, over } = await world(t);
  const { slot, cgroupId } = await agents.tag(request("/a"));
  pass(10 * MINUTE_MS);
  const next = make();
  await next.restore();
  assert.equal(next.agentOf(slot, cgroupId)?.identity?.state, "valid");
  pass(20 * MINUTE_MS);
  assert.equal(next.agentOf(slot, cgroupId)?.identity?.state, "over");
  await next.endIdentities();
  assert.deepEqual(over, [[cgroupId, "its identity has expired"]]);
});

test("an expired identity leaves a guarded cgroup that is nobody, told once, also over a restart", async (t) => {
  const { agents, make, request, pass, over, events, tagged } = await world(t);
  const { slot, cgroupId } = await agents.tag(request("/a"));
  pass(30 * MINUTE_MS - 1);
  await agents.endIdentities();
  assert.deepEqual([over, agents.agentOf(slot, cgroupId)?.identity?.state], [[], "valid"]);
  pass(1);
  const expected = {
    slot,
    name: "ci",
    ...BARE,
    identity: { state: "over", issuer: "forge", subject: "repo:acme/shop" },
  };
  assert.deepEqual(agents.agentOf(slot, cgroupId), expected); // at once, before anybody has looked
  await agents.endIdentities();
  await agents.endIdentities();
  const next = make();
  await next.restore();
  await next.endIdentities();
  assert.deepEqual(next.agentOf(slot, cgroupId), expected);
  assert.deepEqual([over.length, kinds(events), tagged.size], [1, ["agent.tag", "agent.identity.expired"], 1]);
});

test("a wall clock that is set back prolongs nothing", async (t) => {
  const { agents, request, clock, boot, over } = await world(t);
  const { slot, cgroupId } = await agents.tag(request("/a"));
  clock.advance(-60 * MINUTE_MS);
  boot.ns += BigInt(30 * MINUTE_MS + 10) * 1_000_000n;
  assert.equal(agents.agentOf(slot, cgroupId)?.identity?.state, "over");
  await agents.endIdentities();
  assert.equal(over.length, 1);
});

test("sessions of an expired identity end also when the disk takes nothing", async (t) => {
  const { store, make, request, pass, over } = await world(t);
  let isFull = false;
  const put: typeof store.tags.put = (tag) => (isFull ? Promise.reject(new Error("disk full")) : store.tags.put(tag));
  const agents = make({ ...store.tags, put });
  const { slot, cgroupId } = await agents.tag(request("/a"));
  isFull = true;
  pass(30 * MINUTE_MS);
  await assert.rejects(agents.endIdentities(), /disk full/);
  assert.deepEqual([over.length, agents.agentOf(slot, cgroupId)?.identity?.state], [1, "over"]);
});

test("an identity ends when nobody lives in its cgroup any more, not before somebody has", async (t) => {
  const { agents, request, fill, over, make } = await world(t);
  fill("a", 0);
  const { slot, cgroupId } = await agents.tag(request("/a"));
  await agents.endIdentities();
  assert.deepEqual(over, []);
  fill("a", 1);
  await agents.endIdentities();
  fill("a", 0);
  await agents.endIdentities();
  assert.deepEqual(over, [[cgroupId, "its identity has ended: nobody lives in its cgroup any more"]]);
  fill("a", 1); // whoever comes later is not who showed the token
  const next = make();
  await next.restore();
  assert.equal(next.agentOf(slot, cgroupId)?.identity?.state, "over");
});

test("identities of an issuer that the settings name no more, or with another address, end", async (t) => {
  const { agents, request, identity, over } = await world(t);
  await agents.tag(request("/a"));
  await agents.tag(request("/b", { identity: identity({ issuer: "other", token: "hash-2" }) }));
  agents.configure([], [{ name: "other", url: ISSUER.url }]);
  await agents.endIdentities();
  assert.equal(over.length, 1);
  agents.configure([], [{ name: "other", url: "https://moved.example" }]);
  await agents.endIdentities();
  assert.equal(over.length, 2);
});

test("an identity ends with its tag", async (t) => {
  const { agents, request, root, over } = await world(t);
  const { slot, cgroupId } = await agents.tag(request("/a"));
  assert.equal(await agents.untag(join(root, "a")), true);
  assert.deepEqual(over, [[cgroupId, "its identity has ended with its tag"]]);
  assert.deepEqual(agents.agentOf(slot, cgroupId)?.identity, undefined);
});

test("a cgroup with an identity takes neither another one nor none, until the first has ended", async (t) => {
  const { agents, request, identity, root, pass } = await world(t);
  const first = await agents.tag(request("/a"));
  const another = request("/a", { identity: identity({ token: "hash-2" }) });
  const { identity: _identity, ...none } = request("/a");
  const refuse = async () => {
    for (const later of [another, none, request("/a", { as: "dev" })]) {
      agents.configure([], [ISSUER]);
      await assert.rejects(agents.tag(later), { code: "AGENT_IDENTITY" });
    }
  };
  await refuse();
  pass(30 * MINUTE_MS);
  await agents.endIdentities();
  await refuse(); // an expired one is no way to be somebody else, or nobody in particular
  await agents.untag(join(root, "a"));
  assert.notEqual((await agents.tag(another)).identity?.token, first.identity?.token);
});

test("the same token shown again for the same cgroup changes nothing", async (t) => {
  const { agents, request } = await world(t);
  const first = await agents.tag(request("/a"));
  assert.equal(await agents.tag(request("/a")), first);
});

test("a token that was shown is refused for another cgroup, another agent and another daemon, and told", async (t) => {
  const { agents, make, request, root, events, tagged } = await world(t);
  await agents.tag(request("/a"));
  await assert.rejects(agents.tag(request("/b")), { code: "TOKEN_REPLAYED" });
  await assert.rejects(agents.tag(request("/b", { kind: "run" })), { code: "TOKEN_REPLAYED" });
  await agents.untag(join(root, "a"));
  await assert.rejects(agents.tag(request("/a")), { code: "TOKEN_REPLAYED" });
  await assert.rejects(make().tag(request("/b")), { code: "TOKEN_REPLAYED" });
  const [told] = events.filter(({ kind }) => kind === "agent.identity.refused");
  assert.deepEqual([told?.agent, told?.fields], ["ci", { code: "TOKEN_REPLAYED", uid: 1000 }]);
  assert.equal(tagged.size, 0);
});

test("of two who show one token at once, one is taken", async (t) => {
  const { agents, request, tagged } = await world(t);
  const outcomes = await Promise.allSettled([agents.tag(request("/a")), agents.tag(request("/b"))]);
  assert.deepEqual(outcomes.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  assert.equal(tagged.size, 1);
});

test("a token whose tag failed may be shown again", async (t) => {
  const { agents, kernel, request, store, make } = await world(t);
  kernel.fault = new Error("CGROUP_DEPTH");
  await assert.rejects(agents.tag(request("/a")), /CGROUP_DEPTH/);
  kernel.fault = undefined;
  const full = make({ ...store.tags, put: () => Promise.reject(new Error("disk full")) });
  await assert.rejects(full.tag(request("/a")), /disk full/);
  assert.ok(await agents.tag(request("/a")));
});

test("tokens are remembered until they have expired, and no more of them than fit", async (t) => {
  const { store } = await world(t);
  assert.equal(await store.tokens.keep("one", 100, 0, 2), "kept");
  assert.equal(await store.tokens.keep("one", 100, 100, 2), "shown");
  assert.equal(await store.tokens.keep("two", 200, 100, 2), "kept");
  assert.equal(await store.tokens.keep("three", 200, 100, 2), "full");
  assert.equal(await store.tokens.keep("three", 200, 101, 2), "kept");
  assert.ok(TOKENS_BOUND_MAX >= 10_000);
});

test("a forge's token of five minutes protects a job of thirty; with `until: token` it cuts it", async (t) => {
  const { agents, request, pass, clock, over } = await world(t);
  const key = await makeKey("ES256", "one");
  const jwks = JSON.stringify({ keys: [{ ...(await exportJWK(key.publicKey)), kid: "one" }] });
  const discovery = JSON.stringify({ issuer: ISSUER.url, jwks_uri: `${ISSUER.url}/jwks` });
  const tokens = new Tokens({ clock, log: quietLog(), ask: async (url) => (url.endsWith("/jwks") ? jwks : discovery) });
  const entry = { ...ISSUER, audience: AUDIENCE, algorithms: ["ES256"], clockSkewMs: MINUTE_MS, forMs: 60 * MINUTE_MS };
  const rest = { groups: undefined, claims: ["repository"], match: {}, agents: undefined } as const;
  const show = async (until: "cgroup" | "token", path: string) => {
    tokens.configure([{ ...entry, ...rest, until }]);
    const exp = clock.nowMs() / 1_000 + 300;
    const token = await sign(key, {
      iss: ISSUER.url,
      aud: AUDIENCE,
      sub: "repo:acme/shop",
      repository: "acme/shop",
      jti: path,
      exp,
    });
    return agents.tag(request(path, { identity: await tokens.identify(token, "ci") }));
  };
  const [lasting, cut] = [await show("cgroup", "/a"), await show("token", "/b")];
  const stateOf = ({ slot, cgroupId }: typeof lasting) => agents.agentOf(slot, cgroupId)?.identity?.state;
  pass(5 * MINUTE_MS);
  await agents.endIdentities();
  assert.deepEqual([stateOf(lasting), stateOf(cut)], ["valid", "over"]);
  assert.deepEqual(over, [[cut.cgroupId, "its identity has expired"]]);
  pass(25 * MINUTE_MS);
  await agents.endIdentities();
  assert.equal(agents.agentOf(lasting.slot, lasting.cgroupId)?.claims["repository"], "acme/shop");
  pass(30 * MINUTE_MS);
  assert.equal(stateOf(lasting), "over");
});

test("a run whose cgroup is gone takes its identity along", async (t) => {
  const { agents, request, root, over } = await world(t);
  await agents.tag(request("/a", { kind: "run", runId: "r" }));
  rmSync(join(root, "a"), { recursive: true });
  await agents.sweep();
  assert.deepEqual([agents.list(), over.length], [[], 1]);
});

test("a revoked agent stays guarded as nobody, with a token or without, also under the next daemon", async (t) => {
  const { agents, make, request, over, tagged } = await world(t);
  const withToken = await agents.tag(request("/a"));
  const without = await agents.tag({ as: "ci", path: "/b", kind: "run", runId: "r", uid: 1000 });
  assert.equal(await agents.revoke("ci", "its agent was revoked"), 2);
  assert.deepEqual(over, [
    [withToken.cgroupId, "its agent was revoked"],
    [without.cgroupId, "its agent was revoked"],
  ]);
  const next = make();
  await next.restore();
  for (const now of [agents, next]) {
    assert.deepEqual(now.agentOf(without.slot, without.cgroupId), {
      ...{ slot: without.slot, name: "ci", ...BARE, revoked: true },
    });
    const { identity, revoked, claims } = now.agentOf(withToken.slot, withToken.cgroupId) ?? assert.fail();
    assert.deepEqual([identity?.state, revoked, claims], ["over", true, BARE.claims]);
  }
  assert.equal(tagged.size, 2);
});

test("a revoked tag takes no other before it has ended; what is tagged anew is the agent again", async (t) => {
  const { agents, request, identity, root } = await world(t);
  await agents.tag({ as: "ci", path: "/a", kind: "tag", uid: 1000 });
  await agents.revoke("ci", "its agent was revoked");
  const anew = request("/a", { identity: identity({ token: "hash-2" }) });
  for (const later of [anew, { as: "ci", path: "/a", kind: "match", matcher: "cgroup /a", uid: 0 } as const]) {
    await assert.rejects(agents.tag(later), { code: "AGENT_REVOKED" });
  }
  await agents.untag(join(root, "a"));
  const { slot, cgroupId } = await agents.tag(anew);
  assert.deepEqual([agents.agentOf(slot, cgroupId)?.revoked, agents.list().length], [undefined, 1]);
});

test("what a matcher makes a revoked agent is nobody, also when it begins anew; a tag by a person is not", async (t) => {
  const { agents, revoked, root } = await world(t);
  const match = { as: "ci", path: "/a", kind: "match", matcher: "cgroup /a", uid: 0 } as const;
  const { slot, cgroupId } = await agents.tag(match);
  assert.equal(agents.agentOf(slot, cgroupId)?.revoked, undefined);
  revoked.add("ci");
  await agents.revoke("ci", "its agent was revoked");
  assert.equal(agents.agentOf(slot, cgroupId)?.revoked, true);
  await agents.untag(join(root, "a"));
  assert.equal(agents.agentOf(slot, cgroupId)?.revoked, true); // born, and not listed yet
  await agents.tag(match);
  assert.equal(agents.agentOf(slot, cgroupId)?.revoked, true);
  await agents.tag({ as: "ci", path: "/a", kind: "tag", uid: 0 });
  assert.equal(agents.agentOf(slot, cgroupId)?.revoked, undefined);
  await agents.untag(join(root, "a"));
  await agents.tag(match);
  revoked.delete("ci");
  assert.equal(agents.agentOf(slot, cgroupId)?.revoked, undefined);
});

/** The database takes no row of that cgroup, whatever comes before or after it in the same breath. */
async function refuseRow(base: string, id: bigint, how: "on" | "off"): Promise<void> {
  const sql =
    how === "off"
      ? "DROP TRIGGER refused"
      : `CREATE TRIGGER refused BEFORE INSERT ON tags WHEN NEW.cgroup_id = '${id}' BEGIN SELECT RAISE(ABORT, 'disk full'); END`;
  const database = await openDatabase(join(base, "state", "sallyport.db"));
  await database.script(sql);
  await database.close();
}

test("a revocation that the disk refuses half way is in force, kept whole or not at all, and kept when it is asked again", async (t) => {
  const { agents, base, store, make, over } = await world(t);
  const tag = (path: string) => agents.tag({ as: "ci", path, kind: "tag", uid: 1000 });
  const tags = [await tag("/a"), await tag("/b")] as const;
  await refuseRow(base, tags[1].cgroupId, "on");
  await assert.rejects(agents.revoke("ci", "its agent was revoked"), /disk full/);
  const isRevoked = (by = agents) => tags.map(({ slot, cgroupId }) => by.agentOf(slot, cgroupId)?.revoked ?? false);
  const areKept = async () => (await store.tags.all()).map(({ revoked }) => revoked ?? false);
  assert.deepEqual([over.length, isRevoked(), await areKept()], [2, [true, true], [false, false]]);
  await refuseRow(base, 0n, "off");
  await agents.revoke("ci", "its agent was revoked");
  const next = make();
  await next.restore();
  assert.deepEqual(
    [isRevoked(next), await areKept()],
    [
      [true, true],
      [true, true],
    ],
  );
});
