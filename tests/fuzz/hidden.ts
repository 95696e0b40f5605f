/**
 * Which of the server's messages hold a hidden value in a place where it has to be hidden, and which show it elsewhere,
 * so that nobody can know what it was: a corrupted server may put it into a column's name. Reads the server's
 * stream by itself. Once a value stood in the open, the session's client may have it.
 */
import type { World } from "./worlds.ts";

const [DATA_ROW, COPY_DATA, ERROR, NOTICE, NOTIFICATION, ROW_DESCRIPTION] = [..."DdENAT"].map((letter) =>
  letter.charCodeAt(0),
);
/** Fields of errors and notices that are cleaned; the others name objects and places. */
const CLEANED = new Set([..."MDHWq"].map((letter) => letter.charCodeAt(0)));

const HEADER_BYTES = 5;

export class Hidden {
  readonly #world: World;
  readonly #isHonest: boolean;
  /** Pieces of what has not come to its end: put together only once the first frame is whole. */
  #parts: Buffer[] = [];
  #size = 0;
  #needed = HEADER_BYTES;
  #isLost = false;
  /** Whether rows of every description so far have to be hidden. */
  #hidesRows = true;
  /** A hidden value has been said in the open. */
  isOpen = false;

  constructor(world: World, isHonest: boolean) {
    this.#world = world;
    this.#isHonest = isHonest;
    if (world.hides === "nothing" || (world.hides === "described" && !isHonest)) this.isOpen = true;
  }

  /** The server said this. */
  hear(bytes: Buffer): void {
    if (this.isOpen || this.#isLost || this.#isHonest) return;
    this.#parts.push(Buffer.from(bytes));
    this.#size += bytes.length;
    if (this.#size >= this.#needed) this.#frames(Buffer.concat(this.#parts));
    // Such a row is passed on piece by piece.
    if (!this.#hidesRows && this.#parts[0]?.[0] === DATA_ROW) this.isOpen = true;
  }

  #frames(unread: Buffer): void {
    let at = 0;
    this.#needed = HEADER_BYTES;
    while (unread.length - at >= HEADER_BYTES) {
      const length = unread.readInt32BE(at + 1);
      if (length < 4) {
        this.#isLost = true; // nobody can read on from here, nor may anybody
        return;
      }
      this.#needed = length + 1;
      if (unread.length - at < this.#needed) break;
      this.#frame(unread.subarray(at, at + this.#needed));
      at += this.#needed;
      this.#needed = HEADER_BYTES;
    }
    const rest = unread.subarray(at);
    this.#parts = rest.length === 0 ? [] : [Buffer.from(rest)];
    this.#size = rest.length;
  }

  /** The hidden value that these bytes for the client show, where none may. */
  find(bytes: Buffer): string | undefined {
    if (this.isOpen) return undefined;
    return this.#world.canaries.find((canary) => bytes.includes(canary))?.toString();
  }

  #holds(bytes: Buffer): boolean {
    return this.#world.canaries.some((canary) => bytes.includes(canary));
  }

  #frame(frame: Buffer): void {
    const [type] = frame;
    // Of a result without columns nobody looks into the rows.
    if (type === ROW_DESCRIPTION && frame.length <= 7) this.#hidesRows = false;
    if (!this.#holds(frame)) return;
    if (type === COPY_DATA) return;
    if (type === DATA_ROW) this.isOpen ||= !this.#hidesRows;
    else if (type === ERROR || type === NOTICE) this.isOpen ||= this.#isSaidOutside(frame);
    else if (type === NOTIFICATION) this.isOpen ||= this.#holds(frame.subarray(0, frame.indexOf(0, 9) + 1));
    else this.isOpen = true;
  }

  /** In a field of an error that nobody cleans. One that cannot be read is not to be shown at all. */
  #isSaidOutside(frame: Buffer): boolean {
    for (let at = 5; at < frame.length && frame[at] !== 0; ) {
      const stop = frame.indexOf(0, at);
      if (stop < 0) return false;
      if (!CLEANED.has(frame[at] as number) && this.#holds(frame.subarray(at, stop))) return true;
      at = stop + 1;
    }
    return false;
  }
}
