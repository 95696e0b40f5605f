/** Runs the harness and reads what it says. */
import { spawn } from "node:child_process";

export interface RelayCounts {
  /** Mutated messages that an open flow looked at, and those as they should be around them. */
  readonly mutated: number;
  readonly fromClient: number;
  readonly fromServer: number;
  readonly regular: number;
  readonly episodes: number;
  readonly flows: number;
  readonly groups: number;
  readonly answers: number;
  readonly bytes: number;
  readonly vouched: number;
  readonly decided: number;
  readonly turns: number;
  /** The most that was resident after the first tenth, and at the end. */
  readonly firstKib: number;
  readonly lastKib: number;
  readonly byChange: Readonly<Record<string, number>>;
  readonly byWhy: Readonly<Record<string, number>>;
}

export interface RelayRun {
  /** Undefined: a sanitizer ended it. */
  readonly counts: RelayCounts | undefined;
  /** Empty: nothing was found. */
  readonly faults: string;
  readonly seconds: number;
}

export async function runRelayFuzz(
  program: string,
  { messages, seed, episode, planted = 0 }: { messages: number; seed: number; episode?: number; planted?: number },
): Promise<RelayRun> {
  const flags = { messages, seed, planted, ...(episode === undefined ? {} : { episode }) };
  const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const beganMs = performance.now();
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  const said = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name].setEncoding("utf8").on("data", (text: string) => {
      said[name] = (said[name] + text).slice(-100_000);
    });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  const last = said.stdout.trim().split("\n").at(-1) ?? "";
  return {
    counts: last === "" ? undefined : (JSON.parse(last) as RelayCounts),
    faults: code === 0 ? "" : `${said.stderr}\nexit code ${code}`,
    seconds: (performance.now() - beganMs) / 1000,
  };
}
