/** What a session's recording takes while it is written, and how it is lent to whoever appends in its place. */
import type { Decision, RuleName, Verdict } from "../model/decision.ts";
import type { Asked } from "../model/operation.ts";
import type { AnswerEntry, OutputEntry } from "../model/session.ts";
import type { ChainTail, GrownTail } from "./chain.ts";
import type { RecordingCounts, RecordingSummary } from "./format.ts";

export interface Recording {
  readonly counts: RecordingCounts;
  /**
   * Notes what was asked and how it was decided; in memory until `flush`. Throws UserError
   * RECORDING_FAILED when the disk has taken nothing for so long that no more can wait. `hold`: the id of what a
   * decision that holds waits for.
   */
  asked(askId: number, asked: readonly Asked[], decision: Decision, hold?: string): void;
  /** What came of a hold. */
  decided(askId: number, verdict: Verdict): void;
  /** Reaches the file with the next flush, or by itself within RECORD_IDLE_MS. Throws like `flush` when much waits. */
  answered(entry: AnswerEntry): void;
  /** The same of rows as the client got them. */
  output(entry: OutputEntry): void;
  /** Detectors that are looked for in answers from here on; what was said before is not said again. */
  looking(detectors: ReadonlySet<string>, policy: string): void;
  /**
   * Writes all that waits, in one write. Throws UserError RECORDING_FAILED: the caller denies what it
   * asked since the last flush, and the recording will say so once the disk takes it.
   */
  flush(): void;
  /**
   * A promise where what the last flush wrote has to survive a loss of power: what it allows is forwarded once that
   * resolves. It rejects as `flush` throws.
   */
  settle(): Promise<void> | undefined;
  /** How what a standing permit covers is recorded each time, but for what differs. */
  standing(asked: Asked, rules: readonly RuleName[], policy: string): StandingRecord;
  /**
   * Lends the end of the file to whoever appends blocks without this recording, which takes nothing until `take`. `tail`
   * and `settle` are asked meanwhile. Undefined: it cannot be lent.
   */
  lend(loan: RecordingLoan): ChainTail | undefined;
  /** It is back. `answers` of what was asked meanwhile are still to be recorded. */
  take(back: RecordingBack): void;
  /** Writes what waits and the summary, closes the file. Reports trouble to the log; never rejects. */
  end(summary: RecordingSummary): Promise<void>;
}

export interface StandingRecord {
  /** Of `Action`: its text, scrubbed, and the fields behind its parameters. */
  readonly text: string;
  readonly action: Uint8Array;
  /** Of `Decision`: the fields behind the ask's id. */
  readonly decision: Uint8Array;
  readonly isStatement: boolean;
}

export interface RecordingLoan {
  /** What the file has come to. */
  tail(): GrownTail;
  /** What was recorded since it was lent. */
  counts(): Pick<RecordingCounts, "statements" | "rows">;
  /** Writes what waits to be written. */
  settle(): void;
}

export interface RecordingBack extends Pick<RecordingCounts, "statements" | "rows"> {
  readonly tail: GrownTail;
  readonly answers: readonly AnswerEntry[];
}
