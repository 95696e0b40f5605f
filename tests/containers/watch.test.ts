import assert from "node:assert/strict";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ContainerWatch } from "../../src/containers/watch.ts";
import { folder } from "../store/folder.ts";

const ids = Array.from({ length: 50 }, (_, at) => at.toString(16).padStart(64, "0"));
const [ID = "", OTHER = ""] = ids;

/** A plain folder in place of the cgroup tree: inotify is the same. */
function world(t: TestContext) {
  const root = folder(t);
  const add = (path: string) => mkdirSync(join(root, path), { recursive: true });
  const told: string[] = [];
  let heard = () => {};
  const start = () => {
    const watching = new ContainerWatch(root, ({ cgroup }) => {
      told.push(cgroup);
      heard();
    });
    t.after(() => watching.close());
  };
  /** Once that many were told. */
  const until = (count: number) =>
    new Promise<void>((resolve) => {
      heard = () => told.length >= count && resolve();
      heard();
    });
  return { root, add, told, start, until };
}

test("containers that are there are told at once", (t) => {
  const { add, told, start } = world(t);
  add(`libpod_parent/libpod-${ID}`);
  start();
  assert.deepEqual(told, [`/libpod_parent/libpod-${ID}`]);
});

test("the first container of a runtime is told, together with the folder that it brings", async (t) => {
  const { add, told, start, until } = world(t);
  start();
  add(`libpod_parent/libpod-${ID}`);
  await until(1);
  assert.deepEqual(told, [`/libpod_parent/libpod-${ID}`]);
});

test("containers of a pod are told", async (t) => {
  const { add, told, start, until } = world(t);
  add("kubepods.slice");
  start();
  add(`kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1.slice/crio-${ID}.scope`);
  await until(1);
  assert.equal(told.length, 1);
});

test("of many containers at once each is told once", async (t) => {
  const { add, told, start, until } = world(t);
  add("docker");
  start();
  for (const id of ids) add(`docker/${id}`);
  await until(ids.length);
  assert.deepEqual(
    [...told].sort(),
    ids.map((id) => `/docker/${id}`),
  );
});

test("a container whose folder comes back is told again", async (t) => {
  const { root, add, told, start, until } = world(t);
  start();
  add(`docker/${ID}`);
  await until(1);
  rmSync(join(root, "docker", ID), { recursive: true });
  add(`docker/${OTHER}`); // its event comes after the removal's
  await until(2);
  add(`docker/${ID}`);
  await until(3);
  assert.equal(told.at(-1), `/docker/${ID}`);
});

test("services, conmon and users' folders are not containers", async (t) => {
  const { add, told, start, until } = world(t);
  start();
  for (const path of ["system.slice/ssh.service", "libpod_parent/conmon", `user.slice/docker/${ID}`]) add(path);
  add(`docker/${OTHER}`);
  await until(1);
  assert.deepEqual(told, [`/docker/${OTHER}`]);
});

test("a container that was forgotten is told again at the next look", (t) => {
  const { root, add, told } = world(t);
  add(`docker/${ID}`);
  const watching = new ContainerWatch(root, ({ cgroup }) => told.push(cgroup));
  t.after(() => watching.close());
  watching.look();
  assert.equal(told.length, 1);
  watching.forget({ runtime: "docker", id: ID, cgroup: `/docker/${ID}` });
  watching.look();
  assert.equal(told.length, 2);
});
