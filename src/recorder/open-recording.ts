/**
 * One session's recording while it is written. Records gather in memory and reach the file in one write
 * per flush; an operation is forwarded only after the flush that holds its decision. Never reads.
 */
import type { Clock } from "../base/clock.ts";
import { messageOf, UserError } from "../base/errors.ts";
import { RECORD_PENDING_BYTES_MAX, RECORDED_TEXT_MAX, SESSION_ROW_AGE_MS } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { Decision, RuleName, Verdict } from "../model/decision.ts";
import type { Asked } from "../model/operation.ts";
import type { QuotedIn } from "../model/protocol.ts";
import type { AnswerEntry, OutputEntry } from "../model/session.ts";
import type { SessionRow, SessionState, SessionStore } from "../store/sessions.ts";
import type { Chain, ChainHead, ChainTail, GrownTail } from "./chain.ts";
import {
  encodeEnd,
  encodeGap,
  encodeLooking,
  encodeStart,
  type RecordingCounts,
  type RecordingStart,
  type RecordingSummary,
} from "./format.ts";
import { type Decided, Packer } from "./pack.ts";
import { type Prepared, scrubAndCut } from "./prepare.ts";
import type { Recording, RecordingBack, RecordingLoan, StandingRecord } from "./recording.ts";

export interface RecordingWorld {
  readonly clock: Clock;
  readonly log: Log;
  readonly index: SessionStore;
  readonly prepare: (asked: Asked, quotedIn?: QuotedIn) => Prepared;
  readonly scrub: (text: string) => string;
  /** Asks that `idle` be called soon. */
  readonly wake: (recording: OpenRecording) => void;
  readonly ended: (recording: OpenRecording) => void;
  /** Called when what was allowed is kept, and before it is forwarded. */
  readonly kept: () => void;
  /** Whether a decision has to survive a loss of power before it is acted upon. */
  readonly isSettled: boolean;
  /** For the audit trail. */
  readonly tell: (sessionId: string, kind: "recording.gap" | "recording.resumed", message: string) => void;
  /** What a disk that takes nothing means: operations are denied, or go on without a recording, counted. */
  readonly whenFull: "deny" | "continue";
}

/** An ask that was allowed. */
interface Allowed {
  readonly askId: number;
  readonly operations: number;
}

const NOTHING_LENT = { statements: 0, rows: 0 };

/** The rule that a recording names when the disk refused it. */
const UNRECORDED: RuleName = "built-in:recording";

export class OpenRecording implements Recording {
  readonly #world: RecordingWorld;
  readonly #start: RecordingStart;
  readonly #quotedIn: QuotedIn | undefined;
  readonly #chain: Chain;
  readonly #indexFile: string;
  readonly #pending = new Packer();
  #sequence = 0;
  /** Sequence of the first record that waits. */
  #firstPending = 1;
  /** The newest record that a checkpoint has. */
  #checkpointed = 0;
  /** Asks that were allowed and that no flush has carried to the file yet. */
  #allowed: Allowed[] = [];
  /** Those that were carried there, and did not settle yet. */
  #written: Allowed[] = [];
  #unrecorded = 0;
  /** The disk takes nothing, and the settings say to go on. */
  #isGoingOn = false;
  #awake = false;
  /** Of the first record that waits; 0 where none does. */
  #waitingSinceMs = 0;
  #rowPutMs = 0;
  /** Nothing, until it is said. */
  #looking = "";
  #ended = false;
  #statements = 0;
  #denied = 0;
  /** Operations of the ask that is held: a session has one at a time. */
  #held = 0;
  #masked = 0;
  #answeredRows = 0;
  #loan: RecordingLoan | undefined;

  /** Makes the first file and writes the start. `indexFile` is that file relative to the folder of recordings. */
  constructor(
    world: RecordingWorld,
    start: RecordingStart,
    { chain, indexFile }: { readonly chain: Chain; readonly indexFile: string },
    quotedIn?: QuotedIn,
  ) {
    this.#quotedIn = quotedIn;
    this.#world = world;
    this.#start = start;
    this.#chain = chain;
    this.#indexFile = indexFile;
    this.#pending.frame(encodeStart(this.#next(), start));
    try {
      this.#write();
    } catch (cause) {
      this.#goOn(cause);
    }
    this.#putRow("open", undefined, 0, 0);
  }

  get sessionId(): string {
    return this.#start.sessionId;
  }

  /** What is in no file yet. */
  get waiting(): { readonly bytes: number; readonly sinceMs: number } | undefined {
    return this.#waitingSinceMs === 0 ? undefined : { bytes: this.#pending.length, sinceMs: this.#waitingSinceMs };
  }

  /** What the chain came to, where it is more than what the last call gave. */
  takeHead(): ChainHead | undefined {
    this.#follow();
    const { head } = this.#chain;
    if (head.sequence === this.#checkpointed) return undefined;
    this.#checkpointed = head.sequence;
    return head;
  }

  get counts(): RecordingCounts {
    const { statements, rows } = this.#loan?.counts() ?? NOTHING_LENT;
    return {
      statements: this.#statements + statements,
      denied: this.#denied,
      masked: this.#masked,
      rows: this.#answeredRows + rows,
    };
  }

  standing(asked: Asked, rules: readonly RuleName[], policy: string): StandingRecord {
    const { text, operation, statement } = this.#world.prepare(asked, this.#quotedIn);
    const packer = new Packer();
    packer.decisionFields({ kind: "allow", rules, policy });
    return { text, action: operation, decision: Uint8Array.from(packer.view()), isStatement: statement };
  }

  lend(loan: RecordingLoan): ChainTail | undefined {
    if (this.#isGoingOn || this.#ended || this.#loan !== undefined) return undefined;
    try {
      this.flush();
    } catch {
      return undefined; // whoever asks next is told; until then nothing was to be written at once
    }
    if (this.#pending.length > 0) return undefined;
    const tail = this.#chain.lend(this.#world.clock.nowMs());
    if (tail === undefined) return undefined;
    this.#loan = loan;
    this.#wake();
    return tail;
  }

  take({ tail, statements, rows, answers }: RecordingBack): void {
    this.#loan = undefined;
    this.#statements += statements;
    this.#answeredRows += rows;
    this.#grown(tail);
    for (const answer of answers) this.answered(answer);
  }

  /** Its sequence is another's while it is lent. */
  #mustBeHere(): void {
    if (this.#loan !== undefined) throw new Error("Cannot write to a recording that is lent");
  }

  #follow(): void {
    if (this.#loan !== undefined) this.#grown(this.#loan.tail());
  }

  #grown(tail: GrownTail): void {
    this.#chain.follow(tail);
    this.#sequence = tail.sequence;
    this.#firstPending = tail.sequence + 1;
  }

  asked(askId: number, asked: readonly Asked[], decision: Decision, hold?: string): void {
    this.#mustBeHere();
    const atMs = this.#world.clock.nowMs();
    let noted = 0;
    try {
      for (const one of asked) {
        if (!this.#hasRoom()) break;
        const prepared = this.#world.prepare(one, this.#quotedIn);
        this.#pending.action(this.#next(), atMs, askId, prepared);
        if (prepared.statement) this.#statements += 1;
        noted += 1;
      }
    } finally {
      this.#unrecorded += asked.length - noted;
      if (noted < asked.length) this.#wake();
    }
    if (noted === 0) return;
    this.#pending.decision(this.#next(), atMs, askId, decision, hold);
    this.#count(askId, decision, asked.length);
    this.#wake();
  }

  /**
   * Whether one more record may wait. What waits is written first where it is much: one ask may have megabytes of
   * parameters, and a block that is longer than a reader takes would hide all that follows. Throws like `flush`.
   */
  #hasRoom(): boolean {
    if (this.#pending.length > RECORD_PENDING_BYTES_MAX) this.#writeOut();
    return this.#pending.length <= RECORD_PENDING_BYTES_MAX; // else the disk takes nothing, and the session goes on
  }

  decided(askId: number, verdict: Verdict): void {
    this.#mustBeHere();
    this.#pending.decision(this.#next(), this.#world.clock.nowMs(), askId, verdict);
    this.#count(askId, verdict, this.#held);
    this.#wake();
  }

  #count(askId: number, decision: Decision, operations: number): void {
    if (decision.kind === "allow") this.#allowed.push({ askId, operations });
    else if (decision.kind === "deny") this.#denied += operations;
    else this.#held = operations;
  }

  answered(entry: AnswerEntry): void {
    this.#mustBeHere();
    if (!this.#hasRoom()) return;
    const { error } = entry;
    const stored = error === undefined ? entry : { ...entry, error: { ...error, message: this.#cut(error.message) } };
    this.#pending.answer(this.#next(), this.#world.clock.nowMs(), stored);
    this.#answeredRows += entry.rows;
    for (const mask of entry.masks) this.#masked += mask.count;
    this.#wake();
  }

  /** A server's message may have megabytes: more than a record may. */
  #cut(message: string): string {
    const { text, truncated } = scrubAndCut(message, this.#world.scrub, RECORDED_TEXT_MAX);
    return truncated ? `${text}…` : text;
  }

  output(entry: OutputEntry): void {
    this.#mustBeHere();
    if (this.#pending.length > RECORD_PENDING_BYTES_MAX) this.flush();
    this.#pending.output(this.#next(), this.#world.clock.nowMs(), entry);
    this.#wake();
  }

  looking(detectors: ReadonlySet<string>, policy: string): void {
    const said = [...detectors].join(" ");
    if (said === this.#looking || this.#ended) return;
    this.#mustBeHere();
    this.#looking = said;
    this.#pending.frame(encodeLooking(this.#next(), this.#world.clock.nowMs(), [...detectors], policy));
    this.#wake();
  }

  flush(): void {
    this.#writeOut();
    if (this.#world.isSettled) this.#written.push(...this.#allowed);
    else if (this.#allowed.length > 0) this.#world.kept();
    this.#allowed.length = 0;
  }

  settle(): Promise<void> | undefined {
    const allowed = this.#written;
    this.#written = [];
    if (!this.#world.isSettled || allowed.length === 0) return undefined;
    return this.#chain.settle().then(this.#world.kept, (cause: unknown) => {
      if (this.#world.whenFull === "deny") this.#withdraw(allowed);
      this.#goOn(cause);
    });
  }

  /** Called some time after `wake`: writes what no operation has carried along, and now and then shows the counts. */
  idle(): void {
    this.#awake = false;
    if (this.#ended) return;
    this.#loan?.settle();
    try {
      // What was allowed is about to be flushed by whoever forwards it: were it withdrawn here, nobody would hear of it.
      if (this.#allowed.length === 0) this.#writeOut();
      else this.#wake();
    } catch (error) {
      this.#world.log.error("Cannot write a recording", { session: this.#start.sessionId, error: messageOf(error) });
      this.#wake();
    }
    const age = this.#world.clock.nowMs() - this.#rowPutMs;
    // A clock that was set back shows them at once; a session that falls silent shows them later all the same.
    if ((age >= 0 && age < SESSION_ROW_AGE_MS) || this.#loan !== undefined) this.#wake();
    if (age >= 0 && age < SESSION_ROW_AGE_MS) return;
    this.#putRow("open", undefined, 0, 0);
  }

  async end(summary: RecordingSummary): Promise<void> {
    if (this.#ended) return;
    let state: SessionState = "ended";
    try {
      this.#pending.frame(encodeEnd(this.#next(), { ...this.counts, ...summary }));
      this.#writeOut();
      if (this.#pending.length > 0) throw new Error("the disk takes nothing");
    } catch (error) {
      // The recording stays as it is: whoever reads it is told that it has no end.
      state = "interrupted";
      this.#world.log.error("Cannot end a recording", { session: this.#start.sessionId, error: messageOf(error) });
    }
    this.#ended = true;
    await this.#chain.close().catch((error: unknown) => {
      this.#world.log.error("Cannot close a recording", { session: this.#start.sessionId, error: messageOf(error) });
    });
    this.#putRow(state, summary.endedAtMs, summary.bytesIn, summary.bytesOut);
    this.#world.ended(this);
  }

  #writeOut(): void {
    if (this.#pending.length === 0 && this.#unrecorded === 0) return;
    if (this.#ended) throw new Error("Cannot write to a recording that has ended");
    try {
      this.#write();
    } catch (cause) {
      const allowed = this.#allowed;
      this.#allowed = [];
      if (this.#world.whenFull === "deny") this.#withdraw(allowed);
      this.#goOn(cause);
    }
  }

  #write(): void {
    const { clock, whenFull } = this.#world;
    const atMs = clock.nowMs();
    const sequence = this.#sequence;
    const before = this.#pending.length;
    if (this.#unrecorded > 0) {
      this.#pending.frame(encodeGap(this.#next(), atMs, this.#unrecorded, whenFull === "continue"));
    }
    const gap = this.#pending.length - before;
    try {
      this.#chain.append(this.#pending, this.#firstPending, this.#sequence, atMs);
    } catch (error) {
      // The gap may still grow: it is counted when it can be written.
      this.#pending.drop(gap);
      this.#sequence = sequence;
      throw error;
    }
    this.#pending.clear();
    this.#waitingSinceMs = 0;
    this.#unrecorded = 0;
    this.#firstPending = this.#sequence + 1;
    if (this.#isGoingOn) this.#world.tell(this.sessionId, "recording.resumed", "The disk takes recordings again");
    this.#isGoingOn = false;
  }

  /** What was decided as allowed but could not be written is not forwarded: the recording has to say so. */
  #withdraw(allowed: readonly Allowed[]): void {
    const atMs = this.#world.clock.nowMs();
    const message = "The recording could not be written";
    const denied: Decided = { kind: "deny", rules: [UNRECORDED], message, policy: this.#start.policy };
    for (const { askId, operations } of allowed) {
      this.#pending.decision(this.#next(), atMs, askId, denied);
      this.#denied += operations;
    }
    this.#wake();
  }

  /** Ends here with an error, unless the settings say to go on without a recording. */
  #goOn(cause: unknown): void {
    const error = this.#failed(cause);
    if (this.#world.whenFull === "deny") throw error;
    if (!this.#isGoingOn) this.#world.tell(this.sessionId, "recording.gap", `${error.message}; operations go on`);
    this.#isGoingOn = true;
  }

  #next(): number {
    this.#sequence += 1;
    return this.#sequence;
  }

  #wake(): void {
    if (this.#waitingSinceMs === 0 && this.#pending.length > 0) this.#waitingSinceMs = this.#world.clock.nowMs();
    if (this.#awake) return;
    this.#awake = true;
    this.#world.wake(this);
  }

  #failed(cause: unknown): UserError {
    return new UserError(
      "RECORDING_FAILED",
      `Cannot record session ${this.#start.sessionId}: ${messageOf(cause)}`,
      "Make room on the disk of the state folder; operations are denied until recordings can be written",
      { cause },
    );
  }

  #putRow(state: SessionState, endedMs: number | undefined, bytesIn: number, bytesOut: number): void {
    const { sessionId, agent, connection, origin, startedAtMs } = this.#start;
    const row: SessionRow = {
      id: sessionId,
      agent: agent.name,
      connection: connection.name,
      protocol: connection.protocol,
      pid: origin.pid,
      uid: origin.uid,
      user: origin.user,
      executable: origin.executable,
      address: origin.address,
      port: origin.port,
      startedMs: startedAtMs,
      endedMs,
      ...this.counts,
      bytesIn,
      bytesOut,
      state,
      file: this.#indexFile,
    };
    this.#world.index.put(row);
    this.#rowPutMs = this.#world.clock.nowMs();
  }
}
