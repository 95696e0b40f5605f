/**
 * What was sent over a connection that answers nothing: it counts as taken once more has followed than can be in
 * flight, or once the connection has stayed whole for long. Until then it is sent again if the connection breaks.
 */
import { SYSLOG_MARKS_MAX, SYSLOG_SETTLE_MS } from "../base/limits.ts";

interface Mark<T> {
  readonly value: T;
  /** Sent up to and with it. */
  readonly sentBytes: number;
  readonly atMs: number;
}

export class Settling<T> {
  readonly #resendBytes: number;
  #marks: Mark<T>[] = [];
  #sentBytes = 0;

  constructor(resendBytes: number) {
    this.#resendBytes = resendBytes;
  }

  get isEmpty(): boolean {
    return this.#marks.length === 0;
  }

  /** When the oldest of it settles by time; undefined: there is none. */
  get dueMs(): number | undefined {
    const [oldest] = this.#marks;
    return oldest === undefined ? undefined : oldest.atMs + SYSLOG_SETTLE_MS;
  }

  add(value: T, bytes: number, atMs: number): void {
    this.#sentBytes += bytes;
    // Of two neighbours the later one stands for both: that only keeps more of it unsettled.
    if (this.#marks.length >= SYSLOG_MARKS_MAX) this.#marks = this.#marks.filter((_, index) => index % 2 === 1);
    this.#marks.push({ value, sentBytes: this.#sentBytes, atMs });
  }

  /** The newest that counts as taken now; undefined: nothing more than before. */
  settled(nowMs: number): T | undefined {
    let last: T | undefined;
    for (let mark = this.#marks[0]; mark !== undefined; mark = this.#marks[0]) {
      const isOld = nowMs - mark.atMs >= SYSLOG_SETTLE_MS;
      if (!isOld && this.#sentBytes - mark.sentBytes < this.#resendBytes) break;
      last = mark.value;
      this.#marks.shift();
    }
    return last;
  }

  /** The connection broke. */
  forget(): void {
    this.#marks = [];
  }
}
