import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Origin as KernelOrigin } from "ebpf-loader";
import { cgroupOf } from "../../src/kernel/cgroups.ts";
import { completeOrigin, createUsers } from "../../src/path/origin.ts";
import { folder } from "../store/folder.ts";
import { KERNEL_ORIGIN } from "./world.ts";

const GONE = 2 ** 30;
const users = (uid: number) => (uid === 1000 ? "runner" : "");

test("the origin of a process that runs is completed by /proc", () => {
  const origin = completeOrigin({ ...KERNEL_ORIGIN, pid: process.pid }, users);
  assert.deepEqual(
    [origin.executable, origin.cgroup, origin.user],
    [process.execPath, cgroupOf(process.pid), "runner"],
  );
});

test("the origin of a process that is gone is what the kernel remembered, and empty texts", () => {
  const kernel: KernelOrigin = { ...KERNEL_ORIGIN, pid: GONE };
  const { family: _family, agent: _agent, connection: _connection, bootNs: _bootNs, ...known } = kernel;
  assert.deepEqual(completeOrigin(kernel, users), { ...known, cgroup: "", executable: "", user: "runner" });
});

test("users are read once from passwd; unknown ones and a missing file give no name", (t) => {
  const file = join(folder(t), "passwd");
  writeFileSync(file, "root:x:0:0::/root:/bin/sh\nrunner:x:1000:1000::/home:/bin/sh\nfake:1000:7:7:::\n");
  const userOf = createUsers(file);
  assert.deepEqual([userOf(1000), userOf(0), userOf(5)], ["runner", "root", ""]);
  rmSync(file);
  assert.equal(userOf(1000), "runner");
  assert.equal(createUsers(file)(1000), "");
});
