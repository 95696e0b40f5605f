/**
 * `npm run parsing`: how many statements of a large corpus the analysis understands, and whether what it says of them
 * covers what a real PostgreSQL does with them. `--seed N` (1); `--quick` a tenth of it; `--without-sqlsmith`;
 * `--write` docs/parsing.md; `--json FILE` every statement with what came of it. Exit code 1: one is wrong in the unsafe
 * direction. Last line: `N statements, N understood, N wrong in the unsafe direction`.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { analyse, prepareAnalysis } from "../../src/protocols/postgres/actions.ts";
import { Analyser } from "../../src/protocols/postgres/analysis/analyse.ts";
import { makeCorpus, type Sizes } from "./corpus/corpus.ts";
import { Coverage } from "./coverage.ts";
import { documentOf, listOf } from "./document.ts";
import { judge, misremembered, observeCaptured, observeCorpus, tallyOf } from "./run.ts";
import { makeWorld } from "./truth/world.ts";

const DOCUMENT = join(import.meta.dirname, "../../docs/parsing.md");
const FULL: Sizes = {
  queries: 8_000,
  changes: 3_500,
  conditions: 2_400,
  definitions: 24,
  apart: 6,
  functions: 2,
  settings: 5,
  forms: 18,
  smith: 4_000,
  thinning: 1,
};
const QUICK: Sizes = {
  queries: 800,
  changes: 350,
  conditions: 240,
  definitions: 3,
  apart: 1,
  functions: 1,
  settings: 1,
  forms: 2,
  smith: 300,
  thinning: 5,
};

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    quick: { type: "boolean", default: false },
    "without-sqlsmith": { type: "boolean", default: false },
    write: { type: "boolean", default: false },
    json: { type: "string" },
  },
});
const started = performance.now();
const seed = Number(values.seed);
const wanted = values.quick ? QUICK : FULL;
const sizes = values["without-sqlsmith"] ? { ...wanted, smith: 0 } : wanted;
const scope = { data: {}, catalog: undefined };
const tell = ({ done, of }: { readonly done: number; readonly of: number }) => console.error(`${done} of ${of}`);

await prepareAnalysis();
console.error(`seed ${seed}`);
const observations = [...(await onServer(18)), ...(await onServer(15))];
const results = judge(observations, (text) => analyse(text, scope));
const afresh = new Analyser(0);
await afresh.prepare();
const mixedUp = misremembered(
  observations,
  (text) => analyse(text, scope),
  (text) => afresh.analyse(text, scope),
);
const coverage = await Coverage.load();
for (const { statement } of results) coverage.add(statement.text);
const tally = tallyOf(results);
const page = documentOf(results, coverage.counts(), {
  seed,
  seconds: (performance.now() - started) / 1_000,
  mixedUp: mixedUp.length,
});
if (values.json !== undefined) {
  const plain = results.map(({ statement, outcome, error, verdict }) => ({ ...statement, outcome, error, ...verdict }));
  writeFileSync(values.json, `${JSON.stringify(plain, null, 1)}\n`);
}
if (values.write) writeFileSync(DOCUMENT, page);
else console.log(page);
for (const line of listOf(results)) console.log(line);
for (const { text } of mixedUp) console.log(`MIXED UP with another text of its shape: ${text.replace(/\s+/g, " ")}`);
const { statements, understood, wrong } = tally;
console.log(`${statements} statements, ${understood} understood, ${wrong} wrong in the unsafe direction`);
process.exitCode = wrong + mixedUp.length === 0 ? 0 : 1;

/** The corpus on the version whose grammar the parser has; the tools' own statements on the version that they belong to. */
async function onServer(version: 15 | 18) {
  const world = await makeWorld(version);
  try {
    if (version === 15) return await observeCaptured(world);
    return await observeCorpus(world, await makeCorpus(world, seed, sizes), tell);
  } finally {
    await world.stop();
  }
}
