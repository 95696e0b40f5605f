/** `run` against a real daemon, as root: what it starts stays an agent, sees no secret, and cannot touch who guards it. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { capture, Daemon, type Outcome, SALLYPORT } from "../kit/daemon.ts";
import { probe } from "../launch/launcher.ts";
import { HIDE, OPEN, startWorld, type World } from "./world.ts";

let world: World;
before(async () => {
  world = await startWorld({ policies: { "open.yaml": OPEN, "hide.yaml": HIDE } });
});
after(() => world.stop());

const cgroupRoot = / (\S+) cgroup2 /.exec(readFileSync("/proc/mounts", "utf8"))?.[1] ?? "";
const inside = (...words: readonly string[]): Promise<Outcome> => world.daemon.run("ci", words);
const outside = ([file = "", ...args]: readonly string[]): Promise<Outcome> => capture(file, args);

const attempts: readonly (readonly [string, () => readonly string[], RegExp])[] = [
  ["leaving its cgroup", () => ["write", join(cgroupRoot, "cgroup.procs"), "0"], /^EROFS$/],
  ["a signal to the daemon", () => ["signal", String(world.daemon.pid)], /^EPERM$/],
  ["reading the daemon's memory", () => ["memory", String(world.daemon.pid)], /^EACCES$/],
  ["tracing the daemon", () => ["ptrace", String(world.daemon.pid)], /^EPERM$/],
  ["taking the daemon's descriptors", () => ["descriptor", String(world.daemon.pid)], /^EPERM$/],
  ["reading a secret", () => ["read", join(world.daemon.folder, "secrets/orders")], /^ENODATA$/],
  ["reading the daemon's state", () => ["read", join(world.daemon.stateDir, "events/000000000001.jsonl")], /^ENOENT$/],
  ["changing the settings", () => ["write", world.daemon.configFile], /^EROFS$/],
  ["changing a policy", () => ["write", join(world.daemon.folder, "policies/open.yaml")], /^EROFS$/],
];
for (const [name, words, expected] of attempts) {
  test(`${name} works for root outside, and not for root as an agent`, async () => {
    const { stdout, stderr } = await inside(...probe(...words()));
    assert.match(stdout.trim(), expected, stderr);
    assert.equal((await outside(probe(...words()))).stdout.trim(), "ok");
  });
}

test("the pins are not even seen by root as an agent", async () => {
  assert.ok(
    readdirSync("/sys/fs/bpf").some((name) => name.startsWith("sallyport")),
    "the control sees them",
  );
  const { stdout } = await inside("ls", "-a", "/sys/fs/bpf");
  assert.deepEqual(stdout.split("\n").filter(Boolean), [".", ".."]);
});

test("the daemon's socket cannot be removed, and tells an agent clearly that it is refused", async () => {
  const socket = join(world.daemon.runDir, "api.sock");
  assert.equal((await inside(...probe("unlink", socket))).stdout.trim(), "EROFS");
  const nested = await inside(SALLYPORT, "--run", world.daemon.runDir, "run", "--as", "ci", "--", "true");
  assert.equal(nested.code, 4);
  // by the kernel where it judges Unix sockets, else by the daemon, which asks the kernel who calls
  assert.match(nested.stderr, /SOCKET_NOT_PERMITTED: .*a guarded agent may not|API_PEER_TAGGED/);
});

test("a command that root gives to another user is guarded as that user, and reads what policy lets it", async () => {
  const words = ["run", "--as", "ci", "--user", "nobody", "--", "psql", "-X", "-A", "-t", world.url];
  const { code, stdout, stderr } = await world.daemon.cli(words, {
    input: "\\! id -un\nSELECT count(*) FROM customers",
  });
  assert.equal(code, 0, stderr);
  assert.deepEqual(stdout.trim().split("\n"), ["nobody", "3"]);
  assert.match(stderr, /1 session,/);
});

/** Unix sockets that take whatever comes. */
async function listening(t: TestContext, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const server = createServer((socket) => socket.end()).listen(path);
    t.after(() => server.close());
    await once(server, "listening");
  }
}

const CONNECT = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1]); print('open')";

test("a door leads out of the mounts that root's command has of its own, and no other socket is open", async (t) => {
  const folder = await mkdtemp("/run/sallyport-doors-"); // not in a folder that everybody may write
  t.after(() => rm(folder, { recursive: true }));
  const [door, wall] = [join(folder, "door.sock"), join(folder, "wall.sock")];
  const settings = `agents: [{ name: ci }]\nsockets: { allow: ["${door}"] }\n`;
  const daemon = await Daemon.start({ settings, policies: {} });
  t.after(() => daemon.stop());
  await listening(t, [door, wall]);
  const connect = (path: string) => ["/usr/bin/python3", "-c", CONNECT, path];
  for (const path of [door, wall]) assert.equal((await outside(connect(path))).stdout.trim(), "open", "the control");
  for (const options of [[], ["--user", "nobody"], ["--no-new-privs"]]) {
    await chmod(folder, 0o755);
    for (const path of [door, wall]) await chmod(path, 0o777);
    const run = (path: string) => daemon.cli(["run", "--as", "ci", ...options, "--", ...connect(path)]);
    const opened = await run(door);
    assert.equal(opened.stdout.trim(), "open", opened.stderr);
    const shut = await run(wall);
    assert.match(shut.stderr, /PermissionError: \[Errno 1\]/);
    assert.equal(shut.stdout, "");
  }
});
