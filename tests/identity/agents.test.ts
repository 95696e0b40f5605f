import assert from "node:assert/strict";
import { existsSync, mkdirSync, renameSync, rmdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { type TestContext, test } from "node:test";
import { TAGS_MAX } from "../../src/base/limits.ts";
import { Agents, type TagRequest } from "../../src/identity/agents.ts";
import type { Interception } from "../../src/kernel/interception.ts";
import type { AuditEvent } from "../../src/model/event.ts";
import { openStore } from "../../src/store/store.ts";
import type { Tag } from "../../src/store/tags.ts";
import { folder, handClock, quietLog } from "../store/folder.ts";

/** The kernel's tags as a map, on a mount that is a plain folder. */
class FakeKernel {
  readonly cgroupRoot: string;
  readonly tagged = new Map<bigint, number>();
  /** Cgroups whose namespaces were to have listeners. */
  readonly prepared: string[] = [];
  fault: Error | undefined;

  constructor(cgroupRoot: string) {
    this.cgroupRoot = cgroupRoot;
  }

  tag(path: string, slot: number): bigint {
    if (this.fault !== undefined) throw this.fault;
    const id = statSync(path, { bigint: true }).ino;
    this.tagged.set(id, slot);
    return id;
  }

  untag(id: bigint): boolean {
    return this.tagged.delete(id);
  }

  tags(): readonly { cgroupId: bigint; agent: number }[] {
    return [...this.tagged].map(([cgroupId, agent]) => ({ cgroupId, agent }));
  }

  prepareCgroup(path: string): readonly never[] {
    this.prepared.push(path);
    return [];
  }
}

async function world(t: TestContext, ownCgroup = "/daemon/inner") {
  const base = folder(t);
  const root = join(base, "unified");
  const add = (path: string, populated = true) => {
    mkdirSync(join(root, path), { recursive: true });
    const file = join(root, path, "cgroup.events");
    writeFileSync(file, `populated ${populated ? 1 : 0}\n`);
    return join(root, path);
  };
  for (const path of ["a/b", "a/bc", "daemon/inner", "daemon/beside"]) add(path);
  const store = await openStore(join(base, "state"), quietLog());
  t.after(() => store.close());
  const kernel = new FakeKernel(root);
  const events: AuditEvent[] = [];
  const make = (interception = kernel, tags = store.tags) =>
    new Agents({
      interception: interception as unknown as Interception,
      store: tags,
      clock: handClock(),
      emit: (event) => events.push(event),
      ownCgroup: () => ownCgroup,
      tokens: store.tokens,
      isRevoked: () => false,
      identityOver: () => {},
    });
  return { root, add, store: store.tags, kernel, events, make, agents: make() };
}

const request = (path: string, more: Partial<TagRequest> = {}): TagRequest => ({
  as: "ci",
  path,
  kind: "tag",
  uid: 1000,
  ...more,
});
const kinds = (events: readonly AuditEvent[]) => events.map(({ kind }) => kind);

test("a tagged cgroup is an agent with the groups and claims of the settings", async (t) => {
  const { agents } = await world(t);
  agents.configure([{ name: "ci", groups: ["builders"], claims: { repository: "acme/shop" }, match: [] }]);
  const tag = await agents.tag(request("/a/b"));
  const expected = { slot: tag.slot, name: "ci", groups: ["builders"], claims: { repository: "acme/shop" } };
  assert.deepEqual(agents.bySlot(tag.slot), expected);
  assert.equal(agents.bySlot(tag.slot + 1), undefined);
});

test("an agent that the settings do not name has a name and nothing else", async (t) => {
  const { agents } = await world(t);
  const { slot } = await agents.tag(request("/a/b"));
  assert.deepEqual(agents.bySlot(slot), { slot, name: "ci", groups: [], claims: {} });
});

test("a connection that was made under a tag which has ended is nobody's, also when it waited for the next daemon", async (t) => {
  const { agents, root, make, kernel } = await world(t);
  const { slot, cgroupId } = await agents.tag(request("/a/b"));
  assert.deepEqual([agents.arriving(slot, cgroupId)?.name, agents.arriving(slot + 1, cgroupId)], ["ci", undefined]);
  await agents.revoke("ci", "its agent was revoked");
  assert.equal(agents.arriving(slot, cgroupId)?.revoked, true);
  await agents.untag(join(root, "a/b"));
  assert.equal(agents.arriving(slot, cgroupId), undefined);
  const next = make();
  await next.restore();
  assert.equal(await next.slotOf("ci"), slot);
  assert.equal(next.arriving(slot, cgroupId), undefined);
  kernel.tagged.set(cgroupId, slot);
  assert.equal(next.arriving(slot, cgroupId)?.name, "ci"); // born, and not listed yet
});

test("new settings give running agents their new groups", async (t) => {
  const { agents } = await world(t);
  const { slot } = await agents.tag(request("/a/b"));
  agents.configure([{ name: "ci", groups: ["late"], claims: {}, match: [] }]);
  assert.deepEqual(agents.bySlot(slot)?.groups, ["late"]);
});

test("two cgroups of one agent share its slot, another agent has another", async (t) => {
  const { agents } = await world(t);
  const [first, second] = [await agents.tag(request("/a/b")), await agents.tag(request("/a/bc"))];
  assert.equal(first.slot, second.slot);
  assert.notEqual((await agents.tag(request("/daemon/beside", { as: "dev" }))).slot, first.slot);
});

const places = [
  { cgroup: "/a/b", tagged: true },
  { cgroup: "/a/b/c/d", tagged: true },
  { cgroup: "/a/bc", tagged: false },
  { cgroup: "/a", tagged: false },
  { cgroup: "/", tagged: false },
  { cgroup: "/x/a/b", tagged: false },
] as const;
for (const spelling of ["/a/b", "a/b", "/a/b/", "//a/./b"]) {
  for (const { cgroup, tagged } of places) {
    test(`after a tag of ${spelling}, a process in ${cgroup} is ${tagged ? "an" : "no"} agent`, async (t) => {
      const { agents } = await world(t);
      await agents.tag(request(spelling));
      assert.equal(agents.isTagged(cgroup), tagged);
    });
  }
}

for (const path of ["/daemon/inner", "/daemon", "/daemon/"]) {
  test(`the daemon does not tag ${path}, in which it lives itself`, async (t) => {
    const { agents, kernel, store } = await world(t);
    await assert.rejects(agents.tag(request(path)), { code: "TAG_OWN" });
    assert.deepEqual([kernel.tagged.size, await store.all()], [0, []]);
  });
}

test("the daemon tags a cgroup beside its own", async (t) => {
  const { agents, kernel } = await world(t);
  await agents.tag(request("/daemon/beside"));
  assert.equal(kernel.tagged.size, 1);
});

test("a cgroup that is not there is not tagged", async (t) => {
  const { agents } = await world(t);
  await assert.rejects(agents.tag(request("/gone")), { code: "CGROUP_UNKNOWN" });
});

test("the row is written before the kernel guards, and listeners are opened after", async (t) => {
  const { kernel, store, make } = await world(t);
  const steps: string[] = [];
  const told = {
    cgroupRoot: kernel.cgroupRoot,
    untag: (id: bigint) => kernel.untag(id),
    tag: (path: string, slot: number) => {
      steps.push("kernel");
      return kernel.tag(path, slot);
    },
    prepareCgroup: () => steps.push("listeners"),
  };
  const put = async (tag: Tag) => {
    await store.put(tag);
    steps.push("store");
  };
  const written = { ...store, put };
  await make(told as unknown as FakeKernel, written).tag(request("/a/b"));
  assert.deepEqual(steps, ["store", "kernel", "listeners"]);
});

test("a cgroup that the store does not take is not guarded and is no agent", async (t) => {
  const { kernel, store, make } = await world(t);
  const agents = make(kernel, { ...store, put: () => Promise.reject(new Error("disk full")) });
  await assert.rejects(agents.tag(request("/a/b")), /disk full/);
  assert.deepEqual([kernel.tagged.size, agents.isTagged("/a/b")], [0, false]);
});

test("a cgroup that the kernel does not take leaves no row and is no agent", async (t) => {
  const { agents, kernel, store, events } = await world(t);
  kernel.fault = new Error("CGROUP_DEPTH");
  await assert.rejects(agents.tag(request("/a/b")), /CGROUP_DEPTH/);
  assert.deepEqual([await store.all(), agents.list(), events], [[], [], []]);
});

test("an agent's cgroup stays guarded as it was when a second tag of it fails", async (t) => {
  const { agents, kernel, store } = await world(t);
  const { cgroupId, slot } = await agents.tag(request("/a/b"));
  kernel.fault = new Error("EIO");
  await assert.rejects(agents.tag(request("/a/b", { as: "dev" })), /EIO/);
  assert.deepEqual([...kernel.tagged], [[cgroupId, slot]]);
  assert.deepEqual([agents.list()[0]?.agent, (await store.all())[0]?.agent], ["ci", "ci"]);
});

test("a second tag of a cgroup replaces the first", async (t) => {
  const { agents, store } = await world(t);
  await agents.tag(request("/a/b"));
  const { slot } = await agents.tag(request("/a/b", { as: "dev" }));
  assert.deepEqual([agents.list().length, (await store.all()).length, agents.bySlot(slot)?.name], [1, 1, "dev"]);
});

for (const [name, which] of [
  ["its path", ({ cgroup }: Tag) => cgroup],
  ["its path below the mount", () => "/a/b"],
  ["its id", ({ cgroupId }: Tag) => cgroupId],
] as const) {
  test(`untag by ${name} ends the guard and says so`, async (t) => {
    const { agents, kernel, store, events } = await world(t);
    const tag = await agents.tag(request("/a/b"));
    assert.equal(await agents.untag(which(tag), { uid: 4711, human: "corp:ada" }), true);
    assert.deepEqual([kernel.tagged.size, await store.all(), agents.isTagged("/a/b")], [0, [], false]);
    assert.deepEqual(kinds(events), ["agent.tag", "agent.untag"]);
    const { uid, human } = events.at(-1)?.fields ?? {};
    assert.deepEqual([uid, human], [4711, "corp:ada"], "the trail names who ended the guard, not who began it");
  });
}

test("untag of what was not tagged says false and ends nothing", async (t) => {
  const { agents, kernel } = await world(t);
  await agents.tag(request("/a/b"));
  assert.deepEqual([await agents.untag("/a/bc"), await agents.untag(1n)], [false, false]);
  assert.equal(kernel.tagged.size, 1);
});

test("a new daemon guards what the old one did, under the same slots", async (t) => {
  const { agents, root, make } = await world(t);
  const tag = await agents.tag(request("/a/b", { kind: "run", runId: "r1" }));
  const kernel = new FakeKernel(root);
  const next = make(kernel);
  await next.restore();
  assert.deepEqual([...kernel.tagged], [[tag.cgroupId, tag.slot]]);
  assert.deepEqual(next.list(), [tag]);
});

test("a new daemon ends tags whose cgroup is gone or is another one by now", async (t) => {
  const { agents, root, store, make } = await world(t);
  for (const path of ["/a/b", "/a/bc"]) await agents.tag(request(path));
  rmSync(join(root, "a/b"), { recursive: true });
  renameSync(join(root, "a/bc"), join(root, "elsewhere")); // so that its number is not given out again
  mkdirSync(join(root, "a/bc"));
  const kernel = new FakeKernel(root);
  const next = make(kernel);
  await next.restore();
  assert.deepEqual([kernel.tagged.size, next.list(), await store.all()], [0, [], []]);
});

test("the sweep ends tags of cgroups that are gone, and leaves empty ones that a person tagged", async (t) => {
  const { agents, root, kernel, add } = await world(t);
  await agents.tag(request("/a/b"));
  const kept = await agents.tag(request("/a/bc"));
  rmSync(join(root, "a/b"), { recursive: true });
  add("a/bc", false);
  await agents.sweep();
  assert.deepEqual([...kernel.tagged.keys()], [kept.cgroupId]);
});

test("the sweep ends a tag whose path belongs to another cgroup by now, and leaves that one alone", async (t) => {
  const { agents, root, add } = await world(t);
  const path = add("run-1");
  await agents.tag(request("/run-1", { kind: "run", runId: "1" }));
  renameSync(path, join(root, "elsewhere")); // so that its number is not given out again
  mkdirSync(path);
  await agents.sweep();
  assert.deepEqual([agents.list(), existsSync(path)], [[], true]);
});

test("the sweep ends a run in which nobody lives any more, together with its cgroup", async (t) => {
  const { agents, kernel, root } = await world(t);
  const path = join(root, "run-1");
  mkdirSync(path); // a folder without cgroup.events is populated by nobody
  await agents.tag(request("/run-1", { kind: "run", runId: "1" }));
  await agents.sweep();
  assert.deepEqual([kernel.tagged.size, existsSync(path)], [0, false]);
});

test("the sweep leaves a run in which a process lives", async (t) => {
  const { agents, kernel, add } = await world(t);
  const path = add("run-1");
  await agents.tag(request("/run-1", { kind: "run", runId: "1" }));
  await agents.sweep();
  assert.deepEqual([kernel.tagged.size, existsSync(path)], [1, true]);
  assert.throws(() => rmdirSync(path), { code: "ENOTEMPTY" });
});

test("what the kernel tagged by itself a moment ago is an agent before its row is written", async (t) => {
  const { agents, root, kernel } = await world(t);
  kernel.tagged.set(statSync(join(root, "a"), { bigint: true }).ino, 7);
  assert.deepEqual([agents.isTagged("/a/b"), agents.isTagged("/a"), agents.isTagged("/daemon")], [true, true, false]);
});

test("an agent whose slot was asked for is known before anything is tagged", async (t) => {
  const { agents } = await world(t);
  const slot = await agents.slotOf("ci");
  assert.equal(agents.bySlot(slot)?.name, "ci");
});

test("beyond the largest number of tags a tag is refused by name, and nothing is left of it", async (t) => {
  const { agents, kernel, store, add } = await world(t);
  for (let at = 0; at < TAGS_MAX; at++) await agents.tag(request(`/${relative(kernel.cgroupRoot, add(`many/${at}`))}`));
  add("one/more");
  await assert.rejects(agents.tag(request("/one/more")), { code: "TAG_FULL" });
  assert.deepEqual([kernel.tagged.size, (await store.all()).length], [TAGS_MAX, TAGS_MAX]);
  const again = await agents.tag(request("/many/0", { as: "dev" })); // one that is tagged may change
  assert.equal(again.agent, "dev");
});

test("a container that is found twice at once is tagged once", async (t) => {
  const { agents, events, store } = await world(t);
  const found = request("/a/b", { kind: "match", matcher: "container name=web", container: "c1", uid: 0 });
  await Promise.all([agents.tag(found), agents.tag(found)]);
  assert.deepEqual([kinds(events), (await store.all()).length], [["agent.tag"], 1]);
});

test("a tag knows what found it, also after a restart", async (t) => {
  const { agents, make } = await world(t);
  const matcher = "container label team=ci";
  const tag = await agents.tag(request("/a/b", { kind: "match", matcher, container: "c1", uid: 0 }));
  const next = make();
  await next.restore();
  assert.deepEqual([next.at(tag.cgroup)?.matcher, next.at(tag.cgroup)?.container], [matcher, "c1"]);
});
