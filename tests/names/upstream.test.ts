/** Questions to nameservers: what leaves, and which answers are believed. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { afterEach, test } from "node:test";
import { encode } from "dns-packet";
import { TYPES } from "../../src/names/message.ts";
import { createAsk, type Server } from "../../src/names/upstream.ts";
import { type Asked, addresses, NamesServer } from "../kit/names-server.ts";

const servers: NamesServer[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.stop();
});

async function start(address = "127.0.0.1"): Promise<NamesServer & { readonly at: Server }> {
  const server = await NamesServer.start(address);
  servers.push(server);
  return Object.assign(server, { at: { address, port: server.port } });
}

const ask = (all: readonly Server[], name = "a.example", type: number = TYPES.A) => createAsk(() => all)(name, type);
const dataOf = ({ records }: Awaited<ReturnType<typeof ask>>) =>
  records.map((record) => ("data" in record ? record.data : ""));

test("every question has its own id, source port and spelling, and nothing else differs", async () => {
  const server = await start();
  server.zones["A a-long-enough-name.example"] = addresses("a-long-enough-name.example", "A", "192.0.2.1");
  const count = 40;
  for (let at = 0; at < count; at++) await ask([server.at], "a-long-enough-name.example");
  const different = (of: (asked: Asked) => unknown) => new Set(server.asked.map(of)).size;
  assert.equal(server.asked.length, count);
  assert.ok(different(({ id }) => id) > count - 3);
  assert.ok(different(({ sourcePort }) => sourcePort) > count / 2);
  assert.ok(different(({ spelled }) => spelled) > count - 3);
  assert.equal(
    different(({ bytes }) => bytes.subarray(2).toString("latin1").toLowerCase()),
    1,
  );
});

test("over IPv6 as over IPv4", async () => {
  const server = await start("::1");
  server.zones["AAAA a.example"] = addresses("a.example", "AAAA", "2001:db8::1");
  assert.deepEqual(dataOf(await ask([server.at], "a.example", TYPES.AAAA)), ["2001:db8::1"]);
});

test("a cut answer is fetched over TCP", async () => {
  const server = await start();
  server.zones["A a.example"] = { ...addresses("a.example", "A", "192.0.2.1"), truncated: true };
  assert.deepEqual(dataOf(await ask([server.at])), ["192.0.2.1"]);
  assert.deepEqual(
    server.asked.map(({ over }) => over),
    ["udp", "tcp"],
  );
});

test("guesses before the true answer are not believed", async () => {
  const server = await start();
  const forge = (id: number, name: string) =>
    encode({
      type: "response",
      id,
      flags: 0x180,
      questions: [{ name, type: "A" }],
      answers: [{ type: "A", name, ttl: 60, data: "203.0.113.66" }],
    });
  server.zones["A a.example"] = {
    ...addresses("a.example", "A", "192.0.2.1"),
    forged: ({ id, spelled }) => [
      forge((id + 1) & 0xffff, spelled),
      forge(id, "b.example"),
      Buffer.from("not a message"),
      Buffer.alloc(0),
    ],
  };
  assert.deepEqual(dataOf(await ask([server.at])), ["192.0.2.1"]);
});

test("what another sender puts on the port is not even received", async () => {
  const server = await start();
  const stranger = createSocket("udp4");
  let sent = false;
  server.zones["A a.example"] = {
    ...addresses("a.example", "A", "192.0.2.1"),
    forged: ({ id, spelled, sourcePort }) => {
      const answers = [{ type: "A", name: spelled, ttl: 60, data: "203.0.113.66" } as const];
      const forged = encode({ type: "response", id, flags: 0x180, questions: [{ name: spelled, type: "A" }], answers });
      stranger.send(forged, sourcePort, "127.0.0.1");
      sent = true;
      return [];
    },
  };
  assert.deepEqual(dataOf(await ask([server.at])), ["192.0.2.1"]);
  assert.ok(sent);
  stranger.close();
});

test("a server that does not keep the spelling is asked over TCP, where nobody guesses", async () => {
  const server = await start();
  server.zones["A a-long-enough-name.example"] = {
    ...addresses("a-long-enough-name.example", "A", "192.0.2.1"),
    lowerCase: true,
  };
  assert.deepEqual(dataOf(await ask([server.at], "a-long-enough-name.example")), ["192.0.2.1"]);
  assert.deepEqual(
    server.asked.map(({ over }) => over),
    ["udp", "tcp"],
  );
});

test("a server that fails, is silent or is gone gives way to the next", async () => {
  const [failing, silent, good] = [await start(), await start(), await start()];
  const gone = await start();
  gone.stop();
  servers.splice(servers.indexOf(gone), 1);
  failing.zones["A a.example"] = { rcode: 2 };
  silent.zones["A a.example"] = { silent: true };
  good.zones["A a.example"] = addresses("a.example", "A", "192.0.2.1");
  for (const bad of [failing, silent, gone]) assert.deepEqual(dataOf(await ask([bad.at, good.at])), ["192.0.2.1"]);
});

test("a server to which no way leads gives way to the next", async () => {
  const good = await start();
  good.zones["A a.example"] = addresses("a.example", "A", "192.0.2.1");
  const nowhere: Server = { address: "255.255.255.255", port: 53 }; // connect(2) fails at once, as without a route
  assert.deepEqual(dataOf(await ask([nowhere, good.at])), ["192.0.2.1"]);
});

test("no such name is an answer", async () => {
  const server = await start();
  assert.deepEqual(await ask([server.at]), { rcode: 3, records: [] });
});

test("without a server that answers it fails in time, and says what to look at", async () => {
  await assert.rejects(ask([]), { code: "NAMES_UPSTREAM", remedy: /names\.servers/ });
  const silent = await start();
  silent.zones["A a.example"] = { silent: true };
  const startedMs = performance.now();
  await assert.rejects(ask([silent.at, silent.at, silent.at]), { code: "NAMES_UPSTREAM" });
  assert.ok(performance.now() - startedMs < 10_000);
});
