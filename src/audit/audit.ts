/**
 * The audit trail: every event goes to the store, for the command line, and as one JSON line to a file,
 * for the SIEM. Delays nobody; what cannot be kept is counted, and the count is an event itself.
 */
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { EVENTS_QUEUED_MAX } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { AuditEvent } from "../model/event.ts";
import { type Batches, createBatches } from "../store/batches.ts";
import type { EventStore } from "../store/events.ts";
import { openSegment, type Segment, type WriteBytes } from "../store/segment.ts";

export interface Audit {
  /** Never throws, never waits. */
  emit(event: AuditEvent): void;
  /** Since the start; an event that reached only one of the two places counts once. */
  readonly lost: number;
  /** Everything emitted before is kept or counted as lost. */
  flush(): Promise<void>;
  /** Flushes and closes the file. */
  close(): Promise<void>;
}

export interface AuditOptions {
  readonly store: EventStore;
  readonly log: Log;
  readonly clock: Clock;
  /** `<state>/audit.jsonl`; made with mode 0600. */
  readonly file: string;
  readonly queueMax?: number;
  readonly writeBytes?: WriteBytes;
}

/** Opens the file. Throws errno errors. */
export function createAudit(options: AuditOptions): Audit {
  const { store, log, clock, file } = options;
  const rowsMax = options.queueMax ?? EVENTS_QUEUED_MAX;
  let sink: Segment = openSegment(file, "append", options.writeBytes);
  let reported = 0;

  const failed = (to: string) => (error: unknown, rows: number) =>
    log.error(`Cannot write audit events to ${to}`, { events: rows, error: messageOf(error) });

  const toStore = createBatches<AuditEvent>({
    rowsMax,
    write: (batch) => store.append(batch),
    failed: failed("the store"),
  });
  const toFile = createBatches<AuditEvent>({
    rowsMax,
    write: async (batch) => {
      if (sink.broken) {
        sink.close();
        sink = openSegment(file, "append", options.writeBytes);
      }
      sink.write(Buffer.from(batch.map((event) => `${JSON.stringify(event)}\n`).join("")));
    },
    failed: failed(file),
  });
  const queues: readonly Batches<AuditEvent>[] = [toStore, toFile];

  function add(event: AuditEvent): void {
    for (const queue of queues) queue.add(event);
  }

  function lost(): number {
    return toStore.lost + toFile.lost;
  }

  /** As soon as there is room again, and at the latest with the next event. */
  function reportLost(): void {
    const total = lost();
    if (total === reported || queues.some(({ waiting }) => waiting >= rowsMax)) return;
    add({
      atMs: clock.nowMs(),
      kind: "events.lost",
      message: `${total - reported} audit events could not be kept`,
      fields: { store: toStore.lost, file: toFile.lost },
    });
    reported = total;
  }

  async function flush(): Promise<void> {
    await Promise.all(queues.map((queue) => queue.flush()));
    reportLost();
    await Promise.all(queues.map((queue) => queue.flush()));
  }

  return {
    emit(event) {
      reportLost();
      add(event);
    },
    get lost() {
      return lost();
    },
    flush,
    async close() {
      await flush();
      sink.close();
    },
  };
}
