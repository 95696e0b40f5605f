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
  /** Derives from a labelled relation: every column counts as labelled. */
  readonly derived: boolean;
  /** Whether a column counts as labelled; names of the catalog and the settings. */
  isLabelled(column: string): boolean;
  /** False: certainly not a column, so that `alias.name` calls a function; undefined: not known. */
  isColumn(name: string): boolean | undefined;
}

const NOTHING: RelationLabels = Object.freeze({
  labels: Object.freeze([]),
  columnLabels: Object.freeze([]),
  guarded: false,
  derived: false,
  isLabelled: () => false,
  isColumn: () => undefined,
});
const SYSTEM_COLUMNS: ReadonlySet<string> = new Set(["ctid", "xmin", "xmax", "cmin", "cmax", "tableoid", "oid"]);

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
  const labelled = new Set<string>();
  let isDerived = false;
  for (const [, table] of tables) {
    for (const label of table.labels) labels.add(label);
    for (const [column, own] of Object.entries(table.columns)) {
      for (const label of own) columnLabels.add(label);
      if (own.length > 0) labelled.add(fold(column));
    }
  }
  for (const relation of relations) {
    for (const label of relation.labels) labels.add(label);
    if (relation.standing === "derived") {
      isDerived = true;
      for (const label of relation.labels) columnLabels.add(label);
    }
    for (const column of relation.columns.values()) {
      for (const label of column.labels) columnLabels.add(label);
      if (column.labels.length > 0) labelled.add(fold(column.name));
    }
  }
  // A table's own labels reach its columns when they are masked, so all of them count as labelled here.
  const isWholly = isDerived || labels.size > 0;
  return {
    labels: [...labels].sort(),
    columnLabels: [...columnLabels].sort(),
    guarded: isWholly || labelled.size > 0,
    derived: isDerived,
    isLabelled: (column) => isWholly || labelled.has(fold(column)),
    isColumn: (column) => isColumnOf(relations, column) ?? (labelled.has(fold(column)) ? true : undefined),
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

function isColumnOf(relations: readonly CatalogRelation[], column: string): boolean | undefined {
  if (SYSTEM_COLUMNS.has(column)) return true;
  const known = relations.filter((relation) => relation.columns.size > 0);
  if (known.length === 0) return undefined;
  const folded = fold(column);
  return known.every((relation) => [...relation.columns.values()].some((own) => fold(own.name) === folded));
}
