/** The words of `npm run transparency`. Throws UsageError with one line for a person. */
import { parseArgs } from "node:util";
import type { Version } from "./wire/stage.ts";

export const HELP = `npm run transparency -- [options]

Plays a corpus of statements, in every protocol mode, and unmodified clients on two equal servers: directly, and
through Sallyport with a policy that allows all. What both sides hear is compared byte by byte. Needs root, a kernel with
cgroup BPF, PostgreSQL 15 and 18, and the clients' packages.

  --version N    15 or 18 (may be repeated; both)
  --part PART    statements or clients; both
  --only TEXT    chapters or clients whose name holds this
  --quick        a twentieth of the statements, and the clients that need no further packages
  --seed N       of the generated statements (1)
  --write        the table into docs/transparency.md
  --help         this text

Last line: N statements, N differences; N clients, N failed. Exit code 1: something differs; 2: wrong usage.`;

export class UsageError extends Error {}

export interface Options {
  readonly versions: readonly Version[];
  readonly parts: readonly ("statements" | "clients")[];
  readonly only: string;
  readonly isQuick: boolean;
  readonly seed: number;
  readonly write: boolean;
  readonly help: boolean;
}

const VERSIONS: readonly Version[] = [15, 18];
const PARTS = ["statements", "clients"] as const;

export function readOptions(args: readonly string[]): Options {
  const values = parse(args);
  const { only = "", quick = false, write = false, help = false, seed = "1", part } = values;
  if (!/^\d{1,9}$/.test(seed)) throw new UsageError(`Cannot use the seed ${seed}: it is a number`);
  const known = (values.version ?? VERSIONS.map(String)).map((text) => {
    const version = VERSIONS.find((one) => String(one) === text);
    if (version === undefined) throw new UsageError(`Cannot run version ${text}: there are ${VERSIONS.join(" and ")}`);
    return version;
  });
  const parts = PARTS.filter((one) => part === undefined || one === part);
  if (parts.length === 0) throw new UsageError(`Cannot run the part ${part}: there are ${PARTS.join(" and ")}`);
  return { versions: known, parts, only, isQuick: quick, seed: Number(seed), write, help };
}

function parse(args: readonly string[]) {
  try {
    const text = { type: "string" } as const;
    const flag = { type: "boolean" } as const;
    const version = { type: "string", multiple: true } as const;
    const options = { version, part: text, only: text, seed: text, quick: flag, write: flag, help: flag };
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
