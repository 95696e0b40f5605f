import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createFileSink } from "../../src/audit/file-sink.ts";
import type { FileTarget } from "../../src/model/sink.ts";
import { folder, fullDisk } from "../store/folder.ts";
import { event } from "./kit.ts";

const NEVER = new AbortController().signal;
const messages = (...seqs: number[]) => seqs.map((seq) => ({ seq, event: event(seq), text: `{"seq":${seq}}` }));

function given(t: TestContext, more: Partial<FileTarget> = {}) {
  const path = join(folder(t), "events.jsonl");
  const disk = fullDisk(writeSync);
  const target: FileTarget = { kind: "file", path, bytesMax: 1_000_000, keep: 2, ...more };
  const open = () => {
    const sink = createFileSink(target, disk.write);
    t.after(() => sink.close());
    return sink;
  };
  const sink = open();
  const write = (...seqs: number[]) => sink.deliver(messages(...seqs), NEVER);
  return { path, disk, sink, open, write, text: (ending = "") => readFileSync(`${path}${ending}`, "utf8") };
}

test("events are lines of a file that nobody else may read", async (t) => {
  const { path, write, text } = given(t);
  assert.deepEqual(await write(1, 2), { kind: "taken" });
  assert.deepEqual(await write(3), { kind: "taken" });
  assert.equal(text(), '{"seq":1}\n{"seq":2}\n{"seq":3}\n');
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test("a group may read where the settings name one", async (t) => {
  const { path, write } = given(t, { group: "4711" });
  await write(1);
  assert.deepEqual([statSync(path).mode & 0o777, statSync(path).gid], [0o640, 4711]);
});

test("a file that is full is rotated, whole lines only, and so many old ones are kept", async (t) => {
  const { path, write, text } = given(t, { bytesMax: 25 });
  for (let seq = 1; seq <= 9; seq += 2) await write(seq, seq + 1);
  assert.equal(text(), '{"seq":9}\n{"seq":10}\n');
  assert.equal(text(".1"), '{"seq":7}\n{"seq":8}\n');
  assert.equal(text(".2"), '{"seq":5}\n{"seq":6}\n');
  assert.ok(!existsSync(`${path}.3`));
});

test("a file that somebody else has moved away is opened anew", async (t) => {
  const { path, write, text } = given(t);
  await write(1);
  renameSync(path, `${path}.moved`);
  await write(2);
  writeFileSync(`${path}.next`, "");
  renameSync(`${path}.next`, path);
  await write(3);
  assert.deepEqual([text(".moved"), text()], ['{"seq":1}\n', '{"seq":3}\n']);
});

test("what a crash tore is cut before the next line", async (t) => {
  const { path, write, text } = given(t);
  writeFileSync(path, '{"seq":1}\n{"se');
  await write(2);
  assert.equal(text(), '{"seq":1}\n{"seq":2}\n');
});

test("a full disk is a failure that leaves whole lines, and the same batch goes in later", async (t) => {
  const { disk, write, text } = given(t);
  await write(1);
  disk.room = 5;
  const outcome = await write(2, 3);
  assert.equal(outcome.kind, "failed");
  assert.equal(text(), '{"seq":1}\n');
  disk.room = Number.POSITIVE_INFINITY;
  await write(2, 3);
  assert.equal(text(), '{"seq":1}\n{"seq":2}\n{"seq":3}\n');
});

test("a folder that is gone is a failure, and no end", async (t) => {
  const { sink } = given(t, { path: "/no/such/folder/events.jsonl" });
  assert.equal((await sink.deliver(messages(1), NEVER)).kind, "failed");
});

test("a link or a pipe in the file's place is written to by nobody", async (t) => {
  const { path, write } = given(t);
  const other = `${path}.other`;
  writeFileSync(other, "not ours");
  symlinkSync(other, path);
  assert.equal((await write(1)).kind, "failed");
  assert.equal(readFileSync(other, "utf8"), "not ours");
  unlinkSync(path);
  execFileSync("mkfifo", [path]);
  assert.equal((await write(1)).kind, "failed");
});

test("a second sink on the same file adds to it", async (t) => {
  const { open, write, text } = given(t);
  await write(1);
  await open().deliver(messages(2), NEVER);
  await write(3);
  assert.equal(text(), '{"seq":1}\n{"seq":2}\n{"seq":3}\n');
});
