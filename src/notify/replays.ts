/** Answers that were taken already: none counts twice. Each is kept for longer than its time could be good. */
import { UserError } from "../base/errors.ts";
import { NOTIFY_REPLAYS_MAX, NOTIFY_SKEW_MS } from "../base/limits.ts";

export class Replays {
  /** Until when each is kept, oldest first. */
  readonly #kept = new Map<string, number>();

  /** `proof` by the target whose signature it carries. Throws NOTIFY_REPLAYED, and NOTIFY_BUSY where there is no room. */
  require(target: string, proof: string, nowMs: number): void {
    for (const [key, endsMs] of this.#kept) {
      if (endsMs >= nowMs) break;
      this.#kept.delete(key);
    }
    const key = `${target} ${proof}`;
    if (this.#kept.has(key)) {
      const message = "Cannot take the answer: the same one was sent before";
      throw new UserError("NOTIFY_REPLAYED", message, "See what became of it: sallyport approvals --all");
    }
    if (this.#kept.size >= NOTIFY_REPLAYS_MAX) {
      const message = `Cannot take the answer: ${NOTIFY_REPLAYS_MAX} came within ten minutes`;
      throw new UserError("NOTIFY_BUSY", message, "Answer by the command line, or again in ten minutes", {
        exitCode: 3,
      });
    }
    // Signed up to NOTIFY_SKEW_MS ahead of now, it is good for as long again after that.
    this.#kept.set(key, nowMs + 2 * NOTIFY_SKEW_MS);
  }
}
