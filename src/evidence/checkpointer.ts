/**
 * Makes checkpoints: now and then, where something was recorded or told since the last one. What a checkpoint could
 * not carry is carried by the next.
 */
import type { KeyObject } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import { CHECKPOINT_ROOTS_MAX } from "../base/limits.ts";
import type { AuditEvent } from "../model/event.ts";
import type { Recorder, Root } from "../recorder/recorder.ts";
import {
  type Checkpoint,
  checkpointEvent,
  FIRST_PREVIOUS,
  identityOf,
  signCheckpoint,
  textOfRoots,
} from "./checkpoint.ts";

export interface CheckpointerParts {
  readonly clock: Clock;
  readonly key: KeyObject;
  readonly recorder: Pick<Recorder, "takeRoots" | "giveBack">;
  readonly trail: Trail;
  /** The newest checkpoint of the trail, as it was found at the start. */
  readonly last: Checkpoint | undefined;
}

/** The audit trail as a checkpoint sees it. */
export interface Trail {
  /** Of the newest line that is kept. */
  head(): { readonly seq: number; readonly hash: string };
  emit(event: AuditEvent): void;
  /** What was emitted before is kept, or counted in `lost`. */
  flush(): Promise<void>;
  readonly lost: number;
}

export class Checkpointer {
  readonly #parts: CheckpointerParts;
  #last: Checkpoint | undefined;
  /** The trail as it was right behind the newest checkpoint; "" where more stands there already. */
  #covered = "";
  #running: Promise<void> = Promise.resolve();

  constructor(parts: CheckpointerParts) {
    this.#parts = parts;
    this.#last = parts.last;
  }

  get last(): Checkpoint | undefined {
    return this.#last;
  }

  /** Resolves when all that was recorded and told before this call is under a checkpoint, if the trail takes one. */
  checkpoint(): Promise<void> {
    this.#running = this.#running.catch(() => {}).then(() => this.#make());
    return this.#running;
  }

  async #make(): Promise<void> {
    const { recorder, trail } = this.#parts;
    let roots = recorder.takeRoots();
    await trail.flush();
    while (roots.length > 0 || trail.head().hash !== this.#covered) {
      const now = roots.slice(0, CHECKPOINT_ROOTS_MAX);
      if (!(await this.#carry(now))) {
        recorder.giveBack(roots);
        return;
      }
      roots = roots.slice(CHECKPOINT_ROOTS_MAX);
      if (roots.length === 0) return; // what others told meanwhile is the next one's
    }
  }

  /** False: the trail did not take it. */
  async #carry(roots: readonly Root[]): Promise<boolean> {
    const { clock, key, trail } = this.#parts;
    const head = trail.head();
    const checkpoint = signCheckpoint(
      {
        number: (this.#last?.number ?? 0) + 1,
        atMs: clock.nowMs(),
        ...head,
        roots: textOfRoots(roots),
        previous: this.#last === undefined ? FIRST_PREVIOUS : identityOf(this.#last),
      },
      key,
    );
    const { lost } = trail;
    trail.emit(checkpointEvent(checkpoint));
    await trail.flush();
    if (trail.lost !== lost) return false;
    this.#last = checkpoint;
    const after = trail.head();
    this.#covered = after.seq === head.seq + 1 ? after.hash : "";
    return true;
  }
}
