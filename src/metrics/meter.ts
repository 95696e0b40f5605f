/** What the data path tells of its work. Numbers and names of the settings only: nothing here that an agent can write. */
import type { Decision, Verdict } from "../model/decision.ts";
import type { AnswerEntry } from "../model/session.ts";

/** A part of a connection's way whose time is taken; docs/metrics.md says where each one begins and ends. */
export type Phase = (typeof PHASES)[number];

export const PHASES = ["origin", "login", "lookup", "judge", "record", "sync", "answer"] as const;

export interface PathMeter {
  /** The judges count in here. */
  readonly rulings: { hits: number; misses: number };
  took(phase: Phase, ms: number): void;
  /** One more session is open; `totals` is asked until `ended`. */
  session(about: SessionLabels, totals: () => SessionTotals): SessionMeter;
}

export interface SessionLabels {
  readonly connection: string;
  readonly protocol: string;
}

/** Of one session, since it began. */
export interface SessionTotals {
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly statements: number;
}

export interface RelayedTally {
  readonly asked: readonly { readonly rules: readonly string[]; readonly count: number }[];
  readonly rows: number;
  /** Answers by the time they took: [n] counts those below 2^n microseconds. */
  readonly took: readonly number[];
}

export interface SessionMeter {
  took(phase: Phase, ms: number): void;
  decided(decision: Decision): void;
  /** What was held has ended, or was let go, after so long. */
  settled(verdict: Verdict, waitedMs: number): void;
  answered(entry: AnswerEntry): void;
  /** What a relay has carried past since the last time: told now and then, and when it comes back. */
  relayed(tally: RelayedTally): void;
  /** The recording could not be written. */
  unrecorded(): void;
  /** An answer ran over a limit, so the session was stopped. */
  overran(): void;
  ended(how: "ended" | "fault"): void;
}
