/**
 * The label guard: until lineage can follow a labelled column through expressions, it may leave a
 * statement in one form only, as a plain output column of the outermost SELECT or RETURNING, where the
 * answer names its source and the mask finds it. Everything else that touches it is forbidden. What
 * this file says names relations and columns, never a literal.
 */
import type { Operation } from "../../../model/operation.ts";
import type { TypedNode } from "./ast.ts";
import type { ColumnUse, RelationUse, Survey } from "./found.ts";
import { classify } from "./functions.ts";
import { type AnalysisScope, fold, labelsOfRelation, type RelationLabels } from "./labels.ts";

type Forbidden = NonNullable<Operation["forbidden"]>;

interface Guarded {
  readonly use: RelationUse;
  readonly labels: RelationLabels;
}

/** System relations that hold values of rows, or statements with their literals. */
const VALUE_RELATIONS: ReadonlySet<string> = new Set([
  "pg_statistic",
  "pg_stats",
  "pg_statistic_ext_data",
  "pg_stats_ext",
  "pg_stats_ext_exprs",
  "pg_stat_activity",
  "pg_stat_statements",
  "pg_largeobject",
  "pg_prepared_statements",
  "pg_cursors",
]);

/** What may be done to a labelled or derived relation besides reading and changing rows. */
const HARMLESS_TO_RELATION: ReadonlySet<string> = new Set(["TruncateStmt", "LockStmt", "VacuumStmt", "GrantStmt"]);
const ROW_STATEMENTS: ReadonlySet<string> = new Set([
  "SelectStmt",
  "InsertStmt",
  "UpdateStmt",
  "DeleteStmt",
  "MergeStmt",
  "CopyStmt",
  "DeclareCursorStmt",
]);

/** Statements that run or install no code, so that they cannot carry labelled values where we do not look. */
const CODELESS: ReadonlySet<string> = new Set([
  ...ROW_STATEMENTS,
  ...HARMLESS_TO_RELATION,
  "ExplainStmt",
  "FetchStmt",
  "ClosePortalStmt",
  "DeallocateStmt",
  "TransactionStmt",
  "ConstraintsSetStmt",
  "VariableSetStmt",
  "VariableShowStmt",
  "DiscardStmt",
  "ListenStmt",
  "UnlistenStmt",
  "NotifyStmt",
  "CheckPointStmt",
  "CreateStmt",
  "CreateTableAsStmt",
  "ViewStmt",
  "RefreshMatViewStmt",
  "IndexStmt",
  "CreateStatsStmt",
  "AlterStatsStmt",
  "CreateSeqStmt",
  "AlterSeqStmt",
  "CreateSchemaStmt",
  "CreateEnumStmt",
  "AlterEnumStmt",
  "CompositeTypeStmt",
  "CreateDomainStmt",
  "AlterDomainStmt",
  "AlterTableStmt",
  "AlterOwnerStmt",
  "CommentStmt",
  "DropStmt",
  "ReindexStmt",
  "ClusterStmt",
  "GrantRoleStmt",
  "AlterDefaultPrivilegesStmt",
  "CreateRoleStmt",
  "AlterRoleStmt",
  "AlterRoleSetStmt",
  "DropRoleStmt",
  "DropOwnedStmt",
  "ReassignOwnedStmt",
  "CreatePolicyStmt",
  "AlterPolicyStmt",
]);

/** Undefined: nothing labelled is touched, or only as plain output. Call only where columns are labelled. */
export function guard(scope: AnalysisScope, found: Survey): Forbidden | undefined {
  return guardConnection(found) ?? guardCatalog(scope, found) ?? guardRelations(scope, found);
}

/** Code that runs inside the server could read anything, whatever the statement names. */
function guardConnection(found: Survey): Forbidden | undefined {
  for (const statement of found.statements) {
    if (statement.type === "RenameStmt" || statement.type === "AlterObjectSchemaStmt") {
      if (statement.body["relation"] !== undefined) continue;
    } else if (CODELESS.has(statement.type)) {
      continue;
    }
    return unseen(`${nameOf(statement)} can carry labelled columns unseen`);
  }
  for (const { schema, name } of found.functions) {
    const known = classify(schema, name);
    if (known === "unknown" || known === "server") {
      return unseen(
        `the function ${schema === undefined ? name : `${schema}.${name}`} can read labelled columns unseen`,
      );
    }
  }
  const operator = found.foreignOperators[0];
  if (operator !== undefined) return unseen(`the operator ${operator} can read labelled columns unseen`);
  for (const { schema, name } of found.relations) {
    if (schema === "pg_toast" || ((schema === undefined || schema === "pg_catalog") && VALUE_RELATIONS.has(name))) {
      return unseen(`${name} can show values of labelled columns`);
    }
    // The extension may live in any schema.
    if (name.startsWith("pg_stat_statements")) return unseen(`${name} can show values of labelled columns`);
  }
  return undefined;
}

function guardCatalog(scope: AnalysisScope, found: Survey): Forbidden | undefined {
  if (scope.catalog !== undefined) return undefined;
  const relation = found.relations.find(({ schema }) => schema !== "pg_catalog" && schema !== "information_schema");
  if (relation === undefined) return undefined;
  return {
    rule: "built-in:catalog-unknown",
    message: `Cannot judge ${relation.name}: columns are labelled here and the catalog could not be read, so any relation may be a view over them`,
  };
}

function guardRelations(scope: AnalysisScope, found: Survey): Forbidden | undefined {
  const guarded: Guarded[] = [];
  const seen = new Map<string, RelationLabels>();
  for (const use of found.relations) {
    const key = `${use.schema ?? ""}.${use.name}`;
    const labels = seen.get(key) ?? labelsOfRelation(scope, use.schema, use.name);
    seen.set(key, labels);
    if (labels.guarded) guarded.push({ use, labels });
  }
  if (guarded.length === 0) return undefined;
  const first = found.statements[0];
  if (first !== undefined && HARMLESS_TO_RELATION.has(first.type) && found.statements.length === 1) return undefined;
  const derived = guarded.find(({ labels }) => labels.derived);
  if (derived !== undefined) {
    return labelled(
      `${derived.use.name} derives from a table with labelled columns; read the plain columns of that table`,
    );
  }
  const other = found.statements.find(({ type }) => !ROW_STATEMENTS.has(type) && type !== "ExplainStmt");
  if (other !== undefined || found.into) {
    const what = other === undefined ? "SELECT INTO" : nameOf(other);
    return labelled(`${what} is not possible on ${guarded[0]?.use.name ?? ""}, which has labelled columns`);
  }
  return guardShape(found, guarded) ?? guardColumns(found, guarded) ?? guardOrdinals(found, guarded);
}

/** Renamed columns, joins and conflict targets that would hide or test a labelled column. */
function guardShape(found: Survey, guarded: readonly Guarded[]): Forbidden | undefined {
  const uses = new Set(guarded.map(({ use }) => use));
  for (const { use } of guarded) {
    if (use.renamesColumns) return labelled(`the columns of ${use.name} may not be renamed by an alias list`);
  }
  for (const join of found.joins) {
    if (!join.relations.some((relation) => uses.has(relation))) continue;
    if (join.natural) return labelled("a NATURAL JOIN may compare labelled columns; name the columns with ON");
    if (join.renamesColumns) return labelled("the columns of a join may not be renamed by an alias list");
    const column = join.using.find((name) => isLabelled(guarded, name));
    if (column !== undefined) return labelled(`${column} is labelled and may not be compared by USING`);
  }
  for (const { target, inferred, columns } of found.conflicts) {
    const own = guarded.find(({ use }) => use === target);
    if (own === undefined || inferred) continue;
    if (columns.length === 0 || columns.some((column) => own.labels.isLabelled(column))) {
      return labelled("ON CONFLICT must name unlabelled columns where labelled ones are written");
    }
  }
  return undefined;
}

function guardColumns(found: Survey, guarded: readonly Guarded[]): Forbidden | undefined {
  const rows = rowNames(found, guarded);
  const uses = new Set(guarded.map(({ use }) => use));
  const aliases = new Set<string>();
  for (const { alias, column } of found.outputs) {
    if (alias !== undefined && column !== undefined && isLabelledUse(column, guarded)) aliases.add(fold(alias));
  }
  for (const use of found.columns) {
    const refusal = guardColumn(use, guarded, rows, uses, aliases);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

function guardColumn(
  use: ColumnUse,
  guarded: readonly Guarded[],
  rows: ReadonlyMap<string, Guarded | undefined>,
  uses: ReadonlySet<RelationUse>,
  aliases: ReadonlySet<string>,
): Forbidden | undefined {
  const last = use.fields.at(-1);
  const qualifier = use.star ? last : use.fields.at(-2);
  const row = qualifier === undefined ? undefined : fold(qualifier);
  if (use.star) {
    if (use.bare && (row === undefined || rows.get(row) !== undefined || !rows.has(row))) return undefined;
    const reaches =
      row === undefined ? (use.query?.relations ?? []).some((relation) => uses.has(relation)) : rows.has(row);
    return reaches ? labelled("* reaches labelled columns; name the plain columns that are needed") : undefined;
  }
  if (last === undefined) return undefined;
  if (use.fields.length === 1 && rows.has(fold(last))) {
    return labelled(`a whole row of ${last} holds labelled columns; name the plain columns that are needed`);
  }
  if (row !== undefined && rows.has(row)) {
    const owner = rows.get(row);
    // `c.to_jsonb` is a function of the whole row when no column has that name.
    if (owner !== undefined && owner.labels.isColumn(last) !== true) {
      return labelled(`${last} is not known as a column of ${owner.use.name} and may be a function of the whole row`);
    }
    if (owner === undefined) {
      if (isLabelled(guarded, last)) return misuse(last);
      if (!guarded.some(({ labels }) => labels.isColumn(last) === true)) {
        return labelled(`${last} is not known as a column of ${qualifier} and may be a function of the whole row`);
      }
    }
  }
  if (use.sorts && aliases.has(fold(last))) return misuse(last);
  return isLabelled(guarded, last) && !use.bare ? misuse(last) : undefined;
}

/** ORDER BY 2 where the second output is labelled, or cannot be counted because of a star. */
function guardOrdinals(found: Survey, guarded: readonly Guarded[]): Forbidden | undefined {
  if (found.ordinals.length === 0) return undefined;
  const rows = rowNames(found, guarded);
  for (const ordinal of found.ordinals) {
    for (const [at, { column }] of found.outputs.entries()) {
      if (at >= ordinal || column === undefined) continue;
      const qualifier = column.fields.at(-1);
      if (column.star && (qualifier === undefined || rows.has(fold(qualifier)))) {
        return labelled("sorting by position over * may sort by a labelled column; name the column");
      }
      if (at === ordinal - 1 && isLabelledUse(column, guarded)) return misuse(column.fields.at(-1) ?? "");
    }
    // A star of a clean relation in front shifts the positions.
    if (found.outputs.slice(0, ordinal).some(({ column }) => column?.star === true)) {
      if (found.outputs.some(({ column }) => column !== undefined && isLabelledUse(column, guarded))) {
        return labelled("sorting by position over * may sort by a labelled column; name the column");
      }
    }
  }
  return undefined;
}

/**
 * Names that may stand for a row with labelled columns: aliases of relations, of joins over them, and
 * OLD, NEW and excluded (without a relation of their own: their columns are never plain output).
 */
function rowNames(found: Survey, guarded: readonly Guarded[]): ReadonlyMap<string, Guarded | undefined> {
  const rows = new Map<string, Guarded | undefined>();
  if (guarded.some(({ use }) => use.access === "write")) {
    for (const name of found.rowNames) rows.set(fold(name), undefined);
  }
  const uses = new Set(guarded.map(({ use }) => use));
  for (const join of found.joins) {
    if (!join.relations.some((relation) => uses.has(relation))) continue;
    for (const alias of join.aliases) rows.set(fold(alias), undefined);
  }
  for (const own of guarded) rows.set(fold(own.use.alias ?? own.use.name), own);
  return rows;
}

function isLabelled(guarded: readonly Guarded[], column: string): boolean {
  return guarded.some(({ labels }) => labels.isLabelled(column));
}

function isLabelledUse(column: ColumnUse, guarded: readonly Guarded[]): boolean {
  const last = column.fields.at(-1);
  return !column.star && last !== undefined && isLabelled(guarded, last);
}

function misuse(column: string): Forbidden {
  return labelled(
    `${column} is labelled: it may only be a plain output column of the outermost SELECT or RETURNING, not part of an expression, condition, sort, sub-query or function`,
  );
}

function labelled(message: string): Forbidden {
  return { rule: "built-in:labelled-column", message };
}

function unseen(message: string): Forbidden {
  return { rule: "built-in:labelled-column", message: `${message}; this connection has labelled columns` };
}

/** "CREATE FUNCTION"-like, from the node's type: enough to recognise it. */
function nameOf(statement: TypedNode): string {
  const words = statement.type.replace(/Stmt$/, "").replace(/([a-z])([A-Z])/g, "$1 $2");
  return words.toUpperCase();
}
