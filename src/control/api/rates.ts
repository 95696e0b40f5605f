/** How fast each caller may ask: a bucket each, which fills with time. Counts only; says nothing of who may what. */
import type { Clock } from "../../base/clock.ts";
import {
  API_CALLERS_MAX,
  API_FAILURE_BURST,
  API_FAILURES_PER_SECOND,
  API_RATE_BURST,
  API_RATE_PER_SECOND,
  API_ROOT_RATE_BURST,
  API_ROOT_RATE_PER_SECOND,
  API_SIGN_IN_BURST,
  API_SIGN_INS_PER_SECOND,
} from "../../base/limits.ts";
import { networkOf } from "../../base/network.ts";
import { ApiFault } from "./faults.ts";

interface Bucket {
  left: number;
  atMs: number;
  /** It was empty and has not been full since. */
  isDry: boolean;
}

class Buckets {
  readonly #perSecond: number;
  readonly #burst: number;
  /** In the order of use. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(perSecond: number, burst: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
  }

  /** A fault where nothing is left. */
  take(who: string, nowMs: number): RateFault | undefined {
    const known = this.#buckets.get(who) ?? { left: this.#burst, atMs: nowMs, isDry: false };
    const earned = (Math.max(0, nowMs - known.atMs) / 1_000) * this.#perSecond;
    const left = Math.min(this.#burst, known.left + earned);
    const wasDry = known.isDry && left < this.#burst;
    const isDry = left < 1;
    this.#buckets.delete(who);
    if (this.#buckets.size >= API_CALLERS_MAX) this.#buckets.delete(this.#buckets.keys().next().value ?? "");
    this.#buckets.set(who, { left: isDry ? left : left - 1, atMs: nowMs, isDry: isDry || wasDry });
    return isDry ? new RateFault(Math.ceil((1 - left) / this.#perSecond), !wasDry) : undefined;
  }
}

/** Too fast. */
export class RateFault extends ApiFault {
  readonly retryAfterS: number;
  /** Of those in a row: the others are not told. */
  readonly isFirst: boolean;

  constructor(retryAfterS: number, isFirst: boolean) {
    const message = `Cannot serve that many requests of one caller: ask again in ${retryAfterS} s`;
    super(429, "API_RATE", message, "Ask less often; the header Retry-After says when");
    this.retryAfterS = retryAfterS;
    this.isFirst = isFirst;
  }
}

export class Rates {
  readonly #clock: Clock;
  readonly #root = new Buckets(API_ROOT_RATE_PER_SECOND, API_ROOT_RATE_BURST);
  readonly #others = new Buckets(API_RATE_PER_SECOND, API_RATE_BURST);
  readonly #nobodies = new Buckets(API_FAILURES_PER_SECOND, API_FAILURE_BURST);
  readonly #signIns = new Buckets(API_SIGN_INS_PER_SECOND, API_SIGN_IN_BURST);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A request of a user, before anything that was shown is looked at. Throws RateFault. */
  ofUser(uid: number): void {
    refuse((uid === 0 ? this.#root : this.#others).take(`uid ${uid}`, this.#clock.nowMs()));
  }

  /** A step of signing in over TLS, by who shows nothing yet. Throws RateFault. */
  ofSignIn(address: string): void {
    refuse(this.#signIns.take(networkOf(address), this.#clock.nowMs()));
  }

  /** A request of a human, from wherever. Throws RateFault. */
  ofHuman(id: string): void {
    refuse(this.#others.take(`human ${id}`, this.#clock.nowMs()));
  }

  /** One of somebody who is nobody; undefined: not too many yet. What others show from there is served all the same. */
  ofNobody(who: string): RateFault | undefined {
    return this.#nobodies.take(who, this.#clock.nowMs());
  }
}

function refuse(fault: RateFault | undefined): void {
  if (fault !== undefined) throw fault;
}
