/**
 * Conditions as formulas over what depends on the row, and whether one is true whatever the row. Columns count as
 * never NULL, and what is the same for all rows without being known counts as whatever suits the writer.
 */

/** Values that a formula may have at once. */
export const TRUE = 1;
export const FALSE = 2;
export const NULL = 4;
const UNKNOWN = TRUE | FALSE | NULL;

/** Outcomes of a comparison that make it true, together. */
export const LESS = 1;
export const EQUAL = 2;
export const GREATER = 4;

export type Formula =
  | { readonly kind: "known"; readonly value: typeof TRUE | typeof FALSE | typeof NULL }
  /** The same for all rows. */
  | { readonly kind: "free" }
  /** `shape`, here and below: the same for others that differ in literals only. */
  | { readonly kind: "atom"; readonly key: string; readonly shape: string }
  | {
      readonly kind: "compare";
      readonly subject: string;
      readonly shape: string;
      readonly outcomes: number;
      readonly bound: Bound;
    }
  | { readonly kind: "not"; readonly of: Formula }
  | { readonly kind: "all" | "any"; readonly of: readonly Formula[] }
  /** IS TRUE, IS FALSE, IS UNKNOWN. */
  | { readonly kind: "is"; readonly of: Formula; readonly value: number }
  /** Two booleans compared: false is less than true. */
  | { readonly kind: "order"; readonly left: Formula; readonly right: Formula; readonly outcomes: number }
  /** COALESCE. */
  | { readonly kind: "first"; readonly of: readonly Formula[] }
  | { readonly kind: "case"; readonly branches: readonly Branch[]; readonly otherwise: Formula };

export interface Branch {
  readonly when: Formula;
  readonly result: Formula;
}

/** What a subject is compared with: a number, or something that is only equal to itself. */
export type Bound =
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "symbol"; readonly key: string; readonly isLiteral: boolean };

export const known = (value: boolean | null): Formula => ({
  kind: "known",
  value: value === null ? NULL : value ? TRUE : FALSE,
});
export const FREE: Formula = { kind: "free" };
export const not = (of: Formula): Formula => ({ kind: "not", of });
export const all = (of: readonly Formula[]): Formula => ({ kind: "all", of });
export const any = (of: readonly Formula[]): Formula => ({ kind: "any", of });

export interface Always {
  readonly always: boolean;
  /** Other literals could bring another answer. */
  readonly literalsMatter: boolean;
}

/** Steps of evaluation; beyond them a condition counts as true for all, which is the safe side. */
const STEPS_MAX = 500_000;

/** One thing that the row decides: an atom, or where a subject lies among its bounds. */
interface Variable {
  readonly choices: number;
  /** Choices from here on need bounds that other literals may not leave room for. */
  readonly free: number;
  choice: number;
}

export function isAlwaysTrue(formula: Formula): Always {
  const world = new World(formula);
  let steps = 0;
  const { variables } = world;
  const holds = () => {
    steps += world.size;
    return (world.evaluate(formula) & TRUE) !== 0;
  };
  const literalFree = () => !world.hasOddTwins() && variables.every(({ choice, free }) => choice < free);
  // First what most conditions fall by: nothing is so, then one thing after the other.
  if (!holds()) return { always: false, literalsMatter: !literalFree() };
  for (const variable of variables) {
    for (variable.choice = 1; variable.choice < variable.choices && steps < STEPS_MAX; variable.choice++) {
      if (!holds()) return { always: false, literalsMatter: !literalFree() };
    }
    variable.choice = 0;
  }
  while (steps < STEPS_MAX) {
    const isOver = !advance(variables);
    if (isOver) return { always: true, literalsMatter: true };
    if (world.isPossible() && !holds()) return { always: false, literalsMatter: true };
  }
  return { always: true, literalsMatter: true };
}

/** The next combination of choices; false after the last. */
function advance(variables: readonly Variable[]): boolean {
  for (const variable of variables) {
    if (++variable.choice < variable.choices) return true;
    variable.choice = 0;
  }
  return false;
}

interface Subject {
  readonly shape: string;
  readonly numbers: Set<number>;
  readonly symbols: Map<string, { readonly isLiteral: boolean }>;
}

class World {
  readonly variables: Variable[] = [];
  /** Nodes of the formula. */
  size = 0;
  readonly #atoms = new Map<string, Variable>();
  readonly #twins = new Map<string, Variable[]>();
  readonly #subjects = new Map<string, Subject>();
  /** Comparisons by the shape of their subject. */
  readonly #comparisons = new Map<string, number>();
  readonly #places = new Map<string, Variable>();
  readonly #literals = new Map<string, Variable[]>();
  readonly #ranks = new Map<string, ReadonlyMap<number, number>>();

  constructor(formula: Formula) {
    this.#collect(formula);
    for (const [name, { shape, numbers, symbols }] of this.#subjects) {
      const sorted = [...numbers].sort((a, b) => a - b);
      // Whatever the literals, some row is below, at and above one bound, and some row is below all of several.
      const free = this.#comparisons.get(shape) === 1 ? 3 : 1;
      if (sorted.length > 0) {
        // Choice 0 lies below all bounds; then each bound and what follows it in turn.
        const place = this.#variable(2 * sorted.length + 1, free);
        this.#places.set(name, place);
        this.#ranks.set(name, new Map(sorted.map((value, at) => [value, at])));
      }
      for (const [key, { isLiteral }] of symbols) {
        const place = this.#variable(3, free);
        this.#places.set(`${name} ${key}`, place);
        if (isLiteral) pushed(this.#literals, name, place);
      }
    }
  }

  #variable(choices: number, free: number): Variable {
    const variable = { choices, free, choice: 0 };
    this.variables.push(variable);
    return variable;
  }

  #collect(formula: Formula): void {
    this.size++;
    switch (formula.kind) {
      case "known":
      case "free":
        return;
      case "atom": {
        const { key, shape } = formula;
        if (this.#atoms.has(key)) return;
        const variable = this.#variable(2, 2);
        this.#atoms.set(key, variable);
        pushed(this.#twins, shape, variable);
        return;
      }
      case "compare": {
        const { subject, shape, bound } = formula;
        const own: Subject = this.#subjects.get(subject) ?? { shape, numbers: new Set(), symbols: new Map() };
        this.#subjects.set(subject, own);
        this.#comparisons.set(shape, (this.#comparisons.get(shape) ?? 0) + 1);
        if (bound.kind === "number") own.numbers.add(bound.value);
        else own.symbols.set(bound.key, { isLiteral: bound.isLiteral });
        return;
      }
      case "not":
      case "is":
        this.#collect(formula.of);
        return;
      case "all":
      case "any":
      case "first":
        for (const part of formula.of) this.#collect(part);
        return;
      case "order":
        this.#collect(formula.left);
        this.#collect(formula.right);
        return;
      case "case":
        for (const { when, result } of formula.branches) {
          this.#collect(when);
          this.#collect(result);
        }
        this.#collect(formula.otherwise);
        return;
      default:
        formula satisfies never;
    }
  }

  /** Whether two atoms that other literals could make one have different values now. */
  hasOddTwins(): boolean {
    for (const twins of this.#twins.values()) {
      if (twins.some(({ choice }) => choice !== twins[0]?.choice)) return true;
    }
    return false;
  }

  /** One value cannot equal two different literals. */
  isPossible(): boolean {
    for (const places of this.#literals.values()) {
      if (places.filter(({ choice }) => choice === 1).length > 1) return false;
    }
    return true;
  }

  /** Every value that the formula may have under the present choices. */
  evaluate(formula: Formula): number {
    switch (formula.kind) {
      case "known":
        return formula.value;
      case "free":
        return UNKNOWN;
      case "atom":
        return this.#atoms.get(formula.key)?.choice === 1 ? TRUE : FALSE;
      case "compare":
        return (this.#outcome(formula.subject, formula.bound) & formula.outcomes) === 0 ? FALSE : TRUE;
      case "not":
        return negated(this.evaluate(formula.of));
      case "all": {
        let value = TRUE;
        for (const part of formula.of) value = both(value, this.evaluate(part));
        return value;
      }
      case "any": {
        let value = TRUE;
        for (const part of formula.of) value = both(value, negated(this.evaluate(part)));
        return negated(value);
      }
      case "is": {
        const value = this.evaluate(formula.of);
        return ((value & formula.value) !== 0 ? TRUE : 0) | ((value & ~formula.value) !== 0 ? FALSE : 0);
      }
      case "order":
        return ordered(this.evaluate(formula.left), this.evaluate(formula.right), formula.outcomes);
      case "first": {
        let value = 0;
        for (const part of formula.of) {
          const own = this.evaluate(part);
          value |= own & ~NULL;
          if ((own & NULL) === 0) return value;
        }
        return value | NULL;
      }
      case "case": {
        let value = 0;
        for (const { when, result } of formula.branches) {
          const taken = this.evaluate(when);
          if ((taken & TRUE) !== 0) value |= this.evaluate(result);
          if ((taken & ~TRUE) === 0) return value;
        }
        return value | this.evaluate(formula.otherwise);
      }
      default:
        return formula satisfies never;
    }
  }

  #outcome(subject: string, bound: Bound): number {
    if (bound.kind === "symbol") {
      const choice = this.#places.get(`${subject} ${bound.key}`)?.choice ?? 0;
      return choice === 0 ? LESS : choice === 1 ? EQUAL : GREATER;
    }
    const choice = this.#places.get(subject)?.choice ?? 0;
    const own = 2 * (this.#ranks.get(subject)?.get(bound.value) ?? 0) + 1;
    return choice < own ? LESS : choice === own ? EQUAL : GREATER;
  }
}

function pushed<T>(lists: Map<string, T[]>, key: string, item: T): void {
  const own = lists.get(key);
  if (own === undefined) lists.set(key, [item]);
  else own.push(item);
}

function negated(value: number): number {
  return (value & NULL) | ((value & TRUE) !== 0 ? FALSE : 0) | ((value & FALSE) !== 0 ? TRUE : 0);
}

/** AND of what two parts may be. */
function both(left: number, right: number): number {
  const isTrue = (left & right & TRUE) !== 0;
  const isFalse = ((left | right) & FALSE) !== 0;
  const isNull = (left & ~FALSE) !== 0 && (right & ~FALSE) !== 0 && ((left | right) & NULL) !== 0;
  return (isTrue ? TRUE : 0) | (isFalse ? FALSE : 0) | (isNull ? NULL : 0);
}

function ordered(left: number, right: number, outcomes: number): number {
  let value = ((left | right) & NULL) !== 0 ? NULL : 0;
  for (const a of [FALSE, TRUE]) {
    for (const b of [FALSE, TRUE]) {
      if ((left & a) === 0 || (right & b) === 0) continue;
      const outcome = a === b ? EQUAL : a === FALSE ? LESS : GREATER;
      value |= (outcome & outcomes) === 0 ? FALSE : TRUE;
    }
  }
  return value;
}
