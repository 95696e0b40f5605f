/** The daemon's life: what was started is ended in reverse, and what must be done again and again is. Starts nothing itself. */
import { messageOf } from "../base/errors.ts";
import type { Log } from "../base/log.ts";

/** What was started, ended in reverse; the API last, since it tells how the end went. */
export class Life {
  readonly #ends: (() => unknown)[] = [];
  readonly #leaves: (() => unknown)[] = [];
  readonly #timers: NodeJS.Timeout[] = [];
  #ending: Promise<void> | undefined;
  #left: () => void = () => {};
  readonly left = new Promise<void>((resolve) => {
    this.#left = resolve;
  });

  atEnd(step: () => unknown): void {
    this.#ends.push(step);
  }

  atLeave(step: () => unknown): void {
    this.#leaves.push(step);
  }

  /** One round at a time; a round that fails is told once for the same fault, and the next one comes all the same. */
  every(ms: number, round: () => Promise<void>, log: Log): void {
    let busy = false;
    let told: string | undefined; // a disk that is full is full for many rounds
    const timer = setInterval(async () => {
      if (busy) return;
      busy = true;
      try {
        await round();
        told = undefined;
      } catch (error) {
        const message = messageOf(error);
        if (message !== told) log.error("A round of upkeep failed", { error: message });
        told = message;
      }
      busy = false;
    }, ms);
    this.#timers.push(timer);
  }

  get isEnding(): boolean {
    return this.#ending !== undefined;
  }

  end(): Promise<void> {
    this.#ending ??= this.#endAll();
    return this.#ending;
  }

  leave(): void {
    Promise.all(this.#leaves.splice(0).map((step) => step())).then(this.#left, this.#left);
  }

  async #endAll(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    for (const step of this.#ends.reverse()) await step();
  }
}
