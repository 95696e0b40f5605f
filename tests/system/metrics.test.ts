/** Metrics of a real daemon: after traffic that is known they say exactly that traffic, and no agent gets to them. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { CATALOGUE } from "../../src/metrics/catalogue.ts";
import { capture } from "../kit/daemon.ts";
import { type ParsedMetric, parseExposition, sampled } from "../kit/exposition.ts";
import { freePort } from "../kit/free-port.ts";
import { GUARDED, HIDE, startWorld, type World } from "./world.ts";

const SECRET_COMMENT = "nobody-shall-read-this-in-a-label";
const LIMIT = `
rules:
  - { name: few-reads, on: sql.read, when: "'orders' in statement.tables.map(t, t.name)", limit: { statements: 3, per: 10m } }
`;

let world: World;
let port: number;
before(async () => {
  world = await startWorld({
    policies: { "guarded.yaml": GUARDED, "hide.yaml": HIDE, "limit.yaml": LIMIT },
    labels: true,
  });
  port = await freePort();
  const { configFile } = world.daemon;
  const allow = `egress: { allow: ["127.0.0.0/8:*", "[::1]:*"] }\n`;
  writeFileSync(configFile, `${readFileSync(configFile, "utf8")}metrics: { listen: "127.0.0.1:${port}" }\n${allow}`);
  const { code, stderr } = await world.daemon.cli(["reload"]);
  assert.equal(code, 0, stderr);
});
after(() => world.stop());

type Parsed = ReadonlyMap<string, ParsedMetric>;
const orders = { connection: "orders" };

async function fetched(): Promise<Parsed> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  assert.equal(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  return parseExposition(await response.text());
}

async function told(): Promise<Parsed> {
  const { code, stdout, stderr } = await world.daemon.cli(["metrics"]);
  assert.equal(code, 0, stderr);
  return parseExposition(stdout);
}

/** Resolves once all sessions have ended: psql is gone a moment before its session is. */
async function rested(): Promise<Parsed> {
  const end = performance.now() + 10_000;
  for (;;) {
    const parsed = await told();
    if (sampled(parsed, "sallyport_sessions_open") === 0) return parsed;
    assert.ok(performance.now() < end, "the sessions did not end");
  }
}

test("every metric is told, by the endpoint as by the command", async () => {
  const names = Object.values(CATALOGUE).map(({ name }) => name);
  assert.deepEqual([...(await fetched()).keys()], names);
  assert.deepEqual([...(await told()).keys()], names);
});

test("after known traffic the counters say exactly that traffic", async () => {
  const before = await rested();
  // 3 statements: one is let through and masks 2 values of 3 rows each, one is denied, one touches 100 rows
  const first = await world.psql(
    `SELECT id, ssn, card FROM customers; -- ${SECRET_COMMENT}\nDROP TABLE customers;\nSELECT note FROM orders;\n`,
  );
  assert.equal(first.stdout.split("\n").filter(Boolean).length, 103);
  // 3 more on the limited table: the last two are over it
  const second = await world.psql(
    "SELECT 1 FROM orders LIMIT 1;\nSELECT 2 FROM orders LIMIT 1;\nSELECT 3 FROM orders LIMIT 1;\n",
  );
  assert.equal(second.stdout, "1\n2\n");
  const after = await rested();
  const grown = (name: string, labels: Record<string, string> = {}) =>
    sampled(after, name, labels) - sampled(before, name, labels);

  const session = { ...orders, protocol: "postgres" };
  assert.equal(grown("sallyport_sessions_started_total", session), 2);
  assert.equal(grown("sallyport_sessions_ended_total", { ...session, end: "ended" }), 2);
  assert.equal(grown("sallyport_sessions_ended_total", { end: "fault" }), 0);
  assert.equal(grown("sallyport_statements_total", orders), 6);
  assert.equal(grown("sallyport_decisions_total", { ...orders, decision: "deny" }), 2);
  assert.equal(grown("sallyport_rules_fired_total", { rule: "no-ddl", decision: "deny" }), 1);
  assert.equal(grown("sallyport_rules_fired_total", { rule: "few-reads", decision: "deny" }), 1);
  assert.equal(grown("sallyport_rules_fired_total", { rule: "rows", decision: "allow" }), 4);
  assert.equal(grown("sallyport_rules_fired_total", { rule: "reach-all", decision: "allow" }), 2);
  assert.equal(grown("sallyport_limits_hit_total"), 1);
  assert.equal(grown("sallyport_limits_hit_total", { rule: "few-reads" }), 1);
  assert.equal(grown("sallyport_rows_total", orders), 105);
  assert.equal(grown("sallyport_masked_values_total"), 6);
  assert.equal(grown("sallyport_masked_values_total", { by: "label:pii" }), 3);
  assert.equal(grown("sallyport_masked_values_total", { by: "label:pii,payment" }), 3);
  assert.equal(grown("sallyport_phase_seconds_count", { phase: "origin" }), 2);
  assert.equal(grown("sallyport_phase_seconds_count", { phase: "login" }), 2);
  const decisions = grown("sallyport_decisions_total", orders);
  assert.equal(grown("sallyport_phase_seconds_count", { phase: "judge" }), decisions);
  assert.ok(grown("sallyport_phase_seconds_count", { phase: "record" }) >= 6);
  assert.ok(grown("sallyport_phase_seconds_count", { phase: "answer" }) >= 4);
  assert.equal(grown("sallyport_events_total", { kind: "session.end" }), 2);
  assert.equal(grown("sallyport_events_total", { kind: "action.deny" }), 2);
  assert.equal(grown("sallyport_record_failures_total"), 0);
  assert.equal(grown("sallyport_kernel_connections_total", { outcome: "redirected" }), 2);

  // what the recordings say is the same
  const [second_, first_] = await world.daemon.json<
    { statements: number; rows: number; masked: number; denied: number }[]
  >(["sessions", "--limit", "2"]);
  assert.deepEqual(
    [first_, second_].map((one) => [one?.statements, one?.rows, one?.masked, one?.denied]),
    [
      [3, 103, 6, 1],
      [3, 2, 0, 1],
    ],
  );
  const events = world.daemon
    .events()
    .filter(({ kind }) => kind === "session.end")
    .slice(-2);
  const sum = (field: string) =>
    events.reduce((all, { fields }) => all + Number((fields as Record<string, number>)[field]), 0);
  assert.equal(grown("sallyport_bytes_total", { ...orders, direction: "in" }), sum("bytesIn"));
  assert.equal(grown("sallyport_bytes_total", { ...orders, direction: "out" }), sum("bytesOut"));
});

test("the daemon's state is told as status tells it", async () => {
  const parsed = await told();
  const status = await world.daemon.json<{ version: string; pid: number; policy: { hash: string }; waiting: number }>([
    "status",
  ]);
  assert.equal(sampled(parsed, "sallyport_build_info", { version: status.version, policy: status.policy.hash }), 1);
  assert.equal(sampled(parsed, "sallyport_holds_waiting"), status.waiting);
  const resident = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${status.pid}/status`, "utf8"))?.[1]) * 1_024;
  const rss = sampled(parsed, "process_resident_memory_bytes");
  assert.ok(rss > resident / 2 && rss < resident * 2, `${rss} of ${resident}`);
  assert.ok(sampled(parsed, "process_open_fds") > 10);
  assert.ok(sampled(parsed, "process_max_fds") >= 1_024);
  assert.ok(sampled(parsed, "sallyport_cache_entries", { cache: "analyses.postgres" }) > 0);
});

test("nothing that an agent wrote is in a label", async () => {
  const { stdout } = await world.daemon.cli(["metrics"]);
  for (const text of [SECRET_COMMENT, "DROP TABLE", "customers", "placeholder"])
    assert.ok(!stdout.includes(text), text);
});

test("an agent reaches the endpoint by no address, though egress opens all of loopback to it", async (t) => {
  const neighbour = createServer((_request, response) => response.writeHead(204).end()).listen(0, "127.0.0.1");
  t.after(() => void neighbour.close());
  await once(neighbour, "listening");
  const node = process.execPath;
  const client = (url: string) => [
    node,
    "-e",
    `fetch(${JSON.stringify(url)}).then((r) => console.log("got", r.status), (e) => console.log("refused", e.cause?.code))`,
  ];
  const other = `http://127.0.0.1:${(neighbour.address() as AddressInfo).port}/`;
  const own = `http://127.0.0.1:${port}/metrics`;
  const [program = "", ...args] = client(own);
  assert.equal((await capture(program, args)).stdout, "got 200\n"); // outside of any agent
  assert.equal((await world.daemon.run("ci", client(own))).stdout, "refused EPERM\n");
  assert.equal(
    (await world.daemon.run("ci", client(`http://[::ffff:127.0.0.1]:${port}/metrics`))).stdout,
    "refused EPERM\n",
  );
  assert.equal((await world.daemon.run("ci", client(other))).stdout, "got 204\n"); // loopback is open to it
});

test("where the new address cannot be served, a reload changes nothing", async () => {
  const { configFile } = world.daemon;
  const good = readFileSync(configFile, "utf8");
  writeFileSync(configFile, good.replace(`"127.0.0.1:${port}"`, `"127.0.0.1:${world.postgres.port}"`));
  const { code, stderr } = await world.daemon.cli(["reload"]);
  assert.equal(code, 1);
  assert.match(
    stderr,
    /METRICS_LISTEN: Cannot serve metrics at 127\.0\.0\.1 port \d+: EADDRINUSE\nremedy: Name an address/,
  );
  assert.ok((await fetched()).size > 30);
  writeFileSync(configFile, good.replace(/^metrics: .*\n/m, ""));
  assert.equal((await world.daemon.cli(["reload"])).code, 0);
  await assert.rejects(fetched());
  assert.ok((await told()).size > 30);
});
