/** One session on its way into the index: segment by segment, from where it was left. Holds one segment at a time. */
import { codeOf, messageOf } from "../base/errors.ts";
import { RECORD_IDLE_MS, SEARCH_OPEN_LOOK_MS } from "../base/limits.ts";
import { listSegments, readRecording } from "../recorder/read.ts";
import { facetsOfStart } from "./facets.ts";
import { type Carry, Gatherer, NO_CARRY } from "./gather.ts";
import type { IndexerParts } from "./indexer.ts";
import type { Facet, Row, Subject } from "./row.ts";
import { LACKS, LOOKS, LOOKS_PARTLY } from "./writer.ts";

export interface SessionToRead {
  readonly id: string;
  readonly agent: string;
  readonly connection: string;
  readonly user: string;
  readonly executable: string;
  readonly pid: number;
  readonly startedMs: number;
  readonly endedMs: number | undefined;
  readonly state: string;
  readonly day: string;
}

/** `worked`: something was written. `isFinished`: nothing will follow. */
interface Done {
  readonly worked: boolean;
  readonly isFinished: boolean;
}

const NOTHING: Done = { worked: false, isFinished: false };

export class SessionReader {
  readonly #session: SessionToRead;
  readonly #parts: IndexerParts;
  #state: string;
  #endedMs: number | undefined;
  /** Goes on where it is, over several calls. */
  #pieces: AsyncGenerator<void, void> | undefined;
  #segment = 1;
  #sequence = 0;
  #recordedMs: number;
  #isStarted = false;
  #isWriting = false;
  #isDone = false;
  #carry: Carry = NO_CARRY;
  #facets: readonly Facet[] = [];
  #lacks = false;
  segmentsWaiting = 1;
  /** When all that was in the files then was read. */
  readToEndMs = 0;

  constructor(session: SessionToRead, parts: IndexerParts) {
    this.#session = session;
    this.#parts = parts;
    this.#state = session.state;
    this.#endedMs = session.endedMs;
    this.#recordedMs = session.startedMs;
  }

  get id(): string {
    return this.#session.id;
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** Everything of it that was recorded until then is in the index. */
  get upToMs(): number {
    // What is recorded may lie in memory for a moment before it is written.
    return Math.max(this.readToEndMs - (this.isOpen ? RECORD_IDLE_MS : 0), this.#recordedMs);
  }

  /** What the store says of it now. */
  ended(state: string, endedMs: number | undefined): void {
    this.#state = state;
    this.#endedMs = endedMs;
  }

  /** Reads one piece, where one is due. `sinceMs`: what was read to its end since then is not read again; 0: now and then. */
  async next(nowMs: number, sinceMs: number): Promise<Done> {
    if (this.#pieces === undefined) {
      const isFresh = sinceMs > 0 ? this.readToEndMs >= sinceMs : nowMs - this.readToEndMs < SEARCH_OPEN_LOOK_MS;
      if (this.isOpen && isFresh) return NOTHING;
      this.#pieces = this.#read();
    }
    try {
      const { done } = await this.#pieces.next();
      if (done !== true) return { worked: true, isFinished: false };
      this.#pieces = undefined;
      return { worked: false, isFinished: this.#isDone };
    } catch (error) {
      this.#pieces = undefined;
      // What the index did not take is read again from where it stands.
      this.#isStarted = false;
      if (this.#isWriting) throw error;
      if (codeOf(error) === "SESSION_UNKNOWN" && !this.isOpen) {
        await this.#parts.writer.forget([this.id]); // its recording was deleted
        return { worked: true, isFinished: true };
      }
      const why = { session: this.id, error: messageOf(error) };
      this.#parts.warn("A recording cannot be indexed; what follows in it is left out", why);
      this.readToEndMs = nowMs;
      if (this.isOpen) return NOTHING;
      await this.#resume();
      this.#lacks = true;
      await this.#write([], "done");
      return { worked: true, isFinished: true };
    }
  }

  /** Yields after each segment that was written. */
  async *#read(): AsyncGenerator<void, void> {
    const { recordings, nowMs } = this.#parts;
    const { id, day } = this.#session;
    const isFinal = !this.isOpen;
    const beganMs = nowMs();
    await this.#resume();
    const segments = await listSegments(recordings, id, day);
    const firsts = new Map(segments.map(({ segment, firstSequence }) => [segment, firstSequence]));
    const last = segments.at(-1)?.segment ?? this.#segment;
    this.segmentsWaiting = Math.max(0, last - this.#segment + 1);
    const gatherer = new Gatherer(id, this.#segment, this.#carry);
    let isNew = false;
    for await (const entry of readRecording(recordings, id, { day, fromSegment: this.#segment })) {
      if ("sequence" in entry) {
        if (entry.sequence <= this.#sequence) continue;
        while (entry.sequence >= (firsts.get(this.#segment + 1) ?? Number.POSITIVE_INFINITY)) {
          await this.#write(gatherer.take(), "more", gatherer);
          this.#segment += 1;
          this.segmentsWaiting = Math.max(0, last - this.#segment + 1);
          gatherer.nextSegment();
          yield;
        }
        this.#sequence = entry.sequence;
        this.#recordedMs = Math.max(this.#recordedMs, entry.atMs);
        isNew = true;
      }
      if (entry.kind === "start") this.#facets = facetsOfStart(entry);
      // Whoever ended it wrote so: the end was cut off.
      if (entry.kind === "interrupted" && this.#state === "ended") this.#lacks = true;
      gatherer.add(entry);
    }
    this.segmentsWaiting = 0;
    this.readToEndMs = beganMs;
    if (!isNew && !isFinal) return;
    // Where nothing has ended the session, nothing more will come of what waits for an answer.
    if (isFinal) gatherer.add(END);
    await this.#write(gatherer.take(), isFinal ? "done" : "more", gatherer);
    this.#isDone = isFinal;
    yield;
  }

  async #resume(): Promise<void> {
    if (this.#isStarted) return;
    const progress = await this.#parts.writer.progressOf(this.id);
    this.#isStarted = true;
    // Also where nothing was written: what was read before a write that failed is read again.
    this.#segment = progress?.segment ?? 1;
    this.#sequence = progress?.sequence ?? 0;
    this.#recordedMs = progress?.atMs ?? this.#session.startedMs;
    this.#carry = progress === undefined ? NO_CARRY : (JSON.parse(progress.carry) as Carry);
  }

  async #write(rows: readonly Row[], how: "more" | "done", gatherer?: Gatherer): Promise<void> {
    this.#isWriting = true;
    const { id, agent, connection, user, executable, pid, startedMs } = this.#session;
    // First, since what it cannot carry on becomes rows.
    const carry = gatherer?.carry() ?? this.#carry;
    const late = gatherer?.take() ?? [];
    const looked = gatherer?.looked ?? { always: [], partly: [] };
    this.#lacks ||= gatherer?.lacks ?? false;
    const subject: Subject = {
      ...{ key: `session\0${id}`, session: id, agent, connection, user, executable, pid, startedMs },
      facets: [
        ["session", id],
        ["agent", agent],
        ["connection", connection],
        ...this.#facets,
        ...(this.#lacks ? [LACKS] : []),
      ],
    };
    const looks = [
      ...looked.always.map((detector): Facet => [LOOKS, detector]),
      ...looked.partly.map((detector): Facet => [LOOKS_PARTLY, detector]),
    ];
    const ended = { state: this.#state, endedMs: this.#endedMs };
    const isDone = how === "done";
    await this.#parts.writer.session(subject, looks, ended, [...rows, ...late], {
      ...{ session: id, segment: this.#segment, sequence: this.#sequence, atMs: this.#recordedMs, isDone },
      carry: JSON.stringify(isDone ? NO_CARRY : carry),
    });
    this.#isWriting = false;
    this.#carry = carry;
    this.#facets = [];
  }
}

/** In place of the end that a recording does not have. */
const END = Object.freeze({
  ...{
    kind: "end",
    sequence: 0,
    atMs: 0,
    reason: "",
    statements: 0,
    denied: 0,
    masked: 0,
    rows: 0,
    bytesIn: 0,
    bytesOut: 0,
  },
} as const);
