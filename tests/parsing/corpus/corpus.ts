/** The whole corpus: every source in the share that was asked for, each text once. */
import { parseSync } from "libpg-query";
import { Random } from "../random.ts";
import type { World } from "../truth/world.ts";
import { Changes } from "./changes.ts";
import { definitions } from "./definitions.ts";
import { forms } from "./forms.ts";
import { functionCalls } from "./functions.ts";
import { OWN_WHOLE, ownStatements } from "./own.ts";
import { valuesFor } from "./parameters.ts";
import { Queries } from "./queries.ts";
import { settingsStatements } from "./settings.ts";
import { smithQueries } from "./smith.ts";
import type { Source, Statement } from "./statement.ts";

/** How many of each kind; what stands in a list already (own tests) is taken whole or thinned out. */
export interface Sizes {
  readonly queries: number;
  readonly changes: number;
  readonly conditions: number;
  /** Expansions of each definition, and of each that needs a database of its own. */
  readonly definitions: number;
  readonly apart: number;
  /** Different calls of each function, forms of each setting, tables of each tool's form. */
  readonly functions: number;
  readonly settings: number;
  readonly forms: number;
  readonly smith: number;
  /** One of so many is taken, of functions, settings and own statements. */
  readonly thinning: number;
}

export async function makeCorpus(world: World, seed: number, sizes: Sizes): Promise<readonly Statement[]> {
  const session = await world.sessionOf("truth");
  const corpus = new Corpus();
  const random = (offset: number) => new Random(seed * 1_000 + offset);
  const thinned = <T>(list: readonly T[], offset: number): readonly T[] =>
    sizes.thinning === 1 ? list : random(offset).some(list, Math.ceil(list.length / sizes.thinning));
  try {
    const queries = new Queries(random(1));
    for (let left = sizes.queries; left > 0; left--) corpus.add("grammar: queries", queries.statement());
    const changes = new Changes(random(2));
    for (let left = sizes.changes; left > 0; left--) corpus.add("grammar: changes", changes.statement());
    for (let left = sizes.conditions; left > 0; left--) {
      if (left % 4 > 1) corpus.add("grammar: conditions", changes.whole(), { always: true });
      else if (left % 4 === 1) corpus.add("grammar: conditions", changes.single());
      else {
        const [first, always] = changes.twins();
        corpus.add("grammar: conditions", first);
        corpus.add("grammar: conditions", always, { always: true });
      }
    }
    for (const { text, apart, before, undo } of definitions(random(3), sizes.definitions, sizes.apart)) {
      corpus.add("grammar: definitions", text, apart ? { apart, before, undo } : {});
    }
    for (const text of thinned(await settingsStatements(session, random(4), sizes.settings), 5)) {
      corpus.add("every setting", text);
    }
    for (const { text, isRestricted } of thinned(await functionCalls(session, random(6), sizes.functions), 7)) {
      corpus.add("every function", text, isRestricted ? { isRestricted } : {});
    }
    for (const { text, values } of forms(random(8), sizes.forms))
      corpus.add("forms of tools", text, values ? { values } : {});
    for (const text of thinned(ownStatements(), 9)) {
      const values = valuesFor(text);
      const always = OWN_WHOLE.has(text) ? { always: true as const } : {};
      corpus.add("own test tables", text, { ...(values ? { values } : {}), ...always, database: "people" });
    }
    if (sizes.smith > 0) {
      const options = world.optionsOf("truth");
      for (const text of await smithQueries(options, { seed, count: sizes.smith })) corpus.add("sqlsmith", text);
    }
    return corpus.statements;
  } finally {
    await session.close();
  }
}

/** Texts of the generated grammar alone, for which no server is needed. */
export function grammarTexts(seed: number): readonly string[] {
  const queries = new Queries(new Random(seed));
  const changes = new Changes(new Random(seed + 1));
  return [
    ...Array.from({ length: 2_000 }, () => queries.statement()),
    ...Array.from({ length: 1_000 }, () => changes.statement()),
    ...definitions(new Random(seed + 2), 24, 12).flatMap(({ text, before }) => [text, ...before]),
    ...forms(new Random(seed + 3), 2).map(({ text }) => text),
  ];
}

class Corpus {
  readonly #seen = new Set<string>();
  readonly statements: Statement[] = [];

  add(source: Source, text: string, more: Partial<Statement> = {}): void {
    const own: Statement = { text, source, database: "truth", ...more };
    const key = `${own.database} ${text}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    this.statements.push(own.apart === undefined && controlsTransactions(text) ? { ...own, apart: true } : own);
  }
}

/** It begins or ends transactions, listens or discards: a transaction around it would change what it does. */
function controlsTransactions(text: string): boolean {
  if (!/begin|start|commit|rollback|abort|end|savepoint|release|prepare|listen|notify|discard/i.test(text))
    return false;
  try {
    const { stmts = [] } = parseSync(text) as { readonly stmts?: readonly { readonly stmt: object }[] };
    return stmts.some(({ stmt }) =>
      /^(TransactionStmt|ListenStmt|UnlistenStmt|NotifyStmt|DiscardStmt)$/.test(Object.keys(stmt)[0] ?? ""),
    );
  } catch {
    return false;
  }
}
