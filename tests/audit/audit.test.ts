import assert from "node:assert/strict";
import { readFileSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createAudit } from "../../src/audit/audit.ts";
import { journalFiles } from "../../src/audit/journal-files.ts";
import { type Head, readLine } from "../../src/audit/lines.ts";
import { verifyJournal } from "../../src/audit/verify.ts";
import type { Finding } from "../../src/audit/verify-lines.ts";
import type { AuditEvent } from "../../src/model/event.ts";
import type { EventSettings, SinkSettings } from "../../src/model/sink.ts";
import type { EventStore } from "../../src/store/events.ts";
import { openStore } from "../../src/store/store.ts";
import { folder, fullDisk, handClock, quietLog } from "../store/folder.ts";
import { event, journalEvents, until, WORLD } from "./kit.ts";

interface More {
  readonly queueMax?: number;
  readonly append?: EventStore["append"];
  readonly fileBytes?: number;
}

async function given(t: TestContext, more: More = {}) {
  const stateDir = join(folder(t), "state");
  const log = quietLog();
  const opened = await openStore(stateDir, log);
  t.after(() => opened.close());
  const disk = fullDisk(writeSync);
  const store = { ...opened.events, ...(more.append && { append: more.append }) };
  const clock = handClock(9);
  const options = { store, log, clock, stateDir, world: WORLD, writeBytes: disk.write };
  const create = () =>
    createAudit({
      ...options,
      ...(more.queueMax && { queueMax: more.queueMax }),
      ...(more.fileBytes && { fileBytes: more.fileBytes }),
    });
  const audit = create();
  t.after(() => audit.close());
  return { audit, create, store, stateDir, disk, lines: () => journalEvents(stateDir), log };
}

/** Without what the journal adds. */
const plain = (lines: readonly AuditEvent[]) =>
  lines.map(({ atMs, kind, agent, message, fields }) => ({ atMs, kind, agent, message, fields }));

test("every event is in the store and is one line of the journal, in the order it happened", async (t) => {
  const { audit, store, lines, stateDir } = await given(t);
  for (const at of [1, 2, 3]) audit.emit(event(at));
  await audit.flush();
  assert.deepEqual(plain(lines()), [event(1), event(2), event(3)]);
  assert.deepEqual(await store.list(), [event(3), event(2), event(1)]);
  const [file] = journalFiles(join(stateDir, "events"));
  assert.equal(statSync(file?.path ?? "").mode & 0o777, 0o600);
});

test("a restart goes on at the end of the journal, with its chain", async (t) => {
  const { audit, create, stateDir } = await given(t);
  audit.emit(event(1));
  await audit.close();
  const again = create();
  assert.deepEqual(again.head, audit.head);
  again.emit(event(2));
  await again.close();
  assert.deepEqual(
    journalEvents(stateDir).map(({ seq, atMs }) => [seq, atMs]),
    [
      [1, 1],
      [2, 2],
    ],
  );
  assert.deepEqual(await faultsOf(stateDir), []);
});

test("events beyond the queue are counted, and the count is an event of the chain", async (t) => {
  const { audit, store, lines } = await given(t, { queueMax: 2 });
  for (const at of [1, 2, 3, 4, 5]) audit.emit(event(at));
  await audit.flush();
  const kinds = (events: readonly AuditEvent[]) => events.map(({ kind, atMs }) => `${kind} ${atMs}`);
  assert.deepEqual(kinds(lines()), ["action.deny 1", "action.deny 2", "events.lost 9"]);
  assert.deepEqual(kinds(await store.list()), ["events.lost 9", "action.deny 2", "action.deny 1"]);
  assert.deepEqual(lines().at(-1)?.fields, { store: 3, journal: 3 });
  audit.emit(event(6));
  await audit.flush();
  assert.deepEqual(kinds(lines()).slice(3), ["action.deny 6"], "a loss is reported once");
});

test("a full disk loses nothing that the queue can hold, tears no line, and goes on by itself once there is room", async (t) => {
  const { audit, disk, lines, log, stateDir } = await given(t);
  audit.emit(event(1));
  await audit.flush();
  disk.room = 10;
  audit.emit(event(2));
  audit.emit(event(3));
  await audit.flush();
  assert.deepEqual(plain(lines()), [event(1)]);
  assert.ok(log.lines.some((line) => line.startsWith("error Cannot write audit events")));
  disk.room = Number.POSITIVE_INFINITY;
  await until("the journal is written again", () => lines().length === 3);
  assert.deepEqual(plain(lines()), [event(1), event(2), event(3)]);
  assert.deepEqual(await faultsOf(stateDir), []);
  assert.equal(audit.lost, 0);
});

test("what a full disk and a full queue lose together is counted in the chain", async (t) => {
  const { audit, disk, lines } = await given(t, { queueMax: 2 });
  disk.room = 0;
  audit.emit(event(1));
  audit.emit(event(2));
  await audit.flush();
  audit.emit(event(3));
  await audit.flush();
  disk.room = Number.POSITIVE_INFINITY;
  await audit.flush();
  assert.deepEqual(
    lines().map(({ kind, fields }) => `${kind} ${fields?.["journal"] ?? ""}`),
    ["action.deny ", "action.deny ", "events.lost 1"],
  );
});

test("a store that fails delays and stops nothing", async (t) => {
  const { audit, lines } = await given(t, { append: () => Promise.reject(new Error("SQLITE_FULL")) });
  audit.emit(event(1));
  await audit.flush();
  assert.deepEqual(plain(lines())[0], event(1));
  assert.ok(audit.lost >= 1);
});

async function faultsOf(stateDir: string, before?: Head): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for await (const finding of verifyJournal(join(stateDir, "events"), before && { before })) findings.push(finding);
  return findings;
}

/** A webhook at which nobody listens. */
const DEAD: SinkSettings = {
  kind: "webhook",
  name: "dead",
  format: "native",
  kinds: [],
  url: "http://127.0.0.1:9/",
  key: { env: "KEY" },
  tls: {},
};
const settings = (bytesMax: number, whenFull: EventSettings["outbox"]["whenFull"]): EventSettings => ({
  decisions: "refused",
  outbox: { bytesMax, whenFull },
  sinks: [DEAD],
});

test("an outbox that stops operations says why, keeps what tells of that, counts what is beyond, and opens again", async (t) => {
  const { audit, lines } = await given(t);
  audit.prepare(settings(4_000, "stop"))();
  assert.equal(audit.accepting(), true);
  for (let at = 1; at <= 30; at++) audit.emit(event(at));
  await audit.flush();
  assert.match(String(audit.accepting()), /too many audit events wait/);
  for (let at = 31; at <= 120; at++) {
    audit.emit(event(at));
    await audit.flush();
  }
  const kept = lines().length;
  assert.ok(kept > 30 && kept < 70, `${kept} are kept`);
  assert.ok(audit.lost > 0);
  audit.prepare({ ...settings(4_000, "stop"), sinks: [] })();
  assert.equal(audit.accepting(), true);
  await audit.flush();
  assert.equal(lines().at(-1)?.kind, "events.lost");
});

test("an outbox that drops the oldest skips them for the sink that is behind, and the count is in the chain", async (t) => {
  const { audit, lines, stateDir } = await given(t, { fileBytes: 1_500 });
  audit.prepare(settings(6_000, "drop-oldest"))();
  for (let at = 1; at <= 200; at++) {
    audit.emit(event(at));
    if (at % 5 === 0) await audit.flush();
  }
  await audit.flush();
  assert.equal(audit.accepting(), true);
  const skipped = lines().filter(({ kind }) => kind === "events.skipped");
  const [sink] = audit.sinks();
  const counted = skipped.reduce((sum, { fields }) => sum + Number(fields?.["events"]), 0);
  assert.ok(counted > 150, `${counted} are skipped`);
  assert.equal(sink?.skipped, counted);
  let next = 1;
  for (const { fields } of skipped) {
    assert.equal(fields?.["fromSeq"], next, "no gap is without its count");
    next = Number(fields?.["toSeq"]) + 1;
  }
  assert.equal(sink?.acknowledged.seq, next - 1);
  assert.ok((sink?.behind.bytes ?? 0) <= 6_000);
  assert.deepEqual(await faultsOf(stateDir), []);
});

test("a dead sink is no obstacle: all is in the journal and another sink has all of it", async (t) => {
  const { audit, lines, stateDir } = await given(t);
  const path = join(stateDir, "out.jsonl");
  const file = { kind: "file", name: "live", format: "native", kinds: [], path, bytesMax: 1e9, keep: 1 } as const;
  audit.prepare({ ...settings(1e9, "drop-oldest"), sinks: [DEAD, file] })();
  for (let at = 1; at <= 3_000; at++) audit.emit(event(at));
  await audit.flush();
  assert.equal(lines().length, 3_000);
  await until("the file has all", () => audit.sinks().find(({ name }) => name === "live")?.behind.events === 0);
  assert.equal(readFileSync(path, "utf8").split("\n").length - 1, 3_000);
  const dead = audit.sinks().find(({ name }) => name === "dead");
  assert.equal(dead?.behind.events, 3_000);
  assert.equal(dead?.state, "failing");
  assert.match(dead?.lastError?.message ?? "", /ECONNREFUSED/);
});

test("retention removes no file that a sink has not taken", async (t) => {
  const { audit, stateDir } = await given(t, { fileBytes: 1 });
  audit.prepare(settings(1e9, "drop-oldest"))();
  for (const at of [1, 2, 3]) {
    audit.emit(event(at));
    await audit.flush();
  }
  assert.deepEqual(audit.removeBefore(3).files, []);
  audit.prepare({ ...settings(1e9, "drop-oldest"), sinks: [] })();
  const { files, before } = audit.removeBefore(3);
  assert.deepEqual(files, [1, 2]);
  assert.deepEqual(
    journalFiles(join(stateDir, "events")).map(({ first }) => first),
    [3],
  );
  assert.equal(before.seq, 2);
  assert.deepEqual(await faultsOf(stateDir, before), []);
  assert.equal((await faultsOf(stateDir, { seq: 2, hash: "0".repeat(64) })).length, 1);
});

test("an event that is too long for a line loses its texts and says so", async (t) => {
  const { audit, stateDir } = await given(t);
  audit.emit(event(1, { fields: { tables: "x".repeat(100_000) } }));
  await audit.flush();
  const [file] = journalFiles(join(stateDir, "events"));
  const line = readFileSync(file?.path ?? "").subarray(0, -1);
  assert.ok(line.length < 4_096);
  assert.equal(readLine(line)?.fields?.["cut"], true);
});
