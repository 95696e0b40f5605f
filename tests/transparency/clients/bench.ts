/** pgbench: the same seed on both sides must leave the same tables behind, in every protocol mode. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Side, Sides } from "../sides.ts";
import { type Client, linesApart, runOn } from "./client.ts";

const DATABASE = "bench";
const RUNS: Readonly<Record<string, readonly string[]>> = {
  "tpcb-like, simple": ["--protocol=simple", "--client=4", "--transactions=40"],
  "tpcb-like, extended": ["--protocol=extended", "--client=4", "--transactions=40"],
  "tpcb-like, prepared": ["--protocol=prepared", "--client=4", "--jobs=2", "--transactions=40"],
  "simple-update": ["--builtin=simple-update", "--protocol=prepared", "--client=2", "--transactions=60"],
  "select-only": ["--select-only", "--protocol=extended", "--client=2", "--transactions=200"],
  "connect each time": ["--builtin=simple-update", "--connect", "--client=2", "--transactions=10"],
};
const SEEDED = ["--no-vacuum", "--random-seed=7"];
const PIPELINE = `\\set aid random(1, 1000)
\\startpipeline
UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = :aid;
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
INSERT INTO pgbench_history (tid, bid, aid, delta) VALUES (1, 1, :aid, 5);
\\endpipeline
SELECT count(*) AS n FROM pgbench_branches \\gset
UPDATE pgbench_branches SET bbalance = bbalance + :n;
`;

/** All that pgbench changes, without the clock. */
const STATE = `
  SELECT (SELECT md5(string_agg(format('%s %s %s', aid, bid, abalance), ',' ORDER BY aid)) FROM pgbench_accounts) AS accounts,
    (SELECT string_agg(format('%s %s', tid, tbalance), ',' ORDER BY tid) FROM pgbench_tellers) AS tellers,
    (SELECT string_agg(format('%s %s', bid, bbalance), ',' ORDER BY bid) FROM pgbench_branches) AS branches,
    (SELECT md5(string_agg(format('%s %s %s %s', tid, bid, aid, delta), ',' ORDER BY tid, bid, aid, delta)) FROM pgbench_history) AS history,
    (SELECT count(*) FROM pgbench_history) AS changes`;

export const BENCH_CLIENTS: readonly Client[] = [
  {
    name: "pgbench",
    what: `initialises, then ${Object.keys(RUNS).length} runs and a pipeline with the same seed; the tables afterwards are equal`,
    packages: [],
    isQuick: true,
    differs: async (sides) => linesApart(await resultOf(sides, sides.direct), await resultOf(sides, sides.guarded)),
  },
];

async function resultOf({ folder }: Sides, side: Side): Promise<string> {
  const script = join(folder, "pipeline.pgbench");
  writeFileSync(script, PIPELINE);
  await side.postgres.query(`DROP DATABASE IF EXISTS ${DATABASE}`);
  await side.postgres.query(`CREATE DATABASE ${DATABASE} TEMPLATE template0`);
  const lines: string[] = [];
  const bench = async (name: string, options: readonly string[]) => {
    const { code, stdout, stderr } = await runOn(side, ["pgbench", ...options, DATABASE]);
    if (code !== 0) throw new Error(`pgbench ended with ${code} on the ${side.name} side: ${stderr}`);
    const done = stdout.split("\n").filter((line) => /^number of (transactions|failed)/.test(line));
    lines.push(`${name}: ${done.join(", ")}`);
    lines.push(JSON.stringify(await side.postgres.query(STATE, DATABASE)));
  };
  await bench("initialise", ["--initialize", "--init-steps=dtgvpf", "--scale=1", "--quiet"]);
  for (const [name, options] of Object.entries(RUNS)) await bench(name, [...SEEDED, ...options]);
  await bench("pipeline", [...SEEDED, `--file=${script}`, "--protocol=extended", "--client=3", "--transactions=30"]);
  return lines.join("\n");
}
