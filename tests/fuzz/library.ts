/** What the model of the server knows: the recorded answers, and something small for what was never recorded. */
import { server } from "../kit/wire.ts";
import type { Answers, Recorded, Run } from "./answers.ts";
import { share } from "./random.ts";
import { isNamingText, type Portal } from "./sql.ts";

export const SYNTAX: Buffer = server.error({
  S: "ERROR",
  V: "ERROR",
  C: "42601",
  M: "syntax error at or near what was fuzzed",
});
export const COLUMNS: Buffer = server.columns({ name: "?column?" });
const ROWS: readonly Buffer[] = [COLUMNS, server.row("1"), server.complete("SELECT 1")];
const ROW_DESCRIPTION = 0x54;

export class Library {
  readonly #answers: Answers;
  readonly #seed: number;

  constructor(answers: Answers, seed: number) {
    this.#answers = answers;
    this.#seed = seed;
  }

  has(text: string): boolean {
    return this.#answers.has(text);
  }

  /** As a Query: with its row descriptions. `turn` chooses where it was recorded more than once. */
  queryOf(text: string, turn: number): Run | undefined {
    const found = this.#answers.get(text)?.queries ?? [];
    if (found.length > 0) return this.#any(found, turn);
    const recorded = this.#answers.get(text)?.runs.get("");
    const described = this.#answers.get(text)?.described.get("");
    if (recorded === undefined) return this.isUnknown(text) ? failed(SYNTAX) : { frames: ROWS, afterCopy: undefined };
    const run = this.#any(recorded, turn);
    return described !== undefined && described[0] === ROW_DESCRIPTION
      ? { ...run, frames: [described, ...run.frames] }
      : run;
  }

  /** As an Execute: without. Undefined: not with these formats. */
  runOf({ text, formats }: Pick<Portal, "text" | "formats">, turn: number): Run | undefined {
    const recorded = this.#answers.get(text);
    const runs = recorded?.runs.get(formats);
    if (runs !== undefined) return this.#any(runs, turn);
    if (formats !== "") return undefined;
    const asQuery = recorded === undefined ? undefined : asRun(recorded);
    return asQuery ?? { frames: ROWS.slice(1), afterCopy: undefined };
  }

  /** Undefined: no such formats were recorded. */
  columnsOf(text: string, formats: string): Buffer | undefined {
    const recorded = this.#answers.get(text);
    if (recorded === undefined && isNamingText(text)) return server.noData();
    const described = recorded?.described.get(formats);
    if (described !== undefined || formats !== "") return described;
    const asStatement = recorded?.statement[1];
    if (asStatement !== undefined) return asStatement;
    const query = recorded?.queries[0]?.frames;
    if (query === undefined) return COLUMNS;
    return query.find(([type]) => type === ROW_DESCRIPTION) ?? server.noData();
  }

  /** The model runs no SQL: what was never recorded is a syntax error to it, or gives one row of its own. */
  isUnknown(text: string): boolean {
    if (this.#answers.has(text) || isNamingText(text)) return false;
    return !/^\s*(select|values|table|with)\b/i.test(text) || share(this.#seed, 4, text.length) < 0.3;
  }

  /** ParameterDescription, and RowDescription or NoData; empty: not recorded. */
  statementOf(text: string): readonly Buffer[] {
    return this.#answers.get(text)?.statement ?? [];
  }

  #any<T>(list: readonly T[], turn: number): T {
    return list[Math.floor(share(this.#seed, 3, turn) * list.length)] as T;
  }
}

export function failed(error: Buffer): Run {
  return { frames: [error], afterCopy: undefined };
}

/** What a Query of one statement answered, without its description. */
function asRun({ queries }: Recorded): Run | undefined {
  const [run] = queries;
  return run && { ...run, frames: run.frames.filter(([type]) => type !== ROW_DESCRIPTION) };
}
