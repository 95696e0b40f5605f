/**
 * The disk of the state folder is full at each point where a session writes: a clear refusal in PostgreSQL's protocol,
 * nothing executed that is not recorded (by the backend's own log), what was recorded before is whole, and work goes
 * on without a restart once there is room.
 */
import assert from "node:assert/strict";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import sqlite3 from "sqlite3";
import { RECORDED_TEXT_MAX, SEGMENT_BYTES_MAX } from "../../src/base/limits.ts";
import { ApiClient } from "../../src/control/cli/client.ts";
import type { AgentListing } from "../../src/control/ports.ts";
import { parseExposition, sampled } from "../kit/exposition.ts";
import { BLOCK_BYTES, SmallDisk } from "../kit/small-disk.ts";
import { until } from "../path/kit.ts";
import { type Answer, OPEN, SteeredAgent, startWorld, type World } from "./world.ts";

interface Entry {
  readonly text: string;
  readonly decision?: string;
  readonly kind: string;
}

interface Listed {
  readonly id: string;
  readonly state: string;
}

let disk: SmallDisk;
let world: World;
let agent: SteeredAgent;
before(async () => {
  disk = new SmallDisk(32 * 1024 * 1024);
  world = await startWorld({ policies: { "open.yaml": OPEN }, stateDir: join(disk.folder, "state") });
  await world.postgres.query("CREATE TABLE written (mark text)");
  await startAgent();
});
after(async () => {
  disk.empty();
  await agent.leave();
  await world.stop();
  disk.remove();
});

/** Started before the disk is full: to start a command is to keep something. */
async function startAgent(): Promise<void> {
  agent = new SteeredAgent(world.daemon);
  assert.deepEqual(await agent.open("first", world.url), {});
  await agent.close("first");
}

let marks = 0;

/** A statement that the backend's log and the recordings can be searched for, longer than what is left of any block. */
function marked(sql: string, length = 4 * BLOCK_BYTES): { readonly mark: string; readonly text: string } {
  const mark = `m${++marks}m`;
  return { mark, text: `${sql} /* mark ${mark} ${"x".repeat(length)} */` };
}

function executed(): ReadonlySet<string> {
  const found = world.postgres.statements().flatMap(({ text }) => /\/\* mark (\w+)/.exec(text)?.[1] ?? []);
  return new Set(found);
}

const api = () => new ApiClient(world.daemon.runDir);
const sessions = () => api().get<Listed[]>("/v1/sessions?limit=1000");

async function entriesOf(id: string): Promise<readonly Entry[]> {
  const all: Entry[] = [];
  for await (const entry of api().lines<Entry>(`/v1/sessions/${id}/entries`)) all.push(entry);
  return all;
}

/** Marks whose last decision in the recordings is to allow. */
async function allowed(): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for (const { id } of await sessions()) {
    for (const { text, decision } of await entriesOf(id)) {
      const mark = /\/\* mark (\w+)/.exec(text)?.[1];
      if (mark === undefined || decision === undefined) continue;
      if (decision === "allow") found.add(mark);
      else found.delete(mark);
    }
  }
  return found;
}

async function metric(name: string): Promise<number> {
  return sampled(parseExposition(await api().text("/v1/metrics")), name);
}

/** Fills the disk once nothing is about to make room on it: closed segments are compressed a moment later. */
async function full(leaveBytes = 0): Promise<void> {
  const end = performance.now() + 10_000;
  while ((await metric("sallyport_recorder_uncompressed_segments")) > 0) {
    assert.ok(performance.now() < end, "segments are not compressed");
  }
  await emptyLog();
  disk.fill(leaveBytes);
}

/** The database's log takes no new room while it writes over what it wrote before: what is left of that is given back. */
function emptyLog(): Promise<void> {
  const database = new sqlite3.Database(join(world.daemon.stateDir, "sallyport.db"));
  return new Promise((resolve, reject) => {
    database.exec("PRAGMA busy_timeout = 5000; PRAGMA wal_checkpoint(TRUNCATE)", (error) => {
      database.close(() => (error === null ? resolve() : reject(error)));
    });
  });
}

/** What was recorded before, to be found again as it was. */
async function kept(): Promise<ReadonlyMap<string, readonly Entry[]>> {
  const ended = (await sessions()).filter(({ state }) => state !== "open");
  return new Map(await Promise.all(ended.map(async ({ id }) => [id, await entriesOf(id)] as const)));
}

/** The refusal as a client reads it, and its session's id. */
function refused({ code, severity, message, detail, hint }: Answer): string {
  assert.equal(code, "53100", message);
  assert.equal(severity, "FATAL");
  assert.equal(message, "Sallyport cannot record this session, so it forwards nothing more of it");
  assert.match(hint ?? "", /make room on the disk of its state folder/);
  const [, id = ""] = /^Sallyport session (\w{16})$/.exec(detail ?? "") ?? [];
  assert.notEqual(id, "");
  return id;
}

/** After each: the room is there again, the same daemon records again, and nothing was executed unrecorded. */
async function recovers(before: ReadonlyMap<string, readonly Entry[]>): Promise<void> {
  const { pid } = world.daemon;
  disk.empty();
  const { mark, text } = marked("SELECT 1");
  assert.deepEqual(await agent.open("again", world.url), {});
  assert.deepEqual(await agent.ask("again", text), { rows: [[1]] });
  await agent.close("again");
  const recorded = await allowed();
  assert.ok(recorded.has(mark));
  assert.deepEqual(
    [...executed()].filter((one) => !recorded.has(one)),
    [],
  );
  for (const [id, entries] of before) assert.deepEqual(await entriesOf(id), entries, `session ${id} changed`);
  assert.equal(world.daemon.pid, pid);
  const left = (await sessions()).filter(({ state }) => state === "open");
  assert.deepEqual(left, [], "no session that is over is listed as open");
}

test("the file system is a real one that can be full", (t) => {
  t.diagnostic(disk.kind);
  disk.fill();
  const room = readdirSync(disk.folder).includes("filler");
  disk.empty();
  assert.ok(room);
});

test("before a session starts: its client is refused with the session's id, and no file is left", async () => {
  const before = await kept();
  await full();
  const id = refused(await agent.open("a", world.url));
  disk.empty();
  assert.ok(!(await sessions()).some((session) => session.id === id));
  assert.ok(!recordingFiles().some((file) => file.includes(id)));
  await recovers(before);
});

test("before the first decision: nobody logs in at the backend", async () => {
  const before = await kept();
  const logins = () => world.postgres.log().split("connection authorized").length;
  const atFirst = logins();
  await full(2 * BLOCK_BYTES); // the start of a session fits, and a decision about so long a name does not
  const url = world.url.replace(/postgres$/, "d".repeat(8 * BLOCK_BYTES));
  refused(await agent.open("b", url));
  assert.equal(logins(), atFirst);
  await recovers(before);
});

test("between statements: the next one is refused and does not reach the backend, and its session says so", async () => {
  const before = await kept();
  await agent.open("c", world.url);
  const first = marked("SELECT 1");
  assert.deepEqual(await agent.ask("c", first.text), { rows: [[1]] });
  await full();
  const second = marked("INSERT INTO written VALUES ('unrecorded')");
  const id = refused(await agent.ask("c", second.text));
  await agent.gone("c");
  assert.ok(executed().has(first.mark) && !executed().has(second.mark));
  await recovers(before);
  assert.equal((await sessions()).find((session) => session.id === id)?.state, "interrupted");
  assert.equal(
    (await entriesOf(id)).some(({ text }) => text.includes(first.mark)),
    true,
  );
});

test("by a parameterised statement, the same", async () => {
  const before = await kept();
  await agent.open("d", world.url);
  assert.deepEqual(await agent.askAgain("d", "SELECT $1::text", ["x"]), { rows: [["x"]] });
  await full();
  refused(await agent.askAgain("d", "SELECT $1::text", ["y".repeat(8 * BLOCK_BYTES)]));
  await agent.gone("d");
  await recovers(before);
});

test("in the middle of a pipeline: what went before is recorded, and what comes after is not executed", async () => {
  const before = await kept();
  const statements = Array.from({ length: 40 }, () => marked("INSERT INTO written VALUES ('pipe')", 30 * BLOCK_BYTES));
  const texts = statements.map(({ text }) => text);
  await agent.open("e", world.url);
  await full(400 * BLOCK_BYTES);
  refused(await agent.pipeline("e", texts, "each"));
  await agent.gone("e");
  await recovers(before);
  const ran = statements.filter(({ mark }) => executed().has(mark)).length;
  assert.ok(ran > 0 && ran < statements.length, `${ran} of ${statements.length} reached the backend`);
  const [{ rows } = {}] = await world.postgres.query("SELECT count(*)::int AS rows FROM written WHERE mark = 'pipe'");
  assert.equal(rows, ran);
});

test("in the middle of a batch before one Sync: none of it is executed", async () => {
  const before = await kept();
  const statements = Array.from({ length: 40 }, () => marked("INSERT INTO written VALUES ('batch')", 30 * BLOCK_BYTES));
  await agent.open("e2", world.url);
  await full(400 * BLOCK_BYTES);
  refused(
    await agent.pipeline(
      "e2",
      statements.map(({ text }) => text),
      "one",
    ),
  );
  await agent.gone("e2");
  await recovers(before);
  assert.deepEqual(await world.postgres.query("SELECT FROM written WHERE mark = 'batch'"), []);
});

test("during an answer: what was let go is answered whole, and the next statement is refused", async () => {
  const before = await kept();
  await agent.open("f", world.url);
  const slow = marked("SELECT n, pg_sleep(0.005) IS NULL FROM generate_series(1, 200) AS n");
  const answer = agent.ask("f", slow.text);
  await until(() => executed().has(slow.mark), "it is under way at the backend", 10_000);
  await full();
  assert.equal((await answer).rows?.length, 200);
  const next = marked("INSERT INTO written VALUES ('after')");
  refused(await agent.ask("f", next.text));
  await agent.gone("f");
  assert.ok(!executed().has(next.mark));
  await recovers(before);
});

test("at the change to a new segment: refused, and no half segment is left", async () => {
  const before = await kept();
  await agent.open("g", world.url);
  const first = marked("SELECT 1");
  await agent.ask("g", first.text);
  const file = join(world.daemon.stateDir, "recordings", newestFile());
  const large = () => marked("SELECT 1", RECORDED_TEXT_MAX - 2 * BLOCK_BYTES);
  while (statSync(file).size + RECORDED_TEXT_MAX < SEGMENT_BYTES_MAX) {
    assert.deepEqual(await agent.ask("g", large().text), { rows: [[1]] });
  }
  await full(2 * BLOCK_BYTES); // room for a new file, not for what comes into it
  const last = large();
  const id = refused(await agent.ask("g", last.text));
  await agent.gone("g");
  assert.ok(!executed().has(last.mark));
  assert.deepEqual(
    recordingFiles().filter((name) => name.includes(id) && !name.includes(".0001.")),
    [],
  );
  await recovers(before);
  assert.ok((await entriesOf(id)).some(({ text }) => text.includes(first.mark)));
});

test("at a session's end: it is listed as interrupted, since its end is not recorded", async (t: TestContext) => {
  const before = await kept();
  await agent.open("h", world.url);
  await agent.ask("h", "SELECT 1");
  const file = join(world.daemon.stateDir, "recordings", newestFile());
  await fillLastBlock("h", file);
  t.diagnostic(`${-statSync(file).size & (BLOCK_BYTES - 1)} bytes are left of the last block`);
  await full();
  await agent.close("h");
  disk.empty();
  const [session] = await sessionsAtRest();
  assert.equal(session?.state, "interrupted");
  await recovers(before);
});

test("the index and the trail: both are told as full, and what the index missed it has afterwards", async () => {
  const before = await kept();
  const lost = () => metric("sallyport_events_lost_total");
  const lostAtFirst = await lost();
  await agent.open("i", world.url);
  const { mark, text } = marked("SELECT 1");
  await agent.ask("i", text);
  await full();
  for (let at = 0; at < 40; at++) refused(await agent.open(`j${at}`, world.url)); // some events each, until no block has room
  await agent.close("i");
  // A command that has to keep something says why it cannot, once it has used up the room that a larger write left in the log.
  let run = await world.daemon.run("ci", ["true"]);
  for (let at = 0; run.code === 0 && at < 40; at++) run = await world.daemon.run("ci", ["true"]);
  assert.equal(run.code, 125, run.stderr);
  assert.match(run.stderr, /STORE_FULL: Cannot use the database .*: .*full\nremedy: Make room/);
  assert.ok((await lost()) > lostAtFirst);
  assert.match(world.daemon.output, /Cannot write audit events to the store.*is full/);
  assert.match(world.daemon.output, /Cannot write audit events to \/.*ENOSPC/);
  await recovers(before);
  assert.ok((await allowed()).has(mark));
  // With the next batch, some time after there is room.
  await until(() => world.daemon.events().some(({ kind }) => kind === "events.lost"), "it is in the trail", 10_000);
});

test("a daemon does not start on a full disk, says why, and starts once there is room", async () => {
  const before = await kept();
  await agent.leave();
  await world.daemon.kill();
  await emptyLog();
  disk.fill();
  await assert.rejects(world.daemon.up(), /ended with 1:[\s\S]*^sallyport: STORE_(FULL|UNUSABLE): .*\nremedy: .*room/m);
  disk.empty();
  await world.daemon.up();
  await startAgent();
  await recovers(before);
});

test("a revocation is in force, and says that it is not kept; asked again with room, it outlives the daemon", async () => {
  const revoke = () => world.daemon.cli(["agents", "revoke", "ci"]);
  const isRevoked = async () => {
    const tags = await api().get<AgentListing[]>("/v1/agents");
    // the row of a run that ended while the disk was full may come back for a moment, with nobody in it
    const alive = tags.filter(({ processes }) => processes > 0);
    return alive.length > 0 && alive.every(({ revoked }) => revoked === true);
  };
  assert.equal(await isRevoked(), false);
  await full();
  const { code, stderr } = await revoke();
  assert.equal(code, 1, stderr);
  assert.match(stderr, /AGENT_REVOCATION_UNKEPT[\s\S]*not for the next start.*its tags.*disk is full/);
  assert.match(stderr, /Make room on the disk.*agents revoke ci/);
  assert.equal(await isRevoked(), true);
  disk.empty();
  assert.equal((await revoke()).code, 0);
  await world.daemon.kill();
  await world.daemon.up();
  assert.equal(await isRevoked(), true);
});

function recordingFiles(): readonly string[] {
  return readdirSync(join(world.daemon.stateDir, "recordings"), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.rec/.test(name))
    .sort();
}

function newestFile(): string {
  const age = (name: string) => statSync(join(world.daemon.stateDir, "recordings", name)).birthtimeMs;
  const [newest = ""] = recordingFiles().toSorted((one, other) => age(other) - age(one));
  return newest;
}

/** Newest first, once none is open. */
async function sessionsAtRest(): Promise<readonly Listed[]> {
  const end = performance.now() + 10_000;
  for (;;) {
    const all = await sessions();
    if (!all.some(({ state }) => state === "open")) return all;
    assert.ok(performance.now() < end, "a session does not end");
  }
}

/** Statements of such lengths that the end of a session does not fit into what is left of the file's last block. */
async function fillLastBlock(name: string, file: string): Promise<void> {
  const size = async () => {
    let last = -1; // its answer reaches the file a moment later
    for (;;) {
      const now = statSync(file).size;
      if (now === last) return now;
      last = now;
      await new Promise((resolve) => setTimeout(resolve, 1_200));
    }
  };
  const left = (bytes: number) => -bytes & (BLOCK_BYTES - 1);
  let now = await size();
  let grown = 0;
  for (let tries = 0; left(now) > 24; tries++) {
    assert.ok(tries < 20, `${left(now)} bytes are left`);
    const padding = grown === 0 ? 100 : (left(now + grown) + BLOCK_BYTES - 8) & (BLOCK_BYTES - 1);
    await agent.ask(name, `SELECT 1 /*${"x".repeat(padding)}*/`);
    const next = await size();
    grown = next - now - padding;
    now = next;
  }
}
