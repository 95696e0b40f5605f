/** Changes that make no sense on purpose: of bits, bytes, lengths, types and numbers. */
import { BYTES, copyOf, HEADER, type Mutation, noise, PIECES, place, spliced, tidy } from "./bytes.ts";
import type { Random } from "./random.ts";

/** Around signs, widths, the limits of the product, and what a length must at least be. */
const LENGTHS: readonly number[] = [
  0, 1, 2, 3, 4, 5, 6, 8, 127, 128, 255, 256, 32_767, 32_768, 65_535, 65_536, 10_000, 10_001, 262_144, 1_048_576,
  67_108_863, 67_108_864, 67_108_865, 0x7fff_fffb, 0x7fff_ffff, -1, -2, -4, -0x8000_0000,
];
const TYPES: readonly number[] = [..."BCDEFHPQSXcdfpRKGTWZINAVnstv123"].map((letter) => letter.charCodeAt(0));

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

export const ROUGH: readonly Mutation[] = [
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
