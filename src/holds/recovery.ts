/** What a former daemon left open: nothing of it is executed any more, and the record says what became of it. */
import type { AuditEvent } from "../model/event.ts";
import type { HoldStore } from "../store/holds.ts";
import { type HoldState, recordOf, rowOf } from "./record.ts";
import { eventOf } from "./words.ts";

/** By the state that was kept last. It was forwarded only after `running` had been kept. */
const AFTER: Readonly<Record<string, readonly [HoldState, string]>> = {
  waiting: ["denied", "the daemon ended while it waited"],
  approved: ["abandoned", "it was approved and not forwarded: the daemon ended before"],
};
const UNKNOWN: readonly [HoldState, string] = [
  "unknown",
  "the daemon ended after it was let go, and before the answer was known",
];

/** To be called before the first session. */
export async function recoverHolds(store: HoldStore, nowMs: number, emit: (event: AuditEvent) => void): Promise<void> {
  for (const row of await store.open()) {
    const [state, reason] = AFTER[row.state] ?? UNKNOWN;
    const ended = { ...recordOf(row), state, reason, endedMs: nowMs };
    await store.put(rowOf(ended));
    emit(eventOf(ended, nowMs));
  }
  await store.prune();
}
