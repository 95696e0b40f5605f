/** How far a sink has come, in a file of its own that is replaced as a whole. */
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { codeOf } from "../base/errors.ts";
import type { Head } from "./lines.ts";

/** Every event up to `seq` was taken, refused for good, or skipped and told of. */
export interface Cursor extends Head {
  /** The newest `evidence.checkpoint` among what was delivered; 0: none. What it covers is known outside of this host. */
  readonly checkpoint: number;
  /** Since the sink was made. */
  readonly delivered: number;
  readonly deadLettered: number;
  readonly skipped: number;
}

export function cursorFile(dir: string, sink: string): string {
  return join(dir, `${sink}.cursor.json`);
}

/** Undefined: there is none. Throws SyntaxError where it was damaged. */
export function readCursor(dir: string, sink: string): Cursor | undefined {
  try {
    const value = JSON.parse(readFileSync(cursorFile(dir, sink), "utf8")) as Partial<Cursor>;
    const { seq, hash, checkpoint = 0, delivered = 0, deadLettered = 0, skipped = 0 } = value;
    if (!Number.isSafeInteger(seq) || typeof hash !== "string") throw new SyntaxError("it names no event");
    return { seq: seq ?? 0, hash, checkpoint, delivered, deadLettered, skipped };
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** Throws errno errors; then the old one stays. */
export function writeCursor(dir: string, sink: string, cursor: Cursor): void {
  const file = cursorFile(dir, sink);
  writeFileSync(`${file}.new`, `${JSON.stringify(cursor)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

export function removeCursor(dir: string, sink: string): void {
  for (const file of [cursorFile(dir, sink), `${cursorFile(dir, sink)}.new`]) rmSync(file, { force: true });
}
