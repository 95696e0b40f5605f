/** One run of the suite over one version: what was played, what differed. */
import { CLIENTS } from "./clients/all.ts";
import type { Client } from "./clients/client.ts";
import { SHUTDOWN } from "./clients/shutdown.ts";
import { apartFromStated, type Difference, differencesOf, misstated, play } from "./compare.ts";
import { plant } from "./control.ts";
import { type Chapter, chaptersOf } from "./corpus/corpus.ts";
import type { Options } from "./options.ts";
import { CLIENTS_DATABASE, type Sides, startSides } from "./sides.ts";
import type { Version } from "./wire/stage.ts";

export interface ClientResult {
  readonly name: string;
  readonly what: string;
  /** Empty: equal. */
  readonly apart: string;
}

export interface VersionResult {
  readonly version: Version;
  /** As the server says it. */
  readonly serverVersion: string;
  readonly chapters: readonly Chapter[];
  readonly differences: readonly Difference[];
  /** Cases in which the server itself answered with an error. */
  readonly withErrors: number;
  readonly misstated: readonly string[];
  /** Undefined: the planted byte was found. */
  readonly control: string | undefined;
  readonly clients: readonly ClientResult[];
  /** Types of the server of which the corpus has no value. */
  readonly missingTypes: readonly string[];
}

const QUICK_ONE_IN = 20;

export async function runVersion(
  version: Version,
  options: Options,
  tell: (line: string) => void,
): Promise<VersionResult> {
  const sides = await startSides(version);
  try {
    const [row] = await sides.direct.postgres.query("SHOW server_version");
    const about = { version, serverVersion: String(row?.["server_version"]) };
    const statements = options.parts.includes("statements") ? await runStatements(sides, options, tell) : NOTHING;
    const areClients = options.parts.includes("clients");
    const clients = areClients ? await runClients(CLIENTS, sides, options, tell) : [];
    // Behind the others, because it makes the direct server another than the other one.
    const control = await plant(sides);
    if (control !== undefined) tell(`${version}: the planted byte was not found: ${control}`);
    // Last, because nothing is there any more.
    const last = areClients ? await runClients([SHUTDOWN], sides, options, tell) : [];
    return { ...about, ...statements, clients: [...clients, ...last], control };
  } finally {
    await sides.stop();
  }
}

type StatementsResult = Omit<VersionResult, "version" | "serverVersion" | "clients" | "control">;

const NOTHING: StatementsResult = {
  chapters: [],
  differences: [],
  withErrors: 0,
  misstated: [],
  missingTypes: [],
};

async function runStatements(sides: Sides, options: Options, tell: (line: string) => void): Promise<StatementsResult> {
  const { version, folder, direct, guarded } = sides;
  const { seed, only, isQuick } = options;
  const played = { version, seed, only, folder, oneIn: isQuick ? QUICK_ONE_IN : 1 };
  const missingTypes = await typesNotIn(sides);
  const startedMs = performance.now();
  const both = { ...played, parts: ["corpus", "stated"] } as const;
  const [heardDirectly, heardAsAgent] = await Promise.all([play(direct, both), play(guarded, both)]);
  const [one, statedOfOne] = apartFromStated(heardDirectly);
  const [other, statedOfOther] = apartFromStated(heardAsAgent);
  const differences = differencesOf(one, other);
  const wrong = misstated(statedOfOne, statedOfOther);
  const seconds = ((performance.now() - startedMs) / 1_000).toFixed(0);
  tell(`${version}: ${one.length} cases, ${differences.length} differ, ${seconds} s`);
  tell(`${version}: ${statedOfOne.length} stated differences, ${wrong.length} not as stated`);
  return {
    chapters: chaptersOf(played).filter(({ name }) => name.includes(only)),
    differences,
    withErrors: one.filter(({ heard }) => heard.some(({ codes }) => codes.length > 0)).length,
    misstated: wrong,
    missingTypes,
  };
}

/** Base types, ranges and multiranges of pg_catalog that have no column among the template's tables of types. */
async function typesNotIn({ direct }: Sides): Promise<readonly string[]> {
  const rows = await direct.postgres.query(
    `SELECT t.oid::regtype::text AS name FROM pg_type AS t
      WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype IN ('b', 'r', 'm') AND typcategory <> 'A'
        AND NOT EXISTS (SELECT FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = attrelid
          WHERE relname ~ '^kind_[0-9]+$' AND atttypid = t.oid) ORDER BY 1`,
    CLIENTS_DATABASE,
  );
  return rows.map(({ name }) => String(name));
}

async function runClients(
  clients: readonly Client[],
  sides: Sides,
  options: Options,
  tell: (line: string) => void,
): Promise<readonly ClientResult[]> {
  const results: ClientResult[] = [];
  for (const { name, what, packages, isQuick, versions, differs } of clients) {
    if (versions?.includes(sides.version) === false) continue;
    if ((options.isQuick && !isQuick) || !name.includes(options.only)) continue;
    const startedMs = performance.now();
    const apart = await differs(sides).catch((error: Error) => error.message);
    const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
    tell(`${sides.version}: ${name} ${apart === "" ? "equal" : "DIFFERS"}, ${seconds} s`);
    const needs = packages.length === 0 ? "" : `\n  (needs the packages ${packages.join(", ")})`;
    results.push({ name, what, apart: apart && apart + needs });
  }
  return results;
}
