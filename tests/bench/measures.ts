/** What is measured, and how one run of it goes. A higher value is better; latencies are per transaction. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { capture } from "../kit/daemon.ts";
import type { Postgres } from "../kit/postgres.ts";
import type { Running } from "./subjects.ts";

export interface Effort {
  /** Of one pgbench run. */
  readonly seconds: number;
  readonly rows: number;
}

export interface Sample {
  /** Transactions or rows a second. */
  readonly perSecond: number;
  /** Empty where a run is one single answer. */
  readonly latenciesUs: readonly number[];
}

export interface Measure {
  readonly name: string;
  readonly unit: string;
  run(subject: string, running: Running, effort: Effort): Promise<Sample>;
}

export const MEASURES: readonly Measure[] = [
  pgbench("simple-1", "simple", 1),
  pgbench("simple-16", "simple", 16),
  pgbench("prepared-1", "prepared", 1),
  pgbench("prepared-16", "prepared", 16),
  { name: "bulk-read", unit: "rows/s", run: readInBulk },
];

const SCALE = 5;
/** A share of the transactions: writing down each one would slow the client that measures. */
const SAMPLING = 0.2;
const RUN_MARGIN_MS = 60_000;
/** The first person's number in full, which a masked answer must not show. */
const FIRST_SSN = "219-10-0001";

/** The tables of every measure. */
export async function prepare(server: Postgres, effort: Effort): Promise<void> {
  const connection = ["-h", server.socketFolder, "-p", String(server.port), "-U", server.superuser, "postgres"];
  const { code, stderr } = await capture("pgbench", ["-i", "-q", "-s", String(SCALE), ...connection]);
  if (code !== 0) throw new Error(`Cannot prepare pgbench's tables: ${stderr}`);
  await server.query(
    `CREATE TABLE people (name text, ssn text);
     INSERT INTO people SELECT 'Person number ' || i, '219-10-' || lpad((i % 10000)::text, 4, '0')
       FROM generate_series(1, ${effort.rows}) i`,
  );
  await server.query("VACUUM ANALYZE");
}

function pgbench(name: string, mode: "simple" | "prepared", clients: number): Measure {
  const run = async (_subject: string, running: Running, { seconds }: Effort): Promise<Sample> => {
    const folder = mkdtempSync(join(tmpdir(), "sallyport-bench-"));
    try {
      const what = [
        "-S",
        "-n",
        "-M",
        mode,
        "-c",
        String(clients),
        "-j",
        "1",
        "-T",
        String(seconds),
        "-s",
        String(SCALE),
      ];
      const log = ["--log", `--log-prefix=${join(folder, "log")}`, `--sampling-rate=${SAMPLING}`];
      const where = ["-h", "127.0.0.1", "-p", String(running.port), "-U", "postgres", "postgres"];
      const stdout = await client(running, ["pgbench", ...what, ...log, ...where], seconds * 1000);
      const tps = /^tps = ([\d.]+)/m.exec(stdout)?.[1];
      if (tps === undefined) throw new Error(`pgbench named no rate: ${stdout}`);
      return { perSecond: Number(tps), latenciesUs: latenciesIn(folder) };
    } finally {
      rmSync(folder, { recursive: true });
    }
  };
  return { name, unit: "tps", run };
}

/** Source: pgbench manual, "Per-Transaction Logging": client_id transaction_no time … with time in microseconds. */
function latenciesIn(folder: string): readonly number[] {
  return readdirSync(folder).flatMap((file) =>
    readFileSync(join(folder, file), "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => Number(line.split(" ")[2])),
  );
}

async function readInBulk(subject: string, running: Running, { rows }: Effort): Promise<Sample> {
  const file = join(import.meta.dirname, "bulk-client.ts");
  const sql = "SELECT name, ssn FROM people";
  const stdout = await client(running, [process.execPath, file, String(running.port), sql], 0);
  const answer = JSON.parse(stdout) as { ms: number; rows: number; start: string };
  if (answer.rows !== rows) throw new Error(`${answer.rows} rows came instead of ${rows}: ${answer.start}`);
  if (answer.start.includes(FIRST_SSN) === (subject === "sallyport")) {
    throw new Error(`The labelled column should be ${subject === "sallyport" ? "masked" : "clear"}: ${answer.start}`);
  }
  return { perSecond: (rows / answer.ms) * 1000, latenciesUs: [] };
}

async function client(running: Running, argv: readonly string[], ms: number): Promise<string> {
  const [file = "", ...args] = running.command(argv);
  const env = { ...process.env, PGPASSWORD: running.password, PGSSLMODE: "disable" };
  const { code, signal, stdout, stderr } = await capture(file, args, { env, timeoutMs: ms + RUN_MARGIN_MS });
  if (code !== 0) throw new Error(`${argv[0]} ended with ${signal ?? code}: ${stderr.slice(-2000)}`);
  return stdout;
}
