/** What the settings' labels and the backend's catalog say of a relation that a statement names. Decides nothing. */
import type { DataLabels } from "../../../model/connection.ts";
import { type CatalogFacts, type CatalogRelation, relationsNamed } from "../catalog.ts";

export interface AnalysisScope {
  readonly data: DataLabels;
  /** Undefined: not asked. Where columns are labelled, relations of users are then forbidden: any may be a view. */
  readonly catalog: CatalogFacts | undefined;
}

export interface RelationLabels {
  readonly labels: readonly string[];
  readonly columnLabels: readonly string[];
  /** Some column is labelled, or may hold labelled data. */
  readonly guarded: boolean;
  /** The settings name it, or it derives from such a relation: what is read of it is followed. */
  readonly followed: boolean;
  /** It derives by other means than a view's definition: any column may hold labelled data. */
  readonly opaque: boolean;
}

const NOTHING: RelationLabels = Object.freeze({
  labels: Object.freeze([]),
  columnLabels: Object.freeze([]),
  guarded: false,
  followed: false,
  opaque: false,
});

/** Those of the fields of a statement that may be calls: functions that take a row. None where the catalog is not known. */
export function rowCalls({ catalog }: AnalysisScope, fields: readonly string[]): readonly string[] {
  if (catalog === undefined || catalog.rowFunctions.size === 0) return [];
  return fields.filter((name) => catalog.rowFunctions.has(name));
}

/** Servers with a one-byte encoding fold letters beyond ASCII, the parser does not: then case is ignored. */
export function fold(name: string): string {
  for (let at = 0; at < name.length; at++) if (name.charCodeAt(at) > 127) return name.toLowerCase();
  return name;
}

/** Whether any column of the connection is labelled, so that the label guard is on. */
export function guardsColumns(data: DataLabels): boolean {
  return Object.values(data).some(
    (table) => table.labels.length > 0 || Object.values(table.columns).some((labels) => labels.length > 0),
  );
}

/** Without a schema the name means every relation of that name: the strictest of all together. */
export function labelsOfRelation(scope: AnalysisScope, schema: string | undefined, name: string): RelationLabels {
  const tables = Object.entries(scope.data).filter(([key]) => isNamed(key, schema, name));
  const relations = scope.catalog === undefined ? [] : namesakes(scope.catalog, schema, name);
  if (tables.length === 0 && relations.length === 0) return NOTHING;
  const labels = new Set<string>();
  const columnLabels = new Set<string>();
  let isDerived = false;
  for (const [, table] of tables) {
    for (const label of table.labels) labels.add(label);
    for (const own of Object.values(table.columns)) {
      for (const label of own) columnLabels.add(label);
    }
  }
  for (const relation of relations) {
    for (const label of relation.labels) labels.add(label);
    if (relation.standing === "derived") {
      isDerived = true;
      for (const label of relation.labels) columnLabels.add(label);
    }
    // Of a system catalog only lineage needs to know: its columns are no table's that policy speaks of.
    if (relation.schema === "pg_catalog") continue;
    for (const column of relation.columns.values()) for (const label of column.labels) columnLabels.add(label);
  }
  return {
    labels: [...labels].sort(),
    columnLabels: [...columnLabels].sort(),
    guarded: isDerived || labels.size > 0 || columnLabels.size > 0,
    followed: tables.length > 0 || relations.some(({ standing }) => standing !== "clean"),
    opaque: relations.some(({ standing, definition }) => standing === "derived" && definition === undefined),
  };
}

function isNamed(key: string, schema: string | undefined, name: string): boolean {
  const folded = fold(key);
  const own = fold(name);
  if (schema !== undefined && schema !== "") {
    return folded === `${fold(schema)}.${own}` || folded === own;
  }
  return folded === own || folded.endsWith(`.${own}`);
}

function namesakes(catalog: CatalogFacts, schema: string | undefined, name: string): readonly CatalogRelation[] {
  const folded = fold(name);
  const exact = relationsNamed(catalog, schema, name);
  if (folded === name && /^[^\u0080-\uffff]*$/.test(name)) return exact;
  return [...catalog.relations.values()].filter(
    (relation) => fold(relation.name) === folded && (schema === undefined || fold(relation.schema) === fold(schema)),
  );
}
