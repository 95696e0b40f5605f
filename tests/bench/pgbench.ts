/** One run of pgbench through a subject: its rate, and how long transactions took. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { capture } from "../kit/daemon.ts";
import type { Running } from "./subjects.ts";
import { SCALE } from "./tables.ts";

export interface Job {
  readonly script: "select-only" | "tpcb-like";
  readonly protocol: "simple" | "prepared";
  readonly clients: number;
  /** A connection for each transaction, with TLS. */
  readonly isSession?: boolean;
  readonly isTls?: boolean;
}

export interface Bout {
  readonly perSecond: number;
  readonly transactions: number;
  /** Of a share of the transactions; without that of connecting. */
  readonly latenciesUs: readonly number[];
}

/** Writing down each transaction would slow the client that measures. */
const SAMPLING = 0.2;
const RUN_MARGIN_MS = 60_000;

export async function pgbench(running: Running, job: Job, seconds: number): Promise<Bout> {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-bench-"));
  try {
    const { script, protocol, clients, isSession = false, isTls = isSession } = job;
    const load = [
      "-n",
      "-b",
      script,
      "-M",
      protocol,
      "-c",
      String(clients),
      "-j",
      String(isSession ? clients : 1),
      "-s",
      String(SCALE),
    ];
    const log = ["--log", `--log-prefix=${join(folder, "log")}`, `--sampling-rate=${SAMPLING}`];
    const where = ["-h", "127.0.0.1", "-p", String(running.port), "-U", "postgres", "postgres"];
    const argv = ["pgbench", ...load, "-T", String(seconds), ...(isSession ? ["-C"] : log), ...where];
    const [file = "", ...args] = running.command(argv);
    const env = { ...process.env, PGPASSWORD: running.password, PGSSLMODE: isTls ? "require" : "disable" };
    const outcome = await capture(file, args, { env, timeoutMs: seconds * 1000 + RUN_MARGIN_MS });
    const { code, signal, stdout, stderr } = outcome;
    if (code !== 0) throw new Error(`pgbench ended with ${signal ?? code}: ${stderr.slice(-2000)}`);
    const [tps, transactions] = [/^tps = ([\d.]+)/m, /actually processed: (\d+)/].map((form) => form.exec(stdout)?.[1]);
    if (tps === undefined || transactions === undefined) throw new Error(`pgbench named no rate: ${stdout}`);
    const latenciesUs = isSession ? [] : latenciesIn(folder);
    return { perSecond: Number(tps), transactions: Number(transactions), latenciesUs };
  } finally {
    rmSync(folder, { recursive: true });
  }
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
