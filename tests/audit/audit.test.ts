import assert from "node:assert/strict";
import { readFileSync, statSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createAudit } from "../../src/audit/audit.ts";
import type { AuditEvent } from "../../src/model/event.ts";
import type { EventStore } from "../../src/store/events.ts";
import { openStore } from "../../src/store/store.ts";
import { folder, fullDisk, handClock, quietLog } from "../store/folder.ts";

const event = (at: number): AuditEvent => ({
  atMs: at,
  kind: "action.deny",
  agent: "ci",
  message: `line\n${at}`,
  fields: { at },
});

async function given(
  t: TestContext,
  more: { readonly queueMax?: number; readonly append?: EventStore["append"] } = {},
) {
  const dir = join(folder(t), "state");
  const log = quietLog();
  const opened = await openStore(dir, log);
  t.after(() => opened.close());
  const file = join(dir, "audit.jsonl");
  const disk = fullDisk(writeSync);
  const store = { ...opened.events, ...(more.append && { append: more.append }) };
  const clock = handClock(9);
  const audit = createAudit({
    store,
    log,
    clock,
    file,
    writeBytes: disk.write,
    ...(more.queueMax && { queueMax: more.queueMax }),
  });
  const lines = (): AuditEvent[] =>
    readFileSync(file, "utf8")
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line) as AuditEvent);
  return { audit, store, file, disk, lines, log };
}

test("every event is in the store and is one line of the file, in the order it happened", async (t) => {
  const { audit, store, lines, file } = await given(t);
  for (const at of [1, 2, 3]) audit.emit(event(at));
  await audit.flush();
  assert.deepEqual(lines(), [event(1), event(2), event(3)]);
  assert.deepEqual(await store.list(), [event(3), event(2), event(1)]);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  await audit.close();
});

test("a restart goes on at the end of the file", async (t) => {
  const dir = join(folder(t), "state");
  const store = await openStore(dir, quietLog());
  t.after(() => store.close());
  const file = join(dir, "audit.jsonl");
  writeFileSync(file, "{}\n");
  const audit = createAudit({ store: store.events, log: quietLog(), clock: handClock(), file });
  audit.emit(event(1));
  await audit.close();
  assert.equal(readFileSync(file, "utf8"), `{}\n${JSON.stringify(event(1))}\n`);
});

test("events beyond the queue are counted, and the count is an event", async (t) => {
  const { audit, store, lines } = await given(t, { queueMax: 2 });
  for (const at of [1, 2, 3, 4, 5]) audit.emit(event(at));
  await audit.flush();
  const kinds = (events: readonly AuditEvent[]) => events.map(({ kind, atMs }) => `${kind} ${atMs}`);
  assert.deepEqual(kinds(lines()), ["action.deny 1", "action.deny 2", "events.lost 9"]);
  assert.deepEqual(kinds(await store.list()), ["events.lost 9", "action.deny 2", "action.deny 1"]);
  assert.deepEqual(lines().at(-1)?.fields, { store: 3, file: 3 });
  audit.emit(event(6));
  await audit.flush();
  assert.deepEqual(kinds(lines()).slice(3), ["action.deny 6"], "a loss is reported once");
  await audit.close();
});

test("a disk that takes nothing loses lines of the file only, whole lines, and says how many, its own report included", async (t) => {
  const { audit, store, disk, lines, log } = await given(t);
  audit.emit(event(1));
  await audit.flush();
  disk.room = 10;
  audit.emit(event(2));
  audit.emit(event(3));
  await audit.flush();
  assert.deepEqual(lines(), [event(1)]);
  assert.ok(log.lines.some((line) => line.startsWith("error Cannot write audit events")));
  disk.room = Number.POSITIVE_INFINITY;
  audit.emit(event(4));
  await audit.flush();
  assert.deepEqual((await store.list()).map(({ atMs }) => atMs).includes(3), true);
  assert.deepEqual(
    lines()
      .filter(({ kind }) => kind === "action.deny")
      .map(({ atMs }) => atMs),
    [1, 4],
  );
  assert.ok(lines().some(({ kind, fields }) => kind === "events.lost" && fields?.["file"] === 3));
  await audit.close();
});

test("a store that fails delays and stops nothing", async (t) => {
  const { audit, lines } = await given(t, { append: () => Promise.reject(new Error("SQLITE_FULL")) });
  audit.emit(event(1));
  await audit.flush();
  assert.deepEqual(lines()[0], event(1));
  assert.ok(audit.lost >= 1);
  await audit.close();
});
