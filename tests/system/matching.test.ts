import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, rmdirSync, statSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { dirname, join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import type { AgentListing } from "../../src/control/ports.ts";
import { findCgroupRoot } from "../../src/kernel/interception.ts";
import { capture, Daemon } from "../kit/daemon.ts";
import { OPEN } from "./world.ts";

const ROOT = findCgroupRoot();
const MARK = `sallyport-matching-${process.pid}`;
const EPERM = "1";

let daemon: Daemon;
let sink: Server;
let port = 0;
const made: string[] = [];

const RULES = `
agents:
  - { name: ci, match: { unit: "${MARK}-*.service" } }
  - { name: jobs, match: { cgroup: "/${MARK}/*" } }
  - { name: alice, match: { user: "59876" } }
`;
const config = (settings: string) => ({ settings: `${settings}connections: []\n`, policies: { "open.yaml": OPEN } });

before(async () => {
  sink = createServer((socket) => {
    socket.on("error", () => {}).end();
  });
  sink.listen(0, "127.0.0.1");
  await once(sink, "listening");
  port = (sink.address() as { port: number }).port;
  daemon = await Daemon.start(config(RULES));
});

afterEach(() => {
  for (const path of made.splice(0).reverse()) rmdirSync(path);
});

after(async () => {
  await daemon?.stop();
  sink?.close();
});

/** Makes a cgroup with all that is missing above it; gone after the test. Host path. */
function add(path: string): string {
  const folder = join(ROOT, path);
  const first = mkdirSync(folder, { recursive: true });
  const own: string[] = [];
  for (let at = folder; first !== undefined && at.length >= first.length; at = dirname(at)) own.push(at);
  made.push(...own.reverse());
  return folder;
}

/** errno of a process whose first act in a cgroup is to dial the sink; "0" is a connection. */
async function dialFrom(folder: string): Promise<string> {
  const dial = `import socket; s = socket.socket(); s.settimeout(5); print(s.connect_ex(("127.0.0.1", ${port})))`;
  const script = 'echo $$ > "$1/cgroup.procs" && exec /usr/bin/python3 -I -c "$2"';
  const { stdout, stderr } = await capture("sh", ["-c", script, "sh", folder, dial]);
  return stdout.trim() || stderr;
}

const agentsNow = async () =>
  (await daemon.json<AgentListing[]>(["agents"])).map(({ agent, cgroup, matcher }) => [
    agent,
    cgroup.slice(ROOT.length),
    matcher,
  ]);

/** Once the daemon has done its part for what the kernel tagged. */
async function listed(path: string): Promise<readonly string[] | undefined> {
  for (let round = 0; round < 50; round++) {
    const found = (await agentsNow()).find(([, cgroup]) => cgroup === path);
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return undefined;
}

const born = [
  { name: "a unit of the system's service manager", path: `/system.slice/${MARK}-1.service`, agent: "ci" },
  { name: "a unit in a slice of a slice", path: `/a.slice/a-b.slice/${MARK}-1.service`, agent: "ci" },
  { name: "a folder", path: `/${MARK}/one`, agent: "jobs" },
  { name: "a user's slice", path: "/user.slice/user-59876.slice", agent: "alice" },
] as const;
for (const { name, path, agent } of born) {
  test(`${name} that fits is an agent before its first process is in it`, async () => {
    assert.equal(await dialFrom(add(path)), EPERM);
    assert.deepEqual((await listed(path))?.slice(0, 2), [agent, path]);
  });
  test(`what lives below ${name} that fits is an agent as well`, async () => {
    assert.equal(await dialFrom(add(`${path}/inner/more`)), EPERM);
  });
}

const bystanders = [
  {
    name: "a unit that a user's own service manager names so",
    path: `/user.slice/user-1.slice/user@1.service/${MARK}-1.service`,
  },
  { name: "a folder in a service that is named so", path: `/system.slice/x.service/${MARK}-1.service` },
  { name: "a unit of another name", path: `/system.slice/other-${MARK}.service` },
  { name: "another user's slice", path: "/user.slice/user-59877.slice" },
] as const;
for (const { name, path } of bystanders) {
  test(`${name} is no agent`, async () => {
    assert.equal(await dialFrom(add(path)), "0");
    assert.equal(
      (await agentsNow()).some(([, cgroup]) => cgroup === path),
      false,
    );
  });
}

test("what is made while the daemon is down is guarded all the same, and known to the next one", async () => {
  await daemon.kill();
  const path = `/${MARK}/orphan`;
  const folder = add(path);
  assert.equal(await dialFrom(folder), EPERM);
  await daemon.up();
  assert.deepEqual(await listed(path), ["jobs", path, `cgroup /${MARK}/*`]);
  assert.equal(await dialFrom(folder), EPERM);
});

test("new settings make agents of what runs already, and end what they do not name any more", async () => {
  const late = add(`/${MARK}-late/one`);
  const early = add(`/${MARK}/one`);
  assert.deepEqual([await dialFrom(late), await dialFrom(early)], ["0", EPERM]);
  daemon.configure(config(RULES.replace(`/${MARK}/*`, `/${MARK}-late/*`)));
  assert.equal((await daemon.cli(["reload"])).code, 0);
  assert.deepEqual([await dialFrom(late), await dialFrom(early)], [EPERM, "0"]);
  daemon.configure(config(RULES));
  assert.equal((await daemon.cli(["reload"])).code, 0);
  assert.deepEqual([await dialFrom(late), await dialFrom(early)], ["0", EPERM]);
});

test("a tag by command inside of a matched cgroup wins over the matcher", async () => {
  const inner = add(`/${MARK}/one/inner`);
  assert.equal((await daemon.cli(["tag", "--as", "alice", "--cgroup", `/${MARK}/one/inner`])).code, 0);
  assert.equal(await dialFrom(inner), EPERM);
  const id = String(statSync(inner).ino);
  const told = () => daemon.events().find(({ kind, fields }) => kind === "kernel.deny" && hasCgroup(fields, id));
  for (let round = 0; round < 50 && told() === undefined; round++)
    await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(told()?.["agent"], "alice");
});

function hasCgroup(fields: unknown, id: string): boolean {
  return (fields as { cgroupId?: unknown } | undefined)?.cgroupId === id;
}
