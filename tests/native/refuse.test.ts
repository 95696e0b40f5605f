/** What a tagged agent may not do fails at once, with an event that says why. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import type { TestContext } from "node:test";
import {
  allowed,
  CGROUP_ROOT,
  kernelTest,
  makeCgroup,
  type Outcome,
  python,
  registered,
  Stand,
  undo,
  uniqueName,
} from "./kit.ts";

/** At once: far below any timeout of TCP, far above a busy machine's hiccup. */
const AT_ONCE_MS = 500;

function refusedAtOnce(outcome: Outcome | undefined, errno = "EPERM"): void {
  assert.ok(outcome !== undefined && "errno" in outcome, `expected ${errno}, found ${JSON.stringify(outcome)}`);
  assert.equal(outcome.errno, errno);
  assert.ok(outcome.ms < AT_ONCE_MS, `took ${outcome.ms} ms`);
}

/** A server of somebody else on this host's loopback. */
async function foreignServer(t: TestContext, host = "127.0.0.1"): Promise<number> {
  const server = createServer((socket) => socket.end("foreign")).listen(0, host);
  undo(t, () => void server.close());
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

kernelTest("an unlisted address is refused over every family", async (t) => {
  const stand = new Stand(t);
  const outcome = await stand.agentRuns(`
dials("192.0.2.1", 443)
dials("2001:db8::1", 443, socket.AF_INET6)
dials("::ffff:192.0.2.1", 443, socket.AF_INET6)`);
  for (const one of outcome) refusedAtOnce(one);
  assert.equal(outcome.length, 3);
  const event = await stand.event({ kind: "deny", reason: "unlisted", address: "2001:db8::1" });
  assert.deepEqual([event.agent, event.port, event.socketFamily], [stand.agent, 443, 10]);
});

kernelTest("a foreign loopback listener is refused, by every name of this host", async (t) => {
  const stand = new Stand(t);
  const port = await foreignServer(t, "0.0.0.0");
  const outcome = await stand.agentRuns(`
dials("127.0.0.1", ${port})
dials("127.9.9.9", ${port})
dials("0.0.0.0", ${port})
dials("::", ${port}, socket.AF_INET6)
dials("::ffff:0.0.0.0", ${port}, socket.AF_INET6)`);
  assert.equal(outcome.length, 5);
  for (const one of outcome) refusedAtOnce(one);
});

kernelTest("the listener cannot be dialled directly, by an agent or by anybody", async (t) => {
  const stand = new Stand(t, { destinations: [allowed("127.0.0.1", 0), allowed("::1", 0)] });
  const { port } = stand.listener;
  const dial = `
dials("127.0.0.1", ${port})
dials("::1", ${port}, socket.AF_INET6)
dials("::ffff:127.0.0.1", ${port}, socket.AF_INET6)
dials("0.0.0.0", ${port})
dials("::", ${port}, socket.AF_INET6)`;
  for (const outcome of [await stand.agentRuns(dial), await python(dial)]) {
    assert.equal(outcome.length, 5);
    for (const one of outcome) refusedAtOnce(one);
  }
  await stand.event({ kind: "deny", reason: "our-listener", agent: 0 });
  await stand.event({ kind: "deny", reason: "our-listener", agent: stand.agent });
  assert.equal(stand.accepted.length, 0);
});

kernelTest("UDP is refused but for what a rule allows", async (t) => {
  const server = createSocket("udp4").bind(0, "127.0.0.1");
  undo(t, () => void server.close());
  await once(server, "listening");
  server.on("message", (_, from) => server.send("answer", from.port, from.address));
  const { port } = server.address();
  const stand = new Stand(t, {
    destinations: [
      { address: "127.0.0.1", prefix: 32, port, protocol: "udp", action: "allow", reason: "nameserver", connection: 0 },
    ],
  });
  const outcome = await stand.agentRuns(`
sends("192.0.2.1", 123)
sends("192.0.2.1", 443)
sends("::ffff:192.0.2.1", 123, socket.AF_INET6)
sends("2001:db8::1", 123, socket.AF_INET6)
step(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(("192.0.2.1", 123)))
def other():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect(("127.0.0.1", ${port}))
    s.sendto(b"x", ("192.0.2.1", 123))
step(other)
def ask(connected, family, host):
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.settimeout(5)
    if connected:
        s.connect((host, ${port})); s.send(b"q")
    else:
        s.sendto(b"q", (host, ${port}))
    data, source = s.recvfrom(100)
    return [data.decode(), source[0]]
step(lambda: ask(False, socket.AF_INET, "127.0.0.1"))
step(lambda: ask(True, socket.AF_INET, "127.0.0.1"))
step(lambda: ask(False, socket.AF_INET6, "::ffff:127.0.0.1"))`);
  for (const one of outcome.slice(0, 6)) refusedAtOnce(one);
  assert.deepEqual(outcome.slice(6), [
    { value: ["answer", "127.0.0.1"] },
    { value: ["answer", "127.0.0.1"] },
    { value: ["answer", "::ffff:127.0.0.1"] },
  ]);
  await stand.event({ kind: "allow", reason: "nameserver" });
});

kernelTest("a redirected datagram's answer comes from the dialled address", async (t) => {
  const stand = new Stand(t, {
    destinations: [
      {
        address: "192.0.2.53",
        prefix: 32,
        port: 53,
        protocol: "udp",
        action: "intercept",
        reason: "registered",
        connection: 2,
      },
    ],
  });
  const server = createSocket("udp4").bind(stand.listener.port, "127.0.0.1");
  undo(t, () => void server.close());
  await once(server, "listening");
  server.on("message", (_, from) => server.send("answer", from.port, from.address));
  const ask = (family: string, host: string) => `
def ask():
    s = socket.socket(${family}, socket.SOCK_DGRAM)
    s.settimeout(5)
    s.sendto(b"q", ("${host}", 53))
    return list(s.recvfrom(100)[1][:2])
step(ask)`;
  const outcome = await stand.agentRuns(
    ask("socket.AF_INET", "192.0.2.53") + ask("socket.AF_INET6", "::ffff:192.0.2.53"),
  );
  assert.deepEqual(outcome, [{ value: ["192.0.2.53", 53] }, { value: ["::ffff:192.0.2.53", 53] }]);
});

const kinds = [
  { name: "raw", socket: "socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP" },
  { name: "raw IPv6", socket: "socket.AF_INET6, socket.SOCK_RAW, 58" },
  { name: "raw IP", socket: "socket.AF_INET, socket.SOCK_RAW, 255" },
  { name: "ping", socket: "socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP" },
  { name: "MPTCP", socket: "socket.AF_INET, socket.SOCK_STREAM, 262" },
  { name: "UDP-Lite", socket: "socket.AF_INET, socket.SOCK_DGRAM, 136" },
] as const;

for (const { name, socket } of kinds)
  kernelTest(`a ${name} socket is refused`, async (t) => {
    const stand = new Stand(t);
    const make = `step(lambda: socket.socket(${socket}).close())`;
    const [control] = await python(make);
    const [outcome] = await stand.agentRuns(make);
    assert.ok(outcome !== undefined && "errno" in outcome);
    if (control !== undefined && "value" in control) {
      assert.equal(outcome.errno, "EPERM");
      await stand.event({ kind: "socket", reason: "socket-kind", agent: stand.agent });
    }
  });

kernelTest("an agent's own listeners are reachable from inside, and only there", async (t) => {
  const stand = new Stand(t);
  const outcome = await stand.agentRuns(`
def own(family, host, dialled, dial_family, only6=None):
    server = socket.socket(family, socket.SOCK_STREAM)
    if only6 is not None: server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only6)
    server.bind((host, 0)); server.listen()
    client = socket.socket(dial_family, socket.SOCK_STREAM)
    client.settimeout(5)
    client.connect((dialled, server.getsockname()[1]))
    accepted, _ = server.accept()
    accepted.sendall(b"own"); accepted.close()
    return read(client)
V4, V6 = socket.AF_INET, socket.AF_INET6
step(lambda: own(V4, "127.0.0.1", "127.0.0.1", V4))
step(lambda: own(V4, "0.0.0.0", "127.0.0.1", V4))
step(lambda: own(V6, "::1", "::1", V6))
step(lambda: own(V6, "::", "::1", V6))
step(lambda: own(V6, "::", "127.0.0.1", V4, 0))
step(lambda: own(V4, "127.0.0.1", "0.0.0.0", V4))
step(lambda: own(V6, "::", "127.0.0.1", V4, 1))`);
  assert.deepEqual(outcome.slice(0, 6), Array(6).fill({ value: "own" }));
  refusedAtOnce(outcome[6]);
  await stand.event({ kind: "allow", reason: "own-listener" });
});

kernelTest("listening on somebody else's address with IP_FREEBIND opens no way out", async (t) => {
  const stand = new Stand(t);
  const outcome = await stand.agentRuns(`
def freebind():
    server = socket.socket()
    server.setsockopt(socket.IPPROTO_IP, 15, 1) # IP_FREEBIND
    server.bind(("192.0.2.1", 8443)); server.listen()
    dial("192.0.2.1", 8443)
step(freebind)`);
  refusedAtOnce(outcome[0]);
});

kernelTest("another agent's listener is not one's own", async (t) => {
  const stand = new Stand(t);
  const other = makeCgroup(t, `${CGROUP_ROOT}/${uniqueName()}`);
  stand.interceptor.tag(other, stand.agent + 1);
  const outcome = await python(`
def enter(cgroup):
    with open(cgroup + "/cgroup.procs", "w") as f: f.write(str(os.getpid()))
server_pipe, hold_pipe = os.pipe(), os.pipe()
if os.fork() == 0:
    enter("${other}")
    server = socket.socket(); server.bind(("127.0.0.1", 0)); server.listen()
    os.write(server_pipe[1], str(server.getsockname()[1]).encode())
    os.close(hold_pipe[1]); os.read(hold_pipe[0], 1); os._exit(0)
port = int(os.read(server_pipe[0], 10))
step(lambda: socket.create_connection(("127.0.0.1", port)).close())
enter("${stand.cgroup}")
dials("127.0.0.1", port)`);
  assert.deepEqual(outcome[0], { value: null }); // an outsider's SYN is answered, on loopback
  refusedAtOnce(outcome[1]);
});

kernelTest("an agent may not own the listener's port", async (t) => {
  const stand = new Stand(t);
  const bind = (family: string, host: string, type: string) =>
    `step(lambda: socket.socket(${family}, ${type}).bind(("${host}", ${stand.listener.port})))\n`;
  const all =
    bind("socket.AF_INET", "127.0.0.2", "socket.SOCK_STREAM") +
    bind("socket.AF_INET6", "::", "socket.SOCK_STREAM") +
    bind("socket.AF_INET", "127.0.0.2", "socket.SOCK_DGRAM");
  const outcome = await stand.agentRuns(all);
  assert.equal(outcome.length, 3);
  for (const one of outcome) refusedAtOnce(one);
  await stand.event({ kind: "bind", reason: "listener-port", agent: stand.agent });
});

kernelTest("a port that bind() did not check is checked once it is bound", async (t) => {
  const stand = new Stand(t, { without: ["bind4", "bind6"] });
  const bind = (family: string, host: string) =>
    `step(lambda: socket.socket(${family}).bind(("${host}", ${stand.listener.port})))\n`;
  const outcome = await stand.agentRuns(
    bind("socket.AF_INET", "127.0.0.2") + bind("socket.AF_INET6", "::ffff:127.0.0.2"),
  );
  assert.equal(outcome.length, 2);
  for (const one of outcome) refusedAtOnce(one);
  const event = await stand.event({ kind: "bind", reason: "listener-port", socketFamily: 2 });
  assert.deepEqual([event.address, event.port], ["127.0.0.2", stand.listener.port]);
});

kernelTest("a quarantined agent reaches nothing, and everything again once released", async (t) => {
  const stand = new Stand(t, { destinations: [registered("192.0.2.10", 5432)] });
  stand.interceptor.quarantine(stand.agent, true);
  refusedAtOnce((await stand.agentRuns('dials("192.0.2.10", 5432)'))[0]);
  await stand.event({ kind: "deny", reason: "quarantined" });
  stand.interceptor.quarantine(stand.agent, false);
  assert.deepEqual(await stand.agentRuns('dials("192.0.2.10", 5432)'), [{ value: "192.0.2.10 5432 1" }]);
});

kernelTest("a registered destination is refused where nobody listens for it", async (t) => {
  const stand = new Stand(t, { destinations: [registered("192.0.2.10", 5432)] });
  stand.interceptor.setListener(0);
  refusedAtOnce((await stand.agentRuns('dials("192.0.2.10", 5432)'))[0]);
  await stand.event({ kind: "deny", reason: "no-listener" });
});

kernelTest("an egress rule lets exactly its address through", async (t) => {
  const port = await foreignServer(t, "0.0.0.0");
  const stand = new Stand(t, { destinations: [allowed("127.0.0.5", port)] });
  const outcome = await stand.agentRuns(`dials("127.0.0.5", ${port})\ndials("127.0.0.6", ${port})`);
  assert.deepEqual(outcome[0], { value: "foreign" });
  refusedAtOnce(outcome[1]);
  await stand.event({ kind: "allow", reason: "egress-rule" });
});
