/** Small tools to take a message apart and put it together wrongly. */
import type { Random } from "./random.ts";

export interface Mutation {
  readonly name: string;
  /** Of the draws among all. */
  readonly weight: number;
  readonly change: (random: Random, bytes: Buffer) => Buffer;
}

export const HEADER = 5;
/** Around what readers compare with. */
export const BYTES: readonly number[] = [
  0, 1, 4, 0x0a, 0x20, 0x22, 0x27, 0x3b, 0x53, 0x5c, 0x7f, 0x80, 0xc0, 0xe2, 0xff,
];
/** Pieces that are no UTF-8, or only half of it, or that detectors and scanners look twice at. */
export const PIECES: readonly Buffer[] = [
  Buffer.of(0xff, 0xfe),
  Buffer.of(0xc3),
  Buffer.of(0xed, 0xa0, 0x80),
  Buffer.of(0),
  Buffer.of(0, 0, 0, 0),
  Buffer.from("'"),
  Buffer.from("$$"),
  Buffer.from("/*"),
  Buffer.from("--\n"),
  Buffer.from(";"),
  Buffer.from("\\"),
  Buffer.from("4111 1111 1111 1111"),
  Buffer.from("\u202e\ufeff٤"),
  Buffer.from("{}"),
  Buffer.from("%s%n"),
];

export function copyOf(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafe(bytes.length);
  bytes.copy(copy);
  return copy;
}

/** The length says what is there. */
export function tidy(bytes: Buffer): Buffer {
  if (bytes.length >= HEADER) bytes.writeInt32BE(bytes.length - 1, 1);
  return bytes;
}

/** A place in the body, or anywhere in what has none. */
export function place(random: Random, bytes: Buffer): number {
  return bytes.length > HEADER ? random.between(HEADER, bytes.length - 1) : random.below(Math.max(1, bytes.length));
}

export function spliced(bytes: Buffer, at: number, removed: number, added: Buffer): Buffer {
  const made = Buffer.allocUnsafe(bytes.length - Math.min(removed, bytes.length - at) + added.length);
  bytes.copy(made, 0, 0, at);
  added.copy(made, at);
  bytes.copy(made, at + added.length, Math.min(bytes.length, at + removed));
  return made;
}

export function noise(random: Random, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let at = 0; at < length; at++) bytes[at] = random.chance(0.5) ? random.pick(BYTES) : random.below(256);
  return bytes;
}
