/** The words of `npm run leaks`. Throws UsageError with one line for a person. */
import { parseArgs } from "node:util";
import type { Version } from "./world.ts";

export const HELP = `npm run leaks -- [options]

Tries to see values of labelled columns. Each attack is run directly, where it must give a value away, and as an agent
through a real daemon, where no piece of one may arrive in any byte. Then random statements, and oracles.

  --only TEXT       attacks whose group or name holds this text (may be repeated)
  --server VERSION  15 or 18: every attack that this server knows (default: 15, and on 18 what only 18 knows)
  --quick           a sample over all groups, one way of saying for each, and few random statements
  --seed N          of the random statements and of the sample (default 1)
  --random N        how many random statements (default 1000; with --quick 60)
  --from N          number of the first random statement (default 0), to repeat one
  --collide         random statements of another kind: names that mean several things, and tables that just changed
  --list            the attacks, and no run
  --json FILE       the rows as JSON, too
  --write           the tables into docs/leaks.md
  --help            this text

Last line: N attacks, N leaked. Exit code 1: something leaked, or an attack proves nothing; 2: wrong usage.`;

export class UsageError extends Error {}

export interface Options {
  readonly only: readonly string[];
  readonly server: Version | undefined;
  readonly quick: boolean;
  readonly seed: number;
  readonly random: number;
  readonly from: number;
  readonly collide: boolean;
  readonly list: boolean;
  readonly json: string | undefined;
  readonly write: boolean;
  readonly help: boolean;
}

const RANDOM = 1_000;
const RANDOM_QUICK = 60;

export function readOptions(args: readonly string[]): Options {
  const values = parse(args);
  const { only = [], quick = false, collide = false, list = false, json, write = false, help = false } = values;
  if (write && (quick || only.length > 0)) throw new UsageError("--write needs a whole run");
  const random = values.random === undefined ? (quick ? RANDOM_QUICK : RANDOM) : numberOf("--random", values.random);
  const seed = numberOf("--seed", values.seed ?? "1");
  const from = numberOf("--from", values.from ?? "0");
  return { only, server: versionOf(values.server), quick, seed, random, from, collide, list, json, write, help };
}

function versionOf(text: string | undefined): Version | undefined {
  if (text === undefined) return undefined;
  if (text === "15") return 15;
  if (text === "18") return 18;
  throw new UsageError(`Cannot use the server ${text}: it is 15 or 18`);
}

function numberOf(name: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`Cannot use ${name} ${text}: it is a number`);
  return Number(text);
}

function parse(args: readonly string[]) {
  try {
    const text = { type: "string" } as const;
    const flag = { type: "boolean" } as const;
    const options = {
      ...{ only: { type: "string", multiple: true } as const, server: text, quick: flag, seed: text, random: text },
      ...{ from: text, collide: flag, list: flag, json: text, write: flag, help: flag },
    };
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
