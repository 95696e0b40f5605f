/** Medians and percentiles. */

/** Null of nothing. */
export function median(values: readonly number[]): number | null {
  const sorted = [...values].sort((one, other) => one - other);
  const [low, high] = [at(sorted, 0.5), at(sorted.toReversed(), 0.5)];
  return low === null || high === null ? null : (low + high) / 2;
}

/** Of what is sorted, upwards. */
export function at(sorted: readonly number[], share: number): number | null {
  return sorted[Math.floor((sorted.length - 1) * share)] ?? null;
}
