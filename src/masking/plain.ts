/**
 * Text as detectors read it: digits of every script as ASCII digits, kinds of space and dash as " "
 * and "-", invisible characters gone; with the way back to the offsets of the original.
 */

export interface Plain {
  readonly text: string;
  /** Where the character at `index` stands in the original; `index` may be the text's length. */
  original(index: number): number;
}

const ASCII_ONLY = /^[\0-\x7f]*$/;
/** Soft hyphen, joiners, direction marks, variation selectors, byte order mark and other format characters. */
const INVISIBLE = /\p{Cf}|\p{Variation_Selector}|\u034f|[\u115f\u1160]|\u17b4|\u17b5/u;
const SPACE = /\p{Zs}/u;
const DASHES = /[\p{Pd}\u2212\u2043]/u;
const DIGIT = /\p{Nd}/u;

export function plainOf(text: string): Plain {
  if (ASCII_ONLY.test(text)) return { text, original: (index) => index };
  const offsets: number[] = [];
  let made = "";
  let at = 0;
  for (const character of text) {
    const plain = character < "\u0080" ? character : plainCharacter(character);
    for (let unit = 0; unit < plain.length; unit++) offsets.push(at + (plain.length === character.length ? unit : 0));
    made += plain;
    at += character.length;
  }
  offsets.push(at);
  return { text: made, original: (index) => offsets[index] ?? text.length };
}

function plainCharacter(character: string): string {
  if (isOrdinaryLetter(character.charCodeAt(0))) return character;
  if (INVISIBLE.test(character)) return "";
  if (SPACE.test(character)) return " ";
  if (DASHES.test(character)) return "-";
  if (DIGIT.test(character)) return String(digitValue(character));
  const compatible = character.normalize("NFKC");
  return compatible.length === 1 && compatible < "\u0080" ? compatible : character;
}

/** Letters of which long texts consist and that stand for nothing else: accented Latin, Greek, Cyrillic, kana, Han, Hangul. */
function isOrdinaryLetter(unit: number): boolean {
  return (
    (unit >= 0xc0 && unit <= 0x24f) ||
    (unit >= 0x386 && unit <= 0x52f) ||
    (unit >= 0x3041 && unit <= 0x30ff) ||
    (unit >= 0x4e00 && unit <= 0x9fff) ||
    (unit >= 0xac00 && unit <= 0xd7a3)
  );
}

/** Unicode's decimal digits stand in blocks of ten that begin with zero. */
function digitValue(character: string): number {
  const code = character.codePointAt(0) ?? 0;
  // Five mathematical alphabets follow each other without a gap from U+1D7CE on.
  if (code >= 0x1d7ce && code <= 0x1d7ff) return (code - 0x1d7ce) % 10;
  let zero = code;
  while (code - zero < 9 && DIGIT.test(String.fromCodePoint(zero - 1))) zero--;
  return code - zero;
}

/** Whether a code point is a decimal digit of any script. */
export function isAnyDigit(character: string): boolean {
  return DIGIT.test(character);
}
