/** A loss of power, made: of each recording only that much is left which the daemon knew to be on the disk. */
import { existsSync, readdirSync, readFileSync, rmSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";

/** `synced`: what the daemon wrote down, one "BYTES FILE" a line. Returns how many bytes and files are gone. */
export function losePower(recordings: string, synced: string): { readonly bytes: number; readonly files: number } {
  const kept = new Map<string, number>();
  const lines = existsSync(synced) ? readFileSync(synced, "utf8").split("\n") : [];
  for (const line of lines) {
    const [, bytes, file = ""] = /^(\d+) (.+)$/.exec(line) ?? [];
    if (bytes !== undefined) kept.set(file, Math.max(Number(bytes), kept.get(file) ?? 0));
  }
  const lost = { bytes: 0, files: 0 };
  for (const name of readdirSync(recordings, { recursive: true, encoding: "utf8" })) {
    if (!name.endsWith(".rec")) continue; // what is compressed was synced before the raw file went
    const file = join(recordings, name);
    const { size } = statSync(file);
    const left = kept.get(file);
    if (left === size) continue;
    lost.bytes += size - (left ?? 0);
    if (left === undefined) {
      lost.files += 1;
      rmSync(file);
    } else truncateSync(file, left);
  }
  return lost;
}
