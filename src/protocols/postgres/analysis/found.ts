/** What the survey of a statement writes down: the material of every judgement. Plain records, no behaviour. */
import type { Ast, TypedNode } from "./ast.ts";
import { NO_WHERE, type Where } from "./where.ts";

export interface RelationUse {
  readonly schema: string | undefined;
  readonly name: string;
  readonly access: "read" | "write";
}

/** A SELECT, or a data-changing statement with its target. */
export interface QueryUse {
  readonly relations: RelationUse[];
}

export interface FunctionUse {
  readonly schema: string | undefined;
  readonly name: string;
  readonly call: Ast;
}

export type DataChange = "insert" | "update" | "delete";

/** One data-changing part: a statement may hold several, in WITH. */
export interface ChangeUse {
  readonly change: DataChange;
  readonly kind: string;
  readonly where: Where;
  /** Columns written; "*" where the statement names none. */
  readonly columns: readonly string[];
  /** Relations of the whole part, its target among them. */
  readonly relations: readonly RelationUse[];
}

export interface Survey {
  readonly relations: RelationUse[];
  /** Names of columns, without what qualifies them; "*" for a star. */
  readonly columns: string[];
  readonly functions: FunctionUse[];
  /** What stands behind a dot, as the last name of a column or as a field: also how PostgreSQL calls f(row). */
  readonly fields: string[];
  /** OPERATOR(schema.+) outside pg_catalog, as "schema.+". */
  readonly foreignOperators: string[];
  readonly changes: ChangeUse[];
  /** Node types of every statement in it, itself first. */
  readonly statements: TypedNode[];
  /** VariableSetStmt bodies, wherever. */
  readonly settings: Ast[];
  /** Something is sorted or grouped by position. */
  ordinals: boolean;
  where: Where;
  selects: boolean;
  /** INTO of a SELECT. */
  into: boolean;
  literalsMatter: boolean;
}

export function emptySurvey(): Survey {
  return {
    relations: [],
    columns: [],
    functions: [],
    fields: [],
    foreignOperators: [],
    changes: [],
    statements: [],
    settings: [],
    ordinals: false,
    where: NO_WHERE,
    selects: false,
    into: false,
    literalsMatter: false,
  };
}
