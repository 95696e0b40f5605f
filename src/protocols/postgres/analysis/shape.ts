/**
 * The shape of a statement: its text with plain literals replaced, so that texts that differ in literals
 * only share one analysis. It reads literals exactly as PostgreSQL's scanner does, and on any doubt it
 * gives no shape, which costs a full parse and nothing else. Two texts of one shape have the same tokens
 * but for the values of literals; within a literal's kind (integer, decimal, string) nothing else differs.
 */
import { ANALYSIS_TEXT_MAX } from "../../../base/limits.ts";
import type { Span } from "../../../model/protocol.ts";

/** What a character can be at the start of a token. Everything beyond ASCII is part of a name. */
const NAME = 1;
const DIGIT = 2;
const PLAIN = 3;
const QUOTE = 4;
const DOUBLE_QUOTE = 5;
const DOLLAR = 6;
const DASH = 7;
const SLASH = 8;
const DOT = 9;
const SEMICOLON = 10;

const CLASSES = new Uint8Array(128);
for (let code = 0; code < 128; code++) {
  const character = String.fromCharCode(code);
  if (/[A-Za-z_]/.test(character)) CLASSES[code] = NAME;
  else if (/[0-9]/.test(character)) CLASSES[code] = DIGIT;
  else if (/[ \t\n\r()[\],+*<>=~!@#%^&|`?:]/.test(character)) CLASSES[code] = PLAIN;
}
for (const [character, kind] of [
  ["'", QUOTE],
  ['"', DOUBLE_QUOTE],
  ["$", DOLLAR],
  ["-", DASH],
  ["/", SLASH],
  [".", DOT],
  [";", SEMICOLON],
] as const) {
  CLASSES[character.charCodeAt(0)] = kind;
}

const QUOTE_CODE = 0x27;
const DOUBLE_QUOTE_CODE = 0x22;
const BACKSLASH = 0x5c;
const AMPERSAND = 0x26;
const MAX_INT = 2_147_483_647;

/** Undefined: parse in full. */
export function shapeOf(text: string): string | undefined {
  let shape = "";
  /** Start of what was not copied yet. */
  let from = 0;
  const isRead = readLiterals(text, (start, end, stands) => {
    shape += text.slice(from, start) + stands;
    from = end;
  });
  if (!isRead) return undefined;
  return from === 0 ? text : shape + text.slice(from);
}

/**
 * Where digits can be replaced by other digits, up to nine of them, and the text keeps its shape: short integers.
 * Undefined: it has no shape.
 */
export function integersIn(text: string): readonly Span[] | undefined {
  const spans: Span[] = [];
  const isRead = readLiterals(text, (start, end, stands) => {
    if (stands === INTEGER && end - start <= SHORT_DIGITS_MAX) spans.push({ start, end });
  });
  return isRead ? spans : undefined;
}

const STRING = "''";
const INTEGER = "0";
const DECIMAL = "0.0";
/** Below 2^31 whatever the digits are. */
const SHORT_DIGITS_MAX = 9;

/** Tells of each literal and of what stands for it in a shape. False: on some doubt. */
function readLiterals(text: string, found: (start: number, end: number, stands: string) => void): boolean {
  const end = text.length;
  if (end > ANALYSIS_TEXT_MAX) return false;
  let at = 0;
  while (at < end) {
    const code = text.charCodeAt(at);
    switch (code < 128 ? CLASSES[code] : NAME) {
      case PLAIN:
        at++;
        break;
      case NAME:
        at = endOfName(text, at + 1);
        // A prefix (E'', U&"", N'', B'', X''): its literal has rules of its own.
        if (isQuote(text.charCodeAt(at)) || (text.charCodeAt(at) === AMPERSAND && isQuote(text.charCodeAt(at + 1)))) {
          return false;
        }
        break;
      case QUOTE: {
        const close = endOfString(text, at);
        if (close === 0 || continues(text, close)) return false;
        found(at, close, STRING);
        at = close;
        break;
      }
      case DIGIT: {
        const close = endOfNumber(text, at);
        if (close === 0) return false;
        const kind = kindOfNumber(text, at, close);
        if (kind === undefined) return false;
        found(at, close, kind);
        at = close;
        break;
      }
      case DOUBLE_QUOTE:
        at = endOfQuotedName(text, at);
        if (at === 0) return false;
        break;
      case DOLLAR: {
        // A parameter; anything else is a dollar quote.
        const close = endOfDigits(text, at + 1);
        if (close === at + 1 || isNamePart(text.charCodeAt(close))) return false;
        at = close;
        break;
      }
      case DASH:
      case SLASH: {
        // Comments.
        const next = text.charCodeAt(at + 1);
        if (next === code || (code === 0x2f && next === 0x2a)) return false;
        at++;
        break;
      }
      case DOT:
        // ".5" is a number, ".." a token of its own.
        if (CLASSES[text.charCodeAt(at + 1)] === DIGIT || text.charCodeAt(at + 1) === code) return false;
        at++;
        break;
      case SEMICOLON:
        if (text.slice(at + 1).trim() !== "") return false;
        at++;
        break;
      default:
        return false;
    }
  }
  return true;
}

function isQuote(code: number): boolean {
  return code === QUOTE_CODE || code === DOUBLE_QUOTE_CODE;
}

/** A letter, digit, "_" or "$", or anything beyond ASCII; false at the end of the text. */
function isNamePart(code: number): boolean {
  if (code >= 128) return true;
  const kind = CLASSES[code];
  return kind === NAME || kind === DIGIT || kind === DOLLAR;
}

function endOfName(text: string, from: number): number {
  let at = from;
  while (isNamePart(text.charCodeAt(at))) at++;
  return at;
}

function endOfDigits(text: string, from: number): number {
  let at = from;
  while (CLASSES[text.charCodeAt(at)] === DIGIT) at++;
  return at;
}

/** Behind the closing quote; 0 for one that is not closed or holds what a setting or an encoding could change. */
function endOfString(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE_CODE) {
      if (text.charCodeAt(at + 1) !== QUOTE_CODE) return at + 1;
      at++;
    } else if (code === BACKSLASH || code === 0 || (code >= 0xd800 && code <= 0xdfff)) {
      return 0;
    }
  }
  return 0;
}

/** Another quote after blanks continues the string, or is an error. */
function continues(text: string, from: number): boolean {
  let at = from;
  for (;;) {
    const code = text.charCodeAt(at);
    if (code === 0x20 || (code >= 0x09 && code <= 0x0d)) at++;
    else return isQuote(code) || (code === 0x2d && text.charCodeAt(at + 1) === code);
  }
}

/** 0 for an unclosed one. */
function endOfQuotedName(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === DOUBLE_QUOTE_CODE) {
      if (text.charCodeAt(at + 1) !== DOUBLE_QUOTE_CODE) return at + 1;
      at++;
    } else if (code === 0 || (code >= 0xd800 && code <= 0xdfff)) {
      return 0;
    }
  }
  return 0;
}

/** 0 for exponents, other bases, underscores and digits that run into a name. */
function endOfNumber(text: string, from: number): number {
  let at = endOfDigits(text, from);
  if (text.charCodeAt(at) === 0x2e) {
    at = endOfDigits(text, at + 1);
    if (text.charCodeAt(at) === 0x2e) return 0;
  }
  return isNamePart(text.charCodeAt(at)) ? 0 : at;
}

/** "0" or "0.0": PostgreSQL reads an integer beyond 32 bits as a decimal. */
function kindOfNumber(text: string, from: number, to: number): string | undefined {
  const digits = to - from;
  for (let at = from; at < to; at++) if (text.charCodeAt(at) === 0x2e) return DECIMAL;
  if (digits < 10) return INTEGER;
  if (text.charCodeAt(from) === 0x30) return undefined;
  return digits === 10 && Number(text.slice(from, to)) <= MAX_INT ? INTEGER : DECIMAL;
}
