/** Approvals that stand for a time: the same shape passes again without a question. In memory; a restart ends them. */
import type { Clock } from "../base/clock.ts";
import { STANDING_APPROVALS_MAX } from "../base/limits.ts";

export interface Standing {
  /** The hold that was answered. */
  readonly hold: string;
  readonly by: readonly string[];
  readonly untilMs: number;
}

export class StandingApprovals {
  readonly #clock: Clock;
  readonly #byShape = new Map<string, Standing>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The oldest makes room: what is asked again is merely asked. */
  add(shape: string, standing: Standing): void {
    this.#byShape.delete(shape);
    for (const [other, { untilMs }] of this.#byShape) if (untilMs <= this.#clock.nowMs()) this.#byShape.delete(other);
    const [oldest] = this.#byShape.keys();
    if (this.#byShape.size >= STANDING_APPROVALS_MAX && oldest !== undefined) this.#byShape.delete(oldest);
    this.#byShape.set(shape, standing);
  }

  /** A shape names agent, connection, rules and policy, too; "" is none. */
  find(shape: string): Standing | undefined {
    const found = shape === "" ? undefined : this.#byShape.get(shape);
    return found !== undefined && found.untilMs > this.#clock.nowMs() ? found : undefined;
  }

  /** Somebody thought better of it. False: that hold's approval does not stand. */
  end(hold: string): boolean {
    for (const [shape, standing] of this.#byShape) {
      if (standing.hold === hold) return this.#byShape.delete(shape);
    }
    return false;
  }
}
