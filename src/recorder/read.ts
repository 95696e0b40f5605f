/** Reads a recording back, as far as it is whole. Changes no file. */
import { open, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { codeOf, messageOf, UserError } from "../base/errors.ts";
import { RECORD_BYTES_MAX, RECORD_PENDING_BYTES_MAX, SEGMENT_BYTES_MAX } from "../base/limits.ts";
import { checkPreamble, decodeHead, decodeRecord, PREAMBLE_BYTES, type RecordEntry } from "./format.ts";

/** What a reader meets: records, and what it has to say about the files. */
export type ReadEntry =
  | RecordEntry
  /** Records that should be there are not. */
  | { readonly kind: "missing"; readonly fromSequence: number; readonly toSequence: number }
  /** The rest of this file cannot be read; `torn` when it just ends too early, as a crash leaves it. */
  | {
      readonly kind: "damaged";
      readonly file: string;
      readonly offset: number;
      readonly torn: boolean;
      readonly why: string;
    }
  /** Last, when there is no end: the session runs still, or the daemon died in it. */
  | { readonly kind: "interrupted" };

/** Letters, digits, "-" and "_": a session id names files and may come from a command line. */
const SESSION_ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
const DAY = /^\d{4}-\d\d-\d\d$/;
/** What one flush may have added to a segment that was nearly full, with room. */
const SEGMENT_FILE_MAX = SEGMENT_BYTES_MAX + 4 * RECORD_PENDING_BYTES_MAX;

/** "2026-01-31" in UTC. */
export function dayOf(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 10);
}

/** Throws when `sessionId` could name anything but a recording. */
export function segmentName(sessionId: string, segment: number): string {
  if (!SESSION_ID.test(sessionId)) throw unknownSession(sessionId);
  return `${sessionId}.${segment.toString().padStart(4, "0")}.rec`;
}

/** Newest first. */
export async function listDays(dir: string): Promise<readonly string[]> {
  const names = await readdir(dir).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  });
  return names
    .filter((name) => DAY.test(name))
    .sort()
    .reverse();
}

/** Ids of the sessions that started on `day`. */
export async function listSessions(dir: string, day: string): Promise<readonly string[]> {
  const first = ".0001.rec";
  return (await readdir(join(dir, day)))
    .filter((name) => name.endsWith(first))
    .map((name) => name.slice(0, -first.length))
    .filter((id) => SESSION_ID.test(id));
}

export interface ReadOptions {
  /** From 1; records before it are not read, and not missed. */
  readonly fromSegment?: number;
}

/**
 * The records of one session in order, with findings about its files in between. `day` saves the search.
 * Throws UserError SESSION_UNKNOWN, RECORDING_NEWER.
 */
export async function* readRecording(
  dir: string,
  sessionId: string,
  day?: string,
  options: ReadOptions = {},
): AsyncGenerator<ReadEntry, void> {
  const folder = join(dir, day ?? (await findDay(dir, sessionId)));
  const { fromSegment = 1 } = options;
  let expected = fromSegment === 1 ? 1 : 0;
  let ended = false;
  for (let segment = fromSegment; ; segment += 1) {
    const file = join(folder, segmentName(sessionId, segment));
    const bytes = await readSegment(file);
    if (bytes === undefined) {
      if (segment === 1) throw unknownSession(sessionId);
      break;
    }
    for (const entry of segmentEntries(file, bytes, sessionId, segment)) {
      if ("sequence" in entry) {
        // Written again after a write that failed half way.
        if (entry.sequence < expected) continue;
        if (entry.sequence > expected && expected > 0)
          yield { kind: "missing", fromSequence: expected, toSequence: entry.sequence - 1 };
        expected = entry.sequence + 1;
        ended ||= entry.kind === "end";
      }
      yield entry;
    }
  }
  if (!ended) yield { kind: "interrupted" };
}

export interface SegmentListing {
  readonly segment: number;
  readonly firstSequence: number;
  readonly openedMs: number;
  readonly bytes: number;
}

/** The segments of one session by their heads alone, as far as heads can be read. Throws SESSION_UNKNOWN. */
export async function listSegments(dir: string, sessionId: string, day?: string): Promise<readonly SegmentListing[]> {
  const folder = join(dir, day ?? (await findDay(dir, sessionId)));
  const found: SegmentListing[] = [];
  const head = Buffer.alloc(HEAD_BYTES_MAX);
  for (let segment = 1; ; segment += 1) {
    const file = await open(join(folder, segmentName(sessionId, segment))).catch((error: unknown) => {
      if (codeOf(error) === "ENOENT") return undefined;
      throw error;
    });
    if (file === undefined) return found;
    try {
      const { bytesRead } = await file.read(head, 0, head.length, 0);
      const length = bytesRead < PREAMBLE_BYTES + 4 ? 0 : head.readUInt32BE(PREAMBLE_BYTES);
      const end = PREAMBLE_BYTES + 4 + length;
      if (length === 0 || end > bytesRead || checkPreamble(head.subarray(0, bytesRead)) !== "fine") return found;
      const { firstSequence, openedMs } = decodeHead(head.subarray(PREAMBLE_BYTES + 4, end));
      found.push({ segment, firstSequence, openedMs, bytes: (await file.stat()).size });
    } finally {
      await file.close();
    }
  }
}

/** Preamble and head of a segment: a session's name and some numbers. */
const HEAD_BYTES_MAX = 512;

async function findDay(dir: string, sessionId: string): Promise<string> {
  const name = segmentName(sessionId, 1);
  for (const day of await listDays(dir)) {
    const found = await stat(join(dir, day, name)).catch(() => undefined);
    if (found !== undefined) return day;
  }
  throw unknownSession(sessionId);
}

async function readSegment(file: string): Promise<Buffer | undefined> {
  try {
    const { size } = await stat(file);
    if (size > SEGMENT_FILE_MAX) throw new Error(`Cannot read ${file}: ${size} bytes are more than a segment has`);
    return await readFile(file);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

function* segmentEntries(file: string, bytes: Buffer, sessionId: string, segment: number): Generator<ReadEntry, void> {
  const damaged = (offset: number, torn: boolean, why: string): ReadEntry => ({
    kind: "damaged",
    file,
    offset,
    torn,
    why,
  });
  if (bytes.length < PREAMBLE_BYTES) {
    yield damaged(0, true, "it ends within its preamble");
    return;
  }
  const preamble = checkPreamble(bytes);
  if (preamble === "newer") {
    throw new UserError(
      "RECORDING_NEWER",
      `Cannot read ${file}: a later version wrote it`,
      "Read it with the later sallyport",
    );
  }
  if (preamble === "foreign") {
    yield damaged(0, false, "it is not a recording");
    return;
  }
  let offset = PREAMBLE_BYTES;
  let head = true;
  while (offset < bytes.length) {
    const length = bytes.length - offset < 4 ? undefined : bytes.readUInt32BE(offset);
    if (length === undefined || (length <= RECORD_BYTES_MAX && offset + 4 + length > bytes.length)) {
      yield damaged(offset, true, "its last record is not complete");
      return;
    }
    if (length === 0 || length > RECORD_BYTES_MAX) {
      yield damaged(offset, false, `a record cannot have ${length} bytes`);
      return;
    }
    const message = bytes.subarray(offset + 4, offset + 4 + length);
    let entry: RecordEntry | undefined;
    try {
      if (head) {
        const { sessionId: named, segment: number } = decodeHead(message);
        if (named !== sessionId || number !== segment)
          throw new Error(`it says that it is segment ${number} of ${named}`);
        head = false;
      } else {
        entry = decodeRecord(message);
      }
    } catch (error) {
      yield damaged(offset, false, messageOf(error));
      return;
    }
    offset += 4 + length;
    if (entry !== undefined) yield entry;
  }
}

function unknownSession(sessionId: string): UserError {
  return new UserError(
    "SESSION_UNKNOWN",
    `Cannot find a recording of session ${JSON.stringify(sessionId.slice(0, 64))}`,
    "See the sessions that were recorded: sallyport sessions",
  );
}
