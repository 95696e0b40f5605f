/** Listeners of other network namespaces, without a daemon around them: when they come, when not, and that they go. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync } from "node:fs";
import { listenIn, netnsCookie } from "ebpf-loader";
import { NAMESPACE_GRACE_MS } from "../../src/base/limits.ts";
import { BACKEND, BACKEND_V6, Guard, netns, PORT } from "../kit/namespaced.ts";
import type { NetNamespace } from "../kit/netns.ts";
import { kernelTest, undo } from "../native/kit.ts";

kernelTest("once it is prepared, a namespace's first connect and first queries arrive with their origin", async (t) => {
  const guard = new Guard(t);
  const agent = await guard.agent(t, netns(t)).ready();
  const prepared = guard.interception.prepare(agent.pid);
  assert.ok(prepared?.kind === "ready");
  assert.equal(await agent.dials(), BACKEND);
  assert.equal(await agent.dials(BACKEND_V6), BACKEND_V6);
  assert.deepEqual(await agent.does('ask("10.0.0.53", socket.AF_INET)'), ["answer"]);
  assert.deepEqual(await agent.does('ask("2001:db8::53", socket.AF_INET6)'), ["answer"]);
  const origins = [...guard.accepted.map(({ origin }) => origin), ...guard.queries];
  assert.deepEqual(new Set(origins.map((origin) => origin?.netnsCookie)), new Set([prepared.cookie]));
  assert.deepEqual(
    guard.queries.map(({ address, port, pid }) => [address, port, pid]),
    [
      ["10.0.0.53", 53, agent.pid],
      ["2001:db8::53", 53, agent.pid],
    ],
  );
});

kernelTest("without preparation the first connect is refused, and makes the next one work", async (t) => {
  const guard = new Guard(t);
  const agent = await guard.agent(t, netns(t)).ready();
  assert.equal(await agent.dials(), "EPERM");
  await guard.until(() => guard.told.some(({ kind, agent: slot }) => kind === "ready" && slot === 7));
  assert.equal(await agent.dials(), BACKEND);
});

kernelTest("a connect is told of by others who live there, when its process has ended at once", async (t) => {
  const guard = new Guard(t);
  const namespace = netns(t);
  await guard.agent(t, namespace).ready();
  const dial = `import socket; socket.create_connection(("${BACKEND}", ${PORT}))`;
  const enter = 'echo $$ > "$1/cgroup.procs" && exec nsenter --net="$2" /usr/bin/python3 -I -c "$3" 2>/dev/null';
  // our thread hears of it only after the process is gone
  assert.throws(() => execFileSync("sh", ["-c", enter, "sh", guard.cgroup, namespace.path, dial]));
  assert.deepEqual(guard.told, []);
  await guard.until(() => guard.told.some(({ kind }) => kind === "ready"));
});

kernelTest("a thread that leaves for a namespace of its own is found there", async (t) => {
  const guard = new Guard(t);
  const [home, away] = [netns(t), netns(t)];
  const agent = await guard.agent(t, home).ready();
  guard.interception.prepareCgroup(guard.cgroup);
  const thread = `exec('''
import threading, ctypes, time, os
seen = []
away_fd = os.open("${away.path}", os.O_RDONLY)
def away():
    ctypes.CDLL(None).setns(away_fd, 0)
    for i in range(100):
        try: seen.append(dial("${BACKEND}", socket.AF_INET)); break
        except OSError as e: seen.append(errno.errorcode[e.errno]); time.sleep(0.05)
th = threading.Thread(target=away); th.start(); th.join()
''')`.replaceAll("\n", "\\n");
  await agent.does(thread);
  const seen = (await agent.does("seen")) as string[];
  assert.equal(seen[0], "EPERM");
  assert.equal(seen.at(-1), BACKEND);
  assert.equal(guard.interception.counters()["namespaces"], 2);
});

kernelTest("where IPv6 is off inside, IPv4 works and nothing goes out by IPv6", async (t) => {
  const guard = new Guard(t);
  const namespace = netns(t);
  namespace.inside("sysctl", "-q", "-w", "net.ipv6.conf.all.disable_ipv6=1");
  const agent = await guard.agent(t, namespace).ready();
  assert.equal(guard.interception.prepare(agent.pid)?.kind, "ready");
  assert.equal(await agent.dials(), BACKEND);
  assert.match(String(await agent.dials(BACKEND_V6)), /^E(ADDRNOTAVAIL|CONNREFUSED|NETUNREACH)$/);
  assert.equal(guard.accepted.length, 1);
  assert.equal(guard.interception.listenersToKeep().filter(({ name }) => name.includes("-")).length, 2);
});

const closed = [
  {
    name: "lo down",
    options: { lo: "down", network: "some" },
    reason: "loopback-down",
    mend: (namespace: NetNamespace) => void namespace.inside("ip", "link", "set", "lo", "up"),
  },
  {
    name: "no network",
    options: { lo: "up", network: "none" },
    reason: "no-network",
    mend: (namespace: NetNamespace) => namespace.connect(),
  },
] as const;
for (const { name, options, reason, mend } of closed) {
  kernelTest(`a namespace with ${name} stays closed, says so once, and opens when that is mended`, async (t) => {
    const guard = new Guard(t);
    const namespace = netns(t, options);
    const agent = await guard.agent(t, namespace).ready();
    for (let round = 0; round < 2; round++) {
      const prepared = guard.interception.prepare(agent.pid);
      assert.ok(prepared?.kind === "refused");
      assert.equal(prepared.reason, reason);
    }
    assert.deepEqual(
      guard.told.map(({ kind }) => kind),
      ["refused"],
    );
    assert.equal(await agent.dials(), "EPERM");
    mend(namespace);
    await guard.until(() => guard.told.at(-1)?.kind === "ready");
    assert.equal(await agent.dials(), BACKEND);
  });
}

kernelTest("a namespace in which somebody else holds the port stays closed until that one leaves", async (t) => {
  const guard = new Guard(t);
  const namespace = netns(t);
  const held = listenIn(namespace.path, "127.0.0.1", guard.port, 1);
  const agent = await guard.agent(t, namespace).ready();
  const prepared = guard.interception.prepare(agent.pid);
  assert.ok(prepared?.kind === "refused" && prepared.reason === "port-owned");
  assert.match(prepared.message, new RegExp(`holds port ${guard.port}`));
  assert.equal(await agent.dials(), "EPERM");
  closeSync(held);
  await guard.until(() => guard.told.at(-1)?.kind === "ready");
  assert.equal(await agent.dials(), BACKEND);
});

kernelTest("in the daemon's own namespace, as under --network host, there is nothing to prepare", async (t) => {
  const guard = new Guard(t);
  const agent = await guard.agent(t, { path: "/proc/self/ns/net" }).ready();
  assert.deepEqual(guard.interception.prepare(agent.pid), { kind: "ready", cookie: netnsCookie() });
  assert.equal(await agent.dials(), BACKEND);
  assert.deepEqual([guard.told, guard.interception.counters()["namespaces"]], [[], 0]);
});

kernelTest("nothing is opened for a process that is no agent, nor for one that is gone", async (t) => {
  const guard = new Guard(t);
  const namespace = netns(t);
  const stranger = spawn("nsenter", [`--net=${namespace.path}`, "sh", "-c", "echo in && exec cat"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  undo(t, () => void stranger.kill());
  await once(stranger.stdout, "data");
  const answers = [stranger.pid ?? 0, 2 ** 30].map((pid) => guard.interception.prepare(pid));
  assert.deepEqual(
    answers.map((answer) => answer?.kind === "refused" && answer.reason),
    ["untagged", "gone"],
  );
  assert.deepEqual([guard.told, guard.interception.counters()["namespaces"]], [[], 0]);
});

kernelTest("a namespace goes when its last agent has left; an agent that is stopped keeps its listeners", async (t) => {
  const guard = new Guard(t);
  const namespace = netns(t);
  const [first, last] = [await guard.agent(t, namespace).ready(), await guard.agent(t, namespace).ready()];
  guard.interception.prepareCgroup(guard.cgroup);
  namespace.unname();
  await first.leave(); // the one that was seen first
  process.kill(last.pid, "SIGSTOP");
  const untilMs = performance.now() + NAMESPACE_GRACE_MS + 1_000;
  while (performance.now() < untilMs) {
    guard.interception.tend();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  process.kill(last.pid, "SIGCONT");
  assert.equal(await last.dials(), BACKEND);
  await last.leave();
  guard.interception.tend();
  assert.ok(namespace.isThere()); // control: our listeners alone keep it, for the time of grace
  await guard.until(() => guard.told.at(-1)?.kind === "closed");
  await namespace.gone();
  assert.equal(guard.interception.counters()["namespaces"], 0);
});

kernelTest("a namespace that is untagged loses its listeners, though its processes live", async (t) => {
  const guard = new Guard(t);
  const agent = await guard.agent(t, netns(t)).ready();
  guard.interception.prepareCgroup(guard.cgroup);
  guard.interception.untag(guard.interception.tags()[0]?.cgroupId ?? 0n);
  await guard.until(() => guard.told.at(-1)?.kind === "closed");
  assert.notEqual(await agent.dials(), BACKEND);
});

kernelTest("garbage from a namespace that vanishes before the accept harms nobody", async (t) => {
  const guard = new Guard(t);
  const namespace = netns(t);
  const agent = await guard.agent(t, namespace).ready();
  guard.interception.prepareCgroup(guard.cgroup);
  const storm = `import os, socket
for i in range(200):
    s = socket.socket(); s.settimeout(2); s.connect(("${BACKEND}", ${PORT})); s.send(os.urandom(999)); os.dup(s.fileno())`;
  // nothing is accepted while this runs, since it holds our thread
  const enter = 'echo $$ > "$1/cgroup.procs" && exec nsenter --net="$2" /usr/bin/python3 -I -c "$3"';
  execFileSync("sh", ["-c", enter, "sh", guard.cgroup, namespace.path, storm]);
  namespace.unname();
  process.kill(agent.pid, "SIGKILL");
  assert.equal(guard.accepted.length, 0);
  await guard.until(() => guard.told.at(-1)?.kind === "closed");
  assert.equal(guard.accepted.length, 200);
  assert.ok(guard.accepted.every(({ origin }) => origin?.address === BACKEND));
  await namespace.gone();
  const other = await guard.agent(t, netns(t)).ready();
  guard.interception.prepareCgroup(guard.cgroup);
  assert.equal(await other.dials(), BACKEND);
});
