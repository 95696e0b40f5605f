/**
 * What limits count, and what rules in shadow would have done. Lives as long as the daemon, beyond any one policy;
 * holds numbers only. A limit counts for one agent on one connection; what is counted leaves its window in steps.
 */
import type { Clock } from "../base/clock.ts";
import { LIMIT_COUNTERS_MAX, LIMIT_STEPS } from "../base/limits.ts";
import type { RuleName, ShadowEffect } from "../model/decision.ts";
import { countsAnswers, type Limited, type LimitTerms } from "../model/limit.ts";

/** What a judge asks before it allows. */
export interface Room {
  /** Why `operations` more do not fit; undefined: they do. */
  refusal(terms: LimitTerms, operations: number): string | undefined;
}

export type ShadowCounts = Readonly<Record<string, number>>;

export class Ledger {
  readonly #clock: Clock;
  readonly #counters = new Map<string, Counter>();
  readonly #shadows = new Map<RuleName, Record<string, number>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** For one session; forgotten with it. */
  session(agent: string, connection: string): SessionUsage {
    return new SessionUsage(this.#clock, (terms) => this.#counterOf(terms, agent, connection));
  }

  noteShadow(rule: RuleName, would: ShadowEffect["would"] | `mask ${string}`): void {
    const counts = this.#shadows.get(rule) ?? {};
    counts[would] = (counts[would] ?? 0) + 1;
    this.#shadows.set(rule, counts);
  }

  /** What the rule would have done, how often, since the daemon started. */
  shadowOf(rule: RuleName): ShadowCounts {
    return this.#shadows.get(rule) ?? {};
  }

  /** A reload may take rules away: what nothing names any more is forgotten. */
  keepShadows(rules: ReadonlySet<RuleName>): void {
    for (const rule of this.#shadows.keys()) if (!rules.has(rule)) this.#shadows.delete(rule);
  }

  #counterOf({ rule, perMs = 0 }: LimitTerms, agent: string, connection: string): Counter | undefined {
    const key = JSON.stringify([rule, perMs, agent, connection]);
    const known = this.#counters.get(key);
    if (known !== undefined) return known;
    if (this.#counters.size >= LIMIT_COUNTERS_MAX) {
      for (const [other, counter] of this.#counters) {
        if (!counter.isEmpty(this.#clock.nowMs())) continue;
        counter.isDropped = true;
        this.#counters.delete(other);
      }
      if (this.#counters.size >= LIMIT_COUNTERS_MAX) return undefined;
    }
    const counter = new Counter(perMs);
    this.#counters.set(key, counter);
    return counter;
  }
}

/** What one session has under way, and where it ran over. */
export class SessionUsage implements Room {
  readonly #clock: Clock;
  readonly #find: (terms: LimitTerms) => Counter | undefined;
  /** Found before: a limit's terms are one object as long as its policy lives. */
  readonly #found = new WeakMap<LimitTerms, Counter>();
  readonly #open = new Map<number, Open>();
  /** Rules without a window whose one operation ran over: this session gets no further one. */
  readonly #over = new Set<RuleName>();

  constructor(clock: Clock, find: (terms: LimitTerms) => Counter | undefined) {
    this.#clock = clock;
    this.#find = find;
  }

  #counterOf(terms: LimitTerms): Counter | undefined {
    const known = this.#found.get(terms);
    if (known?.isDropped === false) return known;
    const found = this.#find(terms);
    if (found !== undefined) this.#found.set(terms, found);
    return found;
  }

  refusal(terms: LimitTerms, operations: number): string | undefined {
    if (terms.perMs === undefined) {
      if (!this.#over.has(terms.rule)) return undefined;
      return `${sayLimit(terms)} was passed in this session; a new session begins anew`;
    }
    const counter = this.#counterOf(terms);
    if (counter === undefined) return "More limits are counted than this daemon has room for; try again later";
    const nowMs = this.#clock.nowMs();
    const freeMs = counter.freeAtMs(nowMs, terms, operations);
    if (freeMs === undefined) return undefined;
    if (freeMs === Number.POSITIVE_INFINITY) return `${sayLimit(terms)} is less than this asks for at once`;
    return `${sayLimit(terms)} is reached; there is room again in ${Math.ceil((freeMs - nowMs) / 1_000)} s`;
  }

  /** It was allowed and goes to the backend. */
  begin(askId: number, limits: readonly Limited[] | undefined): void {
    if (limits === undefined) return;
    const answers = limits.filter(countsAnswers);
    if (answers.length > 0) this.#open.set(askId, { limits: answers, rows: 0, bytes: 0 });
    for (const { terms, operations } of limits) {
      if (terms.perMs !== undefined) this.#counterOf(terms)?.add(this.#clock.nowMs(), 0, 0, operations);
    }
  }

  /** Some of its answer has passed, `rows` and `bytes` of it in all; more follows. A text: that must not follow. */
  progress(askId: number, rows: number, bytes: number): string | undefined {
    const open = this.#open.get(askId);
    return open === undefined ? undefined : this.#charge(open, rows, bytes);
  }

  /** All of it has passed. A text: it ran over, and others of this session that its limit covers are under way. */
  answered(askId: number, rows: number, bytes: number): string | undefined {
    const open = this.#open.get(askId);
    if (open === undefined) return undefined;
    this.#open.delete(askId);
    const over = this.#charge(open, rows, bytes);
    if (over === undefined) return undefined;
    const rules = new Set(open.limits.map(({ terms }) => terms.rule));
    const others = [...this.#open.values()].some(({ limits }) => limits.some(({ terms }) => rules.has(terms.rule)));
    return others ? over : undefined;
  }

  /** Why no more may come. */
  #charge(open: Open, rows: number, bytes: number): string | undefined {
    const more = { rows: rows - open.rows, bytes: bytes - open.bytes };
    open.rows = rows;
    open.bytes = bytes;
    let over: string | undefined;
    for (const { terms, isShadow } of open.limits) {
      if (!this.#passes(terms, open, more)) continue;
      if (terms.perMs === undefined) this.#over.add(terms.rule);
      if (!isShadow) over ??= `${sayLimit(terms)} is passed`;
    }
    return over;
  }

  #passes(terms: LimitTerms, open: Open, more: { readonly rows: number; readonly bytes: number }): boolean {
    if (terms.perMs === undefined) {
      return open.rows > (terms.rows ?? Number.MAX_VALUE) || open.bytes > (terms.bytes ?? Number.MAX_VALUE);
    }
    const counter = this.#counterOf(terms);
    if (counter === undefined) return true;
    const nowMs = this.#clock.nowMs();
    counter.add(nowMs, more.rows, more.bytes, 0);
    return counter.isPassed(nowMs, terms);
  }
}

interface Open {
  readonly limits: readonly Limited[];
  rows: number;
  bytes: number;
}

/** Sums over a window of LIMIT_STEPS steps and the one that runs: nothing leaves it too early. */
class Counter {
  /** It stands for nothing any more: whoever counts finds another one. */
  isDropped = false;
  readonly #stepMs: number;
  readonly #steps = LIMIT_STEPS + 1;
  /** Rows, bytes and statements of each step, by its number modulo their count. */
  readonly #sums: Float64Array;
  /** Number of the newest step. A clock that was set back goes on counting there. */
  #newest = 0;

  constructor(perMs: number) {
    this.#stepMs = Math.max(1, perMs / LIMIT_STEPS);
    this.#sums = new Float64Array(this.#steps * KINDS.length);
  }

  add(nowMs: number, ...amounts: readonly [rows: number, bytes: number, statements: number]): void {
    this.#advance(nowMs);
    const at = (this.#newest % this.#steps) * KINDS.length;
    amounts.forEach((amount, kind) => {
      this.#sums[at + kind] = (this.#sums[at + kind] ?? 0) + amount;
    });
  }

  isPassed(nowMs: number, terms: LimitTerms): boolean {
    this.#advance(nowMs);
    return KINDS.some((kind, at) => this.#sum(at) > (terms[kind] ?? Number.MAX_VALUE));
  }

  isEmpty(nowMs: number): boolean {
    this.#advance(nowMs);
    return KINDS.every((_, at) => this.#sum(at) === 0);
  }

  /** When there is room for a row, a byte and `operations`; undefined: now. Infinity: never for so many at once. */
  freeAtMs(nowMs: number, terms: LimitTerms, operations: number): number | undefined {
    this.#advance(nowMs);
    const wants = { rows: 1, bytes: 1, statements: operations };
    let free: number | undefined;
    KINDS.forEach((kind, at) => {
      const most = terms[kind];
      if (most === undefined) return;
      let left = this.#sum(at);
      // from the oldest step on: how many must leave?
      for (let step = this.#newest - LIMIT_STEPS; left + wants[kind] > most; step++) {
        if (step > this.#newest) {
          free = Number.POSITIVE_INFINITY;
          return;
        }
        left -= this.#amount(step, at);
        free = Math.max(free ?? 0, (step + this.#steps) * this.#stepMs);
      }
    });
    return free;
  }

  #amount(step: number, kind: number): number {
    return step < 0 ? 0 : (this.#sums[(step % this.#steps) * KINDS.length + kind] ?? 0);
  }

  #sum(kind: number): number {
    let sum = 0;
    for (let at = kind; at < this.#sums.length; at += KINDS.length) sum += this.#sums[at] ?? 0;
    return sum;
  }

  /** Clears the steps that have left the window. */
  #advance(nowMs: number): void {
    const step = Math.floor(nowMs / this.#stepMs);
    if (step - this.#newest >= this.#steps) this.#sums.fill(0);
    else {
      for (let gone = this.#newest + 1; gone <= step; gone++) {
        const at = (gone % this.#steps) * KINDS.length;
        this.#sums.fill(0, at, at + KINDS.length);
      }
    }
    this.#newest = Math.max(this.#newest, step);
  }
}

const KINDS = ["rows", "bytes", "statements"] as const;

/** "The limit of rule r (1000 rows in 60 s)" */
function sayLimit(terms: LimitTerms): string {
  const amounts = KINDS.flatMap((kind) => (terms[kind] === undefined ? [] : [`${terms[kind]} ${kind}`]));
  const per = terms.perMs === undefined ? "an operation" : `in ${terms.perMs / 1_000} s`;
  return `The limit of rule ${terms.rule} (${amounts.join(", ")} ${per})`;
}
