/**
 * Masks of whole values, done on their bytes: what mask.ts makes of the value by replaceText, for ASCII alone. One pass, nothing
 * decoded, nothing allocated. Whatever is not surely the same is left to the long way.
 */
import { ASK, type MaskStyle, NULLED, type ValueKind, type WholeMask } from "../model/mask.ts";
import { REDACTED, STARS } from "./marks.ts";
import { CARD_DIGITS_MAX, CARD_DIGITS_MIN, SSN_DIGITS } from "./replace.ts";

/** Undefined: of this style every value goes the long way. */
export function wholeMask(kind: ValueKind, own: MaskStyle, by: string): WholeMask | undefined {
  if (own === "null" || kind === "other" || kind === "text-array") return new Nulled(by);
  if (own === "hash") return undefined;
  if (kind === "json") return new Redacted(by, JSON.stringify(REDACTED));
  return own === "redact" ? new Redacted(by, REDACTED) : new Starred(by);
}

const NOTHING = new Uint8Array(0);
const STAR = 0x2a;
/** Of jsonb in binary form, which keeps it. */
const JSONB_VERSION = 1;
const HIDDEN = Buffer.from(STARS);

class Nulled implements WholeMask {
  readonly by: string;
  readonly head = NOTHING;

  constructor(by: string) {
    this.by = by;
  }

  cut(): number {
    return NULLED;
  }
}

class Redacted implements WholeMask {
  readonly by: string;
  readonly head: Uint8Array;

  constructor(by: string, text: string) {
    this.by = by;
    this.head = Buffer.from(text);
  }

  cut(bytes: Uint8Array, start: number, end: number): number {
    if (bytes[start] === JSONB_VERSION) return ASK;
    for (let at = start; at < end; at++) if ((bytes[at] as number) >= 0x80) return ASK;
    return end;
  }
}

/** What a byte says of the value that it is in, as bits. */
const DIGIT = 1;
const DOT = 2;
/** Between the digits of a number, and anywhere in an address. */
const DASH = 4;
/** Between the digits of a number, and in no address. */
const SPACE = 8;
const AT = 16;
/** In no address. */
const BRACKET = 32;
const OTHER = 64;
const NOT_ASCII = 128;
const NUMBER = DIGIT | DOT | DASH | SPACE;

const CLASS = new Uint8Array(256).fill(OTHER).fill(NOT_ASCII, 0x80);
for (const [kind, members] of [
  [DIGIT, "0123456789"],
  [DOT, "."],
  [DASH, "-/"],
  [SPACE, "\t\n\v\f\r "],
  [AT, "@"],
  [BRACKET, '<>",;'],
] as const) {
  for (const byte of Buffer.from(members)) CLASS[byte] = kind;
}

/** Of an address, its "@" not counted: as isEmailLike has it. */
const LOCAL_MAX = 64;
const DOMAIN_MIN = 3;
const DOMAIN_MAX = 253;
/** Shorter texts keep nothing. */
const KEEPS_MIN = 8;
const KEPT = 2;
/** Digits of a number that stay. */
const LAST = 4;

class Starred implements WholeMask {
  readonly by: string;
  head: Uint8Array = NOTHING;
  /** Of an address: its first character and three stars. */
  readonly #first = Buffer.from("x***");

  constructor(by: string) {
    this.by = by;
  }

  cut(bytes: Uint8Array, start: number, end: number): number {
    let seen = 0;
    let digits = 0;
    let ats = 0;
    let lastAt = start;
    for (let at = start; at < end; at++) {
      const kind = CLASS[bytes[at] as number] as number;
      seen |= kind;
      if (kind === OTHER) continue; // as most are
      digits += kind & DIGIT;
      if (kind === AT) {
        ats++;
        lastAt = at;
      }
    }
    if (seen >= NOT_ASCII) return ASK;
    const isNumber = digits === SSN_DIGITS || (digits >= CARD_DIGITS_MIN && digits <= CARD_DIGITS_MAX);
    if (isNumber && (seen & ~NUMBER) === 0) return this.#starred(bytes, start, digits);
    if (ats === 1 && (seen & (SPACE | BRACKET)) === 0 && (seen & DOT) !== 0) {
      const local = lastAt - start;
      const domain = end - lastAt - 1;
      if (local >= 1 && local <= LOCAL_MAX && domain >= DOMAIN_MIN && domain <= DOMAIN_MAX) {
        this.#first[0] = bytes[start] as number;
        this.head = this.#first;
        return lastAt;
      }
    }
    this.head = HIDDEN;
    return end - start >= KEEPS_MIN ? end - KEPT : end;
  }

  /** Every digit but the last ones becomes a star, where it stands. */
  #starred(bytes: Uint8Array, start: number, digits: number): number {
    for (let at = start, left = digits - LAST; left > 0; at++) {
      if (CLASS[bytes[at] as number] !== DIGIT) continue;
      bytes[at] = STAR;
      left--;
    }
    this.head = NOTHING;
    return start;
  }
}
