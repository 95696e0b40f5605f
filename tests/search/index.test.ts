/** The index goes on where it was, is built anew when it is damaged, and stays small whatever a session does. */
import assert from "node:assert/strict";
import { readdirSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Gatherer, NO_CARRY } from "../../src/search/gather.ts";
import { openIndex } from "../../src/search/index-file.ts";
import { SessionReader } from "../../src/search/session-reader.ts";
import { IndexWriter } from "../../src/search/writer.ts";
import { openDatabase } from "../../src/store/database.ts";
import { answer, deny } from "../recorder/kit.ts";
import { ask, count, end, open, operation, said, type World, world } from "./kit.ts";

const file = (w: World) => join(w.state, "search.db");
const allowed = { ...deny, kind: "allow" } as never;

async function recorded(w: World, id: string): Promise<void> {
  const recording = open(w, id);
  said(recording, 1, `select of_${id}`);
  recording.asked(2, [{ operation: operation("public.cards"), text: "select card from cards" }], allowed);
  recording.answered({ ...answer(2, 3), masks: [{ column: "cards.card", by: "detector:payment-card", count: 3 }] });
  await end(w, recording);
}

test("a restart goes on where it was and counts nothing twice", async (t) => {
  const w = await world(t);
  const live = open(w, "live");
  live.asked(1, [{ operation: operation("public.cards"), text: "select card from cards" }], allowed);
  live.flush();
  await recorded(w, "s1");
  assert.deepEqual((await ask(w, "detector:payment-card")).totals, { sessions: 1, masked: 3, shown: 0 });
  await w.reopen();
  live.answered({ ...answer(1, 3), masks: [{ column: "cards.card", by: "detector:payment-card", count: 4 }] });
  await end(w, live);
  await recorded(w, "s2");
  const found = await ask(w, "table:cards detector:payment-card");
  assert.deepEqual(found.totals, { sessions: 3, masked: 10, shown: 0 });
  assert.deepEqual(w.log.lines, []);
});

const damages: readonly (readonly [name: string, harm: (w: World) => void | Promise<void>])[] = [
  ["a file that is no database", (w) => writeFileSync(file(w), "this is no database at all, and never was one")],
  ["a file that was cut", (w) => truncateSync(file(w), 8_192)],
  [
    "pages that were overwritten",
    (w) => {
      const size = statSync(file(w)).size;
      writeFileSync(file(w), Buffer.alloc(size - 4_096, 0xa5), { flag: "r+" });
    },
  ],
  [
    "another version",
    async (w) => {
      const database = await openDatabase(file(w));
      await database.run("PRAGMA user_version = 999");
      await database.close();
    },
  ],
  [
    "a table that is missing",
    async (w) => {
      const database = await openDatabase(file(w));
      await database.run("DROP TABLE findings");
      await database.close();
    },
  ],
];
for (const [name, harm] of damages) {
  test(`${name} is replaced by an index that is built anew, and the log says so`, async (t) => {
    const w = await world(t);
    await recorded(w, "s1");
    assert.equal((await ask(w, "of_s1")).entries.length, 1);
    await w.search.close();
    await harm(w);
    await w.reopen();
    const again = async () => ask(w, "of_s1").catch((error: { code?: string }) => error.code);
    let found = await again();
    if (found === "SEARCH_REBUILDING") found = await again();
    assert.ok(typeof found === "object", String(found));
    assert.equal(found.entries.length, 1);
    assert.deepEqual((await ask(w, "detector:payment-card")).totals, { sessions: 1, masked: 3, shown: 0 });
    assert.ok(w.log.lines.includes("warn The search index is built anew"), w.log.lines.join("\n"));
  });
}

test("what was read before a write that failed is read again", async (t) => {
  const w = await world(t);
  const recording = open(w, "one");
  said(recording, 1, "select card from cards");
  await end(w, recording);
  const { database } = await openIndex(join(w.state, "other.db"));
  t.after(() => database.close());
  /** Its first transaction finds the disk full. */
  class Failing extends IndexWriter {
    #failures = 0;
    override async session(...what: Parameters<IndexWriter["session"]>): Promise<void> {
      if (this.#failures++ === 0) throw new Error("the disk is full");
      await super.session(...what);
    }
  }
  const day = new Date().toISOString().slice(0, 10);
  const who = { agent: "ci", connection: "orders", user: "builder", executable: "/usr/bin/psql", pid: 42 };
  const session = { id: "one", ...who, startedMs: 1, endedMs: 2, state: "ended", day };
  const recordings = join(w.state, "recordings");
  const parts = { writer: new Failing(database), store: database, recordings, nowMs: () => Date.now(), warn: () => {} };
  const reader = new SessionReader(session, parts);
  await assert.rejects(reader.next(Date.now(), 0), /full/);
  while (!(await reader.next(Date.now(), 0)).isFinished);
  const found = await database.all<{ text: string }>("SELECT text FROM entries");
  assert.deepEqual(found, [{ text: "select card from cards" }]);
});

test("operations that went on while the disk took nothing are told apart from those that were denied", () => {
  for (const wentOn of [true, false]) {
    const gatherer = new Gatherer("s1", 1, NO_CARRY);
    gatherer.add({ kind: "gap", operations: 3, wentOn, sequence: 2, atMs: 1 });
    assert.equal(gatherer.lacks, wentOn);
  }
});

test("sessions of long ago that come back to the store are found without a restart", async (t) => {
  const w = await world(t);
  await recorded(w, "new");
  await ask(w, "agent:ci");
  const old = open(w, "old", { startedAtMs: Date.now() - 600_000 });
  said(old, 1, "select of_old");
  await end(w, old);
  assert.equal((await ask(w, "session:old")).sessions.length, 0, "control: its time was passed");
  await w.search.lookAgain();
  assert.equal((await ask(w, "session:old")).sessions.length, 1);
});

test("an index that somebody asks for is built anew and holds the same", async (t) => {
  const w = await world(t);
  await recorded(w, "s1");
  await w.store.events.append([{ atMs: 1, kind: "daemon.start", message: "Guarding" }]);
  const before = await ask(w, "session:s1", { by: "entries" });
  await w.search.reindex();
  assert.deepEqual((await ask(w, "session:s1", { by: "entries" })).entries, before.entries);
  assert.equal((await ask(w, "kind:daemon.start")).entries.length, 1);
});

test("sessions whose recordings are deleted are forgotten", async (t) => {
  const w = await world(t);
  await recorded(w, "s1");
  await recorded(w, "s2");
  assert.equal((await ask(w, "card")).entries.length, 2);
  await w.search.forget(["s1"]);
  assert.deepEqual(
    (await ask(w, "card")).entries.map(({ session }) => session),
    ["s2"],
  );
  assert.equal((await ask(w, "of_s1")).entries.length, 0);
  assert.equal(await count(w, "SELECT count(*) AS n FROM findings"), 1);
});

test("the same statement with ever other literals is a few rows with the right count and all that was masked", async (t) => {
  const w = await world(t);
  const recording = open(w, "bench");
  for (let id = 1; id <= 20_000; id++) {
    const text = `update accounts set balance = balance + ${id} where aid = ${id * 7}`;
    recording.asked(id, [{ operation: operation("public.accounts", { kind: "update" }), text }], allowed);
    recording.answered({ ...answer(id), masks: [{ column: "a", by: "detector:email", count: 1 }] });
    if (id % 100 === 0) recording.flush();
  }
  await end(w, recording);
  const found = await ask(w, "table:accounts", { by: "entries", limit: 1_000 });
  assert.ok(found.entries.length < 200, String(found.entries.length));
  assert.equal(
    found.entries.reduce((sum, entry) => sum + entry.count, 0),
    20_000,
  );
  assert.ok(found.entries.some(({ folded }) => folded));
  assert.deepEqual((await ask(w, "detector:email")).totals, { sessions: 1, masked: 20_000, shown: 0 });
  const days = join(w.state, "recordings");
  const bytes = readdirSync(days, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
  const indexed = (await count(w, "SELECT page_count * page_size AS n FROM pragma_page_count, pragma_page_size")) ?? 0;
  assert.ok(indexed < bytes, `${indexed} of ${bytes}, which are compressed`);
});

test("a segment of ever other facts is a bounded number of rows that still say what was denied and masked", async (t) => {
  const w = await world(t);
  const recording = open(w, "wide");
  for (let id = 1; id <= 6_000; id++) {
    const asked = [{ operation: operation(`public.t${id}`), text: `select ${id} from t${id}` }];
    recording.asked(id, asked, id === 5_900 ? deny : allowed);
    if (id !== 5_900)
      recording.answered({ ...answer(id), shown: [{ column: `c${id % 3}`, by: "detector:email", count: 2 }] });
    if (id % 100 === 0) recording.flush();
  }
  await end(w, recording);
  assert.deepEqual((await ask(w, "detector:email")).totals, { sessions: 1, masked: 0, shown: 2 * 5_999 });
  assert.equal((await ask(w, "decision:deny rule:no-ddl")).entries.length, 1);
  assert.ok((await count(w, "SELECT count(*) AS n FROM entries")) <= 4_010);
});

test("what waits for the index is a number that falls to nothing", async (t) => {
  const w = await world(t);
  await recorded(w, "s1");
  const { lag } = await ask(w, "card");
  assert.deepEqual([lag.sessions, lag.segments, lag.events, lag.oldestMs], [0, 0, 0, 0]);
  assert.ok(Math.abs(Date.now() - lag.indexedUpToMs) < 60_000);
  assert.deepEqual(Object.keys(w.search.lag()), Object.keys(lag));
});
