/** What a decision survives, how segments become smaller, and what a full disk means where the settings say to go on. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ARCHIVE_BYTES_MIN, RECORD_PENDING_BYTES_MAX, SEGMENT_AGE_MS } from "../../src/base/limits.ts";
import { listSegments, type ReadEntry, readRecording } from "../../src/recorder/read.ts";
import { createRecorder, type RecorderOptions } from "../../src/recorder/recorder.ts";
import { sessionKey } from "../../src/recorder/seal.ts";
import { createCommits } from "../../src/store/commits.ts";
import { openSegment, type Segment } from "../../src/store/segment.ts";
import { openStore } from "../../src/store/store.ts";
import { folder, fullDisk, handClock, quietLog } from "../store/folder.ts";
import { allow, answer, ask, DAY, entries, NOON, outline, start, summary } from "./kit.ts";

async function recorderWith(t: TestContext, options: Partial<RecorderOptions> = {}) {
  const state = join(folder(t), "state");
  const store = await openStore(state, quietLog());
  t.after(() => store.close());
  const dir = join(state, "recordings");
  const clock = handClock(NOON);
  const scrub = (text: string) => text;
  const recorder = await createRecorder({ dir, clock, scrub, index: store.sessions, log: quietLog(), ...options });
  return { dir, clock, recorder };
}

const big = (at: number) => ask(`SELECT ${at} ${"x".repeat(40_000)}`);

test("a closed segment is compressed, zstd itself reads it, and the recording reads as before", async (t) => {
  const { dir, clock, recorder } = await recorderWith(t);
  const recording = recorder.open(start("s1"));
  for (const at of [1, 2, 3]) {
    recording.asked(at, [big(at), big(at)], allow);
    recording.flush();
  }
  const before = await entries(dir, "s1");
  clock.advance(SEGMENT_AGE_MS + 1);
  recording.answered(answer(3));
  await recording.end(summary);
  await recorder.close();
  const day = join(dir, DAY);
  assert.deepEqual(readdirSync(day), ["s1.0001.rec.zst", "s1.0002.rec"], "the small one stays");
  const compressed = join(day, "s1.0001.rec.zst");
  assert.equal(statSync(compressed).mode & 0o777, 0o600);
  assert.ok(statSync(compressed).size < ARCHIVE_BYTES_MIN / 10);
  const raw = execFileSync("zstd", ["-dc", compressed], { maxBuffer: 1 << 24 });
  assert.equal(raw.subarray(0, 8).toString(), "SALLYREC");
  const after = await entries(dir, "s1");
  assert.deepEqual(after.slice(0, before.length - 1), before.slice(0, -1));
  assert.deepEqual(outline(after.slice(-2)), ["answer 3", "end"]);
});

test("segments are listed, and read from any of them on, without reading the ones before", async (t) => {
  const { dir, clock, recorder } = await recorderWith(t);
  const recording = recorder.open(start("s1"));
  for (const at of [1, 2, 3]) {
    clock.advance(SEGMENT_AGE_MS + 1);
    recording.asked(at, [big(at), big(at)], allow);
    recording.flush();
  }
  await recording.end(summary);
  await recorder.close();
  const segments = await listSegments(dir, "s1");
  assert.deepEqual(
    segments.map(({ segment, firstSequence, openedMs }) => [segment, firstSequence, openedMs - NOON]),
    [
      [1, 1, 0],
      [2, 2, SEGMENT_AGE_MS + 1],
      [3, 5, 2 * (SEGMENT_AGE_MS + 1)],
      [4, 8, 3 * (SEGMENT_AGE_MS + 1)],
    ],
  );
  const got: ReadEntry[] = [];
  for await (const entry of readRecording(dir, "s1", { fromSegment: 3 })) got.push(entry);
  assert.deepEqual(outline(got), ["action 2", "action 2", "decision 2", "action 3", "action 3", "decision 3", "end"]);
});

test("a sealed recording has nothing to read in it, and reads with its key and with no other", async (t) => {
  const secret = randomBytes(32);
  const { dir, recorder } = await recorderWith(t, { dataKey: () => ({ id: "k1", secret }) });
  const recording = recorder.open(start("s1"));
  recording.asked(1, [ask("SELECT 'canary-4711'")], allow);
  recording.flush();
  await recording.end(summary);
  const bytes = readFileSync(join(dir, DAY, "s1.0001.rec"));
  assert.equal(bytes.includes("canary-4711"), false);
  assert.equal(bytes.includes("builder"), false, "nor who it was");
  const read = async (key: Uint8Array | undefined) => {
    const got: ReadEntry[] = [];
    for await (const entry of readRecording(dir, "s1", { keys: () => key })) got.push(entry);
    return got;
  };
  assert.deepEqual(outline(await read(sessionKey(secret, "s1"))), ["start", "action 1", "decision 1", "end"]);
  assert.deepEqual(
    (await read(undefined)).map(({ kind }) => kind),
    ["sealed", "interrupted"],
    "destroyed",
  );
  const wrong = await read(sessionKey(secret, "s2"));
  assert.ok(wrong.every(({ kind }) => kind === "damaged" || kind === "interrupted"));
});

test("a sealed recording is read from any of its segments, though records name others", async (t) => {
  const secret = randomBytes(32);
  const { dir, recorder, clock } = await recorderWith(t, { dataKey: () => ({ id: "k1", secret }) });
  const recording = recorder.open(start("s1"));
  for (const at of [1, 2, 3]) {
    recording.asked(at, [ask("SELECT 1")], allow);
    if (at === 2) clock.advance(SEGMENT_AGE_MS + 1);
    recording.flush();
  }
  await recording.end(summary);
  const keys = () => sessionKey(secret, "s1");
  const got: ReadEntry[] = [];
  for await (const entry of readRecording(dir, "s1", { fromSegment: 2, keys })) got.push(entry);
  assert.deepEqual(outline(got), ["action 2", "decision 2", "action 3", "decision 3", "end"]);
  for (const entry of got) {
    if (entry.kind === "action") assert.deepEqual([entry.text, entry.actions.length], ["SELECT 1", 1]);
    if (entry.kind === "decision") assert.deepEqual(entry.rules, allow.kind === "allow" ? allow.rules : undefined);
  }
});

/** Segments that sync when the test says so. */
function slowSegment(): Segment & { readonly syncs: PromiseWithResolvers<void>[] } {
  const syncs: PromiseWithResolvers<void>[] = [];
  const sync = () => {
    const one = Promise.withResolvers<void>();
    syncs.push(one);
    return one.promise;
  };
  return {
    file: "",
    fd: -1,
    size: 0,
    broken: false,
    appended: () => {},
    write: () => {},
    close: () => {},
    sync,
    syncs,
  };
}

test("what waits while one round of syncs runs shares the next round", async () => {
  const commits = createCommits();
  const [one, other] = [slowSegment(), slowSegment()];
  const first = commits.sync(one);
  await new Promise(setImmediate);
  assert.equal(one.syncs.length, 1);
  const later = [commits.sync(one), commits.sync(other), commits.sync(other)];
  await new Promise(setImmediate);
  assert.deepEqual([one.syncs.length, other.syncs.length], [1, 0], "the round that runs did not have their bytes");
  one.syncs[0]?.resolve();
  await first;
  await new Promise(setImmediate);
  assert.deepEqual([one.syncs.length, other.syncs.length], [2, 1], "one sync a file, whoever waits for it");
  other.syncs[0]?.reject(new Error("EIO"));
  one.syncs[1]?.resolve();
  const results = await Promise.allSettled(later);
  assert.deepEqual(
    results.map(({ status }) => status),
    ["fulfilled", "rejected", "rejected"],
  );
  const next = commits.sync(other);
  await new Promise(setImmediate);
  other.syncs[1]?.resolve();
  await next;
});

test("in fsync mode what allows something settles, what only answers does not wait", async (t) => {
  const { dir, recorder } = await recorderWith(t, { durability: () => "fsync" });
  const recording = recorder.open(start("s1"));
  recording.asked(1, [ask("SELECT 1")], allow);
  recording.flush();
  const settled = recording.settle();
  assert.ok(settled instanceof Promise);
  await settled;
  recording.answered(answer(1));
  recording.flush();
  assert.equal(recording.settle(), undefined);
  await recording.end(summary);
  assert.deepEqual(outline(await entries(dir, "s1")), ["start", "action 1", "decision 1", "answer 1", "end"]);
});

test("in write mode nothing settles", async (t) => {
  const { recorder } = await recorderWith(t);
  const recording = recorder.open(start("s1"));
  recording.asked(1, [ask("SELECT 1")], allow);
  recording.flush();
  assert.equal(recording.settle(), undefined);
  await recording.end(summary);
});

test("a segment that is full settles with the one after it", async (t) => {
  const { dir, clock, recorder } = await recorderWith(t, { durability: () => "fsync" });
  const recording = recorder.open(start("s1"));
  recording.asked(1, [ask("SELECT 1")], allow);
  recording.flush();
  clock.advance(SEGMENT_AGE_MS + 1);
  recording.asked(2, [ask("SELECT 2")], allow);
  recording.flush();
  await recording.settle();
  await recording.end(summary);
  assert.deepEqual(readdirSync(join(dir, DAY)), ["s1.0001.rec", "s1.0002.rec"]);
});

test("a segment that is closed while it syncs gives its descriptor back afterwards, and syncs no more", async (t) => {
  const file = join(folder(t), "x");
  const segment = openSegment(file, "create");
  segment.write(Buffer.from("x"));
  const synced = segment.sync();
  segment.close();
  await synced;
  await assert.rejects(segment.sync(), /it is closed/);
});

test("where the settings say to go on, a full disk denies nothing, and the gap says that they went on", async (t) => {
  const { writeSync } = await import("node:fs");
  const disk = fullDisk(writeSync);
  const told: string[] = [];
  const tell: RecorderOptions["tell"] = (_session, kind) => void told.push(kind);
  const { dir, recorder } = await recorderWith(t, { writeBytes: disk.write, whenFull: () => "continue", tell });
  const recording = recorder.open(start("s1"));
  disk.room = 0;
  const text = "x".repeat(60_000);
  const many = Math.ceil(RECORD_PENDING_BYTES_MAX / text.length) + 10;
  for (let at = 1; at <= many; at++) {
    recording.asked(at, [ask(text)], allow);
    recording.flush();
    recording.answered(answer(at));
  }
  assert.deepEqual(told, ["recording.gap"], "said once");
  disk.room = Number.POSITIVE_INFINITY;
  recording.asked(many + 1, [ask("SELECT 1")], allow);
  recording.flush();
  await recording.end(summary);
  assert.deepEqual(told, ["recording.gap", "recording.resumed"]);
  const read = await entries(dir, "s1");
  const gap = read.find(({ kind }) => kind === "gap");
  assert.ok(gap?.kind === "gap" && gap.wentOn && gap.operations > 5);
  const asks = read.filter(({ kind }) => kind === "action").length;
  assert.equal(asks + gap.operations, many + 1, "each is either recorded or counted");
  assert.ok(!read.some((entry) => entry.kind === "decision" && entry.decision === "deny"));
});

test("where the settings say to go on, a session whose file cannot be made begins, and is recorded once it can", async (t) => {
  const { writeSync } = await import("node:fs");
  const disk = fullDisk(writeSync);
  const { dir, recorder } = await recorderWith(t, {
    writeBytes: disk.write,
    whenFull: () => "continue",
    tell: () => {},
  });
  disk.room = 0;
  const recording = recorder.open(start("s1"));
  recording.asked(1, [ask("SELECT 1")], allow);
  recording.flush();
  assert.equal(existsSync(join(dir, DAY, "s1.0001.rec")), false);
  disk.room = Number.POSITIVE_INFINITY;
  recording.asked(2, [ask("SELECT 2")], allow);
  recording.flush();
  await recording.end(summary);
  assert.deepEqual(outline(await entries(dir, "s1")), [
    ...["start", "action 1", "decision 1", "action 2", "decision 2", "end"],
  ]);
});
