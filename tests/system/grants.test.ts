/** Grants and revocations through a real daemon to PostgreSQL: what is over is cut in time, said and told, and comes back only anew. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, type TestContext, test } from "node:test";
import type { GrantList, GrantListing } from "../../src/control/grant-ports.ts";
import type { AgentListing, Revoked } from "../../src/control/ports.ts";
import { until } from "../path/kit.ts";
import { makeCgroup } from "./flows.ts";
import { OPEN, SteeredAgent, startWorld, type World } from "./world.ts";

const GRANTS = `
grants:
  - { name: brief, agents: [ci], connections: [orders], for: 10s }
  - { name: long, agents: [bot], connections: "*", for: 1h }
  - { name: builders, agents: [dev], connections: [orders], when: '"builders" in agent.groups' }
`;
const HOLDS = `
rules:
  - name: deletes
    on: sql.delete
    hold: { approvers: [sre], expires: 10m, message: "Deletes need a reviewer" }
`;
/** From the end of a grant to the end of what it let in; what is above a second is room for a loaded machine's clock. */
const CUT_MS = 1_250;
/** A query that nobody cancels would run for so long. */
const SLEEP = "SELECT pg_sleep(300)";

let world: World;

before(async () => {
  world = await startWorld({
    policies: { "open.yaml": OPEN, "holds.yaml": HOLDS },
    more: GRANTS,
    agents: ["bot", "dev", "ops", "idle"],
  });
});
after(() => world?.stop());

async function reload(settings: string): Promise<void> {
  writeFileSync(world.daemon.configFile, settings);
  const { code, stderr } = await world.daemon.cli(["reload"]);
  assert.equal(code, 0, stderr);
}

type Event = Readonly<Record<string, unknown>>;
const fieldsOf = (event: Event | undefined) => (event?.["fields"] ?? {}) as Readonly<Record<string, unknown>>;

/** The last of a kind for which it holds; the journal is written behind the deed. */
async function told(kind: string, holds: (event: Event) => boolean): Promise<Event> {
  const found = () => world.daemon.events().findLast((event) => event["kind"] === kind && holds(event));
  await until(() => found() !== undefined, `${kind} is told`);
  return found() ?? assert.fail();
}

/** Until so many queries sleep, as the server itself lists them. */
async function untilSleeping(many: number): Promise<void> {
  const sql = "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep(%'";
  const end = performance.now() + 10_000;
  while ((await world.postgres.query(sql)).length !== many) {
    assert.ok(performance.now() < end, `${many} queries should sleep`);
  }
}

/** Until one tag of it is left: that of a run which has ended stays until it is swept. */
async function untilAlone(agent: string): Promise<void> {
  const end = performance.now() + 10_000;
  const tags = async () => (await world.daemon.json<AgentListing[]>(["agents"])).filter((one) => one.agent === agent);
  while ((await tags()).length !== 1) assert.ok(performance.now() < end, `${agent} should have one tag`);
}

/** By the API itself: a program's start would be a part of a short grant's time. */
async function give(body: object): Promise<GrantListing> {
  const headers = { "content-type": "application/json" };
  const socketPath = join(world.daemon.runDir, "api.sock");
  const asked = request({ socketPath, method: "POST", path: "/v1/grants", headers }).end(JSON.stringify(body));
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  return JSON.parse(await text(response)) as GrantListing;
}

function steered(t: TestContext, as: string): SteeredAgent {
  const agent = new SteeredAgent(world.daemon, as);
  t.after(() => agent.leave());
  return agent;
}

/** Two connections, one of them with a query under way, until their grant ends: each gets its farewell in time. */
async function cutInTime(t: TestContext, agent: SteeredAgent, grant: string): Promise<Event> {
  assert.deepEqual([await agent.open("idle", world.url), await agent.open("busy", world.url)], [{}, {}]);
  const running = agent.ask("busy", SLEEP);
  await untilSleeping(1);
  for (const ended of [await agent.gone("idle"), await running]) {
    assert.deepEqual([ended.code, ended.severity], ["57P01", "FATAL"]);
    assert.match(ended.message ?? "", new RegExp(`its grant ${grant} has ended`));
  }
  await untilSleeping(0); // the backend was told, and does not sleep on for nobody

  const over = await told("grant.ended", (event) => fieldsOf(event)["grant"] === grant);
  const endsMs = Date.parse(String(fieldsOf(over)["until"]));
  const isCut = ({ kind, message }: Event) =>
    kind === "session.end" && String(message).endsWith(`its grant ${grant} has ended`);
  await until(() => world.daemon.events().filter(isCut).length === 2, "both ends are told");
  for (const { kind, atMs } of [over, ...world.daemon.events().filter(isCut)]) {
    const lateMs = Number(atMs) - endsMs;
    t.diagnostic(`${kind} ${lateMs} ms after the grant's end`);
    assert.ok(lateMs >= 0 && lateMs < CUT_MS, `${kind} ${lateMs} ms after the grant's end`);
  }
  assert.match(JSON.stringify(await agent.open("next", world.url)), new RegExp(`42501.*its grant ${grant} has ended`));
  return over;
}

test("a grant of 3 seconds cuts an idle connection and a running query within a second of its end, and an event says why", async (t) => {
  const agent = steered(t, "ops");
  assert.equal((await agent.open("early", world.url)).code, "42501");
  const { id } = await give({ agent: "ops", connections: ["orders"], forMs: 3_000 });
  const over = await cutInTime(t, agent, id);
  assert.deepEqual([over["agent"], fieldsOf(over)["why"]], ["ops", "has ended"]);
  const refused = await told("action.deny", (event) => fieldsOf(event)["rules"] === "built-in:grant");
  assert.deepEqual([refused["agent"], refused["connection"]], ["ops", "orders"]);
});

test("so does a grant of the settings, whose time begins with the command", async (t) => {
  const over = await cutInTime(t, steered(t, "ci"), "brief");
  const { why, connections, cgroup } = fieldsOf(over);
  assert.deepEqual([over["agent"], why, connections], ["ci", "has ended", "orders"]);
  assert.match(String(cgroup), /run-/);
});

test("who has no grant is refused in the protocol's words, and a condition that is not met is no grant", async (t) => {
  const refused = [
    ["idle", /no grant of idle covers connection orders/],
    ["dev", /its grant builders does not count: its condition is not met/],
  ] as const;
  for (const [as, why] of refused) {
    const agent = steered(t, as);
    const { code, message } = await agent.open("one", world.url);
    assert.equal(code, "42501", as);
    assert.match(message ?? "", why);
  }
});

test("a grant by a person opens until it is ended, outlives the daemon, and is listed with who gave it", async (t) => {
  const given = await world.daemon.json<GrantListing>([
    "grants",
    "give",
    "ops",
    "orders",
    "--for",
    "1h",
    "--reason",
    "ticket 4711",
  ]);
  assert.deepEqual([given.state, given.uid, given.reason], ["in force", 0, "ticket 4711"]);
  const agent = steered(t, "ops");
  assert.deepEqual(await agent.open("before", world.url), {});
  await world.daemon.kill();
  await world.daemon.up();
  assert.deepEqual(await agent.open("after", world.url), {});
  const [listed] = (await world.daemon.json<AgentListing[]>(["agents"])).filter((one) => one.agent === "ops");
  assert.deepEqual(listed?.grants, [{ id: given.id, connections: ["orders"], endsMs: given.endsMs }]);

  const ended = await world.daemon.cli(["grants", "end", given.id, "--reason", "done"]);
  assert.equal(ended.code, 0, ended.stderr);
  assert.match((await agent.gone("after")).message ?? "", new RegExp(`its grant ${given.id} was ended by a person`));
  const { uid, reason, why } = fieldsOf(await told("grant.ended", (event) => fieldsOf(event)["grant"] === given.id));
  assert.deepEqual([uid, reason, why], [0, "done", "was ended by a person"]);
  const { grants } = await world.daemon.json<GrantList>(["grants", "--all"]);
  assert.deepEqual(grants.find(({ id }) => id === given.id)?.state, "over");
  assert.match((await agent.open("late", world.url)).message ?? "", /was ended by a person/);
});

test("what waits for an approval is given up when the grant ends, and never reaches the backend", async (t) => {
  const given = await world.daemon.json<GrantListing>(["grants", "give", "ops", "orders", "--for", "1h"]);
  const agent = steered(t, "ops");
  assert.deepEqual(await agent.open("held", world.url), {});
  const asked = agent.ask("held", "DELETE FROM orders WHERE id = 1");
  const waiting = fieldsOf(await told("hold.waiting", (event) => event["agent"] === "ops"))["hold"];
  assert.equal((await world.daemon.cli(["grants", "end", given.id])).code, 0);
  assert.notEqual((await asked).code, undefined);
  await told("hold.abandoned", (event) => fieldsOf(event)["hold"] === waiting);
  assert.equal((await world.direct("SELECT count(*) FROM orders WHERE id = 1")).stdout.trim(), "1");
});

test("a grant that is taken out of the settings cuts what it let in, and one that stays does not", async (t) => {
  const before = readFileSync(world.daemon.configFile, "utf8");
  const agent = steered(t, "bot");
  assert.deepEqual(await agent.open("idle", world.url), {});
  t.after(() => reload(before));
  await reload(before.replace("name: brief", "name: short"));
  assert.deepEqual((await agent.ask("idle", "SELECT 1 AS one")).rows, [[1]]);
  await reload(before.replace(/\n.*name: long.*/, ""));
  assert.match(
    (await agent.gone("idle")).message ?? "",
    /its grant long has ended: it is not in the settings any more/,
  );
  assert.match((await agent.open("next", world.url)).message ?? "", /no grant of bot covers connection orders/);
});

test("a revoked agent is cut off with its farewell, stays nobody over a restart, and is itself again when run anew", async (t) => {
  const agent = steered(t, "bot");
  assert.deepEqual([await agent.open("idle", world.url), await agent.open("busy", world.url)], [{}, {}]);
  const running = agent.ask("busy", SLEEP);
  await untilSleeping(1);
  await untilAlone("bot");
  const given = await world.daemon.json<GrantListing>(["grants", "give", "bot", "*", "--for", "1h"]);
  const done = await world.daemon.json<Revoked>(["agents", "revoke", "bot", "--reason", "its token leaked"]);
  assert.deepEqual([done.tags, done.sessions, done.grants], [1, 2, 1]);
  for (const ended of [await agent.gone("idle"), await running]) {
    assert.match(`${ended.code} ${ended.message}`, /^57P01 .*its agent was revoked/);
  }
  await untilSleeping(0);
  await told("grant.ended", (event) => fieldsOf(event)["grant"] === given.id);
  const revoked = await told("agent.revoked", () => true);
  assert.deepEqual([revoked["agent"], revoked["message"]], ["bot", "bot is revoked: its token leaked"]);

  assert.notEqual((await agent.open("next", world.url)).code, undefined);
  const refused = await told("connection.refused", ({ message }) => /its agent was revoked/.test(String(message)));
  assert.equal(refused["agent"], "bot");
  await world.daemon.kill();
  await world.daemon.up();
  assert.notEqual((await agent.open("after the restart", world.url)).code, undefined);
  assert.match((await world.daemon.cli(["agents"])).stdout, /bot .* revoked/);

  const anew = steered(t, "bot");
  assert.deepEqual(await anew.open("one", world.url), {});
  assert.notEqual((await agent.open("still nobody", world.url)).code, undefined);
});

test("what a matcher makes a revoked agent stays nobody until the agent is reinstated", async (t) => {
  const before = readFileSync(world.daemon.configFile, "utf8");
  const first = makeCgroup("grants-matched");
  t.after(() => first.remove());
  t.after(() => reload(before));
  const matcher = `{ name: ops, match: { cgroup: "/grants-matched-*" } }`;
  await reload(before.replace("{ name: ops }", matcher));
  const shown = async () => {
    const all = await world.daemon.json<AgentListing[]>(["agents"]);
    return all.filter(({ kind }) => kind === "match").map(({ revoked }) => revoked ?? false);
  };
  assert.deepEqual(await shown(), [false]);
  assert.equal((await world.daemon.cli(["agents", "revoke", "ops"])).code, 0);
  const second = makeCgroup("grants-matched-anew");
  t.after(() => second.remove());
  const found = () => world.daemon.events().filter((event) => fieldsOf(event)["way"] === "match");
  await until(() => found().length === 2, "the birth");
  assert.deepEqual(await shown(), [true, true]);
  assert.equal((await world.daemon.cli(["agents", "reinstate", "ops"])).code, 0);
  assert.deepEqual(await shown(), [false, false]);
  const again = await world.daemon.cli(["agents", "reinstate", "ops"]);
  assert.deepEqual([again.code, /AGENT_NOT_REVOKED/.test(again.stderr)], [1, true]);
});

test("a mistyped connection of a grant is warned of in the daemon's log", async (t) => {
  const before = readFileSync(world.daemon.configFile, "utf8");
  t.after(() => reload(before));
  const warning = /^warn .*A grant names the connection "ordres", which nothing knows\. Did you mean "orders"\?/m;
  assert.doesNotMatch(world.daemon.output, warning);
  await reload(before.replace("agents: [ci], connections: [orders]", "agents: [ci], connections: [ordres]"));
  assert.match(world.daemon.output, warning);
});
