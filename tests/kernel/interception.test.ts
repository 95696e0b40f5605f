import assert from "node:assert/strict";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { findCgroupRoot, pinDirOf } from "../../src/kernel/interception.ts";
import { folder } from "../store/folder.ts";

test("the service's run folder has the plain pin folder", () => {
  assert.equal(pinDirOf("/run/sallyport"), "/sys/fs/bpf/sallyport");
});

test("every other run folder has a pin folder of its own, the same each time", (t) => {
  const [first, second] = [join(folder(t), "run"), join(folder(t), "run")];
  assert.match(pinDirOf(first), /^\/sys\/fs\/bpf\/sallyport-[0-9a-f]{12}$/);
  assert.equal(pinDirOf(first), pinDirOf(first));
  assert.notEqual(pinDirOf(first), pinDirOf(second));
});

test("two ways to the same run folder have the same pin folder", (t) => {
  const base = folder(t);
  mkdirSync(join(base, "run"));
  symlinkSync(join(base, "run"), join(base, "link"));
  assert.equal(pinDirOf(join(base, "link")), pinDirOf(join(base, "run")));
});

test("the cgroup v2 mount is found", () => assert.match(findCgroupRoot(), /^\//));
