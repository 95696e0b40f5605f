/**
 * Answers to `reveal` that are kept: of one session, or of all that a policy judges where its rules on `reveal` read nothing
 * of who asks. A session of one statement asks some forty times, and would pay for all of them.
 */
import { REVEALS_KEPT_MAX } from "../base/limits.ts";
import type { RuleName } from "../model/decision.ts";
import type { MaskStyle } from "../model/mask.ts";
import { REVEAL } from "./facts.ts";
import type { RuleIndex } from "./rule.ts";

export interface Revealed {
  readonly style: MaskStyle | undefined;
  readonly shadows: readonly { readonly rule: RuleName; readonly style: MaskStyle }[];
}

export class Reveals {
  readonly #kept = new Map<string, Revealed>();

  /** `key` names all that was asked of. */
  of(key: string, find: () => Revealed): Revealed {
    const kept = this.#kept.get(key);
    if (kept !== undefined) return kept;
    const found = find();
    // A full cache starts anew: cheaper than order, and one answer costs microseconds.
    if (this.#kept.size >= REVEALS_KEPT_MAX) this.#kept.clear();
    this.#kept.set(key, found);
    return found;
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
