import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { UserError } from "../../src/base/errors.ts";
import { RUN_SETTLE_MS, RUNS_REMEMBERED_MAX } from "../../src/base/limits.ts";
import type { Caller } from "../../src/control/ports.ts";
import { type RunParts, Runs } from "../../src/daemon/runs.ts";
import type { Agents, TagRequest } from "../../src/identity/agents.ts";
import type { Identity } from "../../src/model/identity.ts";
import { Sessions } from "../../src/path/sessions.ts";
import { SAMPLE_AGENT, SAMPLE_ORIGIN } from "../kit/policy.ts";
import { turns } from "../path/kit.ts";
import { CONNECTION } from "../path/world.ts";
import { folder } from "../store/folder.ts";

const CALLER: Caller = { roles: new Set(["member"]), pid: 1, uid: 1000 };
const ADMIN: Caller = { roles: new Set(["admin"]), pid: 1, uid: 0 };
const CGROUP_ID = 2n;
const BOUNDS = { unixSockets: "denied", hidden: ["/state"], fixed: ["/run"] } as const;

interface Faked {
  readonly tag?: (request: TagRequest) => unknown;
  readonly moved?: () => Promise<void>;
  readonly identify?: RunParts["identify"];
}

function world(t: TestContext, parts: Faked = {}) {
  const root = folder(t);
  const tags: TagRequest[] = [];
  const agents = {
    check: () => {},
    tag: async (request: TagRequest) => {
      tags.push(request);
      parts.tag?.(request);
      return { cgroupId: CGROUP_ID };
    },
  } as unknown as Agents;
  const confine = async (cgroupRoot: string, name: string) => {
    const path = join(cgroupRoot, name);
    mkdirSync(path);
    await parts.moved?.();
    return path;
  };
  const sessions = new Sessions();
  const environment = { PGSSLROOTCERT: "/ca" };
  const identify = parts.identify ?? (() => assert.fail("no token is shown here"));
  const accountsOf = ({ uid }: Caller) => (uid === 0 ? [] : [`unix:${uid}`]);
  const bounds = () => BOUNDS;
  const runs = new Runs({ agents, sessions, cgroupRoot: root, environment, bounds, confine, identify, accountsOf });
  return { root, tags, sessions, runs };
}

function sleeper(t: TestContext): ChildProcess & { readonly pid: number } {
  const child = spawn("sleep", ["60"], { stdio: "ignore" });
  t.after(() => child.kill("SIGKILL"));
  assert.ok(child.pid !== undefined);
  return child as ChildProcess & { readonly pid: number };
}

test("a waiting process gets a cgroup of its own that is tagged as a run", async (t) => {
  const { root, tags, runs } = world(t);
  const run = await runs.create({ agent: "ci", pid: sleeper(t).pid }, CALLER);
  const bounds = { unixSockets: "denied", hidden: [], fixed: [] };
  assert.deepEqual(run, { id: run.id, agent: "ci", cgroup: join(root, `run-${run.id}`), bounds });
  assert.deepEqual(tags, [
    { as: "ci", path: run.cgroup, kind: "run", runId: run.id, uid: 1000, startedBy: ["unix:1000"] },
  ]);
});

test("a run that shows a token is tagged with the identity that it says, and none is asked of one without", async (t) => {
  const identity = { issuer: "forge", subject: "job" } as Identity;
  const shown: unknown[] = [];
  const { tags, runs } = world(t, {
    identify: async (...all) => {
      shown.push(all);
      return identity;
    },
  });
  await runs.create({ agent: "ci", pid: sleeper(t).pid, token: "token-of-the-job" }, CALLER);
  await runs.create({ agent: "ci", pid: sleeper(t).pid }, CALLER);
  assert.deepEqual(
    tags.map((tag) => tag.identity),
    [identity, undefined],
  );
  assert.deepEqual(shown, [["token-of-the-job", "ci", CALLER]]);
});

test("a token that is refused leaves the waiting process where it is", async (t) => {
  const refusal = new UserError("TOKEN_EXPIRED", "it has expired", "Get a new one");
  const { root, tags, runs } = world(t, { identify: () => Promise.reject(refusal) });
  await assert.rejects(runs.create({ agent: "ci", pid: sleeper(t).pid, token: "x" }, CALLER), refusal);
  assert.deepEqual([tags, readdirSync(root)], [[], []]);
});

test("only root is told which paths to hide and to keep", async (t) => {
  const { runs } = world(t);
  assert.deepEqual((await runs.create({ agent: "ci", pid: sleeper(t).pid }, ADMIN)).bounds, BOUNDS);
});

test("a process that is gone already gets no cgroup and no tag", async (t) => {
  const { root, tags, runs } = world(t);
  await assert.rejects(runs.create({ agent: "ci", pid: 2 ** 30 }, CALLER), { code: "RUN_PROCESS_GONE" });
  assert.deepEqual([readdirSync(root), tags], [[], []]);
});

test("a process that ends between the check and the move is not taken for another, and its cgroup goes", async (t) => {
  const child = sleeper(t);
  const { root, tags, runs } = world(t, {
    moved: async () => {
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  });
  await assert.rejects(runs.create({ agent: "ci", pid: child.pid }, CALLER), { code: "RUN_PROCESS_GONE" });
  assert.deepEqual([readdirSync(root), tags], [[], []]);
});

test("a cgroup that cannot be tagged goes", async (t) => {
  const { root, runs } = world(t, {
    tag: () => {
      throw new Error("MAP_FULL");
    },
  });
  await assert.rejects(runs.create({ agent: "ci", pid: sleeper(t).pid }, CALLER), /MAP_FULL/);
  assert.deepEqual(readdirSync(root), []);
});

test("a run's environment trusts the local CA and names the agent", async (t) => {
  const { runs } = world(t);
  assert.deepEqual(await runs.environment("ci"), { PGSSLROOTCERT: "/ca", SALLYPORT_AGENT: "ci" });
});

const end = (statements: number, denied: number, masked: number) => ({
  kind: "session.end",
  fields: { statements, denied, masked },
});

test("a summary adds up sessions and refusals of its own cgroup, those of Unix sockets apart", async (t) => {
  const { runs } = world(t);
  const { id } = await runs.create({ agent: "ci", pid: sleeper(t).pid }, CALLER);
  runs.count(CGROUP_ID, end(5, 2, 7));
  runs.count(CGROUP_ID, end(1, 0, 0));
  runs.count(CGROUP_ID, { kind: "kernel.deny" });
  runs.count(CGROUP_ID, { kind: "kernel.unix" });
  runs.count(CGROUP_ID, { kind: "kernel.unix" });
  runs.count(CGROUP_ID + 1n, end(100, 100, 100));
  const expected = {
    id,
    agent: "ci",
    sessions: 2,
    allowed: 4,
    denied: 2,
    masked: 7,
    refused: 1,
    unixRefused: 2,
    held: 0,
  };
  assert.deepEqual(await runs.summary(id, CALLER), expected);
});

test("a summary is for whoever started the run, and for administrators", async (t) => {
  const { runs } = world(t);
  const { id } = await runs.create({ agent: "ci", pid: sleeper(t).pid }, CALLER);
  assert.equal(await runs.summary(id, { ...CALLER, uid: 1001 }), undefined);
  assert.equal((await runs.summary(id, ADMIN))?.id, id);
  assert.equal(await runs.summary("0000", ADMIN), undefined);
});

const live = (tagCgroupId: bigint) => ({
  ...{ sessionId: `s${tagCgroupId}`, agent: SAMPLE_AGENT, connection: CONNECTION },
  ...{
    hasEntered: () => true,
    stop: () => {},
    expel: () => {},
    recheck: () => {},
    drain: () => {},
    cut: () => {},
    fail: () => {},
    cancelHeld: () => false,
  },
  origin: { ...SAMPLE_ORIGIN, tagCgroupId },
});

test("a summary waits for the run's last session, and for nobody else's", async (t) => {
  const { runs, sessions } = world(t);
  const { id } = await runs.create({ agent: "ci", pid: sleeper(t).pid }, CALLER);
  sessions.add(live(CGROUP_ID));
  sessions.add(live(CGROUP_ID + 1n));
  let isTold = false;
  const summary = runs.summary(id, CALLER).finally(() => {
    isTold = true;
  });
  await turns(5);
  assert.equal(isTold, false);
  sessions.remove(`s${CGROUP_ID}`, new Uint8Array());
  runs.count(CGROUP_ID, end(3, 0, 0)); // in the same turn, as the path does
  assert.equal((await summary)?.allowed, 3);
});

test("a summary waits no longer than it may", async (t) => {
  const { runs, sessions } = world(t);
  const { id } = await runs.create({ agent: "ci", pid: sleeper(t).pid }, CALLER);
  sessions.add(live(CGROUP_ID));
  const at = performance.now();
  assert.equal((await runs.summary(id, CALLER))?.sessions, 0);
  assert.ok(performance.now() - at >= RUN_SETTLE_MS - 5);
});

test("the oldest run is forgotten when there are too many", async (t) => {
  const { root, runs } = world(t);
  const { pid } = sleeper(t);
  const first = await runs.create({ agent: "ci", pid }, CALLER);
  const second = await runs.create({ agent: "ci", pid }, CALLER);
  for (let count = 2; count <= RUNS_REMEMBERED_MAX; count++) await runs.create({ agent: "ci", pid }, CALLER);
  assert.equal(await runs.summary(first.id, CALLER), undefined);
  assert.equal((await runs.summary(second.id, CALLER))?.id, second.id);
  assert.ok(existsSync(join(root, `run-${first.id}`)));
});
