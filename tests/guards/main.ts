/**
 * `npm run guards`: every attack on four policies, with and without the guard, and every harmless statement, against a
 * real PostgreSQL. Exit code 1: an attack passed, a harmless statement was refused or answered otherwise, or something
 * proves nothing any more; 2: wrong usage.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ATTACKS } from "./attacks/index.ts";
import { documentOf } from "./document.ts";
import { GuardedWorld } from "./guarded-world.ts";
import { HARMLESS } from "./harmless/index.ts";
import {
  countsOf,
  faultsOf,
  LIMITS_TITLE,
  runSuite,
  type SuiteOptions,
  type SuiteResult,
  VAIN_TITLE,
} from "./suite.ts";

const DOCUMENT = join(import.meta.dirname, "../../docs/guards.md");
const HELP = `Options:
  --version 15|18   of the server; 15 when absent
  --only TITLE      a group; may be repeated
  --every N         the first row of each group and every Nth behind it, each in one form
  --write           writes docs/guards.md`;

class UsageError extends Error {}

async function main(args: readonly string[]): Promise<number> {
  try {
    const { version, options, writes, wantsHelp } = read(args);
    if (wantsHelp) {
      console.log(HELP);
      return 0;
    }
    const result = await runIn(version, options);
    if (writes) writeFileSync(DOCUMENT, documentOf(result));
    const faults = faultsOf(result);
    for (const fault of faults) console.log(fault);
    const { attacks, passed, harmless, refused } = countsOf(result);
    console.log(`\n${result.limits.length} stated limits, in ${(result.tookMs / 1000).toFixed(0)} s`);
    console.log(`${attacks} attacks, ${passed} passed; ${harmless} harmless, ${refused} refused`);
    return faults.length > 0 ? 1 : 0;
  } catch (error) {
    console.error(error instanceof UsageError ? `${error.message}\n${HELP}` : error);
    return error instanceof UsageError ? 2 : 1;
  }
}

async function runIn(version: 15 | 18, options: SuiteOptions): Promise<SuiteResult> {
  const guarded = await GuardedWorld.start(version);
  try {
    return await runSuite(guarded, options);
  } finally {
    await guarded.stop();
  }
}

interface Wanted {
  readonly version: 15 | 18;
  readonly options: SuiteOptions;
  readonly writes: boolean;
  readonly wantsHelp: boolean;
}

function read(args: readonly string[]): Wanted {
  const values = parse(args);
  const { version = "15", every = "1", only = [], write = false, help = false } = values;
  const stride = Number(every);
  if (version !== "15" && version !== "18") throw new UsageError(`Cannot use PostgreSQL ${version}`);
  if (!Number.isSafeInteger(stride) || stride < 1) throw new UsageError(`Cannot take every ${every} of rows`);
  const titles = new Set([...ATTACKS, ...HARMLESS].map(({ title }) => title)).add(LIMITS_TITLE).add(VAIN_TITLE);
  const unknown = only.find((title) => !titles.has(title));
  if (unknown !== undefined) throw new UsageError(`Cannot run ${unknown}: the groups are ${[...titles].join(", ")}`);
  const tell = (line: string) => console.error(line);
  const options = { only: new Set(only), stride, tell };
  return { version: version === "15" ? 15 : 18, options, writes: write, wantsHelp: help };
}

function parse(args: readonly string[]) {
  try {
    const text = { type: "string" } as const;
    const flag = { type: "boolean" } as const;
    const options = {
      version: text,
      every: text,
      only: { type: "string", multiple: true },
      write: flag,
      help: flag,
    } as const;
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

process.exitCode = await main(process.argv.slice(2));
