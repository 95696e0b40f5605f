/** Against plain folders with the files of a cgroup; real cgroups are the matter of tests/native and tests/system. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import {
  cgroupIdOf,
  cgroupOf,
  cgroupsIn,
  isPopulated,
  processesOf,
  removeCgroup,
  resolveCgroup,
} from "../../src/kernel/cgroups.ts";
import { folder } from "../store/folder.ts";

function mount(t: TestContext): string {
  const root = join(folder(t), "unified");
  mkdirSync(join(root, "a", "b"), { recursive: true });
  mkdirSync(`${root}-other`);
  return root;
}

test("a process of this machine has a cgroup, one that is gone has none", () => {
  assert.match(cgroupOf(process.pid) ?? "", /^\//);
  assert.equal(cgroupOf(2 ** 30), undefined);
});

test("a folder's inode is the cgroup's id; a folder that is gone has none", (t) => {
  const root = mount(t);
  assert.equal(cgroupIdOf(join(root, "a")), statSync(join(root, "a"), { bigint: true }).ino);
  assert.equal(cgroupIdOf(join(root, "x")), undefined);
});

const events = [
  { text: "populated 1\nfrozen 0\n", answer: true },
  { text: "populated 0\nfrozen 1\n", answer: false },
  { text: "frozen 1\n", answer: false },
] as const;
for (const { text, answer } of events) {
  test(`a cgroup whose events say ${JSON.stringify(text)} is ${answer ? "" : "not "}populated`, (t) => {
    const path = mount(t);
    writeFileSync(join(path, "cgroup.events"), text);
    assert.equal(isPopulated(path), answer);
  });
}

test("whether a cgroup that is gone is populated has no answer", (t) => {
  assert.equal(isPopulated(join(mount(t), "x")), undefined);
});

test("processes are the numbers of cgroup.procs; none where there is no file", (t) => {
  const path = mount(t);
  assert.deepEqual(processesOf(path), []);
  writeFileSync(join(path, "cgroup.procs"), "12\n345\n");
  assert.deepEqual(processesOf(path), [12, 345]);
});

test("a cgroup's tree is itself and every folder below, parents first; of one that is gone, its name only", (t) => {
  const root = mount(t);
  mkdirSync(join(root, "a", "c"));
  writeFileSync(join(root, "a", "cgroup.procs"), "");
  const a = join(root, "a");
  assert.deepEqual(cgroupsIn(a).sort(), [a, join(a, "b"), join(a, "c")]);
  assert.equal(cgroupsIn(a)[0], a);
  assert.deepEqual(cgroupsIn(join(root, "x")), [join(root, "x")]);
});

const typed = [
  { name: "a path below the mount", text: () => "/a/b" },
  { name: "a path without its slash", text: () => "a/b" },
  { name: "the host's path", text: (root: string) => `${root}/a/b` },
  { name: "a trailing slash", text: () => "/a/b/" },
  { name: "the host's path with a trailing slash", text: (root: string) => `${root}/a/b/` },
  { name: "doubled slashes and dots", text: (root: string) => `${root}//a/./b/../b` },
] as const;
for (const { name, text } of typed) {
  // other code compares these paths letter by letter
  test(`resolveCgroup gives the one spelling of a folder for ${name}`, (t) => {
    const root = mount(t);
    assert.equal(resolveCgroup(root, text(root)), join(root, "a", "b"));
  });
}

const strangers = [
  { name: "a folder that is not there", text: () => "/x" },
  { name: "a way out", text: () => "../unified-other" },
  { name: "a way out behind the mount's path", text: (root: string) => `${root}/../unified-other` },
  { name: "a folder whose name begins like the mount's", text: (root: string) => `${root}-other` },
] as const;
for (const { name, text } of strangers) {
  test(`resolveCgroup refuses ${name}`, (t) => {
    const root = mount(t);
    assert.throws(() => resolveCgroup(root, text(root)), { name: "UserError", code: "CGROUP_UNKNOWN" });
  });
}

for (const text of ["/", "", "/a/.."]) {
  test(`resolveCgroup refuses the root cgroup, typed as "${text}", by a code of its own`, (t) => {
    const root = mount(t);
    assert.throws(() => resolveCgroup(root, text), { name: "UserError", code: "CGROUP_ROOT" });
    assert.throws(() => resolveCgroup(root, `${root}${text}`), { code: "CGROUP_ROOT" });
  });
}

test("removeCgroup removes an empty one and leaves a full one and a gone one alone", (t) => {
  const root = mount(t);
  removeCgroup(join(root, "a"));
  assert.ok(existsSync(join(root, "a", "b")));
  removeCgroup(join(root, "a", "b"));
  assert.equal(existsSync(join(root, "a", "b")), false);
  removeCgroup(join(root, "a", "b"));
});

test("removeCgroup says so when the path is no folder", (t) => {
  const file = join(mount(t), "file");
  writeFileSync(file, "");
  assert.throws(() => removeCgroup(file), { code: "ENOTDIR" });
});
