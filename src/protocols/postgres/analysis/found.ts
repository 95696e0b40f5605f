/** What the survey of a statement writes down: the material of every judgement. Plain records, no behaviour. */
import type { Ast, TypedNode } from "./ast.ts";
import { NO_WHERE, type Where } from "./where.ts";

export interface RelationUse {
  readonly schema: string | undefined;
  readonly name: string;
  readonly alias: string | undefined;
  readonly renamesColumns: boolean;
  readonly access: "read" | "write";
}

/** A SELECT, or a data-changing statement with its target: what an unqualified `*` inside it means. */
export interface QueryUse {
  readonly relations: RelationUse[];
}

export interface ColumnUse {
  /** Without the star. */
  readonly fields: readonly string[];
  readonly star: boolean;
  /** A plain output column of the outermost statement. */
  readonly bare: boolean;
  /** In ORDER BY, GROUP BY or DISTINCT ON, where a name may mean an output column. */
  readonly sorts: boolean;
  readonly query: QueryUse | undefined;
}

export interface FunctionUse {
  readonly schema: string | undefined;
  readonly name: string;
  readonly call: Ast;
}

export interface JoinUse {
  readonly natural: boolean;
  readonly using: readonly string[];
  /** Of the join, and of its USING columns. */
  readonly aliases: readonly string[];
  readonly renamesColumns: boolean;
  readonly relations: readonly RelationUse[];
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

export interface OutputUse {
  readonly alias: string | undefined;
  readonly column: ColumnUse | undefined;
}

export interface ConflictUse {
  readonly target: RelationUse;
  /** Named columns or expressions say which rows conflict, rather than a constraint or anything. */
  readonly inferred: boolean;
  /** Columns that the INSERT writes; empty for all. */
  readonly columns: readonly string[];
}

export interface Survey {
  readonly relations: RelationUse[];
  readonly columns: ColumnUse[];
  readonly functions: FunctionUse[];
  /** OPERATOR(schema.+) outside pg_catalog, as "schema.+". */
  readonly foreignOperators: string[];
  readonly joins: JoinUse[];
  readonly changes: ChangeUse[];
  readonly conflicts: ConflictUse[];
  /** Node types of every statement in it, itself first. */
  readonly statements: TypedNode[];
  /** VariableSetStmt bodies, wherever. */
  readonly settings: Ast[];
  /** Other names that may mean a whole row of a target: OLD, NEW, excluded and what RETURNING WITH calls them. */
  readonly rowNames: Set<string>;
  /** Of the outermost SELECT or RETURNING, in order. */
  readonly outputs: OutputUse[];
  /** ORDER BY, GROUP BY or DISTINCT ON by position, of the outermost statement. */
  readonly ordinals: number[];
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
    foreignOperators: [],
    joins: [],
    changes: [],
    conflicts: [],
    statements: [],
    settings: [],
    rowNames: new Set(),
    outputs: [],
    ordinals: [],
    where: NO_WHERE,
    selects: false,
    into: false,
    literalsMatter: false,
  };
}
