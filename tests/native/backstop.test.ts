/** The packet filter catches what another hook let through, and says so. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import type { TestContext } from "node:test";
import { allowed, CGROUP_ROOT, kernelTest, makeCgroup, python, Stand, undo, uniqueName } from "./kit.ts";

async function countingServer(t: TestContext): Promise<{ port: number; connections: () => number }> {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.end("foreign");
  }).listen(0, "127.0.0.1");
  undo(t, () => void server.close());
  await once(server, "listening");
  return { port: (server.address() as AddressInfo).port, connections: () => connections };
}

kernelTest("a TCP connection that connect4 did not see never comes about", async (t) => {
  const server = await countingServer(t);
  const stand = new Stand(t, { without: ["connect4"] });
  const [outcome] = await stand.agentRuns(`dials("127.0.0.1", ${server.port}, timeout=0.5)`);
  assert.ok(outcome !== undefined && "errno" in outcome, JSON.stringify(outcome));
  assert.equal(server.connections(), 0);
  const event = await stand.event({ kind: "backstop" });
  assert.deepEqual(
    [event.reason, event.agent, event.address, event.port],
    ["not-admitted", stand.agent, "127.0.0.1", server.port],
  );
  assert.equal(event.cgroupId, stand.tagId);
  assert.ok(stand.interceptor.counters().backstop > 0n);
});

kernelTest("control: without connect4 and without the filter it does come about", async (t) => {
  const server = await countingServer(t);
  const stand = new Stand(t, { without: ["connect4", "egress"] });
  assert.deepEqual(await stand.agentRuns(`dials("127.0.0.1", ${server.port})`), [{ value: "foreign" }]);
  assert.equal(server.connections(), 1);
});

kernelTest("a datagram that sendmsg4 did not see is dropped", async (t) => {
  const server = createSocket("udp4").bind(0, "127.0.0.1");
  undo(t, () => void server.close());
  await once(server, "listening");
  let received = 0;
  server.on("message", () => (received += 1));
  const stand = new Stand(t, { without: ["sendmsg4"] });
  await stand.agentRuns(`sends("127.0.0.1", ${server.address().port})`);
  await stand.event({ kind: "backstop", reason: "not-admitted", protocol: 17 });
  assert.equal(received, 0);
});

kernelTest("a connection made before the tag is cut by it", async (t) => {
  const stand = new Stand(t);
  const late = makeCgroup(t, `${CGROUP_ROOT}/${uniqueName()}`);
  let received = "";
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (data) => (received += data));
    stand.interceptor.tag(late, stand.agent);
    socket.write("tagged");
  }).listen(0, "127.0.0.1");
  undo(t, () => void server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const outcome = await python(
    `
s = socket.create_connection(("127.0.0.1", ${port})); s.settimeout(0.5)
step(lambda: s.recv(100).decode())
step(lambda: s.sendall(b"late"))
step(lambda: s.recv(100))`,
    late,
  );
  assert.deepEqual(outcome[0], { value: "tagged" });
  await stand.event({ kind: "backstop", reason: "not-admitted", port });
  assert.equal(received, "");
});

kernelTest("an allowed flow ends with the quarantine of its agent", async (t) => {
  const server = createServer((socket) => socket.pipe(socket)).listen(0, "127.0.0.1");
  await once(server, "listening");
  undo(t, () => void server.close());
  const { port } = server.address() as AddressInfo;
  const stand = new Stand(t, { destinations: [allowed("127.0.0.1", port)] });
  server.once("connection", (socket) => {
    socket.on("error", () => {});
    socket.once("data", () => stand.interceptor.quarantine(stand.agent, true));
  });
  const outcome = await stand.agentRuns(`
s = socket.socket(); s.settimeout(1)
def echo():
    s.sendall(b"x"); return s.recv(1).decode()
step(lambda: s.connect(("127.0.0.1", ${port})))
step(echo)
def later():
    for i in range(20): echo()
step(later)`);
  assert.deepEqual(outcome.slice(0, 2), [{ value: null }, { value: "x" }]);
  assert.ok(outcome[2] !== undefined && "errno" in outcome[2], JSON.stringify(outcome[2]));
  await stand.event({ kind: "backstop", reason: "quarantined" });
});
