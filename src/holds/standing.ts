/** Approvals that stand for a time: the same shape passes again without a question. In memory; a restart ends them. */
import type { Clock } from "../base/clock.ts";
import { STANDING_APPROVALS_MAX } from "../base/limits.ts";
import { haveCommon } from "../model/human.ts";
import type { Judging } from "./entitled.ts";
import type { HoldRecord, Vote } from "./record.ts";
import { delegationsOf } from "./vote.ts";

export interface Standing {
  /** The hold that was answered. */
  readonly hold: string;
  readonly by: readonly string[];
  readonly untilMs: number;
  /** All accounts of those people, and of those in whose place they answered. */
  readonly accounts: readonly string[];
  /** Of those people. */
  readonly votes: readonly Vote[];
}

/** Of one that enough have approved: for the shortest time that anybody gave; one who gave none means once. */
export function standingOf(record: HoldRecord, judging: Judging & { readonly clock: Clock }): Standing | undefined {
  const { id, shape, votes } = record;
  const forMs = Math.min(...votes.map((vote) => vote.forMs ?? 0));
  if (forMs === 0 || shape === "") return undefined;
  const loans = votes.flatMap(delegationsOf).flatMap((delegation) => judging.standing(delegation) ?? []);
  const lenders = loans.flatMap(({ accounts, through }) => [...accounts, ...through]);
  return {
    ...{ hold: id, by: votes.map(({ name }) => name), votes },
    accounts: [...votes.flatMap(({ accounts }) => accounts), ...lenders],
    untilMs: Math.min(judging.clock.nowMs() + forMs, ...loans.map(({ endsMs }) => endsMs)),
  };
}

export class StandingApprovals {
  readonly #clock: Clock;
  readonly #judging: Judging;
  readonly #byShape = new Map<string, Standing>();

  constructor(clock: Clock, judging: Judging) {
    this.#clock = clock;
    this.#judging = judging;
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
    const { humansOf, standing } = this.#judging;
    // one that lends nothing at the moment; what it gave is ended when it ends
    if (found.votes.flatMap(delegationsOf).some((delegation) => standing(delegation) === undefined)) return undefined;
    return haveCommon(humansOf(found.accounts), humansOf(startedBy)) ? undefined : found;
  }

  /** What they were given for is not in force any more. */
  endAll(): void {
    this.#byShape.clear();
  }

  /** Ends those that one of these votes was needed for; their holds. */
  endOf(isMeant: (vote: Vote) => boolean): readonly string[] {
    const over = [...this.#byShape.values()].filter(({ votes }) => votes.some(isMeant)).map(({ hold }) => hold);
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
