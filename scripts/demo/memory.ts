/** Looks for a text in the memory and the environment of a live process, as an attacker with the same rights would. */
import { closeSync, openSync, readFileSync, readSync } from "node:fs";

/** 1 GiB: far above what psql maps; a larger process is read up to here. */
const BYTES_MAX = 1024 * 1024 * 1024;
const STEP = 4 * 1024 * 1024;

export interface Search {
  readonly found: boolean;
  /** Readable bytes that were searched: 0 would mean that nothing was looked at. */
  readonly bytes: number;
}

/** Source: proc(5), /proc/PID/maps and /proc/PID/mem. Throws when the process cannot be read at all. */
export function searchProcess(pid: number, text: string): Search {
  const wanted = Buffer.from(text);
  let found = readFileSync(`/proc/${pid}/environ`).includes(wanted);
  let bytes = 0;
  const memory = openSync(`/proc/${pid}/mem`, "r");
  try {
    for (const { start, end } of readableRanges(pid)) {
      for (let at = start; at < end && bytes < BYTES_MAX; at += STEP) {
        const chunk = Buffer.alloc(Math.min(STEP + wanted.length, end - at)); // overlaps by the text's length
        const count = readOrNothing(memory, chunk, at);
        bytes += Math.min(count, STEP);
        found ||= chunk.subarray(0, count).includes(wanted);
      }
    }
  } finally {
    closeSync(memory);
  }
  return { found, bytes };
}

function readableRanges(pid: number): { start: number; end: number }[] {
  return readFileSync(`/proc/${pid}/maps`, "utf8")
    .split("\n")
    .flatMap((line) => {
      const match = /^([0-9a-f]+)-([0-9a-f]+) r.*?(\[v\w+\])?$/.exec(line);
      if (match === null || match[3] !== undefined) return []; // [vvar], [vsyscall] are the kernel's
      return [{ start: Number.parseInt(match[1] ?? "", 16), end: Number.parseInt(match[2] ?? "", 16) }];
    });
}

function readOrNothing(fd: number, chunk: Buffer, at: number): number {
  try {
    return readSync(fd, chunk, 0, chunk.length, at);
  } catch {
    return 0; // a page that is mapped but not readable; the caller counts what was
  }
}
