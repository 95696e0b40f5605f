/** Reproducible choices: the same seed, the same corpus. Knows nothing of SQL. */

export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 … below - 1. The generator is mulberry32. */
  below(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000) * below;
  }

  int(from: number, to: number): number {
    return from + Math.floor(this.below(to - from + 1));
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  pick<T>(list: readonly T[]): T {
    const item = list[Math.floor(this.below(list.length))];
    if (item === undefined) throw new Error("Cannot pick from an empty list");
    return item;
  }

  /** `count` of them at most, in order, without repeating. */
  some<T>(list: readonly T[], count: number): readonly T[] {
    const left = list.map((item, at) => ({ item, at }));
    const taken: { item: T; at: number }[] = [];
    while (taken.length < count && left.length > 0) {
      const [one] = left.splice(Math.floor(this.below(left.length)), 1);
      if (one !== undefined) taken.push(one);
    }
    return taken.sort((a, b) => a.at - b.at).map(({ item }) => item);
  }
}
