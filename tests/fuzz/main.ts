/**
 * `npm run fuzz`: mutated messages in both directions to the PostgreSQL session, login and lookup machines. Options:
 * `--messages N` (10,000,000), `--seed N`, `--markdown FILE` writes the report there, `--record` makes the corpus anew
 * from a real server and ends. Kept reproductions run first. Last line: "N messages, N faults"; exit code 1: a fault.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { prepareAnalysis } from "../../src/protocols/postgres/actions.ts";
import { campaign } from "./campaign.ts";
import type { Counts } from "./counts.ts";
import { type Endured, endure } from "./endurance.ts";
import { FuzzFault } from "./fault.ts";
import { pageOf } from "./page.ts";
import { readRegressions, replay } from "./reproduction.ts";
import { realSession } from "./setting.ts";

/** Changing it changes what is tried; the kept runs had this one. */
export const SEED = 20_261_129;
const FOLDER = join(import.meta.dirname, "../../build/fuzz");
/** To each of the sessions that do not end, in a run of ten million messages; less in a shorter one. */
const ENDURANCE_BYTES = 200 * 1024 * 1024;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      messages: { type: "string", default: "10000000" },
      seed: { type: "string", default: String(SEED) },
      markdown: { type: "string" },
      record: { type: "boolean", default: false },
    },
  });
  if (values.record) {
    const { recordCorpus } = await import("./record.ts");
    console.log(`${await recordCorpus()} conversations`);
    return 0;
  }
  const [messages, seed] = [Number(values.messages), Number(values.seed)];
  if (!Number.isSafeInteger(messages) || messages < 1 || !Number.isSafeInteger(seed)) {
    console.error("usage: npm run fuzz -- [--messages N] [--seed N] [--markdown FILE] | --record");
    return 2;
  }
  console.log(`seed ${seed}`);
  await prepareAnalysis();
  const faults: string[] = [];
  const regressions = readRegressions();
  for (const { name, reproduction } of regressions) {
    const fault = replay(reproduction, realSession);
    if (fault !== undefined) faults.push(`regressions/${name}: ${fault.kind}: ${fault.message}`);
  }
  const report = await campaign({ messages, seed, folder: FOLDER, tell: (line) => console.error(line) });
  const { counts } = report;
  for (const { seed: own, fault, path, times } of report.found) {
    faults.push(`seed ${own}: ${fault.kind}: ${fault.message} (${times} times) ${path}`);
  }
  const endured = await endureAll(messages, counts, faults);
  const page = pageOf({ ...report, seed, messages, regressions: regressions.length, endured, faults });
  console.log(page);
  for (const fault of faults) console.log(`FAULT ${fault}`);
  if (values.markdown !== undefined) writeFileSync(values.markdown, page);
  console.log(`${counts.mutated} messages, ${faults.length} faults`);
  return faults.length > 0 ? 1 : 0;
}

async function endureAll(messages: number, counts: Counts, faults: string[]): Promise<readonly Endured[]> {
  const bytes = Math.min(ENDURANCE_BYTES, messages * 20);
  try {
    return await endure(bytes, counts, realSession);
  } catch (error) {
    if (!(error instanceof FuzzFault)) throw error;
    faults.push(`${error.kind}: ${error.message}`);
    return [];
  }
}

process.exitCode = await main();
