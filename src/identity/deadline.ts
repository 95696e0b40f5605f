/** A moment by two clocks: it has come as soon as either says so, so that a wall clock that is set back prolongs nothing. */

export interface Now {
  readonly nowMs: number;
  /** CLOCK_BOOTTIME in nanoseconds. */
  readonly bootNs: bigint;
}

export interface Deadline {
  readonly endsMs: number;
  readonly endsNs: bigint;
}

/** The clock since boot is read to a hundredth of a second: without this it could be the first of both by that. */
const TICK_NS = 10_000_000n;

export function deadlineAt(endsMs: number, { nowMs, bootNs }: Now): Deadline {
  return { endsMs, endsNs: bootNs + nsOf(Math.max(0, endsMs - nowMs)) + TICK_NS };
}

export function isPast({ endsMs, endsNs }: Deadline, { nowMs, bootNs }: Now): boolean {
  return nowMs >= endsMs || bootNs >= endsNs;
}

function nsOf(ms: number): bigint {
  return BigInt(Math.round(ms)) * 1_000_000n;
}
