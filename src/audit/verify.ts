/**
 * Whether a journal is as it was written: numbers without holes, and each line with the hash of the one before. Reads
 * only, also a copied folder on another machine. A chain alone cannot tell that its end was cut, or that all of it was
 * written anew: for that `head` and `before` are what was known elsewhere (a signed checkpoint, a sink's last line).
 */
import { JOURNAL_LINES_MAX } from "../base/limits.ts";
import { Turns } from "../store/turns.ts";
import { type JournalFile, journalFiles, linesOf, sizeOf } from "./journal-files.ts";
import { type Head, hashOf, type JournalEvent, readLine } from "./lines.ts";
import { checkLines, type Finding, type Line } from "./verify-lines.ts";

export interface VerifyOptions {
  /** The line before the first one kept, from whatever removed it. Absent: where the journal begins is believed. */
  readonly before?: Head;
  /** A line that is known from elsewhere to have been written: it must be there, with that hash. */
  readonly head?: Head;
  /** Hears of every line that can be read, in order, before its file's findings. */
  readonly each?: (event: JournalEvent, hash: string) => void;
}

export interface Verified {
  readonly files: number;
  readonly lines: number;
  /** Its end, as far as it could be read. */
  readonly head: Head | undefined;
}

/** Every finding, file by file; what it returns at the end is how far it came. Throws errno errors. */
export async function* verifyJournal(dir: string, options: VerifyOptions = {}): AsyncGenerator<Finding, Verified> {
  const files = journalFiles(dir);
  const turns = new Turns();
  let head = options.before;
  let before: JournalFile | undefined;
  let lines = 0;
  let isHeadSeen = options.head === undefined;
  for (const file of files) {
    const read = await readFile(file, options, turns);
    yield* joint(before, file, read.lines[0], head);
    const checked = await checkLines(nameOf(file), read.lines, file.first, head, turns);
    yield* checked.findings;
    if (read.torn !== undefined) yield read.torn;
    const known = read.lines.find(({ event }) => event?.seq === options.head?.seq);
    if (known !== undefined && options.head !== undefined) {
      isHeadSeen = true;
      if (known.hash !== options.head.hash) yield { ...about(file, known.line, options.head.seq), ...REWRITTEN };
    }
    lines += read.lines.length;
    head = checked.head ?? head;
    before = file;
    await turns.due();
  }
  const wanted = options.head;
  if (!isHeadSeen && wanted !== undefined) {
    const at = before === undefined ? { file: "", line: 0, seq: wanted.seq } : about(before, 0, (head?.seq ?? 0) + 1);
    const reason = `it ends before event ${wanted.seq}, which is known to have been written`;
    yield { ...at, kind: "truncated", reason };
  }
  return { files: files.length, lines, head };
}

async function readFile(
  file: JournalFile,
  { each }: VerifyOptions,
  turns: Turns,
): Promise<{ readonly lines: Line[]; readonly torn?: Finding }> {
  const lines: Line[] = [];
  // as it is now: a trail that is written meanwhile has whole lines at any turn
  for (const { bytes, state } of linesOf(file.path, 0, sizeOf(file.path))) {
    if (state === "torn") {
      const at = about(file, lines.length + 1, (lines.at(-1)?.event?.seq ?? file.first - 1) + 1);
      return { lines, torn: { ...at, kind: "truncated", reason: "its last line was cut" } };
    }
    const event = state === "long" ? undefined : readLine(bytes);
    const hash = hashOf(bytes);
    lines.push({ line: lines.length + 1, hash, event });
    if (event !== undefined) each?.(event, hash);
    if (lines.length >= JOURNAL_LINES_MAX) break;
    await turns.due();
  }
  return { lines };
}

/** Between two files: the first line of each names the file before it. */
function* joint(
  before: JournalFile | undefined,
  file: JournalFile,
  first: Line | undefined,
  head: Head | undefined,
): Generator<Finding> {
  const event = first?.event;
  if (event !== undefined && event.seq < file.first) {
    const reason = `its name says that it begins with event ${file.first}, and it begins with ${event.seq}`;
    yield { ...about(file, 1, event.seq), kind: "renamed", reason };
    return;
  }
  if (head !== undefined && file.first <= head.seq) {
    const reason = `it begins with event ${file.first}, which the file before it has as well`;
    yield { ...about(file, 0, file.first), kind: "inserted", reason };
  }
  if (head === undefined || file.first <= head.seq + 1) return;
  const range = rangeOf(head.seq + 1, file.first - 1);
  if (before !== undefined && event?.follows === before.first) {
    yield { ...about(before, 0, head.seq + 1), kind: "truncated", reason: `${range} are cut off its end` };
  } else {
    yield {
      ...about(file, 0, head.seq + 1),
      kind: "missing-file",
      reason: `the files with ${range} before it are gone`,
    };
  }
}

const REWRITTEN = { kind: "changed", reason: "it is not the event that is known to have been written here" } as const;

function about(file: JournalFile, line: number, seq: number) {
  return { file: nameOf(file), line, seq };
}

function nameOf({ path }: JournalFile): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function rangeOf(from: number, to: number): string {
  return from === to ? `event ${from}` : `events ${from} to ${to}`;
}
