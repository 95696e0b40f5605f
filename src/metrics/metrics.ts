/**
 * What the daemon counts: the data path through a narrow meter, everything else read from its owner when somebody
 * asks. Judges and stores nothing; a label's value is never what an agent wrote.
 */
import type { Decision, Verdict } from "../model/decision.ts";
import type { AnswerEntry } from "../model/session.ts";
import { CATALOGUE, HOLD_BOUNDS, PHASE_BOUNDS } from "./catalogue.ts";
import { exposition, type Metric, type Reading } from "./exposition.ts";
import { Counter, Family, Histogram } from "./instruments.ts";
import {
  type PathMeter,
  PHASES,
  type Phase,
  type SessionLabels,
  type SessionMeter,
  type SessionTotals,
} from "./meter.ts";

type Name = keyof typeof CATALOGUE;
/** What has an instrument in here. */
type Counted = (typeof COUNTED)[number];

const COUNTED = [
  ...[
    "sessionsStarted",
    "sessionsEnded",
    "decisions",
    "statements",
    "rules",
    "limits",
    "limitStops",
    "relayed",
    "rows",
  ],
  ...["bytes", "masks", "holds", "recordFailures", "events", "sessionsOpen"],
] as const satisfies readonly Name[];

/** What is read from its owner when somebody asks, by the metric's key in the catalogue. */
export type Readings = Partial<Readonly<Record<Exclude<Name, Counted>, readonly Reading[]>>>;

/** Totals of a live session that are counted already. */
interface Live {
  readonly totals: () => SessionTotals;
  counted: SessionTotals;
  readonly connection: string;
}

/** Of the times between one power of two and the next. */
const MIDDLE = 0.75;
const NOTHING: SessionTotals = { bytesIn: 0, bytesOut: 0, statements: 0 };

export class Metrics implements PathMeter {
  readonly rulings = { hits: 0, misses: 0 };
  readonly #counted = Object.fromEntries(
    COUNTED.map((name) => [name, new Family(CATALOGUE[name].labels.length, () => new Counter())]),
  ) as Record<Counted, Family<Counter>>;
  readonly #phases = Object.fromEntries(PHASES.map((phase) => [phase, new Histogram(PHASE_BOUNDS)])) as Record<
    Phase,
    Histogram
  >;
  readonly #holdWait = new Histogram(HOLD_BOUNDS);
  readonly #live = new Set<Live>();
  readonly #isLimit: (rule: string) => boolean;

  /** `isLimit`: whether the policy in force has a limit of that name. */
  constructor(isLimit: (rule: string) => boolean) {
    this.#isLimit = isLimit;
  }

  took(phase: Phase, ms: number): void {
    this.#phases[phase].observe(ms / 1_000);
  }

  event(kind: string): void {
    this.#counted.events.of(kind).add();
  }

  session({ connection, protocol }: SessionLabels, totals: () => SessionTotals): SessionMeter {
    const { sessionsStarted, sessionsOpen, sessionsEnded, decisions, rules, limits, relayed, rows, masks, holds } =
      this.#counted;
    const live: Live = { totals, counted: NOTHING, connection };
    this.#live.add(live);
    sessionsStarted.of(connection, protocol).add();
    const open = sessionsOpen.of(connection, protocol);
    open.add();
    const decided = (kind: string) => decisions.of(connection, kind);
    const byKind = {
      allow: decided("allow"),
      deny: decided("deny"),
      hold: decided("hold"),
      observed: decided("observed"),
    };
    const ownRows = rows.of(connection);
    // Of an operation that is allowed again and again the list is the same one.
    let allowing: { readonly rules: readonly string[]; readonly counters: readonly Counter[] } | undefined;
    const allowedBy = (names: readonly string[]) => {
      if (allowing?.rules !== names)
        allowing = { rules: names, counters: names.map((rule) => rules.of(rule, "allow")) };
      return allowing.counters;
    };
    return {
      took: (phase, ms) => this.took(phase, ms),
      decided: (decision) => {
        const kind = kindOf(decision);
        byKind[kind].add();
        if (kind === "allow") {
          for (const counter of allowedBy(decision.rules)) counter.add();
          return;
        }
        for (const rule of reasonsOf(decision)) {
          rules.of(rule, kind).add();
          if (decision.kind === "deny" && this.#isLimit(rule)) limits.of(rule).add();
        }
      },
      settled: (verdict, waitedMs) => {
        this.#holdWait.observe(waitedMs / 1_000);
        holds.of(connection, resultOf(verdict)).add();
      },
      answered: (entry: AnswerEntry) => {
        if (entry.rows > 0) ownRows.add(entry.rows);
        for (const { by, count } of entry.masks) masks.of(by).add(count);
      },
      relayed: ({ asked, rows: more, took }) => {
        for (const { rules: allowing, count } of asked) {
          byKind.allow.add(count);
          relayed.of(connection).add(count);
          for (const rule of allowing) rules.of(rule, "allow").add(count);
        }
        if (more > 0) ownRows.add(more);
        took.forEach((count, power) => {
          if (count > 0) this.#phases.answer.observe((MIDDLE * 2 ** power) / 1e6, count);
        });
      },
      unrecorded: () => this.#counted.recordFailures.of(connection).add(),
      overran: () => this.#counted.limitStops.of(connection).add(),
      ended: (how) => {
        if (!this.#live.delete(live)) return;
        this.#count(live);
        open.add(-1);
        sessionsEnded.of(connection, protocol, how).add();
      },
    };
  }

  /** All of it in the text format; `read` is what the owners say at this moment. */
  text(read: Readings): string {
    for (const live of this.#live) this.#count(live);
    return exposition(this.#metrics(read));
  }

  *#metrics(read: Readings): Generator<Metric> {
    for (const [name, definition] of Object.entries(CATALOGUE) as [Name, (typeof CATALOGUE)[Name]][]) {
      yield { definition, readings: this.#readingsOf(name, read) };
    }
  }

  #readingsOf(name: Name, read: Readings): readonly Reading[] {
    if (name === "phases") return PHASES.map((phase) => ({ labels: [phase], value: this.#phases[phase] }));
    if (name === "holdWait") return [{ labels: [], value: this.#holdWait }];
    if (!isCounted(name)) return read[name] ?? [];
    return Array.from(this.#counted[name], ([labels, { value }]) => ({ labels, value }));
  }

  /** What a session that goes on has moved since it was last asked. */
  #count(live: Live): void {
    const { connection, counted } = live;
    const now = live.totals();
    this.#counted.bytes.of(connection, "in").add(now.bytesIn - counted.bytesIn);
    this.#counted.bytes.of(connection, "out").add(now.bytesOut - counted.bytesOut);
    this.#counted.statements.of(connection).add(now.statements - counted.statements);
    live.counted = now;
  }
}

function isCounted(name: Name): name is Counted {
  return (COUNTED as readonly Name[]).includes(name);
}

function kindOf(decision: Decision): "allow" | "deny" | "hold" | "observed" {
  return decision.kind === "allow" && decision.observed !== undefined ? "observed" : decision.kind;
}

function reasonsOf(decision: Decision): readonly string[] {
  return decision.kind === "allow" ? (decision.observed?.rules ?? decision.rules) : decision.rules;
}

/** A hold that was approved may still be refused, by a policy that has changed meanwhile. */
function resultOf(verdict: Verdict): string {
  if (verdict.kind === "allow") return "approved";
  return verdict.held?.state ?? "denied";
}
