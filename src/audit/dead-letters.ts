/** Events that a sink will never take, with its reason: two files for each sink, the older one given up for room. */
import { appendFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { DEAD_LETTER_BYTES_MAX } from "../base/limits.ts";
import { sizeOf } from "./journal-files.ts";

export function deadLetterFile(dir: string, sink: string): string {
  return join(dir, `${sink}.dead.jsonl`);
}

/** One line each. Throws errno errors. */
export function keepDeadLetters(
  dir: string,
  sink: string,
  letters: readonly { readonly seq: number; readonly text: string }[],
  reason: string,
  atMs: number,
): void {
  const file = deadLetterFile(dir, sink);
  if (sizeOf(file) >= DEAD_LETTER_BYTES_MAX) renameSync(file, `${file}.1`);
  const lines = letters.map(({ seq, text }) => `${JSON.stringify({ atMs, reason, seq, text })}\n`);
  appendFileSync(file, lines.join(""), { mode: 0o600 });
}
