/** The packet filter catches what another hook let through, and says so. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { allowed, kernelTest, python, Stand } from "./kit.ts";

async function countingServer(t: TestContext): Promise<{ port: number; connections: () => number }> {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.end("foreign");
  }).listen(0, "127.0.0.1");
  t.after(() => server.close());
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
  assert.deepEqual([event.reason, event.agent, event.address, event.port], ["not-admitted", stand.agent, "127.0.0.1", server.port]);
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
  t.after(() => server.close());
  await once(server, "listening");
  let received = 0;
  server.on("message", () => (received += 1));
  const stand = new Stand(t, { without: ["sendmsg4"] });
  await stand.agentRuns(`sends("127.0.0.1", ${server.address().port})`);
  await stand.event({ kind: "backstop", reason: "not-admitted", protocol: 17 });
  assert.equal(received, 0);
});

kernelTest("a socket connected before the tag is cut", async (t) => {
  const stand = new Stand(t);
  const [before, after] = await python(`
server = socket.socket(); server.bind(("127.0.0.1", 0)); server.listen()
os.mkdir("${stand.cgroup}/late")
def enter(path):
    with open(path + "/cgroup.procs", "w") as f: f.write(str(os.getpid()))
# The server's side of the pair belongs to this cgroup, the client's to the tagged one.
r, w = os.pipe()
if os.fork() == 0:
    try:
        enter("${stand.cgroup}/late")
        s = socket.socket()
        s.connect(server.getsockname())
        os._exit(0)
    except OSError as e:
        os.write(w, errno.errorcode[e.errno].encode()); os._exit(0)
os.close(w)
step(lambda: os.read(r, 100).decode())
os.wait()
step(lambda: os.rmdir("${stand.cgroup}/late"))`);
  assert.deepEqual([before, after], [{ value: "EPERM" }, { value: null }]);
});

kernelTest("an allowed flow ends with the quarantine of its agent", async (t) => {
  const server = createServer((socket) => socket.pipe(socket)).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
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
