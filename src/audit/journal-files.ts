/** The journal's folder: which files there are, and their lines. Reads only. */
import { closeSync, fstatSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { codeOf } from "../base/errors.ts";
import { EVENT_BYTES_MAX } from "../base/limits.ts";

export interface JournalFile {
  /** The number of its first line, which is its name. */
  readonly first: number;
  readonly path: string;
}

const NAME = /^([0-9]{12})\.jsonl$/;

export function journalFile(dir: string, first: number): JournalFile {
  return { first, path: join(dir, `${String(first).padStart(12, "0")}.jsonl`) };
}

/** In the order of their lines. */
export function journalFiles(dir: string): readonly JournalFile[] {
  return readdirSync(dir)
    .flatMap((name) => (NAME.exec(name) === null ? [] : [journalFile(dir, Number(NAME.exec(name)?.[1]))]))
    .sort((one, other) => one.first - other.first);
}

export interface RawLine {
  /** Without its line break; a view that is valid until the next line is asked for. */
  readonly bytes: Uint8Array;
  /** Behind the line, from the start of the file. */
  readonly end: number;
  /** "torn": the file ends without a line break. "long": longer than an event may be; `bytes` is its beginning. */
  readonly state: "whole" | "torn" | "long";
}

const CHUNK_BYTES = 256 * 1024;
const LINE_BREAK = 0x0a;

/** The lines of a file from `offset` to its end, or to `until`. Throws errno errors. */
export function* linesOf(path: string, offset = 0, until = Number.POSITIVE_INFINITY): Generator<RawLine> {
  const fd = openSync(path, "r");
  try {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    let position = offset;
    let rest: Buffer = Buffer.alloc(0);
    let isLong = false;
    for (;;) {
      const length = readSync(fd, chunk, 0, Math.min(chunk.length, until - position), position);
      if (length === 0) break;
      position += length;
      let from = 0;
      for (;;) {
        const at = chunk.subarray(0, length).indexOf(LINE_BREAK, from);
        if (at === -1) break;
        const part = chunk.subarray(from, at);
        const bytes = rest.length === 0 ? part : Buffer.concat([rest, part]);
        const state = isLong || bytes.length > EVENT_BYTES_MAX ? "long" : "whole";
        yield { bytes, end: position - length + at + 1, state };
        rest = Buffer.alloc(0);
        isLong = false;
        from = at + 1;
      }
      if (!isLong) rest = Buffer.concat([rest, chunk.subarray(from, length)]);
      isLong ||= rest.length > EVENT_BYTES_MAX; // its beginning is enough to name it
    }
    if (rest.length > 0) yield { bytes: rest, end: position, state: "torn" };
  } finally {
    closeSync(fd);
  }
}

/** The last whole line, and where it ends: what is behind it was torn by a crash. Undefined: there is none. */
export function lastLine(path: string): { readonly bytes: Buffer; readonly end: number } | undefined {
  const fd = openSync(path, "r");
  try {
    const end = lastBreak(fd, fstatSync(fd).size);
    if (end === -1) return undefined;
    // A line that an event became fits in; of a longer one, its end is enough to see that it is none.
    const from = Math.max(0, end - EVENT_BYTES_MAX - 1);
    const tail = Buffer.alloc(end - from);
    readSync(fd, tail, 0, tail.length, from);
    return { bytes: tail.subarray(tail.lastIndexOf(LINE_BREAK) + 1), end: end + 1 };
  } finally {
    closeSync(fd);
  }
}

/** Where the last line break stands before `size`; -1: nowhere. However much a crash left behind it. */
function lastBreak(fd: number, size: number): number {
  const chunk = Buffer.alloc(CHUNK_BYTES);
  for (let end = size; end > 0; end -= CHUNK_BYTES) {
    const from = Math.max(0, end - CHUNK_BYTES);
    const length = readSync(fd, chunk, 0, end - from, from);
    const at = chunk.subarray(0, length).lastIndexOf(LINE_BREAK);
    if (at !== -1) return from + at;
  }
  return -1;
}

/** 0 where it is gone. */
export function sizeOf(path: string): number {
  try {
    return statSync(path).size;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return 0;
    throw error;
  }
}
