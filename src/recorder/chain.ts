/**
 * The files of one session's recording while they are written: appends blocks, each linked to the one before,
 * begins a new segment where one is full or old, and tells of those that are closed. Knows no record.
 */
import { mkdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { codeOf } from "../base/errors.ts";
import { BLOCK_BYTES_MAX, SEGMENT_AGE_MS, SEGMENT_BYTES_MAX } from "../base/limits.ts";
import type { Commits } from "../store/commits.ts";
import { openSegment, type Segment, type WriteBytes } from "../store/segment.ts";
import { blockAround, FIRST_LINK, hashOf, type Link } from "./block.ts";
import { encodeHead } from "./format.ts";
import type { Packer } from "./pack.ts";
import type { Sealing } from "./seal.ts";

/** Of a block beside its records: link and seal. */
const BLOCK_ROOM = 128;

/** A segment that gets no more blocks. */
export interface ClosedSegment {
  readonly file: string;
  readonly segment: number;
  /** Of the file. */
  readonly size: number;
  readonly isSealed: boolean;
  /** Of its last block. */
  readonly hash: Link;
  /** Of the last record in it. */
  readonly sequence: number;
}

/** The newest block: its segment and hash, and its last record. */
export interface ChainHead {
  readonly segment: number;
  readonly sequence: number;
  readonly hash: Link;
}

/** The end of a segment, for whoever appends blocks to it meanwhile. */
export interface ChainTail {
  readonly fd: number;
  /** Bytes in the file, and how many it may have. */
  readonly size: number;
  readonly sizeMax: number;
  /** Of the newest record. */
  readonly sequence: number;
  /** Of the newest block. */
  readonly link: Link;
  /** Until it is too old. */
  readonly forMs: number;
}

/** What became of it. */
export interface GrownTail extends Pick<ChainTail, "size" | "sequence" | "link"> {
  /** Something torn is behind it. */
  readonly isBroken: boolean;
}

export interface ChainOptions {
  readonly sessionId: string;
  readonly fileOf: (segment: number) => string;
  /** undefined: not sealed. */
  readonly sealing: Sealing | undefined;
  /** undefined: what the page cache has is durable enough. */
  readonly commits: Commits | undefined;
  readonly closed: (segment: ClosedSegment) => void;
  readonly writeBytes: WriteBytes | undefined;
}

export class Chain {
  readonly #options: ChainOptions;
  #segment: Segment | undefined;
  #number = 0;
  #openedMs = 0;
  /** Of the newest block. */
  #link: Link = FIRST_LINK;
  /** Of the newest record. */
  #sequence = 0;
  /** Full segments that the disk need not have yet. */
  #leaving: { readonly segment: Segment; readonly closed: ClosedSegment }[] = [];
  /** What survives a loss of power. */
  #settled: ChainHead = { segment: 0, sequence: 0, hash: FIRST_LINK };
  /** A sync failed: the kernel may have dropped what it had, and the next one that goes well says nothing of that. */
  #isLost = false;

  constructor(options: ChainOptions) {
    this.#options = options;
  }

  /** What a checkpoint may sign: of a recording that is to survive a loss of power only what does. */
  get head(): ChainHead {
    return this.#options.commits === undefined ? this.#newest : this.#settled;
  }

  get #newest(): ChainHead {
    return { segment: this.#number, sequence: this.#sequence, hash: this.#link };
  }

  /**
   * Appends `records` as one block, in one write; `first` and `last` are their sequences. Throws errno errors, with
   * the chain and its files as they were.
   */
  append(records: Packer, first: number, last: number, atMs: number): void {
    const segment = this.#segment;
    const isFull = segment !== undefined && segment.size + records.length > SEGMENT_BYTES_MAX;
    const isOld = atMs - this.#openedMs > SEGMENT_AGE_MS;
    if (segment === undefined || segment.broken || isFull || isOld) {
      this.#begin(records, first, atMs);
    } else {
      const block = this.#block(records, this.#link);
      segment.write(block);
      this.#link = hashOf(block);
    }
    this.#sequence = last;
  }

  /**
   * To append to without this chain, which appends nothing meanwhile. Undefined: there is nothing that somebody else could
   * append to in the same way (it is sealed, has to be synced, or is written as a test says).
   */
  lend(atMs: number): ChainTail | undefined {
    const { sealing, commits, writeBytes } = this.#options;
    const segment = this.#segment;
    const isPlain = sealing === undefined && commits === undefined && writeBytes === undefined;
    const forMs = SEGMENT_AGE_MS - (atMs - this.#openedMs);
    if (!isPlain || segment === undefined || segment.broken || forMs <= 0) return undefined;
    const { fd, size } = segment;
    return { fd, size, sizeMax: SEGMENT_BYTES_MAX, sequence: this.#sequence, link: this.#link, forMs };
  }

  /** What was lent has come to this; it may be lent still. */
  follow({ size, sequence, link, isBroken }: GrownTail): void {
    this.#segment?.appended(size, isBroken);
    this.#sequence = sequence;
    this.#link = link;
  }

  /** Resolves when all that was appended before survives a loss of power. Rejects with errno errors. */
  async settle(): Promise<void> {
    const { commits, closed } = this.#options;
    if (commits === undefined) return;
    const head = this.#newest;
    const leaving = this.#leaving;
    this.#leaving = [];
    const segments = leaving.map(({ segment }) => segment);
    if (this.#segment !== undefined) segments.push(this.#segment);
    try {
      await Promise.all(segments.map((segment) => commits.sync(segment)));
    } catch (error) {
      this.#isLost = true;
      throw error;
    } finally {
      for (const { segment } of leaving) segment.close();
    }
    if (this.#isLost) return; // nobody signs it
    this.#settled = head;
    for (const one of leaving) closed(one.closed);
  }

  /** Appends no more. */
  async close(): Promise<void> {
    const segment = this.#segment;
    try {
      await this.settle();
      if (segment !== undefined && !this.#isLost) this.#options.closed(this.#closing(segment));
    } finally {
      segment?.close();
      this.#segment = undefined;
    }
  }

  /** Head and first records in one write; a file that cannot take them is not left behind. */
  #begin(records: Packer, firstSequence: number, atMs: number): void {
    const { sessionId, fileOf, sealing, writeBytes } = this.#options;
    const number = this.#number + 1;
    const file = fileOf(number);
    const keyId = sealing?.keyId ?? "";
    const head = encodeHead({ sessionId, segment: number, firstSequence, openedMs: atMs, keyId }, this.#link);
    records.beginSegment();
    const block = this.#block(records, hashOf(head.block));
    const segment = createSegment(file, writeBytes);
    try {
      segment.write(Buffer.concat([head.preamble, head.block, block]));
    } catch (error) {
      segment.close();
      rmSync(file, { force: true });
      throw error;
    }
    if (this.#segment !== undefined) this.#leave(this.#segment);
    this.#segment = segment;
    this.#number = number;
    this.#openedMs = atMs;
    this.#link = hashOf(block);
  }

  #block(records: Packer, link: Link): Buffer {
    const { sealing } = this.#options;
    // It would hide all that follows; what waits is bounded so that it does not come to this.
    if (records.length > BLOCK_BYTES_MAX - BLOCK_ROOM) throw new Error("a block would be longer than a reader takes");
    return sealing === undefined ? records.block(link) : blockAround(sealing.seal(records.view(), link), link);
  }

  #leave(segment: Segment): void {
    const closed = this.#closing(segment);
    if (this.#options.commits !== undefined) {
      this.#leaving.push({ segment, closed });
      return;
    }
    segment.close();
    this.#options.closed(closed);
  }

  #closing({ file, size }: Segment): ClosedSegment {
    const isSealed = this.#options.sealing !== undefined;
    return { file, segment: this.#number, size, isSealed, hash: this.#link, sequence: this.#sequence };
  }
}

/** The first of a day finds no folder. */
function createSegment(file: string, writeBytes: WriteBytes | undefined): Segment {
  try {
    return openSegment(file, "create", writeBytes);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    return openSegment(file, "create", writeBytes);
  }
}
