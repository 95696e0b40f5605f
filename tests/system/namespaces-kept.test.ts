/** What holds over the lives of a daemon, and how many namespaces it takes. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Interceptor, netnsCookie, removePinned } from "ebpf-loader";
import { Namespaces, type NamespaceTold } from "../../src/kernel/namespaces.ts";
import { TaggedCgroups } from "../../src/kernel/tagged.ts";
import { Agent, BACKEND, Guard, listenerPort, netns } from "../kit/namespaced.ts";
import { CGROUP_ROOT, kernelTest, makeCgroup, undo, uniqueName } from "../native/kit.ts";

const INHERITOR = fileURLToPath(new URL("../kit/inheritor.ts", import.meta.url));

kernelTest(
  "listeners that somebody keeps over a restart keep their queues; those of empty namespaces go",
  async (t) => {
    const guard = new Guard(t);
    const [lived, left] = [netns(t), netns(t)];
    const [stays, leaves] = [await guard.agent(t, lived).ready(), await guard.agent(t, left).ready()];
    guard.interception.prepareCgroup(guard.cgroup);
    const kept = guard.interception.listenersToKeep();
    assert.equal(kept.length, 3 * 4);
    const next = spawn(process.execPath, [INHERITOR, guard.runDir, `${guard.port}`, ...kept.map(({ name }) => name)], {
      stdio: ["pipe", "pipe", "inherit", ...kept.map(({ fd }) => fd)],
    });
    undo(t, async () => {
      const ended = once(next, "exit");
      next.kill("SIGKILL");
      await ended;
    });
    guard.interception.close();
    await leaves.leave();
    left.unname();
    const waiting = stays.dials(); // nobody accepts yet, and nobody refuses
    assert.equal(await Promise.race([waiting, new Promise((resolve) => setTimeout(resolve, 500, "waits"))]), "waits");
    assert.ok(left.isThere()); // control: the descriptors keep it
    next.stdin?.write("go\n");
    await once(next.stdout as NodeJS.ReadableStream, "data");
    assert.equal(await waiting, "inherited");
    assert.equal(await stays.dials(), "inherited");
    await left.gone();
  },
);

kernelTest("control: without anybody who keeps them, a connect between two lives is refused", async (t) => {
  const guard = new Guard(t);
  const agent = await guard.agent(t, netns(t)).ready();
  guard.interception.prepareCgroup(guard.cgroup);
  assert.equal(await agent.dials(), BACKEND);
  guard.interception.close();
  assert.equal(await agent.dials(), "ECONNREFUSED");
});

kernelTest("what a killed daemon told of namespaces that are gone is forgotten by the next", async (t) => {
  const pinDir = `/sys/fs/bpf/${uniqueName()}`;
  const interceptor = new Interceptor({ cgroupRoot: CGROUP_ROOT, pinDir });
  undo(t, () => {
    interceptor.close();
    removePinned(pinDir);
  });
  const cgroup = makeCgroup(t, `${CGROUP_ROOT}/${uniqueName()}`);
  interceptor.tag(cgroup, 1);
  const agent = await new Agent(t, netns(t), cgroup).ready();
  const [port, gone] = [listenerPort(), 2n ** 40n];
  interceptor.setListener(port, gone);
  const namespaces = new Namespaces({
    ...{ interceptor, port, inherited: [], nowMs: () => performance.now() },
    tagged: new TaggedCgroups(CGROUP_ROOT, () => interceptor.tags()),
    handlers: { onConnection: () => {}, onQuery: () => {} },
    tell: () => {},
  });
  undo(t, () => namespaces.close());
  const prepared = namespaces.prepare(agent.pid);
  assert.ok(prepared.kind === "ready");
  const cookies = () => interceptor.listeners().map(({ netnsCookie: cookie }) => cookie);
  assert.deepEqual(new Set(cookies()), new Set([netnsCookie(), prepared.cookie]));
  assert.ok(interceptor.listeners().every((one) => one.port === port));
  interceptor.setListener(port, gone); // control: nothing else takes it out
  assert.equal(cookies().length, 3);
});

kernelTest("one agent's namespaces are limited, and so are all together; others keep what they have", async (t) => {
  const pinDir = `/sys/fs/bpf/${uniqueName()}`;
  const interceptor = new Interceptor({ cgroupRoot: CGROUP_ROOT, pinDir });
  undo(t, () => {
    interceptor.close();
    removePinned(pinDir);
  });
  const cgroups = [1, 2].map((agent) => {
    const cgroup = makeCgroup(t, `${CGROUP_ROOT}/${uniqueName()}`);
    interceptor.tag(cgroup, agent);
    return cgroup;
  });
  const told: NamespaceTold[] = [];
  const namespaces = new Namespaces({
    ...{ interceptor, port: listenerPort(), inherited: [], nowMs: () => performance.now() },
    tagged: new TaggedCgroups(CGROUP_ROOT, () => interceptor.tags()),
    handlers: { onConnection: () => {}, onQuery: () => {} },
    tell: (one) => told.push(one),
    limits: { all: 3, perTag: 2 },
  });
  undo(t, () => namespaces.close());
  const prepared: string[] = [];
  for (const cgroup of [0, 0, 0, 1, 1]) {
    const agent = await new Agent(t, netns(t), cgroups[cgroup] ?? "").ready();
    const answer = namespaces.prepare(agent.pid);
    prepared.push(answer.kind === "ready" ? answer.kind : answer.reason);
  }
  assert.deepEqual(prepared, ["ready", "ready", "too-many", "ready", "too-many"]);
  assert.deepEqual(
    told.filter(({ kind }) => kind === "refused").map(({ agent }) => agent),
    [1, 2],
  );
  assert.equal(namespaces.size, 3);
});
