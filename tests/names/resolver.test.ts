/** The resolver as agents meet it, over a fake nameserver: who is asked, what is told, and what the kernel knows by then. */
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import {
  LEARNED_MAX_MS,
  LEARNED_PER_AGENT_MAX,
  NAMES_BURST_MAX,
  NAMES_PER_SECOND_MAX,
  NAMES_TOLD_MS,
  NAMES_TOLD_PER_AGENT_MAX,
  NAMES_WAITING_PER_AGENT_MAX,
} from "../../src/base/limits.ts";
import { connectionNumber } from "../../src/kernel/destinations.ts";
import { addresses } from "../kit/names-server.ts";
import { startWorld, type World } from "./kit.ts";

let world: World | undefined;
afterEach(() => {
  world?.stop();
  world = undefined;
});

async function start(...args: Parameters<typeof startWorld>): Promise<World> {
  world = await startWorld(...args);
  world.server.asked.length = 0; // what the settings' own names took
  return world;
}

const kinds = ({ events }: World) => events.map(({ kind }) => kind);

const OPEN =
  'egress: { allow: ["api.example:443", "*.pool.example:443"], deny: ["10.0.0.0/8:*", "bad.pool.example:*"] }';

test("a listed name is resolved, and the kernel knows its addresses before the agent does", async () => {
  const { server, ask } = await start(OPEN);
  server.zones["A x.pool.example"] = addresses("x.pool.example", "A", "192.0.2.1", "192.0.2.2");
  const told = await ask("X.pool.example");
  assert.deepEqual([told.rcode, told.answers], [0, ["192.0.2.1", "192.0.2.2"]]);
  for (const address of told.answers) assert.ok(told.table.includes(`allow ${address} 443/tcp`), address);
  assert.deepEqual(server.questions, ["A x.pool.example"]);
});

const refused = ["x.example", "pool.example", "example", "bad.pool.example", "secret-data.evil.test", "xpool.example"];
for (const name of refused) {
  test(`${name}, which no rule allows, is refused without a question upstream, and told`, async () => {
    const { server, ask, events, names } = await start(OPEN);
    server.zones[`A ${name}`] = addresses(name, "A", "192.0.2.1");
    const told = await ask(name);
    assert.deepEqual([told.rcode, told.answers, server.questions], [3, [], []]);
    assert.deepEqual(
      events.map(({ kind, agent, fields }) => [kind, agent, fields]),
      [["names.refused", "agent-1", { name, type: "A", pid: 4_242, uid: 1_000, comm: "client" }]],
    );
    assert.equal(names.counters()["names.refused"], 1);
  });
}

test("the same refusal is told once in a while, other names each", async () => {
  const { ask, events, clock } = await start(OPEN);
  for (const name of ["a.test", "a.test", "b.test"]) await ask(name);
  await ask("a.test", "AAAA");
  assert.equal(events.length, 2);
  clock.ms += 60_000;
  await ask("a.test");
  assert.equal(events.length, 3);
});

for (const type of ["ANY", "NULL", "AXFR", "IXFR", "TYPE"]) {
  test(`${type} is given to nobody, and nobody is asked`, async () => {
    const { server, ask } = await start(OPEN);
    const told = await ask("x.pool.example", type === "TYPE" ? "UNKNOWN_999" : type);
    assert.deepEqual([told.rcode, server.questions], [4, []]);
  });
}

test("texts are given of names that are allowed, and of no others", async () => {
  const { server, ask } = await start(OPEN);
  server.zones["TXT x.pool.example"] = { answers: [{ type: "TXT", name: "x.pool.example", ttl: 1, data: "hello" }] };
  assert.deepEqual((await ask("x.pool.example", "TXT")).answers, ["TXT"]);
  assert.equal((await ask("x.test", "TXT")).rcode, 3);
  assert.deepEqual(server.questions, ["TXT x.pool.example"]);
});

test("whoever is no agent gets nothing and nobody is asked", async () => {
  const { server, ask } = await start(OPEN);
  assert.equal((await ask("x.pool.example", "A", 99)).rcode, 5);
  assert.deepEqual(server.questions, []);
});

test("a connection's name is intercepted under its number", async () => {
  const rows: number[] = [];
  const { server, ask, names } = await start(
    'connections: [{ name: orders, protocol: opaque, addresses: ["*.db.example:5432"] }]',
  );
  server.zones["A x.db.example"] = addresses("x.db.example", "A", "10.0.0.7");
  const told = await ask("x.db.example");
  assert.deepEqual(told.table, ["intercept 10.0.0.7 5432/tcp"]);
  rows.push(connectionNumber("orders"));
  assert.equal(names.counters()["names.learned"], 1);
});

test("an address that another connection has is not told, and the agent is not sent to the wrong one", async () => {
  const { server, ask, events } = await start(`connections:
  - { name: one, protocol: opaque, addresses: ["192.0.2.7:5432"] }
  - { name: two, protocol: opaque, addresses: ["*.two.example:5432"] }
  - { name: three, protocol: opaque, addresses: ["*.three.example:5432"] }
`);
  server.zones["A a.two.example"] = addresses("a.two.example", "A", "192.0.2.7", "192.0.2.8");
  server.zones["A b.three.example"] = addresses("b.three.example", "A", "192.0.2.8");
  assert.deepEqual((await ask("a.two.example")).answers, ["192.0.2.8"]);
  const later = await ask("b.three.example");
  assert.deepEqual([later.rcode, later.answers], [2, []]);
  assert.deepEqual(kinds({ events } as World).filter((kind) => kind === "names.shared").length, 2);
  assert.deepEqual(later.table, ["intercept 192.0.2.7 5432/tcp", "intercept 192.0.2.8 5432/tcp"]);
});

for (const address of ["127.0.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1"]) {
  test(`an answer with ${address} loses it, and the kernel learns nothing (DNS rebinding)`, async () => {
    const { server, ask, events } = await start(OPEN);
    server.zones["A x.pool.example"] = addresses("x.pool.example", "A", address, "192.0.2.1");
    const told = await ask("x.pool.example");
    assert.deepEqual(told.answers, ["192.0.2.1"]);
    assert.ok(!told.table.some((row) => row.includes(` ${address} `)));
    assert.equal(events[0]?.kind, "names.barred");
    server.zones["A y.pool.example"] = addresses("y.pool.example", "A", address);
    assert.equal((await ask("y.pool.example")).rcode, 2);
  });
}

test("an address in a denied network is told but not opened", async () => {
  const { server, ask } = await start(OPEN);
  server.zones["A x.pool.example"] = addresses("x.pool.example", "A", "10.1.2.3");
  const told = await ask("x.pool.example");
  assert.deepEqual(told.answers, ["10.1.2.3"]);
  assert.deepEqual(
    told.table.filter((row) => row.includes("10.1.2.3")),
    [],
  );
});

test("aliases are told, and the address behind them is opened for the name that was asked", async () => {
  const { server, ask } = await start(OPEN);
  server.zones["A x.pool.example"] = {
    answers: [
      { type: "CNAME", name: "x.pool.example", ttl: 60, data: "edge.cdn.test" },
      { type: "A", name: "edge.cdn.test", ttl: 60, data: "192.0.2.9" },
    ],
  };
  const told = await ask("x.pool.example");
  assert.deepEqual(told.answers, ["edge.cdn.test", "192.0.2.9"]);
  assert.ok(told.table.includes("allow 192.0.2.9 443/tcp"));
  assert.equal((await ask("edge.cdn.test")).rcode, 3, "the alias itself is no allowed name");
});

test("a learned address goes with its TTL and is not told for longer than it is kept", async () => {
  const { server, ask, names, clock, table } = await start(OPEN);
  const answer = (name: string, ttl: number, data: string) => ({ answers: [{ type: "A", name, ttl, data } as const] });
  server.zones["A short.pool.example"] = answer("short.pool.example", 1, "192.0.2.1");
  server.zones["A long.pool.example"] = answer("long.pool.example", 86_400, "192.0.2.2");
  assert.deepEqual((await ask("short.pool.example")).ttls, [1]);
  assert.deepEqual((await ask("long.pool.example")).ttls, [LEARNED_MAX_MS / 1_000]);
  clock.ms += 29_000;
  await ask("other.pool.example");
  assert.equal(names.counters()["names.learned"], 2, "a client dials a moment after it asked, whatever the TTL");
  clock.ms += 10_000;
  names.sweep();
  assert.equal(names.counters()["names.learned"], 1);
  assert.deepEqual(
    table().filter((row) => row.startsWith("allow")),
    ["allow 192.0.2.2 443/tcp"],
  );
  clock.ms += LEARNED_MAX_MS;
  names.sweep();
  assert.equal(names.counters()["names.learned"], 0);
});

test("answers are kept for their TTL, which counts down", async () => {
  const { server, ask, clock } = await start(OPEN);
  server.zones["A x.pool.example"] = addresses("x.pool.example", "A", "192.0.2.1");
  await ask("x.pool.example");
  clock.ms += 20_000;
  assert.deepEqual((await ask("x.pool.example")).ttls, [40]);
  assert.equal(server.asked.length, 1);
  clock.ms += 41_000;
  assert.deepEqual((await ask("x.pool.example")).ttls, [60]);
  assert.equal(server.asked.length, 2);
});

test("new settings judge what was kept and what was learned", async () => {
  const { server, ask, configure, table } = await start(OPEN);
  server.zones["A x.pool.example"] = addresses("x.pool.example", "A", "192.0.2.1");
  await ask("x.pool.example");
  assert.equal(await configure(OPEN), 0);
  const gone = await configure('egress: { allow: ["*.pool.example:8443"] }');
  assert.deepEqual([gone, table()], [1, ["allow 192.0.2.1 8443/tcp"]]);
  await configure('egress: { allow: ["other.example:443"] }');
  assert.deepEqual(table(), []);
  assert.equal((await ask("x.pool.example")).rcode, 3);
});

test("an agent can fill its own share of the table, and no more", async () => {
  const { server, ask, names, clock } = await start(OPEN);
  const per = 64;
  for (let at = 0; at * per < LEARNED_PER_AGENT_MAX; at++) {
    clock.ms += 1_000;
    const name = `n${at}.pool.example`;
    server.zones[`A ${name}`] = addresses(name, "A", ...Array.from({ length: per }, (_, n) => `192.${at + 1}.2.${n}`));
    assert.equal((await ask(name)).rcode, 0);
  }
  assert.equal(names.counters()["names.learned"], LEARNED_PER_AGENT_MAX);
  server.zones["A last.pool.example"] = addresses("last.pool.example", "A", "198.51.100.1");
  assert.equal((await ask("last.pool.example")).rcode, 2);
  assert.equal((await ask("last.pool.example", "A", 2)).rcode, 0, "another agent has its own");
});

test("a flood of questions is cut down to what rules bear, for that agent alone", async () => {
  const { server, ask, events, clock } = await start(OPEN);
  const flood = async (count: number, from: number) => {
    for (let at = 0; at < count; at += 64) {
      await Promise.all(Array.from({ length: 64 }, (_, n) => ask(`d${from + at + n}.pool.example`)));
    }
  };
  await flood(640, 0);
  assert.equal(server.asked.length, NAMES_BURST_MAX);
  assert.equal(events.filter(({ kind }) => kind === "names.limited").length, 1);
  await ask("d.pool.example", "A", 2);
  assert.equal(server.asked.length, NAMES_BURST_MAX + 1);
  clock.ms += 1_000;
  await flood(128, 10_000);
  assert.equal(server.asked.length, NAMES_BURST_MAX + 1 + NAMES_PER_SECOND_MAX);
});

test("questions under way are bounded, the rest fail at once", async () => {
  const { server, ask } = await start(OPEN);
  const count = NAMES_WAITING_PER_AGENT_MAX + 10;
  for (let at = 0; at < count; at++) server.zones[`A s${at}.pool.example`] = { silent: true };
  const failed: number[] = [];
  const all = Array.from({ length: count }, (_, at) => ask(`s${at}.pool.example`).then(() => failed.push(at)));
  await Promise.race(all);
  await new Promise(setImmediate);
  assert.equal(failed.length, 10);
  assert.equal(server.asked.length <= NAMES_WAITING_PER_AGENT_MAX, true);
  await Promise.all(all);
});

test("a kernel that does not take the rows makes the answer fail, and nothing counts as learned", async () => {
  const { server, ask, breakKernel, names } = await start(OPEN);
  server.zones["A x.pool.example"] = addresses("x.pool.example", "A", "192.0.2.1");
  breakKernel(true);
  assert.deepEqual([(await ask("x.pool.example")).rcode, names.counters()["names.learned"]], [2, 0]);
  breakKernel(false);
  assert.deepEqual((await ask("x.pool.example")).answers, ["192.0.2.1"]);
});

for (const name of ["dns.google", "customer.cloudflare-dns.com", "use-application-dns.net"]) {
  test(`${name} needs a rule that spells it out`, async () => {
    const wildcard = `egress: { allow: ["*.${name.split(".").slice(1).join(".")}:443"] }`;
    const { server, ask, configure } = await start(wildcard);
    server.zones[`A ${name}`] = addresses(name, "A", "192.0.2.1");
    assert.equal((await ask(name)).rcode, 3);
    assert.deepEqual(server.questions, []);
    await configure(`egress: { allow: ["${name}:443"] }`);
    assert.equal((await ask(name)).rcode, 0);
  });
}

test("this host's own names are answered here", async () => {
  const { server, ask } = await start(OPEN);
  for (const name of ["localhost", "x.localhost", "this-host"]) {
    assert.deepEqual((await ask(name)).answers, ["127.0.0.1"]);
    assert.deepEqual((await ask(name, "AAAA")).answers, ["::1"]);
    assert.deepEqual((await ask(name, "MX")).answers, []);
  }
  assert.deepEqual(server.questions, []);
});

test("/etc/hosts wins over nameservers, in both families, for agents and for the daemon", async () => {
  const hosts = { "api.example": ["192.0.2.44"], "loop.example": ["127.0.0.1"], "other.test": ["192.0.2.45"] };
  const { server, ask, names, table } = await start('egress: { allow: ["api.example:443", "loop.example:80"] }', {
    hosts,
  });
  server.zones["A api.example"] = addresses("api.example", "A", "192.0.2.1");
  assert.deepEqual((await ask("api.example")).answers, ["192.0.2.44"]);
  const six = await ask("api.example", "AAAA");
  assert.deepEqual([six.rcode, six.answers], [0, []]);
  assert.deepEqual(await names.resolve("api.example"), ["192.0.2.44"]);
  assert.deepEqual((await ask("loop.example")).answers, ["127.0.0.1"], "the host's own file may say so");
  assert.equal((await ask("other.test")).rcode, 3, "a name in the file needs a rule as well");
  assert.deepEqual(server.questions, []);
  assert.deepEqual(table(), ["allow 192.0.2.44 443/tcp", "allow 127.0.0.1 80/tcp"]);
});

test("reverse names are answered from what this agent was told, and never leave", async () => {
  const { server, ask } = await start(OPEN);
  server.zones["A x.pool.example"] = addresses("x.pool.example", "A", "192.0.2.1");
  server.zones["AAAA x.pool.example"] = addresses("x.pool.example", "AAAA", "2001:db8::1");
  for (const type of ["A", "AAAA"]) await ask("x.pool.example", type);
  server.asked.length = 0;
  const six = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
  assert.deepEqual((await ask("1.2.0.192.in-addr.arpa", "PTR")).answers, ["x.pool.example"]);
  assert.deepEqual((await ask(six, "PTR")).answers, ["x.pool.example"]);
  assert.deepEqual((await ask("1.0.0.127.in-addr.arpa", "PTR")).answers, ["localhost"]);
  assert.equal((await ask("1.2.0.192.in-addr.arpa", "PTR", 2)).rcode, 3, "another agent was not told");
  for (const name of ["9.2.0.192.in-addr.arpa", "data.in-addr.arpa", "x.arpa"])
    assert.equal((await ask(name, "PTR")).rcode, 3);
  assert.deepEqual(server.questions, []);
});

test("search domains: a name without a dot is found behind them, noise is refused as no such name", async () => {
  const { server, ask, table, clock } = await start('egress: { allow: ["db:443"] }', { search: ["corp.test"] });
  clock.ms += 10_000; // that nobody knew it at the start is kept for a moment
  server.zones["A db.corp.test"] = addresses("db.corp.test", "A", "192.0.2.1");
  assert.deepEqual((await ask("db.corp.test")).answers, ["192.0.2.1"]);
  assert.ok(table().includes("allow 192.0.2.1 443/tcp"));
  assert.equal((await ask("db.corp.test.corp.test")).rcode, 3);
});

test("what the daemon found for a name of the settings by other means holds when nameservers do not know it", async () => {
  const found = { "api.example": ["192.0.2.1"], "mute.example": ["192.0.2.2"] };
  const { server, ask } = await start('egress: { allow: ["api.example:443", "mute.example:443"] }', { found });
  server.zones["A mute.example"] = { rcode: 2 };
  assert.deepEqual((await ask("api.example")).answers, ["192.0.2.1"]);
  const six = await ask("api.example", "AAAA");
  assert.deepEqual([six.rcode, six.answers], [0, []]);
  assert.deepEqual((await ask("mute.example")).answers, ["192.0.2.2"]);
});

test("an observed agent is given what rules refuse, each marked, and nothing is opened for it", async () => {
  const { server, ask, observed, events, table } = await start(OPEN);
  observed.add(1);
  server.zones["A x.test"] = addresses("x.test", "A", "192.0.2.1");
  const before = table().length;
  assert.deepEqual((await ask("x.test")).answers, ["192.0.2.1"]);
  assert.equal(table().length, before);
  assert.deepEqual([events.length, events[0]?.kind, events[0]?.fields?.["observed"]], [1, "names.refused", true]);
  assert.match(events[0]?.message ?? "", /was let through, but would have been refused: no connection/);
  assert.equal((await ask("x.test", "A", 2)).rcode, 3, "the others are not observed");
});

test("an agent that asks for ever new names cannot fill the audit trail, and every one is counted", async () => {
  const { ask, events, names, clock } = await start(OPEN);
  const count = NAMES_TOLD_PER_AGENT_MAX + 50;
  for (let at = 0; at < count; at++) await ask(`d${at}.evil.test`);
  assert.equal(events.length, NAMES_TOLD_PER_AGENT_MAX + 1);
  assert.equal(events.at(-1)?.kind, "names.untold");
  assert.equal(names.counters()["names.refused"], count);
  await ask("x.evil.test", "A", 2);
  clock.ms += NAMES_TOLD_MS;
  await ask("y.evil.test");
  assert.equal(events.length, NAMES_TOLD_PER_AGENT_MAX + 3);
});

test("counters are plain numbers", async () => {
  const { server, ask, names } = await start(OPEN);
  server.zones["A x.pool.example"] = addresses("x.pool.example", "A", "192.0.2.1");
  server.zones["A broken.pool.example"] = { rcode: 2 };
  for (const name of ["x.pool.example", "x.pool.example", "x.test", "broken.pool.example"]) await ask(name);
  assert.deepEqual(names.counters(), {
    "names.queries": 4,
    "names.refused": 1,
    "names.upstream": 2,
    "names.failed": 1,
    "names.limited": 0,
    "names.learned": 1,
    "names.streams": 0,
  });
});
