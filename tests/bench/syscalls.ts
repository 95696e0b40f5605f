/** System calls of one transaction, counted by strace(1) while pgbench runs. Tracing slows the process down, so calls that batch are few more. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Postgres } from "../kit/postgres.ts";
import type { Comparison } from "./compare.ts";
import { pgbench } from "./pgbench.ts";
import { SUBJECTS } from "./subjects.ts";

export interface Syscalls {
  readonly measure: string;
  readonly subject: string;
  readonly transactions: number;
  /** Name to count, in the whole run; its connections included. */
  readonly calls: Readonly<Record<string, number>>;
}

/** What is rarer belongs to connecting. */
const TOLD_MIN = 0.05;

export async function countSyscalls(server: Postgres, comparison: Comparison): Promise<readonly Syscalls[]> {
  const { measures, subjects, effort, attempt } = comparison;
  const found: Syscalls[] = [];
  for (const { name, start } of SUBJECTS.filter((one) => subjects.includes(one))) {
    await attempt(`${name}, syscalls`, async () => {
      const running = await start(server);
      try {
        for (const { name: measure, job, subjects: own } of measures) {
          if (job === undefined || running.pid === undefined || !own.includes(name)) continue;
          const trace = await traced(running.pid);
          const { transactions } = await pgbench(running, job, effort.seconds);
          found.push({ measure, subject: name, transactions, calls: await counted(trace) });
          console.error(`syscalls  ${measure.padEnd(16)} ${name.padEnd(10)} ${transactions} transactions`);
        }
      } finally {
        await running.stop();
      }
    });
  }
  return found;
}

export function tableOfSyscalls(all: readonly Syscalls[]): string {
  const lines = all.map(({ measure, subject, transactions, calls }) => {
    const each = Object.entries(calls)
      .map(([name, count]) => [name, count / transactions] as const)
      .sort(([, one], [, other]) => other - one);
    const sum = each.reduce((total, [, count]) => total + count, 0);
    const told = each.filter(([, count]) => count >= TOLD_MIN).map(([name, count]) => `${name} ${count.toFixed(2)}`);
    return `| ${measure} | ${subject} | ${sum.toFixed(2)} | ${told.join(", ")} |`;
  });
  return ["| measure | subject | system calls each | which |", "|---|---|--:|---|", ...lines].join("\n");
}

/** Resolves when all threads of the process are traced. */
async function traced(pid: number): Promise<ChildProcess> {
  const argv = ["-f", "-c", "--summary-columns=calls,name", "-p", String(pid)];
  const trace = spawn("strace", argv, { stdio: ["ignore", "ignore", "pipe"] });
  await new Promise<void>((resolve, reject) => {
    let said = "";
    trace.stderr.on("data", (bytes: Buffer) => {
      said += bytes;
      if (said.includes("attached")) resolve();
    });
    trace.once("error", reject);
    trace.once("exit", () => reject(new Error(`Cannot trace system calls: ${said}`)));
  });
  return trace;
}

/** Ends it; its table: rules of dashes, and between them a count and a name a line. */
async function counted(trace: ChildProcess): Promise<Readonly<Record<string, number>>> {
  let said = "";
  trace.stderr?.on("data", (bytes: Buffer) => {
    said += bytes;
  });
  const ended = once(trace, "close");
  trace.kill("SIGINT");
  await ended;
  const rows = [...said.matchAll(/^ *(\d+) (\w+)$/gm)].filter(([, , name]) => name !== "total");
  if (rows.length === 0) throw new Error(`strace counted nothing: ${said}`);
  return Object.fromEntries(rows.map(([, count, name = ""]) => [name, Number(count)]));
}
