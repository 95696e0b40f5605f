/** The parts of `npm run bench`. Each is measured by itself and gives a section of docs/performance.md, with the verdicts on its aims. */
import type { Postgres } from "../kit/postgres.ts";
import { AIMS, judge, type Verdict } from "./aims.ts";
import { type Comparison, compare } from "./compare.ts";
import { judgeCost, measureCost, tableOfCosts } from "./cost.ts";
import { judgeDecisions, measureDecisions, tableOfDecisions } from "./decisions.ts";
import { measureGrowth, sectionOf } from "./growth.ts";
import { MEASURES } from "./measures.ts";
import { judgeMemory, measureMemory, tableOfMemory } from "./memory.ts";
import { svgOf } from "./plot.ts";
import { judgeRecording, measureRecording, tableOfRecording } from "./recording.ts";
import { tableOf, tableOfCpu } from "./report.ts";
import { judgeWaits, measureStartup, tableOfWaits } from "./startup.ts";
import { countSyscalls, tableOfSyscalls } from "./syscalls.ts";

export interface Context extends Comparison {
  readonly isQuick: boolean;
  /** With the tables of every measure; the same one for all parts. */
  server(): Promise<Postgres>;
}

export interface Section {
  /** Where they are not those of the whole run. */
  readonly rounds?: number;
  readonly markdown: string;
  readonly verdicts: readonly Verdict[];
  /** For the JSON: every run's value. */
  readonly raw: unknown;
  /** Pictures that the text shows: name to SVG. */
  readonly plots?: Readonly<Record<string, string>>;
}

export interface Part {
  readonly name: string;
  measure(context: Context): Promise<Section>;
}

/** Of these the CPU and the system calls are worth a table. */
const EXPLAINED = ["simple-16", "prepared-16"];
/** Rounds of what is steadier than rates, and of what is measured to explain and not to promise. */
const fewer = (rounds: number) => Math.ceil((rounds * 2) / 3);
/** A flow takes some 60 ms, and each of its rounds has four. */
const FLOWS_PER_ROUND = 4;

export const COMPARE: Part = {
  name: "compare",
  measure: async (context) => {
    const rows = await compare(await context.server(), context);
    const aims = AIMS.filter(({ measure }) => context.measures.some(({ name }) => name === measure));
    return { markdown: tableOf(rows), verdicts: aims.map((aim) => judge(aim, rows)), raw: rows };
  },
};

export const PARTS: readonly Part[] = [
  COMPARE,
  {
    name: "cpu",
    measure: async (context) => {
      const measures = MEASURES.filter(({ name }) => EXPLAINED.includes(name));
      const subjects = context.subjects.filter(({ name }) => name !== "direct");
      const own = { ...context, measures, subjects };
      const rounds = fewer(context.rounds);
      const rows = await compare(await context.server(), { ...own, rounds });
      const syscalls = await countSyscalls(await context.server(), own);
      const markdown = `${tableOfCpu(rows)}\n\n${tableOfSyscalls(syscalls)}`;
      return { rounds, markdown, verdicts: [], raw: { rows, syscalls } };
    },
  },
  {
    name: "memory",
    measure: async ({ server, rounds, effort }) => {
      const uses = await measureMemory(await server(), rounds, effort);
      return { markdown: tableOfMemory(uses), verdicts: judgeMemory(uses), raw: uses };
    },
  },
  {
    name: "growth",
    measure: async ({ server, rounds, effort }) => {
      const curves = await measureGrowth(await server(), rounds, effort);
      const plots = Object.fromEntries(curves.map((curve) => [curve.name, svgOf(curve)]));
      return { markdown: sectionOf(curves), verdicts: [], raw: curves, plots };
    },
  },
  {
    name: "recording",
    measure: async ({ server, rounds: all, effort }) => {
      const rounds = fewer(all);
      const costs = await measureRecording(await server(), rounds, effort);
      return { rounds, markdown: tableOfRecording(costs), verdicts: judgeRecording(costs), raw: costs };
    },
  },
  {
    name: "startup",
    measure: async ({ rounds }) => {
      const waits = await measureStartup(rounds);
      return { markdown: tableOfWaits(waits), verdicts: judgeWaits(waits), raw: waits };
    },
  },
  {
    name: "cost",
    measure: async ({ rounds, isQuick }) => {
      const flows = isQuick ? { connects: 500, mebibytes: 128 } : { connects: 1_000, mebibytes: 256 };
      const costs = await measureCost(rounds * FLOWS_PER_ROUND, flows);
      return { markdown: tableOfCosts(costs), verdicts: judgeCost(costs), raw: costs };
    },
  },
  {
    name: "decisions",
    measure: async () => {
      const decisions = await measureDecisions();
      return { markdown: tableOfDecisions(decisions), verdicts: judgeDecisions(decisions), raw: decisions };
    },
  },
];
