/**
 * The actions PostgreSQL asks policy for with the facts each one brings, and the analysis that finds
 * them in a text. What they mean is decided in `analysis/`; nothing is judged here.
 */
import type { ActionDeclaration, FactType } from "../../model/operation.ts";
import type { MemoryCounts } from "../../model/protocol.ts";
import { Analyser, type Analysis, type AnalysisScope } from "./analysis/analyse.ts";

export type { Analysis, AnalysisScope, Statement } from "./analysis/analyse.ts";
export type { Effects } from "./analysis/judge.ts";

/**
 * The part of a statement that one action stands for. Names are as PostgreSQL folds them. There is no
 * text and no literal among the facts: one operation is shared by every text of the same shape.
 */
const STATEMENT: FactType = {
  object: "statement",
  fields: {
    /** "select", "delete", "truncate", "drop-table", "create-index", "copy-to", "set-role", … */
    kind: "string",
    tables: {
      list: {
        object: "table",
        fields: {
          /** "" where the statement names none: then every table of that name is meant, strictest wins. */
          schema: "string",
          name: "string",
          labels: { list: "string" },
          /** Of all columns of the table, whichever of them the statement uses. */
          columnLabels: { list: "string" },
          /** "read" or "write". */
          access: "string",
        },
      },
    },
    /** Names read or written, where decidable; "*" stands for all. */
    columns: { list: "string" },
    /** Of the whole statement; without schema for those of pg_catalog. */
    functions: { list: "string" },
    /** The same, each with its volatility: "immutable", "stable", "volatile", or "unknown" where it is not PostgreSQL's own. */
    calls: { list: { object: "call", fields: { name: "string", volatility: "string" } } },
    where: { object: "where", fields: { present: "bool", tautology: "bool" } },
    /** Labels of columns that predicates, joins, sorts and groupings test: what comes back tells of their values. */
    oracles: { list: "string" },
  },
};

const FACTS = { statement: STATEMENT } as const;
/** What a rule has to name so that another statement is another: columns would make rules that nobody reads. */
const TELLS_BY = [
  ...["statement.kind", "statement.tables.schema", "statement.tables.name", "statement.tables.access"],
  ...["statement.functions", "statement.where.present", "statement.where.tautology", "statement.oracles"],
];
const SHARED = { facts: FACTS, tellsBy: TELLS_BY } as const;

export const POSTGRES_ACTIONS: readonly ActionDeclaration[] = [
  { name: "sql", about: "any judged SQL statement", ...SHARED },
  { name: "sql.read", about: "reads rows: SELECT, RETURNING, COPY … TO, EXPLAIN", ...SHARED },
  { name: "sql.insert", about: "adds rows: INSERT, MERGE, COPY … FROM", ...SHARED, writes: true },
  {
    name: "sql.update",
    about: "changes rows: UPDATE, MERGE, ON CONFLICT DO UPDATE, setval()",
    ...SHARED,
    writes: true,
  },
  { name: "sql.delete", about: "removes rows: DELETE, MERGE, TRUNCATE (which has no WHERE)", ...SHARED },
  { name: "sql.define", about: "changes the schema: CREATE, ALTER, DROP, COMMENT, REINDEX, SELECT INTO", ...SHARED },
  {
    name: "sql.administer",
    about: "roles, grants, maintenance, server settings, extensions, writes to system catalogs",
    ...SHARED,
  },
  {
    name: "sql.call",
    about: "runs code that is not known to be harmless: DO, CALL, EXECUTE, other functions",
    ...SHARED,
  },
  {
    name: "sql.server",
    about: "leaves the database: server files, programs, large objects on disk, other servers",
    ...SHARED,
  },
  { name: "sql.copy", about: "bulk transfer: COPY in either direction", ...SHARED },
  {
    name: "sql.session",
    about: "changes the session: SET ROLE, search_path, DISCARD, LISTEN, NOTIFY, LOCK, two-phase commit",
    ...SHARED,
  },
];

/** One parser and one memory for the process: sessions share what they have already seen. */
const analyser = new Analyser();

/** Loads the grammar. Until then `analyse` forbids everything. */
export function prepareAnalysis(): Promise<void> {
  return analyser.prepare();
}

/** How often an analysis was known. */
export function analysisMemory(): MemoryCounts {
  return analyser.memory;
}

/** String constants of a text; undefined: it cannot be parsed. */
export function literalsOf(text: string): readonly string[] | undefined {
  return analyser.literals(text);
}

/** Judges a text of any number of statements as `scope`'s connection would run it. Never throws. */
export function analyse(text: string, scope: AnalysisScope): Analysis {
  return analyser.analyse(text, scope);
}
