/** Processes outside tagged cgroups, and other Sallyports on the same host, are not touched. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, rmdirSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { CGROUP_ROOT, kernelTest, makeCgroup, python, registered, Stand, undo, uniqueName } from "./kit.ts";

const life = (port: number) => `
dials("127.0.0.1", ${port})
dials("0.0.0.0", ${port})
dials("::ffff:127.0.0.1", ${port}, socket.AF_INET6)
step(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close())
def udp():
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); server.bind(("127.0.0.1", 0))
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.sendto(b"x", server.getsockname())
    return server.recv(10).decode()
step(udp)
def peer():
    s = socket.create_connection(("127.0.0.1", ${port}))
    return s.getpeername()[1]
step(peer)`;

kernelTest("an untagged process goes its own way", async (t) => {
  const server = createServer((socket) => socket.on("error", () => {}).end("bystander")).listen(0, "0.0.0.0");
  undo(t, () => void server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const stand = new Stand(t, { destinations: [registered("127.0.0.1", port)] });
  const untagged = makeCgroup(t, `${CGROUP_ROOT}/${uniqueName()}`);
  const expected = [...Array(3).fill({ value: "bystander" }), { value: null }, { value: "x" }, { value: port }];
  assert.deepEqual(await python(life(port)), expected);
  assert.deepEqual(await python(life(port), untagged), expected);
  assert.deepEqual(stand.events, []);
  assert.equal(stand.accepted.length, 0);
});

kernelTest("a cgroup is free again after untag()", async (t) => {
  const server = createServer((socket) => socket.end("free")).listen(0, "127.0.0.1");
  undo(t, () => void server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const stand = new Stand(t);
  const [guarded] = await stand.agentRuns(`dials("127.0.0.1", ${port})`);
  assert.ok(guarded !== undefined && "errno" in guarded);
  assert.equal(stand.interceptor.untag(stand.tagId), true);
  assert.equal(stand.interceptor.untag(stand.tagId), false);
  assert.deepEqual(stand.interceptor.tags(), []);
  assert.deepEqual(await stand.agentRuns(`dials("127.0.0.1", ${port})`), [{ value: "free" }]);
});

kernelTest("two Sallyports on one host each guard their own", async (t) => {
  const first = new Stand(t, { destinations: [registered("192.0.2.10", 5432, 1)] });
  const second = new Stand(t, { destinations: [registered("192.0.2.10", 5432, 2)] });
  assert.deepEqual(await first.agentRuns('dials("192.0.2.10", 5432)'), [{ value: "192.0.2.10 5432 1" }]);
  assert.deepEqual(await second.agentRuns('dials("192.0.2.10", 5432)'), [{ value: "192.0.2.10 5432 2" }]);
  assert.deepEqual([first.accepted.length, second.accepted.length], [1, 1]);
});

kernelTest("of nested tags the deepest wins, and a child made later is tagged", async (t) => {
  const stand = new Stand(t, { destinations: [registered("192.0.2.10", 5432)] });
  const child = makeCgroup(t, `${stand.cgroup}/child`);
  const grandchild = makeCgroup(t, `${child}/grandchild`);
  const childId = stand.interceptor.tag(child, stand.agent + 1);
  await python('dials("192.0.2.10", 5432)', grandchild);
  const origin = stand.accepted[0]?.origin;
  assert.deepEqual([origin?.agent, origin?.tagCgroupId], [stand.agent + 1, childId]);
  assert.notEqual(origin?.cgroupId, childId);
});

kernelTest("a cgroup deeper than the search reaches cannot be tagged", async (t) => {
  const stand = new Stand(t);
  const paths: string[] = [];
  for (let path = stand.cgroup; paths.length < 15; ) {
    path += "/d";
    mkdirSync(path);
    paths.push(path);
  }
  try {
    assert.ok(stand.interceptor.tag(paths[13] as string, 5) > 0n); // level 15
    assert.throws(() => stand.interceptor.tag(paths[14] as string, 5), { code: "CGROUP_DEPTH" });
  } finally {
    for (const path of paths.reverse()) rmdirSync(path);
  }
});

kernelTest("an agent's socket stays guarded in an outsider's hands, and an outsider's in an agent's", async (t) => {
  const stand = new Stand(t, { destinations: [registered("192.0.2.10", 5432)] });
  const pass = (maker: string, user: string) => `
def pass_on():
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        ours.close()
        with open("${maker}/cgroup.procs", "w") as f: f.write(str(os.getpid()))
        s = socket.socket()
        socket.send_fds(theirs, [b"x"], [s.fileno()])
        theirs.recv(1); os._exit(0)
    theirs.close()
    _, fds, _, _ = socket.recv_fds(ours, 1, 1)
    with open("${user}/cgroup.procs", "w") as f: f.write(str(os.getpid()))
    s = socket.socket(fileno=fds[0]); s.settimeout(5)
    s.connect(("192.0.2.10", 5432))
    return read(s)
step(pass_on)`;
  const outside = makeCgroup(t, `${CGROUP_ROOT}/${uniqueName()}`);
  assert.deepEqual(await python(pass(stand.cgroup, outside)), [{ value: "192.0.2.10 5432 1" }]);
  // Redirected, but nothing is attached where it was made: it has no origin, and the daemon closes it.
  assert.deepEqual(await python(pass(outside, stand.cgroup)), [{ value: "no origin" }]);
});
