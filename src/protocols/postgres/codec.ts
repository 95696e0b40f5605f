/**
 * PostgreSQL frames as views over bytes: where one begins and ends, and careful reading of its body.
 * Shape of a frame: type (1 byte) | length (int32 BE, counts itself, not the type) | body.
 * No sockets, no clock, no knowledge of what a message means.
 */
import { isUtf8 } from "node:buffer";
import { ProtocolError } from "../../base/errors.ts";
import {
  FRAME_BYTES_MAX,
  READ_BYTES,
  UNREAD_CONNECTION_BYTES_MAX,
  UNREAD_FREE_BYTES,
  UNREAD_TOTAL_BYTES_MAX,
} from "../../base/limits.ts";

export const HEADER_BYTES = 5;
/** What an inlet may hold: one whole frame and one read more. */
const UNREAD_BYTES_MAX = FRAME_BYTES_MAX + HEADER_BYTES + READ_BYTES;
const NOTHING = Buffer.alloc(0);

/** The same memory as a Buffer. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A whole message from type and body. */
export function frame(type: number, body: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + body.length);
  bytes[0] = type;
  bytes.writeInt32BE(body.length + 4, 1);
  bytes.set(body, HEADER_BYTES);
  return bytes;
}

/**
 * Bytes of the whole frame at `at` (type and header included), whether or not all are there.
 * Undefined: its header is not complete. Throws FRAME_LENGTH for a length below itself or above the limit.
 */
export function frameBytes(bytes: Buffer, at: number, end: number, bytesMax = FRAME_BYTES_MAX): number | undefined {
  if (end - at < HEADER_BYTES) return undefined;
  const length = bytes.readInt32BE(at + 1);
  if (length < 4 || length > bytesMax) {
    throw new ProtocolError("FRAME_LENGTH", `Cannot read a message: its length ${length} is not in 4..${bytesMax}`);
  }
  return length + 1;
}

/** What many inlets hold together, beyond what each may hold anyway. */
export class UnreadBudget {
  readonly #parts = new WeakMap<object, UnreadBudget>();
  readonly #bytesMax: number;
  readonly #whole: UnreadBudget | undefined;
  #taken = 0;

  constructor(bytesMax = UNREAD_TOTAL_BYTES_MAX, whole?: UnreadBudget) {
    this.#bytesMax = bytesMax;
    this.#whole = whole;
  }

  /** What inlets of this connection may hold of it. */
  of(connection: object): UnreadBudget {
    let part = this.#parts.get(connection);
    if (part === undefined) {
      part = new UnreadBudget(UNREAD_CONNECTION_BYTES_MAX, this);
      this.#parts.set(connection, part);
    }
    return part;
  }

  /** Throws UNREAD_TOTAL; then nothing is taken. */
  move(from: number, to: number): void {
    const change = beyondFree(to) - beyondFree(from);
    if (change > 0 && this.#taken + change > this.#bytesMax) {
      throw new ProtocolError("UNREAD_TOTAL", "Cannot hold this message: too much is held for other sessions");
    }
    this.#whole?.move(from, to);
    this.#taken += change;
  }
}

function beyondFree(bytes: number): number {
  return Math.max(0, bytes - UNREAD_FREE_BYTES);
}

/**
 * Unread bytes of one side. A chunk is only looked at in place; what is left of it is copied by `keep`
 * when the event ends. Copied bytes are never moved or overwritten, so views of them stay true.
 */
export class Inlet {
  bytes: Buffer = NOTHING;
  /** First unread byte. */
  at = 0;
  /** Behind the last byte. */
  end = 0;
  #owned = false;
  /** Of the owned buffer, as the budget knows it. */
  #held = 0;
  readonly #budget: UnreadBudget | undefined;

  constructor(budget?: UnreadBudget) {
    this.#budget = budget;
  }

  get unread(): number {
    return this.end - this.at;
  }

  /**
   * `room`: bytes that may be written over before the chunk's first. Throws UNREAD_BYTES when a peer sends more than may wait.
   */
  add(chunk: Uint8Array, room = 0): void {
    const { unread } = this;
    if (unread === 0) {
      this.#lookAt(asBuffer(chunk));
      return;
    }
    const needed = unread + chunk.length;
    if (unread <= room) {
      // what a read of rows has cut goes in front of the next one: to copy both would take memory at every read
      const bytes = Buffer.from(chunk.buffer, chunk.byteOffset - unread, needed);
      this.bytes.copy(bytes, 0, this.at, this.end);
      this.#lookAt(bytes);
      return;
    }
    if (needed > UNREAD_BYTES_MAX) {
      throw new ProtocolError("UNREAD_BYTES", `Cannot hold ${needed} unread bytes: the limit is ${UNREAD_BYTES_MAX}`);
    }
    if (!this.#owned || this.bytes.length - this.end < chunk.length) this.#own(Math.max(needed * 2, 1024));
    this.bytes.set(chunk, this.end);
    this.end += chunk.length;
  }

  /** To be called before the event's bytes become invalid. */
  keep(): void {
    if (this.at === this.end) this.#lookAt(NOTHING);
    else if (!this.#owned) this.#own(this.unread);
  }

  clear(): void {
    this.at = this.end;
    this.keep();
  }

  #lookAt(bytes: Buffer): void {
    this.bytes = bytes;
    this.at = 0;
    this.end = bytes.length;
    this.#owned = false;
    this.#hold(0);
  }

  #own(capacity: number): void {
    const size = Math.min(capacity, UNREAD_BYTES_MAX);
    this.#hold(size);
    const bytes = Buffer.allocUnsafe(size);
    this.bytes.copy(bytes, 0, this.at, this.end);
    this.end -= this.at;
    this.at = 0;
    this.bytes = bytes;
    this.#owned = true;
  }

  #hold(bytes: number): void {
    this.#budget?.move(this.#held, bytes);
    this.#held = bytes;
  }
}

/** Bytes that come in pieces, put together at a cost that grows with their number only. Whoever adds bounds them. */
export class Gathered {
  #bytes: Buffer = NOTHING;
  length = 0;

  add(piece: Uint8Array): void {
    const needed = this.length + piece.length;
    if (needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed * 2, 1024));
      this.#bytes.copy(larger, 0, 0, this.length);
      this.#bytes = larger;
    }
    this.#bytes.set(piece, this.length);
    this.length = needed;
  }

  /** All of them; afterwards there are none. */
  take(): Buffer {
    const all = this.#bytes.subarray(0, this.length);
    this.#bytes = NOTHING;
    this.length = 0;
    return all;
  }
}

/** Reads the body of one message in order; every read throws FRAME_BODY when the body is too short. */
export class BodyReader {
  readonly bytes: Buffer;
  at: number;
  readonly end: number;

  /** From the body's first byte to behind its last one. */
  constructor(bytes: Buffer, at: number, end: number) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  byte(): number {
    this.#need(1);
    return this.bytes.readUInt8(this.at++);
  }

  int16(): number {
    this.#need(2);
    this.at += 2;
    return this.bytes.readInt16BE(this.at - 2);
  }

  /** A count, which PostgreSQL writes as an unsigned 16 bit number. */
  count(): number {
    this.#need(2);
    this.at += 2;
    return this.bytes.readUInt16BE(this.at - 2);
  }

  int32(): number {
    this.#need(4);
    this.at += 4;
    return this.bytes.readInt32BE(this.at - 4);
  }

  oid(): number {
    return this.int32() >>> 0;
  }

  /** A view. */
  take(length: number): Buffer {
    this.#need(length);
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  /** A NUL-terminated text. Throws TEXT_ENCODING when it is not UTF-8. */
  text(): string {
    const stop = this.bytes.indexOf(0, this.at);
    if (stop < 0 || stop >= this.end) throw new ProtocolError("FRAME_BODY", "Cannot read a text: it has no end");
    const start = this.at;
    this.at = stop + 1;
    return textOf(this.bytes, start, stop);
  }

  /** Throws FRAME_BODY when something is left. */
  done(): void {
    if (this.at !== this.end) {
      throw new ProtocolError("FRAME_BODY", `Cannot read a message: ${this.end - this.at} bytes follow its end`);
    }
  }

  #need(length: number): void {
    if (length < 0 || this.end - this.at < length) {
      throw new ProtocolError("FRAME_BODY", "Cannot read a message: its body ends too early");
    }
  }
}

function textOf(bytes: Buffer, start: number, stop: number): string {
  for (let at = start; at < stop && at < start + 64; at++) {
    if ((bytes[at] as number) >= 0x80) return utf8Of(bytes.subarray(start, stop));
  }
  return stop - start <= 64 ? bytes.toString("latin1", start, stop) : utf8Of(bytes.subarray(start, stop));
}

function utf8Of(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new ProtocolError("TEXT_ENCODING", "Cannot read a text: it is not UTF-8");
  return bytes.toString("utf8", 0, bytes.length);
}

/** Up to here a loop copies faster than a call into the runtime. */
const SHORT_BYTES = 16;

/**
 * What goes to the client for one event: untouched stretches of the input, in their order, and bytes of our own. It is made
 * in the input itself, over what was passed or dropped there, and so lives as long as the input does; only what has become longer
 * than that has memory of its own.
 */
export class Outlet {
  #input: Buffer = NOTHING;
  /** The stretch that was passed last, as long as it may grow. */
  #from = 0;
  #to = 0;
  /** Up to here nobody needs the input any more. */
  #done = 0;
  /** The input, or memory of its own; from `start` to `end` it has what goes out. */
  #target: Buffer = NOTHING;
  #start = 0;
  #end = 0;

  begin(input: Buffer): void {
    this.#input = this.#target = input;
    this.#from = this.#to = this.#done = this.#start = this.#end = 0;
  }

  /** Input bytes from `from` to `to` go out as they are. */
  pass(from: number, to: number): void {
    if (this.#to === from && this.#to !== this.#from) {
      this.#to = to;
      return;
    }
    this.#settle();
    this.#from = from;
    this.#to = to;
  }

  /** What was not passed of the input before `to` does not go out, and is not looked at again. */
  drop(to: number): void {
    this.#settle();
    this.#done = to;
  }

  put(bytes: Uint8Array): void {
    this.#settle();
    const at = this.#room(bytes.length);
    const target = this.#target;
    if (bytes.length > SHORT_BYTES) target.set(bytes, at);
    else for (let index = 0; index < bytes.length; index++) target[at + index] = bytes[index] as number;
  }

  putInt32(value: number): void {
    this.#settle();
    const at = this.#room(4); // which may change the target
    writeInt32(this.#target, at, value);
  }

  /** Bytes written so far; with `patchInt32` for a length that is known only at the end. */
  get mark(): number {
    this.#settle();
    return this.#end - this.#start;
  }

  patchInt32(mark: number, value: number): void {
    writeInt32(this.#target, this.#start + mark, value);
  }

  /** Undefined when nothing is to be sent. */
  finish(): Uint8Array | undefined {
    this.#settle();
    return this.#start === this.#end ? undefined : this.#target.subarray(this.#start, this.#end);
  }

  #settle(): void {
    const from = this.#from;
    const to = this.#to;
    if (from === to) return;
    this.#from = this.#to = 0;
    this.#done = to;
    if (this.#target === this.#input && this.#start === this.#end) {
      this.#start = from;
      this.#end = to;
      return;
    }
    const at = this.#room(to - from);
    if (this.#target === this.#input)
      this.#input.copyWithin(at, from, to); // half of what `copy` takes for one row
    else this.#input.copy(this.#target, at, from, to);
  }

  /** Where `length` bytes may be written that belong to the output now. */
  #room(length: number): number {
    const roomEnd = this.#target === this.#input ? this.#done : this.#target.length;
    if (this.#end + length > roomEnd) this.#grow(this.#end - this.#start + length);
    const at = this.#end;
    this.#end += length;
    return at;
  }

  #grow(needed: number): void {
    const isFirst = this.#target === this.#input;
    const grown = Buffer.allocUnsafe(isFirst ? Math.max(needed, this.#input.length + 1024) : needed * 2);
    this.#end = this.#target.copy(grown, 0, this.#start, this.#end);
    this.#start = 0;
    this.#target = grown;
  }
}

function writeInt32(target: Buffer, at: number, value: number): void {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
}
