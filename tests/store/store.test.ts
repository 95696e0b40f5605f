import assert from "node:assert/strict";
import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { UserError } from "../../src/base/errors.ts";
import { EVENTS_QUEUED_MAX } from "../../src/base/limits.ts";
import { openDatabase } from "../../src/store/database.ts";
import { migrate } from "../../src/store/migrations.ts";
import { createSessionStore, type SessionRow } from "../../src/store/sessions.ts";
import { openStore } from "../../src/store/store.ts";
import { folder, quietLog } from "./folder.ts";

const session = (id: string, more: Partial<SessionRow> = {}): SessionRow => ({
  id,
  agent: "ci",
  connection: "orders",
  protocol: "postgres",
  pid: 42,
  uid: 1000,
  user: "builder",
  executable: "/usr/bin/psql",
  address: "2001:db8::1",
  port: 5432,
  startedMs: 1_700_000_000_000,
  endedMs: undefined,
  statements: 1,
  denied: 0,
  masked: 2,
  rows: 3,
  bytesIn: 4,
  bytesOut: 5,
  state: "open",
  file: `2026-01-31/${id}.0001.rec`,
  ...more,
});

test("what is put is found again after the store was closed and opened", async (t) => {
  const dir = folder(t);
  const store = await openStore(dir, quietLog());
  store.sessions.put(session("s1"));
  store.sessions.put(session("s1", { state: "ended", endedMs: 1_700_000_000_009, rows: 7 }));
  store.sessions.put(session("s2", { startedMs: 1_700_000_000_500, agent: "bot" }));
  await store.close();

  const again = await openStore(dir, quietLog());
  t.after(() => again.close());
  assert.deepEqual(
    await again.sessions.get("s1"),
    session("s1", { state: "ended", endedMs: 1_700_000_000_009, rows: 7 }),
  );
  assert.deepEqual(
    (await again.sessions.list()).map(({ id }) => id),
    ["s2", "s1"],
  );
  assert.deepEqual(
    (await again.sessions.list({ agent: "ci" })).map(({ id }) => id),
    ["s1"],
  );
  assert.deepEqual(
    (await again.sessions.list({ beforeMs: 1_700_000_000_500 })).map(({ id }) => id),
    ["s1"],
  );
  assert.deepEqual(
    (await again.sessions.list({ state: "open" })).map(({ id }) => id),
    ["s2"],
  );
});

test("rows beyond the queue are counted as lost, and the others are kept", async (t) => {
  const store = await openStore(folder(t), quietLog());
  t.after(() => store.close());
  for (let at = 1; at <= EVENTS_QUEUED_MAX + 3; at += 1) store.sessions.put(session(`s${at}`));
  // A row that waits may change, full as the queue is.
  store.sessions.put(session("s1", { rows: 9 }));
  await store.sessions.flush();
  assert.equal(store.sessions.lost, 3);
  assert.equal((await store.sessions.get("s1"))?.rows, 9);
  assert.notEqual(await store.sessions.get(`s${EVENTS_QUEUED_MAX}`), undefined);
  assert.equal(await store.sessions.get(`s${EVENTS_QUEUED_MAX + 1}`), undefined);
});

test("rows that the database refuses are counted and reported", async (t) => {
  const log = quietLog();
  const store = await openStore(folder(t), log);
  t.after(() => store.close());
  store.sessions.put(session("s1", { state: "nonsense" as "open" }));
  await store.sessions.flush();
  assert.equal(store.sessions.lost, 1);
  assert.deepEqual(log.lines, ["error Cannot write sessions to the index"]);
});

test("rows that a full disk refused are written once it takes them again, the newest of each session", async (t) => {
  const database = await openDatabase(join(folder(t), "full.db"));
  t.after(() => database.close());
  await migrate(database);
  let isFull = true;
  const run: typeof database.run = (...args) =>
    isFull ? Promise.reject(new UserError("STORE_FULL", "full", "make room")) : database.run(...args);
  const sessions = createSessionStore({ ...database, run }, quietLog());
  sessions.put(session("s1"));
  sessions.put(session("s2"));
  await sessions.flush();
  assert.deepEqual(await sessions.list(), []);
  sessions.put(session("s1", { state: "ended", endedMs: 1_700_000_000_009 }));
  await sessions.flush();
  isFull = false;
  await sessions.flush();
  assert.deepEqual((await sessions.list()).map(({ id, state }) => `${id} ${state}`).sort(), ["s1 ended", "s2 open"]);
  assert.equal(sessions.lost, 0);
});

test("a database that takes no more says that the disk is full, and works on when there is room", async (t) => {
  const database = await openDatabase(join(folder(t), "small.db"));
  t.after(() => database.close());
  await database.script("CREATE TABLE kept (text TEXT); PRAGMA max_page_count = 8");
  const fill = () => database.run("INSERT INTO kept VALUES (?)", ["x".repeat(100_000)]);
  await assert.rejects(fill(), {
    name: "UserError",
    code: "STORE_FULL",
    message: /^Cannot use the database .*small\.db/,
  });
  await database.script("PRAGMA max_page_count = 1000");
  assert.equal(await fill(), 1);
});

test("one session is forgotten, or all", async (t) => {
  const store = await openStore(folder(t), quietLog());
  t.after(() => store.close());
  for (const id of ["s1", "s2", "s3"]) store.sessions.put(session(id));
  await store.sessions.flush();
  await store.sessions.forget("s1");
  assert.deepEqual((await store.sessions.list()).map(({ id }) => id).sort(), ["s2", "s3"]);
  await store.sessions.forget("all");
  assert.deepEqual(await store.sessions.list(), []);
});

test("folder, database and its side files are for the owner alone, whatever the umask", async (t) => {
  const dir = join(folder(t), "state");
  const umask = process.umask(0);
  t.after(() => process.umask(umask));
  const store = await openStore(dir, quietLog());
  t.after(() => store.close());
  store.sessions.put(session("s1"));
  await store.sessions.flush();
  assert.equal(statSync(dir).mode & 0o777, 0o700);
  const files = readdirSync(dir);
  assert.ok(files.includes("sallyport.db-wal"), files.join());
  for (const file of files) assert.equal(statSync(join(dir, file)).mode & 0o777, 0o600, file);
});

test("a folder that others may write to is refused", async (t) => {
  const dir = join(folder(t), "state");
  mkdirSync(dir);
  chmodSync(dir, 0o777);
  await assert.rejects(openStore(dir, quietLog()), { name: "UserError", code: "STORE_FOLDER_MODE" });
});

test("a file that is no database is refused with what to do", async (t) => {
  const dir = join(folder(t), "state");
  mkdirSync(dir, { mode: 0o700 });
  writeFileSync(
    join(dir, "sallyport.db"),
    "this is not a database, and is longer than a header of one would be".repeat(20),
  );
  await assert.rejects(openStore(dir, quietLog()), { name: "UserError", code: "STORE_DAMAGED" });
});

/** A database of many pages with `bytes` written over it at `at`, a share of its length. */
async function damagedAt(t: TestContext, at: number, bytes: Buffer): Promise<string> {
  const dir = join(folder(t), "state");
  const store = await openStore(dir, quietLog());
  for (let id = 0; id < 2_000; id++) store.sessions.put(session(`s${id}`));
  await store.close();
  const file = join(dir, "sallyport.db");
  const fd = openSync(file, "r+");
  writeSync(fd, bytes, 0, bytes.length, Math.floor(statSync(file).size * at));
  closeSync(fd);
  return dir;
}

for (const [where, at] of [
  ["its header", 0],
  ["its first third", 0.3],
  ["its middle", 0.5],
  ["its end", 0.95],
] as const) {
  test(`a database that is damaged at ${where} is refused before it is used, with what to do`, async (t) => {
    const dir = await damagedAt(t, at, Buffer.alloc(8_192, 0xa5));
    await assert.rejects(openStore(dir, quietLog()), {
      code: "STORE_DAMAGED",
      remedy: /move it away with its -wal and -shm/,
    });
  });
}

test("a database that was cut off is refused before it is used", async (t) => {
  const dir = await damagedAt(t, 0.9, Buffer.alloc(0));
  const file = join(dir, "sallyport.db");
  truncateSync(file, Math.floor(statSync(file).size / 2));
  await assert.rejects(openStore(dir, quietLog()), { code: "STORE_DAMAGED" });
});

test("a schema of a later version is refused and left as it is", async (t) => {
  const file = join(folder(t), "later.db");
  const database = await openDatabase(file);
  t.after(() => database.close());
  await migrate(database, ["CREATE TABLE a (x)", "CREATE TABLE b (x)"]);
  await assert.rejects(migrate(database, ["CREATE TABLE a (x)"]), { name: "UserError", code: "STORE_NEWER" });
  assert.deepEqual(await database.one("PRAGMA user_version"), { user_version: 2 });
});

test("a migration that fails changes nothing, and the next attempt goes on from there", async (t) => {
  const database = await openDatabase(join(folder(t), "some.db"));
  t.after(() => database.close());
  await migrate(database, ["CREATE TABLE a (x)"]);
  await assert.rejects(migrate(database, ["CREATE TABLE a (x)", "CREATE TABLE b (x); CREATE TABLE b (x)"]));
  assert.deepEqual(await database.one("PRAGMA user_version"), { user_version: 1 });
  await migrate(database, ["CREATE TABLE a (x)", "CREATE TABLE b (y)"]);
  await database.run("INSERT INTO b (y) VALUES (1)");
});

test("calls that are made during a transaction wait for its end", async (t) => {
  const database = await openDatabase(join(folder(t), "some.db"));
  t.after(() => database.close());
  await database.run("CREATE TABLE a (x)");
  const failing = database.transaction(async (inside) => {
    await inside.run("INSERT INTO a VALUES (1)");
    throw new Error("changed my mind");
  });
  const counted = database.one<{ n: number }>("SELECT count(*) AS n FROM a");
  await assert.rejects(failing, /changed my mind/);
  assert.deepEqual(await counted, { n: 0 });
});
