/** `npm run leaks`: see options.ts. Exit code 1: something leaked, or an attack proves nothing. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ALL, GROUPS } from "./attacks.ts";
import { documentOf, isWeak, leaked, propertyText, statedLimit, wordsOf } from "./document.ts";
import { HELP, type Options, readOptions, UsageError } from "./options.ts";
import { type OracleReport, runOracles } from "./oracles.ts";
import { type PropertyReport, runProperty } from "./property.ts";
import { attacksOn, chosen, sample } from "./sample.ts";
import { runTrials, type Trial } from "./trial.ts";
import { makeWorld, type Version } from "./world.ts";

const DOCUMENT = join(import.meta.dirname, "../../docs/leaks.md");
const VERSIONS: readonly Version[] = [15, 18];
/** Of each group in a quick run. */
const EACH = 2;

async function main(args: readonly string[]): Promise<number> {
  try {
    const options = readOptions(args);
    if (options.help) console.log(HELP);
    else if (options.list) list();
    else return await run(options);
    return 0;
  } catch (error) {
    console.error(error instanceof UsageError ? `${error.message}\nusage: npm run leaks -- --help` : error);
    return error instanceof UsageError ? 2 : 1;
  }
}

function list(): void {
  for (const { title, attacks } of GROUPS) {
    console.log(title);
    for (const { name, sql, shown } of attacks)
      console.log(`  ${name.padEnd(44)} ${(shown ?? sql ?? "").slice(0, 120)}`);
  }
  console.log(`${ALL.length} attacks`);
}

async function run(options: Options): Promise<number> {
  const startedMs = performance.now();
  const { quick, seed, server, random, collide } = options;
  const wanted = chosen(ALL, options.only);
  const picked = quick ? sample(wanted, EACH, seed) : wanted;
  const parts = VERSIONS.map((version) => ({ version, attacks: attacksOn(picked, version, server) }));
  const versions = parts.filter(({ attacks }) => attacks.length > 0).map(({ version }) => version);
  const base = server ?? 15;
  if (versions.length === 0) throw new UsageError("Cannot find such an attack; see --list");
  const tell = (line: string) => console.error(line);
  const world = await makeWorld([...new Set([...versions, base])]);
  try {
    const trials: Trial[] = [];
    for (const { version, attacks } of parts) {
      trials.push(...(await runTrials(world, attacks, { version, oneWay: quick, tell })));
    }
    const property = await runProperty(world, {
      version: base,
      seed,
      from: options.from,
      count: random,
      collide,
      tell,
    });
    const oracles = await runOracles(world, base);
    return finish({ trials, property, oracles, tookMs: performance.now() - startedMs }, options);
  } finally {
    await world.stop();
  }
}

interface Came {
  readonly trials: readonly Trial[];
  readonly property: PropertyReport;
  readonly oracles: readonly OracleReport[];
  readonly tookMs: number;
}

function finish(came: Came, { json, write }: Options): number {
  const { trials, property, oracles } = came;
  if (json !== undefined) writeFileSync(json, `${JSON.stringify({ ...came, trials: trials.map(plain) }, null, 1)}\n`);
  if (write) writeFileSync(DOCUMENT, documentOf(came));
  for (const trial of trials.filter(leaked)) console.log(`LEAKED ${lineOf(trial)}`);
  for (const trial of trials.filter(isWeak))
    console.log(`PROVES NOTHING ${lineOf(trial)} ${trial.controlErrors.join("; ")}`);
  for (const { number, composed, what } of property.leaks)
    console.log(`LEAKED random ${number}: ${what.slice(0, 3)} ${composed.form} ${composed.sql}`);
  for (const { number, composed, what } of property.failed)
    console.log(`FAILED random ${number}: ${what} ${composed.form} ${composed.sql}`);
  const faults = oracles.filter(
    ({ works, forbidden, pieces }) => !works || forbidden === "answered" || pieces.length > 0,
  );
  for (const { oracle, works, forbidden, pieces } of faults) {
    const why = !works
      ? "does not work directly"
      : forbidden === "answered"
        ? "is answered under the rule"
        : `shows ${pieces}`;
    console.log(`ORACLE ${oracle.name}: ${why}: ${oracle.sql}`);
  }
  console.log(`\n${propertyText(property)}`);
  console.log(
    `${oracles.length} oracles, ${oracles.filter(({ forbidden }) => forbidden === "answered").length} answered under the rule that forbids them`,
  );
  const bad = trials.filter(leaked).length;
  const isProven = !trials.some(isWeak) && faults.length === 0 && property.failed.length === 0;
  const stated = trials.filter((trial) => statedLimit(trial) !== undefined).length;
  console.log(`${stated} stated limits, each of which succeeds`);
  console.log(`${trials.length - stated} attacks, ${bad} leaked`);
  return bad > 0 || property.leaks.length > 0 || !isProven ? 1 : 0;
}

function plain({ group, attack, control, outcomes }: Trial): object {
  return { group, name: attack.name, control: control ?? "nothing", agent: wordsOf(outcomes), outcomes };
}

function lineOf({ group, attack, outcomes }: Trial): string {
  const pieces = outcomes.flatMap(({ kind, what }) => (kind === "leaked" || kind === "failed" ? what.slice(0, 3) : []));
  return `${group} / ${attack.name}: ${wordsOf(outcomes)} [${pieces.join(" ")}] ${(attack.shown ?? attack.sql ?? "").slice(0, 300)}`;
}

process.exitCode = await main(process.argv.slice(2));
