/** Names, for real: unmodified resolver libraries as an agent, the daemon's resolver, and a nameserver that remembers. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { encode } from "dns-packet";
import { capture, Daemon } from "../kit/daemon.ts";
import { addresses, NamesServer } from "../kit/names-server.ts";
import { OPEN } from "./world.ts";

/** For documentation only (RFC 5737), so nobody's; on lo, where the backend listens. One for each test process. */
const BACKEND = `203.0.113.${(process.pid % 250) + 1}`;
const BACKEND6 = `2001:2:0:${(process.pid % 60_000).toString(16)}::1`; // RFC 5180, likewise
const CLIENT = fileURLToPath(new URL("../kit/clients/names-client.mjs", import.meta.url));
const LOOKUP = fileURLToPath(new URL("../kit/clients/lookup.c", import.meta.url));
/** Slower than this, a client would have waited for an answer that did not come. */
const FAST_MS = 4_000;

interface Job {
  readonly how: "cares" | "unconnected" | "connected" | "stream" | "dial";
  readonly server: string;
  readonly port?: number;
  readonly name?: string;
  readonly type?: string;
  readonly count?: number;
  readonly raw?: string;
}

interface Result {
  readonly answers?: readonly string[];
  readonly rcode?: number;
  readonly from?: string;
  readonly fromPort?: number;
  readonly count?: number;
  readonly connected?: true;
  readonly error?: string;
  readonly ms: number;
}

let upstream: NamesServer;
let daemon: Daemon;
let backend: Server;
let port: number;

before(async () => {
  await capture("ip", ["addr", "add", `${BACKEND}/32`, "dev", "lo"]);
  await capture("ip", ["addr", "add", `${BACKEND6}/128`, "dev", "lo"]);
  backend = createServer((socket) => socket.on("error", () => {}).resume()).listen(0, "::");
  await once(backend, "listening");
  ({ port } = backend.address() as { port: number });
  upstream = await NamesServer.start();
  const found = { A: BACKEND, AAAA: BACKEND6 };
  for (const name of ["api.open.test", "x.pool.open.test", "tunnel.evil.test", "dns.google"]) {
    for (const type of ["A", "AAAA"] as const) upstream.zones[`${type} ${name}`] = addresses(name, type, found[type]);
  }
  // an address of its own: what a denied name has is closed to every other name as well
  upstream.zones["A bad.pool.open.test"] = addresses("bad.pool.open.test", "A", "198.51.100.250");
  upstream.zones["TXT tunnel.evil.test"] = {
    answers: [{ type: "TXT", name: "tunnel.evil.test", ttl: 1, data: "answer" }],
  };
  const many = Array.from({ length: 60 }, (_, at) => `198.51.100.${at + 1}`);
  upstream.zones["A large.pool.open.test"] = addresses("large.pool.open.test", "A", ...many);
  daemon = await Daemon.start({ settings: settings(), policies: { "open.yaml": OPEN } });
});

after(async () => {
  await daemon?.stop();
  upstream?.stop();
  backend?.close();
  await capture("ip", ["addr", "del", `${BACKEND}/32`, "dev", "lo"]);
  await capture("ip", ["addr", "del", `${BACKEND6}/128`, "dev", "lo"]);
});

function settings(): string {
  return `
agents: [{ name: ci }]
egress:
  allow: ["*.pool.open.test:${port}", "*.google:443", "192.0.2.0/24:*", "192.0.2.0/24:*/udp"]
  deny: ["bad.pool.open.test:*"]
names: { servers: ["127.0.0.1:${upstream.port}"] }
`;
}

async function as(agent: "agent" | "nobody", jobs: readonly Job[]): Promise<readonly Result[]> {
  const argv = [process.execPath, CLIENT, JSON.stringify(jobs)];
  const outcome = agent === "agent" ? await daemon.run("ci", argv) : await capture(argv[0] ?? "", argv.slice(1), {});
  assert.equal(outcome.code, 0, outcome.stderr);
  return JSON.parse(outcome.stdout) as Result[];
}

/** The first such event; the trail is written behind. */
async function audited(isWanted: (event: Record<string, unknown>) => boolean): Promise<Record<string, unknown>> {
  for (const end = Date.now() + 10_000; Date.now() < end; await wait(20)) {
    const found = daemon.events().find(isWanted);
    if (found !== undefined) return found;
  }
  return assert.fail("the audit trail does not tell of it");
}

const POOL = { name: "x.pool.open.test", type: "A" } as const;
const EVIL = { name: "tunnel.evil.test", type: "TXT" } as const;
const asked = (name: string) => upstream.questions.filter((question) => question.endsWith(` ${name}`));

test("control: an untagged client gets the name and the tunnel's answer from the nameserver itself", async () => {
  const direct = { server: "127.0.0.1", port: upstream.port };
  const [pool, evil] = await as("nobody", [
    { how: "unconnected", ...direct, ...POOL },
    { how: "stream", ...direct, ...EVIL },
  ]);
  assert.deepEqual(pool?.answers, [BACKEND]);
  assert.equal(evil?.answers?.length, 1);
  assert.equal(asked("tunnel.evil.test").length, 1);
  upstream.asked.length = 0;
});

test("control: the backend answers an untagged client that has its address", async () => {
  const [four, six] = await as("nobody", [
    { how: "dial", server: BACKEND, port },
    { how: "dial", server: BACKEND6, port },
  ]);
  assert.deepEqual([four?.connected, six?.connected], [true, true]);
});

test("a destination is refused before its name was asked for, and open after it", async () => {
  const dial: Job = { how: "dial", server: BACKEND, port };
  const [before, answer, after, otherPort] = await as("agent", [
    dial,
    { how: "unconnected", server: "192.0.2.53", ...POOL },
    dial,
    { ...dial, port: port === 9 ? 10 : 9 },
  ]);
  assert.equal(before?.error, "EPERM");
  assert.deepEqual(answer?.answers, [BACKEND]);
  assert.equal(after?.connected, true, JSON.stringify(after));
  assert.equal(otherPort?.error, "EPERM");
});

// server, what the client sees as the sender: the server that it asked
const servers = ["192.0.2.53", "127.0.0.53", "127.0.0.1", "10.255.255.53", "2001:db8::53", "::1"] as const;
for (const server of servers) {
  test(`queries to ${server} are answered by the daemon, as if from there`, async () => {
    const ways = ["unconnected", "connected", "stream", "cares"] as const;
    const results = await as(
      "agent",
      ways.map((how) => ({ how, server: how === "cares" && server.includes(":") ? `[${server}]` : server, ...POOL })),
    );
    for (const [at, result] of results.entries()) {
      assert.deepEqual(result.answers, [BACKEND], `${ways[at]}: ${JSON.stringify(result)}`);
      if (ways[at] !== "cares") assert.equal(result.from, server, ways[at]);
    }
    assert.deepEqual([results[0]?.fromPort, results[1]?.fromPort], [53, 53]);
  });
}

for (const [libc, compiler] of [
  ["glibc", "gcc"],
  ["musl", "musl-gcc"],
] as const) {
  test(`${libc}: an allowed name is found in both families, a refused one fails at once`, async () => {
    const program = join(daemon.folder, `lookup-${libc}`);
    const built = await capture(compiler, [...(libc === "musl" ? ["-static"] : []), "-o", program, LOOKUP]);
    assert.equal(built.code, 0, built.stderr);
    const { stdout } = await daemon.run("ci", [program, "x.pool.open.test", "tunnel.evil.test", "unqualified"]);
    const [found = [], evil = [], noise = []] = stdout.split("\n").map((line) => line.split(" "));
    assert.deepEqual([found[0], ...found.slice(1, -1).sort()], ["found", ...[BACKEND, BACKEND6].sort()], stdout);
    for (const refused of [evil, noise]) {
      assert.equal(refused[0], "failed", stdout);
      assert.ok(Number(refused[1]) < FAST_MS, stdout);
    }
    assert.deepEqual([asked("tunnel.evil.test"), asked("unqualified")], [[], []]);
  });
}

test("an answer that is too long for a datagram is cut, and whole over TCP", async () => {
  const large = { name: "large.pool.open.test", type: "A", server: "192.0.2.53" } as const;
  const [udp, tcp, cares] = await as("agent", [
    { how: "unconnected", ...large },
    { how: "stream", ...large },
    { how: "cares", ...large },
  ]);
  assert.deepEqual([udp?.answers?.length, tcp?.answers?.length, cares?.answers?.length], [0, 60, 60]);
});

test("several questions on one TCP connection are all answered", async () => {
  const [result] = await as("agent", [{ how: "stream", server: "192.0.2.53", ...POOL, count: 20 }]);
  assert.equal(result?.count, 20);
});

const hostile: readonly (readonly [string, Partial<Job>])[] = [
  ["a text record of a name that no rule has", EVIL],
  ["a NULL record", { name: "x.pool.open.test", type: "NULL" }],
  ["a name below a resolver over HTTPS", { name: "dns.google", type: "A" }],
  ["a name that is denied below an allowed wildcard", { name: "bad.pool.open.test", type: "A" }],
];
for (const [what, question] of hostile) {
  test(`${what} never leaves the host, though the resolver's address is allowed`, async () => {
    upstream.asked.length = 0;
    const server = "192.0.2.53";
    const results = await as("agent", [
      { how: "unconnected", server, ...question },
      { how: "connected", server, ...question },
      { how: "stream", server, ...question },
    ]);
    for (const { rcode, answers } of results) {
      assert.ok(rcode === 3 || rcode === 4, JSON.stringify(results));
      assert.deepEqual(answers, []);
    }
    assert.deepEqual(upstream.questions, []);
  });
}

test("bytes behind a question, or in its options, do not go upstream", async () => {
  upstream.asked.length = 0;
  const secret = Buffer.from("secret-in-the-trailer");
  const query = encode({ type: "query", id: 7, flags: 0x100, questions: [{ name: "y.pool.open.test", type: "A" }] });
  const raw = Buffer.concat([query, secret]).toString("hex");
  const [result] = await as("agent", [{ how: "unconnected", server: "192.0.2.53", raw }]);
  assert.equal(result?.rcode, 3, "nobody has that name");
  assert.equal(upstream.asked.length, 1);
  assert.ok(!upstream.asked.some(({ bytes }) => bytes.includes(secret)));
});

for (const sealed of ["192.0.2.53", "2001:db8::53"]) {
  test(`DNS over TLS to ${sealed} is refused, whatever egress allows`, async () => {
    const [tcp, udp] = await as("agent", [
      { how: "dial", server: sealed, port: 853 },
      { how: "connected", server: sealed, port: 853, ...POOL },
    ]);
    assert.deepEqual([tcp?.error, udp?.error], ["EPERM", "EPERM"]);
  });
}

test("an agent cannot ask the upstream nameserver itself", async () => {
  upstream.asked.length = 0;
  const direct = { server: "127.0.0.1", port: upstream.port, ...EVIL };
  const results = await as("agent", [
    { how: "unconnected", ...direct },
    { how: "connected", ...direct },
    { how: "stream", ...direct },
  ]);
  assert.deepEqual(
    results.map(({ error }) => error),
    ["EPERM", "EPERM", "EPERM"],
  );
  assert.deepEqual(upstream.questions, []);
});

test("refusals are told with agent, name, type and process", async () => {
  await as("agent", [{ how: "unconnected", server: "192.0.2.53", name: "told.evil.test", type: "A" }]);
  const isTold = ({ kind, fields }: Record<string, unknown>) =>
    kind === "names.refused" && (fields as { name: string }).name === "told.evil.test";
  const event = await audited(isTold);
  const { pid, comm, ...fields } = event["fields"] as { pid?: number; comm?: string };
  assert.deepEqual([event["agent"], fields], ["ci", { name: "told.evil.test", type: "A", uid: 0 }]);
  assert.ok((pid ?? 0) > 1 && comm !== "");
});

test("a reload judges the next question, and closes what was learned by a rule that is gone", async () => {
  const dial: Job = { how: "dial", server: BACKEND, port };
  const question: Job = { how: "unconnected", server: "192.0.2.53", ...POOL };
  const policies = { "open.yaml": OPEN };
  assert.equal((await as("agent", [question, dial]))[1]?.connected, true);
  daemon.configure({ settings: settings().replace("*.pool.open.test", "*.other.test"), policies });
  assert.equal((await daemon.cli(["reload"])).code, 0);
  const [dialled, answer] = await as("agent", [dial, question]);
  assert.deepEqual([dialled?.error, answer?.rcode], ["EPERM", 3]);
  await audited(({ kind }) => kind === "egress.removed");
  daemon.configure({ settings: settings(), policies });
  assert.equal((await daemon.cli(["reload"])).code, 0);
  assert.equal((await as("agent", [question, dial]))[1]?.connected, true);
});
