/**
 * The label guard: what lineage cannot follow. Code inside the server that could read labelled columns
 * unseen, system views that show their values, statements that would build upon them. What this file says
 * names relations and columns, never a literal.
 */
import type { Operation } from "../../../model/operation.ts";
import type { TypedNode } from "./ast.ts";
import type { Survey } from "./found.ts";
import { classify } from "./functions.ts";
import { type AnalysisScope, labelsOfRelation, rowCalls } from "./labels.ts";

type Forbidden = NonNullable<Operation["forbidden"]>;

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
const HARMLESS_TO_RELATION: ReadonlySet<string> = new Set([
  "TruncateStmt",
  "LockStmt",
  "VacuumStmt",
  "GrantStmt",
  "RefreshMatViewStmt",
]);
const ROW_STATEMENTS: ReadonlySet<string> = new Set([
  "SelectStmt",
  "InsertStmt",
  "UpdateStmt",
  "DeleteStmt",
  "MergeStmt",
  "CopyStmt",
  "DeclareCursorStmt",
]);

/** Whose columns lineage follows. */
const FOLLOWED: ReadonlySet<string> = new Set([...ROW_STATEMENTS, "ExplainStmt", "CreateTableAsStmt", "ViewStmt"]);

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
  "ReplicaIdentityStmt",
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

/** Undefined: nothing labelled is touched but in ways that lineage follows. Call only where columns are labelled. */
export function guard(scope: AnalysisScope, found: Survey): Forbidden | undefined {
  return guardConnection(scope, found) ?? guardCatalog(scope, found) ?? guardRelations(scope, found);
}

/** Code that runs inside the server could read anything, whatever the statement names. */
function guardConnection(scope: AnalysisScope, found: Survey): Forbidden | undefined {
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
  const [field] = rowCalls(scope, found.fields);
  if (field !== undefined) return unseen(`the function ${field}, if it is no column, can read labelled columns unseen`);
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
  const guarded = found.relations.filter(({ schema, name }) => labelsOfRelation(scope, schema, name).guarded);
  const [first] = guarded;
  if (first === undefined) return undefined;
  const [statement] = found.statements;
  if (statement !== undefined && HARMLESS_TO_RELATION.has(statement.type) && found.statements.length === 1) {
    return undefined;
  }
  const opaque = guarded.find(({ schema, name }) => labelsOfRelation(scope, schema, name).opaque);
  if (opaque !== undefined) {
    return labelled(
      `${opaque.name} can show labelled values by a rule, a function or another server; read its tables, or list a foreign table under data in the settings`,
    );
  }
  const other = found.statements.find(({ type }) => !FOLLOWED.has(type));
  if (other === undefined) return undefined;
  return labelled(`${nameOf(other)} is not possible on ${first.name}, which has labelled columns`);
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
