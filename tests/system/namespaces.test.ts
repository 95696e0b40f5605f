/** A real daemon and a real PostgreSQL, and agents that live in network namespaces of their own. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { capture, SALLYPORT } from "../kit/daemon.ts";
import { makeNetNamespace, type NetNamespace } from "../kit/netns.ts";
import { CGROUP_ROOT, kernelTest, makeCgroup, undo, uniqueName } from "../native/kit.ts";
import { OPEN, startWorld, type World } from "./world.ts";

const WAIT_MS = 10_000;
const ASK = ["psql", "-X", "-A", "-t", "-c", "SELECT name FROM customers WHERE id = 1"];
const UP = { lo: "up", network: "some" } as const;

let world: World;
before(async () => {
  world = await startWorld({ policies: { "open.yaml": OPEN } });
});
after(() => world.stop());

/** `sallyport run` by somebody who is in the namespace already. */
function runInside({ path }: NetNamespace, argv: readonly string[]) {
  const { runDir } = world.daemon;
  return capture("nsenter", [`--net=${path}`, SALLYPORT, "--run", runDir, "run", "--as", "ci", "--", ...argv]);
}

/** The audit event of that kind, once it is there; `from` leaves older ones out. */
async function event(kind: string, from = 0): Promise<Record<string, unknown>> {
  const deadline = Date.now() + WAIT_MS;
  for (;;) {
    const found = world.daemon
      .events()
      .slice(from)
      .find((one) => one["kind"] === kind);
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`No ${kind} came`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test("agents in two namespaces reach the registered database by its ordinary address", async () => {
  const spaces = [makeNetNamespace(UP), makeNetNamespace(UP)];
  try {
    for (const { path } of spaces) {
      const { code, stderr } = await capture("nsenter", [`--net=${path}`, ...ASK, world.url]);
      assert.match(stderr, /Connection refused/); // control: 127.0.0.1 in there is another machine's, so to speak
      assert.notEqual(code, 0);
    }
    const outcomes = await Promise.all(spaces.map((space) => runInside(space, [...ASK, world.url])));
    for (const { code, stdout, stderr } of outcomes) assert.deepEqual([code, stdout], [0, "Ada Lovelace\n"], stderr);
    for (const space of spaces) space.unname();
    await Promise.all(spaces.map((space) => space.gone())); // within the grace, its listeners are closed
    const closed = await event("namespace.closed");
    assert.equal(closed["agent"], "ci");
  } finally {
    for (const space of spaces) space.remove();
  }
});

test("what a namespace's agent did is in the audit like any other's", async () => {
  const space = makeNetNamespace(UP);
  try {
    const from = world.daemon.events().length;
    await runInside(space, [...ASK, world.url]);
    assert.equal((await event("namespace.ready", from))["agent"], "ci");
    const session = await event("session.start", from);
    assert.equal(session["agent"], "ci");
  } finally {
    space.remove();
  }
});

kernelTest("a tagged process that leaves for a namespace of its own is refused, then guarded there", async (t) => {
  const space = makeNetNamespace(UP);
  undo(t, () => space.remove());
  const cgroup = makeCgroup(t, `${CGROUP_ROOT}/${uniqueName()}`);
  const tagged = await world.daemon.cli(["tag", "--cgroup", cgroup, "--as", "ci"]);
  assert.equal(tagged.code, 0, tagged.stderr);
  const enter = 'echo $$ > "$1/cgroup.procs"; shift; exec nsenter "$@"';
  const ask = () => capture("sh", ["-c", enter, "sh", cgroup, `--net=${space.path}`, ...ASK, world.url]);
  const from = world.daemon.events().length;
  const holder = spawn("sh", ["-c", enter, "sh", cgroup, `--net=${space.path}`, "cat"], {
    stdio: ["pipe", "ignore", "inherit"],
  });
  undo(t, async () => {
    holder.stdin.end();
    if (holder.exitCode === null) await once(holder, "exit");
  });
  assert.match((await ask()).stderr, /Operation not permitted/);
  await event("namespace.ready", from);
  assert.equal((await ask()).stdout, "Ada Lovelace\n");

  // a daemon that was killed finds the namespace again by itself
  await world.daemon.kill();
  assert.match((await ask()).stderr, /Connection refused/);
  await world.daemon.up();
  assert.equal((await ask()).stdout, "Ada Lovelace\n");
});

test("a namespace without a network stays without: its agent is refused, and the audit says why", async () => {
  const space = makeNetNamespace({ lo: "up", network: "none" });
  try {
    const from = world.daemon.events().length;
    const { stderr } = await runInside(space, [...ASK, world.url]);
    assert.match(stderr, /Operation not permitted/);
    assert.match(String((await event("namespace.refused", from))["message"]), /was given no network/);
  } finally {
    space.remove();
  }
});

test("once all agents have left, no namespace has listeners", async () => {
  const counted = async () => {
    const { counters } = await world.daemon.json<{ counters: Record<string, number> }>(["status"]);
    return counters["namespaces"];
  };
  const deadline = Date.now() + WAIT_MS;
  while ((await counted()) !== 0 && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(await counted(), 0);
});
