/**
 * The audit trail: every event goes to the journal, whose lines are chained, and to the store, for the command line; sinks
 * take it from the journal. Delays nobody; what cannot be kept is counted, and the count is an event itself.
 */
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { EVENTS_QUEUED_MAX, EVENTS_WAIT_MS, OUTBOX_RESERVE_BYTES } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { AuditEvent } from "../model/event.ts";
import type { EventSettings, SinkStatus } from "../model/sink.ts";
import { createBatches } from "../store/batches.ts";
import type { EventStore } from "../store/events.ts";
import type { WriteBytes } from "../store/segment.ts";
import type { BackOff } from "./back-off.ts";
import { Journal, type Removed } from "./journal.ts";
import { JournalQueue } from "./journal-queue.ts";
import type { Head } from "./lines.ts";
import type { SinkWorld } from "./sink.ts";
import { Sinks } from "./sinks.ts";

export interface Audit {
  /** Never throws, never waits. */
  emit(event: AuditEvent): void;
  /** Whether a new operation may go on; else why not. Costs nothing: asked for every one. */
  accepting(): true | string;
  /** Since the start; an event that reached only one of the two places counts once. */
  readonly lost: number;
  /** Those that the journal has not, and never will. */
  readonly lostOfJournal: number;
  /** Why the journal cannot be written now; undefined: it can. */
  readonly failure: string | undefined;
  /** The newest line of the journal. */
  readonly head: Head;
  /** Reads what settings name, and changes nothing before the answer is called. Throws SINK_TLS, SINK_GROUP. */
  prepare(settings: EventSettings): () => void;
  sinks(): readonly SinkStatus[];
  /** Whole files with only lines below `seq`, of those that every sink has taken. */
  removeBefore(seq: number): Removed;
  /** Everything emitted before is kept, or counted as lost, or waits for a disk that takes nothing. */
  flush(): Promise<void>;
  /** Flushes and closes the files. */
  close(): Promise<void>;
}

export interface AuditOptions {
  readonly store: EventStore;
  readonly log: Log;
  readonly clock: Clock;
  /** Journal and cursors go into its folders `events` and `sinks`. */
  readonly stateDir: string;
  readonly world: SinkWorld;
  readonly queueMax?: number;
  readonly fileBytes?: number;
  readonly writeBytes?: WriteBytes;
  readonly backOff?: BackOff;
}

/** Opens the journal. Throws JOURNAL_DAMAGED, STORE_FOLDER_MODE, errno errors. */
export function createAudit(options: AuditOptions): Audit {
  const { store, log, clock, stateDir, world, fileBytes, writeBytes, backOff } = options;
  const rowsMax = options.queueMax ?? EVENTS_QUEUED_MAX;
  const dir = join(stateDir, "events");
  const journal = Journal.open({
    dir,
    ...(fileBytes === undefined ? {} : { fileBytes }),
    ...(writeBytes === undefined ? {} : { writeBytes }),
  });
  const sinks = new Sinks({
    ...{ journal, dir: join(stateDir, "sinks"), clock, log, world, emit },
    ...(backOff === undefined ? {} : { backOff }),
  });
  const queue = new JournalQueue({
    ...{ journal, rowsMax },
    appended: () => sinks.wake(),
    failed: (error) => log.error(`Cannot write audit events to ${dir}`, { error: messageOf(error) }),
  });
  const toStore = createBatches<AuditEvent>({
    rowsMax,
    waitMs: EVENTS_WAIT_MS,
    write: (batch) => store.append(batch),
    failed: (error, rows) =>
      log.error("Cannot write audit events to the store", { events: rows, error: messageOf(error) }),
  });
  /** Given up because the outbox is full and the settings let it grow no further. */
  let overflowed = 0;
  let reported = 0;

  function isOverfull(): boolean {
    const { bytesMax, whenFull } = sinks.outbox;
    return whenFull === "stop" && sinks.pendingBytes > bytesMax + Math.min(bytesMax, OUTBOX_RESERVE_BYTES);
  }

  function add(event: AuditEvent): void {
    toStore.add(event);
    if (isOverfull() && !event.kind.startsWith("evidence.")) overflowed += 1;
    else queue.add(event);
  }

  function lost(): number {
    return toStore.lost + queue.lost + overflowed;
  }

  /** As soon as there is room again, and at the latest with the next event. */
  function reportLost(): void {
    const total = lost();
    if (total === reported || toStore.waiting >= rowsMax || queue.isFull || isOverfull()) return;
    const message = `${total - reported} audit events could not be kept`;
    reported = total;
    const fields = { store: toStore.lost, journal: queue.lost + overflowed };
    add({ atMs: clock.nowMs(), kind: "events.lost", message, fields });
  }

  function emit(event: AuditEvent): void {
    reportLost();
    add(event);
  }

  async function flush(): Promise<void> {
    await Promise.all([toStore.flush(), queue.flush()]);
    reportLost();
    await Promise.all([toStore.flush(), queue.flush()]);
  }

  return {
    emit,
    accepting() {
      const { bytesMax, whenFull } = sinks.outbox;
      if (whenFull !== "stop") return true;
      if (queue.failure !== undefined) return "the audit trail cannot be written";
      return sinks.pendingBytes > bytesMax ? "too many audit events wait for their receivers" : true;
    },
    get lost() {
      return lost();
    },
    get lostOfJournal() {
      return queue.lost + overflowed;
    },
    get failure() {
      return queue.failure;
    },
    get head() {
      return journal.head;
    },
    prepare: (settings) => sinks.prepare(settings),
    sinks: () => sinks.status(),
    removeBefore: (seq) => journal.removeBefore(Math.min(seq, sinks.acknowledgedSeq + 1)),
    flush,
    async close() {
      await flush();
      await queue.close();
      if (lost() !== reported) log.error("Audit events were lost", { events: lost() - reported });
      sinks.close();
      journal.close();
    },
  };
}
