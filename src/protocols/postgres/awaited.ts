/** The queue of answers that the server owes, in the order in which their messages were forwarded. */
import { ProtocolError } from "../../base/errors.ts";
import type { Answer, Step } from "./steps.ts";

export interface AwaitedWorld {
  /** Where the client waits for this step, it waits no more. */
  lift(step: Step): void;
  answerDone(answer: Answer): void;
}

export class Awaited {
  readonly #world: AwaitedWorld;
  readonly #steps: Step[] = [];
  #head = 0;
  /** After an error the server skips everything until the next Sync. */
  #skipping = false;

  constructor(world: AwaitedWorld) {
    this.#world = world;
  }

  get count(): number {
    return this.#steps.length - this.#head;
  }

  /** Whether the server ignores everything before the next Sync. */
  get isSkipping(): boolean {
    return this.#skipping;
  }

  /** What the server answers now; undefined when nothing is awaited. */
  get head(): Step | undefined {
    return this.#steps[this.#head];
  }

  /** The same; throws SERVER_MESSAGE when nothing is awaited. */
  current(): Step {
    const step = this.#steps[this.#head];
    if (step === undefined) throw unexpected("that nobody asked for");
    return step;
  }

  push(steps: readonly Step[]): void {
    if (this.#head > COMPACT_AT) {
      this.#steps.splice(0, this.#head);
      this.#head = 0;
    }
    for (const step of steps) {
      if (step.kind === "sync") this.#skipping = false;
      if (this.#skipping) this.#drop(step);
      else this.#steps.push(step);
    }
  }

  /** The head is answered. */
  done(step: Step): void {
    this.#head++;
    if (this.#head === this.#steps.length) {
      this.#steps.length = 0;
      this.#head = 0;
    }
    this.#world.lift(step);
    if (step.answer) this.#release(step.answer);
  }

  /** The head failed, and so does what comes before the next Sync. */
  failSeries(): void {
    this.#skipping = true;
    for (let next = this.head; next !== undefined; next = this.head) {
      if (next.kind === "sync") {
        this.#skipping = false;
        return;
      }
      this.#head++;
      this.#drop(next);
    }
  }

  /** A copy has begun in the head: the server ignores a Sync that was sent ahead. */
  dropSyncs(): void {
    while (this.#steps[this.#head + 1]?.kind === "sync") {
      const [sync] = this.#steps.splice(this.#head + 1, 1);
      if (sync?.answer) this.#release(sync.answer);
    }
  }

  /** The server has not handled the message, or failed at it. */
  #drop(step: Step): void {
    if (step.kind === "parse" || step.kind === "bind" || step.kind === "close") step.change?.drop();
    this.#world.lift(step);
    if (step.answer === undefined) return;
    step.answer.error ??= SKIPPED;
    this.#release(step.answer);
  }

  #release(answer: Answer): void {
    answer.open--;
    if (answer.open === 0) this.#world.answerDone(answer);
  }
}

/** Answered steps that are kept before the queue is shifted. */
const COMPACT_AT = 1_024;
const SKIPPED = Object.freeze({ code: "skipped", message: "An earlier message of the series failed" });

export function unexpected(what: string): ProtocolError {
  return new ProtocolError("SERVER_MESSAGE", `Cannot go on: the server sent a message ${what}`);
}
