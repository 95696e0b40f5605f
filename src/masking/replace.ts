/** What stands in the place of a masked text. Never reveals more than the last digits or a domain. */
import type { KeyObject } from "node:crypto";
import type { MaskStyle } from "../model/mask.ts";
import { hashMark, REDACTED, STARS } from "./marks.ts";
import { isAnyDigit } from "./plain.ts";

/** From the least revealing to the most. */
const STYLES: readonly MaskStyle[] = ["null", "redact", "hash", "partial"];

export function strictest(left: MaskStyle | undefined, right: MaskStyle | undefined): MaskStyle | undefined {
  if (left === undefined || right === undefined) return left ?? right;
  return STYLES.indexOf(left) <= STYLES.indexOf(right) ? left : right;
}

/** `kind`: the detector that found the text, or "" for a whole value. Null is SQL NULL. */
export function replaceText(text: string, style: MaskStyle, kind: string, key: KeyObject): string | null {
  switch (style) {
    case "null":
      return null;
    case "redact":
      return REDACTED;
    case "hash":
      // Keyed: a bare hash of nine digits is guessed in seconds.
      return hashMark(text, key);
    case "partial":
      return partial(text, kind);
  }
}

function partial(text: string, kind: string): string {
  if (kind === "payment-card" || kind === "us-ssn" || (kind === "" && isNumberLike(text))) return lastFour(text);
  if (kind === "email" || kind === "") {
    const at = text.lastIndexOf("@");
    if (at > 0 && (kind === "email" || isEmailLike(text))) return `${firstOf(text)}***${text.slice(at)}`;
  }
  const characters = [...text];
  return characters.length >= 8 ? STARS + characters.slice(-2).join("") : STARS;
}

export const SSN_DIGITS = 9;
export const CARD_DIGITS_MIN = 12;
export const CARD_DIGITS_MAX = 19;

/** As many digits as an SSN or a card has, with nothing but separators between. */
function isNumberLike(text: string): boolean {
  let digits = 0;
  for (const character of text) {
    if (isAnyDigit(character)) digits++;
    else if (!/[\s./\p{Pd}\p{Cf}]/u.test(character)) return false;
  }
  return digits === SSN_DIGITS || (digits >= CARD_DIGITS_MIN && digits <= CARD_DIGITS_MAX);
}

function isEmailLike(text: string): boolean {
  return /^[^\s@<>",;]{1,64}@[^\s@<>",;]{3,253}$/.test(text) && text.includes(".");
}

function firstOf(text: string): string {
  const [first = ""] = text;
  return first;
}

/** The shape stays, and the last four digits. */
function lastFour(text: string): string {
  const characters = [...text];
  let digits = 0;
  for (let at = characters.length - 1; at >= 0; at--) {
    if (isAnyDigit(characters[at] ?? "") && ++digits > 4) characters[at] = "*";
  }
  return characters.join("");
}
