/** How long to wait before the next try: twice as long each time, up to a maximum, and never for all at once. */
import { SINK_RETRY_AFTER_MAX_MS, SINK_RETRY_FIRST_MS, SINK_RETRY_MAX_MS } from "../base/limits.ts";

export interface BackOff {
  readonly firstMs: number;
  readonly maxMs: number;
}

export const USUAL: BackOff = { firstMs: SINK_RETRY_FIRST_MS, maxMs: SINK_RETRY_MAX_MS };

/** `failures` from 1; `askedMs` is what the receiver asked for; `random` in [0, 1). */
export function pauseMs({ firstMs, maxMs }: BackOff, failures: number, askedMs: number, random: number): number {
  const full = Math.min(maxMs, firstMs * 2 ** Math.min(failures - 1, 20));
  const own = full / 2 + (full / 2) * random;
  return Math.max(own, Math.min(askedMs, SINK_RETRY_AFTER_MAX_MS));
}
