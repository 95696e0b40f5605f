/**
 * What recording costs: the same daemon without a recorder, and with one in each of its ways, in interleaved rounds. All
 * without the short way: it cannot go without records.
 */
import { fileURLToPath } from "node:url";
import type { Postgres } from "../kit/postgres.ts";
import type { Verdict } from "./aims.ts";
import { MEASURES } from "./measures.ts";
import { type Running, type SallyportOptions, startSallyport } from "./subjects.ts";
import type { Effort } from "./tables.ts";

export interface RecordingCost {
  readonly measure: string;
  readonly way: string;
  /** Median over the rounds of this way / unrecorded in the same round. */
  readonly ratio: number;
  /** Transactions a second, one a round. */
  readonly runs: readonly number[];
}

const UNRECORDED = "unrecorded";
const HOOK = fileURLToPath(new URL("./unrecorded.ts", import.meta.url));
const WAYS: Readonly<Record<string, SallyportOptions>> = {
  [UNRECORDED]: { wrapper: ["env", `NODE_OPTIONS=--disable-warning=ExperimentalWarning --import ${HOOK}`] },
  write: {},
  sealed: { more: "recording: { seal: true }" },
  fsync: { more: "recording: { durability: fsync }" },
};
const NAMES = ["prepared-16", "simple-16", "simple-1"];
/** Issue: at most 15 % of throughput. */
const AT_LEAST = 0.85;

export async function measureRecording(
  server: Postgres,
  rounds: number,
  effort: Effort,
): Promise<readonly RecordingCost[]> {
  const running = new Map<string, Running>();
  const rates = new Map<string, number[]>();
  try {
    for (const [way, options] of Object.entries(WAYS))
      running.set(way, await startSallyport(server, { ...options, relay: "off" }));
    for (let round = 0; round < rounds; round++) {
      for (const measure of MEASURES.filter(({ name }) => NAMES.includes(name))) {
        const ways = [...running];
        const turn = round % ways.length;
        for (const [way, subject] of [...ways.slice(turn), ...ways.slice(0, turn)]) {
          const { perSecond } = await measure.run("sallyport", subject, effort);
          const key = `${measure.name} ${way}`;
          rates.set(key, [...(rates.get(key) ?? []), perSecond]);
          console.error(
            `round ${round + 1}/${rounds}  ${measure.name.padEnd(12)} ${way.padEnd(10)} ${Math.round(perSecond)} tps`,
          );
        }
      }
    }
  } finally {
    for (const { stop } of running.values()) await stop();
  }
  return NAMES.flatMap((measure) => {
    const control = rates.get(`${measure} ${UNRECORDED}`) ?? [];
    return Object.keys(WAYS).map((way) => {
      const runs = rates.get(`${measure} ${way}`) ?? [];
      const ratios = runs.map((rate, round) => rate / (control[round] ?? Number.NaN)).sort((a, b) => a - b);
      return { measure, way, ratio: ratios[Math.floor(ratios.length / 2)] ?? Number.NaN, runs };
    });
  });
}

export function tableOfRecording(costs: readonly RecordingCost[]): string {
  const lines = costs.map(({ measure, way, ratio, runs }) => {
    return `| ${measure} | ${way} | ${ratio.toFixed(2)} | ${runs.map((rate) => Math.round(rate)).join(", ")} |`;
  });
  return ["| measure | recording | of unrecorded | tps, one a round |", "|---|---|--:|---|", ...lines].join("\n");
}

export function judgeRecording(costs: readonly RecordingCost[]): readonly Verdict[] {
  return costs
    .filter(({ way }) => way === "write")
    .map(({ measure, ratio }) => ({
      outcome: ratio >= AT_LEAST ? "met" : "short",
      text: `${measure}: recorded ${ratio.toFixed(2)} of unrecorded, aim at least ${AT_LEAST}`,
    }));
}
