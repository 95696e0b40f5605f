/**
 * One sink's own way through the journal: reads, delivers, and remembers how far it came. At least once; a sink that
 * fails is tried again for ever and delays nobody. Knows no protocol.
 */
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { CURSOR_EVERY_MS, SINK_BATCH_BYTES, SINK_BATCH_EVENTS, SINK_REASON_MAX } from "../base/limits.ts";
import { type Log, Warnings } from "../base/log.ts";
import type { AuditEvent } from "../model/event.ts";
import type { SinkSettings, SinkStatus } from "../model/sink.ts";
import { type BackOff, pauseMs, USUAL } from "./back-off.ts";
import { chooser } from "./choose.ts";
import { type Cursor, writeCursor } from "./cursor.ts";
import { keepDeadLetters } from "./dead-letters.ts";
import type { Journal, Place } from "./journal.ts";
import { type Entry, placeWithin, Reader } from "./reader.ts";
import { Settling } from "./settling.ts";
import type { Message, Outcome, Sink } from "./sink.ts";

export interface PumpParts {
  readonly settings: SinkSettings;
  readonly sink: Sink;
  readonly journal: Journal;
  /** Of cursors and dead letters. */
  readonly dir: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly emit: (event: AuditEvent) => void;
  /** It came further. */
  readonly moved: () => void;
  /** The event as the sink wants it. */
  readonly format: (event: AuditEvent, seq: number, line: string) => string;
  readonly backOff?: BackOff;
}

/** A place, and the newest checkpoint up to it. */
interface Reached {
  readonly place: Place;
  readonly checkpoint: number;
}

export class Pump {
  readonly settings: SinkSettings;
  readonly #parts: PumpParts;
  readonly #reader: Reader;
  readonly #settling: Settling<Reached>;
  readonly #isChosen: (kind: string) => boolean;
  readonly #warnings: Warnings;
  readonly #stop = new AbortController();
  #acknowledged: Place;
  /** Taken, sent or given up so far. */
  #done: Place;
  #cursor: Cursor;
  #savedMs = 0;
  #isSaved = false;
  #checkpoint: number;
  #batchMax = SINK_BATCH_EVENTS;
  #failures = 0;
  /** By a clock that nobody sets back. */
  #resumeMs = 0;
  /** Of the oldest event that it has not delivered. */
  #oldestMs: number | undefined;
  #retried = 0;
  #lastError: SinkStatus["lastError"];
  /** What the log was told since it last took something. */
  #told: string | undefined;
  /** Another one: what a delivery under way will say does not count. */
  #generation = 0;
  #wake: () => void = () => {};

  constructor(parts: PumpParts, start: { readonly place: Place; readonly cursor: Cursor }) {
    this.#parts = parts;
    this.settings = parts.settings;
    this.#reader = new Reader(parts.journal, start.place);
    this.#acknowledged = start.place;
    this.#done = start.place;
    this.#cursor = start.cursor;
    this.#checkpoint = start.cursor.checkpoint;
    this.#settling = new Settling(parts.settings.kind === "syslog" ? parts.settings.resendBytes : 0);
    this.#isChosen = chooser(parts.settings.kinds);
    this.#warnings = new Warnings(parts.log);
    this.#save("now"); // where a new sink began must not move with the journal's end
    parts.sink.onBroken = (reason) => this.#broke(reason);
    void this.#run();
  }

  /** Events that are not acknowledged, on disk. */
  get pendingBytes(): number {
    return this.#parts.journal.bytesAfter(this.#acknowledged);
  }

  get acknowledgedSeq(): number {
    return this.#acknowledged.seq;
  }

  /** There is more in the journal. */
  wake(): void {
    this.#wake();
  }

  /** Gives up the oldest so that no more than `bytes` are left, and tells how many. */
  skipTo(bytes: number): void {
    const from = this.#acknowledged.seq + 1;
    const place = placeWithin(this.#parts.journal, bytes);
    if (place.seq < from) return;
    const count = place.seq - from + 1;
    this.#generation += 1;
    this.#settling.forget();
    this.#reader.seek(place);
    this.#acknowledged = place;
    this.#done = place;
    const { seq, hash } = place;
    this.#cursor = { ...this.#cursor, seq, hash, skipped: this.#cursor.skipped + count };
    this.#isSaved = false;
    this.#save("now");
    const { name } = this.settings;
    this.#parts.emit({
      atMs: this.#parts.clock.nowMs(),
      kind: "events.skipped",
      message: `${count} events were not delivered to ${name}: the outbox is full`,
      fields: { sink: name, events: count, fromSeq: from, toSeq: place.seq },
    });
    this.#wake();
  }

  status(): SinkStatus {
    const { journal, clock } = this.#parts;
    const { name, kind, format } = this.settings;
    const events = journal.head.seq - this.#done.seq;
    const ageMs = events === 0 || this.#oldestMs === undefined ? 0 : Math.max(0, clock.nowMs() - this.#oldestMs);
    const { delivered, deadLettered, skipped } = this.#cursor;
    const { seq, hash } = this.#acknowledged;
    return {
      ...{ name, kind, format, delivered, deadLettered, skipped, retried: this.#retried },
      state: this.#failures > 0 ? "failing" : events > 0 ? "behind" : "current",
      behind: { events, bytes: journal.bytesAfter(this.#done), ageMs },
      unsettled: this.#done.seq - seq,
      acknowledged: { seq, hash, checkpoint: this.#cursor.checkpoint },
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
    };
  }

  /** At once; what is under way is given up and begins anew with the next pump of this name. */
  close(): void {
    this.#stop.abort();
    this.#generation += 1;
    this.#wake();
    this.#parts.sink.close();
    this.#save("now");
  }

  /** A fault of ours or of the disk is one more reason to try again later. */
  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        await this.#step();
      } catch (error) {
        this.#failed(messageOf(error), undefined);
      }
    }
  }

  async #step(): Promise<void> {
    const waitMs = this.#resumeMs - performance.now();
    if (this.#failures > 0 && waitMs > 0) {
      this.#save("now");
      return this.#sleep(waitMs);
    }
    this.#settle();
    const entries = this.#reader.next(this.#batchMax, SINK_BATCH_BYTES);
    const [first] = entries;
    this.#oldestMs = first?.event?.atMs;
    if (first === undefined) {
      this.#save("now");
      const dueMs = this.#settling.dueMs;
      return this.#sleep(dueMs === undefined ? undefined : dueMs - this.#parts.clock.nowMs());
    }
    const generation = this.#generation;
    const batch = this.#messages(entries);
    const outcome = batch.length === 0 ? NOTHING : await this.#deliver(batch);
    if (generation === this.#generation) this.#heed(entries, batch, outcome);
  }

  async #deliver(batch: readonly Message[]): Promise<Outcome> {
    try {
      return await this.#parts.sink.deliver(batch, this.#stop.signal);
    } catch (error) {
      return { kind: "failed", reason: messageOf(error) };
    }
  }

  #messages(entries: readonly Entry[]): readonly Message[] {
    return entries.flatMap(({ event, place, text }) => {
      if (event === undefined || !this.#isChosen(event.kind)) return [];
      return [{ seq: place.seq, event, text: this.#parts.format(event, place.seq, text) }];
    });
  }

  #heed(entries: readonly Entry[], batch: readonly Message[], outcome: Outcome): void {
    switch (outcome.kind) {
      case "taken":
        if (outcome.rejected !== undefined) {
          const { count, reason } = outcome.rejected;
          this.#bury(batch, `${count} of ${batch.length} were rejected, without saying which: ${reason}`, count);
        }
        this.#advance(entries, batch.length - (outcome.rejected?.count ?? 0), "taken");
        return;
      case "sent":
        this.#advance(entries, batch.length, "sent");
        return;
      case "failed":
        this.#failed(outcome.reason, outcome.afterMs);
        return;
      case "refused": {
        this.#note(outcome.reason);
        if (batch.length > 1) {
          this.#batchMax = Math.max(1, Math.floor(entries.length / 2));
          this.#reader.seek(this.#acknowledged);
          return;
        }
        this.#bury(batch, outcome.reason);
        this.#advance(entries, 0, "taken");
        return;
      }
      default:
        outcome satisfies never;
    }
  }

  #advance(entries: readonly Entry[], delivered: number, how: "taken" | "sent"): void {
    const damaged = entries.flatMap(({ event, place, text }) =>
      event === undefined ? [{ seq: place.seq, text }] : [],
    );
    if (damaged.length > 0) this.#bury(damaged, "the line is damaged");
    const place = entries.at(-1)?.place ?? this.#done;
    const bytes = entries.reduce((sum, { text }) => sum + text.length, 0);
    this.#checkpoint = entries.findLast(({ event }) => event?.kind === CHECKPOINT)?.place.seq ?? this.#checkpoint;
    this.#done = place;
    this.#failures = 0;
    if (delivered > 0) this.#told = undefined;
    if (this.#batchMax < SINK_BATCH_EVENTS) this.#batchMax *= 2;
    this.#cursor = { ...this.#cursor, delivered: this.#cursor.delivered + delivered };
    const reached = { place, checkpoint: this.#checkpoint };
    if (how === "taken" && this.#settling.isEmpty) this.#acknowledge(reached);
    else this.#settling.add(reached, bytes, this.#parts.clock.nowMs());
    this.#settle();
  }

  #settle(): void {
    const reached = this.#settling.settled(this.#parts.clock.nowMs());
    if (reached !== undefined) this.#acknowledge(reached);
  }

  #acknowledge({ place, checkpoint }: Reached): void {
    this.#acknowledged = place;
    this.#cursor = { ...this.#cursor, seq: place.seq, hash: place.hash, checkpoint };
    this.#isSaved = false;
    this.#save("later");
    this.#parts.moved();
  }

  #broke(reason: string): void {
    if (this.#stop.signal.aborted) return;
    this.#generation += 1;
    this.#failed(reason, undefined);
    this.#wake();
  }

  /** From the last that is acknowledged on, after a pause. */
  #failed(reason: string, afterMs: number | undefined): void {
    this.#note(reason);
    this.#retried += 1;
    this.#failures += 1;
    this.#settling.forget();
    this.#done = this.#acknowledged;
    this.#checkpoint = this.#cursor.checkpoint;
    this.#reader.seek(this.#acknowledged);
    const { backOff = USUAL } = this.#parts;
    this.#resumeMs = performance.now() + pauseMs(backOff, this.#failures, afterMs ?? 0, Math.random());
  }

  #note(message: string): void {
    // A receiver that refuses each event for the same reason is one line of the log until it takes one, not one for each.
    const isNews = this.#failures === 0 && this.#told !== message;
    this.#told = message;
    this.#lastError = { atMs: this.#parts.clock.nowMs(), message: message.slice(0, SINK_REASON_MAX) };
    if (isNews) this.#parts.log.warn(`The sink ${this.settings.name} does not take events`, { message });
  }

  #bury(
    letters: readonly { readonly seq: number; readonly text: string }[],
    reason: string,
    count = letters.length,
  ): void {
    this.#cursor = { ...this.#cursor, deadLettered: this.#cursor.deadLettered + count };
    try {
      keepDeadLetters(
        this.#parts.dir,
        this.settings.name,
        letters,
        reason.slice(0, SINK_REASON_MAX),
        this.#parts.clock.nowMs(),
      );
    } catch (error) {
      this.#warnings.tell(`Cannot keep what the sink ${this.settings.name} refused`, error);
    }
  }

  /** "later": so often as files should be replaced. */
  #save(when: "now" | "later"): void {
    const nowMs = this.#parts.clock.nowMs();
    if (this.#isSaved || (when === "later" && Math.abs(nowMs - this.#savedMs) < CURSOR_EVERY_MS)) return;
    try {
      writeCursor(this.#parts.dir, this.settings.name, this.#cursor);
      this.#isSaved = true;
      this.#savedMs = nowMs;
    } catch (error) {
      this.#warnings.tell(`Cannot write the cursor of the sink ${this.settings.name}`, error); // more is sent again
    }
  }

  /** Until it is woken, or so long. */
  #sleep(ms: number | undefined): Promise<void> {
    return new Promise((resolve) => {
      const timer = ms === undefined ? undefined : setTimeout(() => this.#wake(), Math.max(1, ms)).unref();
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = () => {};
        resolve();
      };
      if (this.#stop.signal.aborted) this.#wake();
    });
  }
}

const NOTHING: Outcome = { kind: "taken" };
const CHECKPOINT = "evidence.checkpoint";
