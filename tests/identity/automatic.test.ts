import assert from "node:assert/strict";
import { mkdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Birth } from "ebpf-loader";
import { UserError } from "../../src/base/errors.ts";
import type { ContainerFacts, ContainerPlace } from "../../src/containers/container.ts";
import { Containers } from "../../src/containers/containers.ts";
import { Agents } from "../../src/identity/agents.ts";
import { AutomaticTags } from "../../src/identity/automatic.ts";
import type { Interception } from "../../src/kernel/interception.ts";
import type { AuditEvent } from "../../src/model/event.ts";
import type { Matcher } from "../../src/model/matcher.ts";
import { openStore } from "../../src/store/store.ts";
import { folder, handClock, quietLog } from "../store/folder.ts";

const ID = "07c0558f11eafa9f4d66d3ecbb17c94f528048592f0030c16f75ebf2f8768649";
const OTHER = ID.replace("07", "18");
const LABELLED: Matcher = { kind: "container", name: undefined, image: undefined, labels: { team: "ci" } };
const settings = (...match: readonly Matcher[]) => [{ name: "ci", match }];

/** Containers' state as a map; the cgroup tree as plain folders. */
class FakeContainers extends Containers {
  readonly known = new Map<string, Readonly<Record<string, string>>>();

  override async factsOf({ id, runtime }: Pick<ContainerPlace, "id" | "runtime">): Promise<ContainerFacts | undefined> {
    const labels = this.known.get(id);
    return labels === undefined ? undefined : { id, runtime, name: "web", image: "busy", labels };
  }
}

async function world(t: TestContext) {
  const base = folder(t);
  const root = join(base, "unified");
  const add = (path: string) => mkdirSync(join(root, path), { recursive: true });
  const idOf = (path: string) => statSync(join(root, path), { bigint: true }).ino;
  add("daemon");
  const store = await openStore(join(base, "state"), quietLog());
  t.after(() => store.close());
  const tagged = new Map<bigint, number>();
  const births: (readonly Birth[])[] = [];
  const prepared: (string | number)[] = [];
  const kernel = {
    cgroupRoot: root,
    tag: (path: string, slot: number) => tagged.set(statSync(path, { bigint: true }).ino, slot),
    untag: (id: bigint) => tagged.delete(id),
    untagAll: (ids: readonly bigint[]) => ids.map((id) => tagged.delete(id)),
    tags: () => [...tagged].map(([cgroupId, agent]) => ({ cgroupId, agent })),
    setBirths: (all: readonly Birth[]) => births.push(all),
    prepareCgroup: (path: string) => prepared.push(path),
    prepare: (pid: number) => prepared.push(pid),
  } as unknown as Interception;
  const events: AuditEvent[] = [];
  const emit = (event: AuditEvent) => events.push(event);
  const agents = new Agents({
    interception: kernel,
    store: store.tags,
    clock: handClock(),
    emit,
    ownCgroup: () => "/daemon",
    tokens: store.tokens,
    isRevoked: () => false,
    identityOver: () => {},
  });
  const containers = new FakeContainers({ cgroupRoot: root, folders: () => ({}) as never });
  const log = quietLog();
  const automatic = new AutomaticTags({ agents, interception: kernel, containers, log });
  const tags = () => agents.list().map(({ agent, cgroup, matcher }) => [agent, cgroup.slice(root.length), matcher]);
  return { root, add, idOf, tagged, births, prepared, events, agents, containers, log, automatic, tags };
}

test("what fits a matcher is tagged when the settings come, with its row, its filter and its listeners", async (t) => {
  const { add, automatic, tags, root, idOf, tagged, prepared, births } = await world(t);
  add("system.slice/runner.1.service/inner");
  await automatic.apply(settings({ kind: "unit", glob: "runner.*.service" }));
  assert.deepEqual(tags(), [["ci", "/system.slice/runner.1.service", "unit runner.*.service"]]);
  assert.deepEqual([...tagged.keys()], [idOf("system.slice/runner.1.service")]);
  assert.deepEqual(prepared, [join(root, "system.slice/runner.1.service")]);
  assert.deepEqual(
    births.at(-1)?.map(({ kind, glob }) => [kind, glob]),
    [["unit", "runner.*.service"]],
  );
});

test("a user whom this host does not know is warned of by name; a known one and a number are not", async (t) => {
  const { automatic, log } = await world(t);
  const user = (name: string): Matcher => ({ kind: "user", name });
  await automatic.apply(settings(user("root"), user("4242"), user("no-such-user-here")));
  assert.deepEqual(log.lines, ["warn This host knows no user no-such-user-here, so its matcher matches nothing"]);
});

test("what the kernel tagged at birth gets its row", async (t) => {
  const { add, automatic, agents, tags, idOf, tagged } = await world(t);
  await automatic.apply(settings({ kind: "cgroup", glob: "/jobs/*" }));
  add("jobs/1");
  tagged.set(idOf("jobs/1"), await agents.slotOf("ci"));
  await automatic.reconcile();
  assert.deepEqual(tags(), [["ci", "/jobs/1", "cgroup /jobs/*"]]);
});

test("what the kernel tagged at birth by a rule that is gone is let go", async (t) => {
  const { add, automatic, tags, idOf, tagged } = await world(t);
  add("jobs/1");
  tagged.set(idOf("jobs/1"), 7);
  await automatic.apply(settings({ kind: "cgroup", glob: "/other/*" }));
  assert.deepEqual([tags(), tagged.size], [[], 0]);
});

test("what was born tagged and is gone already leaves nothing in the kernel", async (t) => {
  const { add, automatic, agents, tags, idOf, tagged } = await world(t);
  await automatic.apply(settings({ kind: "cgroup", glob: "/jobs/*" }));
  add("jobs/1");
  const slot = await agents.slotOf("ci");
  for (const id of [idOf("jobs/1"), 1n, 2n]) tagged.set(id, slot);
  await automatic.reconcile();
  assert.deepEqual([tags().length, [...tagged.keys()]], [1, [idOf("jobs/1")]]);
});

test("a matcher that is taken out of the settings ends its tags, and says so", async (t) => {
  const { add, automatic, tags, tagged, events } = await world(t);
  add("jobs/1");
  await automatic.apply(settings({ kind: "cgroup", glob: "/jobs/*" }));
  await automatic.apply(settings());
  assert.deepEqual([tags(), tagged.size], [[], 0]);
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ["agent.tag", "agent.untag"],
  );
});

test("a matcher that passes to another agent takes its cgroups along", async (t) => {
  const { add, automatic, tags } = await world(t);
  add("jobs/1");
  const match: readonly Matcher[] = [{ kind: "cgroup", glob: "/jobs/*" }];
  await automatic.apply(settings(...match));
  await automatic.apply([{ name: "dev", match }]);
  assert.deepEqual(tags(), [["dev", "/jobs/1", "cgroup /jobs/*"]]);
});

test("what a command tagged is left as it is", async (t) => {
  const { add, automatic, agents, tags } = await world(t);
  add("jobs/1");
  add("hand");
  await agents.tag({ as: "dev", path: "/jobs/1", kind: "tag", uid: 0 });
  await agents.tag({ as: "dev", path: "/hand", kind: "tag", uid: 0 });
  await automatic.apply(settings({ kind: "cgroup", glob: "/jobs/*" }));
  await automatic.apply(settings());
  assert.deepEqual(tags(), [
    ["dev", "/jobs/1", ""],
    ["dev", "/hand", ""],
  ]);
});

test("the daemon's own cgroup is not tagged, and let go where the kernel tagged it at birth", async (t) => {
  const { automatic, agents, tags, idOf, tagged, log } = await world(t);
  tagged.set(idOf("daemon"), await agents.slotOf("ci"));
  await automatic.apply(settings({ kind: "cgroup", glob: "/daemon" }));
  assert.deepEqual([tags(), tagged.size], [[], 0]);
  assert.match(log.lines.join("\n"), /warn Cannot guard \/daemon as ci/);
});

const place: ContainerPlace = { runtime: "docker", id: ID, cgroup: `/docker/${ID}` };

test("a container that fits is tagged, and its namespace has listeners before the answer", async (t) => {
  const { add, automatic, containers, prepared, tags, root } = await world(t);
  await automatic.apply(settings(LABELLED));
  add(`docker/${ID}`);
  containers.known.set(ID, { team: "ci" });
  const tag = await automatic.takeContainer({ place }, 4711);
  assert.deepEqual([tag?.agent, tag?.container], ["ci", ID]);
  assert.deepEqual(tags(), [["ci", `/docker/${ID}`, "container label team=ci"]]);
  assert.deepEqual(prepared, [join(root, "docker", ID), 4711]);
});

test("a container that does not fit is left alone", async (t) => {
  const { add, automatic, containers, tags } = await world(t);
  await automatic.apply(settings(LABELLED));
  add(`docker/${ID}`);
  containers.known.set(ID, { team: "cd" });
  assert.deepEqual([await automatic.takeContainer({ place }, 4711), tags()], [undefined, []]);
});

test("a container without a cgroup of its own starts if it is no agent, and is an error if it is one", async (t) => {
  const { add, automatic, containers, tagged } = await world(t);
  await automatic.apply(settings(LABELLED));
  add("shared");
  const cannot = new UserError("CONTAINER_CGROUP", "Cannot guard it", "Start it otherwise");
  const found = { place: { ...place, cgroup: "/shared" }, cannot };
  containers.known.set(ID, { team: "cd" });
  assert.equal(await automatic.takeContainer(found, 4711), undefined);
  containers.known.set(ID, { team: "ci" });
  await assert.rejects(automatic.takeContainer(found, 4711), { code: "CONTAINER_CGROUP" });
  assert.equal(tagged.size, 0);
});

test("a container whose state is not to be found is an error, not a bystander", async (t) => {
  const { add, automatic } = await world(t);
  await automatic.apply(settings(LABELLED));
  add(`docker/${ID}`);
  await assert.rejects(automatic.takeContainer({ place }, 4711), { code: "CONTAINER_STATE" });
});

test("without matchers of containers nobody's state is read", async (t) => {
  const { automatic } = await world(t);
  await automatic.apply(settings({ kind: "cgroup", glob: "/jobs/*" }));
  assert.equal(await automatic.takeContainer({ place }, 4711), undefined);
});

test("running containers follow the settings: those that fit are tagged, those that do not any more are let go", async (t) => {
  const { add, automatic, containers, tags } = await world(t);
  for (const id of [ID, OTHER]) add(`docker/${id}`);
  containers.known.set(ID, { team: "ci" });
  containers.known.set(OTHER, { team: "cd" });
  await automatic.apply(settings(LABELLED));
  assert.deepEqual(
    tags().map(([, path]) => path),
    [`/docker/${ID}`],
  );
  await automatic.apply(settings({ ...LABELLED, labels: { team: "cd" } }));
  assert.deepEqual(
    tags().map(([, path]) => path),
    [`/docker/${OTHER}`],
  );
  await automatic.apply(settings());
  assert.deepEqual(tags(), []);
});

test("a container keeps its guard while its runtime's state cannot be read", async (t) => {
  const { add, automatic, containers, tags, log } = await world(t);
  add(`docker/${ID}`);
  containers.known.set(ID, { team: "ci" });
  await automatic.apply(settings(LABELLED));
  containers.known.clear();
  await automatic.reconcile();
  assert.equal(tags().length, 1);
  assert.match(log.lines.join("\n"), /Cannot tell whether container/);
});

test("a cgroup that vanishes while it is being tagged is no trouble", async (t) => {
  const { root, add, automatic, agents, tags } = await world(t);
  add("jobs/1");
  add("jobs/2");
  const tag = agents.tag.bind(agents);
  agents.tag = (request) => {
    if (request.path.endsWith("/1")) rmSync(join(root, "jobs/1"), { recursive: true });
    return tag(request);
  };
  await automatic.apply(settings({ kind: "cgroup", glob: "/jobs/*" }));
  assert.deepEqual(
    tags().map(([, path]) => path),
    ["/jobs/2"],
  );
});
