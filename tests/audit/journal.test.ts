import assert from "node:assert/strict";
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Journal } from "../../src/audit/journal.ts";
import { linesOf } from "../../src/audit/journal-files.ts";
import { hashOf, lineOf, NO_HASH, readLine } from "../../src/audit/lines.ts";
import { verifyJournal } from "../../src/audit/verify.ts";
import { folder, fullDisk } from "../store/folder.ts";
import { event, events, openJournal } from "./kit.ts";

async function isWhole(dir: string): Promise<boolean> {
  for await (const _finding of verifyJournal(dir)) return false;
  return true;
}

function reopened(t: TestContext, { dir }: Journal): Journal {
  const journal = Journal.open({ dir });
  t.after(() => journal.close());
  return journal;
}

const last = (journal: Journal) => journal.pathOf(journal.files.at(-1) ?? 0);

test("a line names its number and the hash of the whole line before it", (t) => {
  const journal = openJournal(t);
  assert.deepEqual(journal.head, { seq: 0, hash: NO_HASH });
  journal.append(events(1, 3));
  const lines = readFileSync(journal.pathOf(1), "utf8").split("\n").slice(0, -1);
  const read = lines.map((line) => JSON.parse(line) as { seq: number; prev: string; follows?: number });
  assert.deepEqual(
    read.map(({ seq, prev, follows }) => [seq, prev, follows]),
    [
      [1, NO_HASH, 0],
      [2, hashOf(Buffer.from(lines[0] ?? "")), undefined],
      [3, hashOf(Buffer.from(lines[1] ?? "")), undefined],
    ],
  );
  assert.deepEqual(journal.head, { seq: 3, hash: hashOf(Buffer.from(lines[2] ?? "")) });
});

test("a batch is one write", (t) => {
  const disk = fullDisk(writeSync);
  const journal = openJournal(t, { writeBytes: disk.write });
  journal.append(events(1, 500));
  assert.equal(disk.writes, 1);
  assert.equal(journal.head.seq, 500);
});

test("a full file is followed by one that is named by its first line, and that names the one before", async (t) => {
  const journal = openJournal(t, { fileBytes: 1_000 });
  for (const one of events(1, 20)) journal.append([one]);
  const names = readdirSync(journal.dir).sort();
  assert.ok(names.length > 2);
  assert.ok(names.every((name) => /^[0-9]{12}\.jsonl$/.test(name)));
  const [first, second] = journal.files;
  for (const { bytes } of linesOf(journal.pathOf(second ?? 0))) {
    assert.deepEqual([readLine(bytes)?.seq, readLine(bytes)?.follows], [second, first]);
    break;
  }
  assert.equal(statSync(journal.pathOf(1)).mode & 0o777, 0o600);
  assert.ok(await isWhole(journal.dir));
});

const torn = [
  { name: "a torn line", tear: (path: string) => appendFileSync(path, '{"seq":4,"prev":"ab') },
  { name: "zeros that a crash left", tear: (path: string) => appendFileSync(path, Buffer.alloc(5_000)) },
  {
    name: "a megabyte of them",
    tear: (path: string) => appendFileSync(path, Buffer.alloc(1024 * 1024)),
  },
  {
    name: "a newest file without any whole line",
    tear: (path: string) => writeFileSync(path.replace("000000000001", "000000000004"), '{"seq":4,'),
  },
  {
    name: "a newest file without anything",
    tear: (path: string) => writeFileSync(path.replace("000000000001", "000000000004"), ""),
  },
];
for (const { name, tear } of torn) {
  test(`after a crash, ${name} is cut and the chain goes on`, async (t) => {
    const journal = openJournal(t);
    journal.append(events(1, 3));
    journal.close();
    tear(last(journal));
    const again = reopened(t, journal);
    assert.deepEqual(again.head, journal.head);
    again.append(events(4, 5));
    assert.equal(again.head.seq, 5);
    assert.ok(await isWhole(again.dir));
  });
}

test("a journal whose very first line was torn begins anew", async (t) => {
  const dir = join(folder(t), "events");
  mkdirSync(dir, { mode: 0o700 });
  writeFileSync(join(dir, "000000000001.jsonl"), '{"seq":1,');
  const journal = Journal.open({ dir });
  t.after(() => journal.close());
  journal.append([event(1)]);
  assert.ok(await isWhole(dir));
});

const damaged = [
  { name: "does not end with an event", damage: (path: string) => appendFileSync(path, "garbage\n") },
  { name: "has lost all its lines, before another", damage: (path: string) => writeFileSync(path, "") },
];
for (const { name, damage } of damaged) {
  test(`a journal that ${name} is not gone on with: whoever damaged it shall not be covered up`, (t) => {
    const journal = openJournal(t, { fileBytes: 1 });
    for (const one of events(1, 2)) journal.append([one]);
    journal.close();
    if (name.startsWith("has lost")) {
      damage(journal.pathOf(1));
      writeFileSync(journal.pathOf(2), "");
    } else damage(last(journal));
    assert.throws(() => Journal.open({ dir: journal.dir }), { code: "JOURNAL_DAMAGED" });
  });
}

test("a write that fails half way leaves no part of a line, and the next one goes on", async (t) => {
  const disk = fullDisk(writeSync);
  const journal = openJournal(t, { writeBytes: disk.write });
  journal.append([event(1)]);
  const { head } = journal;
  disk.room = 30;
  assert.throws(() => journal.append(events(2, 9)), { code: "ENOSPC" });
  assert.deepEqual(journal.head, head);
  disk.room = Number.POSITIVE_INFINITY;
  journal.append(events(2, 9));
  assert.equal(journal.head.seq, 9);
  assert.ok(await isWhole(journal.dir));
});

test("what is removed are whole files below a number, never the newest", (t) => {
  const journal = openJournal(t, { fileBytes: 1 });
  for (const from of [1, 11, 21]) journal.append(events(from, from + 9));
  assert.deepEqual(journal.removeBefore(15).files, [1]);
  assert.deepEqual(journal.removeBefore(99).files, [11]);
  assert.deepEqual(journal.files, [21]);
});

test("a folder that others may write is refused", (t) => {
  const dir = join(folder(t), "events");
  mkdirSync(dir);
  chmodSync(dir, 0o777);
  assert.throws(() => Journal.open({ dir }), { code: "STORE_FOLDER_MODE" });
});

test("an event that is too long is cut between characters: strict readers refuse half of one, and with it the line", () => {
  const line = lineOf(
    { atMs: 1, kind: "names.refused", message: `a${"\u{1f600}".repeat(40_000)}` },
    { seq: 0, hash: NO_HASH },
    undefined,
  ).toString();
  assert.ok(line.length < 2_000);
  assert.ok((JSON.parse(line) as { message: string }).message.isWellFormed());
});
