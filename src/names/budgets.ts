/** How much of the resolver one agent may use. Counts only; every map has a maximum. */
import type { Clock } from "../base/clock.ts";
import {
  NAMES_BURST_MAX,
  NAMES_PER_SECOND_MAX,
  NAMES_TOLD_MAX,
  NAMES_TOLD_MS,
  NAMES_TOLD_PER_AGENT_MAX,
  NAMES_WAITING_MAX,
  NAMES_WAITING_PER_AGENT_MAX,
} from "../base/limits.ts";

/** Questions that may go upstream, by agent: a bucket that fills with time. Agents are few: slots of the kernel. */
export class Buckets {
  readonly #clock: Clock;
  readonly #left = new Map<number, { left: number; atMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  take(agent: number): boolean {
    const nowMs = this.#clock.nowMs();
    const bucket = this.#left.get(agent) ?? { left: NAMES_BURST_MAX, atMs: nowMs };
    const earned = (Math.max(0, nowMs - bucket.atMs) / 1_000) * NAMES_PER_SECOND_MAX;
    const left = Math.min(NAMES_BURST_MAX, bucket.left + earned);
    this.#left.set(agent, { left: left >= 1 ? left - 1 : left, atMs: nowMs });
    return left >= 1;
  }
}

/** Questions under way, by agent and in all. */
export class Waiting {
  readonly #perAgent = new Map<number, number>();
  #all = 0;

  get count(): number {
    return this.#all;
  }

  /** False when there is no room; else to be left again. */
  enter(agent: number): boolean {
    const own = this.#perAgent.get(agent) ?? 0;
    if (this.#all >= NAMES_WAITING_MAX || own >= NAMES_WAITING_PER_AGENT_MAX) return false;
    this.#all += 1;
    this.#perAgent.set(agent, own + 1);
    return true;
  }

  leave(agent: number): void {
    this.#all -= 1;
    const own = (this.#perAgent.get(agent) ?? 1) - 1;
    if (own > 0) this.#perAgent.set(agent, own);
    else this.#perAgent.delete(agent);
  }
}

/**
 * What is worth an event: the same thing once in NAMES_TOLD_MS (a client asks for A and AAAA, by every search domain, and
 * again), and of one agent no more than NAMES_TOLD_PER_AGENT_MAX in that time. Counters have the rest.
 */
export class Told {
  readonly #clock: Clock;
  readonly #at = new Map<string, number>();
  readonly #agents = new Map<number, { sinceMs: number; count: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** "last": say that more follows untold. */
  judge(agent: number, what: string): "tell" | "last" | "silent" {
    const nowMs = this.#clock.nowMs();
    const key = `${agent} ${what}`;
    const atMs = this.#at.get(key);
    if (atMs !== undefined && nowMs - atMs < NAMES_TOLD_MS) return "silent";
    const known = this.#agents.get(agent);
    const window = known !== undefined && nowMs - known.sinceMs < NAMES_TOLD_MS ? known : { sinceMs: nowMs, count: 0 };
    this.#agents.set(agent, window);
    window.count += 1;
    if (window.count > NAMES_TOLD_PER_AGENT_MAX)
      return window.count === NAMES_TOLD_PER_AGENT_MAX + 1 ? "last" : "silent";
    this.#at.delete(key); // to the end: the map's order is that of time
    if (this.#at.size >= NAMES_TOLD_MAX) this.#at.delete(this.#at.keys().next().value ?? "");
    this.#at.set(key, nowMs);
    return "tell";
  }
}
