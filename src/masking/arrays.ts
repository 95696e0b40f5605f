/** PostgreSQL-style arrays of text: the text form `{a,"b c",NULL}` element by element, the binary form to look into. */
import type { Replace } from "./json.ts";

/** Nesting that PostgreSQL allows (MAXDIM). */
const DEPTH_MAX = 6;

/** The array with replacements (the same text where nothing was), or undefined where it cannot be parsed. */
export function replaceInArray(text: string, replace: Replace): string | undefined {
  // Bounds other than 1 are written in front: [0:2]={a,b,c}
  const bounds = /^(?:\[-?\d+:-?\d+\])+=/.exec(text)?.[0] ?? "";
  let made = bounds;
  let depth = 0;
  let at = bounds.length;
  if (text[at] !== "{") return undefined;
  while (at < text.length) {
    const character = text[at] ?? "";
    if (character === "{" || character === "}") {
      depth += character === "{" ? 1 : -1;
      if (depth < 0 || depth > DEPTH_MAX || (depth === 0 && at !== text.length - 1)) return undefined;
      made += character;
      at++;
    } else if (character === "," || character === " ") {
      made += character;
      at++;
    } else {
      const element = elementAt(text, at);
      if (element === undefined || depth === 0) return undefined;
      const written = text.slice(at, element.end);
      const replaced = written === "NULL" ? undefined : replace(element.value);
      made += replaced === undefined ? written : quote(replaced.text);
      at = element.end;
    }
  }
  return depth === 0 ? made : undefined;
}

function elementAt(text: string, start: number): { value: string; end: number } | undefined {
  const quoted = text[start] === '"';
  let value = "";
  for (let at = quoted ? start + 1 : start; at < text.length; at++) {
    const character = text[at] ?? "";
    if (character === "\\") value += text[++at] ?? "";
    else if (quoted ? character === '"' : /[,{}"]/.test(character)) {
      if (!quoted && character !== "," && character !== "}") return undefined;
      return { value, end: quoted ? at + 1 : at };
    } else value += character;
  }
  return undefined;
}

function quote(text: string | null): string {
  return text === null ? "NULL" : `"${text.replace(/["\\]/g, "\\$&")}"`;
}

/**
 * The elements of the binary form, as views, or undefined where it cannot be parsed.
 * Shape: dimensions int32 | has nulls int32 | element type int32 | per dimension: size int32, lower bound int32 |
 * per element: length int32 (-1 is NULL), bytes. Source: PostgreSQL, array_send in arrayfuncs.c.
 */
export function binaryElements(value: Uint8Array): Uint8Array[] | undefined {
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  if (value.length < 12) return undefined;
  const dimensions = view.getInt32(0);
  if (dimensions < 0 || dimensions > DEPTH_MAX) return undefined;
  let at = 12 + dimensions * 8;
  if (at > value.length) return undefined;
  const elements: Uint8Array[] = [];
  while (at < value.length) {
    if (at + 4 > value.length) return undefined;
    const length = view.getInt32(at);
    at += 4;
    if (length < -1 || at + Math.max(0, length) > value.length) return undefined;
    if (length >= 0) elements.push(value.subarray(at, at + length));
    at += Math.max(0, length);
  }
  return elements;
}
