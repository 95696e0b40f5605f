import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { RUN_MOUNTS_HELD_MAX } from "../../src/base/limits.ts";
import { Doors } from "../../src/daemon/doors.ts";
import { folder } from "../store/folder.ts";

type Call = readonly [readonly string[], readonly bigint[]];

function world(t: TestContext, judges: "judges" | "cannot judge" = "judges") {
  const calls: Call[] = [];
  const kernel = {
    setDoors: (paths: readonly string[], namespaces: readonly bigint[]) => {
      calls.push([paths, namespaces]);
      return judges === "judges";
    },
  };
  const doors = new Doors(kernel);
  t.after(() => doors.close());
  const cgroup = join(folder(t), "run-1");
  mkdirSync(cgroup);
  return { doors, calls, cgroup };
}

const mountsOf = (pid: number | "self") => statSync(`/proc/${pid}/ns/mnt`, { bigint: true }).ino;

/** A process that says a line once it is as wanted. */
async function started(t: TestContext, command: readonly string[]): Promise<number> {
  const [file = "", ...args] = [...command, "sh", "-c", "echo; exec sleep 60"];
  const child: ChildProcess = spawn(file, args, { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  assert.ok(child.stdout !== null && child.pid !== undefined);
  await once(child.stdout, "data");
  return child.pid;
}

test("doors are open from the host's own mount namespace", (t) => {
  const { doors, calls } = world(t);
  doors.open(["/run/x.sock"]);
  assert.deepEqual(calls, [[["/run/x.sock"], [mountsOf("self")]]]);
});

test("they are open, too, from one that only the launcher made, until its cgroup is gone", async (t) => {
  const { doors, calls, cgroup } = world(t);
  doors.open(["/run/x.sock"]);
  const pid = await started(t, ["unshare", "--mount"]);
  doors.admit(pid, cgroup);
  assert.deepEqual(calls.at(-1), [["/run/x.sock"], [mountsOf("self"), mountsOf(pid)]]);
  doors.tend();
  assert.equal(calls.length, 2, "it lives");
  rmdirSync(cgroup);
  doors.tend();
  assert.deepEqual(calls.at(-1), [["/run/x.sock"], [mountsOf("self")]]);
});

test("they stay shut from a namespace that a user could have made: a path leads there where the user wants", async (t) => {
  const { doors, calls, cgroup } = world(t);
  doors.open(["/run/x.sock"]);
  doors.admit(await started(t, ["unshare", "--user", "--map-root-user", "--mount"]), cgroup);
  assert.equal(calls.length, 1);
});

test("a process that is gone, and one in the host's own namespace, change nothing", async (t) => {
  const { doors, calls, cgroup } = world(t);
  doors.admit(2 ** 30, cgroup);
  doors.admit(await started(t, []), cgroup);
  assert.deepEqual(calls, []);
});

test("of namespaces beyond the limit the doors stay shut", async (t) => {
  const { doors, calls, cgroup } = world(t);
  const pid = await started(t, ["unshare", "--mount"]);
  for (let index = 0; index <= RUN_MOUNTS_HELD_MAX; index++) doors.admit(pid, `${cgroup}-${index}`);
  assert.equal(calls.length, RUN_MOUNTS_HELD_MAX);
});

const judged = [
  ["judges", [], "judged"],
  ["judges", ["/run/x.sock"], "judged"],
  ["cannot judge", [], "denied"],
  ["cannot judge", ["/run/x.sock"], "judged"],
] as const;
for (const [kernel, paths, expected] of judged) {
  test(`a kernel that ${kernel} Unix sockets, with ${paths.length} doors: they are ${expected}`, (t) => {
    const { doors } = world(t, kernel);
    assert.equal(doors.unixSockets, "denied", "before the kernel was asked");
    doors.open(paths);
    assert.equal(doors.unixSockets, expected);
  });
}
