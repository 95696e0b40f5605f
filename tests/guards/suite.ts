/** The whole suite, or a part: one policy after the other, its attacks, its limits and its harmless statements. */
import type { AttackGroup, HarmlessGroup, Limit, PolicyName } from "./attack.ts";
import { ATTACKS } from "./attacks/index.ts";
import { REFUSED_BY_SERVER } from "./attacks/refused-by-server.ts";
import { type AttackResult, runAttacks } from "./attacks-run.ts";
import type { GuardedWorld } from "./guarded-world.ts";
import { HARMLESS } from "./harmless/index.ts";
import { type HarmlessResult, runHarmless } from "./harmless-run.ts";
import { LIMITS } from "./limits.ts";
import { POLICIES } from "./policies.ts";
import type { Form } from "./speech.ts";

export interface SuiteOptions {
  /** Of the titles of groups, "Stated limits" among them; empty: all. */
  readonly only: ReadonlySet<string>;
  /** Of each group the first row and each one so far behind it; 1: all. */
  readonly stride: number;
  readonly tell: (line: string) => void;
}

export interface SuiteResult {
  readonly version: number;
  readonly attacks: readonly { readonly group: AttackGroup; readonly results: readonly AttackResult[] }[];
  readonly harmless: readonly { readonly group: HarmlessGroup; readonly results: readonly HarmlessResult[] }[];
  readonly limits: readonly { readonly limit: Limit; readonly result: AttackResult }[];
  /** Tries of which PostgreSQL itself lets nothing come: they prove nothing and must do no harm either. */
  readonly vain: readonly AttackResult[];
  readonly tookMs: number;
}

export const VAIN_TITLE = "What the server refuses itself";
export const LIMITS_TITLE = "Stated limits";
const FORMS: readonly Form[] = ["simple", "extended"];

export async function runSuite(guarded: GuardedWorld, options: SuiteOptions): Promise<SuiteResult> {
  const { only, stride, tell } = options;
  const { version } = guarded;
  const startedMs = performance.now();
  const isChosen = ({ title }: { readonly title: string }) => only.size === 0 || only.has(title);
  const some = <T extends { readonly since?: number; readonly until?: number }>(rows: readonly T[]) =>
    rows.filter(({ since = 0, until = version }, at) => since <= version && version <= until && at % stride === 0);
  const attacks = ATTACKS.filter(isChosen).map((group) => ({ ...group, attacks: some(group.attacks) }));
  const harmless = HARMLESS.filter(isChosen).map((group) => ({ ...group, statements: some(group.statements) }));
  const limits = some(isChosen({ title: LIMITS_TITLE }) ? LIMITS : []);
  const vain: AttackResult[] = [];
  const attackResults = new Map<object, AttackResult>();
  const harmlessResults = new Map<object, HarmlessResult>();
  const done = () => `${((performance.now() - startedMs) / 1000).toFixed(0)} s`;
  if (isChosen({ title: VAIN_TITLE })) {
    await guarded.enforce("no-ddl");
    const run = { policy: "no-ddl", prefix: "vain", eachAlone: true } as const;
    vain.push(...(await runAttacks(guarded, some(REFUSED_BY_SERVER), run)));
  }
  for (const [at, policy] of Object.keys(POLICIES).entries()) {
    const own = <T extends { readonly policy: PolicyName }>(rows: readonly T[]) =>
      rows.filter((row) => row.policy === policy);
    const tried = own(attacks).flatMap((group) => group.attacks);
    const stated = own(limits);
    const let_ = own(harmless).flatMap(({ statements }) => statements);
    if (tried.length + stated.length + let_.length === 0) continue;
    const name = policy as PolicyName;
    await guarded.enforce(name);
    const isSample = stride > 1;
    const run = { policy: name, prefix: `${at}`, inTurns: isSample };
    for (const result of await runAttacks(guarded, tried, run)) attackResults.set(result.attack, result);
    tell(`${done()}: ${policy}: ${tried.length} attacks`);
    const limitRun = { ...run, prefix: `${at}limit`, eachAlone: true };
    for (const result of await runAttacks(guarded, stated, limitRun)) attackResults.set(result.attack, result);
    for (const result of await runHarmless(guarded, let_, isSample ? ["extended"] : FORMS))
      harmlessResults.set(result.statement, result);
    tell(`${done()}: ${policy}: ${stated.length} limits, ${let_.length} harmless statements`);
  }
  const resultOf = <R>(results: ReadonlyMap<object, R>, row: { readonly name: string }): R => {
    const result = results.get(row);
    if (result === undefined) throw new Error(`Not run: ${row.name}`);
    return result;
  };
  return {
    version,
    attacks: attacks.map((group) => ({ group, results: group.attacks.map((row) => resultOf(attackResults, row)) })),
    harmless: harmless.map((group) => ({
      group,
      results: group.statements.map((row) => resultOf(harmlessResults, row)),
    })),
    limits: limits.map((limit) => ({ limit, result: resultOf(attackResults, limit) })),
    vain,
    tookMs: performance.now() - startedMs,
  };
}

/** What is wrong, one line each, the shortest attack first. */
export function faultsOf({ attacks, harmless, limits, vain }: SuiteResult): readonly string[] {
  const bad = attacks
    .flatMap(({ group, results }) => results.map((result) => ({ group, result })))
    .filter(({ result }) => result.verdict !== "closed")
    .sort((a, b) => sentOf(a.result.attack).length - sentOf(b.result.attack).length);
  return [
    ...bad.map(({ group: { policy }, result: { verdict, attack, why } }) => {
      return `${verdict}: ${policy}: ${attack.name}: ${shortened(sentOf(attack))}: ${why}`;
    }),
    ...harmless.flatMap(({ group: { policy }, results }) =>
      results
        .filter(({ verdict }) => verdict !== "equal")
        .map(({ verdict, statement, why }) => `${verdict}: ${policy}: ${shortened(statement.name)}: ${why}`),
    ),
    ...vain
      .filter(({ verdict }) => verdict !== "weak")
      .map(({ attack, verdict, why }) => `${verdict}, and not in vain: ${attack.name}: ${why}`),
    ...limits
      .filter(({ result }) => result.verdict !== "passed")
      .map(({ limit, result }) => `no limit any more: ${limit.policy}: ${limit.name}: ${result.verdict} ${result.why}`),
  ];
}

export function countsOf({ attacks, harmless }: SuiteResult) {
  const tried = attacks.flatMap(({ results }) => results);
  const let_ = harmless.flatMap(({ results }) => results);
  return {
    attacks: tried.length,
    passed: tried.filter(({ verdict }) => verdict === "passed").length,
    harmless: let_.length,
    refused: let_.filter(({ verdict }) => verdict === "refused").length,
  };
}

/** What an attack sends, as text. */
export function sentOf({ means }: { readonly means: AttackGroup["attacks"][number]["means"] }): string {
  switch (means.kind) {
    case "text":
      return means.sql;
    case "bound":
      return `${means.sql} with ${means.values.map((value) => value ?? "NULL").join(", ")}`;
    case "spoken":
      return means.told;
    default:
      return means satisfies never;
  }
}

const SHOWN_MAX = 200;

/** On one line, and not longer than a line of a table should be. */
export function shortened(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length <= SHOWN_MAX ? line : `${line.slice(0, SHOWN_MAX - 1)}…`;
}
