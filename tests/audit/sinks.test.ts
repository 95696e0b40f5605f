/** Sinks as the settings make them: cursors over restarts and changes, and what a cursor proves. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { cursorFile, readCursor } from "../../src/audit/cursor.ts";
import { Journal } from "../../src/audit/journal.ts";
import { Sinks } from "../../src/audit/sinks.ts";
import type { AuditEvent } from "../../src/model/event.ts";
import type { EventSettings, SinkSettings } from "../../src/model/sink.ts";
import { folder, quietLog } from "../store/folder.ts";
import { events, until, WORLD } from "./kit.ts";

function given(t: TestContext) {
  const base = folder(t);
  const dir = join(base, "sinks");
  const emitted: AuditEvent[] = [];
  const file = (name: string, more: object = {}): SinkSettings =>
    ({
      ...{ kind: "file", name, format: "native", kinds: [], path: join(base, `${name}.jsonl`), bytesMax: 1e9, keep: 2 },
      ...more,
    }) as SinkSettings;
  const settings = (...sinks: SinkSettings[]): EventSettings => ({
    ...{ decisions: "refused", outbox: { bytesMax: 1e9, whenFull: "drop-oldest" }, sinks },
  });
  const open = () => {
    const journal = Journal.open({ dir: join(base, "events"), fileBytes: 2_000 });
    const clock = { nowMs: () => Date.now() };
    const emit = (event: AuditEvent) => void emitted.push(event);
    const sinks = new Sinks({ journal, dir, clock, log: quietLog(), world: WORLD, emit });
    const append = (from: number, to: number) => {
      for (const event of events(from, to)) journal.append([event]);
      sinks.wake();
    };
    const close = () => {
      sinks.close();
      journal.close();
    };
    t.after(close);
    const caughtUp = () => until("all have all", () => sinks.status().every(({ behind }) => behind.events === 0));
    return { journal, sinks, append, close, caughtUp };
  };
  const seqs = (name: string) =>
    readFileSync(join(base, `${name}.jsonl`), "utf8")
      .split("\n")
      .filter(Boolean)
      .map((line) => (JSON.parse(line) as { seq: number }).seq);
  return { base, dir, open, file, settings, emitted, seqs };
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

test("a restart goes on after the last event that was taken", async (t) => {
  const { open, file, settings, seqs, emitted } = given(t);
  const first = open();
  first.sinks.prepare(settings(file("a")))();
  first.append(1, 30);
  await first.caughtUp();
  first.close();
  const second = open();
  second.sinks.prepare(settings(file("a")))();
  second.append(31, 40);
  await second.caughtUp();
  assert.deepEqual(seqs("a"), range(1, 40));
  assert.deepEqual(emitted, []);
  assert.equal(second.sinks.status()[0]?.delivered, 40, "counts live on");
});

test("a changed sink keeps its cursor; a removed one loses it and begins anew when it comes back", async (t) => {
  const { dir, open, file, settings, seqs } = given(t);
  const { sinks, append, caughtUp } = open();
  sinks.prepare(settings(file("a"), file("b")))();
  append(1, 10);
  await caughtUp();
  sinks.prepare(settings(file("a", { keep: 3 })))();
  assert.ok(!existsSync(cursorFile(dir, "b")));
  append(11, 20);
  await caughtUp();
  assert.deepEqual([seqs("a"), seqs("b")], [range(1, 20), range(1, 10)]);
  sinks.prepare(settings(file("a", { keep: 3 }), file("b")))();
  await caughtUp();
  assert.deepEqual(seqs("b"), [...range(1, 10), ...range(1, 20)]);
});

test("a new sink that never took anything begins where it began, however far the journal went meanwhile", async (t) => {
  const { dir, open, settings, file, seqs } = given(t);
  const broken = (bytesMax: number) => {
    const { sinks } = settings(file("a", { path: "/no/such/folder/a.jsonl" }));
    return { ...settings(), outbox: { bytesMax, whenFull: "stop" as const }, sinks };
  };
  const first = open();
  first.append(1, 3);
  first.sinks.prepare(broken(4_000))();
  first.append(4, 60);
  first.close();
  assert.equal(readCursor(dir, "a")?.seq, 0);
  const second = open();
  second.sinks.prepare({ ...settings(file("a")), outbox: { bytesMax: 4_000, whenFull: "stop" } })();
  await second.caughtUp();
  assert.deepEqual(seqs("a"), range(1, 60));
});

test("a cursor whose sink the settings lost while no daemon ran is removed", (t) => {
  const { dir, open, settings } = given(t);
  const { sinks } = open();
  writeFileSync(cursorFile(dir, "old"), '{"seq":0,"hash":""}\n');
  sinks.prepare(settings())();
  assert.ok(!existsSync(cursorFile(dir, "old")));
});

test("settings that cannot be used change nothing", async (t) => {
  const { open, file, settings, seqs } = given(t);
  const { sinks, append, caughtUp } = open();
  sinks.prepare(settings(file("a")))();
  const broken = { ...file("b"), group: "no-such-group-here" } as SinkSettings;
  assert.throws(() => sinks.prepare(settings(broken)), { code: "SINK_GROUP" });
  const unread = { kind: "webhook", name: "w", format: "native", kinds: [], url: "https://x/", key: { env: "K" } };
  assert.throws(() => sinks.prepare(settings({ ...unread, tls: { ca: "/no/such.pem" } } as unknown as SinkSettings)), {
    code: "SINK_TLS",
  });
  append(1, 3);
  await caughtUp();
  assert.deepEqual(seqs("a"), [1, 2, 3]);
});

test("a journal that ends before what a sink has taken was rolled back: that is told as tampering", async (t) => {
  const { base, open, file, settings, emitted, seqs } = given(t);
  const first = open();
  first.sinks.prepare(settings(file("a")))();
  first.append(1, 10);
  await first.caughtUp();
  first.close();
  rmSync(join(base, "events"), { recursive: true });
  const second = open();
  second.append(1, 4);
  second.sinks.prepare(settings(file("a")))();
  assert.deepEqual(
    emitted.map(({ kind, fields }) => [kind, fields?.["sink"], fields?.["seq"]]),
    [["evidence.tamper", "a", 10]],
  );
  second.append(5, 6);
  await second.caughtUp();
  assert.deepEqual(seqs("a"), [...range(1, 10), 5, 6]);
});

test("an event that is not the one that a sink has taken is told as tampering, and all is sent again", async (t) => {
  const { dir, open, file, settings, emitted, seqs } = given(t);
  const first = open();
  first.sinks.prepare(settings(file("a")))();
  first.append(1, 5);
  await first.caughtUp();
  first.close();
  const cursor = readCursor(dir, "a");
  writeFileSync(cursorFile(dir, "a"), JSON.stringify({ ...cursor, hash: "f".repeat(64) }));
  const second = open();
  second.sinks.prepare(settings(file("a")))();
  await second.caughtUp();
  assert.equal(emitted[0]?.kind, "evidence.tamper");
  assert.deepEqual(seqs("a"), [...range(1, 5), ...range(1, 5)]);
});

test("a damaged cursor means that events are sent again", async (t) => {
  const { dir, open, file, settings, seqs } = given(t);
  const first = open();
  first.append(1, 3);
  writeFileSync(cursorFile(dir, "a"), "{");
  first.sinks.prepare(settings(file("a")))();
  await first.caughtUp();
  assert.deepEqual(seqs("a"), [1, 2, 3]);
});

test("retention past a sink that has everything is no tampering", async (t) => {
  const { open, file, settings, emitted } = given(t);
  const first = open();
  first.sinks.prepare(settings(file("a")))();
  first.append(1, 60);
  await first.caughtUp();
  assert.ok(first.journal.removeBefore(60).files.length > 2);
  first.close();
  const second = open();
  second.sinks.prepare(settings(file("a")))();
  second.append(61, 62);
  await second.caughtUp();
  assert.deepEqual(emitted, []);
});
