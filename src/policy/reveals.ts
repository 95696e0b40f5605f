/**
 * Answers to `reveal` that are kept: of one session, or of all that a policy judges where its rules on `reveal` read nothing
 * of who asks. A session of one statement asks some forty times, and would pay for all of them.
 */
import { REVEALED_COLUMNS_MAX } from "../base/limits.ts";
import type { RuleName } from "../model/decision.ts";
import type { ColumnFacts, MaskStyle } from "../model/mask.ts";
import { REVEAL } from "./facts.ts";
import type { RuleIndex } from "./rule.ts";

export interface Revealed {
  readonly style: MaskStyle | undefined;
  readonly shadows: readonly { readonly rule: RuleName; readonly style: MaskStyle }[];
}

type Column = Pick<ColumnFacts, "schema" | "table" | "name" | "labels">;
/** By detector, of which there are few. */
type Answers = Map<string, Revealed>;

export class Reveals {
  readonly #kept = new Map<string, Answers>();
  /** Asked of last: a column is asked of with each detector in turn, and its key costs more than an answer that is kept. */
  #column: Column | undefined;
  #answers: Answers = new Map();

  of(column: Column, detector: string, find: () => Revealed): Revealed {
    if (column !== this.#column) {
      this.#column = column;
      this.#answers = this.#answersOf(column);
    }
    const kept = this.#answers.get(detector);
    if (kept !== undefined) return kept;
    const found = find();
    this.#answers.set(detector, found);
    return found;
  }

  #answersOf({ schema, table, name, labels }: Column): Answers {
    const key = JSON.stringify([schema, table, name, ...labels]);
    const kept = this.#kept.get(key);
    if (kept !== undefined) return kept;
    // A full cache starts anew: cheaper than order, and one answer costs microseconds.
    if (this.#kept.size >= REVEALED_COLUMNS_MAX) this.#kept.clear();
    const answers: Answers = new Map();
    this.#kept.set(key, answers);
    return answers;
  }
}

/** By what a policy was compiled to: another version has others. */
const shared = new WeakMap<RuleIndex, Reveals>();

/** For one session that the policy judges. Rules that read the time are not to be kept at all. */
export function revealsFor(index: RuleIndex): Reveals {
  const rules = index.get(REVEAL)?.rules ?? [];
  if (rules.some(({ condition }) => condition?.readsSubject === true)) return new Reveals();
  let reveals = shared.get(index);
  if (reveals === undefined) {
    reveals = new Reveals();
    shared.set(index, reveals);
  }
  return reveals;
}
