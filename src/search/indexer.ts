/**
 * Reads recordings and events into the index, oldest first, one bounded piece at a time: a segment of a session or a page
 * of events. It pulls: whoever records knows nothing of it, and what it has not read waits in the files. Never writes to them.
 */
import { messageOf } from "../base/errors.ts";
import { SEARCH_BATCH_ROWS, SEARCH_LOOK_MS, SEARCH_SESSIONS_MAX } from "../base/limits.ts";
import type { SearchLag } from "../model/search.ts";
import type { Database } from "../store/database.ts";
import { createEventStore } from "../store/events.ts";
import { rowOfEvent } from "./event-rows.ts";
import { SessionReader, type SessionToRead } from "./session-reader.ts";
import type { IndexWriter } from "./writer.ts";

export interface IndexerParts {
  readonly writer: IndexWriter;
  /** `<state>/sallyport.db`: which sessions there are, and the events. */
  readonly store: Database;
  readonly recordings: string;
  readonly nowMs: () => number;
  /** Something could not be read and is left out. */
  readonly warn: (message: string, fields: Readonly<Record<string, string>>) => void;
}

export class Indexer {
  readonly #parts: IndexerParts;
  readonly #events: ReturnType<typeof createEventStore>;
  /** Known and not finished, by id, in the order of their start. */
  readonly #sessions = new Map<string, SessionReader>();
  /** Of sessions in the store: where the next look begins. */
  #cursor = { startedMs: 0, id: "" };
  #newestMs = 0;
  /** There are more than one look sees. */
  #isBehind = true;
  #lookedMs = 0;
  #eventsMark: number | undefined;
  #eventsWaiting = 0;
  #eventsUpToMs = 0;

  constructor(parts: IndexerParts) {
    this.#parts = parts;
    this.#events = createEventStore(parts.store);
  }

  /**
   * One piece of work; "idle" when nothing is to be done now. `sinceMs`: everything that was recorded before that shall
   * be read; 0: what is still written is read now and then.
   */
  async step(sinceMs: number): Promise<"worked" | "idle"> {
    const nowMs = this.#parts.nowMs();
    const isTime = nowMs - this.#lookedMs >= SEARCH_LOOK_MS || nowMs < this.#lookedMs;
    if (isTime || this.#isBehind || this.#lookedMs < sinceMs) await this.#look(nowMs);
    if (await this.#eventsPage(nowMs)) return "worked";
    for (const reader of this.#sessions.values()) {
      const done = await reader.next(nowMs, sinceMs);
      if (done.isFinished) this.#sessions.delete(reader.id);
      if (done.worked) return "worked";
    }
    return this.#isBehind ? "worked" : "idle";
  }

  async forget(sessions: readonly string[]): Promise<void> {
    for (const id of sessions) this.#sessions.delete(id);
    await this.#parts.writer.forget(sessions);
  }

  /** From the oldest session on: what is read already is passed over. */
  lookAgain(): void {
    this.#cursor = { startedMs: 0, id: "" };
    this.#isBehind = true;
  }

  lag(): SearchLag {
    let oldest = Math.min(this.#lookedMs, this.#eventsUpToMs);
    let segments = 0;
    let sessions = 0;
    for (const reader of this.#sessions.values()) {
      oldest = Math.min(oldest, reader.upToMs);
      segments += reader.segmentsWaiting;
      if (reader.segmentsWaiting > 0) sessions += 1;
    }
    const events = this.#eventsWaiting;
    const isWaiting = sessions + events > 0 || this.#isBehind;
    const oldestMs = isWaiting ? Math.max(0, this.#parts.nowMs() - oldest) : 0;
    return { sessions, segments, events, oldestMs, indexedUpToMs: oldest };
  }

  /** Sessions that are new, and what became of those that ran. */
  async #look(nowMs: number): Promise<void> {
    const { store, writer } = this.#parts;
    const running = [...this.#sessions.values()].filter(({ isOpen }) => isOpen).map(({ id }) => id);
    const states = await store.all<Pick<RawSession, "id" | "state" | "ended_ms">>(
      "SELECT id, state, ended_ms FROM sessions WHERE state <> 'open' AND id IN (SELECT value FROM json_each(?))",
      [JSON.stringify(running)],
    );
    for (const { id, state, ended_ms } of states) this.#sessions.get(id)?.ended(state, ended_ms ?? undefined);
    if (this.#sessions.size >= SEARCH_SESSIONS_MAX) return;
    const { startedMs, id: after } = this.#cursor;
    const raws = await store.all<RawSession>(NEXT_SESSIONS, [startedMs, after, SEARCH_BATCH_ROWS]);
    const done = await writer.doneAmong(raws.map(({ id }) => id));
    for (const raw of raws) {
      if (done.has(raw.id) || this.#sessions.has(raw.id)) continue;
      this.#sessions.set(raw.id, new SessionReader(sessionOf(raw), this.#parts));
    }
    const last = raws.at(-1);
    if (last !== undefined) this.#newestMs = Math.max(this.#newestMs, last.started_ms);
    this.#isBehind = raws.length === SEARCH_BATCH_ROWS;
    // Rows reach the store a moment after their session began: what is recent is looked at again.
    this.#cursor =
      this.#isBehind && last !== undefined
        ? { startedMs: last.started_ms, id: last.id }
        : { startedMs: this.#newestMs - LATE_MS, id: "" };
    this.#lookedMs = nowMs;
  }

  async #eventsPage(nowMs: number): Promise<boolean> {
    const { writer, warn } = this.#parts;
    this.#eventsMark ??= await writer.mark("events");
    const page = await this.#events.after(this.#eventsMark, SEARCH_BATCH_ROWS);
    const last = page.at(-1);
    if (last === undefined) {
      this.#eventsWaiting = 0;
      this.#eventsUpToMs = nowMs;
      return false;
    }
    const rows = page.flatMap(({ id, event }) => {
      try {
        return [rowOfEvent(id, event)];
      } catch (error) {
        warn("An event cannot be indexed", { event: String(id), error: messageOf(error) });
        return [];
      }
    });
    await writer.events(rows, last.id);
    this.#eventsMark = last.id;
    this.#eventsWaiting = page.length < SEARCH_BATCH_ROWS ? 0 : await this.#events.countAfter(last.id);
    this.#eventsUpToMs = page.length < SEARCH_BATCH_ROWS ? nowMs : last.event.atMs;
    return true;
  }
}

/** A session's row is put behind the data path. */
const LATE_MS = 60_000;
const NEXT_SESSIONS = `SELECT id, agent, connection, user, executable, pid, started_ms, ended_ms, state, file FROM sessions
  WHERE (started_ms, id) > (?, ?) ORDER BY started_ms, id LIMIT ?`;

interface RawSession {
  readonly id: string;
  readonly agent: string;
  readonly connection: string;
  readonly user: string;
  readonly executable: string;
  readonly pid: number;
  readonly started_ms: number;
  readonly ended_ms: number | null;
  readonly state: string;
  readonly file: string;
}

function sessionOf({ started_ms, ended_ms, file, ...same }: RawSession): SessionToRead {
  return { ...same, startedMs: started_ms, endedMs: ended_ms ?? undefined, day: file.slice(0, "YYYY-MM-DD".length) };
}
