/**
 * Numbers that stand by themselves: up to eleven digits need a word, a sign or separators beside them to be anything.
 * native/src/standing.cc looks at the digits, signs and separators of each text; words can only stand in the parts that are known
 * beforehand. tests/masking/lone.test.ts holds both to the detectors.
 */
import { PHONE_WORDS } from "./contacts.ts";
import { SSN_WORDS } from "./numbers.ts";
import { scrub } from "./scrub.ts";

/** Of an IBAN, into which digits that follow could be read. */
const IBAN_HEAD = /[A-Za-z]{2}[0-9]{2}/;
/** Also within other words: a detector looks at so many characters before a number, where a word may begin amid one. */
const WORDS = [SSN_WORDS, PHONE_WORDS].map(({ source, flags }) => new RegExp(source.replaceAll("\\b", ""), flags));

/** Whether no word says what a number is in a text that is these parts with integers between them. */
export function isWordlessAround(parts: readonly string[]): boolean {
  const text = parts.join("0");
  return !WORDS.some((words) => words.test(text));
}

/** More than any detector lets stand between two groups of digits. */
const APART = 4;

/** Whether numbers of up to nine digits can stand between these parts of a text, in any way, and nothing is ever found in it. */
export function standAlone(parts: readonly string[]): boolean {
  const text = parts.join("0");
  if (!isWordlessAround(parts) || IBAN_HEAD.test(text) || scrub(text) !== text) return false;
  return parts.every((part, at) => {
    const [isFirst, isLast] = [at === 0, at === parts.length - 1];
    if (!isFirst && !isLast && part.length < APART) return false;
    const isCalm = isLast || !/[0-9+]/.test(part.slice(-APART));
    return isCalm && (isFirst || !/[0-9]/.test(part.slice(0, APART)));
  });
}
