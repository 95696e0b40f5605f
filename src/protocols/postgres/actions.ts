/**
 * The actions PostgreSQL asks policy for with the facts each one brings, and the analysis that finds
 * them in a text. What they mean is decided in `analysis/`; nothing is judged here.
 */
import type { ActionDeclaration, FactType } from "../../model/operation.ts";
import { Analyser, type Analysis, type AnalysisScope } from "./analysis/analyse.ts";

export type { Analysis, AnalysisScope } from "./analysis/analyse.ts";
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

export const POSTGRES_ACTIONS: readonly ActionDeclaration[] = [
  { name: "sql", about: "any judged SQL statement", facts: FACTS },
  { name: "sql.read", about: "reads rows: SELECT, RETURNING, COPY … TO, EXPLAIN", facts: FACTS },
  { name: "sql.insert", about: "adds rows: INSERT, MERGE, COPY … FROM", facts: FACTS },
  { name: "sql.update", about: "changes rows: UPDATE, MERGE, ON CONFLICT DO UPDATE, setval()", facts: FACTS },
  { name: "sql.delete", about: "removes rows: DELETE, MERGE, TRUNCATE (which has no WHERE)", facts: FACTS },
  { name: "sql.define", about: "changes the schema: CREATE, ALTER, DROP, COMMENT, REINDEX, SELECT INTO", facts: FACTS },
  {
    name: "sql.administer",
    about: "roles, grants, maintenance, server settings, extensions, writes to system catalogs",
    facts: FACTS,
  },
  {
    name: "sql.call",
    about: "runs code that is not known to be harmless: DO, CALL, EXECUTE, other functions",
    facts: FACTS,
  },
  {
    name: "sql.server",
    about: "leaves the database: server files, programs, large objects on disk, other servers",
    facts: FACTS,
  },
  { name: "sql.copy", about: "bulk transfer: COPY in either direction", facts: FACTS },
  {
    name: "sql.session",
    about: "changes the session: SET ROLE, search_path, DISCARD, LISTEN, NOTIFY, LOCK, two-phase commit",
    facts: FACTS,
  },
];

/** One parser and one memory for the process: sessions share what they have already seen. */
const analyser = new Analyser();

/** Loads the grammar. Until then `analyse` forbids everything. */
export function prepareAnalysis(): Promise<void> {
  return analyser.prepare();
}

/** Judges a text of any number of statements as `scope`'s connection would run it. Never throws. */
export function analyse(text: string, scope: AnalysisScope): Analysis {
  return analyser.analyse(text, scope);
}
