import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { type TestContext, test } from "node:test";
import { type HookInstallation, hooksStatus, installHooks, removeHooks } from "../../src/containers/installation.ts";
import { folder } from "../store/folder.ts";

function world(t: TestContext, more: Partial<HookInstallation> = {}) {
  const base = folder(t);
  const asked: HookInstallation = {
    library: join(base, "usr/local/lib/sallyport"),
    hooksFolder: join(base, "usr/share/containers/oci/hooks.d"),
    dockerSettings: join(base, "etc/docker/daemon.json"),
    runtimes: ["podman", "crio", "docker"],
    docker: "by-name",
    socketPath: "/run/sallyport/api.sock",
    stateDir: "/var/lib/sallyport",
    realRuntime: "/usr/bin/runc",
    ...more,
  };
  const docker = asked.dockerSettings ?? "";
  const putDocker = (value: unknown) => {
    mkdirSync(join(docker, ".."), { recursive: true });
    writeFileSync(docker, typeof value === "string" ? value : JSON.stringify(value));
  };
  return { base, asked, docker, putDocker, readDocker: () => JSON.parse(readFileSync(docker, "utf8")) as unknown };
}

/** Every path below, with the content of files. */
function everything(base: string): Readonly<Record<string, string>> {
  const paths = readdirSync(base, { recursive: true, withFileTypes: true });
  return Object.fromEntries(
    paths.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return [relative(base, path), entry.isFile() ? readFileSync(path, "latin1") : ""];
    }),
  );
}

test("the hook's file names a program that is there, at the stage before the container's program", (t) => {
  const { asked } = world(t);
  installHooks(asked);
  const hook = JSON.parse(readFileSync(join(asked.hooksFolder ?? "", "sallyport.json"), "utf8")) as {
    readonly hook: { readonly path: string };
    readonly stages: readonly string[];
    readonly when: object;
  };
  assert.deepEqual([hook.stages, hook.when], [["createRuntime"], { always: true }]);
  assert.equal(statSync(hook.hook.path).mode & 0o777, 0o755);
  assert.equal(statSync(join(asked.library, "hook.conf")).mode & 0o777, 0o644);
});

test("removal leaves what was there before, and nothing else", (t) => {
  const { base, asked, putDocker } = world(t);
  putDocker({ "log-level": "warn", runtimes: { kata: { path: "/opt/kata" } } });
  const before = everything(base);
  installHooks({ ...asked, docker: "default" });
  installHooks(asked); // a second time, as an update does
  removeHooks(asked.library);
  const after = everything(base);
  assert.deepEqual(Object.keys(after), Object.keys(before));
  assert.deepEqual(
    JSON.parse(after["etc/docker/daemon.json"] ?? ""),
    JSON.parse(before["etc/docker/daemon.json"] ?? ""),
  );
});

test("removal takes away every folder that the installation made, Docker's too", (t) => {
  const { base, asked } = world(t);
  const before = everything(base);
  installHooks(asked);
  removeHooks(asked.library);
  assert.deepEqual(everything(base), before);
});

test("removal leaves a hooks folder that was there, empty as it was, and hooks of others", (t) => {
  const { asked } = world(t, { runtimes: ["podman"] });
  mkdirSync(asked.hooksFolder ?? "", { recursive: true });
  installHooks(asked);
  const other = join(asked.hooksFolder ?? "", "other.json");
  writeFileSync(other, "{}");
  assert.ok(removeHooks(asked.library).length > 0);
  rmSync(other);
  assert.deepEqual(readdirSync(asked.hooksFolder ?? ""), []);
});

test("removal of what was never installed removes nothing", (t) => {
  const { base, asked } = world(t);
  assert.deepEqual(removeHooks(asked.library), []);
  assert.deepEqual(everything(base), {});
});

test("Docker gets a runtime by name and keeps its default", (t) => {
  const { asked, putDocker, readDocker } = world(t);
  putDocker({ "default-runtime": "kata" });
  installHooks(asked);
  const path = join(asked.library, "sallyport-runc");
  assert.deepEqual(readDocker(), { "default-runtime": "kata", runtimes: { sallyport: { path } } });
  assert.ok(existsSync(path));
});

test("Docker's former default runtime comes back with the removal", (t) => {
  const { asked, putDocker, readDocker } = world(t, { docker: "default" });
  putDocker({ "default-runtime": "kata" });
  installHooks(asked);
  assert.equal((readDocker() as Record<string, unknown>)["default-runtime"], "sallyport");
  removeHooks(asked.library);
  assert.deepEqual(readDocker(), { "default-runtime": "kata" });
});

test("what an administrator changed in Docker's settings meanwhile stays", (t) => {
  const { asked, putDocker, readDocker } = world(t, { docker: "default" });
  installHooks(asked);
  putDocker({ ...(readDocker() as object), "default-runtime": "runc", "log-level": "debug" });
  removeHooks(asked.library);
  assert.deepEqual(readDocker(), { "default-runtime": "runc", "log-level": "debug" });
});

test("Docker's settings keep the mode of their file", (t) => {
  const { asked, docker, putDocker } = world(t);
  putDocker({});
  chmodSync(docker, 0o600);
  installHooks(asked);
  assert.equal(statSync(docker).mode & 0o777, 0o600);
});

test("Docker settings that are no JSON are left alone, with an error that names them", (t) => {
  const { asked, docker, putDocker } = world(t);
  putDocker("{ // comment");
  assert.throws(() => installHooks(asked), { code: "DOCKER_SETTINGS" });
  assert.equal(readFileSync(docker, "utf8"), "{ // comment");
});

test("the status tells installed hooks from missing ones", (t) => {
  const { asked } = world(t, { runtimes: ["podman"] });
  const installed = () => hooksStatus(asked).map((status) => `${status.runtime} ${status.installed} ${status.problem}`);
  assert.deepEqual(installed(), ["podman false ", "crio false ", "docker false "]);
  installHooks(asked);
  assert.deepEqual(installed(), ["podman true ", "crio true ", "docker false "]); // one folder serves both
});

const breakages = [
  { name: "its program is gone", file: "sallyport-hook", problem: /is missing/ },
  { name: "its settings are gone", file: "hook.conf", problem: /settings are missing/ },
] as const;
for (const { name, file, problem } of breakages) {
  test(`the status says of an installed hook that ${name}`, (t) => {
    const { asked } = world(t);
    installHooks(asked);
    rmSync(join(asked.library, file));
    for (const status of hooksStatus(asked)) assert.match(status.problem, problem);
  });
}

test("the status says of an installed hook that it is of another version", (t) => {
  const { asked } = world(t);
  installHooks(asked);
  writeFileSync(join(asked.library, "sallyport-hook"), "older");
  for (const status of hooksStatus(asked)) assert.match(status.problem, /another version/);
});
