/** A tagged agent's registered destinations arrive at the listener, with their origin. */
import assert from "node:assert/strict";
import { kernelTest, registered, Stand } from "./kit.ts";

const V4 = "192.0.2.10";
const V6 = "2001:db8::10";
const PORT = 5432;
const backends = [registered(V4, PORT, 4), registered(V6, PORT, 6)];

const families = [
  { name: "IPv4", dial: `dials("${V4}", ${PORT})`, answer: `${V4} ${PORT} 4`, family: 4, source: "127.0.0.1" },
  {
    name: "IPv6",
    dial: `dials("${V6}", ${PORT}, socket.AF_INET6)`,
    answer: `${V6} ${PORT} 6`,
    family: 6,
    source: "::1",
  },
  {
    name: "v4-mapped",
    dial: `dials("::ffff:${V4}", ${PORT}, socket.AF_INET6)`,
    answer: `${V4} ${PORT} 4`,
    family: 4,
    source: "127.0.0.1",
  },
] as const;

for (const { name, dial, answer, family, source } of families)
  kernelTest(`a connect() over ${name} arrives with its origin`, async (t) => {
    const stand = new Stand(t, { destinations: backends });
    assert.deepEqual(await stand.agentRuns(dial), [{ value: answer }]);
    const origin = stand.accepted[0]?.origin;
    assert.equal(origin?.family, family);
    assert.equal(origin?.agent, stand.agent);
    assert.equal(origin?.cgroupId, stand.tagId);
    assert.equal(origin?.tagCgroupId, stand.tagId);
    assert.equal(origin?.comm, "python3");
    assert.equal(stand.accepted[0]?.sourceAddress, source);
    const event = await stand.event({ kind: "redirect" });
    assert.deepEqual(
      [event.reason, event.agent, event.port, event.pid],
      ["registered", stand.agent, PORT, origin?.pid],
    );
  });

const NODE_PEER = `const s = require("net").connect(${PORT}, process.argv[1], () => {
  console.log(JSON.stringify([s.remoteAddress, s.remotePort])); s.destroy(); })`;
const peers = `
import json, subprocess
def peer(host, family):
    with socket.socket(family, socket.SOCK_STREAM) as s:
        s.connect((host, ${PORT}))
        return list(s.getpeername()[:2])
step(lambda: peer("${V4}", socket.AF_INET))
step(lambda: peer("${V6}", socket.AF_INET6))
step(lambda: peer("::ffff:${V4}", socket.AF_INET6))
def node_peer(host):
    return json.loads(subprocess.check_output(["${process.execPath}", "-e", ${JSON.stringify(NODE_PEER)}, host], timeout=20))
step(lambda: node_peer("${V4}"))
step(lambda: node_peer("${V6}"))
`;

kernelTest("getpeername() gives the dialled address, as python and node see it", async (t) => {
  const stand = new Stand(t, { destinations: backends });
  assert.deepEqual(await stand.agentRuns(peers), [
    { value: [V4, PORT] },
    { value: [V6, PORT] },
    { value: [`::ffff:${V4}`, PORT] },
    { value: [V4, PORT] },
    { value: [V6, PORT] },
  ]);
});

kernelTest("control: without its programs getpeername() gives the listener", async (t) => {
  const stand = new Stand(t, { destinations: backends, without: ["getpeername4", "getpeername6"] });
  const { port } = stand.listener;
  assert.deepEqual(await stand.agentRuns(peers), [
    { value: ["127.0.0.1", port] },
    { value: ["::1", port] },
    { value: ["::ffff:127.0.0.1", port] },
    { value: ["127.0.0.1", port] },
    { value: ["::1", port] },
  ]);
});

kernelTest("a child, a new session and a double fork stay guarded", async (t) => {
  const stand = new Stand(t, { destinations: backends });
  const outcome = await stand.agentRuns(`
def child(depth, session):
    r, w = os.pipe()
    if os.fork() == 0:
        if session: os.setsid()
        if depth > 1 and os.fork() != 0: os._exit(0)
        try: text = dial("${V4}", ${PORT})
        except OSError as e: text = str(e)
        os.write(w, text.encode())
        os._exit(0)
    os.close(w)
    return os.read(r, 4096).decode()
step(lambda: child(1, False))
step(lambda: child(1, True))
step(lambda: child(2, True))`);
  assert.deepEqual(outcome, Array(3).fill({ value: `${V4} ${PORT} 4` }));
});

kernelTest("a new connect() on a disconnected socket is judged anew", async (t) => {
  const stand = new Stand(t, { destinations: backends });
  const outcome = await stand.agentRuns(`
libc = __import__("ctypes").CDLL(None, use_errno=True)
def disconnect(s):
    if libc.connect(s.fileno(), struct.pack("H14x", socket.AF_UNSPEC), 16) != 0:
        raise OSError(__import__("ctypes").get_errno(), "disconnect")
def again():
    s = socket.socket()
    s.connect(("${V4}", ${PORT}))
    disconnect(s)
    s.connect(("192.0.2.99", ${PORT}))
step(again)
def back():
    s = socket.socket()
    s.connect(("${V4}", ${PORT}))
    disconnect(s)
    s.connect(("${V4}", ${PORT}))
    return read(s)
step(back)`);
  assert.equal((outcome[0] as { errno: string }).errno, "EPERM");
  assert.deepEqual(outcome[1], { value: `${V4} ${PORT} 4` });
});

kernelTest("TCP Fast Open is redirected like any other connect()", async (t) => {
  const stand = new Stand(t, { destinations: backends });
  const outcome = await stand.agentRuns(`
def send_first():
    with socket.socket() as s:
        s.sendto(b"hello", socket.MSG_FASTOPEN, ("${V4}", ${PORT}))
        return s.recv(4096).decode()
step(send_first)
def connect_first():
    with socket.socket() as s:
        s.settimeout(5)
        s.setsockopt(socket.IPPROTO_TCP, 30, 1) # TCP_FASTOPEN_CONNECT
        s.connect(("${V4}", ${PORT}))
        s.send(b"hello")
        return s.recv(4096).decode()
step(connect_first)`);
  assert.deepEqual(outcome, Array(2).fill({ value: `${V4} ${PORT} 4` }));
});

kernelTest("no origin is missed in 2,000 connections that reuse source ports", async (t) => {
  const stand = new Stand(t, { destinations: backends });
  const outcome = await stand.agentRuns(`
def storm():
    ports = [40000 + i for i in range(100)]
    good = 0
    for i in range(2000):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        for attempt in range(100):
            try:
                s.bind(("127.0.0.1", ports[(i + attempt) % 100])); break
            except OSError as e:
                if e.errno != errno.EADDRINUSE: raise
        s.settimeout(5)
        s.connect(("${V4}", ${PORT}))
        good += read(s) == "${V4} ${PORT} 4"
        s.close()
    return good
step(storm)`);
  assert.deepEqual(outcome, [{ value: 2000 }]);
  assert.equal(stand.accepted.filter((one) => one.origin === undefined).length, 0);
});
