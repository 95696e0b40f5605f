/** A quarantined agent is cut off in every direction at once, stays so over the daemon's death, and nobody else is touched. */
import assert from "node:assert/strict";
import { request } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Daemon } from "../kit/daemon.ts";
import { type Postgres, startPostgres } from "../kit/postgres.ts";
import { Flow, makeCgroup, makeLinkedNamespace, type Streamer, startStreamer } from "./flows.ts";
import { OPEN, PASSWORD, SteeredAgent } from "./world.ts";

/** Ten times what the promise says: a loaded machine is no reason to fail, a flow that goes on is. */
const BOUND_MS = 1_000;
const HOST_SIDE = "127.0.0.1";

let postgres: Postgres;
let daemon: Daemon;
let streamer: Streamer;
const cgroups = [makeCgroup("quarantine-bad"), makeCgroup("quarantine-good")];
const [bad, good] = cgroups.map(({ path }) => path) as [string, string];

before(async () => {
  postgres = await startPostgres({ version: 15, password: PASSWORD, addresses: [HOST_SIDE] });
  streamer = await startStreamer(HOST_SIDE);
  daemon = await Daemon.start({
    settings: `
agents: [{ name: bad }, { name: good }]
connections:
  - name: orders
    protocol: postgres
    addresses: ["${HOST_SIDE}:${postgres.port}"]
    credential: { user: postgres, password: { file: FOLDER/secrets/orders } }
    tls: { mode: disable }
egress: { allow: ["${HOST_SIDE}:${streamer.port}", "${HOST_SIDE}:${streamer.port}/udp"] }
`,
    policies: { "open.yaml": OPEN },
    secrets: { orders: PASSWORD },
  });
  for (const [agent, cgroup] of [
    ["bad", bad],
    ["good", good],
  ] as const) {
    const tagged = await daemon.cli(["tag", "--as", agent, "--cgroup", cgroup]);
    assert.equal(tagged.code, 0, tagged.stderr);
  }
});
after(async () => {
  await daemon?.stop();
  streamer?.close();
  await postgres?.stop();
  for (const cgroup of cgroups) await cgroup.remove();
});

const url = () => `postgresql://agent:placeholder@${HOST_SIDE}:${postgres.port}/postgres`;
const flow = (cgroup: string, kind: "tcp" | "udp") => Flow.in(cgroup, kind, HOST_SIDE, streamer.port);

/** Asks the API itself, so that the moment is that of the request and not of a program's start. Milliseconds since the epoch. */
async function quarantineAt(
  agent: string,
): Promise<{ readonly askedMs: number; readonly answer: Record<string, unknown> }> {
  const askedMs = performance.timeOrigin + performance.now();
  const answer = await new Promise<Record<string, unknown>>((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": "2" };
    const path = `/v1/agents/${agent}/quarantine`;
    const asked = request(
      { socketPath: join(daemon.runDir, "api.sock"), method: "POST", path, headers },
      (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        response.on("end", () => resolve(JSON.parse(text) as Record<string, unknown>)).on("error", reject);
      },
    );
    asked.on("error", reject).end("{}");
  });
  return { askedMs, answer };
}

test("a quarantine cuts sessions and flows of its agent, and leaves another agent's alone", async (t) => {
  const [badTcp, badUdp, goodTcp, goodUdp] = [flow(bad, "tcp"), flow(bad, "udp"), flow(good, "tcp"), flow(good, "udp")];
  const all = [badTcp, badUdp, goodTcp, goodUdp];
  t.after(() => Promise.allSettled(all.map((one) => one.stop())));
  const [badAgent, goodAgent] = [new SteeredAgent(daemon, "bad"), new SteeredAgent(daemon, "good")];
  t.after(() => Promise.all([badAgent.leave(), goodAgent.leave()]));
  await Promise.all(all.map((one) => one.opened()));
  assert.deepEqual(await badAgent.open("a", url()), {});
  assert.deepEqual(await goodAgent.open("a", url()), {});
  const asleep = badAgent.ask("a", "SELECT pg_sleep(60)");
  const [gone, running] = [
    badAgent.gone("a"),
    "SELECT count(*)::int AS n FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'",
  ];
  const sleepers = async () => (await postgres.query(running))[0]?.["n"];
  while ((await sleepers()) !== 1) await new Promise((resolve) => setTimeout(resolve, 10));

  const { askedMs, answer } = await quarantineAt("bad");
  assert.equal(answer["state"], "quarantined");
  assert.equal(answer["sessions"], 1);
  assert.equal(answer["unable"], 0);
  const ends = { tcp: await badTcp.ended(), udp: await badUdp.ended() };
  assert.ok((await asleep).code !== undefined || (await gone).code !== undefined, "the session ended by an error");
  await gone;
  while ((await sleepers()) !== 0) {
    assert.ok(performance.timeOrigin + performance.now() - askedMs < 10 * BOUND_MS, "its statement runs on");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const lastMs = {
    "tcp to the agent": ends.tcp.lastMs - askedMs,
    "udp to the agent": ends.udp.lastMs - askedMs,
  };
  t.diagnostic(
    `last bytes after the request, ms: ${JSON.stringify(lastMs)}; tcp ended by ${ends.tcp.why}, udp by ${ends.udp.why}`,
  );
  for (const [what, ms] of Object.entries(lastMs)) assert.ok(ms < BOUND_MS, `${what} went on for ${ms} ms`);

  assert.deepEqual(await goodAgent.ask("a", "SELECT 1 AS one"), { rows: [[1]] });
  for (const one of [goodTcp, goodUdp]) {
    const end = await one.stop();
    assert.equal(end.why, "asked", "control: the other agent's flow went on");
    assert.ok(end.lastMs > Math.max(ends.tcp.lastMs, ends.udp.lastMs), "longer than those that were cut");
  }
});

test("what a quarantined agent sends after it reaches nobody", async (t) => {
  await daemon.cli(["release", "bad"]);
  const [tcp, udp] = [flow(bad, "tcp"), flow(bad, "udp")];
  t.after(() => Promise.allSettled([tcp.stop(), udp.stop()]));
  await Promise.all([tcp.opened(), udp.opened()]);
  const { askedMs } = await quarantineAt("bad");
  await Promise.all([tcp.ended(), udp.ended()]);
  const heard = { ...streamer.lastHeardMs };
  t.diagnostic(
    `last bytes from the agent after the request, ms: tcp ${heard.tcp - askedMs}, udp ${heard.udp - askedMs}`,
  );
  assert.ok(heard.tcp - askedMs < BOUND_MS && heard.udp - askedMs < BOUND_MS, JSON.stringify(heard));
  for (const kind of ["tcp", "udp"] as const) {
    const next = flow(bad, kind);
    await assert.rejects(next.opened(), /EPERM|ended before/, `${kind} anew`);
    await next.stop().catch(() => {});
  }
  assert.deepEqual(streamer.lastHeardMs, heard, "nothing more was heard");
});

test("a quarantine survives the daemon's death, names itself in listings, and refuses runs until it is released", async (t) => {
  await daemon.cli(["quarantine", "bad", "--reason", "odd queries"]);
  await daemon.kill();
  await daemon.up();
  const agents = await daemon.json<{ agent: string; state: string; reason?: string }[]>(["agents"]);
  const states = Object.fromEntries(agents.map(({ agent, state, reason }) => [agent, [state, reason]]));
  assert.deepEqual(states, { bad: ["quarantined", "odd queries"], good: ["enforced", undefined] });
  const status = await daemon.json<{ states: { agent: string; state: string }[] }>(["status"]);
  assert.deepEqual(
    status.states.map(({ agent, state }) => [agent, state]),
    [["bad", "quarantined"]],
  );
  const refused = await daemon.run("bad", ["true"]);
  assert.match(refused.stderr, /AGENT_QUARANTINED.*odd queries/);
  assert.notEqual(refused.code, 0);

  const later = makeCgroup("quarantine-later");
  t.after(() => later.remove());
  const tagged = await daemon.cli(["tag", "--as", "bad", "--cgroup", later.path]);
  assert.match(tagged.stdout, /bad is quarantined/, tagged.stderr);
  const denied = flow(later.path, "tcp");
  await assert.rejects(denied.opened(), "a cgroup that is tagged later is quarantined, too");
  await denied.stop().catch(() => {});

  assert.equal((await daemon.cli(["release", "bad"])).code, 0);
  const allowed = flow(later.path, "tcp");
  await allowed.opened();
  assert.equal((await allowed.stop()).why, "asked");
  assert.equal((await daemon.run("bad", ["true"])).code, 0);
  assert.match((await daemon.cli(["release", "bad"])).stderr, /AGENT_NOT_QUARANTINED/);
});

test("an agent that nobody knows can be neither quarantined nor observed", async () => {
  for (const args of [
    ["quarantine", "stranger"],
    ["release", "stranger"],
    ["observe", "stranger", "--for", "1h"],
  ]) {
    const { code, stderr } = await daemon.cli(args);
    assert.equal(code, 1, args.join(" "));
    assert.match(stderr, /AGENT_UNKNOWN/);
  }
});

test("a flow from another network namespace is cut, too", async (t) => {
  const namespace = makeLinkedNamespace();
  t.after(() => namespace.remove());
  const outside = await startStreamer(namespace.hostAddress);
  t.after(() => outside.close());
  const settings = await daemonWith(`${namespace.hostAddress}:${outside.port}`);
  t.after(() => settings.stop());
  const cgroup = makeCgroup("quarantine-netns");
  t.after(() => cgroup.remove());
  const tagged = await settings.cli(["tag", "--as", "bad", "--cgroup", cgroup.path]);
  assert.equal(tagged.code, 0, tagged.stderr);
  const inside = Flow.in(cgroup.path, "tcp", namespace.hostAddress, outside.port, namespace.name);
  t.after(() => inside.stop().catch(() => {}));
  await inside.opened();
  const [listed] = await settings.json<{ namespaces: number[] }[]>(["agents"]);
  assert.equal(listed?.namespaces.length, 1);
  const askedMs = performance.timeOrigin + performance.now();
  const done = await settings.json<{ destroyed: number; unable: number }>(["quarantine", "bad"]);
  const { lastMs, why } = await inside.ended();
  t.diagnostic(`last byte in the namespace ${lastMs - askedMs} ms after the command began, ended by ${why}`);
  assert.deepEqual([done.destroyed, done.unable], [1, 0]);
});

function daemonWith(allowed: string): Promise<Daemon> {
  return Daemon.start({
    settings: `agents: [{ name: bad }]\nconnections: []\negress: { allow: ["${allowed}"] }\n`,
    policies: { "open.yaml": OPEN },
  });
}
