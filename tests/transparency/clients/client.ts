/** What an unmodified client is to this suite: a script of its own, run on both sides, whose results must be equal. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Outcome } from "../../kit/daemon.ts";
import { CLIENTS_DATABASE, type RunOptions, type Side, type Sides } from "../sides.ts";
import type { Version } from "../wire/stage.ts";

export interface Client {
  readonly name: string;
  /** For the table: what it does. */
  readonly what: string;
  /** Debian packages beyond those of the other suites. */
  readonly packages: readonly string[];
  /** Others than all. */
  readonly versions?: readonly Version[];
  /** Part of the quick run. */
  readonly isQuick: boolean;
  /** Empty: equal. Else what differs, in a few lines. */
  differs(sides: Sides): Promise<string>;
}

export const PROGRAMS: string = join(import.meta.dirname, "programs");
const CLIENT_LIMIT_MS = 180_000;

/** The environment by which clients find their server, without a word of Sallyport. */
export function environmentOf({ name, postgres, user, password }: Side): Readonly<Record<string, string>> {
  const { port, caFile = "" } = postgres;
  return {
    PGHOST: "localhost",
    PGPORT: String(port),
    PGUSER: user,
    PGPASSWORD: password,
    PGDATABASE: CLIENTS_DATABASE,
    PGSSLMODE: "verify-full",
    LC_ALL: "C.UTF-8",
    // An agent gets these from `run`.
    ...(name === "direct" ? { PGSSLROOTCERT: caFile, NODE_EXTRA_CA_CERTS: caFile } : {}),
  };
}

export function runOn(side: Side, argv: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const env = { ...environmentOf(side), ...options.env };
  return side.run(argv, { timeoutMs: CLIENT_LIMIT_MS, ...options, env });
}

export interface ProgramOptions extends RunOptions {
  /** Java tells there which environment it has found. */
  readonly stderr?: "ignored";
  /** Makes equal what no two runs have in common, and only that. */
  alike?(text: string): string;
}

/** A client that is one program: both streams and the exit code are its result. */
export function program(
  about: Omit<Client, "differs">,
  argvOf: (sides: Sides, side: Side) => Promise<readonly string[]> | readonly string[],
  options: ProgramOptions = {},
): Client {
  return {
    ...about,
    differs: async (sides) => {
      // What both need is made once, before they run side by side.
      const [one, other] = [await argvOf(sides, sides.direct), await argvOf(sides, sides.guarded)];
      const [direct, guarded] = await Promise.all([
        runOn(sides.direct, one, options),
        runOn(sides.guarded, other, options),
      ]);
      if (direct.code !== 0) return `the direct run itself ended with ${direct.code}: ${direct.stderr}`;
      const { stderr: isCompared = "compared", alike = (text: string) => text } = options;
      const text = ({ code, stdout, stderr }: Outcome) =>
        alike(`${stdout}\n${isCompared === "compared" ? stderr : ""}\n${code}`);
      return linesApart(text(direct), text(guarded));
    },
  };
}

/** The lines around the first one that differs; empty when none does. */
export function linesApart(direct: string, guarded: string): string {
  if (direct === guarded) return "";
  const [one, other] = [direct.split("\n"), guarded.split("\n")];
  const at = one.findIndex((line, place) => line !== other[place]);
  const shown = (lines: readonly string[]) =>
    lines
      .slice(Math.max(0, at - 1), at + 3)
      .map((line) => line.slice(0, 300))
      .join("\n    ");
  return `line ${at + 1} of ${one.length} and ${other.length}\n  direct:\n    ${shown(one)}\n  guarded:\n    ${shown(other)}`.slice(
    0,
    4_000,
  );
}

export function sumOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
