/**
 * What may happen to one message: each way takes whole bytes (with a type byte, except for a client's first packet)
 * and gives others. Makes no sense of them on purpose; "tidy" ways repair the length, so that readers get deeper.
 */
import type { Random } from "./random.ts";

export interface Mutation {
  readonly name: string;
  /** Of the draws among all. */
  readonly weight: number;
  readonly change: (random: Random, bytes: Buffer) => Buffer;
}

const HEADER = 5;
/** Around signs, widths, the limits of the product, and what a length must at least be. */
const LENGTHS: readonly number[] = [
  0, 1, 2, 3, 4, 5, 6, 8, 127, 128, 255, 256, 32_767, 32_768, 65_535, 65_536, 10_000, 10_001, 262_144, 1_048_576,
  67_108_863, 67_108_864, 67_108_865, 0x7fff_fffb, 0x7fff_ffff, -1, -2, -4, -0x8000_0000,
];
const BYTES: readonly number[] = [0, 1, 4, 0x0a, 0x20, 0x22, 0x27, 0x3b, 0x53, 0x5c, 0x7f, 0x80, 0xc0, 0xe2, 0xff];
const TYPES: readonly number[] = [..."BCDEFHPQSXcdfpRKGTWZINAVnstv123"].map((letter) => letter.charCodeAt(0));
/** Pieces that are no UTF-8, or only half of it, or that detectors and scanners look twice at. */
const PIECES: readonly Buffer[] = [
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

function copyOf(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafe(bytes.length);
  bytes.copy(copy);
  return copy;
}

/** The length says what is there. */
function tidy(bytes: Buffer): Buffer {
  if (bytes.length >= HEADER) bytes.writeInt32BE(bytes.length - 1, 1);
  return bytes;
}

/** A place in the body, or anywhere in what has none. */
function place(random: Random, bytes: Buffer): number {
  return bytes.length > HEADER ? random.between(HEADER, bytes.length - 1) : random.below(Math.max(1, bytes.length));
}

function spliced(bytes: Buffer, at: number, removed: number, added: Buffer): Buffer {
  const made = Buffer.allocUnsafe(bytes.length - Math.min(removed, bytes.length - at) + added.length);
  bytes.copy(made, 0, 0, at);
  added.copy(made, at);
  bytes.copy(made, at + added.length, Math.min(bytes.length, at + removed));
  return made;
}

function noise(random: Random, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let at = 0; at < length; at++) bytes[at] = random.chance(0.5) ? random.pick(BYTES) : random.below(256);
  return bytes;
}

function flipBits(random: Random, bytes: Buffer): Buffer {
  const copy = copyOf(bytes);
  for (let left = random.between(1, 4); left > 0 && copy.length > 0; left--) {
    const at = random.below(copy.length);
    copy[at] = (copy[at] as number) ^ (1 << random.below(8));
  }
  return copy;
}

function setBytes(random: Random, bytes: Buffer): Buffer {
  const copy = copyOf(bytes);
  for (let left = random.between(1, 3); left > 0 && copy.length > 0; left--)
    copy[place(random, copy)] = random.pick(BYTES);
  return copy;
}

function insert(random: Random, bytes: Buffer): Buffer {
  const added = random.chance(0.5) ? random.pick(PIECES) : noise(random, random.between(1, 12));
  return spliced(bytes, bytes.length === 0 ? 0 : place(random, bytes), 0, added);
}

function remove(random: Random, bytes: Buffer): Buffer {
  if (bytes.length <= HEADER) return copyOf(bytes);
  return spliced(bytes, place(random, bytes), random.between(1, 8), Buffer.alloc(0));
}

function repeat(random: Random, bytes: Buffer): Buffer {
  const at = bytes.length === 0 ? 0 : place(random, bytes);
  return spliced(bytes, at, 0, copyOf(bytes.subarray(at, at + random.between(1, 64))));
}

function setLength(random: Random, bytes: Buffer): Buffer {
  const copy = copyOf(bytes);
  if (copy.length < HEADER) return copy;
  const near = copy.readInt32BE(1) + random.between(-8, 8);
  copy.writeInt32BE(random.chance(0.6) ? near | 0 : random.pick(LENGTHS), 1);
  return copy;
}

function truncate(random: Random, bytes: Buffer): Buffer {
  return copyOf(bytes.subarray(0, random.below(bytes.length + 1)));
}

function setType(random: Random, bytes: Buffer): Buffer {
  const copy = copyOf(bytes);
  if (copy.length > 0) copy[0] = random.chance(0.9) ? random.pick(TYPES) : random.below(256);
  return copy;
}

/** Most counts and lengths of fields stand somewhere as 16 or 32 bits: any two or four bytes of the body. */
function setNumber(random: Random, bytes: Buffer): Buffer {
  const copy = copyOf(bytes);
  const width = random.chance(0.5) ? 2 : 4;
  if (copy.length < HEADER + width) return copy;
  const at = random.chance(0.4) ? HEADER : random.between(HEADER, copy.length - width);
  const old = width === 2 ? copy.readInt16BE(at) : copy.readInt32BE(at);
  const value = random.chance(0.5) ? old + random.between(-2, 2) : random.pick(LENGTHS);
  if (width === 2) copy.writeUInt16BE(value & 0xffff, at);
  else copy.writeInt32BE(value | 0, at);
  return copy;
}

/** Texts run into what follows them. */
function openTexts(random: Random, bytes: Buffer): Buffer {
  const copy = copyOf(bytes);
  for (let at = HEADER; at < copy.length; at++) if (copy[at] === 0 && random.chance(0.7)) copy[at] = 0x41;
  return copy;
}

/** Much longer than anybody says; rarely, because it is slow. */
function swell(random: Random, bytes: Buffer): Buffer {
  const at = bytes.length === 0 ? 0 : place(random, bytes);
  const size = random.chance(0.98) ? random.between(64, 2_000) : random.between(20_000, 120_000);
  return spliced(bytes, at, 0, Buffer.alloc(size, random.pick(["a", "'", "(", "\0", "1", "é", "- ", "/*", ",$1"])));
}

/** The same on a message of which only the body may change. */
function within(change: Mutation["change"]): Mutation["change"] {
  return (random, bytes) => {
    const made = change(random, bytes);
    if (made.length > 0 && bytes.length > 0) made[0] = bytes[0] as number;
    return tidy(made);
  };
}

/** Letters become other letters: what is text stays text, and nothing else changes. */
function setLetters(random: Random, bytes: Buffer): Buffer {
  const copy = copyOf(bytes);
  for (let left = random.between(1, 4); left > 0; left--) {
    const at = place(random, copy);
    if (at >= HEADER && (copy[at] as number) >= 0x20 && (copy[at] as number) < 0x7f)
      copy[at] = random.between(0x20, 0x7e);
  }
  return copy;
}

/** A row of as many fields, or nearly, with other values; of other messages, letters. */
function otherRow(random: Random, bytes: Buffer): Buffer {
  if (bytes[0] !== DATA_ROW || bytes.length < 7) return setLetters(random, bytes);
  const count = bytes.readUInt16BE(HEADER);
  const fields: Buffer[] = [Buffer.from(bytes.subarray(0, 7))];
  for (let at = 7, left = count; left > 0 && at + 4 <= bytes.length; left--) {
    const length = bytes.readInt32BE(at);
    const end = at + 4 + Math.max(0, length);
    const draw = random.below(8);
    if (draw === 0) fields.push(NULL_FIELD);
    else if (draw > 3) fields.push(bytes.subarray(at, end));
    else
      fields.push(
        field(
          draw === 1 ? random.pick(PIECES) : draw === 2 ? noise(random, random.below(30)) : bytes.subarray(at + 4, end),
        ),
      );
    at = end;
  }
  return tidy(Buffer.concat(fields));
}

/** Another table, type or format of one column; of other messages, letters. */
function otherColumn(random: Random, bytes: Buffer): Buffer {
  if (bytes[0] !== ROW_DESCRIPTION || bytes.length < 7) return setLetters(random, bytes);
  const copy = copyOf(bytes);
  const count = copy.readUInt16BE(HEADER);
  let at = 7;
  for (let left = random.below(Math.max(1, count)); left > 0; left--) at = copy.indexOf(0, at) + 19;
  at = copy.indexOf(0, at) + 1;
  if (at === 0 || at + 18 > copy.length) return copy;
  const draw = random.below(4);
  if (draw === 0) copy.writeUInt32BE(random.pick([0, 1, 1_259, 16_384, 16_385, 99_999, 0xffff_ffff]), at);
  else if (draw === 1) copy.writeInt16BE(random.pick([-1, 0, 1, 2, 3, 99]), at + 4);
  else if (draw === 2)
    copy.writeUInt32BE(random.pick([0, 16, 17, 23, 25, 114, 700, 1_009, 1_043, 1_700, 2_249, 3_802, 16_999]), at + 6);
  else copy.writeInt16BE(random.pick([0, 1, 2, -1]), at + 16);
  return copy;
}

/** Another transaction status; of other messages, letters. */
function otherStatus(random: Random, bytes: Buffer): Buffer {
  if (bytes[0] !== READY) return setLetters(random, bytes);
  return Buffer.concat([bytes.subarray(0, 5), Buffer.from(random.pick(["I", "T", "E", "?"]))]);
}

function field(value: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(4 + value.length);
  bytes.writeInt32BE(value.length);
  value.copy(bytes, 4);
  return bytes;
}

const [DATA_ROW, ROW_DESCRIPTION, READY] = [..."DTZ"].map((letter) => letter.charCodeAt(0));
const NULL_FIELD = Buffer.of(0xff, 0xff, 0xff, 0xff);

/** After these a session mostly goes on, so that one can take many. */
const GENTLE: readonly Mutation[] = [
  { name: "letters replaced", weight: 6, change: setLetters },
  { name: "values of a row replaced", weight: 5, change: otherRow },
  { name: "a column's table, type or format replaced", weight: 2, change: otherColumn },
  { name: "transaction status replaced", weight: 2, change: otherStatus },
];

const ROUGH: readonly Mutation[] = [
  { name: "bits flipped", weight: 6, change: flipBits },
  { name: "bits of the body flipped", weight: 14, change: within(flipBits) },
  { name: "bytes replaced", weight: 12, change: setBytes },
  { name: "bytes inserted", weight: 4, change: insert },
  { name: "bytes inserted, length right", weight: 12, change: within(insert) },
  { name: "bytes deleted", weight: 4, change: remove },
  { name: "bytes deleted, length right", weight: 10, change: within(remove) },
  { name: "a part repeated", weight: 3, change: repeat },
  { name: "a part repeated, length right", weight: 6, change: within(repeat) },
  { name: "length wrong", weight: 7, change: setLength },
  { name: "truncated", weight: 4, change: truncate },
  { name: "truncated, length right", weight: 6, change: within(truncate) },
  { name: "type replaced", weight: 7, change: setType },
  { name: "a count or number replaced", weight: 14, change: within(setNumber) },
  { name: "texts without end", weight: 4, change: openTexts },
  { name: "swollen, length right", weight: 3, change: within(swell) },
  { name: "all noise", weight: 2, change: (random) => noise(random, random.between(1, 60)) },
  {
    name: "noise of a known type",
    weight: 4,
    change: (random, bytes) =>
      tidy(spliced(bytes.subarray(0, 5), bytes.length < 5 ? 0 : 5, 0, noise(random, random.below(40)))),
  },
];

export const MUTATIONS: readonly Mutation[] = [...GENTLE, ...ROUGH];

const GENTLE_DRAWS = drawsOf(GENTLE);
const DRAWS = drawsOf(MUTATIONS);

function drawsOf(mutations: readonly Mutation[]): readonly Mutation[] {
  return mutations.flatMap((mutation) => Array<Mutation>(mutation.weight).fill(mutation));
}

export function drawMutation(random: Random, isGentle: boolean): Mutation {
  return random.pick(isGentle ? GENTLE_DRAWS : DRAWS);
}
