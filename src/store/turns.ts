/** Long work on the one thread that sessions need as well: lets others have their turn now and then. Measures nothing. */
import { setImmediate as turn } from "node:timers/promises";
import { WORK_MS_MAX } from "../base/limits.ts";

export class Turns {
  #sinceMs = performance.now();

  /** To be asked after each piece of work; a promise where it was at work for long enough. */
  due(): Promise<void> | undefined {
    if (performance.now() - this.#sinceMs < WORK_MS_MAX) return undefined;
    return turn().then(() => {
      this.#sinceMs = performance.now();
    });
  }
}
