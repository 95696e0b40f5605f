/** Queries for names: always to the daemon's own resolver, over TCP and UDP, with their origin; sealed ones refused. */
import assert from "node:assert/strict";
import { createSocket, type RemoteInfo } from "node:dgram";
import { once } from "node:events";
import type { TestContext } from "node:test";
import { bindIn, NAMES_CONNECTION, netnsCookie, type Origin } from "ebpf-loader";
import { allowed, kernelTest, type Outcome, python, registered, Stand, undo } from "./kit.ts";

interface Query {
  readonly origin: Origin | undefined;
  readonly from: RemoteInfo;
}

/** A resolver that answers "answer" on the listener's port, as the daemon's would. */
function resolver(t: TestContext, stand: Stand): Query[] {
  const queries: Query[] = [];
  for (const [type, address] of [
    ["udp4", "127.0.0.1"],
    ["udp6", "::1"],
  ] as const) {
    const socket = createSocket({ type, ipv6Only: true });
    socket.bind({ fd: bindIn(null, address, stand.listener.port) });
    undo(t, () => void socket.close());
    socket.on("message", (_, from) => {
      queries.push({ from, origin: stand.interceptor.datagramOrigin(netnsCookie(), from.address, from.port) });
      socket.send("answer", from.port, from.address);
    });
  }
  return queries;
}

const ASK = `
def ask(host, family=socket.AF_INET, connected=False, port=53):
    def body():
        with socket.socket(family, socket.SOCK_DGRAM) as s:
            s.settimeout(5)
            if connected:
                s.connect((host, port)); s.send(b"q")
                peer = s.getpeername()[:2]
            else:
                s.sendto(b"q", (host, port))
                peer = (host, port)
            data, source = s.recvfrom(100)
            return [data.decode(), *source[:2], list(peer) == [host, port]]
    return step(body)
`;

function refused(outcome: Outcome | undefined): void {
  assert.ok(outcome !== undefined && "errno" in outcome, JSON.stringify(outcome));
  assert.equal(outcome.errno, "EPERM");
}

const families = [
  { name: "IPv4", host: "192.0.2.53", family: "socket.AF_INET", is: 4, address: "192.0.2.53" },
  { name: "IPv6", host: "2001:db8::53", family: "socket.AF_INET6", is: 6, address: "2001:db8::53" },
  { name: "v4-mapped", host: "::ffff:192.0.2.53", family: "socket.AF_INET6", is: 4, address: "192.0.2.53" },
  { name: "loopback", host: "127.0.0.53", family: "socket.AF_INET", is: 4, address: "127.0.0.53" },
] as const;

for (const { name, host, family, is, address } of families)
  for (const connected of [false, true])
    kernelTest(`a query over ${name}, ${connected ? "" : "un"}connected, arrives with its origin`, async (t) => {
      const stand = new Stand(t);
      const queries = resolver(t, stand);
      const flag = connected ? "True" : "False";
      const outcome = await stand.agentRuns(`${ASK}\nask("${host}", ${family}, ${flag})`);
      assert.deepEqual(outcome, [{ value: ["answer", host, 53, true] }]);
      const origin = queries[0]?.origin;
      assert.deepEqual(
        [origin?.family, origin?.address, origin?.port, origin?.connection, origin?.agent, origin?.tagCgroupId],
        [is, address, 53, NAMES_CONNECTION, stand.agent, stand.tagId],
      );
      assert.equal(origin?.comm, "python3");
      assert.equal(origin?.netnsCookie, netnsCookie());
      await stand.event({ kind: "redirect", protocol: 17, port: 53 });
    });

kernelTest("one socket that asks two servers is answered by the last that it asked", async (t) => {
  const stand = new Stand(t);
  const queries = resolver(t, stand);
  const outcome = await stand.agentRuns(`
def two():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        for host in ("192.0.2.53", "192.0.2.54"):
            s.sendto(b"q", (host, 53)); s.recvfrom(100)
        return s.getsockname()[1]
step(two)`);
  assert.deepEqual(
    queries.map(({ origin }) => origin?.address),
    ["192.0.2.53", "192.0.2.54"],
  );
  assert.deepEqual(outcome, [{ value: queries[0]?.from.port }]);
});

kernelTest("a query over TCP arrives with the names' connection, whatever the rules say", async (t) => {
  const stand = new Stand(t, { destinations: [allowed("192.0.2.53", 53)] });
  assert.deepEqual(await stand.agentRuns('dials("192.0.2.53", 53)'), [{ value: `192.0.2.53 53 ${NAMES_CONNECTION}` }]);
});

kernelTest("a backend registered on port 53 of that very address is reached there", async (t) => {
  const stand = new Stand(t, { destinations: [registered("192.0.2.53", 53, 7)] });
  assert.deepEqual(await stand.agentRuns('dials("192.0.2.53", 53)\ndials("192.0.2.54", 53)'), [
    { value: "192.0.2.53 53 7" },
    { value: `192.0.2.54 53 ${NAMES_CONNECTION}` },
  ]);
});

kernelTest("DNS over TLS and QUIC is refused, also where a rule allows it", async (t) => {
  const stand = new Stand(t, { destinations: [allowed("192.0.2.53", 0), allowed("192.0.2.53", 0, "udp")] });
  const outcome = await stand.agentRuns('dials("192.0.2.53", 853)\nsends("192.0.2.53", 853)');
  for (const one of outcome) refused(one);
  await stand.event({ kind: "deny", reason: "sealed-names", protocol: 6 });
  await stand.event({ kind: "deny", reason: "sealed-names", protocol: 17 });
});

kernelTest("queries are refused where nobody listens for them", async (t) => {
  const stand = new Stand(t);
  stand.interceptor.setListener(0);
  for (const one of await stand.agentRuns('sends("192.0.2.53", 53)\ndials("192.0.2.53", 53)')) refused(one);
  const event = await stand.event({ kind: "deny", reason: "no-listener", protocol: 17 });
  assert.equal(event.netnsCookie, netnsCookie());
});

kernelTest("control: an untagged process asks whom it wants, but not our resolver directly", async (t) => {
  const server = createSocket("udp4").bind(0, "127.0.0.1");
  undo(t, () => void server.close());
  await once(server, "listening");
  server.on("message", (_, from) => server.send("answer", from.port, from.address));
  const stand = new Stand(t);
  const queries = resolver(t, stand);
  const { port } = server.address();
  const [free, ours] = await python(
    `${ASK}\nask("127.0.0.1", port=${port})\nask("127.0.0.1", port=${stand.listener.port})`,
  );
  assert.deepEqual(free, { value: ["answer", "127.0.0.1", port, true] });
  refused(ours);
  refused((await stand.agentRuns(`sends("127.0.0.1", ${stand.listener.port})`))[0]);
  assert.deepEqual(queries, []);
});
