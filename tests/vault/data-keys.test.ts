/** Data keys: sealed at rest, made anew each day, and gone for good once destroyed. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import sqlite3 from "sqlite3";
import { DATA_KEY_AGE_MS } from "../../src/base/limits.ts";
import { openStore } from "../../src/store/store.ts";
import { openDataKeys } from "../../src/vault/data-keys.ts";
import { folder, handClock, quietLog } from "../store/folder.ts";

async function world(t: TestContext) {
  const state = join(folder(t), "state");
  const store = await openStore(state, quietLog());
  t.after(() => store.close());
  const wrapping = randomBytes(32);
  const clock = handClock();
  const open = (key = wrapping) => openDataKeys(store.dataKeys, key, clock);
  const stored = () => ["", "-wal"].map((end) => readFileSync(join(state, `sallyport.db${end}`)));
  return { state, clock, open, stored };
}

test("a key is the same after a restart, and stands nowhere in the clear", async (t) => {
  const { open, stored } = await world(t);
  const { id, secret } = (await open()).current();
  const again = await open();
  assert.equal(again.current().id, id);
  assert.deepEqual(Buffer.from(again.secretOf(id) ?? []), Buffer.from(secret));
  for (const bytes of stored()) assert.equal(bytes.includes(Buffer.from(secret)), false);
});

test("a day later there is a new one, and the old one still reads", async (t) => {
  const { clock, open } = await world(t);
  const keys = await open();
  const { id } = keys.current();
  await keys.rotate();
  assert.equal(keys.current().id, id);
  clock.advance(DATA_KEY_AGE_MS);
  await keys.rotate();
  assert.notEqual(keys.current().id, id);
  assert.ok(keys.secretOf(id) !== undefined);
  assert.deepEqual(
    keys.list().map(({ isCurrent }) => isCurrent),
    [false, true],
  );
});

test("a key that was destroyed is gone from memory, database and log, and leaves its name with the reason", async (t) => {
  const { open, stored } = await world(t);
  const keys = await open();
  const { id } = keys.current();
  const sealed = stored()
    .map((bytes) => bytes.toString("latin1"))
    .join("");
  await keys.destroy(id, "end of contract");
  assert.equal(keys.secretOf(id), undefined);
  assert.notEqual(keys.current().id, id, "what begins now has another");
  const gone = (await open()).list().find((key) => key.id === id);
  assert.equal(gone?.reason, "end of contract");
  await assert.rejects(keys.destroy(id, "again"), { code: "DATA_KEY_UNKNOWN" });
  await assert.rejects(keys.destroy("none", "x"), { code: "DATA_KEY_UNKNOWN" });
  // the ciphertext, found by what stood behind the key's name before
  const at = sealed.lastIndexOf(id) + id.length;
  const after = stored()
    .map((bytes) => bytes.toString("latin1"))
    .join("");
  const cipher = sealed.slice(at + 20, at + 60);
  assert.ok(sealed.includes(cipher), "control");
  assert.equal(after.includes(cipher), false);
});

test("a key that somebody's read of the database keeps in its log is not said to be gone, until it is", async (t) => {
  const { state, open, stored } = await world(t);
  const keys = await open();
  const { id } = keys.current();
  const reader = new sqlite3.Database(join(state, "sallyport.db"), sqlite3.OPEN_READONLY);
  t.after(() => reader.close());
  const ask = (sql: string) =>
    new Promise<{ sealed: Buffer }[]>((resolve, reject) => {
      reader.all<{ sealed: Buffer }>(sql, (error, rows) => (error === null ? resolve(rows) : reject(error)));
    });
  await ask("BEGIN");
  const [row] = await ask("SELECT sealed FROM data_keys");
  const isStored = () => stored().some((bytes) => bytes.includes(row?.sealed ?? Buffer.alloc(1)));
  await assert.rejects(keys.destroy(id, "end of contract"), { code: "DATA_KEY_LEFT" });
  assert.equal(keys.secretOf(id), undefined);
  assert.ok(isStored(), "control");
  await ask("COMMIT");
  await keys.destroy(id, "end of contract");
  assert.equal(isStored(), false);
  await assert.rejects(keys.destroy(id, "again"), { code: "DATA_KEY_UNKNOWN" });
});

test("keys that another vault sealed are refused, not replaced", async (t) => {
  const { open } = await world(t);
  await open();
  await assert.rejects(open(randomBytes(32)), { code: "DATA_KEY_BROKEN" });
});
