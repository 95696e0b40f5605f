/** Whether one more action may wait: all of them lie in memory until somebody answers. */
import { HOLD_BYTES_MAX, HOLDS_BYTES_MAX, HOLDS_MAX, HOLDS_PER_AGENT_MAX } from "../base/limits.ts";

interface Waiting {
  readonly record: { readonly agent: string };
  readonly bytes: number;
}

/** Why it may not; undefined: it may. */
export function fullFor(waiting: readonly Waiting[], agent: string, bytes: number): string | undefined {
  if (bytes > HOLD_BYTES_MAX) return `it has more than ${HOLD_BYTES_MAX} bytes`;
  const own = waiting.filter(({ record }) => record.agent === agent).length;
  if (own >= HOLDS_PER_AGENT_MAX) return `${own} actions of this agent wait for approval already; try again later`;
  if (waiting.length >= HOLDS_MAX) return `${HOLDS_MAX} actions wait for approval already; try again later`;
  const held = waiting.reduce((sum, one) => sum + one.bytes, bytes);
  return held > HOLDS_BYTES_MAX ? "too many bytes wait for approval already; try again later" : undefined;
}
