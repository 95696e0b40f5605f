/** Runs a corpus: what the analysis says of each text, what the server does with it, and what came of the comparison. */
import type { Analysis } from "../../src/protocols/postgres/actions.ts";
import { compare, type Verdict } from "./compare.ts";
import { capture } from "./corpus/captured.ts";
import type { Statement } from "./corpus/statement.ts";
import type { Catalog } from "./truth/catalog.ts";
import type { Effects } from "./truth/effects.ts";
import { NEEDS_NO_TRANSACTION } from "./truth/observed.ts";
import type { World } from "./truth/world.ts";

/** The analysis as policy's caller has it; a control gives one with a fault. */
export type Analyse = (text: string) => Analysis;

export interface Result {
  readonly statement: Statement;
  readonly outcome: Effects["outcome"];
  readonly error: Effects["error"];
  readonly verdict: Verdict;
}

/** What the server did with a statement, and what it knew of its database before. */
export interface Observation {
  readonly statement: Statement;
  /** As it was run. */
  readonly text: string;
  readonly effects: Effects;
  readonly catalog: Catalog;
}

export interface Progress {
  readonly done: number;
  readonly of: number;
}

export async function observeCorpus(
  world: World,
  corpus: readonly Statement[],
  tell: (progress: Progress) => void = () => undefined,
): Promise<readonly Observation[]> {
  const observations: Observation[] = [];
  for (const statement of corpus) {
    const effects = await world.truthOf(statement);
    const catalog = world.catalogOf(statement.database);
    observations.push({ statement, text: world.textOf(statement.text), effects, catalog });
    if (observations.length % 500 === 0) tell({ done: observations.length, of: corpus.length });
  }
  return observations;
}

export function judge(observations: readonly Observation[], analyse: Analyse): readonly Result[] {
  return observations.map(({ statement, text, effects, catalog }) => {
    const verdict = compare(statement, analyse(text), effects, catalog);
    return { statement, outcome: effects.outcome, error: effects.error, verdict };
  });
}

/** The analysis keeps what it found for texts of one shape: those for which it then says another thing than afresh. */
export function misremembered(
  observations: readonly Observation[],
  analyse: Analyse,
  afresh: Analyse,
): readonly Observation[] {
  const told = ({ statements }: Analysis) => JSON.stringify(statements.map(({ operation }) => operation));
  return observations.filter(({ text }) => told(analyse(text)) !== told(afresh(text)));
}

/** Their control of transactions would break the one in which each of their statements is observed. */
const TRANSACTIONS = /^\s*(begin|start\s+transaction|commit|end|rollback|abort|set\s+transaction)\b/i;

/** What PostgreSQL's own tools said, one after the other in a database like the one that they were let at. */
export async function observeCaptured(world: World): Promise<readonly Observation[]> {
  const observations: Observation[] = [];
  const seen = new Set<string>();
  for (const { name, database, texts } of await capture(world.postgres, "truth_template")) {
    const replay = `replay_${observations.length}`;
    const from = name === "pg_restore" || name === "pgbench" ? "template0" : database;
    await world.postgres.query(`CREATE DATABASE ${replay} TEMPLATE ${from}`);
    const observed = await world.follow(replay);
    try {
      for (const text of texts) {
        if (TRANSACTIONS.test(text)) continue;
        const statement: Statement = { text, source: "captured from tools", database: "truth" };
        const { catalog } = observed;
        const effects = await observed.follow(text);
        const key = text.replace(/'\d+'/g, "").trim();
        // What needs no transaction ran, and was not observed: the corpus has the same forms in databases of their own.
        if (seen.has(key) || NEEDS_NO_TRANSACTION.has(effects.error?.code ?? "")) continue;
        seen.add(key);
        observations.push({ statement, text, effects, catalog });
      }
    } finally {
      await observed.close();
    }
  }
  return observations;
}

export interface Tally {
  /** The server accepted them: what the figure is counted over. */
  readonly statements: number;
  readonly understood: number;
  /** Judged as code that runs, whatever it does. */
  readonly code: number;
  readonly refused: number;
  readonly wrong: number;
  readonly stricter: number;
  readonly behind: number;
  readonly limits: number;
  readonly undecided: number;
  readonly ran: number;
  readonly planned: number;
  readonly apart: number;
  /** The server itself refused them, and they are not among the statements. */
  readonly rejected: number;
}

export function tallyOf(results: readonly Result[]): Tally {
  const accepted = results.filter(({ verdict }) => verdict.kind !== "unknown");
  const count = (test: (result: Result) => boolean) => accepted.filter(test).length;
  return {
    statements: accepted.length,
    understood: count(({ verdict }) => verdict.kind === "understood" && verdict.wrong.length === 0),
    code: count(({ verdict }) => verdict.kind === "code" && verdict.wrong.length === 0),
    refused: count(({ verdict }) => verdict.kind === "refused"),
    wrong: count(({ verdict }) => verdict.wrong.length > 0),
    stricter: count(({ verdict }) => verdict.stricter.length > 0),
    behind: count(({ verdict }) => verdict.isBehind),
    limits: count(({ verdict }) => verdict.limits.length > 0),
    undecided: count(({ verdict }) => verdict.isUndecided),
    ran: count(({ outcome }) => outcome === "ran"),
    planned: count(({ outcome }) => outcome === "planned"),
    apart: count(({ outcome }) => outcome === "apart"),
    rejected: results.length - accepted.length,
  };
}
