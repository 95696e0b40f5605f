/**
 * Numbers that are counted where work is done: an `add` or `observe` costs some ten nanoseconds and allocates nothing.
 * Every label has a maximum of values; what comes beyond is counted under "other". Knows no metric and no text format.
 *
 * Our own and not prom-client: there one observe costs 250 to 400 ns, here 10, and a statement has seven of them.
 */
import { METRIC_LABEL_VALUES_MAX } from "../base/limits.ts";

export class Counter {
  value = 0;

  add(amount = 1): void {
    this.value += amount;
  }
}

/** Buckets with fixed upper bounds, ascending; what is above the last one is in `observed` alone. */
export class Histogram {
  readonly bounds: readonly number[];
  /** Of each bucket by itself, one more than there are bounds. */
  readonly #counts: Float64Array;
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number, times = 1): void {
    const { bounds } = this;
    let at = 0;
    while (at < bounds.length && value > (bounds[at] ?? 0)) at++;
    this.#counts[at] = (this.#counts[at] ?? 0) + times;
    this.sum += value * times;
  }

  /** How many were at or below each bound; last, how many there were. */
  cumulative(): readonly number[] {
    let sum = 0;
    return Array.from(this.#counts, (count) => {
      sum += count;
      return sum;
    });
  }
}

/** One metric with labels: an instrument for each combination of their values. */
export class Family<Instrument> {
  readonly #make: () => Instrument;
  readonly #known: readonly Set<string>[];
  readonly #children = new Map<string, { readonly values: readonly string[]; readonly instrument: Instrument }>();

  constructor(labels: number, make: () => Instrument) {
    this.#make = make;
    this.#known = Array.from({ length: labels }, () => new Set<string>());
  }

  /** The same one for the same values, in the order of the labels. Whoever counts often keeps it. */
  of(...values: readonly string[]): Instrument {
    return this.#children.get(keyOf(values))?.instrument ?? this.#bounded(values);
  }

  #bounded(values: readonly string[]): Instrument {
    const bounded = this.#known.map((known, at) => boundedValue(known, values[at] ?? ""));
    const key = keyOf(bounded);
    const found = this.#children.get(key);
    if (found !== undefined) return found.instrument;
    const instrument = this.#make();
    this.#children.set(key, { values: bounded, instrument });
    return instrument;
  }

  /** In the order in which they were first used. */
  *[Symbol.iterator](): Generator<readonly [values: readonly string[], instrument: Instrument]> {
    for (const { values, instrument } of this.#children.values()) yield [values, instrument];
  }
}

/** What stands for all values beyond the maximum of a label. */
export const OTHER = "other";

/** No name has a NUL in it. */
function keyOf(values: readonly string[]): string {
  return values.length === 1 ? (values[0] ?? "") : values.join("\0");
}

function boundedValue(known: Set<string>, value: string): string {
  if (known.has(value)) return value;
  if (known.size >= METRIC_LABEL_VALUES_MAX) return OTHER;
  known.add(value);
  return value;
}
