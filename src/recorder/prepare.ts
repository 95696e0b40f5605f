/** What is stored of an operation: scrubbed first, then cut. Nothing reaches a file unscrubbed. */
import { RECORDED_MARGIN, RECORDED_TEXT_MAX } from "../base/limits.ts";
import type { Asked, Fact, Operation } from "../model/operation.ts";
import type { QuotedIn } from "../model/protocol.ts";
import { isStatement } from "./format.ts";
import { type PackedAction, Packer } from "./pack.ts";

/** Replaces what detectors find in a text; `quotedIn` of one that is code. Linear in its length; throws nothing. */
export type Scrub = (text: string, quotedIn?: QuotedIn) => string;

export interface Prepared extends PackedAction {
  /** Whether it counts as a statement. */
  readonly statement: boolean;
}

/** Whether numbers of up to nine digits can stand between these parts of a text, and `Scrub` never changes anything. */
export type StandAlone = (parts: readonly string[]) => boolean;

const NO_PARAMETERS: readonly (string | null)[] = [];

/**
 * A function that prepares operations; remembers per operation what depends on it alone, its last text, and what its
 * texts have in common, where nothing is ever found in any of them.
 */
export function createPrepare(
  scrub: Scrub,
  standAlone: StandAlone = () => false,
): (asked: Asked, quotedIn?: QuotedIn) => Prepared {
  const known = new WeakMap<Operation, Known>();

  return ({ operation, text, parameters, prepared }, quotedIn) => {
    let about = known.get(operation);
    if (about === undefined) {
      about = {
        packed: packOperation(operation, scrub),
        // What is forbidden has no actions, but is no housekeeping either.
        statement: isStatement(operation.actions) || operation.forbidden !== undefined,
        text: "",
        cut: { text: "", truncated: false },
        frame: undefined,
        frames: 0,
      };
      known.set(operation, about);
    }
    if (about.text !== text) {
      about.cut = isClean(about, text, standAlone)
        ? { text, truncated: false }
        : scrubAndCut(text, (whole) => scrub(whole, quotedIn), RECORDED_TEXT_MAX);
      about.text = text;
    }
    const values = parameters === undefined || parameters.length === 0 ? NONE : prepareParameters(parameters, scrub);
    return {
      text: about.cut.text,
      textTruncated: about.cut.truncated,
      parameters: values.parameters,
      parametersTruncated: values.truncated,
      prepared: prepared === true,
      operation: about.packed,
      statement: about.statement,
    };
  };
}

interface Known {
  readonly packed: Uint8Array;
  readonly statement: boolean;
  text: string;
  cut: Cut;
  /** What stands between the numbers of a text in which nothing is ever found. */
  frame: readonly string[] | undefined;
  /** That were looked for. */
  frames: number;
}

/** Looking for one costs as much as some ten searches; texts that have none do not get one later. */
const FRAMES_MAX = 4;
const SHORT_NUMBER = 9;
/** Beyond it digits have neighbours that are more than they seem. */
const ASCII = /^[\0-\x7f]*$/;

/** Whether nothing can be found in the text because it differs from one that was searched in short numbers only. */
function isClean(about: Known, text: string, standAlone: StandAlone): boolean {
  if (text.length > RECORDED_TEXT_MAX) return false;
  if (about.frame !== undefined && fills(about.frame, text)) return true;
  const isSecond = about.text !== ""; // most come once
  if (!isSecond || about.frames >= FRAMES_MAX) return false;
  about.frames++;
  const parts = text.split(/[0-9]+/);
  if (!ASCII.test(text) || !fills(parts, text) || !standAlone(parts)) return false;
  about.frame = parts;
  return true;
}

function fills(parts: readonly string[], text: string): boolean {
  let at = 0;
  for (let next = 0; next < parts.length; next++) {
    if (next > 0) {
      const start = at;
      while (isDigit(text.charCodeAt(at))) at++;
      if (at === start || at - start > SHORT_NUMBER) return false;
    }
    const part = parts[next] as string;
    if (!text.startsWith(part, at)) return false;
    at += part.length;
  }
  return at === text.length;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

interface Cut {
  readonly text: string;
  readonly truncated: boolean;
}

const NONE = { parameters: NO_PARAMETERS, truncated: false };

/**
 * At most `lengthMax` characters. A text that is longer than can be stored is cut before detectors run, so
 * that its length costs nothing; the margin that is dropped afterwards holds whatever that first cut split.
 */
export function scrubAndCut(text: string, scrub: Scrub, lengthMax: number): Cut {
  if (text.length <= lengthMax + RECORDED_MARGIN) {
    const scrubbed = scrub(text);
    return scrubbed.length <= lengthMax
      ? { text: scrubbed, truncated: false }
      : { text: scrubbed.slice(0, lengthMax), truncated: true };
  }
  const scrubbed = scrub(text.slice(0, lengthMax + RECORDED_MARGIN));
  return {
    text: scrubbed.slice(0, Math.max(0, Math.min(lengthMax, scrubbed.length - RECORDED_MARGIN))),
    truncated: true,
  };
}

/** All parameters of one operation together are held to the length of one text. */
function prepareParameters(values: readonly (string | null)[], scrub: Scrub): typeof NONE {
  const parameters: (string | null)[] = [];
  let room = RECORDED_TEXT_MAX;
  let truncated = false;
  for (const value of values) {
    if (room <= 0) {
      truncated = true;
      break;
    }
    if (value === null) {
      parameters.push(null);
      room -= 1;
      continue;
    }
    const cut = scrubAndCut(value, scrub, room);
    parameters.push(cut.text);
    truncated ||= cut.truncated;
    room -= cut.text.length + 1;
  }
  return { parameters, truncated };
}

function packOperation(operation: Operation, scrub: Scrub): Uint8Array {
  const packer = new Packer();
  packer.operation(
    operation.actions.map(({ name, facts }) => {
      const json = JSON.stringify(scrubFact(facts, scrub));
      const factsTruncated = json.length > RECORDED_TEXT_MAX;
      return { name, facts: factsTruncated ? "" : json, factsTruncated };
    }),
    operation.forbidden,
  );
  return Uint8Array.from(packer.view());
}

function scrubFact(fact: Fact, scrub: Scrub): Fact {
  if (typeof fact === "string") return scrub(fact);
  if (typeof fact !== "object") return fact;
  if (Array.isArray(fact)) return fact.map((item: Fact) => scrubFact(item, scrub));
  return Object.fromEntries(Object.entries(fact).map(([name, value]) => [name, scrubFact(value, scrub)]));
}
