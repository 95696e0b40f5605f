import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import sqlite3 from "sqlite3";
import type { Runtime } from "../../src/containers/container.ts";
import { Containers } from "../../src/containers/containers.ts";
import { folder } from "../store/folder.ts";
import { bucket, inlineLeaf, leaf, writeBolt } from "./bolt-file.ts";

const ID = "07c0558f11eafa9f4d66d3ecbb17c94f528048592f0030c16f75ebf2f8768649";
/** libpod's ContainerConfig, cut to what counts; copied from podman 4.3. */
const PODMAN = { id: ID, name: "web", rootfsImageName: "localhost/busy:latest", labels: { team: "ci" } };
const FACTS = { id: ID, runtime: "podman", name: "web", image: "localhost/busy:latest", labels: { team: "ci" } };

function world(t: TestContext) {
  const base = folder(t);
  const put = (path: string, value: unknown) => {
    const file = join(base, path);
    mkdirSync(join(file, ".."), { recursive: true });
    writeFileSync(file, typeof value === "string" ? value : JSON.stringify(value));
    return file;
  };
  const folders = ["podman", "docker", "crio", "containerd"].map((name) => [name, join(base, name)] as const);
  const containers = new Containers({ cgroupRoot: base, folders: () => Object.fromEntries(folders) as never });
  const factsOf = async (runtime: Runtime, bundle?: string) => {
    const facts = await containers.factsOf({ id: ID, runtime }, bundle);
    return facts === undefined ? undefined : { ...facts, labels: { ...facts.labels } };
  };
  return { base, put, factsOf };
}

function putBolt(graphRoot: string, config: object): void {
  mkdirSync(join(graphRoot, "libpod"), { recursive: true });
  const value = Buffer.from(JSON.stringify(config));
  const containers = inlineLeaf([{ key: ID, value: bucket(0, inlineLeaf([{ key: "config", value }])), bucket: true }]);
  const root = leaf(2, [{ key: "ctr", value: bucket(0, containers), bucket: true }]);
  writeBolt(
    join(graphRoot, "libpod", "bolt_state.db"),
    [root],
    [
      { root: 2n, commit: 2n },
      { root: 2n, commit: 1n },
    ],
  );
}

/** The table of podman 4.8 and newer. Source: libpod/sqlite_state_internal.go. */
function putSqlite(graphRoot: string, config: object): Promise<void> {
  mkdirSync(graphRoot, { recursive: true });
  return new Promise((resolve, reject) => {
    const database = new sqlite3.Database(join(graphRoot, "db.sql"));
    database.serialize(() => {
      database.run(
        "CREATE TABLE ContainerConfig (ID TEXT PRIMARY KEY NOT NULL, Name TEXT UNIQUE NOT NULL, PodID TEXT, JSON TEXT NOT NULL)",
      );
      database.run("INSERT INTO ContainerConfig VALUES (?, 'web', NULL, ?)", [ID, JSON.stringify(config)]);
    });
    database.close((error) => (error === null ? resolve() : reject(error)));
  });
}

test("podman's bbolt database tells name, image and labels", async (t) => {
  const { base, factsOf } = world(t);
  putBolt(join(base, "podman"), PODMAN);
  assert.deepEqual(await factsOf("podman"), FACTS);
});

test("podman's SQLite database tells name, image and labels", async (t) => {
  const { base, factsOf } = world(t);
  await putSqlite(join(base, "podman"), PODMAN);
  assert.deepEqual(await factsOf("podman"), FACTS);
});

test("a podman with folders of its own is found by the bundle of its container", async (t) => {
  const { base, factsOf } = world(t);
  putBolt(join(base, "elsewhere"), PODMAN);
  assert.equal(await factsOf("podman"), undefined);
  assert.deepEqual(await factsOf("podman", join(base, "elsewhere", "overlay-containers", ID, "userdata")), FACTS);
});

test("Docker's config.v2.json tells name, image and labels", async (t) => {
  const { put, factsOf } = world(t);
  const config = { Image: "postgres:16", Labels: { team: "ci" } };
  put(`docker/containers/${ID}/config.v2.json`, { ID, Name: "/web", Config: config });
  assert.deepEqual(await factsOf("docker"), { ...FACTS, runtime: "docker", image: "postgres:16" });
});

test("CRI-O's annotations tell name, image and labels", async (t) => {
  const { put, factsOf } = world(t);
  const annotations = {
    "io.kubernetes.container.name": "web",
    "io.kubernetes.cri-o.ImageName": "quay.io/x/y:1",
    "io.kubernetes.cri-o.Labels": JSON.stringify({ team: "ci" }),
  };
  put(`crio/${ID}/userdata/config.json`, { annotations });
  assert.deepEqual(await factsOf("cri-o"), { ...FACTS, runtime: "cri-o", image: "quay.io/x/y:1" });
});

test("containerd's annotations tell name and image, and stand for labels", async (t) => {
  const { put, factsOf } = world(t);
  const annotations = { "io.kubernetes.cri.container-name": "web", "io.kubernetes.cri.image-name": "y:1" };
  put(`containerd/${ID}/config.json`, { annotations });
  assert.deepEqual(await factsOf("containerd"), { ...FACTS, runtime: "containerd", image: "y:1", labels: annotations });
});

for (const runtime of ["podman", "docker", "cri-o", "containerd", "oci"] as const) {
  test(`a container that ${runtime} does not know is unknown`, async (t) => {
    assert.equal(await world(t).factsOf(runtime), undefined);
  });
}

const labels = Object.fromEntries(Array.from({ length: 10_001 }, (_, at) => [`l${at}`, ""]));
const damages = [
  { name: "no JSON", text: "{" },
  { name: "more labels than are looked through", text: JSON.stringify({ Name: "/web", Config: { Labels: labels } }) },
  { name: "more bytes than are read", text: `"${"x".repeat(16 * 1024 * 1024)}"` },
];
for (const { name, text } of damages) {
  test(`state with ${name} is an error, not a container without labels`, async (t) => {
    const { put, factsOf } = world(t);
    put(`docker/containers/${ID}/config.v2.json`, text);
    await assert.rejects(factsOf("docker"), { code: "CONTAINER_STATE" });
  });
}

test("state behind a symbolic link is not followed", async (t) => {
  const { base, put, factsOf } = world(t);
  const real = put("real.json", { Name: "/web", Config: {} });
  mkdirSync(join(base, "docker", "containers", ID), { recursive: true });
  symlinkSync(real, join(base, "docker", "containers", ID, "config.v2.json"));
  await assert.rejects(factsOf("docker"), { code: "CONTAINER_STATE" });
});

for (const value of [
  [],
  '"text"',
  7,
  null,
  { Name: ["web"], Config: { Image: {}, Labels: { a: 1, __proto__: null } } },
]) {
  test(`state of another shape (${JSON.stringify(value)}) gives no name`, async (t) => {
    const { put, factsOf } = world(t);
    put(`docker/containers/${ID}/config.v2.json`, value);
    const facts = await factsOf("docker");
    assert.deepEqual([facts?.name, facts?.image], ["", ""]);
  });
}
