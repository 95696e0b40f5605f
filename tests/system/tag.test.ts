/** `tag` guards what already runs: connections from before end or are reported, and what cannot be tagged is said clearly. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import type { Tagged } from "../../src/control/ports.ts";
import { findCgroupRoot } from "../../src/kernel/interception.ts";
import { Daemon } from "../kit/daemon.ts";
import { Flow, makeCgroup, makeLinkedNamespace, type Streamer, startStreamer } from "./flows.ts";

const HOST = "127.0.0.1";
const root = findCgroupRoot();

let daemon: Daemon;
let streamer: Streamer;
before(async () => {
  streamer = await startStreamer(HOST);
  daemon = await Daemon.start({
    settings: `agents: [{ name: ci }, { name: other }]\nconnections: []\negress: { allow: ["${HOST}:${streamer.port}"] }\n`,
    policies: {},
  });
});
after(async () => {
  await daemon?.stop();
  streamer?.close();
});

/** A cgroup with a flow in it that was open before anybody tagged it. */
async function lived(t: TestContext, name: string) {
  const cgroup = makeCgroup(name);
  t.after(() => cgroup.remove());
  const flow = Flow.in(cgroup.path, "tcp", HOST, streamer.port);
  t.after(async () => {
    await flow.stop().catch(() => {});
    await daemon.cli(["untag", "--cgroup", cgroup.path]);
  });
  await flow.opened();
  return { path: cgroup.path, flow };
}

const tag = (...words: readonly string[]) => daemon.json<Tagged>(["tag", "--as", "ci", ...words]);

test("a connection from before the tag is reset, counted and told, though a rule would allow it anew", async (t) => {
  const { path, flow } = await lived(t, "tag-sweep");
  const { swept, pids, namespaces } = await tag("--cgroup", path);
  assert.deepEqual(swept, { destroyed: 1, unable: 0, kept: 0 });
  assert.deepEqual([pids, namespaces.length], [[flow.pid], 1]);
  assert.equal((await flow.ended()).why, "ECONNABORTED");
  const said = () => daemon.events().findLast(({ kind }) => kind === "agent.sweep")?.["message"];
  for (const end = Date.now() + 5_000; said() === undefined && Date.now() < end; ) await wait(5);
  assert.match(String(said()), /1 ended, 0 could not be, 0 left/);
  const next = Flow.in(path, "tcp", HOST, streamer.port);
  await next.opened();
  assert.equal((await next.stop()).why, "asked", "control: made after the tag, it is allowed");
});

test("with --keep-connections it stays open and is counted, and not a byte of it leaves", async (t) => {
  const { path, flow } = await lived(t, "tag-keep");
  const { swept } = await tag("--cgroup", path, "--keep-connections");
  assert.deepEqual(swept, { destroyed: 0, unable: 0, kept: 1 });
  const { tcp } = streamer.lastHeardMs;
  await wait(100); // in which it would have sent a hundred bytes
  assert.ok(streamer.lastHeardMs.tcp - tcp < 50, "what had left before the tag may still arrive");
  assert.equal((await flow.stop()).why, "asked", "nobody closed it");
});

test("connections in a cgroup below and in another network namespace end, too", async (t) => {
  const namespace = makeLinkedNamespace();
  t.after(() => namespace.remove());
  const outside = await startStreamer(namespace.hostAddress);
  t.after(() => outside.close());
  const cgroup = makeCgroup("tag-below");
  const below = join(cgroup.path, "below");
  mkdirSync(below);
  t.after(async () => {
    await flow.stop().catch(() => {});
    rmdirSync(below);
    await cgroup.remove();
  });
  const flow = Flow.in(below, "tcp", namespace.hostAddress, outside.port, namespace.name);
  await flow.opened();
  const { swept, namespaces } = await tag("--cgroup", cgroup.path);
  assert.deepEqual([swept, namespaces.length], [{ destroyed: 1, unable: 0, kept: 0 }, 1]);
  assert.equal((await flow.ended()).why, "ECONNABORTED");
});

test("a socket that was made in another cgroup and brought along is found and reported", async (t) => {
  const [first, second] = [makeCgroup("tag-made-in"), makeCgroup("tag-moved-to")];
  t.after(async () => {
    await first.remove();
    await second.remove();
  });
  const flow = Flow.in(first.path, "tcp", HOST, streamer.port);
  t.after(() => flow.stop().catch(() => {}));
  await flow.opened();
  writeFileSync(join(second.path, "cgroup.procs"), String(flow.pid));
  const { swept } = await tag("--cgroup", second.path);
  assert.deepEqual(swept, { destroyed: 0, unable: 1, kept: 0 });
});

test("what is tagged again under another name keeps the connections that were guarded", async (t) => {
  const cgroup = makeCgroup("tag-again");
  t.after(() => cgroup.remove());
  await tag("--cgroup", cgroup.path);
  const flow = Flow.in(cgroup.path, "tcp", HOST, streamer.port);
  await flow.opened();
  const again = await daemon.json<Tagged>(["tag", "--as", "other", "--cgroup", cgroup.path]);
  assert.deepEqual([again.agent, again.swept], ["other", { destroyed: 0, unable: 0, kept: 0 }]);
  assert.equal((await flow.stop()).why, "asked");
});

test("tag and untag by pid mean the cgroup of that process", async (t) => {
  const { path, flow } = await lived(t, "tag-pid");
  const tagged = await tag("--pid", String(flow.pid));
  assert.equal(tagged.cgroup, path);
  const sleeper = await sleeperIn(t, path);
  const ended = await daemon.cli(["untag", "--pid", String(sleeper.pid)]);
  assert.equal(ended.code, 0, ended.stderr);
});

test("tag by unit finds the cgroup that a service manager would have made", async (t) => {
  if (existsSync("/run/systemd/system")) return t.skip("systemd runs here: its own units are not for tests");
  const slice = join(root, "sallyporttest.slice");
  const unit = join(slice, `runner-${process.pid}.service`);
  mkdirSync(unit, { recursive: true });
  t.after(() => {
    rmdirSync(unit);
    rmdirSync(slice);
  });
  assert.equal((await tag("--unit", `runner-${process.pid}.service`)).cgroup, unit);
  assert.equal((await daemon.cli(["untag", "--unit", `runner-${process.pid}.service`])).code, 0);
});

async function sleeperIn(t: TestContext, cgroup: string): Promise<ChildProcess> {
  const child = spawn("bash", ["-c", `echo $$ > "$0/cgroup.procs" && echo in && exec sleep 60`, cgroup]);
  t.after(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return; // its cgroup went before
    const gone = once(child, "exit");
    child.kill();
    await gone;
  });
  await once(child.stdout, "data");
  return child;
}

const refusals = [
  ["a process that is not there", ["--pid", "4194304"], /PROCESS_UNKNOWN: .*does not run/],
  ["a unit that is not there", ["--unit", "nobody-has-this.service"], /UNIT_UNKNOWN/],
  ["a unit without its suffix", ["--unit", "runner"], /UNIT_UNKNOWN.*must end in \.service/],
  ["a container that is not there", ["--container", "nobody-has-this"], /CONTAINER_UNKNOWN/],
  ["a cgroup that is not there", ["--cgroup", "/nobody/has/this"], /CGROUP_UNKNOWN/],
] as const;
for (const [name, words, says] of refusals)
  test(`tagging ${name} is refused by name, with a remedy`, async () => {
    const { code, stderr } = await daemon.cli(["tag", "--as", "ci", ...words]);
    assert.equal(code, 1);
    assert.match(stderr, says);
    assert.match(stderr, /\nremedy: \S/);
  });

test("a process in the root cgroup is refused, with what to do instead", async (t) => {
  const sleeper = await sleeperIn(t, root);
  const { code, stderr } = await daemon.cli(["tag", "--as", "ci", "--pid", String(sleeper.pid)]);
  assert.equal(code, 1);
  assert.match(stderr, /PROCESS_UNCONFINED: .*root cgroup.*\nremedy: .*sallyport run/);
});
