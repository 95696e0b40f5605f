/** Whom a rule asks as well, once an action has waited for so long: their groups join those that may answer. Knows no clock. */
import type { HoldRecord } from "./record.ts";

/** When the next of its rules asks further groups; undefined: none does. */
export function nextEscalationMs({ demands, openedMs }: Pick<HoldRecord, "demands" | "openedMs">): number | undefined {
  const times = demands.flatMap(({ escalate }) => (escalate === undefined ? [] : [openedMs + escalate.afterMs]));
  return times.length === 0 ? undefined : Math.min(...times);
}

/** As it is at that time, and the groups that have joined. */
export function escalatedAt(
  record: HoldRecord,
  nowMs: number,
): { readonly record: HoldRecord; readonly to: readonly string[] } {
  const joined: string[] = [];
  const demands = record.demands.map((demand) => {
    const { escalate, ...rest } = demand;
    if (escalate === undefined || record.openedMs + escalate.afterMs > nowMs) return demand;
    joined.push(...escalate.to);
    return { ...rest, approvers: [...new Set([...rest.approvers, ...escalate.to])] };
  });
  return { record: { ...record, demands }, to: [...new Set(joined)] };
}
