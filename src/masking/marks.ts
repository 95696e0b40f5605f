/**
 * Finds our own masks in text that somebody wants to write: "[redacted]", a hash that our key has made, and what a partial mask
 * leaves of a card, an SSN, an e-mail address or another text. A guard against accidents: who cuts a mask in two is not found.
 */
import { createHmac, type KeyObject } from "node:crypto";
import type { MaskStyle } from "../model/mask.ts";

export const REDACTED = "[redacted]";
export const STARS = "********";
const TAG_DIGITS = 16;
const CHECK_DIGITS = 4;

/** "h:" | 16 hex digits of an HMAC of the text | 4 of an HMAC of these: who has the key knows its own. */
export function hashMark(text: string, key: KeyObject): string {
  const tag = createHmac("sha256", key).update(text).digest("hex").slice(0, TAG_DIGITS);
  return `h:${tag}${checkOf(tag, key)}`;
}

function checkOf(tag: string, key: KeyObject): string {
  return createHmac("sha256", key).update(`mark of ${tag}`).digest("hex").slice(0, CHECK_DIGITS);
}

const HASH = /(?<![0-9a-z])h:([0-9a-f]{16})([0-9a-f]{4})(?![0-9a-f])/g;
/** Of a text that is neither a number nor an address: exactly eight stars. */
const STARRED = /(?<!\*)\*{8}(?!\*)/;
const EMAIL = /(?<!\*)\*{3}@[^\s@*]/;
/** Nine digits, or 12 to 19, of which the last four are left; with separators between them. */
const NUMBER = /(?<![\p{N}*])\*(?:[\s./\p{Pd}\p{Cf}]{0,2}\*){4,14}(?:[\s./\p{Pd}\p{Cf}]{0,2}\p{Nd}){4}(?![\p{N}*])/u;

/** The style of the first mask that is found; linear in the text. */
export function findMark(text: string, key: KeyObject): MaskStyle | undefined {
  if (text.includes(REDACTED)) return "redact";
  for (const [, tag = "", check] of text.includes("h:") ? text.matchAll(HASH) : []) {
    if (check === checkOf(tag, key)) return "hash";
  }
  if (!text.includes("***")) return mayBeNumber(text) && NUMBER.test(text) ? "partial" : undefined;
  return STARRED.test(text) || EMAIL.test(text) || NUMBER.test(text) ? "partial" : undefined;
}

/** Whether a closer look can find anything. */
export function mayHoldMark(text: string): boolean {
  return text.includes("***") || text.includes("h:") || text.includes(REDACTED) || mayBeNumber(text);
}

/** With a separator between every two stars, as nobody writes numbers but some might. */
function mayBeNumber(text: string): boolean {
  return /\*[\s./\p{Pd}\p{Cf}]{1,2}\*[\s./\p{Pd}\p{Cf}]{0,2}\*/u.test(text);
}
