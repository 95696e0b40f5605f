/**
 * The first look at a value: one pass over its bytes that says which detectors could find anything.
 * Allocates nothing. May say yes too often, must never say no where a detector would find something.
 */

/** Kinds of evidence, as bits. */
export const DIGITS = 1;
export const AT_SIGN = 2;
export const JWT_HEAD = 4;
export const PEM_HEAD = 8;
export const AWS_HEAD = 16;
export const GITHUB_HEAD = 32;
/** Enough for a card or an SSN, too many for a date. */
export const MANY_DIGITS = 64;
export const EVERYTHING = 127;

/** Digits of the shortest number that a detector finds (a phone number), less one for safety. */
const DIGITS_MIN = 7;
const MANY_DIGITS_MIN = 9;
/** ASCII characters that may stand between two digits of one number, e.g. ") -". */
const GAP_MAX = 3;

/** What a byte can be part of; 0 is of no interest. */
const NOTHING = 0;
const DIGIT = 1;
const AT = 2;
const UPPER_J = 3;
const DASH = 4;
const UPPER_A = 5;
const UNDERSCORE = 6;
const NOT_ASCII = 7;
const BACKSLASH = 8;

const CLASS = new Uint8Array(256);
for (let digit = 0x30; digit <= 0x39; digit++) CLASS[digit] = DIGIT;
CLASS[0x40] = AT;
CLASS[0x4a] = UPPER_J;
CLASS[0x2d] = DASH;
CLASS[0x41] = UPPER_A;
CLASS[0x5f] = UNDERSCORE;
CLASS[0x5c] = BACKSLASH;
CLASS.fill(NOT_ASCII, 0x80);

/**
 * The bits of `wanted` for which `value` holds evidence. `value` is UTF-8, or any bytes. With
 * `escapes` the text may hide characters behind "\u0034", so those are evidence of everything. Only
 * bytes from `start` to `end` are searched; a neighbour may be looked at, which can add evidence only.
 */
export function gate(
  value: Uint8Array,
  wanted: number,
  escapes: "json" | "none",
  start = 0,
  end = value.length,
): number {
  let found = 0;
  let run = 0;
  let gap = 0;
  for (let at = start; at < end; at++) {
    // In range by the loop's condition.
    const byte = value[at] as number;
    const kind = CLASS[byte];
    if (kind === DIGIT) {
      run = gap > GAP_MAX ? 1 : run + 1;
      gap = 0;
      if (run >= DIGITS_MIN) found |= run >= MANY_DIGITS_MIN ? DIGITS | MANY_DIGITS : DIGITS;
      continue;
    }
    if (kind === NOT_ASCII) {
      // Digits of other scripts count as digits, invisible characters are no gap.
      const other = otherScript(value, at, byte);
      if (other === DIGIT) {
        run = gap > GAP_MAX ? 1 : run + 1;
        gap = 0;
        if (run >= DIGITS_MIN) found |= run >= MANY_DIGITS_MIN ? DIGITS | MANY_DIGITS : DIGITS;
      } else if (other === AT) found |= AT_SIGN;
      continue;
    }
    gap++;
    if (kind !== NOTHING) found |= headAt(value, at, kind, escapes);
    if ((found & wanted) === wanted) return wanted;
  }
  return found & wanted;
}

/** Lead bytes under which Unicode has decimal digits, roughly; the detectors look closer. */
function otherScript(value: Uint8Array, at: number, byte: number): typeof DIGIT | typeof AT | typeof NOTHING {
  if (byte === 0xef) {
    const second = value[at + 1];
    // Fullwidth and small "@", fullwidth digits.
    if (second === 0xbc && value[at + 2] === 0xa0) return AT;
    if (second === 0xb9 && value[at + 2] === 0xab) return AT;
    return second === 0xbc ? DIGIT : NOTHING;
  }
  // Arabic, N'Ko, Indic and other scripts' digits; mathematical digits are in the plane of 0xf0.
  return byte === 0xd9 ||
    byte === 0xdb ||
    byte === 0xdf ||
    byte === 0xe0 ||
    byte === 0xe1 ||
    byte === 0xea ||
    byte >= 0xf0
    ? DIGIT
    : NOTHING;
}

function headAt(value: Uint8Array, at: number, kind: number | undefined, escapes: "json" | "none"): number {
  switch (kind) {
    case AT:
      return AT_SIGN;
    case UPPER_J: // eyJ
      return value[at - 1] === 0x79 && value[at - 2] === 0x65 ? JWT_HEAD : 0;
    case DASH: // -----B
      return value[at - 1] === 0x2d && value[at - 4] === 0x2d && value[at + 1] === 0x42 ? PEM_HEAD : 0;
    case UPPER_A: // A?IA, and the middle of SecretAccessKey
      return (value[at + 2] === 0x49 && value[at + 3] === 0x41) || value[at - 1] === 0x74 || value[at + 3] === 0x41
        ? AWS_HEAD
        : 0;
    case UNDERSCORE: {
      const last = (value[at - 1] ?? 0) | 0x20;
      // secret_access_key
      if (last === 0x74 && ((value[at - 2] ?? 0) | 0x20) === 0x65) return AWS_HEAD;
      // ghp_ and its kin, github_pat_
      const kin = value[at - 3] === 0x67 && value[at - 2] === 0x68;
      return kin || (value[at - 1] === 0x62 && value[at + 1] === 0x70) ? GITHUB_HEAD : 0;
    }
    case BACKSLASH:
      return escapes === "json" && (value[at + 1] ?? 0) === 0x75 ? EVERYTHING : 0;
    default:
      return 0;
  }
}
