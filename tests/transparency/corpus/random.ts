/** Chance that repeats: the same seed, the same choices. */
export type Random = () => number;

/** mulberry32: 32 bits of state, good enough to choose from lists. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** 0 to below `limit`. */
export function int(random: Random, limit: number): number {
  return Math.floor(random() * limit);
}

export function some<T>(random: Random, choices: readonly T[]): T {
  const choice = choices[int(random, choices.length)];
  if (choice === undefined) throw new Error("Cannot choose from nothing");
  return choice;
}
