/** One target and what waits for it: each message is tried until it was taken, or is no news any more. Delays nobody. */
import { setTimeout as wait } from "node:timers/promises";
import { type BackOff, pauseMs, USUAL } from "../audit/back-off.ts";
import type { Outcome } from "../audit/sink.ts";
import type { Clock } from "../base/clock.ts";
import { NOTIFY_KEPT_MS, NOTIFY_QUEUED_MAX, NOTIFY_TOLD_MS, SINK_REASON_MAX } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { AuditEvent, EventFields } from "../model/event.ts";
import { type NotifyStatus, type NotifyTarget, takesAnswers } from "../model/notify.ts";
import { type Message, Waiting } from "./waiting.ts";

export interface OutboxParts {
  readonly target: NotifyTarget;
  readonly deliver: (message: Message, signal: AbortSignal) => Promise<Outcome>;
  /** Whether that action waits for an answer: what tells that one does is no news once it does not. */
  readonly isWaiting: (hold: string) => boolean;
  readonly clock: Clock;
  readonly log: Log;
  readonly emit: (event: AuditEvent) => void;
  readonly backOff?: BackOff;
}

export class Outbox {
  readonly #parts: OutboxParts;
  readonly #stop = new AbortController();
  readonly #queue = new Waiting();
  #isRunning = false;
  /** In a row. */
  #failures = 0;
  /** It was told that it takes nothing, and it has taken nothing since. */
  #isFailing = false;
  #sent = 0;
  #retried = 0;
  #lost = 0;
  /** Of these, those that no event has told. */
  #untold = 0;
  #toldMs = Number.NEGATIVE_INFINITY;
  #lastError: NotifyStatus["lastError"];

  constructor(parts: OutboxParts) {
    this.#parts = parts;
  }

  get target(): NotifyTarget {
    return this.#parts.target;
  }

  push(message: Message): void {
    if (!this.#queue.add(message)) this.#lose(`${NOTIFY_QUEUED_MAX} messages wait for it already`);
    if (!this.#isRunning) void this.#run();
  }

  status(): NotifyStatus {
    const { name, kind } = this.target;
    return {
      ...{ name, kind, state: this.#isFailing ? "failing" : "current" },
      takesAnswers: takesAnswers(this.target),
      ...{ queued: this.#queue.length, sent: this.#sent, retried: this.#retried, lost: this.#lost },
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
    };
  }

  /** Tells what was lost, at most once in NOTIFY_TOLD_MS. To be called once a second. */
  tend(): void {
    const nowMs = this.#parts.clock.nowMs();
    if (this.#untold === 0 || Math.abs(nowMs - this.#toldMs) < NOTIFY_TOLD_MS) return;
    const messages = this.#untold;
    this.#untold = 0;
    this.#toldMs = nowMs;
    const reason = this.#lastError?.message ?? "";
    this.#say("notify.lost", `${messages} messages to ${this.target.name} were given up: ${reason}`, {
      messages,
      reason,
    });
  }

  /** What waits is handed over. */
  close(): readonly Message[] {
    this.#stop.abort();
    return this.#queue.all();
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    this.#isRunning = true;
    const { signal } = this.#stop;
    for (let next = this.#queue.next(); next !== undefined && !signal.aborted; next = this.#queue.next()) {
      if (this.#isNews(next)) await this.#try(next, signal);
      else this.#queue.done();
    }
    this.#isRunning = false;
  }

  async #try(message: Message, signal: AbortSignal): Promise<void> {
    const outcome = await this.#parts.deliver(message, signal);
    if (signal.aborted) return;
    switch (outcome.kind) {
      case "taken":
      case "sent":
        this.#failures = 0;
        this.#isFailing = false;
        this.#sent += 1;
        this.#queue.done();
        return;
      case "refused":
        this.#note(outcome.reason);
        this.#lose(outcome.reason);
        this.#queue.done();
        return;
      case "failed": {
        this.#note(outcome.reason);
        this.#failures += 1;
        this.#retried += 1;
        const { backOff = USUAL } = this.#parts;
        const ms = pauseMs(backOff, this.#failures, outcome.afterMs ?? 0, Math.random());
        await wait(ms, undefined, { signal, ref: false }).catch(() => {}); // stopped: the loop sees that
        return;
      }
      default:
        outcome satisfies never;
    }
  }

  #isNews({ notice, queuedMs }: Message): boolean {
    const { clock, isWaiting } = this.#parts;
    if (notice.type === "notice.held") return isWaiting(notice.data.hold);
    if (Math.abs(clock.nowMs() - queuedMs) < NOTIFY_KEPT_MS) return true;
    this.#lose("they could not be delivered in time");
    return false;
  }

  #lose(reason: string): void {
    this.#lost += 1;
    this.#untold += 1;
    this.#lastError ??= { atMs: this.#parts.clock.nowMs(), message: reason };
  }

  /** One event for a receiver that fails, until it takes something again. */
  #note(reason: string): void {
    const message = reason.slice(0, SINK_REASON_MAX);
    this.#lastError = { atMs: this.#parts.clock.nowMs(), message };
    if (this.#isFailing) return;
    this.#isFailing = true;
    this.#parts.log.warn(`${this.target.name} does not take messages about held actions`, { message });
    this.#say("notify.failed", `${this.target.name} does not take messages about held actions: ${message}`, {
      reason: message,
    });
  }

  #say(kind: string, message: string, fields: EventFields): void {
    const { clock, emit } = this.#parts;
    emit({ atMs: clock.nowMs(), kind, message, fields: { target: this.target.name, ...fields } });
  }
}
