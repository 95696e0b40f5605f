/** The same work through each subject, in interleaved rounds: only ratios of one run mean something on a shared machine. */
import type { Postgres } from "../kit/postgres.ts";
import type { Measure } from "./measures.ts";
import { type RoundSample, type Row, rowsOf } from "./report.ts";
import type { Running, Subject } from "./subjects.ts";
import type { Effort } from "./tables.ts";

export interface Comparison {
  readonly measures: readonly Measure[];
  readonly subjects: readonly Subject[];
  readonly rounds: number;
  readonly effort: Effort;
  /** One broken subject does not take the others' numbers away. */
  attempt(what: string, work: () => Promise<void>): Promise<void>;
}

export async function compare(server: Postgres, comparison: Comparison): Promise<readonly Row[]> {
  const { measures, rounds, attempt } = comparison;
  const samples = new Map(measures.map((measure) => [measure, new Map<string, RoundSample[]>()]));
  const running = new Map<string, Running>();
  const subjects = comparison.subjects.filter(({ name }) => measures.some((one) => one.subjects.includes(name)));
  try {
    for (const { name, start } of subjects) {
      await attempt(name, async () => void running.set(name, await start(server)));
    }
    for (let round = 0; round < rounds; round++) await runRound(round);
  } finally {
    for (const [name, { stop }] of running) await attempt(name, stop);
  }
  return rowsOf(samples);

  /** Each subject in turn does each measure; who begins changes from round to round. */
  async function runRound(round: number): Promise<void> {
    for (const [measure, own] of samples) {
      const names = measure.subjects.filter((name) => running.has(name));
      for (const name of [...names.slice(round % names.length), ...names.slice(0, round % names.length)]) {
        await attempt(`${name}, ${measure.name}`, async () => {
          const sample = await measure.run(name, running.get(name) as Running, comparison.effort);
          own.set(name, [...(own.get(name) ?? []), { ...sample, round }]);
          const rate = `${Math.round(sample.perSecond).toLocaleString("en")} ${measure.unit}`;
          console.error(`round ${round + 1}/${rounds}  ${measure.name.padEnd(16)} ${name.padEnd(10)} ${rate}`);
        });
      }
    }
  }
}
