/**
 * `npm run bench`: interleaved rounds of the same work through each subject, since only ratios of one run mean
 * something on a shared machine. Options: `--rounds N` (5), `--seconds N` of each pgbench run (3), `--quick`
 * (2 rounds, 1 s, a tenth of the rows), `--only NAME` (a measure, a subject, `cost`, what guarding costs a flow and
 * a bystander, `decisions`, what a policy costs, or `recording`, what recording costs; may be repeated), `--json FILE`.
 * Writes build/bench.json. Last line: a count of the aims. Exit code 1: one fell short, or a subject failed.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { type Postgres, startPostgres } from "../kit/postgres.ts";
import { type Cost, judgeCost, measureCost, tableOfCosts } from "./cost.ts";
import { type Decisions, judgeDecisions, measureDecisions, tableOfDecisions } from "./decisions.ts";
import { MEASURES, prepare } from "./measures.ts";
import { judgeRecording, measureRecording, type RecordingCost, tableOfRecording } from "./recording.ts";
import { AIMS, judge, type RoundSample, type Row, rowsOf, tableOf } from "./report.ts";
import { type Running, SUBJECTS } from "./subjects.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string" },
    seconds: { type: "string" },
    quick: { type: "boolean", default: false },
    only: { type: "string", multiple: true, default: [] },
    json: { type: "string", default: join(import.meta.dirname, "../../build/bench.json") },
  },
});
const COST = "cost";
const DECISIONS = "decisions";
const RECORDING = "recording";
/** By themselves these compare no subjects. */
const ALONE = [COST, DECISIONS, RECORDING];
const rounds = Number(values.rounds ?? (values.quick ? 2 : 5));
const effort = { seconds: Number(values.seconds ?? (values.quick ? 1 : 3)), rows: values.quick ? 100_000 : 1_000_000 };
const measures = chosen(MEASURES);
const subjects = chosen(SUBJECTS);
checkUsage();

const samples = new Map(measures.map(({ name }) => [name, new Map<string, RoundSample[]>()]));
const faults: string[] = [];
const running = new Map<string, Running>();
const rss: Row[] = [];

const wantsMeasures = values.only.length === 0 || values.only.some((name) => !ALONE.includes(name));
if (wantsMeasures) await withServer(compareSubjects);
let costs: readonly Cost[] = [];
if (values.only.length === 0 || values.only.includes(COST)) {
  const flows = values.quick ? { connects: 500, mebibytes: 128 } : { connects: 1_000, mebibytes: 256 };
  await attempt(COST, async () => {
    costs = await measureCost(rounds * 12, flows);
  });
}
let decisions: readonly Decisions[] = [];
if (values.only.length === 0 || values.only.includes(DECISIONS)) {
  await attempt(DECISIONS, async () => {
    decisions = await measureDecisions();
  });
}
let recorded: readonly RecordingCost[] = [];
if (values.only.length === 0 || values.only.includes(RECORDING)) {
  await attempt(RECORDING, () =>
    withServer(async (server) => {
      recorded = await measureRecording(server, rounds, effort);
    }),
  );
}
finish();

async function withServer(work: (server: Postgres) => Promise<void>): Promise<void> {
  const server = await startPostgres({
    version: 15,
    password: "bench",
    settings: { log_statement: "none", shared_buffers: "512MB", max_connections: "200", autovacuum: "off" },
  });
  try {
    await prepare(server, effort);
    await work(server);
  } finally {
    await server.stop();
  }
}

async function compareSubjects(server: Postgres): Promise<void> {
  try {
    for (const { name, start } of subjects) {
      await attempt(name, async () => void running.set(name, await start(server)));
    }
    for (let round = 0; round < rounds; round++) await runRound(round);
    for (const [subject, { peakRssBytes }] of running) {
      await attempt(subject, async () => {
        const bytes = peakRssBytes();
        const row = { measure: "peak-rss", subject, peer: "", ratio: null, p50Us: null, p99Us: null };
        if (bytes !== undefined) rss.push({ ...row, runs: [bytes] });
      });
    }
  } finally {
    for (const [name, { stop }] of running) await attempt(name, stop);
  }
}

/** Each subject in turn does each measure; who begins changes from round to round. */
async function runRound(round: number): Promise<void> {
  for (const measure of measures) {
    const turn = round % subjects.length;
    for (const { name } of [...subjects.slice(turn), ...subjects.slice(0, turn)]) {
      const subject = running.get(name);
      if (subject === undefined) continue;
      await attempt(`${name}, ${measure.name}`, async () => {
        const sample = await measure.run(name, subject, effort);
        const own = samples.get(measure.name);
        own?.set(name, [...(own.get(name) ?? []), { ...sample, round }]);
        const rate = `${Math.round(sample.perSecond).toLocaleString("en")} ${measure.unit}`;
        console.error(`round ${round + 1}/${rounds}  ${measure.name.padEnd(12)} ${name.padEnd(10)} ${rate}`);
      });
    }
  }
}

/** One broken subject does not take the others' numbers away; it fails the run in the end. */
async function attempt(what: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const message = `${what}: ${error instanceof Error ? error.message : String(error)}`;
    faults.push(message);
    console.error(`FAILED  ${message}`);
  }
}

function finish(): void {
  const rows = [...rowsOf(samples), ...rss];
  const units = new Map(MEASURES.map(({ name, unit }) => [name, unit]));
  mkdirSync(dirname(values.json), { recursive: true });
  writeFileSync(values.json, `${JSON.stringify([...rows, ...costs, ...decisions, ...recorded], null, 1)}\n`);
  console.log(`${rounds} rounds, ${effort.seconds} s each, ${effort.rows.toLocaleString("en")} rows in bulk\n`);
  if (wantsMeasures) console.log(tableOf(rows, units));
  if (costs.length > 0) console.log(`\n${tableOfCosts(costs)}`);
  if (decisions.length > 0) console.log(`\n${tableOfDecisions(decisions)}`);
  if (recorded.length > 0) console.log(`\n${tableOfRecording(recorded)}`);
  for (const { subject, runs } of rss)
    console.log(`\npeak memory of ${subject}: ${((runs[0] ?? 0) / 2 ** 20).toFixed(0)} MiB`);
  const verdicts = [
    ...(wantsMeasures ? AIMS.map((aim) => judge(aim, rows)) : []),
    ...judgeCost(costs),
    ...judgeDecisions(decisions),
    ...judgeRecording(recorded),
  ];
  console.log("");
  for (const { outcome, text } of verdicts) console.log(`${outcome.padEnd(12)} ${text}`);
  for (const fault of faults) console.log(`${"failed".padEnd(12)} ${fault}`);
  const count = (wanted: string) => verdicts.filter(({ outcome }) => outcome === wanted).length;
  const failed = count("short") + faults.length;
  console.log(`\n${count("met")} passed, ${failed} failed, ${count("not measured")} skipped`);
  process.exitCode = failed > 0 ? 1 : 0;
}

/** A name of the other list does not narrow this one. */
function chosen<T extends { readonly name: string }>(all: readonly T[]): readonly T[] {
  const named = all.filter(({ name }) => values.only.includes(name));
  return named.length === 0 ? all : named;
}

function checkUsage(): void {
  const known = [...[...MEASURES, ...SUBJECTS].map(({ name }) => name), ...ALONE];
  const unknown = values.only.filter((name) => !known.includes(name));
  const isNumber = [rounds, effort.seconds].every((value) => Number.isInteger(value) && value > 0);
  if (unknown.length === 0 && isNumber) return;
  console.error(`usage: npm run bench -- [--rounds N] [--seconds N] [--quick] [--only NAME]… [--json FILE]`);
  console.error(`names: ${known.join(" ")}`);
  process.exit(2);
}
