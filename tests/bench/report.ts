/** From samples to rows with ratios, and a Markdown table of them. Pure: no clock, no files. */
import type { Measure, Sample } from "./measures.ts";
import { at, median } from "./statistics.ts";

export const PEERS = ["direct", "pgbouncer", "relay"] as const;
export type Peer = (typeof PEERS)[number];

/** What is compared: `rate` in the measure's unit, latencies in microseconds. */
export type Value = "rate" | "p50" | "p99";

export interface Row {
  readonly measure: string;
  readonly unit: string;
  readonly subject: string;
  /** Raw, one a round; empty where nothing was timed. */
  readonly runs: Readonly<Record<Value, readonly number[]>>;
  /** CPU of one transaction or row, by round. */
  readonly cpu: readonly NonNullable<Sample["cpu"]>[];
  /** Median over the rounds of own / peer's in the same round; null without a common round. Of peers that were measured. */
  readonly of: Readonly<Partial<Record<Peer, Readonly<Record<Value, number | null>>>>>;
}

export type RoundSample = Sample & { readonly round: number };

/** By measure, then subject; at most one sample a round. */
export type Samples = ReadonlyMap<Measure, ReadonlyMap<string, readonly RoundSample[]>>;

interface Values extends Readonly<Record<Value, number | null>> {
  readonly round: number;
}

export function rowsOf(samples: Samples): readonly Row[] {
  return [...samples].flatMap(([{ name, unit }, bySubject]) => {
    const values = new Map([...bySubject].map(([subject, own]) => [subject, own.map(valuesOf)]));
    return [...values].map(([subject, own]) => {
      const peers = PEERS.filter((peer) => peer !== subject && values.has(peer));
      return {
        measure: name,
        unit,
        subject,
        runs: each((value) => own.flatMap((round) => round[value] ?? [])),
        cpu: (bySubject.get(subject) ?? []).flatMap(({ cpu }) => cpu ?? []),
        of: Object.fromEntries(peers.map((peer) => [peer, ratios(own, values.get(peer) ?? [])])),
      };
    });
  });
}

/** One line for each measure and subject. */
export function tableOf(rows: readonly Row[]): string {
  const head = "| measure | subject | median | of direct | of PgBouncer | of the relay | p50 | p99 | CPU each |";
  const lines = rows.map(({ measure, unit, subject, runs, cpu, of }) => {
    const rate = `${amount(median(runs.rate))} ${unit}`;
    const against = PEERS.map((peer) => of[peer]?.rate?.toFixed(2) ?? "");
    const total = median(cpu.map(({ userUs, systemUs }) => userUs + systemUs));
    const times = [
      us(median(runs.p50)),
      us(median(runs.p99)),
      total === null ? "" : `${total.toFixed(total < 10 ? 2 : 1)} µs`,
    ];
    return `| ${[measure, subject, rate, ...against, ...times].join(" | ")} |`;
  });
  return [head, "|---|---|--:|--:|--:|--:|--:|--:|--:|", ...lines].join("\n");
}

/** CPU of those that stand between, in its parts. */
export function tableOfCpu(rows: readonly Row[]): string {
  const lines = rows
    .filter(({ cpu }) => cpu.length > 0)
    .map(({ measure, subject, cpu }) => {
      const [user, system, main] = (["userUs", "systemUs", "mainUs"] as const).map(
        (part) => median(cpu.map((one) => one[part])) ?? 0,
      );
      const [own, kernel, first] = [user ?? 0, system ?? 0, main ?? 0];
      const parts = [own + kernel, own, kernel, Math.max(0, own + kernel - first)].map((value) => value.toFixed(1));
      return `| ${[measure, subject, ...parts].join(" | ")} |`;
    });
  const head = "| measure | subject | CPU each, µs | in user space | in the kernel | on threads beside the main one |";
  return [head, "|---|---|--:|--:|--:|--:|", ...lines].join("\n");
}

function valuesOf({ round, perSecond, latenciesUs }: RoundSample): Values {
  const sorted = [...latenciesUs].sort((one, other) => one - other);
  return { round, rate: perSecond, p50: at(sorted, 0.5), p99: at(sorted, 0.99) };
}

function ratios(own: readonly Values[], others: readonly Values[]): Readonly<Record<Value, number | null>> {
  return each((value) =>
    median(
      own.flatMap((one) => {
        const other = others.find(({ round }) => round === one.round);
        const [mine, its] = [one[value], other?.[value]];
        return mine === null || its === null || its === undefined ? [] : [mine / its];
      }),
    ),
  );
}

function each<T>(make: (value: Value) => T): Readonly<Record<Value, T>> {
  return { rate: make("rate"), p50: make("p50"), p99: make("p99") };
}

function amount(value: number | null): string {
  return value === null ? "" : Math.round(value).toLocaleString("en");
}

function us(value: number | null): string {
  return value === null ? "" : `${amount(value)} µs`;
}
