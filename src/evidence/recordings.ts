/**
 * Recordings as evidence: each block against the one before, and the whole against the newest signed word on it. Needs
 * no key for sealed ones. Reads only.
 */
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { messageOf } from "../base/errors.ts";
import { FIRST_LINK, hexOf, type Link } from "../recorder/block.ts";
import { SegmentDecoder } from "../recorder/decode.ts";
import { readBeginning, readSegment, readTwin, type StoredSegment, segmentName } from "../recorder/files.ts";
import { checkPreamble, isTornPreamble, type RecordEntry } from "../recorder/format.ts";
import type { SessionKeys } from "../recorder/seal.ts";
import { isBeginningOf, piecesOf, type SegmentPiece } from "../recorder/segment.ts";
import { Turns } from "../store/turns.ts";
import type { EvidenceFinding } from "./finding.ts";
import type { SignedRoot } from "./signed-root.ts";

/** Where one session's segments lie, and which there are. */
export interface StoredSession {
  readonly sessionId: string;
  readonly folder: string;
  /** In their order. */
  readonly segments: readonly number[];
}

export interface SessionVerdict {
  readonly records: number;
  readonly bytes: number;
}

const SEGMENT = /^([A-Za-z0-9][A-Za-z0-9_-]{0,63})\.(\d{4,9})\.rec(\.zst)?$/;

/** What lies in one folder of recordings. */
export async function storedIn(folder: string): Promise<ReadonlyMap<string, StoredSession>> {
  const found = new Map<string, Set<number>>();
  for (const name of await readdir(folder)) {
    const [, sessionId, segment] = SEGMENT.exec(name) ?? [];
    if (sessionId === undefined) continue;
    const segments = found.get(sessionId) ?? new Set<number>();
    found.set(sessionId, segments.add(Number(segment)));
  }
  return new Map(
    [...found].map(([sessionId, segments]) => {
      return [sessionId, { sessionId, folder, segments: [...segments].sort((a, b) => a - b) }];
    }),
  );
}

/** Whether it was written before there were checkpoints. */
export async function isOfOlderFormat({ sessionId, folder }: StoredSession): Promise<boolean> {
  const beginning = await readBeginning(join(folder, segmentName(sessionId, 1)));
  return beginning !== undefined && checkPreamble(beginning.bytes) === "older";
}

export interface SessionEvidence {
  /** The newest signed word; undefined: there is none. */
  readonly root: SignedRoot | undefined;
  /** More may be written while it is looked at. */
  readonly isLive: boolean;
  readonly keys?: SessionKeys;
  /** Hears of every record that can be read, once. */
  readonly each?: (entry: RecordEntry) => void;
}

/** Every finding of one recording; what it returns at the end is how much was looked at. */
export async function* verifySession(
  { sessionId, folder, segments }: StoredSession,
  evidence: SessionEvidence,
): AsyncGenerator<EvidenceFinding, SessionVerdict> {
  const walk = new Walk(sessionId, evidence);
  const last = segments.at(-1) ?? 0;
  for (const { from, to } of placesOf(segments, evidence.root?.segment ?? 0)) {
    const file = join(folder, segmentName(sessionId, from));
    try {
      const twin = from === to ? await readTwin(file) : undefined; // before the other, which may be growing still
      const found = from === to ? await readSegment(file) : undefined;
      if (found === undefined) yield* walk.gone(file, to - from + 1);
      else {
        yield* walk.segment(found, from, from === last);
        yield* walk.twin(found, twin);
      }
    } catch (error) {
      yield* walk.unreadable(file, messageOf(error));
    }
  }
  yield* walk.end();
  return walk.verdict;
}

interface Place {
  readonly from: number;
  readonly to: number;
}

/** Each segment by itself, in order; behind what was signed a run of them that are not there is one place, however long. */
function* placesOf(listed: readonly number[], signed: number): Generator<Place, void> {
  for (let at = 1; at <= signed; at++) yield { from: at, to: at };
  let next = signed + 1;
  for (const at of listed) {
    if (at < next) continue;
    if (at > next) yield { from: next, to: at - 1 };
    yield { from: at, to: at };
    next = at + 1;
  }
}

class Walk {
  readonly #sessionId: string;
  readonly #evidence: SessionEvidence;
  readonly #turns = new Turns();
  #link: Link | undefined = FIRST_LINK;
  #expected = 1;
  #bytes = 0;
  #hasEnd = false;
  /** How the signed block was met, and whether more came after it: in its segment, or in a later one only. */
  #signed: "no" | "met" | "passed" | "passed within" = "no";
  /** The end stands at the signed block or before it. */
  #isEndSigned = false;
  /** Signed before a crash, and not met yet. */
  readonly #crashed: Set<SignedRoot>;
  #isBlamed = false;
  /** The block before: where it stands and its first record. */
  #before: { readonly file: string; readonly offset: number; readonly from: number } | undefined;

  constructor(sessionId: string, evidence: SessionEvidence) {
    this.#sessionId = sessionId;
    this.#evidence = evidence;
    this.#crashed = new Set(evidence.root?.before);
  }

  get verdict(): SessionVerdict {
    return { records: this.#expected - 1, bytes: this.#bytes };
  }

  /** `file` and those that follow it, `count` of them. */
  *gone(file: string, count: number): Generator<EvidenceFinding, void> {
    this.#link = undefined;
    const what = count === 1 ? `${basename(file)} is` : `${basename(file)} and ${count - 1} that follow it are`;
    yield this.#blame("removed", `${what} gone, from record ${this.#expected} on`);
  }

  /** Whoever unpacks the compressed one by hand must not see another recording. */
  *twin({ bytes }: StoredSegment, twin: StoredSegment | undefined): Generator<EvidenceFinding, void> {
    if (twin === undefined || twin.bytes.equals(bytes)) return;
    yield this.#blame("changed", `${basename(twin.file)} is not what stands uncompressed beside it`);
  }

  *unreadable(file: string, why: string): Generator<EvidenceFinding, void> {
    this.#link = undefined;
    yield this.#blame("changed", `${basename(file)} cannot be read: ${why}`);
  }

  async *segment(stored: StoredSegment, segment: number, isLast: boolean): AsyncGenerator<EvidenceFinding, void> {
    const { bytes, beginning } = stored;
    const file = basename(stored.file);
    this.#bytes += bytes.length;
    if (isLast && isTornPreamble(bytes)) return; // as a loss of power leaves it; what was signed is seen at the end
    if (beginning !== undefined && !isBeginningOf(beginning, bytes)) {
      yield this.#blame("changed", `${file}: its head stands otherwise in the clear than in what is compressed`);
    }
    if (checkPreamble(bytes) !== "fine") {
      this.#link = undefined;
      yield this.#blame("changed", `${file} does not begin as a recording of this version does`);
      return;
    }
    const keys = this.#evidence.keys ?? (() => undefined);
    const pieces = piecesOf(bytes, { sessionId: this.#sessionId, segment, link: this.#link, keys });
    const decoder = new SegmentDecoder();
    let isUnlinked = false;
    for (const piece of pieces) {
      if (piece.kind === "unlinked") isUnlinked = true;
      else {
        yield* this.#piece(piece, decoder, file, segment, isUnlinked, isLast);
        isUnlinked = false;
      }
      await this.#turns.due();
    }
    if (isUnlinked) yield this.#blame("changed", `${file} does not follow the segment before it`);
  }

  *#piece(
    piece: Exclude<SegmentPiece, { kind: "unlinked" }>,
    decoder: SegmentDecoder,
    file: string,
    segment: number,
    isUnlinked: boolean,
    isLast: boolean,
  ): Generator<EvidenceFinding, void> {
    const { offset } = piece;
    if (piece.kind === "unreadable") {
      if (isUnlinked) yield this.#unlinked(file, offset, undefined);
      const { torn, why } = piece;
      // as a crash leaves it; whether something that was signed is missing is seen at the end
      if (!torn || !isLast) yield this.#blame(torn ? "truncated" : "changed", `${file}, byte ${offset}: ${why}`);
      return;
    }
    let first: number | undefined;
    if (piece.kind === "block") {
      const entries = entriesIn(piece.messages, decoder);
      if (entries === undefined) yield this.#blame("changed", `${file}, byte ${offset}: a record cannot be read`);
      else first = entries[0]?.sequence ?? 0;
      if (isUnlinked) yield this.#unlinked(file, offset, first);
      else if (first !== undefined && first > this.#expected) {
        yield this.#blame("missing", `${file}, byte ${offset}: ${range(this.#expected, first - 1)} are not there`);
      }
      for (const entry of entries ?? []) {
        if (entry.sequence < this.#expected) continue; // written again after a write that failed half way
        this.#expected = entry.sequence + 1;
        this.#hasEnd ||= entry.kind === "end";
        this.#evidence.each?.(entry);
      }
      for (const sequence of decoder.takeMissing()) {
        // Where it was taken away, that is the finding.
        if (this.#isBlamed) continue;
        yield this.#blame("missing", `${file}, byte ${offset}: record ${sequence} is named here, and is not there`);
      }
    } else if (isUnlinked) yield this.#unlinked(file, offset, undefined);
    this.#link = piece.hash;
    this.#before = { file, offset, from: first ?? this.#expected };
    this.#meet(segment, piece.hash);
  }

  #meet(segment: number, hash: Link): void {
    const { root } = this.#evidence;
    if (root === undefined) return;
    for (const one of this.#crashed) {
      if (one.segment === segment && one.hash === hexOf(hash)) this.#crashed.delete(one);
    }
    if (this.#signed !== "no") {
      if (segment === root.segment) this.#signed = "passed within";
      else if (this.#signed === "met") this.#signed = "passed";
    } else if (root.segment === segment && root.hash === hexOf(hash)) {
      this.#signed = "met";
      this.#isEndSigned = this.#hasEnd;
    }
  }

  *end(): Generator<EvidenceFinding, void> {
    const { root, isLive } = this.#evidence;
    if (root === undefined) {
      const message = "no checkpoint has it yet: that nothing was changed in it is not proved";
      if (!isLive) yield { verdict: "unproved", kind: "unsigned", where: this.#sessionId, message };
      return;
    }
    for (const { number, sequence } of this.#crashed) {
      const signed = `what checkpoint ${number} signed, records 1 to ${sequence}, is not what was found after a crash and signed anew`;
      yield this.#blame(this.#expected <= sequence ? "truncated" : "changed", signed);
    }
    if (this.#signed === "no") {
      const signed = `what was signed, records 1 to ${root.sequence}, is not what stands here`;
      if (this.#expected <= root.sequence) {
        yield this.#blame("truncated", `${signed}: it ends before record ${this.#expected}`);
      } else if (!this.#isBlamed) yield this.#blame("changed", signed);
    } else if (this.#signed !== "met" && !isLive) {
      yield* this.#after(root);
    }
  }

  /** What was written behind the newest signed block of a recording that is not being written. */
  *#after(root: SignedRoot): Generator<EvidenceFinding, void> {
    const isReadable = this.#expected > root.sequence + 1; // else its data key is not at hand
    const records = isReadable ? range(root.sequence + 1, this.#expected - 1) : "sealed records";
    const isFull = root.state === "closed" && this.#signed === "passed within";
    if (root.state === "interrupted" || this.#isEndSigned || isFull) {
      yield this.#blame("inserted", `${records} were added after its end had been signed`);
    } else {
      const message = `${records} are newer than the last checkpoint that has it`;
      yield { verdict: "unproved", kind: "unsigned", where: this.#sessionId, message };
    }
  }

  /** Which of the two blocks is to blame is told by the numbers of the records. */
  #unlinked(file: string, offset: number, first: number | undefined): EvidenceFinding {
    const here = `${file}, byte ${offset}`;
    if (first !== undefined && first > this.#expected) {
      return this.#blame("missing", `${here}: ${range(this.#expected, first - 1)} were taken out before it`);
    }
    if (first !== undefined && first < this.#expected) {
      return this.#blame("reordered", `${here}: record ${first} stands here out of its order, or a second time`);
    }
    const before = this.#before;
    const place = before === undefined ? here : `${before.file}, byte ${before.offset}, from record ${before.from} on`;
    return this.#blame("changed", `${place}: what follows it was linked to something else`);
  }

  #blame(kind: EvidenceFinding["kind"], message: string): EvidenceFinding {
    this.#isBlamed = true;
    return { verdict: "tampered", kind, where: this.#sessionId, message };
  }
}

/** undefined where one of them is no record. */
function entriesIn(messages: readonly Buffer[], decoder: SegmentDecoder): readonly RecordEntry[] | undefined {
  try {
    return messages.map((message) => decoder.decode(message));
  } catch {
    return undefined;
  }
}

function range(from: number, to: number): string {
  return from === to ? `record ${from}` : `records ${from} to ${to}`;
}
