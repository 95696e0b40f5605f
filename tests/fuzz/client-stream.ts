/**
 * What a client makes of the bytes that it gets: single letters before the startup is over, then whole messages. Reads
 * by itself, apart from the product's codec.
 */
import { FuzzFault } from "./fault.ts";

const TYPES = new Set([..."RKSZTDCE1239nNsItGHWdcAVv"].map((letter) => letter.charCodeAt(0)));
const ERROR = 0x45;
/** Of one message under way: a farewell is a few hundred bytes. */
const KEPT_PIECES = 64;
const KEPT_BYTES = 1_024;

export class ClientStream {
  /** A doorway's letter may still come instead of a message. */
  isAtDoor = true;
  /** Bytes of a message that have not come yet; 0 between messages. */
  missing = 0;
  /** The beginning of a header. */
  #head = Buffer.alloc(0);
  #type = 0;
  /** What has come of the message that is under way, as far as it is short. */
  #begun: Buffer[] = [];
  readonly #own: Buffer;

  /** `own`: what only Sallyport's own words hold. */
  constructor(own: string) {
    this.#own = Buffer.from(own);
  }

  get isAmidMessage(): boolean {
    return this.missing > 0 || this.#head.length > 0;
  }

  /** TLS began: a new stream inside of it. */
  restart(): void {
    if (this.isAmidMessage) throw new FuzzFault("frames", "TLS was begun amid a message to the client");
  }

  /** Throws FuzzFault for what is no message. */
  take(bytes: Buffer): void {
    if (this.isAtDoor && bytes.length === 1 && (bytes[0] === 0x53 || bytes[0] === 0x4e)) return;
    let at = 0;
    while (at < bytes.length) {
      if (this.missing > 0) {
        const length = Math.min(this.missing, bytes.length - at);
        this.missing -= length;
        if (this.#begun.length < KEPT_PIECES) this.#begun.push(bytes.subarray(at, at + Math.min(length, KEPT_BYTES)));
        at += length;
        continue;
      }
      const needed = 5 - this.#head.length;
      const piece = bytes.subarray(at, at + needed);
      at += piece.length;
      this.#head = this.#head.length === 0 ? Buffer.from(piece) : Buffer.concat([this.#head, piece]);
      if (this.#head.length === 5) this.#begin();
    }
  }

  /** A message may be cut short by the end, but not by words of our own in the middle of it. */
  end(): void {
    const isOwn = this.#type !== ERROR && Buffer.concat([...this.#begun, this.#head]).includes(this.#own);
    if (this.isAmidMessage && isOwn) {
      throw new FuzzFault("frames", "Sallyport's own words were sent amid a message of the server");
    }
  }

  #begin(): void {
    const type = this.#head[0] as number;
    const length = this.#head.readInt32BE(1);
    if (!TYPES.has(type) || length < 4) {
      throw new FuzzFault("frames", `The client got ${this.#head.toString("hex")} where a message should begin`);
    }
    this.#type = type;
    this.missing = length - 4;
    this.#begun = [];
    this.#head = Buffer.alloc(0);
  }
}
