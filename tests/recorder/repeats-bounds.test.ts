/** What is written once for many records is bounded, and so is what it comes to where it has to be written again. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RECORD_NAMED_BYTES_MAX, RECORDS_NAMED_MAX, RECORDS_NAMING_MAX } from "../../src/base/limits.ts";
import { Packer } from "../../src/recorder/pack.ts";
import { allow, ask, entries, NOON, packed, reading, start, summary, world } from "./kit.ts";

test("what can be named is bounded in number and in bytes", () => {
  const packer = new Packer();
  const names = (operation: Uint8Array, sequence: number, text = "") => {
    const before = packer.length;
    packer.action(sequence, NOON, 1, packed(operation, text));
    return packer.length - before < operation.length;
  };
  const long = new Uint8Array(RECORD_NAMED_BYTES_MAX);
  assert.deepEqual([names(long, 1), names(long, 2)], [false, false]);
  const wide = new Uint8Array(1_000);
  const text = "あ".repeat(RECORD_NAMED_BYTES_MAX / 3); // of a third as many characters
  assert.deepEqual([names(wide, 3, text), names(wide, 4, "a")], [false, false]);
  const many = Array.from({ length: RECORDS_NAMED_MAX + 1 }, () => new Uint8Array(1_000));
  assert.ok(many.every((one, at) => !names(one, 10 + at)));
  assert.equal(names(many.at(-1) ?? long, 100), true);
  assert.equal(names(many[0] ?? long, 101), false, "forgotten, and spelled out anew");
  assert.equal(names(many[0] ?? long, 102), true);
});

test("what waits grows once at most where no segment can be begun, however often that is tried", () => {
  const packer = new Packer();
  const operations = Array.from({ length: 20 }, () => new Uint8Array(3_000).fill(0x32));
  const all = (first: number) => {
    for (const [at, one] of operations.entries()) packer.action(first + at, NOON, 1, packed(one));
  };
  all(1);
  packer.clear();
  all(21);
  all(41); // of each pair one has to stay what only names
  const named = packer.length;
  packer.beginSegment();
  const spelled = packer.length;
  assert.ok(named < 40 * 100 && spelled > 20 * 3_000 && spelled < 20 * 3_200);
  for (let again = 0; again < 10; again++) packer.beginSegment();
  assert.equal(packer.length, spelled);
  all(61);
  assert.ok(packer.length - spelled < 20 * 100, "what waits is named still");
});

test("so many records name one in the file, and no more: those behind them have it in full once", () => {
  const packer = new Packer();
  const operation = new Uint8Array(3_000).fill(0x32);
  packer.action(1, NOON, 1, packed(operation));
  packer.clear();
  for (let at = 0; at <= RECORDS_NAMING_MAX + 100; at++) packer.action(2 + at, NOON, 1, packed(operation));
  const before = packer.length;
  assert.ok(before > 3_000 && before < 3_000 + (RECORDS_NAMING_MAX + 101) * 60);
  packer.beginSegment();
  assert.ok(packer.length < before + 3_100, "spelled out once for all");
});

test("records that name one which waits with them stay as they are where a segment begins", () => {
  const packer = new Packer();
  for (let at = 0; at < 1_000; at++) {
    const operation = new Uint8Array(3_000).fill(0x32);
    for (const half of [1, 2]) packer.action(2 * at + half, NOON, 1, packed(operation));
  }
  const before = packer.length;
  packer.beginSegment();
  assert.equal(packer.length, before);
});

test("an agent cannot have a block made that nobody reads: pairs in a pipeline that fills a segment", async (t) => {
  const { dir, recorder } = await world(t);
  const recording = recorder.open(start("s1"));
  const pairs = 353;
  for (let at = 0; at < pairs; at++) {
    const operation = reading(`t${at}`);
    const text = `SELECT ${at}, '${"あ".repeat(3_900)}'`;
    for (const half of [0, 1]) recording.asked(2 * at + half + 1, [ask(text, { operation })], allow);
  }
  const wide = "あ".repeat(65_000);
  recording.asked(1_000, [ask(wide, { operation: reading("last"), parameters: [wide] })], allow);
  recording.asked(1_001, [ask("DROP TABLE orders")], allow);
  await recording.end(summary);
  const found = await entries(dir, "s1");
  assert.ok(found.every(({ kind }) => kind !== "damaged" && kind !== "missing" && kind !== "altered"));
  assert.equal(found.filter(({ kind }) => kind === "action").length, 2 * pairs + 2);
});
