/** The sinks that the settings name: made, changed and removed while events go on, and held to the outbox's maximum. */
import { mkdirSync, readdirSync } from "node:fs";
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { OUTBOX_BYTES } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { AuditEvent } from "../model/event.ts";
import type { EventSettings, SinkSettings, SinkStatus } from "../model/sink.ts";
import type { BackOff } from "./back-off.ts";
import { type Cursor, readCursor, removeCursor } from "./cursor.ts";
import { createFileSink } from "./file-sink.ts";
import type { Journal, Place } from "./journal.ts";
import { toOcsf } from "./ocsf.ts";
import { createOtlpSink } from "./otlp-sink.ts";
import { Pump } from "./pump.ts";
import { placeAfter, placeOfEnd, placeOfStart, placeWithin } from "./reader.ts";
import type { Sink, SinkWorld } from "./sink.ts";
import { createSyslogSink } from "./syslog-sink.ts";
import { createWebhookSink } from "./webhook-sink.ts";

export interface SinksParts {
  readonly journal: Journal;
  /** `<state>/sinks`: cursors, and what sinks refused. */
  readonly dir: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly world: SinkWorld;
  readonly emit: (event: AuditEvent) => void;
  readonly backOff?: BackOff;
}

export const USUAL_EVENTS: EventSettings = {
  decisions: "refused",
  outbox: { bytesMax: OUTBOX_BYTES, whenFull: "drop-oldest" },
  sinks: [],
};

/** What is left of the outbox once the oldest were given up, so that it is not done event by event. */
const KEPT_SHARE = 0.9;
const NEW: Omit<Cursor, "seq" | "hash"> = { checkpoint: 0, delivered: 0, deadLettered: 0, skipped: 0 };
const CURSOR_NAME = /^(.+)\.cursor\.json$/;

export class Sinks {
  readonly #parts: SinksParts;
  readonly #pumps = new Map<string, Pump>();
  #outbox: EventSettings["outbox"] = USUAL_EVENTS.outbox;
  /** The bytes that the furthest behind of them has before it. */
  #pendingBytes = 0;

  constructor(parts: SinksParts) {
    this.#parts = parts;
    mkdirSync(parts.dir, { recursive: true, mode: 0o700 });
  }

  /** Makes what is new, and takes nothing up before the answer is called. Throws SINK_TLS, SINK_GROUP. */
  prepare({ sinks, outbox }: EventSettings): () => void {
    const made = new Map<string, Sink>();
    for (const settings of sinks) {
      if (!this.#isSame(settings)) made.set(settings.name, createSink(settings, this.#parts.world));
    }
    return () => {
      this.#outbox = outbox;
      this.#removeOthers(new Set(sinks.map(({ name }) => name)));
      for (const settings of sinks) {
        const sink = made.get(settings.name);
        if (sink !== undefined) this.#start(settings, sink);
      }
      this.keepBounds();
    };
  }

  status(): readonly SinkStatus[] {
    return [...this.#pumps.values()].map((pump) => pump.status());
  }

  /** On disk, of the sink that is furthest behind. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  get outbox(): EventSettings["outbox"] {
    return this.#outbox;
  }

  /** Every sink has all up to here; without sinks that is everything. */
  get acknowledgedSeq(): number {
    return Math.min(this.#parts.journal.head.seq, ...[...this.#pumps.values()].map((pump) => pump.acknowledgedSeq));
  }

  /** There is more in the journal. */
  wake(): void {
    this.keepBounds();
    for (const pump of this.#pumps.values()) pump.wake();
  }

  keepBounds(): void {
    const { bytesMax, whenFull } = this.#outbox;
    if (whenFull === "drop-oldest") {
      for (const pump of this.#pumps.values()) {
        if (pump.pendingBytes > bytesMax) pump.skipTo(Math.floor(bytesMax * KEPT_SHARE));
      }
    }
    this.#pendingBytes = Math.max(0, ...[...this.#pumps.values()].map((pump) => pump.pendingBytes));
  }

  close(): void {
    for (const pump of this.#pumps.values()) pump.close();
    this.#pumps.clear();
  }

  #isSame(settings: SinkSettings): boolean {
    const known = this.#pumps.get(settings.name)?.settings;
    return known !== undefined && JSON.stringify(known) === JSON.stringify(settings);
  }

  /** Their cursors, too, also of those that the settings lost while no daemon ran. */
  #removeOthers(names: ReadonlySet<string>): void {
    for (const [name, pump] of this.#pumps) {
      if (names.has(name)) continue;
      pump.close();
      this.#pumps.delete(name);
    }
    for (const file of readdirSync(this.#parts.dir)) {
      const name = CURSOR_NAME.exec(file)?.[1];
      if (name !== undefined && !names.has(name)) removeCursor(this.#parts.dir, name);
    }
  }

  #start(settings: SinkSettings, sink: Sink): void {
    this.#pumps.get(settings.name)?.close();
    const { journal, dir, clock, log, emit, backOff, world } = this.#parts;
    const pump = new Pump(
      {
        ...{ settings, sink, journal, dir, clock, log, emit },
        moved: () => this.keepBounds(),
        format: (event, seq, line) => (settings.format === "native" ? line : JSON.stringify(toOcsf(event, seq, world))),
        ...(backOff === undefined ? {} : { backOff }),
      },
      this.#startOf(settings.name),
    );
    this.#pumps.set(settings.name, pump);
  }

  /**
   * Where its cursor says. A cursor that does not fit the journal is evidence: of a machine that was rolled back, or of
   * events that were written anew; these are sent again. A new sink gets what is kept, as far as the outbox allows.
   */
  #startOf(name: string): { readonly place: Place; readonly cursor: Cursor } {
    const { journal } = this.#parts;
    const { head } = journal;
    const cursor = this.#cursorOf(name);
    if (cursor === undefined) {
      const place = placeWithin(journal, Math.floor(this.#outbox.bytesMax / 2));
      return { place, cursor: { ...NEW, seq: place.seq, hash: place.hash } };
    }
    if (cursor.seq > head.seq) {
      this.#tellTamper(
        `The sink ${name} has taken event ${cursor.seq}, and the journal ends with ${head.seq}`,
        name,
        cursor,
      );
      const place = placeOfEnd(journal);
      return { place, cursor: { ...cursor, seq: place.seq, hash: place.hash, checkpoint: 0 } };
    }
    const place = placeAfter(journal, cursor);
    if (place !== undefined) return { place, cursor };
    const start = placeOfStart(journal);
    if (cursor.seq < start.seq) {
      this.#tellTamper(`Events that ${name} has not taken are gone from the journal`, name, cursor);
    } else {
      this.#tellTamper(`Event ${cursor.seq} is not the one that ${name} has taken`, name, cursor);
    }
    return { place: start, cursor: { ...cursor, seq: start.seq, hash: start.hash } };
  }

  #cursorOf(name: string): Cursor | undefined {
    try {
      return readCursor(this.#parts.dir, name);
    } catch (error) {
      this.#parts.log.warn(`The cursor of the sink ${name} is damaged; events are sent again`, {
        error: messageOf(error),
      });
      return undefined;
    }
  }

  #tellTamper(message: string, sink: string, { seq, hash }: Cursor): void {
    const atMs = this.#parts.clock.nowMs();
    this.#parts.emit({ atMs, kind: "evidence.tamper", message, fields: { sink, seq, hash } });
  }
}

function createSink(settings: SinkSettings, world: SinkWorld): Sink {
  switch (settings.kind) {
    case "file":
      return createFileSink(settings);
    case "syslog":
      return createSyslogSink(settings, world);
    case "otlp":
      return createOtlpSink(settings, world);
    case "webhook":
      return createWebhookSink(settings, world);
    default:
      return settings satisfies never;
  }
}
