/** JSON that can be read in one way only. A key that stands twice means one thing to us and another to somebody else. */
import { STRICT_JSON_DEPTH_MAX } from "./limits.ts";

export interface StrictJson {
  readonly value: unknown;
  /** It says something twice, of which JSON.parse takes the last, or is so deep that other readers give up. */
  readonly isAmbiguous: boolean;
}

/** In linear time. Throws where the bytes are not UTF-8 or no JSON; the error may quote them and is not to be shown. */
export function readStrictJson(bytes: Uint8Array): StrictJson {
  const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  const value: unknown = JSON.parse(text);
  return { value, isAmbiguous: canBeReadOtherwise(text) };
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Of a text that JSON.parse takes, in one pass: a string before a colon is a key of the innermost bracket that is open. */
function canBeReadOtherwise(text: string): boolean {
  /** The keys of each object that is open; undefined: it is an array. */
  const open: (Set<string> | undefined)[] = [];
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 0x7b: // {
        open.push(new Set());
        break;
      case 0x5b: // [
        open.push(undefined);
        break;
      case 0x7d: // }
      case 0x5d: // ]
        open.pop();
        break;
      case QUOTE: {
        const end = endOfString(text, at);
        const keys = open.at(-1);
        if (keys !== undefined && isBeforeColon(text, end)) {
          const key = keyOf(text.slice(at, end));
          if (keys.has(key)) return true;
          keys.add(key);
        }
        at = end - 1;
        break;
      }
      default:
    }
    if (open.length > STRICT_JSON_DEPTH_MAX) return true;
  }
  return false;
}

/** Behind the closing quote. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at + 1;
    if (code === BACKSLASH) at++;
  }
  return text.length;
}

/** Whitespace as RFC 8259, section 2, has it. */
function isBeforeColon(text: string, from: number): boolean {
  const colon = /[ \t\n\r]*:/y;
  colon.lastIndex = from;
  return colon.test(text);
}

/** Escapes are read; halves of a surrogate pair are all one to whoever replaces them. */
function keyOf(literal: string): string {
  const key = literal.includes("\\") ? String(JSON.parse(literal)) : literal.slice(1, -1);
  return key.toWellFormed();
}
