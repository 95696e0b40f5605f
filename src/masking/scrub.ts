/** For recordings, reviewers and logs: whatever a detector finds becomes its name in brackets. Knows no policy. */
import type { QuotedIn, Span } from "../model/protocol.ts";
import { detect } from "./detectors.ts";
import { CARD_DIGITS_MIN } from "./numbers.ts";

/**
 * Every finding replaced by "[detector]". Scrubbing twice changes nothing more. `quotedIn`: the text is code beside these
 * parts. A finding that reaches over code takes its quoted parts only: else "BEGIN PRIVATE KEY" in a comment would hide
 * what is executed behind it.
 */
export function scrub(text: string, quotedIn?: QuotedIn): string {
  if (isBareNumber(text)) return text;
  let made = text;
  // Replacing can bring two halves next to each other in a way that is a finding of its own.
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const findings = detect(made);
    if (findings.length === 0) return made;
    const quoted = quotedIn?.(made);
    let next = "";
    let at = 0;
    let from = 0;
    for (const { detector, ...found } of findings) {
      while (quoted !== undefined && (quoted[from]?.end ?? found.start + 1) <= found.start) from++;
      for (const { start, end } of quoted === undefined ? [found] : hidden(found, quoted, from)) {
        next += `${made.slice(at, start)}[${detector}]`;
        at = end;
      }
    }
    made = next + made.slice(at);
  }
  return made;
}

/** One round nearly always finds all; each further one costs as much as the first. */
const ROUNDS_MAX = 4;

/** All of it where it lies in code or in one quoted part as a whole. The parts before `from` end before it. */
function hidden(found: Span, quoted: readonly Span[], from: number): readonly Span[] {
  const parts: Span[] = [];
  for (let at = from; (quoted[at]?.start ?? found.end) < found.end; at++) {
    const { start, end } = quoted[at] as Span;
    if (start <= found.start && found.end <= end) return [found];
    parts.push({ start: Math.max(start, found.start), end: Math.min(end, found.end) });
  }
  return parts.length === 0 ? [found] : parts;
}

/** Most parameters are. A card has twelve digits, and anything shorter needs something beside it (lone.ts). */
function isBareNumber(text: string): boolean {
  if (text.length >= CARD_DIGITS_MIN) return false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 0x30 || code > 0x39) return false;
  }
  return true;
}
