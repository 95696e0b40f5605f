/** What records of one segment have in common is written once: read back, nothing of it is missing, from any segment on. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import protobuf from "protobufjs";
import { SEGMENT_AGE_MS, SEGMENT_BYTES_MAX } from "../../src/base/limits.ts";
import { entriesOf } from "../../src/daemon/entries.ts";
import { recordedAsks } from "../../src/daemon/recorded.ts";
import { verifySession } from "../../src/evidence/recordings.ts";
import type { Decision } from "../../src/model/decision.ts";
import type { Operation } from "../../src/model/operation.ts";
import { FIRST_LINK, hashOf, messagesIn, readBlock } from "../../src/recorder/block.ts";
import { SegmentDecoder } from "../../src/recorder/decode.ts";
import { encodeHead, encodeStart, PREAMBLE_BYTES } from "../../src/recorder/format.ts";
import { Packer } from "../../src/recorder/pack.ts";
import { type ReadEntry, readRecording } from "../../src/recorder/read.ts";
import { folder } from "../store/folder.ts";
import {
  allow,
  answer,
  ask,
  DAY,
  deny,
  entries,
  NOON,
  outline,
  packed,
  reading,
  start,
  summary,
  world,
} from "./kit.ts";

const PROTO = new URL("../../src/recorder/recording.proto", import.meta.url);
const RECORD = protobuf.parse(readFileSync(PROTO, "utf8")).root.lookupType("sallyport.recording.v1.Record");

interface Stored {
  readonly sequence: number;
  readonly action?: { readonly text?: string; readonly actions?: readonly object[]; readonly repeats?: number };
  readonly decision?: { readonly rules?: readonly string[]; readonly policy?: string; readonly repeats?: number };
}

const file = (dir: string, segment: number) => join(dir, DAY, `s1.000${segment}.rec`);

/** Records of a segment as they stand in the file. */
function storedIn(path: string): readonly Stored[] {
  const bytes = readFileSync(path);
  const stored: Stored[] = [];
  for (let offset = PREAMBLE_BYTES, at = 0; offset < bytes.length; at++) {
    const block = readBlock(bytes, offset);
    assert.ok(block.kind === "block");
    offset += block.whole.length;
    if (at === 0) continue; // the head
    for (const message of messagesIn(block.body))
      stored.push(RECORD.toObject(RECORD.decode(message), { longs: Number }) as Stored);
  }
  return stored;
}

const repeated = (path: string) => storedIn(path).map(({ action, decision }) => (action ?? decision)?.repeats ?? 0);

/** What was asked, by which rules, in the words of a reader. */
const told = (read: readonly ReadEntry[]) =>
  read.flatMap((entry) => {
    if (entry.kind === "action") return [`${entry.text}: ${entry.actions.map(({ facts }) => facts).join()}`];
    if (entry.kind === "decision") return [`${entry.decision} ${entry.rules.join()} ${entry.policy}`];
    return entry.kind === "start" || entry.kind === "end" || entry.kind === "answer" ? [] : [entry.kind];
  });

const FACTS = '{"statement":{"tables":["public.a"]}}';

async function recorded(t: TestContext) {
  const made = await world(t);
  const recording = made.recorder.open(start("s1"));
  const flushed = (askId: number, text: string, decision: Decision = allow) => {
    recording.asked(askId, [ask(text)], decision);
    recording.flush();
  };
  return { ...made, recording, flushed };
}

test("a segment has an operation and the grounds of a decision once, and each record is read with them", async (t) => {
  const { dir, recording, flushed } = await recorded(t);
  for (const at of [1, 2, 3]) flushed(at, `SELECT ${at}`);
  recording.asked(4, [ask("SELECT 4"), ask("SELECT 5", { operation: reading("b") })], deny);
  await recording.end(summary);
  const stored = storedIn(file(dir, 1));
  assert.deepEqual(repeated(file(dir, 1)), [0, 0, 0, 2, 3, 2, 3, 2, 0, 0, 0]);
  assert.equal(stored[3]?.action?.actions, undefined);
  assert.deepEqual([stored[4]?.decision?.rules, stored[4]?.decision?.policy], [undefined, undefined]);
  assert.deepEqual(told(await entries(dir, "s1")), [
    ...[1, 2, 3].flatMap((at) => [`SELECT ${at}: ${FACTS}`, "allow read-clean-tables p1"]),
    `SELECT 4: ${FACTS}`,
    'SELECT 5: {"statement":{"tables":["b"]}}',
    "deny no-ddl p1",
  ]);
});

test("a text that is the same as well is named with the operation, and one that is empty stays empty", async (t) => {
  const { dir, recording } = await recorded(t);
  const texts = ["SELECT $1", "SELECT $1", "SELECT $2", "", "SELECT $1"];
  texts.forEach((text, at) => {
    recording.asked(at + 1, [ask(text, { parameters: [String(at)] })], allow);
  });
  await recording.end(summary);
  const stored = storedIn(file(dir, 1)).flatMap(({ action }) => (action === undefined ? [] : [action]));
  assert.deepEqual(
    stored.map(({ text, repeats }) => [text ?? "", repeats ?? 0]),
    [
      ["SELECT $1", 0],
      ["", 2],
      ["SELECT $2", 2],
      ["", 0],
      ["SELECT $1", 8],
    ],
  );
  const found = (await entries(dir, "s1")).flatMap((entry) => (entry.kind === "action" ? [entry] : []));
  assert.deepEqual(
    found.map(({ text, parameters, actions }) => [text, parameters, actions[0]?.facts]),
    texts.map((text, at) => [text, [String(at)], FACTS]),
  );
});

for (const [why, fill] of [
  ["old", SEGMENT_AGE_MS + 1],
  ["full", 0],
] as const)
  test(`where a segment is ${why}, what waits is spelled out in the next one, which can be read alone`, async (t) => {
    const { dir, clock, recording, flushed } = await recorded(t);
    flushed(1, "SELECT 1");
    if (fill === 0) {
      const columns = ["big"];
      for (let size = 0; size < SEGMENT_BYTES_MAX - 1_100_000; size += 1_000_000) {
        recording.output({ askId: 1, columns, rows: [["x".repeat(1_000_000)]], truncated: false });
        recording.flush();
      }
      recording.output({ askId: 1, columns, rows: [["x".repeat(1_000_000)]], truncated: false });
    }
    clock.advance(fill);
    recording.answered(answer(1));
    for (const at of [2, 3]) recording.asked(at, [ask(`SELECT ${at}`)], allow);
    recording.answered(answer(3));
    recording.flush();
    flushed(4, "SELECT 4");
    await recording.end(summary);
    const alone: ReadEntry[] = [];
    for await (const entry of readRecording(dir, "s1", { fromSegment: 2 })) alone.push(entry);
    const all = [2, 3, 4].flatMap((at) => [`SELECT ${at}: ${FACTS}`, "allow read-clean-tables p1"]);
    assert.deepEqual(
      told(alone).filter((one) => one !== "output"),
      all,
    );
    const whole = await entries(dir, "s1");
    assert.deepEqual(
      whole.map((entry) => "sequence" in entry && entry.sequence),
      whole.map((_, at) => at + 1),
    );
    const inSecond = storedIn(file(dir, 2)).filter(({ action }) => action !== undefined);
    assert.ok(inSecond.length === 3 && inSecond.filter(({ action }) => (action?.repeats ?? 0) > 0).length > 0);
    assert.ok(
      inSecond.every(({ action }) => (action?.repeats ?? 9) > 2),
      "none names a record of the first segment",
    );
  });

test("a disk that refuses a new segment loses nothing of what the records have in common", async (t) => {
  const { dir, clock, disk, recording, flushed } = await recorded(t);
  flushed(1, "SELECT 1");
  clock.advance(SEGMENT_AGE_MS + 1);
  disk.room = 0;
  for (const at of [2, 3]) assert.throws(() => flushed(at, `SELECT ${at}`), { code: "RECORDING_FAILED" });
  disk.room = Number.POSITIVE_INFINITY;
  flushed(4, "SELECT 4");
  await recording.end(summary);
  const found = told(await entries(dir, "s1")).filter((one) => one.startsWith("SELECT"));
  assert.deepEqual(
    found,
    [1, 2, 3, 4].map((at) => `SELECT ${at}: ${FACTS}`),
  );
});

test("what is forbidden, made ready only or waits for a human is so in the next segment as well", async (t) => {
  const { dir, clock, recording, flushed } = await recorded(t);
  const forbidden: Operation = { actions: [], forbidden: { rule: "built-in:copy", message: "Not to a program" } };
  assert.ok(allow.kind === "allow");
  const held: Decision = { ...allow, approval: { hold: "h1", by: ["root"] } };
  const round = (first: number) => {
    recording.asked(first, [ask("COPY", { operation: forbidden })], deny);
    recording.asked(first + 1, [ask("SELECT 1", { prepared: true })], held);
    recording.flush();
  };
  flushed(1, "SELECT 1");
  round(2);
  round(4);
  clock.advance(SEGMENT_AGE_MS + 1);
  round(6);
  round(8);
  await recording.end(summary);
  const found = await entries(dir, "s1");
  assert.equal(repeated(file(dir, 2)).filter((repeats) => repeats > 0).length, 4);
  for (const entry of found) {
    if (!("askId" in entry) || entry.askId === 1) continue;
    const isForbidden = entry.askId % 2 === 0;
    if (entry.kind === "action") {
      assert.deepEqual(
        [entry.prepared, entry.forbidden],
        [!isForbidden, isForbidden ? forbidden.forbidden : undefined],
      );
    } else if (entry.kind === "decision") {
      assert.deepEqual([entry.decision, entry.hold?.id], isForbidden ? ["deny", undefined] : ["allow", "h1"]);
    }
  }
});

test("the same rules under another policy are other grounds", async (t) => {
  const { dir, recording, flushed } = await recorded(t);
  flushed(1, "SELECT 1");
  flushed(2, "SELECT 2", { ...allow, policy: "p2" });
  flushed(3, "SELECT 3", { ...allow, policy: "p2" });
  flushed(4, "SELECT 4");
  await recording.end(summary);
  const grounds = told(await entries(dir, "s1")).filter((one) => one.startsWith("allow"));
  assert.deepEqual(
    grounds,
    ["p1", "p2", "p2", "p1"].map((policy) => `allow read-clean-tables ${policy}`),
  );
  assert.equal(storedIn(file(dir, 1))[6]?.decision?.repeats, 5);
});

test("what a decision has of its own stands in it, whatever it repeats", async (t) => {
  const { dir, recording } = await recorded(t);
  assert.ok(allow.kind === "allow");
  const { rules } = allow;
  const observed = { rules: ["no-ddl"], message: "Not by agents" };
  recording.asked(1, [ask("SELECT 1")], allow);
  recording.asked(2, [ask("SELECT 2")], { ...allow, observed });
  recording.asked(3, [ask("SELECT 3")], { kind: "deny", rules, message: "Not now", policy: "p1" });
  await recording.end(summary);
  assert.deepEqual(
    (await entries(dir, "s1")).flatMap((entry) => (entry.kind === "decision" ? [entry] : [])),
    [
      { sequence: 3, decision: "allow", message: "" },
      { sequence: 5, decision: "allow", message: "", observed },
      { sequence: 7, decision: "deny", message: "Not now" },
    ].map((own, at) => ({ ...own, kind: "decision", atMs: NOON, askId: at + 1, rules, policy: "p1" })),
  );
  assert.deepEqual(repeated(file(dir, 1)), [0, 0, 0, 2, 3, 2, 3, 0]);
});

/** A folder with a recording whose actions and decisions name records that it does not have. */
function dangling(t: TestContext): string {
  const dir = folder(t);
  const packer = new Packer();
  const operation = packed(Uint8Array.of(0x32, 0x00));
  packer.action(90, NOON, 1, { ...operation, text: "SELECT 0" });
  packer.decision(91, NOON, 1, allow);
  packer.clear();
  for (const at of [1, 2]) {
    packer.action(2 * at, NOON, at, { ...operation, text: `SELECT ${at}` });
    packer.decision(2 * at + 1, NOON, at, allow);
  }
  const head = { sessionId: "s1", segment: 1, firstSequence: 1, openedMs: NOON, keyId: "" };
  const { preamble, block } = encodeHead(head, FIRST_LINK);
  const first = new Packer();
  first.frame(encodeStart(1, start("s1")));
  const second = first.block(hashOf(block));
  mkdirSync(join(dir, DAY));
  writeFileSync(file(dir, 1), Buffer.concat([preamble, block, second, packer.block(hashOf(second))]));
  return dir;
}

test("a record that is named and not there is told once, and no operation and no rules are made up for it", async (t) => {
  const found = await entries(dangling(t), "s1");
  const asks = ["action 1", "decision 1", "action 2", "decision 2"];
  assert.deepEqual(outline(found), ["start", ...asks, "damaged", "damaged", "interrupted"]);
  assert.deepEqual(
    found.flatMap((entry) => (entry.kind === "damaged" ? [entry.why] : [])),
    [90, 91].map((at) => `records from here on name record ${at}, which cannot be read`),
  );
  assert.deepEqual(told(found).slice(0, 4), ["SELECT 1: ", "allow  ", "SELECT 2: ", "allow  "]);
  assert.ok(found.every((entry) => entry.kind !== "action" || entry.actions[0]?.name === "unknown"));
  async function* read() {
    yield* found;
  }
  const shown = [];
  for await (const { kind, text } of entriesOf(read(), NOON, "interrupted")) if (kind === "decision") shown.push(text);
  assert.deepEqual(shown, ["SELECT 1", "SELECT 2"], "a person is shown the texts, which are there");
  const partial = [];
  for await (const { isPartial } of recordedAsks(read(), [])) partial.push(isPartial);
  assert.deepEqual(partial, [true, true], "and nobody judges them again");
});

test("an action that names a decision names nothing", () => {
  const decoder = new SegmentDecoder();
  const packer = new Packer();
  packer.decision(1, NOON, 1, allow);
  const operation = packed(Uint8Array.of(0x32, 0x00));
  packer.action(1, NOON, 1, operation);
  packer.action(2, NOON, 1, operation);
  const [decision = Buffer.of(), , action = Buffer.of()] = [...messagesIn(packer.view())];
  decoder.decode(decision);
  const entry = decoder.decode(action);
  assert.ok(entry.kind === "action" && entry.repeats === 1);
  assert.deepEqual(decoder.takeMissing(), [1]);
});

test("whoever verifies a recording is told of it", async (t) => {
  const folder = join(dangling(t), DAY);
  const findings: string[] = [];
  const stored = { sessionId: "s1", folder, segments: [1] };
  for await (const { kind, message } of verifySession(stored, { root: undefined, isLive: true }))
    findings.push(`${kind} ${message}`);
  assert.equal(findings.length, 1);
  assert.match(findings[0] ?? "", /^missing s1\.0001\.rec, byte \d+: record 90 is named here, and is not there$/);
});

test("a version 2 recording, which repeats nothing, is read as it was", async (t) => {
  const { dir, recording, flushed } = await recorded(t);
  flushed(1, "SELECT 1");
  await recording.end(summary);
  const before = await entries(dir, "s1");
  const bytes = readFileSync(file(dir, 1));
  assert.equal(bytes.readUInt32BE(8), 3);
  bytes.writeUInt32BE(2, 8);
  writeFileSync(file(dir, 1), bytes);
  assert.deepEqual(await entries(dir, "s1"), before);
});
