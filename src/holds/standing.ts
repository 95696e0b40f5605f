/** Approvals that stand for a time: the same shape passes again without a question. In memory; a restart ends them. */
import type { Clock } from "../base/clock.ts";
import { STANDING_APPROVALS_MAX } from "../base/limits.ts";
import { type HumansOf, haveCommon } from "../model/human.ts";
import type { HoldRecord, Vote } from "./record.ts";

export interface Standing {
  /** The hold that was answered. */
  readonly hold: string;
  readonly by: readonly string[];
  readonly untilMs: number;
  /** Of those people. */
  readonly votes: readonly Vote[];
}

export class StandingApprovals {
  readonly #clock: Clock;
  readonly #humansOf: HumansOf;
  readonly #byShape = new Map<string, Standing>();

  constructor(clock: Clock, humansOf: HumansOf) {
    this.#clock = clock;
    this.#humansOf = humansOf;
  }

  /** The oldest makes room: what is asked again is merely asked. */
  add(shape: string, standing: Standing): void {
    this.#byShape.delete(shape);
    for (const [other, { untilMs }] of this.#byShape) if (untilMs <= this.#clock.nowMs()) this.#byShape.delete(other);
    const [oldest] = this.#byShape.keys();
    if (this.#byShape.size >= STANDING_APPROVALS_MAX && oldest !== undefined) this.#byShape.delete(oldest);
    this.#byShape.set(shape, standing);
  }

  /**
   * A shape names agent, connection, rules and policy, too; "" is none. Nobody's approval stands for an agent that they
   * have started themselves, though somebody else had started the one that they answered.
   */
  find(shape: string, startedBy: readonly string[]): Standing | undefined {
    const found = shape === "" ? undefined : this.#byShape.get(shape);
    if (found === undefined || found.untilMs <= this.#clock.nowMs()) return undefined;
    const givers = this.#humansOf(found.votes.flatMap(({ accounts }) => accounts));
    return haveCommon(givers, this.#humansOf(startedBy)) ? undefined : found;
  }

  /** What they were given for is not in force any more. */
  endAll(): void {
    this.#byShape.clear();
  }

  /** Those that one of these votes was needed for; their holds. */
  endOf(isTheirs: (vote: Vote) => boolean): readonly string[] {
    const over = [...this.#byShape.values()].filter(({ votes }) => votes.some(isTheirs)).map(({ hold }) => hold);
    return over.filter((hold) => this.end(hold));
  }

  /** Somebody thought better of it. False: that hold's approval does not stand. */
  end(hold: string): boolean {
    for (const [shape, standing] of this.#byShape) {
      if (standing.hold === hold) return this.#byShape.delete(shape);
    }
    return false;
  }
}

/** For the shortest time that anybody gave; one who gave none means once. Undefined: it stands for nothing more. */
export function standingOf({ id, shape, votes }: HoldRecord, nowMs: number): Standing | undefined {
  const forMs = Math.min(...votes.map((vote) => vote.forMs ?? 0));
  if (forMs === 0 || shape === "") return undefined;
  return { hold: id, by: votes.map(({ name }) => name), votes, untilMs: nowMs + forMs };
}
