import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { UserError } from "../../src/base/errors.ts";
import type { Container } from "../../src/containers/containers.ts";
import type { TagTarget } from "../../src/control/ports.ts";
import { pathOfTarget } from "../../src/daemon/ports/targets.ts";
import { folder } from "../store/folder.ts";

/** A mount that is a plain folder, with some units in it, and no service manager. */
function world(t: TestContext) {
  const cgroupRoot = folder(t);
  for (const path of ["system.slice/runner.service", "user.slice/user-7.slice/session-1.scope", "jobs/runner.scope"]) {
    mkdirSync(join(cgroupRoot, path), { recursive: true });
  }
  const containers = {
    find: async (name: string): Promise<Container> => {
      if (name !== "build-1") throw new UserError("CONTAINER_UNKNOWN", "Cannot find it", "Look");
      const facts = { id: "ab", runtime: "podman", name, image: "", labels: {} } as const;
      return { ...facts, cgroup: `${cgroupRoot}/machine.slice/libpod-ab.scope`, pid: 5 };
    },
  };
  const path = async (target: TagTarget) => {
    const found = await pathOfTarget(target, { cgroupRoot, containers, hasSystemd: false });
    return found.slice(cgroupRoot.length);
  };
  return { cgroupRoot, path };
}

test("a cgroup is named by its v2 path, with or without the mount before it", async (t) => {
  const { path, cgroupRoot } = world(t);
  const own = "/system.slice/a.service";
  for (const text of [own, own.slice(1), `${cgroupRoot}${own}`, `${own}/`, `/x/..${own}`, `${cgroupRoot}/x/..${own}`]) {
    assert.equal(await path({ kind: "cgroup", path: text }), own, text);
  }
});

test("a path that only begins like the mount is not taken for one below it", async (t) => {
  const { path, cgroupRoot } = world(t);
  const beside = `${cgroupRoot}-beside/a`;
  assert.equal(await path({ kind: "cgroup", path: beside }), beside);
});

test("a container means its cgroup, and one that does not run is an error of its own", async (t) => {
  const { path } = world(t);
  assert.equal(await path({ kind: "container", name: "build-1" }), "/machine.slice/libpod-ab.scope");
  await assert.rejects(path({ kind: "container", name: "gone" }), { code: "CONTAINER_UNKNOWN" });
});

test("a unit is found below slices, where the service manager would have put it", async (t) => {
  const { path } = world(t);
  assert.equal(await path({ kind: "unit", name: "runner.service" }), "/system.slice/runner.service");
  assert.equal(await path({ kind: "unit", name: "session-1.scope" }), "/user.slice/user-7.slice/session-1.scope");
  await assert.rejects(path({ kind: "unit", name: "runner.scope" }), { code: "UNIT_UNKNOWN" }, "not below a slice");
});

for (const name of ["runner", "../runner.service", "a/b.service", "", "-x.timer", `${"x".repeat(300)}.service`])
  test(`"${name.slice(0, 20)}" is no unit that has a cgroup`, async (t) => {
    await assert.rejects(world(t).path({ kind: "unit", name }), { code: "UNIT_UNKNOWN" });
  });

test("a process means the cgroup in which it is", async (t) => {
  const own = /^0::(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8"))?.[1] ?? "";
  const asked = world(t).path({ kind: "pid", pid: process.pid });
  if (own === "/") await assert.rejects(asked, { code: "PROCESS_UNCONFINED" });
  else assert.equal(await asked, own);
});

test("a process that has ended is unknown, also while its parent has not taken notice", async (t) => {
  const child = spawn("sh", ["-c", "sleep 0 & echo $!; exec sleep 60"], { stdio: ["ignore", "pipe", "ignore"] });
  t.after(() => child.kill());
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const zombie = Number(line);
  const state = () => /^State:\s+(\w)/m.exec(readFileSync(`/proc/${zombie}/status`, "utf8"))?.[1];
  while (state() !== "Z") await new Promise((resolve) => setTimeout(resolve, 5));
  await assert.rejects(world(t).path({ kind: "pid", pid: zombie }), { code: "PROCESS_UNKNOWN" });
  await assert.rejects(world(t).path({ kind: "pid", pid: 4_194_304 }), { code: "PROCESS_UNKNOWN" });
});

test("a thread of the kernel is told apart from a process in the root cgroup", async (t) => {
  const thread = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .find((pid) => isKernelThread(pid));
  if (thread === undefined) return t.skip("this host shows no kernel threads, as containers do");
  await assert.rejects(world(t).path({ kind: "pid", pid: Number(thread) }), { code: "PROCESS_KERNEL" });
});

function isKernelThread(pid: string): boolean {
  try {
    return (
      /^PPid:\s+2$/m.test(readFileSync(`/proc/${pid}/status`, "utf8")) &&
      readFileSync("/proc/2/comm", "utf8") === "kthreadd\n"
    );
  } catch {
    return false;
  }
}
