/** What is measured of every subject, and how one run of it goes. A higher rate is better; latencies are per transaction. */
import { Driven } from "./driven.ts";
import { type Job, pgbench } from "./pgbench.ts";
import { type Cpu, cpuOf, cpuSince } from "./proc.ts";
import { POLICY, type Running, UNSEARCHED } from "./subjects.ts";
import { type Effort, FIRST_CARD, FIRST_SSN } from "./tables.ts";

export interface Sample {
  /** In the measure's unit. */
  readonly perSecond: number;
  /** Empty where a run is one single answer, or its transactions are not timed. */
  readonly latenciesUs: readonly number[];
  /** Of one transaction or row, the run's connections included; undefined for a subject without a process of its own. */
  readonly cpu: Cpu | undefined;
}

export interface Measure {
  readonly name: string;
  readonly unit: string;
  /** Names of those that it tells something about. */
  readonly subjects: readonly string[];
  /** The load of pgbench behind it, if it is one. */
  readonly job?: Job;
  run(subject: string, running: Running, effort: Effort): Promise<Sample>;
}

const ALL = ["direct", "pgbouncer", "relay", "sallyport", "counted", "typescript"];
const PRODUCTS = ["direct", "pgbouncer", "sallyport"];

export const MEASURES: readonly Measure[] = [
  transactions("simple-1", ALL, { script: "select-only", protocol: "simple", clients: 1 }),
  transactions("simple-16", ALL, { script: "select-only", protocol: "simple", clients: 16 }),
  transactions("prepared-1", ALL, { script: "select-only", protocol: "prepared", clients: 1 }),
  transactions("prepared-16", ALL, { script: "select-only", protocol: "prepared", clients: 16 }),
  transactions("tls-16", PRODUCTS, { script: "select-only", protocol: "simple", clients: 16, isTls: true }),
  transactions("tpcb-simple-16", PRODUCTS, { script: "tpcb-like", protocol: "simple", clients: 16 }),
  transactions("tpcb-prepared-16", PRODUCTS, { script: "tpcb-like", protocol: "prepared", clients: 16 }),
  bulk("bulk-clear", "rows/s", UNSEARCHED, "SELECT id, name, city FROM people"),
  bulk("bulk-masked", "rows/s", UNSEARCHED, "SELECT id, name, ssn, email FROM people", FIRST_SSN),
  bulk("bulk-searched", "MB/s", POLICY, "SELECT subject, body FROM notes", FIRST_CARD),
  transactions("sessions", PRODUCTS, { script: "select-only", protocol: "simple", clients: 8, isSession: true }),
];

function transactions(name: string, subjects: readonly string[], job: Job): Measure {
  const run = async (_subject: string, running: Running, { seconds }: Effort): Promise<Sample> => {
    await running.judge?.(POLICY);
    const before = running.pid === undefined ? undefined : cpuOf(running.pid);
    const { perSecond, latenciesUs, transactions: count } = await pgbench(running, job, seconds);
    return { perSecond, latenciesUs, cpu: cpuEach(before, running.pid, count) };
  };
  return { name, unit: job.isSession === true ? "sessions/s" : "tps", subjects, job, run };
}

/** The whole of `sql`'s answer once, and that a guard and nobody else hides `hidden` in its first row. */
function bulk(name: string, unit: "rows/s" | "MB/s", policy: string, sql: string, hidden?: string): Measure {
  const run = async (subject: string, running: Running, effort: Effort): Promise<Sample> => {
    await running.judge?.(policy);
    const client = new Driven(running);
    try {
      await client.open(1);
      const before = running.pid === undefined ? undefined : cpuOf(running.pid);
      const { ms, rows, bytes, start } = await client.run({ sql, seconds: 0, inFlight: 1 });
      if (rows !== effort.rows) throw new Error(`${rows} rows came instead of ${effort.rows}: ${start}`);
      const isGuard = running.judge !== undefined;
      if (hidden !== undefined && start.includes(hidden) === isGuard) {
        throw new Error(`The first row of ${subject} should be ${isGuard ? "masked" : "clear"}: ${start}`);
      }
      const perSecond = ((unit === "MB/s" ? bytes / 1e6 : rows) / ms) * 1000;
      return { perSecond, latenciesUs: [], cpu: cpuEach(before, running.pid, rows) };
    } finally {
      await client.close();
    }
  };
  return { name, unit, subjects: [...PRODUCTS, "typescript"], run };
}

function cpuEach(before: Cpu | undefined, pid: number | undefined, count: number): Cpu | undefined {
  if (before === undefined || pid === undefined) return undefined;
  const { userUs, systemUs, mainUs } = cpuSince(before, pid);
  return { userUs: userUs / count, systemUs: systemUs / count, mainUs: mainUs / count };
}
