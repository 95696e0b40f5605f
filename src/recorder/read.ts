/** Reads a recording back, as far as it is whole, and says where it is not. Changes no file. */
import { join } from "node:path";
import { messageOf, UserError } from "../base/errors.ts";
import { FIRST_LINK, hexOf, type Link } from "./block.ts";
import { SegmentDecoder } from "./decode.ts";
import { findDay, readBeginning, readSegment, segmentName, unknownSession } from "./files.ts";
import { checkPreamble, PREAMBLE_BYTES, type RecordEntry } from "./format.ts";
import type { SessionKeys } from "./seal.ts";
import { piecesOf, readHead } from "./segment.ts";

/** What a reader meets: records, and what it has to say about the files. */
export type ReadEntry =
  | RecordEntry
  /** Records that should be there are not. */
  | { readonly kind: "missing"; readonly fromSequence: number; readonly toSequence: number }
  /** Something here cannot be read; `torn` when the file just ends too early, as a crash leaves it. */
  | {
      readonly kind: "damaged";
      readonly file: string;
      readonly offset: number;
      readonly torn: boolean;
      readonly why: string;
    }
  /** What was written here is not what follows what stands before it: bytes were changed, moved, added or taken away. */
  | { readonly kind: "altered"; readonly file: string; readonly offset: number; readonly why: string }
  /** From here on it is sealed with a key that is not at hand. */
  | { readonly kind: "sealed"; readonly file: string; readonly keyId: string }
  /** Last, when there is no end: the session runs still, or the daemon died in it. */
  | { readonly kind: "interrupted" };

export interface ReadOptions {
  /** Saves the search for it. */
  readonly day?: string;
  /** Without it, sealed recordings cannot be read. */
  readonly keys?: SessionKeys;
  /** Reads from this segment on, at its first record; the chain is checked from there. */
  readonly fromSegment?: number;
  /** Called after each block of records; of sealed ones without a key, too. */
  readonly onBlock?: (block: ReadBlockOf) => void;
}

export interface ReadBlockOf {
  readonly segment: number;
  /** Of the last record that was read. */
  readonly sequence: number;
  /** In hex. */
  readonly hash: string;
}

export interface SegmentInfo {
  readonly segment: number;
  readonly firstSequence: number;
  readonly openedMs: number;
  /** Of the file, as it is stored. */
  readonly bytes: number;
}

/** The records of one session in order, with findings about its files in between. Throws SESSION_UNKNOWN, RECORDING_NEWER. */
export async function* readRecording(
  dir: string,
  sessionId: string,
  options: ReadOptions = {},
): AsyncGenerator<ReadEntry, void> {
  const folder = join(dir, options.day ?? (await findDay(dir, sessionId)));
  const first = options.fromSegment ?? 1;
  const reader = new Reader(sessionId, options, first === 1);
  for (let segment = first; ; segment += 1) {
    const found = await readSegment(join(folder, segmentName(sessionId, segment)));
    if (found === undefined) {
      if (segment === first) throw unknownSession(sessionId);
      break;
    }
    yield* reader.segment(found.file, found.bytes, segment);
  }
  if (!reader.ended) yield { kind: "interrupted" };
}

/** What segments a recording has, without reading them. Throws SESSION_UNKNOWN; of a damaged head it tells nothing more. */
export async function listSegments(dir: string, sessionId: string, day?: string): Promise<readonly SegmentInfo[]> {
  const folder = join(dir, day ?? (await findDay(dir, sessionId)));
  const segments: SegmentInfo[] = [];
  for (let segment = 1; ; segment += 1) {
    const found = await readBeginning(join(folder, segmentName(sessionId, segment)));
    if (found === undefined) break;
    try {
      const { firstSequence, openedMs } = readHead(found.bytes);
      segments.push({ segment, firstSequence, openedMs, bytes: found.size });
    } catch {
      break;
    }
  }
  return segments;
}

class Reader {
  readonly #sessionId: string;
  readonly #options: ReadOptions;
  /** Sequence of the next record; undefined: of the first, whatever it is. */
  #expected: number | undefined;
  #link: Link | undefined;
  #ended = false;
  #isSealed = false;

  constructor(sessionId: string, options: ReadOptions, isWhole: boolean) {
    this.#sessionId = sessionId;
    this.#options = options;
    this.#expected = isWhole ? 1 : undefined;
    this.#link = isWhole ? FIRST_LINK : undefined;
  }

  get ended(): boolean {
    return this.#ended;
  }

  *segment(file: string, bytes: Buffer, segment: number): Generator<ReadEntry, void> {
    const problem = preambleProblem(file, bytes);
    if (problem !== undefined) {
      yield problem;
      return;
    }
    const about = {
      sessionId: this.#sessionId,
      segment,
      link: this.#link,
      keys: this.#options.keys ?? (() => undefined),
    };
    const decoder = new SegmentDecoder();
    for (const piece of piecesOf(bytes, about)) {
      const { offset } = piece;
      switch (piece.kind) {
        case "unlinked":
          yield { kind: "altered", file, offset, why: "it does not follow what stands before it" };
          break;
        case "unreadable":
          yield { kind: "damaged", file, offset, torn: piece.torn, why: piece.why };
          break;
        case "sealed":
          this.#link = piece.hash;
          if (!this.#isSealed) yield { kind: "sealed", file, keyId: piece.keyId };
          this.#isSealed = true;
          this.#tell(segment, piece.hash);
          break;
        case "block":
          this.#link = piece.hash;
          for (const message of piece.messages) yield* this.#record(file, offset, decoder, message);
          // Behind the block: nothing stands between what was asked and how it was decided.
          for (const sequence of decoder.takeMissing()) {
            const why = `records from here on name record ${sequence}, which cannot be read`;
            yield { kind: "damaged", file, offset, torn: false, why };
          }
          this.#tell(segment, piece.hash);
          break;
        default:
          piece satisfies never;
      }
    }
  }

  #tell(segment: number, hash: Link): void {
    this.#options.onBlock?.({ segment, sequence: (this.#expected ?? 1) - 1, hash: hexOf(hash) });
  }

  *#record(file: string, offset: number, decoder: SegmentDecoder, message: Buffer): Generator<ReadEntry, void> {
    let entry: RecordEntry;
    try {
      entry = decoder.decode(message);
    } catch (error) {
      yield { kind: "damaged", file, offset, torn: false, why: messageOf(error) };
      return;
    }
    const expected = this.#expected ?? entry.sequence;
    // Written again after a write that failed half way.
    if (entry.sequence < expected) return;
    if (entry.sequence > expected) yield { kind: "missing", fromSequence: expected, toSequence: entry.sequence - 1 };
    this.#expected = entry.sequence + 1;
    this.#ended ||= entry.kind === "end";
    yield entry;
  }
}

function preambleProblem(file: string, bytes: Buffer): ReadEntry | undefined {
  if (bytes.length < PREAMBLE_BYTES) {
    return { kind: "damaged", file, offset: 0, torn: true, why: "it ends within its preamble" };
  }
  const preamble = checkPreamble(bytes);
  if (preamble === "older") {
    const why = "an earlier version wrote it, in a format that this one does not read";
    return { kind: "damaged", file, offset: 0, torn: false, why };
  }
  if (preamble === "fine") return undefined;
  if (preamble === "foreign") {
    return { kind: "damaged", file, offset: 0, torn: false, why: "it is not a recording of this version" };
  }
  throw new UserError(
    "RECORDING_NEWER",
    `Cannot read ${file}: a later version wrote it`,
    "Read it with the later sallyport",
  );
}
