/** Events on their way to the journal: a bounded queue, so that whoever emits never waits. A full disk empties nothing. */
import { setImmediate as turn } from "node:timers/promises";
import { messageOf } from "../base/errors.ts";
import { EVENTS_WAIT_MS, JOURNAL_BATCH_MAX, JOURNAL_RETRY_MS } from "../base/limits.ts";
import type { AuditEvent } from "../model/event.ts";
import type { Journal } from "./journal.ts";

export interface JournalQueueParts {
  readonly journal: Journal;
  readonly rowsMax: number;
  /** There is more in the journal. */
  readonly appended: () => void;
  /** It cannot be written, told once until it can be again. */
  readonly failed: (error: unknown) => void;
}

export class JournalQueue {
  readonly #parts: JournalQueueParts;
  #waiting: AuditEvent[] = [];
  #timer: NodeJS.Timeout | undefined;
  #draining: Promise<void> | undefined;
  #failure: string | undefined;
  /** Events that found no room, since the start. */
  lost = 0;

  constructor(parts: JournalQueueParts) {
    this.#parts = parts;
  }

  get isFull(): boolean {
    return this.#waiting.length >= this.#parts.rowsMax;
  }

  /** Why it cannot be written now; undefined: it can. */
  get failure(): string | undefined {
    return this.#failure;
  }

  add(event: AuditEvent): void {
    if (this.isFull) {
      this.lost += 1;
      return;
    }
    this.#waiting.push(event);
    this.#timer ??= setTimeout(
      () => void this.#start(),
      this.#failure === undefined ? EVENTS_WAIT_MS : JOURNAL_RETRY_MS,
    );
    this.#timer.unref(); // whoever stops it in order calls flush
  }

  /** All that was added before is in the journal, or waits because that cannot be written. Never rejects. */
  async flush(): Promise<void> {
    await this.#draining;
    await this.#start();
  }

  /** Afterwards what could not be written is lost. */
  async close(): Promise<void> {
    await this.flush();
    clearTimeout(this.#timer);
    this.lost += this.#waiting.length;
    this.#waiting = [];
  }

  #start(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#draining ??= this.#drain().finally(() => {
      this.#draining = undefined;
    });
    return this.#draining;
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, JOURNAL_BATCH_MAX);
      try {
        this.#parts.journal.append(batch);
      } catch (error) {
        if (this.#failure === undefined) this.#parts.failed(error);
        this.#failure = messageOf(error);
        this.#timer ??= setTimeout(() => void this.#start(), JOURNAL_RETRY_MS).unref();
        return;
      }
      this.#failure = undefined;
      this.#waiting = this.#waiting.slice(batch.length);
      this.#parts.appended();
      if (this.#waiting.length > 0) await turn();
    }
  }
}
