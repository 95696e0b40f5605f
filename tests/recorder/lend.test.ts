/** A recording whose file somebody else appends to for a while: one chain of blocks, whoever wrote them. */
import assert from "node:assert/strict";
import { readFileSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { SEGMENT_AGE_MS } from "../../src/base/limits.ts";
import { hashOf } from "../../src/recorder/block.ts";
import type { ChainTail } from "../../src/recorder/chain.ts";
import { Packer } from "../../src/recorder/pack.ts";
import { createRecorder } from "../../src/recorder/recorder.ts";
import type { Recording, RecordingLoan } from "../../src/recorder/recording.ts";
import { openStore } from "../../src/store/store.ts";
import { folder, handClock, quietLog } from "../store/folder.ts";
import { allow, answer, ask, DAY, entries, NOON, outline, start, summary, world } from "./kit.ts";

/** A recorder on a real disk, as the relay needs it, and a recording of it with one statement. */
async function lendable(t: TestContext) {
  const state = join(folder(t), "state");
  const store = await openStore(state, quietLog());
  t.after(() => store.close());
  const clock = handClock(NOON);
  const dir = join(state, "recordings");
  const recorder = await createRecorder({ dir, clock, scrub: (text) => text, index: store.sessions, log: quietLog() });
  const recording = recorder.open(start("s1"));
  recording.asked(1, [ask("SELECT 1")], allow);
  recording.flush();
  return { dir, clock, recording };
}

/** What a relay does: whole blocks behind the last one. */
class Appender implements RecordingLoan {
  readonly #fd: number;
  #tail: { size: number; sequence: number; link: string };
  asks = 0;
  settled = 0;

  constructor({ fd, size, sequence, link }: ChainTail) {
    this.#fd = fd;
    this.#tail = { size, sequence, link };
  }

  append(askId: number): void {
    const packer = new Packer();
    const { sequence, link, size } = this.#tail;
    packer.decision(sequence + 1, NOON, askId, allow);
    const block = packer.block(link);
    writeSync(this.#fd, block);
    this.#tail = { size: size + block.length, sequence: sequence + 1, link: hashOf(block) };
    this.asks++;
  }

  tail = () => ({ ...this.#tail, isBroken: false });
  counts = () => ({ statements: this.asks, rows: 2 * this.asks });
  settle = () => void this.settled++;

  back(answers: Parameters<Recording["take"]>[0]["answers"] = []) {
    return { tail: this.tail(), ...this.counts(), answers };
  }
}

const NOBODY: RecordingLoan = {
  tail: () => assert.fail("nobody has it"),
  counts: () => assert.fail("nobody has it"),
  settle: () => assert.fail("nobody has it"),
};

function lent(recording: Recording): Appender {
  let appender: Appender | undefined;
  const tail = recording.lend({
    tail: () => (appender ?? assert.fail()).tail(),
    counts: () => (appender ?? assert.fail()).counts(),
    settle: () => appender?.settle(),
  });
  appender = new Appender(tail ?? assert.fail("it is not lent"));
  return appender;
}

test("what is appended while a recording is lent, before and behind it is one chain in order", async (t) => {
  const { dir, recording } = await lendable(t);
  recording.answered(answer(1));
  const appender = lent(recording);
  for (const askId of [2, 3]) appender.append(askId);
  recording.take(appender.back([answer(3)]));
  recording.asked(4, [ask("SELECT 4")], allow);
  recording.flush();
  await recording.end(summary);
  const found = await entries(dir, "s1");
  const order = ["start", "action 1", "decision 1", "answer 1", "decision 2", "decision 3"];
  assert.deepEqual(outline(found), [...order, "answer 3", "action 4", "decision 4", "end"]);
  assert.deepEqual(
    found.map((entry) => "sequence" in entry && entry.sequence),
    found.map((_, at) => at + 1),
  );
});

test("behind it, records name what they had before it was lent: it is the same segment", async (t) => {
  const { dir, recording } = await lendable(t);
  const appender = lent(recording);
  appender.append(2);
  recording.take(appender.back());
  const before = statSync(join(dir, DAY, "s1.0001.rec")).size;
  recording.asked(3, [ask("SELECT 1")], allow);
  recording.flush();
  assert.ok(statSync(join(dir, DAY, "s1.0001.rec")).size - before < 100, "in full it has more");
  await recording.end(summary);
  const asked = (await entries(dir, "s1")).flatMap((entry) => (entry.kind === "action" ? [entry] : []));
  assert.deepEqual(
    asked.map(({ text, actions }) => [text, actions]),
    asked.map(() => ["SELECT 1", [{ name: "sql.read", facts: '{"statement":{"tables":["public.a"]}}' }]]),
  );
});

test("counts go on while it is lent, and are kept when it is back", async (t) => {
  const { recording } = await lendable(t);
  const appender = lent(recording);
  appender.append(2);
  const { statements, rows } = recording.counts;
  assert.deepEqual([statements, rows], [2, 2]);
  recording.take(appender.back([answer(2, 5)]));
  assert.deepEqual([recording.counts.statements, recording.counts.rows], [2, 7]);
});

test("what fills a segment meanwhile is known behind it: the next one begins where it has to", async (t) => {
  const { dir, clock, recording } = await lendable(t);
  const appender = lent(recording);
  appender.append(2);
  recording.take(appender.back());
  clock.advance(SEGMENT_AGE_MS + 1);
  recording.asked(3, [ask("SELECT 3")], allow);
  recording.flush();
  await recording.end(summary);
  assert.deepEqual(outline(await entries(dir, "s1")).slice(-4), ["decision 2", "action 3", "decision 3", "end"]);
});

const writes: readonly { readonly name: string; readonly act: (recording: Recording) => void }[] = [
  { name: "an ask", act: (recording) => recording.asked(9, [ask("SELECT 9")], allow) },
  {
    name: "a verdict",
    act: (recording) => recording.decided(9, { kind: "deny", rules: ["no"], message: "", policy: "p1" }),
  },
  { name: "an answer", act: (recording) => recording.answered(answer(9)) },
  { name: "detectors", act: (recording) => recording.looking(new Set(["iban"]), "p1") },
];
for (const { name, act } of writes)
  test(`while it is lent it takes nothing like ${name}: two sequences would be one`, async (t) => {
    const { recording } = await lendable(t);
    const appender = lent(recording);
    assert.throws(() => act(recording), /Cannot write to a recording that is lent/);
    recording.take(appender.back());
    act(recording);
  });

const kept: readonly {
  readonly name: string;
  readonly prepare: (made: Awaited<ReturnType<typeof lendable>>) => void;
}[] = [
  { name: "lent already", prepare: ({ recording }) => void lent(recording) },
  { name: "whose segment is too old", prepare: ({ clock }) => clock.advance(SEGMENT_AGE_MS) },
  { name: "that has ended", prepare: ({ recording }) => void recording.end(summary) },
];
for (const { name, prepare } of kept)
  test(`a recording ${name} is not lent`, async (t) => {
    const made = await lendable(t);
    prepare(made);
    assert.equal(made.recording.lend(NOBODY), undefined);
  });

test("it is lent for what is left of its segment's age", async (t) => {
  const { clock, recording } = await lendable(t);
  clock.advance(1_000);
  const settled = { ...NOBODY, settle: () => {} }; // it stays lent, and a slow machine comes to look whether it rests
  assert.equal(recording.lend(settled)?.forMs, SEGMENT_AGE_MS - 1_000);
});

test("a disk that takes nothing ends no session that only rests: it is not lent, and the next ask fails", async (t) => {
  const { recorder, disk } = await world(t);
  const recording = recorder.open(start("s1"));
  recording.asked(1, [ask("SELECT 1")], allow);
  recording.flush();
  recording.answered(answer(1));
  disk.room = 0;
  assert.equal(recording.lend(NOBODY), undefined);
  recording.asked(2, [ask("SELECT 2")], allow);
  assert.throws(() => recording.flush(), { code: "RECORDING_FAILED" });
});

test("a recording whose file takes what it is told in another way is not lent", async (t) => {
  const { recorder } = await world(t); // with a writer of the test's own
  const recording = recorder.open(start("s1"));
  assert.equal(recording.lend(NOBODY), undefined);
});

test("what a standing permit is recorded by is what an ask of it would be", async (t) => {
  const { dir, recording } = await lendable(t);
  const { text, action, decision, isStatement } = recording.standing(ask("SELECT 1"), allow.rules, allow.policy);
  assert.deepEqual([text, isStatement], ["SELECT 1", true]);
  await recording.end(summary);
  const bytes = readFileSync(join(dir, DAY, "s1.0001.rec"));
  for (const fields of [action, decision]) assert.ok(fields.length > 0 && bytes.includes(Buffer.from(fields)));
});
