/** One sink's way through the journal, against receivers that a test scripts. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, renameSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { readCursor } from "../../src/audit/cursor.ts";
import { deadLetterFile } from "../../src/audit/dead-letters.ts";
import type { Journal } from "../../src/audit/journal.ts";
import { NO_HASH } from "../../src/audit/lines.ts";
import { Pump } from "../../src/audit/pump.ts";
import { placeOfStart } from "../../src/audit/reader.ts";
import type { Message, Outcome, Sink } from "../../src/audit/sink.ts";
import type { AuditEvent } from "../../src/model/event.ts";
import type { SinkSettings } from "../../src/model/sink.ts";
import { folder, quietLog } from "../store/folder.ts";
import { event, events, openJournal, until } from "./kit.ts";

const WEBHOOK: SinkSettings = {
  ...{ kind: "webhook", name: "hook", format: "native", kinds: [] },
  ...{ url: "http://x/", key: { env: "K" }, tls: {} },
} as SinkSettings;
const SYSLOG: SinkSettings = {
  ...{ kind: "syslog", name: "logs", format: "native", kinds: [] },
  ...{ host: "x", port: 1, tls: "disable", resendBytes: 2_000 },
} as SinkSettings;

interface Given {
  readonly answer: (batch: readonly Message[]) => Outcome | Promise<Outcome>;
  readonly settings?: SinkSettings;
  readonly journal?: Journal;
}

function given(t: TestContext, { answer, settings = WEBHOOK, journal = openJournal(t) }: Given) {
  const log = quietLog();
  const dir = join(folder(t), "sinks");
  mkdirSync(dir);
  const batches: number[][] = [];
  const emitted: AuditEvent[] = [];
  const sink: Sink = {
    deliver: async (batch) => {
      batches.push(batch.map(({ seq }) => seq));
      return answer(batch);
    },
    close: () => {},
  };
  const place = placeOfStart(journal);
  const cursor = { seq: 0, hash: NO_HASH, checkpoint: 0, delivered: 0, deadLettered: 0, skipped: 0 };
  const pump = new Pump(
    {
      ...{ settings, sink, journal, dir, clock: { nowMs: () => Date.now() }, log },
      emit: (one) => emitted.push(one),
      moved: () => {},
      format: (_event, _seq, line) => line,
      backOff: { firstMs: 1, maxMs: 4 },
    },
    { place, cursor },
  );
  t.after(() => pump.close());
  const append = (list: readonly AuditEvent[]) => {
    journal.append(list);
    pump.wake();
  };
  return { pump, sink, journal, dir, batches, emitted, append, log };
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

test("batches come in order, and the cursor follows what was taken", async (t) => {
  const { pump, journal, dir, batches, append } = given(t, { answer: () => ({ kind: "taken" }) });
  append(events(1, 1_200));
  await until("all is taken", () => pump.status().behind.events === 0);
  assert.deepEqual(batches.flat(), range(1, 1_200));
  assert.ok(batches.every((batch) => batch.length <= 500));
  await until("the cursor is written", () => readCursor(dir, "hook")?.seq === 1_200);
  assert.equal(readCursor(dir, "hook")?.hash, journal.head.hash);
  assert.equal(pump.status().delivered, 1_200);
});

test("what fails is tried again, from the same event, until it is taken", async (t) => {
  let failures = 4;
  const { pump, batches, append } = given(t, {
    answer: () => (failures-- > 0 ? { kind: "failed", reason: "status 503" } : { kind: "taken" }),
  });
  append(events(1, 3));
  await until("it is taken", () => pump.status().behind.events === 0);
  assert.deepEqual(batches, [range(1, 3), range(1, 3), range(1, 3), range(1, 3), range(1, 3)]);
  const { retried, delivered, state, lastError } = pump.status();
  assert.deepEqual([retried, delivered, state, lastError?.message], [4, 3, "current", "status 503"]);
});

test("of a refused batch only the event that is at fault goes to the dead letters, with the reason", async (t) => {
  const { pump, dir, batches, append } = given(t, {
    answer: (batch) =>
      batch.some(({ seq }) => seq === 13) ? { kind: "refused", reason: "status 400" } : { kind: "taken" },
  });
  append(events(1, 40));
  await until("all is through", () => pump.status().behind.events === 0);
  const taken = batches.filter((batch) => !batch.includes(13)).flat();
  assert.deepEqual(
    [...new Set(taken)].sort((one, other) => one - other),
    range(1, 40).filter((seq) => seq !== 13),
  );
  const [letter, ...others] = readFileSync(deadLetterFile(dir, "hook"), "utf8").trim().split("\n");
  assert.equal(others.length, 0);
  const { seq, reason, text } = JSON.parse(letter ?? "") as { seq: number; reason: string; text: string };
  assert.deepEqual([seq, reason, JSON.parse(text).atMs], [13, "status 400", 13]);
  const { delivered, deadLettered } = pump.status();
  assert.deepEqual([delivered, deadLettered], [39, 1]);
});

test("a receiver that refuses every event is told to the log once, and again after it took one", async (t) => {
  let refuses = true;
  const refused = { kind: "refused", reason: "status 400" } as const;
  const { pump, append, log } = given(t, { answer: () => (refuses ? refused : { kind: "taken" }) });
  append(events(1, 40));
  await until("all is through", () => pump.status().behind.events === 0);
  assert.equal(pump.status().deadLettered, 40);
  assert.equal(log.lines.length, 1);
  refuses = false;
  append(events(41, 41));
  await until("it is through", () => pump.status().delivered === 1);
  refuses = true;
  append(events(42, 42));
  await until("it is through", () => pump.status().deadLettered === 41);
  assert.equal(log.lines.length, 2);
});

test("what a receiver rejects without saying which is counted, kept, and not sent again", async (t) => {
  const { pump, dir, batches, append } = given(t, {
    answer: () => ({ kind: "taken", rejected: { count: 2, reason: "no room" } }),
  });
  append(events(1, 5));
  await until("it is through", () => pump.status().behind.events === 0);
  assert.deepEqual(batches, [range(1, 5)]);
  assert.deepEqual([pump.status().delivered, pump.status().deadLettered], [3, 2]);
  assert.equal(readFileSync(deadLetterFile(dir, "hook"), "utf8").trim().split("\n").length, 5);
});

test("only chosen kinds are delivered, and the others do not hold up the cursor", async (t) => {
  const settings = { ...WEBHOOK, kinds: ["session.*", "hold.denied"] };
  const { pump, batches, append } = given(t, { answer: () => ({ kind: "taken" }), settings });
  const kinds = ["session.start", "action.deny", "sessionx", "hold.denied", "hold.deniedx", "session.end", "agent.tag"];
  append(kinds.map((kind, at) => event(at, { kind })));
  await until("it is through", () => pump.status().behind.events === 0);
  assert.deepEqual(batches.flat(), [1, 4, 6]);
  assert.equal(pump.status().acknowledged.seq, 7);
});

test("what was only sent is not acknowledged before more has followed than can be in flight", async (t) => {
  const { pump, append, batches } = given(t, { answer: () => ({ kind: "sent" }), settings: SYSLOG });
  append(events(1, 5));
  await until("it is sent", () => pump.status().behind.events === 0);
  assert.deepEqual([pump.status().acknowledged.seq, pump.status().unsettled], [0, 5]);
  append(events(6, 25)); // more than 2,000 bytes
  await until("it is sent", () => batches.flat().length === 25);
  await until("the first ones settle", () => pump.status().acknowledged.seq === 5);
  assert.equal(pump.status().unsettled, 20);
});

test("after a broken connection everything that is not settled is sent again, with the same numbers", async (t) => {
  const { pump, sink, append, batches } = given(t, { answer: () => ({ kind: "sent" }), settings: SYSLOG });
  append(events(1, 5));
  await until("it is sent", () => batches.length === 1);
  sink.onBroken?.("the receiver ended the connection");
  await until("it is sent again", () => batches.length === 2);
  assert.deepEqual(batches, [range(1, 5), range(1, 5)]);
  assert.equal(pump.status().lastError?.message, "the receiver ended the connection");
});

test("the newest checkpoint that a sink has is known, and only once it has it", async (t) => {
  let open = false;
  const { pump, dir, append } = given(t, {
    answer: () => (open ? { kind: "taken" } : { kind: "failed", reason: "not yet" }),
  });
  append([
    event(1),
    event(2, { kind: "evidence.checkpoint" }),
    event(3),
    event(4, { kind: "evidence.checkpoint" }),
    event(5),
  ]);
  await until("it fails", () => pump.status().retried > 0);
  assert.equal(pump.status().acknowledged.checkpoint, 0);
  open = true;
  await until("it is through", () => pump.status().behind.events === 0);
  assert.equal(pump.status().acknowledged.checkpoint, 4);
  await until("the cursor is written", () => readCursor(dir, "hook")?.checkpoint === 4);
});

test("an event that was skipped while its delivery was under way is not delivered twice, nor is the cursor set back", async (t) => {
  const gate = Promise.withResolvers<Outcome>();
  let calls = 0;
  const { pump, emitted, append, batches } = given(t, {
    answer: () => (calls++ === 0 ? gate.promise : { kind: "taken" }),
  });
  append(events(1, 3));
  await until("it is under way", () => calls === 1);
  append(events(4, 20));
  pump.skipTo(400);
  const skippedTo = pump.status().acknowledged.seq;
  assert.ok(skippedTo > 10 && skippedTo < 20);
  assert.equal(emitted[0]?.kind, "events.skipped");
  assert.equal(emitted[0]?.fields?.["events"], skippedTo);
  gate.resolve({ kind: "taken" });
  await until("the rest is through", () => pump.status().behind.events === 0);
  assert.deepEqual(batches.slice(1).flat(), range(skippedTo + 1, 20));
});

test("a line that was damaged on the disk is a dead letter, and the next ones go on", async (t) => {
  const journal = openJournal(t);
  journal.append(events(1, 3));
  const file = journal.pathOf(1);
  writeFileSync(file, readFileSync(file, "utf8").replace('{"seq":2', '{"seq":x'));
  const { pump, batches } = given(t, { answer: () => ({ kind: "taken" }), journal });
  await until("it is through", () => pump.status().behind.events === 0);
  assert.deepEqual(batches.flat(), [1, 3]);
  assert.equal(pump.status().deadLettered, 1);
});

test("a journal that cannot be read for a while is read again later", async (t) => {
  const journal = openJournal(t);
  journal.append(events(1, 3));
  const file = journal.pathOf(1);
  renameSync(file, `${file}.away`);
  mkdirSync(file); // reading it is EISDIR
  const { pump, batches } = given(t, { answer: () => ({ kind: "taken" }), journal });
  await until("it fails", () => pump.status().retried > 1);
  assert.match(pump.status().lastError?.message ?? "", /EISDIR/);
  rmdirSync(file);
  renameSync(`${file}.away`, file);
  await until("it is through", () => pump.status().behind.events === 0);
  assert.deepEqual(batches.flat(), [1, 2, 3]);
});

test("a journal that somebody cut holds no sink up", async (t) => {
  const journal = openJournal(t, { fileBytes: 1 });
  for (const at of [1, 2, 3]) journal.append([event(at)]);
  writeFileSync(journal.pathOf(2), "");
  const { pump, batches } = given(t, { answer: () => ({ kind: "taken" }), journal });
  await until("it is through", () => pump.status().behind.events === 0);
  assert.deepEqual(batches.flat(), [1, 3]);
});

test("a sink that throws is one that fails", async (t) => {
  let calls = 0;
  const { pump, append } = given(t, {
    answer: () => {
      if (calls++ === 0) throw new Error("a fault of ours");
      return { kind: "taken" };
    },
  });
  append(events(1, 1));
  await until("it is taken", () => pump.status().behind.events === 0);
  assert.equal(pump.status().lastError?.message, "a fault of ours");
});

test("a cursor that cannot be written loses nothing: the rest of it is sent again later", async (t) => {
  const { pump, dir, append } = given(t, { answer: () => ({ kind: "taken" }) });
  mkdirSync(join(dir, "hook.cursor.json.new")); // in the temporary file's place
  append(events(1, 2));
  await until("it is taken", () => pump.status().behind.events === 0);
  assert.equal(readCursor(dir, "hook")?.seq, 0);
});
