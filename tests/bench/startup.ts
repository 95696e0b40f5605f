/** How long a user waits for a command, and a host for its daemon. As a part of `npm run bench`: `--only startup`. */
import { execFileSync } from "node:child_process";
import { Daemon, SALLYPORT } from "../kit/daemon.ts";
import { judged, type Verdict } from "./aims.ts";
import { median } from "./statistics.ts";
import { POLICY } from "./subjects.ts";

export interface Wait {
  readonly what: string;
  /** Absent: for comparison. */
  readonly atMostMs?: number;
  /** In ms, one a run. */
  readonly runs: readonly number[];
}

const START = {
  settings: `agents:
  - name: bench
connections:
  - name: bench
    protocol: postgres
    addresses: ["127.0.0.1:5432"]
    credential: { user: bench, password: { file: FOLDER/secrets/bench } }
    tls: { mode: disable }
`,
  policies: { "bench.yaml": POLICY },
  secrets: { bench: "bench" },
};
/** Of each command in one round, which is one start of the daemon. */
const TIMES = 5;

/** In turns, so that all of them meet the same machine. */
export async function measureStartup(rounds: number): Promise<readonly Wait[]> {
  const waits = {
    node: { what: "the runtime by itself (`node -e 0`)", runs: [] as number[] },
    run: { what: "`sallyport run -- true`", atMostMs: 150, runs: [] as number[] },
    sessions: { what: "`sallyport sessions`", atMostMs: 150, runs: [] as number[] },
    ready: { what: "the daemon, from its start until it is ready", atMostMs: 1_500, runs: [] as number[] },
  };
  for (let round = 0; round < rounds; round++) {
    const beganMs = performance.now();
    const daemon = await Daemon.start(START);
    waits.ready.runs.push(performance.now() - beganMs);
    try {
      const sallyport = (...argv: string[]) => [SALLYPORT, "--run", daemon.runDir, ...argv];
      for (let time = 0; time < TIMES; time++) {
        waits.node.runs.push(timed([process.execPath, "-e", "0"]));
        waits.run.runs.push(timed(sallyport("run", "--as", "bench", "--", "true")));
        waits.sessions.runs.push(timed(sallyport("sessions")));
      }
    } finally {
      await daemon.stop();
    }
  }
  return Object.values(waits);
}

/** In ms. Throws where the command fails. */
function timed([program = "", ...args]: readonly string[]): number {
  const beganMs = performance.now();
  execFileSync(program, args, { stdio: "pipe" });
  return performance.now() - beganMs;
}

export function tableOfWaits(waits: readonly Wait[]): string {
  const ms = (value: number | undefined) => `${(value ?? Number.NaN).toFixed(0)} ms`;
  const lines = waits.map(({ what, runs }) => {
    return `| ${what} | ${ms(median(runs) ?? undefined)} | ${ms(Math.min(...runs))} | ${ms(Math.max(...runs))} | ${runs.length} |`;
  });
  return ["| from | p50 | least | most | runs |", "|---|--:|--:|--:|--:|", ...lines].join("\n");
}

export function judgeWaits(waits: readonly Wait[]): readonly Verdict[] {
  return waits.flatMap(({ what, atMostMs, runs }) => {
    if (atMostMs === undefined) return [];
    return judged(`startup: ${what}`, median(runs) ?? undefined, { atMost: atMostMs }, (ms) => `${ms.toFixed(0)} ms`);
  });
}
