/** Payment cards, US social security numbers and IBANs, each with the check that its issuer defined. */
import { countrySpecs, isValidIBAN } from "ibantools";
import { type DigitGroup, type DigitRun, digitRuns, isAlphanumeric, isDigit, type Scan, wordsBefore } from "./scan.ts";

/** Lengths of a payment card (ISO/IEC 7812). */
export const CARD_DIGITS_MIN = 12;
const CARD_DIGITS_MAX = 19;

export const scanCards: Scan = (text, _hint, found) => {
  for (const run of digitRuns(text)) {
    for (let first = 0; first < run.groups.length; first++) {
      const last = cardFrom(run, first);
      if (last === undefined) continue;
      found(run.groups[first]?.start ?? 0, run.groups[last]?.end ?? 0);
      first = last;
    }
  }
};

/** The last group of a card number that begins with group `first`; the longest is taken. */
function cardFrom(run: DigitRun, first: number): number | undefined {
  let digits = "";
  let best: number | undefined;
  for (let last = first; last < run.groups.length; last++) {
    const group = run.groups[last];
    if (group === undefined || digits.length + group.digits.length > CARD_DIGITS_MAX) break;
    digits += group.digits;
    // The cheapest question first: nearly every number fails it.
    if (!isIssued(digits) || !passesLuhn(digits) || !standsFree(run, first, last)) continue;
    if (isCardGrouping(run.groups.slice(first, last + 1), digits.length)) best = last;
  }
  return best;
}

/** A number inside of a longer token (a hash, an identifier, a decimal fraction) is none. */
function standsFree(run: DigitRun, first: number, last: number): boolean {
  if (first === 0 && (isAlphanumeric(run.before) || run.fraction)) return false;
  if (first === last && run.groups[first]?.separator === ".") return false;
  return last < run.groups.length - 1 || !isAlphanumeric(run.after);
}

const GROUPINGS = new Set(["4,4,4,4", "4,6,5", "4,6,4", "4,4,4,4,3", "6,13", "4,4,5", "4,4,4,3", "4,4,4,1", "6,4,4,5"]);

function isCardGrouping(groups: readonly DigitGroup[], digits: number): boolean {
  if (groups.length === 1) return true;
  const separator = groups[1]?.separator;
  if (groups.some((group, at) => at > 0 && group.separator !== separator)) return false;
  const sizes = groups.map((group) => group.digits.length);
  if (GROUPINGS.has(sizes.join(","))) return true;
  const [size = 0] = sizes;
  const even = sizes.every((other, at) => other === size || (at === sizes.length - 1 && other < size));
  return even && size <= 4 && digits >= 14;
}

/** Prefixes (as a range of its first digits) and lengths that are issued. */
const ISSUERS: readonly (readonly [from: number, to: number, lengths: readonly number[]])[] = [
  [4, 4, [13, 16, 19]],
  [51, 55, [16]],
  [2221, 2720, [16]],
  [34, 34, [15]],
  [37, 37, [15]],
  [6011, 6011, [16, 17, 18, 19]],
  [644, 659, [16, 17, 18, 19]],
  [300, 305, [14, 16, 17, 18, 19]],
  [3095, 3095, [14, 16, 17, 18, 19]],
  [36, 36, [14, 15, 16, 17, 18, 19]],
  [38, 39, [14, 16, 17, 18, 19]],
  [3528, 3589, [16, 17, 18, 19]],
  [62, 62, [16, 17, 18, 19]],
  [81, 82, [16]],
  [508, 508, [16]],
  [60, 60, [16]],
  [2200, 2204, [16, 17, 18, 19]],
  [9792, 9792, [16]],
  [5018, 5018, [12, 13, 14, 15, 16, 17, 18, 19]],
  [5020, 5020, [12, 13, 14, 15, 16, 17, 18, 19]],
  [5038, 5038, [12, 13, 14, 15, 16, 17, 18, 19]],
  [5893, 5893, [12, 13, 14, 15, 16, 17, 18, 19]],
  [6304, 6304, [12, 13, 14, 15, 16, 17, 18, 19]],
  [6759, 6763, [12, 13, 14, 15, 16, 17, 18, 19]],
];

function isIssued(digits: string): boolean {
  if (digits.length < CARD_DIGITS_MIN) return false;
  const head = Number(digits.slice(0, 4));
  return ISSUERS.some(([from, to, lengths]) => {
    const prefix = Math.floor(head / (from < 10 ? 1000 : from < 100 ? 100 : from < 1000 ? 10 : 1));
    return prefix >= from && prefix <= to && lengths.includes(digits.length);
  });
}

/** Luhn, ISO/IEC 7812-1 annex B. */
function passesLuhn(digits: string): boolean {
  let sum = 0;
  for (let at = digits.length - 1, twice = 0; at >= 0; at--, twice ^= 1) {
    const digit = digits.charCodeAt(at) - 48;
    sum += twice ? (digit > 4 ? 2 * digit - 9 : 2 * digit) : digit;
  }
  return sum % 10 === 0;
}

export const SSN_WORDS = /\bssn\b|social|\bss ?#|\bsocsec|_ssn|ssn_/i;

/** With dashes anywhere; with spaces or bare only where the column or the words before say what it is. */
export const scanSsns: Scan = (text, hint, found) => {
  for (const run of digitRuns(text)) {
    for (let at = 0; at < run.groups.length; at++) {
      const [first, second, third] = run.groups.slice(at, at + 3);
      if (first === undefined || isJoined(run, at, first.digits.length === 9 ? at : at + 2)) continue;
      const spoken = () => SSN_WORDS.test(hint) || SSN_WORDS.test(wordsBefore(text, first.start));
      if (first.digits.length === 9) {
        if (isSsn(first.digits) && spoken()) found(first.start, first.end);
        continue;
      }
      if (second === undefined || third === undefined || second.separator !== third.separator) continue;
      const sizes = `${first.digits.length},${second.digits.length},${third.digits.length}`;
      if (sizes !== "3,2,4" || !isSsn(first.digits + second.digits + third.digits)) continue;
      const whole = first.start === 0 && third.end === text.length;
      if (second.separator === "-" || whole || spoken()) found(first.start, third.end);
    }
  }
};

/** Whether the groups are part of something longer that is written with dashes or letters. */
function isJoined(run: DigitRun, first: number, last: number): boolean {
  const before = first === 0 ? run.before : run.groups[first]?.separator;
  const after = last >= run.groups.length - 1 ? run.after : run.groups[last + 1]?.separator;
  if (first > 0 && before !== " ") return true;
  if (last < run.groups.length - 1 && after !== " ") return true;
  return isAlphanumeric(before) || isAlphanumeric(after) || (first === 0 && run.fraction);
}

/** Ranges that the Social Security Administration never issues. */
function isSsn(digits: string): boolean {
  const area = digits.slice(0, 3);
  if (area === "000" || area === "666" || area >= "900") return false;
  return digits.slice(3, 5) !== "00" && digits.slice(5) !== "0000";
}

/** ISO 13616: country, check digits, and as many characters as that country has; spaces or dashes between. */
export const scanIbans: Scan = (text, _hint, found) => {
  for (let at = 0; at + 15 <= text.length; at++) {
    if (!isDigit(text[at + 2]) || !isDigit(text[at + 3]) || isAlphanumeric(text[at - 1])) continue;
    const length = countrySpecs[text.slice(at, at + 2).toUpperCase() as keyof typeof countrySpecs]?.chars;
    if (length === undefined || length === null) continue;
    const end = take(text, at, length);
    if (end === undefined || isAlphanumeric(text[end])) continue;
    if (!isValidIBAN(text.slice(at, end).replace(/[ -]/g, "").toUpperCase())) continue;
    found(at, end);
    at = end - 1;
  }
};

/** The offset behind `count` letters and digits, with at most one space or dash between two of them. */
function take(text: string, start: number, count: number): number | undefined {
  let at = start;
  for (let taken = 0; taken < count; taken++) {
    if (taken > 0 && (text[at] === " " || text[at] === "-")) at++;
    if (!isAlphanumeric(text[at])) return undefined;
    at++;
  }
  return at;
}
