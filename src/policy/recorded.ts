/** What a recording keeps of one ask, as far as a policy can judge it again. Plain values. */
import type { Agent } from "../model/identity.ts";
import type { Asked } from "../model/operation.ts";
import type { Origin } from "../model/origin.ts";
import type { Subject } from "./decide.ts";
import type { SubjectConnection } from "./facts.ts";

export interface RecordedAsk {
  readonly session: string;
  /** Of its line among the session's entries, from 1. */
  readonly number: number;
  readonly atMs: number;
  readonly agent: Agent;
  readonly origin: Origin;
  /** With the labels of today. */
  readonly connection: SubjectConnection;
  /** Texts as they were recorded. */
  readonly asked: readonly Asked[];
  /** Facts were too long to be kept: it cannot be judged again. */
  readonly isPartial: boolean;
  /** What the rules said; of an observed agent what they would have said. */
  readonly decision: "allow" | "deny" | "hold";
  readonly rules: readonly string[];
  /** Of what was held: whether people let it go. */
  readonly wasLetGo?: boolean;
  readonly wasObserved: boolean;
}

/** At the time of the ask, with every limit having room. */
export function subjectOfRecorded({ session, atMs, agent, origin, connection }: RecordedAsk): Subject {
  return {
    ...{ sessionId: session, agent, origin, connection },
    clock: { nowMs: () => atMs },
    room: { refusal: () => undefined },
  };
}

/** Asks that are nobody's statement: the protocol's own housekeeping. */
export function isHousekeeping({ asked }: RecordedAsk): boolean {
  return asked.every(({ operation }) => operation.actions.length === 0 && operation.forbidden === undefined);
}
