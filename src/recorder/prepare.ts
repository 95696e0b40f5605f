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

const NO_PARAMETERS: readonly (string | null)[] = [];

/** A function that prepares operations; remembers per operation what depends on it alone, and its last text. */
export function createPrepare(scrub: Scrub): (asked: Asked, quotedIn?: QuotedIn) => Prepared {
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
      };
      known.set(operation, about);
    }
    if (about.text !== text) {
      about.cut = scrubAndCut(text, (whole) => scrub(whole, quotedIn), RECORDED_TEXT_MAX);
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
