/** What one agent asks, and one server answers, stays within what a reader takes: nothing hides behind its own length. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { RECORD_IDLE_MS } from "../../src/base/limits.ts";
import { Chain } from "../../src/recorder/chain.ts";
import { Packer } from "../../src/recorder/pack.ts";
import { folder } from "../store/folder.ts";
import { allow, answer, ask, entries, start, summary, world } from "./kit.ts";

test("one ask of many megabytes is recorded whole, in as many blocks as that takes", async (t) => {
  const { recorder, dir } = await world(t);
  const recording = recorder.open(start("s1"));
  const many = Array.from({ length: 250 }, (_, at) => ask("EXECUTE", { parameters: [String(at), "x".repeat(60_000)] }));
  recording.asked(1, [...many, ask("DROP TABLE orders")], allow);
  recording.flush();
  await recording.end(summary);
  const read = await entries(dir, "s1");
  assert.deepEqual(
    read.filter(({ kind }) => kind === "damaged" || kind === "missing" || kind === "altered"),
    [],
  );
  const texts = read.flatMap((entry) => (entry.kind === "action" ? [entry.text] : []));
  assert.equal(texts.length, 251);
  assert.equal(texts.at(-1), "DROP TABLE orders");
  assert.equal(read.at(-1)?.kind, "end");
});

test("a disk that fills in the middle of such an ask stops it, and the gap counts what is missing", async (t) => {
  const { recorder, dir, disk } = await world(t);
  const recording = recorder.open(start("s1"));
  const many = Array.from({ length: 250 }, () => ask("x".repeat(60_000)));
  disk.room = 5_000_000;
  assert.throws(() => recording.asked(1, many, allow), { code: "RECORDING_FAILED" });
  disk.room = Number.POSITIVE_INFINITY;
  await recording.end(summary);
  const read = await entries(dir, "s1");
  const asked = read.filter(({ kind }) => kind === "action").length;
  const gap = read.find(({ kind }) => kind === "gap");
  assert.ok(gap?.kind === "gap" && asked > 0 && asked + gap.operations === 250, `${asked} were recorded`);
  assert.equal(
    read.some((entry) => entry.kind === "decision" && entry.decision === "allow"),
    false,
  );
});

test("a server's message of many megabytes is cut, and what follows is read", async (t) => {
  const { recorder, dir } = await world(t);
  const recording = recorder.open(start("s1"));
  recording.answered({ ...answer(1), error: { code: "P0001", message: "m".repeat(9_000_000) } });
  recording.asked(2, [ask("SELECT 2")], allow);
  recording.flush();
  await recording.end(summary);
  const read = await entries(dir, "s1");
  assert.deepEqual(
    read.map(({ kind }) => kind),
    ["start", "answer", "action", "decision", "end"],
  );
  const [, answered] = read;
  assert.ok(answered?.kind === "answer" && answered.error?.message.endsWith("mmm…"));
});

test("what was allowed and waits for its flush is not withdrawn by an idle write that the disk refuses", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { recorder, dir, disk } = await world(t);
  const recording = recorder.open(start("s1"));
  recording.asked(1, [ask("DELETE FROM orders")], allow);
  disk.room = 0;
  t.mock.timers.tick(RECORD_IDLE_MS);
  disk.room = Number.POSITIVE_INFINITY;
  recording.flush(); // it is forwarded now
  t.mock.timers.reset();
  await recording.end(summary);
  const decisions = (await entries(dir, "s1")).flatMap((entry) => (entry.kind === "decision" ? [entry.decision] : []));
  assert.deepEqual(decisions, ["allow"]);
});

test("what a failed sync may have lost is given to no checkpoint, though the next sync goes well", async (t) => {
  let failures = 0;
  const closed: number[] = [];
  const chain = new Chain({
    sessionId: "s1",
    fileOf: (segment) => join(folder(t), `s1.${segment}`),
    sealing: undefined,
    commits: { sync: async () => (failures-- > 0 ? assert.fail("EIO") : undefined) },
    closed: ({ segment }) => void closed.push(segment),
    writeBytes: undefined,
  });
  const records = new Packer();
  records.frame(new Uint8Array(8));
  chain.append(records, 1, 1, 1);
  await chain.settle();
  assert.equal(chain.head.sequence, 1);
  chain.append(records, 2, 2, 1);
  failures = 1;
  await assert.rejects(chain.settle(), /EIO/);
  chain.append(records, 3, 3, 1);
  await chain.settle();
  assert.equal(chain.head.sequence, 1);
  await chain.close();
  assert.deepEqual([chain.head.sequence, closed], [1, []]);
});
