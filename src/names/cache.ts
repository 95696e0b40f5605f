/** Answers of nameservers for their TTL; one question under way for all who ask the same. Judges nobody. */
import type { Clock } from "../base/clock.ts";
import { LEARNED_MAX_MS, NAMES_CACHED_MAX, NAMES_NEGATIVE_MS } from "../base/limits.ts";
import type { Answered } from "./message.ts";
import type { Ask } from "./upstream.ts";

export class AnswerCache {
  readonly #ask: Ask;
  readonly #clock: Clock;
  readonly #kept = new Map<string, { readonly answered: Answered; readonly atMs: number; readonly untilMs: number }>();
  readonly #underWay = new Map<string, Promise<Answered>>();

  constructor(ask: Ask, clock: Clock) {
    this.#ask = ask;
    this.#clock = clock;
  }

  /** With TTLs that count from now. Undefined: nobody asked lately. */
  kept(name: string, type: number): Answered | undefined {
    const key = `${type} ${name}`;
    const found = this.#kept.get(key);
    if (found === undefined) return undefined;
    const nowMs = this.#clock.nowMs();
    if (nowMs >= found.untilMs) {
      this.#kept.delete(key);
      return undefined;
    }
    const pastS = Math.max(0, Math.floor((nowMs - found.atMs) / 1_000));
    const { rcode, records } = found.answered;
    return { rcode, records: records.map((record) => ({ ...record, ttl: Math.max(0, record.ttl - pastS) })) };
  }

  /** Rejects as the nameservers do. */
  ask(name: string, type: number): Promise<Answered> {
    const key = `${type} ${name}`;
    const underWay = this.#underWay.get(key);
    if (underWay !== undefined) return underWay;
    const asked = this.#ask(name, type)
      .then((answered) => this.#keep(key, answered))
      .finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, asked);
    return asked;
  }

  #keep(key: string, { rcode, records: all }: Answered): Answered {
    const records = all.map((record) => ({ ...record, ttl: Math.min(record.ttl, LEARNED_MAX_MS / 1_000) }));
    const answered = { rcode, records };
    const ttlMs = Math.min(...records.map(({ ttl }) => ttl * 1_000), LEARNED_MAX_MS);
    const keepMs = records.length === 0 ? NAMES_NEGATIVE_MS : ttlMs;
    if (keepMs <= 0) return answered;
    if (this.#kept.size >= NAMES_CACHED_MAX) this.#kept.delete(this.#kept.keys().next().value ?? "");
    const atMs = this.#clock.nowMs();
    this.#kept.set(key, { answered, atMs, untilMs: atMs + keepMs });
    return answered;
  }
}
