/** What the columns of a result depend on, by position; and what is known of cursors, whose results come later. */
import { fold } from "../analysis/labels.ts";
import { CLEAN, oneOf, type Taint } from "./taint.ts";

export type Outputs =
  /** However many there are, none depends on a label. */
  | { readonly kind: "clean" }
  | {
      readonly kind: "columns";
      readonly taints: readonly Taint[];
      /** Where it is not known at which places they stand: their names, undefined for what the server names by itself. */
      readonly names?: readonly (string | undefined)[];
    }
  /** How many there are cannot be said: each that the server gives no source may be anything. */
  | { readonly kind: "unknown" };

export const CLEAN_OUTPUTS: Outputs = Object.freeze({ kind: "clean" });
export const UNKNOWN_OUTPUTS: Outputs = Object.freeze({ kind: "unknown" });

/** Of a result with `count` columns; undefined: anything. `name`: as the server says, where it does. */
export function taintAt(outputs: Outputs, position: number, count: number, name?: string): Taint | undefined {
  if (outputs.kind === "clean") return CLEAN;
  if (outputs.kind === "unknown") return undefined;
  const { taints, names } = outputs;
  if (names === undefined) return taints.length === count ? taints[position] : undefined;
  if (name === undefined) return undefined;
  // A column's name is the statement's own word, or that of a column that it comes from.
  const own = fold(name);
  const found = taints.filter((_, at) => names[at] === undefined || fold(names[at]) === own);
  return found.length === 0 ? undefined : oneOf(found);
}

/** Of a result that is one of two. */
export function eitherOutputs(one: Outputs, other: Outputs): Outputs {
  if (one === other || other.kind === "clean") return one;
  if (one.kind === "clean") return other;
  if (one.kind === "unknown" || other.kind === "unknown" || one.taints.length !== other.taints.length) {
    return UNKNOWN_OUTPUTS;
  }
  if ((one.names === undefined) !== (other.names === undefined)) return UNKNOWN_OUTPUTS;
  if (one.names?.some((name, at) => name !== other.names?.[at])) return UNKNOWN_OUTPUTS;
  return { ...one, taints: one.taints.map((taint, at) => oneOf([taint, other.taints[at] ?? CLEAN])) };
}

/**
 * Cursors and portals by name. A name stands for all that a session ever gave it: whether a DECLARE worked,
 * or was rolled back, need not be known then.
 */
export class Cursors {
  readonly #byName = new Map<string, Outputs>();
  #doubts = 0;

  note(name: string, outputs: Outputs): void {
    const before = this.#byName.get(name);
    const noted = before === undefined ? outputs : eitherOutputs(before, outputs);
    if (before === undefined && this.#byName.size >= NAMES_MAX) return; // not known: anything
    this.#byName.set(name, noted);
  }

  /** Code that nobody has read may have opened any, of any name. Returns what takes that back: it did not run. */
  doubt(): () => void {
    this.#doubts++;
    return () => {
      this.#doubts--;
    };
  }

  /** A cursor that nobody declared here may be anything. */
  outputsOf(name: string): Outputs {
    return this.#doubts > 0 ? UNKNOWN_OUTPUTS : (this.#byName.get(name) ?? UNKNOWN_OUTPUTS);
  }
}

/** Names of cursors that a session may have; of more the columns are masked as if they could be anything. */
const NAMES_MAX = 10_000;
