/**
 * Recordings as evidence: each block against the one before, and the whole against the newest signed word on it. Needs
 * no key for sealed ones. Reads only.
 */
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { messageOf } from "../base/errors.ts";
import { FIRST_LINK, hexOf, type Link } from "../recorder/block.ts";
import { readBeginning, readSegment, segmentName } from "../recorder/files.ts";
import { checkPreamble, decodeRecord } from "../recorder/format.ts";
import type { Root } from "../recorder/recorder.ts";
import type { SessionKeys } from "../recorder/seal.ts";
import { piecesOf, type SegmentPiece } from "../recorder/segment.ts";
import type { EvidenceFinding } from "./finding.ts";
import type { SignedRoot } from "./trail.ts";

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
}

/** Every finding of one recording; what it returns at the end is how much was looked at. */
export async function* verifySession(
  { sessionId, folder, segments }: StoredSession,
  evidence: SessionEvidence,
): AsyncGenerator<EvidenceFinding, SessionVerdict> {
  const walk = new Walk(sessionId, evidence);
  const last = segments.at(-1) ?? 0;
  for (let segment = 1; segment <= Math.max(last, evidence.root?.segment ?? 0); segment++) {
    const file = join(folder, segmentName(sessionId, segment));
    try {
      const found = await readSegment(file);
      yield* found === undefined ? walk.gone(file) : walk.segment(found.file, found.bytes, segment, segment === last);
    } catch (error) {
      yield* walk.unreadable(file, messageOf(error));
    }
    await turn(); // a recording may have gigabytes, and others want the thread
  }
  yield* walk.end();
  return walk.verdict;
}

class Walk {
  readonly #sessionId: string;
  readonly #evidence: SessionEvidence;
  #link: Link | undefined = FIRST_LINK;
  #expected = 1;
  #bytes = 0;
  #hasEnd = false;
  /** How the signed block was met, and whether more came after it. */
  #signed: "no" | "met" | "passed" = "no";
  #isWitnessed = false;
  #isBlamed = false;
  /** The block before: where it stands and its first record. */
  #before: { readonly file: string; readonly offset: number; readonly from: number } | undefined;

  constructor(sessionId: string, evidence: SessionEvidence) {
    this.#sessionId = sessionId;
    this.#evidence = evidence;
  }

  get verdict(): SessionVerdict {
    return { records: this.#expected - 1, bytes: this.#bytes };
  }

  *gone(file: string): Generator<EvidenceFinding, void> {
    this.#link = undefined;
    yield this.#blame("removed", `${basename(file)} is gone, from record ${this.#expected} on`);
  }

  *unreadable(file: string, why: string): Generator<EvidenceFinding, void> {
    this.#link = undefined;
    yield this.#blame("changed", `${basename(file)} cannot be read: ${why}`);
  }

  *segment(path: string, bytes: Buffer, segment: number, isLast: boolean): Generator<EvidenceFinding, void> {
    const file = basename(path);
    this.#bytes += bytes.length;
    if (checkPreamble(bytes) !== "fine") {
      this.#link = undefined;
      yield this.#blame("changed", `${file} does not begin as a recording of this version does`);
      return;
    }
    const keys = this.#evidence.keys ?? (() => undefined);
    const pieces = piecesOf(bytes, { sessionId: this.#sessionId, segment, link: this.#link, keys });
    let isUnlinked = false;
    for (const piece of pieces) {
      if (piece.kind === "unlinked") isUnlinked = true;
      else {
        yield* this.#piece(piece, file, segment, isUnlinked, isLast);
        isUnlinked = false;
      }
    }
    if (isUnlinked) yield this.#blame("changed", `${file} does not follow the segment before it`);
  }

  *#piece(
    piece: Exclude<SegmentPiece, { kind: "unlinked" }>,
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
      const sequences = sequencesIn(piece.messages);
      if (sequences === undefined) yield this.#blame("changed", `${file}, byte ${offset}: a record cannot be read`);
      else first = sequences.first;
      if (isUnlinked) yield this.#unlinked(file, offset, first);
      else if (first !== undefined && first > this.#expected) {
        yield this.#blame("missing", `${file}, byte ${offset}: ${range(this.#expected, first - 1)} are not there`);
      }
      this.#hasEnd ||= sequences?.hasEnd ?? false;
      this.#expected = Math.max(this.#expected, (sequences?.last ?? 0) + 1);
    } else if (isUnlinked) yield this.#unlinked(file, offset, undefined);
    this.#link = piece.hash;
    this.#before = { file, offset, from: first ?? this.#expected };
    this.#meet(segment, piece.hash);
  }

  #meet(segment: number, hash: Link): void {
    const { root } = this.#evidence;
    if (root === undefined) return;
    const { witnessed } = root;
    this.#isWitnessed ||= witnessed?.segment === segment && witnessed.hash === hexOf(hash);
    if (this.#signed !== "no") this.#signed = "passed";
    else if (root.segment === segment && root.hash === hexOf(hash)) this.#signed = "met";
  }

  *end(): Generator<EvidenceFinding, void> {
    const { root, isLive } = this.#evidence;
    if (root === undefined) {
      const message = "no checkpoint has it yet: that nothing was changed in it is not proved";
      if (!isLive) yield { verdict: "unproved", kind: "unsigned", where: this.#sessionId, message };
      return;
    }
    const { witnessed } = root;
    if (this.#signed === "no") yield* this.#unmet(root);
    else if (witnessed !== undefined && !this.#isWitnessed) yield* this.#unmet(witnessed);
    else if (this.#signed === "passed" && !isLive) {
      yield* this.#after(root);
    }
  }

  *#unmet({ sequence }: Root): Generator<EvidenceFinding, void> {
    const signed = `what was signed, records 1 to ${sequence}, is not what stands here`;
    if (this.#expected <= sequence) {
      yield this.#blame("truncated", `${signed}: it ends before record ${this.#expected}`);
    } else if (!this.#isBlamed) yield this.#blame("changed", signed);
  }

  /** What was written behind the newest signed block of a recording that is not being written. */
  *#after(root: Root): Generator<EvidenceFinding, void> {
    const records = range(root.sequence + 1, this.#expected - 1);
    if (root.state === "open") {
      const message = `${records} are newer than the last checkpoint that has it`;
      yield { verdict: "unproved", kind: "unsigned", where: this.#sessionId, message };
    } else if (root.state === "interrupted" || this.#hasEnd) {
      yield this.#blame("inserted", `${records} were added after its end had been signed`);
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
    const { before } = { before: this.#before };
    const place = before === undefined ? here : `${before.file}, byte ${before.offset}, from record ${before.from} on`;
    return this.#blame("changed", `${place}: what follows it was linked to something else`);
  }

  #blame(kind: EvidenceFinding["kind"], message: string): EvidenceFinding {
    this.#isBlamed = true;
    return { verdict: "tampered", kind, where: this.#sessionId, message };
  }
}

/** undefined where one of them is no record. */
function sequencesIn(messages: readonly Buffer[]) {
  try {
    const entries = messages.map((message) => decodeRecord(message));
    const first = entries[0]?.sequence ?? 0;
    return { first, last: entries.at(-1)?.sequence ?? 0, hasEnd: entries.some(({ kind }) => kind === "end") };
  } catch {
    return undefined;
  }
}

function range(from: number, to: number): string {
  return from === to ? `record ${from}` : `records ${from} to ${to}`;
}
