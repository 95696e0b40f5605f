/** From raw samples to ratios, a Markdown table and the aims. Pure: no clock, no files. */
import type { Sample } from "./measures.ts";

export interface Row {
  readonly measure: string;
  readonly subject: string;
  readonly peer: string;
  /** Median over the rounds of subject / peer in the same round; null without a common round. */
  readonly ratio: number | null;
  readonly p50Us: number | null;
  readonly p99Us: number | null;
  /** The subject's raw values, one a round: transactions or rows a second; bytes for `peak-rss`. */
  readonly runs: readonly number[];
}

export type RoundSample = Sample & { readonly round: number };

/** By measure, then subject; at most one sample a round. */
export type Samples = ReadonlyMap<string, ReadonlyMap<string, readonly RoundSample[]>>;

const PEERS = ["direct", "pgbouncer", "relay"] as const;

/** Every subject against every peer that was measured, itself excepted unless it is "direct". */
export function rowsOf(samples: Samples): readonly Row[] {
  return [...samples].flatMap(([measure, bySubject]) =>
    [...bySubject].flatMap(([subject, own]) => {
      const runs = own.map(({ perSecond }) => perSecond);
      const sorted = own.flatMap(({ latenciesUs }) => latenciesUs).sort((one, other) => one - other);
      const peers = PEERS.filter((peer) => bySubject.has(peer) && (peer !== subject || peer === "direct"));
      return peers.map((peer) => {
        const others = bySubject.get(peer) ?? [];
        const ratios = own.flatMap(({ round, perSecond }) => {
          const other = others.find((sample) => sample.round === round);
          return other === undefined ? [] : [perSecond / other.perSecond];
        });
        return { measure, subject, peer, ratio: median(ratios), p50Us: at(sorted, 0.5), p99Us: at(sorted, 0.99), runs };
      });
    }),
  );
}

/** One line for each measure and subject. */
export function tableOf(rows: readonly Row[], units: ReadonlyMap<string, string>): string {
  const head = "| measure | subject | median | of direct | of PgBouncer | of the relay | p50 | p99 |";
  const own = rows.filter(({ peer }) => peer === "direct");
  const lines = own.map(({ measure, subject, runs, p50Us, p99Us }) => {
    const against = PEERS.map((peer) => {
      const row = rows.find((other) => other.measure === measure && other.subject === subject && other.peer === peer);
      return row?.ratio === undefined || row.ratio === null ? "" : row.ratio.toFixed(2);
    });
    const rate = `${Math.round(median(runs) ?? 0).toLocaleString("en")} ${units.get(measure) ?? ""}`;
    return `| ${[measure, subject, rate, ...against, us(p50Us), us(p99Us)].join(" | ")} |`;
  });
  return [head, "|---|---|--:|--:|--:|--:|--:|--:|", ...lines].join("\n");
}

export type Aim =
  | { readonly measure: string; readonly subject: string; readonly peer: string; readonly atLeast: number }
  | { readonly measure: "peak-rss"; readonly subject: string; readonly bytesAtMost: number };

const MIB = 1024 * 1024;

export const AIMS: readonly Aim[] = [
  ...["simple-1", "simple-16", "prepared-1", "prepared-16"].map(
    (measure): Aim => ({ measure, subject: "sallyport", peer: "pgbouncer", atLeast: 0.6 }),
  ),
  { measure: "bulk-read", subject: "sallyport", peer: "direct", atLeast: 0.5 },
  { measure: "peak-rss", subject: "sallyport", bytesAtMost: 200 * MIB },
];

export interface Verdict {
  readonly outcome: "met" | "short" | "not measured";
  readonly text: string;
}

export function judge(aim: Aim, rows: readonly Row[]): Verdict {
  const row = rows.find(
    ({ measure, subject, peer }) =>
      measure === aim.measure && subject === aim.subject && (!("peer" in aim) || peer === aim.peer),
  );
  const label = `${aim.measure}: ${aim.subject}`;
  if ("bytesAtMost" in aim) {
    const bytes = row?.runs[0];
    const limit = `at most ${aim.bytesAtMost / MIB} MiB`;
    if (bytes === undefined) return { outcome: "not measured", text: `${label} ${limit}` };
    const found = `${(bytes / MIB).toFixed(0)} MiB, aim ${limit}`;
    return { outcome: bytes <= aim.bytesAtMost ? "met" : "short", text: `${label} ${found}` };
  }
  if (row === undefined || row.ratio === null) return { outcome: "not measured", text: `${label} of ${aim.peer}` };
  const text = `${label} ${row.ratio.toFixed(2)} of ${aim.peer}, aim at least ${aim.atLeast}`;
  return { outcome: row.ratio >= aim.atLeast ? "met" : "short", text };
}

function us(value: number | null): string {
  return value === null ? "" : `${value.toLocaleString("en")} µs`;
}

function median(values: readonly number[]): number | null {
  const sorted = [...values].sort((one, other) => one - other);
  const [low, high] = [at(sorted, 0.5), at(sorted.toReversed(), 0.5)];
  return low === null || high === null ? null : (low + high) / 2;
}

function at(sorted: readonly number[], share: number): number | null {
  return sorted[Math.floor((sorted.length - 1) * share)] ?? null;
}
