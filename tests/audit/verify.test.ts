import assert from "node:assert/strict";
import { cpSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Verified, type VerifyOptions, verifyJournal } from "../../src/audit/verify.ts";
import type { Finding } from "../../src/audit/verify-lines.ts";
import { folder } from "../store/folder.ts";
import { events, openJournal } from "./kit.ts";

/** Three files with the events 1 to 10, 11 to 20 and 21 to 30. */
function written(t: TestContext) {
  const journal = openJournal(t, { fileBytes: 1 });
  for (const from of [1, 11, 21]) journal.append(events(from, from + 9));
  journal.close();
  const dir = join(folder(t), "copy");
  cpSync(journal.dir, dir, { recursive: true });
  return { dir, head: journal.head };
}

async function verified(dir: string, options: VerifyOptions = {}) {
  const findings: Finding[] = [];
  const walk = verifyJournal(dir, options);
  for (;;) {
    const { done, value } = await walk.next();
    if (done === true) return { findings, end: value as Verified };
    findings.push(value as Finding);
  }
}

const [FIRST, SECOND, THIRD] = ["000000000001.jsonl", "000000000011.jsonl", "000000000021.jsonl"];

/** Changes the lines of a file; without line breaks. */
function edit(dir: string, file: string, change: (lines: string[]) => readonly string[]): void {
  const path = join(dir, file);
  const lines = readFileSync(path, "utf8").split("\n").slice(0, -1);
  writeFileSync(
    path,
    change(lines)
      .map((line) => `${line}\n`)
      .join(""),
  );
}

const at = (lines: readonly string[], line: number) => lines[line - 1] ?? "";

interface Row {
  readonly name: string;
  readonly tamper: (dir: string) => void;
  /** kind file:line seq */
  readonly found: readonly string[];
}

const rows: readonly Row[] = [
  {
    name: "a word changed in a line",
    tamper: (dir) => edit(dir, SECOND, (all) => all.map((line, n) => (n === 4 ? line.replace('"ci"', '"cd"') : line))),
    found: [`changed ${SECOND}:5 15`],
  },
  {
    name: "one bit flipped in a line's text",
    tamper: (dir) => {
      const path = join(dir, FIRST);
      const bytes = readFileSync(path);
      const place = bytes.indexOf("line\\n4");
      bytes[place] = (bytes[place] ?? 0) ^ 1;
      writeFileSync(path, bytes);
    },
    found: [`changed ${FIRST}:4 4`],
  },
  {
    name: "the hash that a line names changed",
    tamper: (dir) =>
      edit(dir, FIRST, (all) => all.map((line, n) => (n === 6 ? line.replace(/"prev":"../, '"prev":"zz') : line))),
    found: [`changed ${FIRST}:7 7`],
  },
  {
    name: "a line's number changed",
    tamper: (dir) => edit(dir, FIRST, (all) => all.map((line) => line.replace('"seq":5,', '"seq":55,'))),
    found: [`changed ${FIRST}:5 5`],
  },
  {
    name: "a line made unreadable",
    tamper: (dir) => edit(dir, THIRD, (all) => all.map((line, n) => (n === 2 ? line.slice(1) : line))),
    found: [`changed ${THIRD}:3 23`],
  },
  {
    name: "the last line of a file changed",
    tamper: (dir) => edit(dir, FIRST, (all) => all.map((line, n) => (n === 9 ? line.replace('"ci"', '"cd"') : line))),
    found: [`changed ${SECOND}:1 11`],
  },
  {
    name: "a line deleted",
    tamper: (dir) => edit(dir, SECOND, (all) => all.filter((_, n) => n !== 3)),
    found: [`missing ${SECOND}:4 14`],
  },
  {
    name: "three lines deleted",
    tamper: (dir) => edit(dir, SECOND, (all) => all.filter((_, n) => n < 3 || n > 5)),
    found: [`missing ${SECOND}:4 14`],
  },
  {
    name: "a file's first line deleted",
    tamper: (dir) => edit(dir, SECOND, (all) => all.slice(1)),
    found: [`missing ${SECOND}:1 11`],
  },
  {
    name: "two lines exchanged",
    tamper: (dir) => edit(dir, SECOND, (all) => [...all.slice(0, 2), at(all, 4), at(all, 3), ...all.slice(4)]),
    found: [`reordered ${SECOND}:3 14`],
  },
  {
    name: "a line moved to the end of its file",
    tamper: (dir) => edit(dir, THIRD, (all) => [...all.slice(0, 1), ...all.slice(2), at(all, 2)]),
    found: [`reordered ${THIRD}:2 23`],
  },
  {
    name: "a line inserted that copies another one",
    tamper: (dir) => edit(dir, SECOND, (all) => [...all.slice(0, 6), at(all, 2), ...all.slice(6)]),
    found: [`inserted ${SECOND}:7 12`],
  },
  {
    name: "a line forged before the true one, with its number and hash",
    tamper: (dir) =>
      edit(dir, SECOND, (all) => [...all.slice(0, 4), at(all, 5).replace('"ci"', '"cd"'), ...all.slice(4)]),
    found: [`inserted ${SECOND}:5 15`],
  },
  {
    name: "a file cut at a line",
    tamper: (dir) => edit(dir, SECOND, (all) => all.slice(0, 7)),
    found: [`truncated ${SECOND}:0 18`],
  },
  {
    name: "a file cut within a line",
    tamper: (dir) => writeFileSync(join(dir, THIRD), readFileSync(join(dir, THIRD)).subarray(0, -30)),
    found: [`truncated ${THIRD}:10 30`],
  },
  {
    name: "a file removed",
    tamper: (dir) => rmSync(join(dir, SECOND)),
    found: [`missing-file ${THIRD}:0 11`],
  },
  {
    name: "a file renamed",
    tamper: (dir) => renameSync(join(dir, THIRD), join(dir, "000000000025.jsonl")),
    found: ["renamed 000000000025.jsonl:1 21"],
  },
  {
    name: "a file put in a second time under another name",
    tamper: (dir) => cpSync(join(dir, FIRST), join(dir, "000000000005.jsonl")),
    found: ["renamed 000000000005.jsonl:1 1"],
  },
];

test("control: an untouched journal has no findings, and its end is told", async (t) => {
  const { dir, head } = written(t);
  assert.deepEqual(readdirSync(dir).sort(), [FIRST, SECOND, THIRD]);
  const { findings, end } = await verified(dir, { head });
  assert.deepEqual({ findings, end }, { findings: [], end: { files: 3, lines: 30, head } });
});

for (const { name, tamper, found } of rows) {
  test(`${name} is found and named`, async (t) => {
    const { dir } = written(t);
    tamper(dir);
    const { findings } = await verified(dir);
    const named = findings.map(({ kind, file, line, seq }) => `${kind} ${file}:${line} ${seq}`);
    assert.deepEqual(named.slice(0, found.length), found);
    for (const { reason } of findings) assert.ok(reason.length > 10);
  });
}

const anchored: readonly Row[] = [
  {
    name: "the end cut off",
    tamper: (dir) => edit(dir, THIRD, (all) => all.slice(0, 5)),
    found: [`truncated ${THIRD}:0 26`],
  },
  { name: "the newest file removed", tamper: (dir) => rmSync(join(dir, THIRD)), found: [`truncated ${SECOND}:0 21`] },
  {
    name: "the newest line changed",
    tamper: (dir) => edit(dir, THIRD, (all) => [...all.slice(0, 9), at(all, 10).replace('"ci"', '"cd"')]),
    found: [`changed ${THIRD}:10 30`],
  },
  {
    name: "everything removed",
    tamper: (dir) => {
      for (const file of [FIRST, SECOND, THIRD]) rmSync(join(dir, file));
    },
    found: ["truncated :0 30"],
  },
];

for (const { name, tamper, found } of anchored) {
  test(`${name} is found against a head that is known from elsewhere, and not without one`, async (t) => {
    const { dir, head } = written(t);
    tamper(dir);
    const { findings } = await verified(dir, { head });
    assert.deepEqual(
      findings.map(({ kind, file, line, seq }) => `${kind} ${file}:${line} ${seq}`),
      found,
    );
    assert.deepEqual((await verified(dir)).findings, []);
  });
}

test("a journal written anew with a chain of its own is found against a known line", async (t) => {
  const { dir } = written(t);
  const { head } = (await verified(dir)).end;
  const forged = openJournal(t);
  forged.append(events(2, 31));
  const { findings } = await verified(forged.dir, head === undefined ? {} : { head });
  assert.deepEqual(
    findings.map(({ kind, seq }) => `${kind} ${seq}`),
    ["changed 30"],
  );
});

test("what retention removed is no finding where its last line is known, and the wrong one is", async (t) => {
  const { dir } = written(t);
  const hashes = new Map<number, string>();
  await verified(dir, { each: ({ seq }, hash) => hashes.set(seq, hash) });
  rmSync(join(dir, FIRST));
  const before = (seq: number) => ({ seq, hash: hashes.get(seq) ?? "" });
  assert.deepEqual((await verified(dir, { before: before(10) })).findings, []);
  assert.deepEqual(
    (await verified(dir, { before: before(8) })).findings.map(({ kind, seq }) => `${kind} ${seq}`),
    ["missing-file 9"],
  );
  assert.equal((await verified(dir, { before: { seq: 10, hash: "f".repeat(64) } })).findings.length, 1);
});

test("sessions have their turn while a long trail is verified: it shares their thread", async (t) => {
  const journal = openJournal(t);
  for (let from = 1; from < 20_000; from += 1_000) journal.append(events(from, from + 999));
  journal.close();
  let turns = 0;
  let timer: NodeJS.Immediate | undefined;
  const count = () => {
    turns += 1;
    timer = setImmediate(count);
  };
  count();
  for await (const finding of verifyJournal(journal.dir)) assert.fail(finding.reason);
  clearImmediate(timer);
  assert.ok(turns > 4, `${turns} turns in one file of 20,000 lines`);
});
