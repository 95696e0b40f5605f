/** What the daemon takes of memory: with idle connections, with busy ones beside them, and while a large answer passes. */
import type { Postgres } from "../kit/postgres.ts";
import { judged, type Verdict } from "./aims.ts";
import { Driven } from "./driven.ts";
import { pgbench } from "./pgbench.ts";
import { forgetPeak, memoryOf } from "./proc.ts";
import { median } from "./statistics.ts";
import { POLICY, type Sallyport, startSallyport, UNSEARCHED } from "./subjects.ts";
import type { Effort } from "./tables.ts";

export interface MemoryUse {
  readonly state: string;
  /** Absent: a fact, not a promise. */
  readonly atMostMb?: number;
  /** In MB (10^6 bytes), one a round. */
  readonly runs: readonly number[];
}

type Note = (state: string, bytes: number, atMostMb?: number) => void;

const IDLE = 200;
const MANY = 1_000;
/** Of an answer in full; less where there are fewer rows. */
const ANSWER_BYTES = 1e9;
const FULL_ROWS = 1_000_000;
const STATEMENT = "SELECT abalance FROM pgbench_accounts WHERE aid = 1";
const CLEAR = { what: "nothing masked", columns: "id, name, city", policy: UNSEARCHED };
const MASKED = { what: "two columns masked", columns: "name, ssn, email", policy: UNSEARCHED };
const SEARCHED = { ...CLEAR, what: "all texts searched", policy: POLICY };

export async function measureMemory(server: Postgres, rounds: number, effort: Effort): Promise<readonly MemoryUse[]> {
  const uses = new Map<string, { state: string; atMostMb?: number; runs: number[] }>();
  const note: Note = (state, bytes, atMostMb) => {
    const use = uses.get(state) ?? { state, ...(atMostMb === undefined ? {} : { atMostMb }), runs: [] };
    use.runs.push(bytes / 1e6);
    uses.set(state, use);
    console.error(`memory  ${state.padEnd(60)} ${(bytes / 1e6).toFixed(0)} MB`);
  };
  for (let round = 0; round < rounds; round++) {
    await withFresh(server, async (guard) => {
      await idleAndBusy(guard, effort, note);
      const kinds = round === 0 ? [CLEAR, MASKED, SEARCHED] : [CLEAR, MASKED];
      for (const kind of kinds) await largeAnswer(guard, effort, kind, note);
    });
    await withFresh(server, (guard) => idle(guard, "disable", note));
  }
  // As often as it takes to know it: nothing is promised of it.
  await withFresh(server, (guard) => idle(guard, "require", note));
  return [...uses.values()];
}

async function idleAndBusy(guard: Sallyport, { seconds }: Effort, note: Note): Promise<void> {
  const client = await opened(guard, IDLE);
  await pgbench(guard, { script: "select-only", protocol: "prepared", clients: 16 }, seconds);
  note(`${IDLE} idle connections and 16 busy (peak)`, memoryOf(guard.pid).peakBytes, 200);
  await client.close();
}

/** The first answer shows how large a pass over the table is, and brings whatever a process takes once. */
async function largeAnswer(
  guard: Sallyport,
  { rows }: Effort,
  { what, columns, policy }: typeof CLEAR,
  note: Note,
): Promise<void> {
  await guard.judge(policy);
  const client = await opened(guard, 1);
  const sql = (passes: number) => `SELECT ${columns} FROM people, generate_series(1, ${passes})`;
  const once = { seconds: 0, inFlight: 1 };
  const { bytes } = await client.run({ ...once, sql: sql(1) });
  const wanted = (ANSWER_BYTES * rows) / FULL_ROWS;
  forgetPeak(guard.pid);
  const { rssBytes } = memoryOf(guard.pid);
  await client.run({ ...once, sql: sql(Math.ceil(wanted / bytes)) });
  const grown = memoryOf(guard.pid).peakBytes - rssBytes;
  note(`grown by an answer of ${wanted / 1e9} GB, ${what} (peak)`, grown, 64);
  await client.close();
}

async function idle(guard: Sallyport, sslMode: "disable" | "require", note: Note): Promise<void> {
  const client = await opened(guard, MANY, sslMode);
  const { rssBytes } = memoryOf(guard.pid);
  const state = `${MANY.toLocaleString("en")} idle connections`;
  if (sslMode === "require") note(`${state} with TLS (once)`, rssBytes);
  else note(state, rssBytes, 300);
  await client.close();
}

/** Connections that have asked something, as those of a pool have. */
async function opened(guard: Sallyport, count: number, sslMode: "disable" | "require" = "disable"): Promise<Driven> {
  const client = new Driven(guard, sslMode);
  await client.open(count);
  await client.run({ sql: STATEMENT, seconds: 0, inFlight: count });
  return client;
}

async function withFresh(server: Postgres, work: (guard: Sallyport) => Promise<void>): Promise<void> {
  const guard = await startSallyport(server);
  try {
    await work(guard);
  } finally {
    await guard.stop();
  }
}

export function tableOfMemory(uses: readonly MemoryUse[]): string {
  const lines = uses.map(({ state, runs }) => {
    const each = runs.map((mb) => mb.toFixed(0)).join(", ");
    return `| ${state} | ${(median(runs) ?? 0).toFixed(0)} MB | ${each} |`;
  });
  return ["| state | median | MB, one a round |", "|---|--:|---|", ...lines].join("\n");
}

export function judgeMemory(uses: readonly MemoryUse[]): readonly Verdict[] {
  return uses.flatMap(({ state, atMostMb, runs }) => {
    if (atMostMb === undefined) return [];
    return judged(`memory: ${state}`, median(runs) ?? undefined, { atMost: atMostMb }, (mb) => `${mb.toFixed(0)} MB`);
  });
}
