/** One file of a journal against the chain: what does not fit, and which line is to blame. Reads nothing itself. */
import type { Turns } from "../store/turns.ts";
import { type Head, type JournalEvent, NO_HASH } from "./lines.ts";

export interface Finding {
  readonly kind: "changed" | "missing" | "reordered" | "inserted" | "truncated" | "missing-file" | "renamed";
  /** The file's name without its folder. */
  readonly file: string;
  /** From 1; 0: the file as a whole. */
  readonly line: number;
  /** The number of the event that is meant; of several the first. */
  readonly seq: number;
  /** One sentence for a person. */
  readonly reason: string;
}

export interface Line {
  /** From 1. */
  readonly line: number;
  readonly hash: string;
  /** Undefined: it cannot be read. */
  readonly event: JournalEvent | undefined;
}

/** `first`: the number it should begin with. `before`: the line before it, where that is known. */
export async function checkLines(
  file: string,
  lines: readonly Line[],
  first: number,
  before: Head | undefined,
  turns: Turns,
): Promise<{ readonly findings: readonly Finding[]; readonly head: Head | undefined }> {
  const walk = new Walk(file, lines, first, before);
  for (let index = 0; index < lines.length; index++) {
    walk.step(index);
    await turns.due();
  }
  return { findings: walk.findings, head: walk.head };
}

class Walk {
  readonly findings: Finding[] = [];
  readonly #file: string;
  readonly #lines: readonly Line[];
  /** At which line a number stands, the first of them. */
  readonly #lineOf = new Map<number, number>();
  readonly #seen = new Set<number>();
  #expected: number;
  /** Undefined: what came before cannot be trusted to tell. */
  #hash: string | undefined;
  /** The line before this one was blamed: that the hashes differ is explained. */
  #isExplained = false;

  constructor(file: string, lines: readonly Line[], first: number, before: Head | undefined) {
    this.#file = file;
    this.#lines = lines;
    this.#expected = first;
    this.#hash = before?.seq === first - 1 ? before.hash : first === 1 ? NO_HASH : undefined;
    for (const { event, line } of lines) {
      if (event !== undefined && !this.#lineOf.has(event.seq)) this.#lineOf.set(event.seq, line);
    }
  }

  get head(): Head | undefined {
    return this.#hash === undefined ? undefined : { seq: this.#expected - 1, hash: this.#hash };
  }

  step(index: number): void {
    const line = this.#lines[index];
    if (line === undefined) return;
    const { event } = line;
    if (event === undefined) {
      this.#blame("changed", line.line, this.#expected, "it is not a line of an audit trail any more");
      this.#take(this.#expected, line.hash, "explained");
    } else if (event.seq === this.#expected) {
      this.#inOrder(index, line, event);
    } else if (event.seq > this.#expected) {
      this.#ahead(index, line, event);
    } else if (this.#seen.has(event.seq)) {
      this.#twice(index, line, event);
    } else {
      this.#seen.add(event.seq); // told where the one before its time stood
      this.#isExplained = true;
    }
  }

  #inOrder(index: number, line: Line, event: JournalEvent): void {
    const differs = this.#hash !== undefined && event.prev !== this.#hash;
    if (!differs || this.#isExplained) {
      this.#take(event.seq, line.hash, "whole");
      return;
    }
    const next = this.#lines[index + 1]?.event;
    const isFirst = this.#seen.size === 0;
    // The line after it vouches for this one: then the one before was changed. Else its own hash of that one was.
    if (!isFirst && (next === undefined || next.prev === line.hash)) {
      const reason = `the line after it names another hash than its own`;
      this.#blame("changed", line.line - 1, event.seq - 1, reason);
      this.#take(event.seq, line.hash, "whole");
    } else {
      const reason = "it does not name the hash of the line before it";
      const more = isFirst ? `${reason}, the last of the file before` : reason;
      this.#blame("changed", line.line, event.seq, more);
      this.#take(event.seq, line.hash, next?.prev === line.hash ? "whole" : "explained");
    }
  }

  #ahead(index: number, line: Line, event: JournalEvent): void {
    const next = this.#lines[index + 1]?.event;
    const from = this.#expected;
    const later = this.#lineOf.get(from);
    if (event.prev === this.#hash && next?.seq === from + 1) {
      this.#blame("changed", line.line, from, `its number was changed to ${event.seq}`);
      this.#take(from, line.hash, "explained");
      return;
    }
    if (later !== undefined && later > line.line) {
      this.#blame("reordered", line.line, event.seq, `event ${from} should stand here, and stands in line ${later}`);
    } else {
      const range = from === event.seq - 1 ? `event ${from} is` : `events ${from} to ${event.seq - 1} are`;
      this.#blame("missing", line.line, from, `${range} gone before this line`);
    }
    this.#take(event.seq, line.hash, "whole");
  }

  /** Of two, the one that the line after them does not name. */
  #twice(index: number, line: Line, event: JournalEvent): void {
    const isReal = this.#expected === event.seq + 1 && this.#lines[index + 1]?.event?.prev === line.hash;
    const at = isReal ? line.line - 1 : line.line;
    this.#blame("inserted", at, event.seq, `event ${event.seq} stands here a second time`);
    if (isReal) this.#take(event.seq, line.hash, "whole");
  }

  #take(seq: number, hash: string, how: "whole" | "explained"): void {
    this.#seen.add(seq);
    this.#expected = seq + 1;
    this.#hash = hash;
    this.#isExplained = how === "explained";
  }

  #blame(kind: Finding["kind"], line: number, seq: number, reason: string): void {
    this.findings.push({ kind, file: this.#file, line, seq, reason });
  }
}
