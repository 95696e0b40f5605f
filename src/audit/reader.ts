/** Reads the journal from a place on, for one sink. Moves forward by what it hands out; writes nothing. */
import { codeOf } from "../base/errors.ts";
import type { Journal, Place } from "./journal.ts";
import { linesOf } from "./journal-files.ts";
import { type Head, hashOf, type JournalEvent, NO_HASH, readLine } from "./lines.ts";

export interface Entry {
  /** Behind it. */
  readonly place: Place;
  /** The line as it stands. */
  readonly text: string;
  /** Undefined: the line was damaged on the disk. */
  readonly event: JournalEvent | undefined;
}

/** Before the first event that is kept. */
export function placeOfStart(journal: Journal): Place {
  const first = journal.files[0] ?? 1;
  return { seq: first - 1, hash: NO_HASH, first, offset: 0 };
}

/** Behind the newest event. */
export function placeOfEnd(journal: Journal): Place {
  const first = journal.files.at(-1) ?? 1;
  return { ...journal.head, first, offset: journal.sizeOf(first) };
}

/** Behind event `seq`. Undefined: it is not there, or is another one than `hash` says. */
export function placeAfter(journal: Journal, { seq, hash }: Head): Place | undefined {
  const { files } = journal;
  const first = files.filter((file) => file <= seq).at(-1);
  if (first === undefined) return seq === (files[0] ?? 1) - 1 ? placeOfStart(journal) : undefined;
  let at = first - 1;
  for (const { bytes, end, state } of linesOf(journal.pathOf(first))) {
    at += 1;
    if (at === seq) return state === "whole" && hashOf(bytes) === hash ? { seq, hash, first, offset: end } : undefined;
  }
  return undefined;
}

/** The first place such that at most `bytes` follow. */
export function placeWithin(journal: Journal, bytes: number): Place {
  const start = placeOfStart(journal);
  if (journal.bytesAfter(start) <= bytes) return start;
  // The last file that begins too early has the place in it.
  const first = journal.files.findLast((file) => journal.bytesAfter({ first: file, offset: 0 }) > bytes) ?? start.first;
  let seq = first - 1;
  for (const { bytes: line, end } of linesOf(journal.pathOf(first))) {
    seq += 1;
    if (journal.bytesAfter({ first, offset: end }) <= bytes) return { seq, hash: hashOf(line), first, offset: end };
  }
  return placeOfEnd(journal);
}

export class Reader {
  readonly #journal: Journal;
  #place: Place;

  constructor(journal: Journal, place: Place) {
    this.#journal = journal;
    this.#place = place;
  }

  get place(): Place {
    return this.#place;
  }

  seek(place: Place): void {
    this.#place = place;
  }

  /** What follows, up to these bounds; at least one where there is any. Throws errno errors. */
  next(countMax: number, bytesMax: number): readonly Entry[] {
    const entries: Entry[] = [];
    let bytes = 0;
    while (entries.length < countMax && this.#place.seq < this.#journal.head.seq) {
      const { first, offset } = this.#place;
      const size = this.#journal.sizeOf(first);
      if (offset >= size) {
        const following = this.#journal.files.find((file) => file > first);
        if (following === undefined) break;
        this.#place = { ...this.#place, first: following, offset: 0, seq: Math.max(this.#place.seq, following - 1) };
        continue;
      }
      const before = entries.length;
      for (const entry of this.#entries(size)) {
        if (entries.length > 0 && bytes + entry.text.length > bytesMax) return entries;
        entries.push(entry);
        bytes += entry.text.length;
        this.#place = entry.place;
        if (entries.length >= countMax) return entries;
      }
      // Somebody cut or removed it: the journal's verifier tells of that, and a sink goes on.
      if (entries.length === before) this.#place = { ...this.#place, offset: size };
    }
    return entries;
  }

  *#entries(size: number): Generator<Entry> {
    const { first, offset } = this.#place;
    let { seq } = this.#place;
    try {
      for (const { bytes, end, state } of linesOf(this.#journal.pathOf(first), offset, size)) {
        seq += 1;
        const event = state === "whole" ? readLine(bytes) : undefined;
        const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
        yield { place: { seq, hash: hashOf(bytes), first, offset: end }, text, event };
      }
    } catch (error) {
      if (codeOf(error) !== "ENOENT") throw error; // else nothing is there any more
    }
  }
}
