/**
 * Recognises canaries in bytes, whole or in pieces, in every form in which an answer could carry them: as they are,
 * backwards, in hex, octal, base64, UTF-16, as character references, as binary values, spread over fields and rows, or
 * as numbers of characters. Decides nothing.
 */
import type { Canary } from "./canaries.ts";

export interface Finder {
  /** Pieces in one run of bytes. */
  inBytes(bytes: Buffer): readonly string[];
  /** Pieces that only show when the values of an answer are put side by side. */
  acrossValues(values: readonly Buffer[]): readonly string[];
}

/** Base64 is dense: shorter pieces of it are in any text by chance. */
const BASE64_PIECE = 6;
/** Of a value that came in crumbs; shorter runs come of counting. */
const SPREAD_PIECE = 8;
const CODES_PIECE = 6;
/** "11111111" comes of rows of ones. */
const SPREAD_DISTINCT = 4;
const KEY = 4;
/** Of a card with many zeros; amounts and SQLSTATEs hold them, too. */
const COMMON: ReadonlySet<string> = new Set(["1000", "0005"]);

export function finder(canaries: readonly Canary[]): Finder {
  const needles = new Index(canaries.flatMap(needlesOf));
  const plain = canaries.map(({ text }) => text.replaceAll(/[^0-9A-Za-z]/g, ""));
  const spread = new Index(plain.flatMap((text) => distinctRuns(text, SPREAD_PIECE)));
  const codes = new Index(canaries.flatMap(({ text }) => distinctRuns(text, CODES_PIECE)));
  return {
    inBytes: (bytes) => needles.foundIn(bytes.toString("latin1")),
    acrossValues(values) {
      const text = values.map((value) => value.toString("latin1")).join(" ");
      return [...spread.foundIn(text.replaceAll(/[^0-9A-Za-z]/g, "")), ...codes.foundIn(decoded(text))];
    },
  };
}

/** Numbers that are codes of printable characters, as those characters. */
function decoded(text: string): string {
  const numbers = (text.match(/\d+/g) ?? []).map(Number);
  return numbers.map((number) => (number >= 32 && number < 127 ? String.fromCharCode(number) : "\0")).join("");
}

class Index {
  readonly #byKey = new Map<string, string[]>();

  constructor(needles: readonly string[]) {
    for (const needle of new Set(needles)) {
      const key = needle.slice(0, KEY);
      const own = this.#byKey.get(key);
      if (own === undefined) this.#byKey.set(key, [needle]);
      else own.push(needle);
    }
  }

  foundIn(text: string): readonly string[] {
    const found = new Set<string>();
    for (let at = 0; at + KEY <= text.length; at++) {
      const own = this.#byKey.get(text.slice(at, at + KEY));
      if (own === undefined) continue;
      for (const needle of own) if (text.startsWith(needle, at)) found.add(needle);
    }
    return [...found];
  }
}

function needlesOf({ text, piece, binary = [] }: Canary): readonly string[] {
  const plain = text.replaceAll(/[^0-9A-Za-z]/g, "");
  const pieces = new Set([...runs(plain, piece), ...piecesOf(text, piece)].filter((run) => !COMMON.has(run)));
  const dense = [plain, text].flatMap((whole) => runs(whole, Math.max(piece, BASE64_PIECE)));
  return [...[...pieces].flatMap(formsOf), ...dense.flatMap(base64Of), ...binary.flatMap(binaryForms)];
}

/** Runs with so many letters and digits, together with what stands between them. */
function piecesOf(text: string, length: number): readonly string[] {
  const places = [...text.matchAll(/[0-9A-Za-z]/g)].map(({ index }) => index);
  return places.slice(length - 1).map((end, at) => text.slice(places[at], end + 1));
}

/** Texts that stand for a run of characters. */
function formsOf(piece: string): readonly string[] {
  const bytes = [...Buffer.from(piece)];
  const hex = bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return [
    ...[piece, piece.toUpperCase(), piece.toLowerCase(), [...piece].reverse().join("")],
    ...[hex, hex.toUpperCase()],
    bytes.map((byte) => `\\u00${byte.toString(16)}`).join(""),
    bytes.map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join(""),
    ...[bytes.map((byte) => `&#${byte};`).join(""), bytes.map((byte) => `&#x${byte.toString(16)};`).join("")],
    bytes.map((byte) => `%${byte.toString(16)}`).join(""),
    [...piece].join("\0"),
  ];
}

/** The characters of base64 that this piece decides, whatever stands before and behind it. */
function base64Of(piece: string): readonly string[] {
  return [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), Buffer.from(piece)]).toString("base64");
    return text.slice(Math.ceil((before * 8) / 6), Math.floor(((before + piece.length) * 8) / 6));
  });
}

function binaryForms(bytes: Buffer): readonly string[] {
  const hex = bytes.toString("hex");
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return [bytes.toString("latin1"), hex, hex.toUpperCase(), bits];
}

function runs(text: string, length: number): readonly string[] {
  return Array.from({ length: Math.max(0, text.length - length + 1) }, (_, at) => text.slice(at, at + length));
}

function distinctRuns(text: string, length: number): readonly string[] {
  return runs(text, length).filter((run) => new Set(run).size >= SPREAD_DISTINCT);
}
