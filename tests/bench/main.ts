/**
 * `npm run bench`: what the guard costs, in interleaved rounds. Options: `--rounds N` (7), `--seconds N` of each run
 * against the clock (4), `--quick` (2 rounds, 1 s, a tenth of the rows), `--only NAME` (a part, or a measure or subject
 * of the comparison; may be repeated), `--json FILE` (build/bench.json: every run's value), `--write` (tables and
 * plots into docs/). Last line: a count of the aims. Exit code 1: one fell short, or something failed.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { type Postgres, startPostgres } from "../kit/postgres.ts";
import type { Verdict } from "./aims.ts";
import { MEASURES } from "./measures.ts";
import { machine, today, writePlot, writeSection } from "./page.ts";
import { COMPARE, type Context, PARTS, type Part, type Section } from "./parts.ts";
import { SUBJECTS } from "./subjects.ts";
import { prepare } from "./tables.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string" },
    seconds: { type: "string" },
    quick: { type: "boolean", default: false },
    only: { type: "string", multiple: true, default: [] },
    json: { type: "string", default: join(import.meta.dirname, "../../build/bench.json") },
    write: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});
const rounds = Number(values.rounds ?? (values.quick ? 2 : 7));
const effort = { seconds: Number(values.seconds ?? (values.quick ? 1 : 4)), rows: values.quick ? 100_000 : 1_000_000 };
checkUsage();

const [day, host] = [today(), machine()];
const rows = `${effort.rows.toLocaleString("en")} rows${values.quick ? " (quick: not for comparison)" : ""}`;
const conditionsOf = (count: number) => [day, host, `${count} rounds of ${effort.seconds} s`, rows].join(", ");
const faults: string[] = [];
let postgres: Postgres | undefined;
const context: Context = {
  ...{ rounds, effort, attempt, isQuick: values.quick },
  measures: chosen(MEASURES),
  subjects: chosen(SUBJECTS),
  server: async () => (postgres ??= await startServer()),
};
const sections = new Map<string, Section>();
try {
  for (const part of chosenParts()) {
    const sinceMs = performance.now();
    await attempt(part.name, async () => void sections.set(part.name, await part.measure(context)));
    console.error(`${part.name} took ${((performance.now() - sinceMs) / 1000).toFixed(0)} s`);
  }
} finally {
  await postgres?.stop();
}
finish();

async function startServer(): Promise<Postgres> {
  const server = await startPostgres({
    version: 15,
    password: "bench",
    tls: {},
    settings: {
      ...{ log_statement: "none", shared_buffers: "1GB", max_connections: "1200", autovacuum: "off" },
      max_wal_size: "8GB", // no checkpoint of one subject's writes in another's time
    },
  });
  try {
    await prepare(server, effort);
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** What is broken does not take the other numbers away; it fails the run in the end. */
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
  const verdicts: Verdict[] = [];
  console.log(conditionsOf(rounds));
  for (const [name, { markdown, verdicts: own, plots = {}, rounds: count = rounds }] of sections) {
    const lines = own.map(({ outcome, text }) => `- ${outcome.padEnd(12)} ${text}`);
    const section = [conditionsOf(count), markdown, ...(lines.length > 0 ? [lines.join("\n")] : [])].join("\n\n");
    console.log(`\n## ${name}\n\n${markdown}`);
    if (values.write) writeSection(`bench-${name}`, section);
    if (values.write) for (const [plot, svg] of Object.entries(plots)) writePlot(plot, svg);
    verdicts.push(...own);
  }
  mkdirSync(dirname(values.json), { recursive: true });
  const raw = Object.fromEntries([...sections].map(([name, section]) => [name, section.raw]));
  writeFileSync(values.json, `${JSON.stringify({ conditions: conditionsOf(rounds), ...raw }, null, 1)}\n`);
  const left = PARTS.filter(({ name }) => !sections.has(name));
  verdicts.push(...left.map(({ name }): Verdict => ({ outcome: "not measured", text: name })));
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

/** A measure or a subject means the comparison. */
function chosenParts(): readonly Part[] {
  if (values.only.length === 0) return PARTS;
  const comparison = [...MEASURES, ...SUBJECTS].some(({ name }) => values.only.includes(name));
  return PARTS.filter((part) => values.only.includes(part.name) || (comparison && part === COMPARE));
}

function checkUsage(): void {
  const own = [...MEASURES, ...SUBJECTS].map(({ name }) => name);
  const unknown = values.only.filter((name) => !own.includes(name) && !PARTS.some((part) => part.name === name));
  const isNumber = [rounds, effort.seconds].every((value) => Number.isInteger(value) && value > 0);
  // A section is written as a whole, or a table would lose what was not asked for.
  const isWhole = values.only.every((name) => PARTS.some((part) => part.name === name));
  if (!values.help && unknown.length === 0 && isNumber && (isWhole || !values.write)) return;
  const usage = [
    "usage: npm run bench -- [--rounds N] [--seconds N] [--quick] [--only NAME]… [--json FILE] [--write]",
    `parts: ${PARTS.map(({ name }) => name).join(" ")}`,
    `measures and subjects of compare, not with --write: ${own.join(" ")}`,
  ].join("\n");
  if (values.help) console.log(usage);
  else console.error(usage);
  process.exit(values.help ? 0 : 2);
}
