/** What every sink is: it takes batches, in order, and says what came of each. */
import type { AuditEvent } from "../model/event.ts";
import type { SecretRef } from "../model/sink.ts";

/** One event as it is handed over. */
export interface Message {
  readonly seq: number;
  readonly event: AuditEvent;
  /** One JSON object in the sink's format, without line break. */
  readonly text: string;
}

export type Outcome =
  /** The receiver has it. `rejected`: so many of them it will not keep, and does not say which. */
  | { readonly kind: "taken"; readonly rejected?: { readonly count: number; readonly reason: string } }
  /** It is on its way over a connection that gives no answer; should that break, what is not settled is sent again. */
  | { readonly kind: "sent" }
  | { readonly kind: "failed"; readonly reason: string; readonly afterMs?: number }
  /** For good: more tries would not help. */
  | { readonly kind: "refused"; readonly reason: string };

export interface Sink {
  /** Rejects for faults of ours only; counts as failed. Called again only after it has ended. */
  deliver(batch: readonly Message[], signal: AbortSignal): Promise<Outcome>;
  /** A connection over which something was "sent" has ended. */
  onBroken?: (reason: string) => void;
  close(): void;
}

/** What sinks need of the world. */
export interface SinkWorld {
  readonly readSecret: (reference: SecretRef) => Promise<Buffer>;
  readonly nowMs: () => number;
  /** Of this host, for receivers that collect from many. */
  readonly hostName: string;
  readonly version: string;
}
