/** Tells the targets of the settings what happens to held actions. Watches holds, and is waited for by none. */
import { randomUUID } from "node:crypto";
import type { BackOff } from "../audit/back-off.ts";
import { tlsOptions } from "../audit/sink-tls.ts";
import type { Clock } from "../base/clock.ts";
import { UserError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Judging } from "../holds/entitled.ts";
import type { LiveHolds } from "../holds/holds.ts";
import type { HoldRecord } from "../holds/record.ts";
import type { AuditEvent } from "../model/event.ts";
import type { Moment, NotifySettings, NotifyStatus, NotifyTarget } from "../model/notify.ts";
import { type DeliveryWorld, deliver } from "./deliver.ts";
import { concerns, momentIn, momentOf, noticeOf, shownAs, testNotice, wants } from "./notice.ts";
import { Outbox } from "./outbox.ts";
import type { Message } from "./waiting.ts";

export interface NotifierParts extends Judging {
  readonly clock: Clock;
  readonly log: Log;
  readonly emit: (event: AuditEvent) => void;
  readonly world: DeliveryWorld;
  readonly holds: Pick<LiveHolds, "list" | "watch">;
  readonly backOff?: BackOff;
}

export class Notifier {
  readonly #parts: NotifierParts;
  readonly #outboxes = new Map<string, Outbox>();
  /** Of actions that were told as held and have not ended: how many had approved. As many as may wait or run. */
  readonly #votes = new Map<string, number>();
  readonly #unwatch: () => void;

  constructor(parts: NotifierParts) {
    this.#parts = parts;
    this.#unwatch = parts.holds.watch((record) => this.#changed(record));
  }

  /** Reads what the settings name, and changes nothing before the answer is called. Throws SINK_TLS. */
  prepare({ targets }: Pick<NotifySettings, "targets">): () => void {
    for (const { ca } of targets) if (ca !== undefined) tlsOptions({ ca }, "");
    return () => {
      const names = new Set(targets.map(({ name }) => name));
      for (const [name, outbox] of this.#outboxes) {
        if (names.has(name)) continue;
        outbox.close();
        this.#outboxes.delete(name);
      }
      for (const target of targets) this.#adopt(target);
    };
  }

  status(): readonly NotifyStatus[] {
    return [...this.#outboxes.values()].map((outbox) => outbox.status());
  }

  /** Sends one message at once; undefined: it was taken, else why it was not. Throws NOTIFY_TARGET. */
  async test(name: string): Promise<string | undefined> {
    const target = this.#outboxes.get(name)?.target;
    if (target === undefined) {
      throw new UserError("NOTIFY_TARGET", `Cannot find the target ${name}`, "List them: sallyport notify");
    }
    const { clock, world } = this.#parts;
    const outcome = await deliver(target, randomUUID(), testNotice(clock.nowMs()), world, new AbortController().signal);
    return outcome.kind === "failed" || outcome.kind === "refused" ? outcome.reason : undefined;
  }

  /** To be called once a second. */
  tend(): void {
    for (const outbox of this.#outboxes.values()) outbox.tend();
  }

  close(): void {
    this.#unwatch();
    for (const outbox of this.#outboxes.values()) outbox.close();
  }

  /** What waited for it goes on waiting, as far as it is to be told of that now; a new one is told of what is held already. */
  #adopt(target: NotifyTarget): void {
    const before = this.#outboxes.get(target.name);
    if (before !== undefined && JSON.stringify(before.target) === JSON.stringify(target)) return;
    const { clock, log, emit, world, backOff, holds } = this.#parts;
    const outbox = new Outbox({
      ...{ target, clock, log, emit, ...(backOff === undefined ? {} : { backOff }) },
      isWaiting: (hold) => holds.list().some(({ id, state }) => id === hold && state === "waiting"),
      deliver: ({ id, notice }, signal) => deliver(target, id, notice, world, signal),
    });
    this.#outboxes.set(target.name, outbox);
    if (before !== undefined) for (const message of before.close()) this.#handOver(outbox, message);
    else for (const record of holds.list()) if (this.#votes.has(record.id)) this.#tell(outbox, record, "held");
  }

  #changed(record: HoldRecord): void {
    const moment = momentOf(record, this.#votes.get(record.id));
    if (moment === undefined) return;
    if (record.endedMs === undefined) this.#votes.set(record.id, record.votes.length);
    else this.#votes.delete(record.id);
    for (const outbox of this.#outboxes.values()) this.#tell(outbox, record, moment);
  }

  #tell(outbox: Outbox, record: HoldRecord, moment: Moment): void {
    const { target } = outbox;
    if (!wants(target, moment) || !concerns(target, record)) return;
    const queuedMs = this.#parts.clock.nowMs();
    const notice = noticeOf(record, moment, queuedMs, target.show, this.#parts);
    outbox.push({ id: randomUUID(), notice, demands: record.demands, queuedMs });
  }

  #handOver(outbox: Outbox, message: Message): void {
    const { target } = outbox;
    const { notice } = message;
    if (!wants(target, momentIn(notice)) || !concerns(target, message)) return;
    outbox.push({ ...message, notice: shownAs(notice, target.show) });
  }
}
