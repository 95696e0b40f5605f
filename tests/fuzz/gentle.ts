/** Changes after which a message still makes sense, so that a session can take many of them. */
import { copyOf, HEADER, type Mutation, noise, PIECES, place, tidy } from "./bytes.ts";
import type { Random } from "./random.ts";

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
export const GENTLE: readonly Mutation[] = [
  { name: "letters replaced", weight: 6, change: setLetters },
  { name: "values of a row replaced", weight: 5, change: otherRow },
  { name: "a column's table, type or format replaced", weight: 2, change: otherColumn },
  { name: "transaction status replaced", weight: 2, change: otherStatus },
];
