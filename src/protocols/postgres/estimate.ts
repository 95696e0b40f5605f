/**
 * How many rows the planner expects a held statement to touch: EXPLAIN without ANALYZE over a login of our own, read
 * only and within a second. Asked only where planning runs nothing of a user's: every function is built in and known
 * to be safe, and every relation a plain table. Never seen by the client.
 */
import { ProtocolError } from "../../base/errors.ts";
import { ESTIMATE_BYTES_MAX } from "../../base/limits.ts";
import type { Asked, Fact } from "../../model/operation.ts";
import type { LookupMachine } from "../../model/protocol.ts";
import { classify } from "./analysis/functions.ts";
import { asBuffer, BodyReader, frameBytes, HEADER_BYTES, Inlet } from "./codec.ts";
import { readFields } from "./errors.ts";
import { bindTexts, execute, parse, query, SERVER, sync } from "./messages.ts";

export interface EstimateQuestion {
  readonly kind: "estimate";
  readonly text: string;
  readonly parameters: readonly (string | null)[];
  readonly tables: readonly { readonly schema: string; readonly name: string }[];
}

const PLANNED: ReadonlySet<string> = new Set(["sql.read", "sql.insert", "sql.update", "sql.delete"]);
const KINDS: ReadonlySet<string> = new Set(["select", "insert", "update", "delete", "merge"]);

/** See parameters.ts. */
const SHOWN_ONLY = /^binary type |… \(\d+ bytes\)$/;

/** The question, or why it cannot be asked. */
export function estimateOf(asked: readonly Asked[]): { question: EstimateQuestion } | { unknown: string } {
  const judged = asked.filter(({ operation }) => operation.actions.length > 0);
  const [only] = judged;
  if (only === undefined || judged.length > 1) return { unknown: "it is more than one statement" };
  const { operation, text, parameters = [] } = only;
  const tables = new Map<string, { schema: string; name: string }>();
  for (const { name, facts } of operation.actions) {
    const statement = facts["statement"] as StatementFacts | undefined;
    if (statement === undefined || !PLANNED.has(name) || !KINDS.has(statement.kind)) {
      return { unknown: "only SELECT, INSERT, UPDATE, DELETE and MERGE are estimated" };
    }
    const unsafe = statement.functions.find((one) => !isSafe(one));
    if (unsafe !== undefined) return { unknown: `the function ${unsafe} is not known to be safe` };
    for (const { schema, name: table } of statement.tables) tables.set(`${schema}.${table}`, { schema, name: table });
  }
  // As shown to people: these are not what the server would be given.
  const isShown = parameters.some((value) => value !== null && SHOWN_ONLY.test(value));
  if (isShown) return { unknown: "a parameter is binary or too long" };
  return { question: { kind: "estimate", text, parameters, tables: [...tables.values()] } };
}

interface StatementFacts {
  readonly [name: string]: Fact;
  readonly kind: string;
  readonly functions: readonly string[];
  readonly tables: readonly { readonly schema: string; readonly name: string }[];
}

function isSafe(name: string): boolean {
  return !name.includes(":") && !name.includes(".") && classify(undefined, name) === "safe";
}

export class EstimateLookup implements LookupMachine {
  readonly #question: EstimateQuestion;
  readonly #inlet = new Inlet();
  #received = 0;
  /** ReadyForQuery messages so far: after what makes it safe, and after the plan. */
  #ready = 0;
  #plan = "";
  #error = "";

  constructor(question: EstimateQuestion) {
    this.#question = question;
  }

  /** What is not safe fails inside of the transaction, so that nothing after it is planned. */
  start(): Uint8Array {
    const { text, parameters, tables } = this.#question;
    const setting = "SET statement_timeout = '1s'; SET lock_timeout = '1s'; SET default_transaction_read_only = on";
    const check = tables.length === 0 ? "" : `; SELECT 1 / CASE WHEN EXISTS (${unplain(tables)}) THEN 0 ELSE 1 END`;
    return Buffer.concat([
      query(`${setting}; BEGIN READ ONLY${check}`),
      parse("", `EXPLAIN (FORMAT JSON) ${text}`),
      bindTexts(parameters),
      execute(),
      sync(),
    ]);
  }

  receive(bytes: Uint8Array): string | undefined {
    const inlet = this.#inlet;
    this.#received += bytes.length;
    if (this.#received > ESTIMATE_BYTES_MAX) return "not known: the plan is too large";
    inlet.add(asBuffer(bytes));
    while (inlet.unread > 0 && this.#ready < 2) {
      const length = frameBytes(inlet.bytes, inlet.at, inlet.end, ESTIMATE_BYTES_MAX);
      if (length === undefined || length > inlet.unread) break;
      this.#frame(inlet.bytes, inlet.at, inlet.at + length);
      inlet.at += length;
    }
    inlet.keep();
    return this.#ready < 2 ? undefined : this.#answer();
  }

  #frame(bytes: Buffer, at: number, end: number): void {
    switch (bytes[at]) {
      case SERVER.dataRow:
        if (this.#ready === 1) this.#plan += firstField(bytes, at, end);
        return;
      case SERVER.error:
        this.#error ||= readFields(bytes, at + HEADER_BYTES, end).find(([letter]) => letter === "C")?.[1] ?? "";
        return;
      case SERVER.readyForQuery:
        this.#ready++;
        return;
      default:
    }
  }

  #answer(): string {
    if (this.#error !== "") return `not known: ${REASONS[this.#error] ?? `the server says ${this.#error}`}`;
    const rows = rowsOf(this.#plan);
    return rows === undefined ? "not known: the plan cannot be read" : `about ${rows} row${rows === 1 ? "" : "s"}`;
  }
}

/** By SQLSTATE. */
const REASONS: Readonly<Record<string, string>> = {
  "22012": "it names something else than plain tables",
  "55P03": "a table is locked",
  "57014": "planning took too long",
};

/** Relations of these names that are views, foreign or under row security: planning them may run a user's code. */
function unplain(tables: EstimateQuestion["tables"]): string {
  const wheres = tables.map(({ schema, name }) => {
    const own = `c.relname::text OPERATOR(pg_catalog.=) ${hex(name)}`;
    return schema === "" ? `(${own})` : `(${own} AND n.nspname::text OPERATOR(pg_catalog.=) ${hex(schema)})`;
  });
  return `SELECT 1 FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE (${wheres.join(" OR ")}) AND (c.relkind NOT IN ('r', 'p', 'm', 'i', 'I', 'S', 'c', 't') OR c.relrowsecurity)`;
}

function hex(value: string): string {
  return `pg_catalog.convert_from(pg_catalog.decode('${Buffer.from(value).toString("hex")}', 'hex'), 'UTF8')`;
}

function firstField(bytes: Buffer, at: number, end: number): string {
  const body = new BodyReader(bytes, at + HEADER_BYTES, end);
  if (body.count() === 0) throw new ProtocolError("LOOKUP_FAILED", "Cannot read an estimate: a row of it is empty");
  const length = body.int32();
  return length === -1 ? "" : body.take(length).toString();
}

interface Plan {
  readonly "Node Type"?: unknown;
  readonly "Plan Rows"?: unknown;
  readonly Plans?: readonly Plan[];
}

/** Of what changes rows the plan's own count is what it returns; what it changes comes from below. */
function rowsOf(json: string): number | undefined {
  let plan: Plan | undefined;
  try {
    plan = (JSON.parse(json) as readonly { readonly Plan?: Plan }[])[0]?.Plan;
  } catch {
    return undefined;
  }
  const isChange = plan?.["Node Type"] === "ModifyTable";
  const counted = isChange ? (plan?.Plans ?? []).filter((one) => !isSubplan(one)) : plan === undefined ? [] : [plan];
  const rows = counted.map((one) => Number(one["Plan Rows"]));
  return rows.length > 0 && rows.every((one) => one >= 0) ? rows.reduce((sum, one) => sum + one, 0) : undefined;
}

/** A WITH or a scalar subquery beside the rows that are changed. */
function isSubplan(plan: Plan): boolean {
  return ["InitPlan", "SubPlan"].includes(String((plan as Readonly<Record<string, unknown>>)["Parent Relationship"]));
}
