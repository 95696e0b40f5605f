/**
 * Where a text holds what is not executed as it stands: the inner parts of strings, quoted names and comments, read as
 * PostgreSQL's scanner does with standard_conforming_strings. All the rest is code. Linear; never throws.
 */
import type { Span } from "../../../model/protocol.ts";

const NAME = /[A-Za-z_\u0080-\uffff][A-Za-z0-9_$\u0080-\uffff]*/y;
const DOLLAR_TAG = /\$(?:[A-Za-z_\u0080-\uffff][A-Za-z0-9_\u0080-\uffff]*)?\$/y;
/** A string goes on behind blanks with a line break among them, and behind comments to the end of a line. */
const CONTINUED = /[ \t\f\v]*(?:--[^\n\r]*)?[\n\r](?:[ \t\f\v\n\r]|--[^\n\r]*[\n\r])*'/y;

/** Ascending, not overlapping. What is not closed reaches to the end. */
export function quotedIn(text: string): readonly Span[] {
  const spans: Span[] = [];
  for (let at = 0; at < text.length; ) at = step(text, at, spans);
  return spans;
}

function step(text: string, at: number, spans: Span[]): number {
  const two = text.slice(at, at + 2);
  if (two === "--") return note(spans, at + 2, endOfLine(text, at), 0);
  if (two === "/*") return comment(text, at, spans);
  const first = two[0];
  if (first === "'") return string(text, at, spans, false);
  if (first === '"') return note(spans, at + 1, closing(text, at + 1, '"', false), 1);
  if (first === "$") {
    const tag = matchAt(DOLLAR_TAG, text, at);
    if (tag === "") return at + 1;
    const end = text.indexOf(tag, at + tag.length);
    return note(spans, at + tag.length, end < 0 ? text.length : end, tag.length);
  }
  const name = matchAt(NAME, text, at);
  if (name === "") return at + 1;
  const next = at + name.length;
  return /^e$/i.test(name) && text[next] === "'" ? string(text, next, spans, true) : next;
}

function string(text: string, at: number, spans: Span[], escapes: boolean): number {
  let next = at;
  for (;;) {
    next = note(spans, next + 1, closing(text, next + 1, "'", escapes), 1);
    const between = matchAt(CONTINUED, text, next);
    if (between === "") return next;
    next += between.length - 1;
  }
}

/** Of the closing quote; a doubled one is none. */
function closing(text: string, from: number, quote: string, escapes: boolean): number {
  for (let at = from; at < text.length; at++) {
    if (escapes && text[at] === "\\") at++;
    else if (text[at] === quote) {
      if (text[at + 1] !== quote) return at;
      at++;
    }
  }
  return text.length;
}

/** They nest. */
function comment(text: string, start: number, spans: Span[]): number {
  const mark = /\/\*|\*\//g;
  mark.lastIndex = start;
  let depth = 0;
  for (let found = mark.exec(text); found !== null; found = mark.exec(text)) {
    depth += found[0] === "/*" ? 1 : -1;
    if (depth === 0) return note(spans, start + 2, found.index, 2);
  }
  return note(spans, start + 2, text.length, 0);
}

function endOfLine(text: string, from: number): number {
  let at = from;
  while (at < text.length && text[at] !== "\n" && text[at] !== "\r") at++;
  return at;
}

/** Behind what closes it. */
function note(spans: Span[], start: number, end: number, closer: number): number {
  if (end > start) spans.push({ start, end });
  return Math.max(start, end + closer);
}

function matchAt(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? "";
}
