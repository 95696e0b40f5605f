/** Cgroups that are tagged in the moment they are made, with and without a daemon. */
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, rmdirSync, statSync } from "node:fs";
import { Interceptor, removePinned } from "ebpf-loader";
import { CGROUP_ROOT, kernelTest, makeCgroup, python, registered, Stand, undo, uniqueName } from "./kit.ts";

const idOf = (path: string) => statSync(path, { bigint: true }).ino;

kernelTest("a cgroup that a rule names is tagged before anybody can enter it", async (t) => {
  const stand = new Stand(t, { destinations: [registered("192.0.2.10", 5432)] });
  const name = uniqueName();
  stand.interceptor.setBirths([{ kind: "path", glob: `/${name}-*`, agent: 77 }]);
  const born = makeCgroup(t, `${CGROUP_ROOT}/${name}-one`);
  const other = makeCgroup(t, `${CGROUP_ROOT}/${name}`);
  const tags = stand.interceptor.tags();
  assert.ok(tags.some(({ cgroupId, agent }) => cgroupId === idOf(born) && agent === 77));
  assert.ok(!tags.some(({ cgroupId }) => cgroupId === idOf(other)));
  const event = await stand.event({ kind: "born", agent: 77 });
  assert.deepEqual([event.cgroupId, event.reason, event.pid], [idOf(born), "registered", process.pid]);
  assert.deepEqual(await python('dials("192.0.2.10", 5432)', born), [{ value: "192.0.2.10 5432 1" }]);
  assert.equal(stand.accepted[0]?.origin?.agent, 77);
  const atRoot = `${stand.pinDir}/links/sockops`; // for its first connections; without rules no bystander meets it
  assert.equal(existsSync(atRoot), true);
  stand.interceptor.setBirths([]);
  assert.equal(existsSync(atRoot), false);
});

kernelTest("a unit rule matches the service manager's units, and no lookalike below a user", async (t) => {
  const stand = new Stand(t);
  const name = uniqueName();
  stand.interceptor.setBirths([{ kind: "unit", glob: `${name}.*.service`, agent: 78 }]);
  const slice = makeCgroup(t, `${CGROUP_ROOT}/${name}.slice`);
  const scope = makeCgroup(t, `${CGROUP_ROOT}/${name}.scope`);
  const paths = [
    makeCgroup(t, `${slice}/${name}.a.service`),
    makeCgroup(t, `${CGROUP_ROOT}/${name}.b.service`),
    makeCgroup(t, `${scope}/${name}.c.service`),
    makeCgroup(t, `${slice}/${name}.service`),
  ];
  const tagged = new Set(stand.interceptor.tags().map(({ cgroupId }) => cgroupId));
  assert.deepEqual(
    paths.map((path) => tagged.has(idOf(path))),
    [true, true, false, false],
  );
});

kernelTest("of several rules that match, the first wins, also of two that are the same", (t) => {
  const stand = new Stand(t);
  const name = uniqueName();
  stand.interceptor.setBirths([
    { kind: "path", glob: `/other-${name}*`, agent: 1 },
    { kind: "path", glob: `/${name}-*`, agent: 2 },
    { kind: "path", glob: `/${name}-xy`, agent: 3 },
    { kind: "path", glob: `/${name}-*`, agent: 4 },
  ]);
  const born = makeCgroup(t, `${CGROUP_ROOT}/${name}-xy`);
  assert.equal(stand.interceptor.tags().find(({ cgroupId }) => cgroupId === idOf(born))?.agent, 2);
  stand.interceptor.setBirths([]);
  const later = makeCgroup(t, `${CGROUP_ROOT}/${name}-z`);
  assert.equal(stand.interceptor.tags().find(({ cgroupId }) => cgroupId === idOf(later))?.agent, undefined);
});

kernelTest("an agent does not choose who it is by making cgroups, nor leaves by them", async (t) => {
  const stand = new Stand(t);
  const name = uniqueName();
  stand.interceptor.setBirths([{ kind: "path", glob: `/*/${name}`, agent: 79 }]);
  stand.interceptor.setBirths([
    { kind: "path", glob: `/*/${name}`, agent: 79 },
    { kind: "path", glob: `/${name}`, agent: 79 },
  ]);
  const paths = [`${stand.cgroup}/${name}`, `${CGROUP_ROOT}/${name}`];
  undo(t, () => {
    for (const path of paths) rmdirSync(path);
  });
  await stand.agentRuns(paths.map((path) => `step(lambda: os.mkdir("${path}"))`).join("\n"));
  const agentOf = (path: string) => stand.interceptor.tags().find(({ cgroupId }) => cgroupId === idOf(path))?.agent;
  assert.deepEqual(paths.map(agentOf), [undefined, stand.agent]); // below its own tag; tagged as itself
});

kernelTest("cgroups born without a daemon are tagged, and get their filter from the next one", async (t) => {
  const cgroup = makeCgroup(t, `${CGROUP_ROOT}/${uniqueName()}`);
  const pinDir = `/sys/fs/bpf/${uniqueName()}`;
  const name = uniqueName();
  undo(t, () => void removePinned(pinDir));
  const owner = fork(new URL("owner.ts", import.meta.url).pathname, [pinDir, cgroup, `/${name}*`]);
  await once(owner, "message");
  owner.kill("SIGKILL");
  await once(owner, "exit");
  const born = makeCgroup(t, `${CGROUP_ROOT}/${name}`);
  const gone = `${CGROUP_ROOT}/${name}-gone`;
  mkdirSync(gone);
  const goneId = idOf(gone);
  rmdirSync(gone);
  const [refused] = await python('dials("192.0.2.11", 5432)', born);
  assert.ok(refused !== undefined && "errno" in refused && refused.errno === "EPERM", JSON.stringify(refused));
  const next = new Interceptor({ cgroupRoot: CGROUP_ROOT, pinDir });
  undo(t, () => next.close());
  const tagged = next.tags().map(({ cgroupId }) => cgroupId);
  assert.ok(tagged.includes(idOf(born)));
  assert.ok(!tagged.includes(goneId)); // it is not there any more
  assert.ok(statSync(`${pinDir}/egress/${idOf(born)}`));
});

kernelTest("rules that make no sense are refused", (t) => {
  const stand = new Stand(t);
  const rule = { kind: "path", glob: "/x", agent: 1 } as const;
  assert.throws(() => stand.interceptor.setBirths([{ ...rule, glob: "x".repeat(128) }]), TypeError);
  assert.throws(() => stand.interceptor.setBirths([{ ...rule, glob: "" }]), TypeError);
  assert.throws(() => stand.interceptor.setBirths([{ ...rule, agent: 0 }]), RangeError);
  assert.throws(() => stand.interceptor.setBirths(Array(65).fill(rule)), { code: "MAP_FULL" });
});
