/** What the columns of a result depend on, by position; and what is known of cursors, whose results come later. */
import { CLEAN, oneOf, type Taint } from "./taint.ts";

export type Outputs =
  /** However many there are, none depends on a label. */
  | { readonly kind: "clean" }
  | { readonly kind: "columns"; readonly taints: readonly Taint[] }
  /** How many there are cannot be said: each that the server gives no source may be anything. */
  | { readonly kind: "unknown" };

export const CLEAN_OUTPUTS: Outputs = Object.freeze({ kind: "clean" });
export const UNKNOWN_OUTPUTS: Outputs = Object.freeze({ kind: "unknown" });

/** Of a result with `count` columns; undefined: anything. */
export function taintAt(outputs: Outputs, position: number, count: number): Taint | undefined {
  if (outputs.kind === "clean") return CLEAN;
  return outputs.kind === "columns" && outputs.taints.length === count ? outputs.taints[position] : undefined;
}

/** Of a result that is one of two. */
export function eitherOutputs(one: Outputs, other: Outputs): Outputs {
  if (one === other || other.kind === "clean") return one;
  if (one.kind === "clean") return other;
  if (one.kind === "unknown" || other.kind === "unknown" || one.taints.length !== other.taints.length) {
    return UNKNOWN_OUTPUTS;
  }
  return { kind: "columns", taints: one.taints.map((taint, at) => oneOf([taint, other.taints[at] ?? CLEAN])) };
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
