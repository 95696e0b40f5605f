/**
 * The database is damaged, before the start and while the daemon runs: a clear refusal that says what to do, recordings
 * that are whole, and an index that is built from them again.
 */
import assert from "node:assert/strict";
import { closeSync, existsSync, openSync, rmSync, statSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import sqlite3 from "sqlite3";
import { ApiClient } from "../../src/control/cli/client.ts";
import { until } from "../path/kit.ts";
import { OPEN, SteeredAgent, startWorld, type World } from "./world.ts";

interface Listed {
  readonly id: string;
  readonly state: string;
  readonly rows: number;
}

let world: World;
let file: string;
before(async () => {
  world = await startWorld({ policies: { "open.yaml": OPEN } });
  file = join(world.daemon.stateDir, "sallyport.db");
  for (let at = 0; at < 5; at++) assert.equal((await world.psql(`SELECT ${at}`)).stdout, `${at}\n`);
});
after(() => world.stop());

const api = () => new ApiClient(world.daemon.runDir);
const REMEDY =
  /remedy: Stop the daemon, restore the file from a backup or move it away with its -wal and -shm, and start again/;

async function sessions(): Promise<readonly Listed[]> {
  return api().get<Listed[]>("/v1/sessions?limit=1000");
}

/** Of every session, its row and all that is recorded of it. */
async function everything(): Promise<readonly (readonly [Listed, readonly { readonly text: string }[]])[]> {
  const all = await sessions();
  return Promise.all(
    all.map(async (row) => {
      const entries: { readonly text: string }[] = [];
      for await (const entry of api().lines<{ text: string }>(`/v1/sessions/${row.id}/entries`)) entries.push(entry);
      return [row, entries] as const;
    }),
  );
}

/** In order, so that all of it is in the one file. */
async function down(): Promise<void> {
  assert.equal((await world.daemon.cli(["down"])).code, 0);
  await world.daemon.ended();
  assert.ok(!existsSync(`${file}-wal`), "the log was taken into the database");
}

/** By another process's hand, as with sqlite3 at the prompt. */
function execute(sql: string): Promise<void> {
  const database = new sqlite3.Database(file);
  return new Promise((resolve, reject) => {
    database.exec(sql, (error) => database.close(() => (error === null ? resolve() : reject(error))));
  });
}

function moveAway(): void {
  for (const end of ["", "-wal", "-shm"]) rmSync(`${file}${end}`, { force: true });
}

/** Over what is there, at a share of the length. */
function overwrite(at: number, path = file): void {
  const fd = openSync(path, "r+");
  const bytes = Buffer.alloc(Math.min(8_192, statSync(path).size), 0xa5);
  writeSync(
    fd,
    bytes,
    0,
    bytes.length,
    Math.max(0, Math.floor(statSync(path).size * at) - (at === 1 ? bytes.length : 0)),
  );
  closeSync(fd);
}

const rows: readonly { readonly name: string; readonly damage: () => void }[] = [
  { name: "overwritten at its header", damage: () => overwrite(0) },
  { name: "overwritten in its middle", damage: () => overwrite(0.5) },
  { name: "overwritten at its end", damage: () => overwrite(1) },
  { name: "cut off", damage: () => truncateSync(file, Math.floor(statSync(file).size / 2 / 4_096) * 4_096) },
  { name: "empty", damage: () => truncateSync(file, 0) },
  { name: "replaced by something else", damage: () => writeFileSync(file, "This is not a database.\n".repeat(1_000)) },
];
for (const { name, damage } of rows) {
  test(`a database that is ${name}: up refuses it with what to do, and that works`, async () => {
    const known = await everything();
    await down();
    damage();
    const refusal = await world.daemon.up().then(
      () => assert.fail("it started"),
      (error: unknown) => String(error),
    );
    assert.match(refusal, /ended with 1:\nsallyport: STORE_DAMAGED: Cannot (open|use) the database .*sallyport\.db: /);
    assert.match(refusal, REMEDY);
    moveAway();
    await world.daemon.up();
    assert.deepEqual(await everything(), known);
    assert.equal((await world.psql("SELECT 'still'")).stdout, "still\n");
  });
}

test("a log of the database that is damaged after a crash: the daemon starts, and the index has every session", async () => {
  const { length } = await sessions();
  await world.psql("SELECT 'last'");
  assert.equal((await sessions()).length, length + 1);
  await world.daemon.kill();
  overwrite(0, `${file}-wal`);
  await world.daemon.up();
  const all = await sessions();
  assert.equal(all.length, length + 1);
  assert.deepEqual(
    all.filter(({ state }) => state === "open"),
    [],
  );
});

test("damage while the daemon runs: agents go on and are recorded, people are told, and the next start refuses and can be helped", async () => {
  const before = await sessions();
  await down();
  // More than SQLite keeps in memory, so that it reads from the file.
  const many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)";
  await execute(
    `${many} INSERT INTO events SELECT NULL, i, 'filler', 'a', 's', 'c', hex(randomblob(500)), '{}' FROM n`,
  );
  await world.daemon.up();
  const agent = new SteeredAgent(world.daemon);
  assert.deepEqual(await agent.open("a", world.url), {});
  const { size } = statSync(file);
  const fd = openSync(file, "r+");
  writeSync(fd, Buffer.alloc(size, 0xa5), 0, size, 0);
  closeSync(fd);
  const { pid } = world.daemon;
  assert.deepEqual(await agent.ask("a", "SELECT 'goes on'"), { rows: [["goes on"]] });
  assert.deepEqual(await agent.open("b", world.url), {});
  assert.deepEqual(await agent.ask("b", "SELECT 'as well'"), { rows: [["as well"]] });
  await agent.leave();
  const commands = [["sessions"], ["approvals", "--all"], ["agents"], ["run", "--as", "ci", "--", "true"]];
  const told = await Promise.all(commands.map((command) => world.daemon.cli(command)));
  const failed = told.filter(({ code }) => code !== 0);
  assert.ok(failed.length > 0, "somebody read what is damaged");
  for (const { stderr } of failed)
    assert.match(stderr, /STORE_DAMAGED: Cannot use the database .*\nremedy: Stop the daemon/);
  assert.equal((await world.daemon.cli(["status"])).code, 0);
  assert.equal(world.daemon.pid, pid);
  await world.daemon.kill();
  await assert.rejects(world.daemon.up(), /STORE_DAMAGED/);
  moveAway();
  await world.daemon.up();
  const after = await sessions();
  assert.deepEqual(
    after.filter(({ id }) => before.some((one) => one.id === id)),
    before,
  );
  const texts = (await everything()).flatMap(([, entries]) => entries.map(({ text }) => text));
  for (const text of ["SELECT 'goes on'", "SELECT 'as well'"]) assert.ok(texts.includes(text), text);
});

test("reindex builds the index from the recordings: rows that are gone or wrong are as they were", async () => {
  const known = await everything();
  await execute("DELETE FROM sessions WHERE id IN (SELECT id FROM sessions LIMIT 1)");
  await execute("UPDATE sessions SET rows = 99, agent = 'nobody'");
  assert.notDeepEqual(await everything(), known);
  const { code, stdout } = await world.daemon.cli(["sessions", "reindex"]);
  assert.equal(code, 0);
  assert.equal(stdout, `indexed ${(await sessions()).length} sessions\n`);
  assert.deepEqual(await everything(), known);
  await until(() => world.daemon.events().some(({ kind }) => kind === "sessions.reindex"), "it is in the trail");
});
