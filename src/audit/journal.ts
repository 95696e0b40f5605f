/**
 * The journal: every event, one line each, chained by hashes, in append-only files. The trail's own truth, and the
 * outbox that sinks read. Writes when told; waits for nobody and judges nothing.
 */
import { truncateSync, unlinkSync } from "node:fs";
import { UserError } from "../base/errors.ts";
import { JOURNAL_FILE_BYTES } from "../base/limits.ts";
import type { AuditEvent } from "../model/event.ts";
import { preparePrivateFolder } from "../store/database.ts";
import { openSegment, type Segment, type WriteBytes } from "../store/segment.ts";
import { type JournalFile, journalFile, journalFiles, lastLine, linesOf, sizeOf } from "./journal-files.ts";
import { type Head, hashOf, lineOf, NO_HASH, readLine } from "./lines.ts";

export interface JournalOptions {
  /** `<state>/events`; made with mode 0700, its files with 0600. */
  readonly dir: string;
  readonly fileBytes?: number;
  readonly writeBytes?: WriteBytes;
}

/** Behind a line: so far a reader has come. */
export interface Place extends Head {
  /** The file, by its first number, and the byte in it at which the next line begins. */
  readonly first: number;
  readonly offset: number;
}

export interface Removed {
  /** First numbers of the files that are gone. */
  readonly files: readonly number[];
  /** The last line that is gone: whoever verifies the rest begins behind it. */
  readonly before: Head;
}

export class Journal {
  readonly dir: string;
  readonly #fileBytes: number;
  readonly #writeBytes: WriteBytes | undefined;
  /** Their sizes, by first number, in order. */
  readonly #sizes = new Map<number, number>();
  #segment: Segment | undefined;
  #head: Head;

  private constructor(options: JournalOptions, head: Head) {
    this.dir = options.dir;
    this.#fileBytes = options.fileBytes ?? JOURNAL_FILE_BYTES;
    this.#writeBytes = options.writeBytes;
    this.#head = head;
  }

  /** Goes on where the last whole line ends. Throws JOURNAL_DAMAGED, STORE_FOLDER_MODE, errno errors. */
  static open(options: JournalOptions): Journal {
    preparePrivateFolder(options.dir);
    const files = journalFiles(options.dir);
    const journal = new Journal(options, recover(files));
    for (const { first, path } of files) journal.#sizes.set(first, sizeOf(path));
    return journal;
  }

  get head(): Head {
    return this.#head;
  }

  /** First numbers of the files, in order. */
  get files(): readonly number[] {
    return [...this.#sizes.keys()];
  }

  /** All of them, in one write, or none: throws errno errors with nothing of them left. */
  append(events: readonly AuditEvent[]): void {
    if (events.length === 0) return;
    const isNew = this.#isFull(); // a batch may go over the size: no line is ever split
    const last = this.files.at(-1) ?? 0;
    const first = isNew ? this.#head.seq + 1 : last;
    const lines: Buffer[] = [];
    let head = this.#head;
    for (const event of events) {
      const line = lineOf(event, head, head.seq + 1 === first ? this.#followed(first) : undefined);
      lines.push(line, LINE_BREAK);
      head = { seq: head.seq + 1, hash: hashOf(line) };
    }
    const segment = this.#open(first);
    segment.write(Buffer.concat(lines));
    this.#sizes.set(first, segment.size);
    this.#head = head;
  }

  /** Bytes behind that place. */
  bytesAfter({ first, offset }: Pick<Place, "first" | "offset">): number {
    let bytes = 0;
    for (const [file, size] of this.#sizes) {
      if (file > first) bytes += size;
      else if (file === first) bytes += Math.max(0, size - offset);
    }
    return bytes;
  }

  sizeOf(first: number): number {
    return this.#sizes.get(first) ?? 0;
  }

  pathOf(first: number): string {
    return journalFile(this.dir, first).path;
  }

  /** Removes whole files that hold only lines below `seq`; never the newest. */
  removeBefore(seq: number): Removed {
    const files = this.files;
    const old = files.filter((_, index) => (files[index + 1] ?? Number.POSITIVE_INFINITY) <= seq);
    for (const first of old) {
      unlinkSync(this.pathOf(first));
      this.#sizes.delete(first);
    }
    return { files: old, before: this.#beginning() };
  }

  /** The line before the first one kept, as that one names it. */
  #beginning(): Head {
    const [first] = this.files;
    if (first === undefined) return NOTHING;
    for (const { bytes } of linesOf(this.pathOf(first)))
      return { seq: first - 1, hash: readLine(bytes)?.prev ?? NO_HASH };
    return { seq: first - 1, hash: NO_HASH };
  }

  close(): void {
    this.#segment?.close();
    this.#segment = undefined;
  }

  #isFull(): boolean {
    const last = this.files.at(-1);
    return last === undefined || this.sizeOf(last) >= this.#fileBytes;
  }

  /** The file before the one that begins with `first`. */
  #followed(first: number): number {
    return this.files.filter((other) => other < first).at(-1) ?? 0;
  }

  #open(first: number): Segment {
    const file = this.pathOf(first);
    if (this.#segment?.file !== file || this.#segment.broken) {
      if (this.#segment?.broken === true) truncateSync(this.#segment.file, this.sizeOf(first));
      this.#segment?.close();
      this.#segment = undefined;
      this.#segment = openSegment(file, "append", this.#writeBytes);
    }
    return this.#segment;
  }
}

const LINE_BREAK = Buffer.from("\n");

/** Cuts what a crash tore; the newest file may have no whole line at all. */
function recover(files: readonly JournalFile[]): Head {
  for (const [index, { first, path }] of [...files].reverse().entries()) {
    const last = lastLine(path);
    if (last === undefined) {
      if (index > 0) throw damaged(path);
      truncateSync(path, 0);
      if (files.length === 1 && first === 1) return NOTHING;
      continue;
    }
    if (index === 0) truncateSync(path, last.end);
    const event = readLine(last.bytes);
    if (event === undefined || event.seq < first) throw damaged(path);
    return { seq: event.seq, hash: hashOf(last.bytes) };
  }
  const [only] = files;
  if (only !== undefined) throw damaged(only.path);
  return NOTHING;
}

const NOTHING: Head = { seq: 0, hash: NO_HASH };

function damaged(path: string): UserError {
  return new UserError(
    "JOURNAL_DAMAGED",
    `Cannot go on with the audit trail: ${path} does not end with a line of it`,
    "Keep a copy of the folder as evidence, then put its files back from a backup, or move all of them away to begin anew",
  );
}
