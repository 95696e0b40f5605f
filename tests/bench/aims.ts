/** What a comparison has to show, and whether it does. Pure. */
import type { Peer, Row, Value } from "./report.ts";
import { median } from "./statistics.ts";

export interface Verdict {
  readonly outcome: "met" | "short" | "not measured";
  readonly text: string;
}

export type Bound = { readonly atLeast: number } | { readonly atMost: number };

type Aim = Bound & {
  readonly measure: string;
  readonly subject: string;
  readonly value: Value;
  /** The value itself, in the measure's unit, where nobody is named. */
  readonly peer?: Peer;
};

const PROTOCOLS = ["simple", "prepared"] as const;

export const AIMS: readonly Aim[] = [
  ...PROTOCOLS.flatMap((protocol): Aim[] => [
    { measure: `${protocol}-16`, subject: "sallyport", value: "rate", peer: "pgbouncer", atLeast: 0.95 },
    { measure: `${protocol}-16`, subject: "sallyport", value: "p99", peer: "pgbouncer", atMost: 1.1 },
    { measure: `${protocol}-16`, subject: "counted", value: "rate", peer: "pgbouncer", atLeast: 0.75 },
    { measure: `${protocol}-16`, subject: "typescript", value: "rate", peer: "pgbouncer", atLeast: 0.75 },
    { measure: `${protocol}-1`, subject: "sallyport", value: "p50", peer: "pgbouncer", atMost: 1.25 },
    { measure: `tpcb-${protocol}-16`, subject: "sallyport", value: "rate", peer: "pgbouncer", atLeast: 0.95 },
  ]),
  { measure: "bulk-clear", subject: "sallyport", value: "rate", peer: "direct", atLeast: 0.9 },
  { measure: "bulk-masked", subject: "sallyport", value: "rate", peer: "direct", atLeast: 0.7 },
  { measure: "bulk-searched", subject: "sallyport", value: "rate", atLeast: 60 },
  { measure: "sessions", subject: "sallyport", value: "rate", atLeast: 200 },
];

export function judge(aim: Aim, rows: readonly Row[]): Verdict {
  const { measure, subject, value, peer } = aim;
  const row = rows.find((one) => one.measure === measure && one.subject === subject);
  const found = peer === undefined ? median(row?.runs[value] ?? []) : row?.of[peer]?.[value];
  const what = `${measure}: ${subject}'s ${value}`;
  const unit = peer === undefined ? ` ${row?.unit ?? ""}` : ` of ${peer}'s`;
  return judged(what, found ?? undefined, aim, (amount) => `${amount.toFixed(peer === undefined ? 0 : 2)}${unit}`);
}

/** Undefined: nobody measured it. */
export function judged(what: string, found: number | undefined, aim: Bound, show: (value: number) => string): Verdict {
  const limit = "atLeast" in aim ? `at least ${aim.atLeast}` : `at most ${aim.atMost}`;
  if (found === undefined) return { outcome: "not measured", text: `${what}, aim ${limit}` };
  const isMet = "atLeast" in aim ? found >= aim.atLeast : found <= aim.atMost;
  return { outcome: isMet ? "met" : "short", text: `${what} ${show(found)}, aim ${limit}` };
}
