/** Where recordings lie: folders of days, files of segments, raw or compressed. Names and bytes; no records. */
import { open, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { zstdDecompress } from "node:zlib";
import { codeOf, UserError } from "../base/errors.ts";
import { BLOCK_BYTES_MAX, SEGMENT_BYTES_MAX } from "../base/limits.ts";

/** Letters, digits, "-" and "_": a session id names files and may come from a command line. */
const SESSION_ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
const DAY = /^\d{4}-\d\d-\d\d$/;
const FIRST = /^([A-Za-z0-9][A-Za-z0-9_-]{0,63})\.0001\.rec(\.zst)?$/;
/** What one write may have added to a segment that was nearly full. */
const SEGMENT_FILE_MAX = SEGMENT_BYTES_MAX + BLOCK_BYTES_MAX;
/** Preamble and head of a segment, with room: a head has some 100 bytes. */
const HEAD_BYTES = 512;

/** Of a Zstandard skippable frame (RFC 8878, section 3.1.2): readers of the format pass over it. */
const SKIPPABLE_MAGIC = 0x184d_2a50;
const SKIPPABLE_HEADER_BYTES = 8;

/** What is decompressed comes in pieces of this: a usual segment in one, so that it is in memory once and not twice. */
const CHUNK_BYTES = SEGMENT_BYTES_MAX + 64 * 1024;

const decompress = promisify(zstdDecompress);

/** "2026-01-31" in UTC. */
export function dayOf(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 10);
}

/** Of the file while it is not compressed. Throws when `sessionId` could name anything but a recording. */
export function segmentName(sessionId: string, segment: number): string {
  if (!SESSION_ID.test(sessionId)) throw unknownSession(sessionId);
  return `${sessionId}.${segment.toString().padStart(4, "0")}.rec`;
}

export function compressedName(file: string): string {
  return `${file}.zst`;
}

/** All names that a segment's bytes may have: as written, compressed, and compressed in part when a crash came. */
export function namesOf(file: string): readonly string[] {
  return [file, compressedName(file), freshName(file)];
}

/** Of a compressed one that is not complete. */
export function freshName(file: string): string {
  return `${compressedName(file)}.new`;
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
  const ids = (await readdir(join(dir, day))).flatMap((name) => FIRST.exec(name)?.[1] ?? []);
  return [...new Set(ids)];
}

/** The folder in which the session's recording lies. Throws SESSION_UNKNOWN. */
export async function findDay(dir: string, sessionId: string): Promise<string> {
  const name = segmentName(sessionId, 1);
  for (const day of await listDays(dir)) {
    if ((await existing(join(dir, day, name))) !== undefined) return day;
  }
  throw unknownSession(sessionId);
}

export interface StoredSegment {
  /** With ".zst" where it is compressed. */
  readonly file: string;
  /** As it was written. */
  readonly bytes: Buffer;
  /** The copy of its beginning that a compressed one has in the clear; empty where that is missing. */
  readonly beginning: Buffer | undefined;
}

/** The whole of a segment; undefined where there is none. `file`: its name without ".zst". */
export async function readSegment(file: string): Promise<StoredSegment | undefined> {
  const found = await existing(file);
  if (found === undefined) return undefined;
  try {
    return await readStored(found.file, found.size, found.file === file ? "raw" : "compressed");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return readSegment(file); // it was being compressed
    throw error;
  }
}

/** The compressed one where the raw one is there as well: a crash left both, and readers take the raw one. */
export async function readTwin(file: string): Promise<StoredSegment | undefined> {
  const [raw, compressed] = await Promise.all([sizeOf(file), sizeOf(compressedName(file))]);
  if (raw === undefined || compressed === undefined) return undefined;
  return readStored(compressedName(file), compressed, "compressed");
}

async function readStored(file: string, size: number, form: "raw" | "compressed"): Promise<StoredSegment> {
  if (size > SEGMENT_FILE_MAX) throw new Error(`Cannot read ${file}: ${size} bytes are more than a segment has`);
  const stored = await readFile(file);
  if (form === "raw") return { file, bytes: stored, beginning: undefined };
  const at = skipped(stored);
  const bytes = await decompress(stored.subarray(at), { maxOutputLength: SEGMENT_FILE_MAX, chunkSize: CHUNK_BYTES });
  return { file, bytes, beginning: stored.subarray(Math.min(SKIPPABLE_HEADER_BYTES, at), at) };
}

/** As much of a segment's beginning as its head may take, without reading or decompressing the rest. */
export async function readBeginning(
  file: string,
): Promise<{ readonly bytes: Buffer; readonly size: number } | undefined> {
  const found = await existing(file);
  if (found === undefined) return undefined;
  const handle = await open(found.file, "r");
  try {
    const stored = Buffer.alloc(HEAD_BYTES);
    const { bytesRead } = await handle.read(stored, 0, stored.length, 0);
    const bytes = stored.subarray(found.file === file ? 0 : SKIPPABLE_HEADER_BYTES, bytesRead);
    return { bytes, size: found.size };
  } finally {
    await handle.close();
  }
}

/** What a compressed segment begins with: a frame that readers skip, with `beginning` in the clear. */
export function skippableFrame(beginning: Uint8Array): Buffer {
  const header = Buffer.alloc(SKIPPABLE_HEADER_BYTES);
  header.writeUInt32LE(SKIPPABLE_MAGIC, 0);
  header.writeUInt32LE(beginning.length, 4);
  return Buffer.concat([header, beginning]);
}

function skipped(stored: Buffer): number {
  if (stored.length < SKIPPABLE_HEADER_BYTES || stored.readUInt32LE(0) !== SKIPPABLE_MAGIC) return 0;
  return SKIPPABLE_HEADER_BYTES + stored.readUInt32LE(4);
}

/** The raw file counts while it is there: the compressed one is complete only once the raw one is gone. */
async function existing(file: string): Promise<{ readonly file: string; readonly size: number } | undefined> {
  for (const name of [file, compressedName(file)]) {
    const size = await sizeOf(name);
    if (size !== undefined) return { file: name, size };
  }
  return undefined;
}

/** undefined where there is none. */
async function sizeOf(file: string): Promise<number | undefined> {
  return (await stat(file).catch(() => undefined))?.size;
}

export function unknownSession(sessionId: string): UserError {
  return new UserError(
    "SESSION_UNKNOWN",
    `Cannot find a recording of session ${JSON.stringify(sessionId.slice(0, 64))}`,
    "See the sessions that were recorded: sallyport sessions",
  );
}
