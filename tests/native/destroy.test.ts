/** Sockets of a cgroup are destroyed at once, those of others are not. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { statSync } from "node:fs";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { destroySockets, type Reach } from "ebpf-loader";
import { CGROUP_ROOT, kernelTest, makeCgroup, undo, uniqueName } from "./kit.ts";

/** Holds a TCP listener, both ends of two connections, a connected and an unconnected UDP socket; then says what is left. */
const HOLD = `
import socket, select, sys
def pair(family, host):
    server = socket.socket(family); server.bind((host, 0)); server.listen()
    client = socket.socket(family); client.connect(server.getsockname())
    accepted, _ = server.accept()
    return server, client, accepted
server, client, accepted = pair(socket.AF_INET, "127.0.0.1")
server6, client6, accepted6 = pair(socket.AF_INET6, "::1")
bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); bound.bind(("127.0.0.1", 0))
connected = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); connected.connect(bound.getsockname())
print("held", flush=True)
sys.stdin.readline()
def error_of(s):
    return s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0
def listens(s):
    try: socket.create_connection(s.getsockname()[:2], 1).close(); return True
    except OSError: return False
print(*(int(x) for x in (error_of(client), error_of(accepted), error_of(client6), error_of(accepted6), error_of(connected), error_of(bound), not listens(server))), flush=True)
`;

async function holder(t: TestContext, cgroup: string, ...enter: string[]) {
  const child = spawn(
    "sh",
    ["-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', cgroup, ...enter, "/usr/bin/python3", "-I", "-c", HOLD],
    {
      stdio: ["pipe", "pipe", "inherit"],
    },
  );
  undo(t, () => void child.kill());
  const lines = createInterface(child.stdout);
  await once(lines, "line");
  return {
    pid: child.pid as number,
    async left(): Promise<string> {
      const line = once(lines, "line");
      child.stdin.write("\n");
      return (await line)[0] as string;
    },
  };
}

const idOf = (path: string) => statSync(path, { bigint: true }).ino;
const UNTOUCHED = "0 0 0 0 0 0 0";

kernelTest("connected sockets of a cgroup go, its listeners and everybody else's stay", async (t) => {
  const doomed = makeCgroup(t, `${CGROUP_ROOT}/${uniqueName()}`);
  const spared = makeCgroup(t, `${CGROUP_ROOT}/${uniqueName()}`);
  const one = await holder(t, doomed);
  const other = await holder(t, spared);
  const { destroyed, unable } = destroySockets(null, [idOf(doomed)], "connected");
  assert.ok(destroyed >= 3 && destroyed <= 5, `${destroyed} of 5: the end of one may take the other along`);
  assert.equal(unable, 0);
  assert.deepEqual(destroySockets(null, [idOf(doomed)], "connected"), { destroyed: 0, unable: 0 });
  assert.equal(await one.left(), "1 1 1 1 1 0 0");
  assert.equal(await other.left(), UNTOUCHED);
});

kernelTest("all sockets of a cgroup go, in another network namespace", async (t) => {
  const cgroup = makeCgroup(t, `${CGROUP_ROOT}/${uniqueName()}`);
  const held = await holder(t, cgroup, "unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh");
  assert.deepEqual(destroySockets(null, [idOf(cgroup)], "all"), { destroyed: 0, unable: 0 });
  const { destroyed, unable } = destroySockets(`/proc/${held.pid}/ns/net`, [idOf(cgroup)], "all");
  assert.ok(destroyed >= 6 && destroyed <= 8, `${destroyed} of 8: the end of one may take the other along`);
  assert.equal(unable, 0);
  assert.equal(await held.left(), "1 1 1 1 1 1 1");
});

kernelTest("of the connected ones only those go whose destination is closed and not allowed otherwise", async (t) => {
  const cgroup = makeCgroup(t, `${CGROUP_ROOT}/${uniqueName()}`);
  const held = await holder(t, cgroup);
  const row = (address: string, prefix: number, protocol: "tcp" | "udp", port = 0) => ({
    address,
    prefix,
    port,
    protocol,
  });
  const closes = (gone: readonly Reach[], kept: readonly Reach[] = []) =>
    destroySockets(null, [idOf(cgroup)], "connected", { gone, kept });
  const nothing = { destroyed: 0, unable: 0 };
  const every4 = row("0.0.0.0", 0, "tcp");
  assert.deepEqual(closes([]), nothing);
  assert.deepEqual(closes([row("192.0.2.0", 24, "tcp"), row("127.0.0.1", 32, "tcp", 1)]), nothing);
  assert.deepEqual(closes([every4], [row("127.0.0.0", 8, "tcp")]), nothing);
  assert.equal(closes([row("127.0.0.0", 8, "udp")]).destroyed, 1);
  assert.ok(closes([row("::", 0, "tcp")], [every4]).destroyed >= 1);
  assert.equal(await held.left(), "0 0 1 1 1 0 0");
  assert.throws(() => closes([row("::ffff:127.0.0.1", 128, "tcp")]), TypeError);
});

kernelTest("a namespace that is gone is named", () => {
  assert.throws(() => destroySockets("/proc/0/ns/net", [1n], "all"), {
    code: "SYSTEM",
    message: /\/proc\/0\/ns\/net/u,
  });
});
