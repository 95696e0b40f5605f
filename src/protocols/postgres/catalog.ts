/**
 * What Sallyport knows of one database's catalog: its relations and their columns, those that carry
 * labels, and those that derive from them. Built by `lookup.ts`, read by the session (which column is this?) and by the
 * analysis (is this name tainted?). Plain values; never asks anybody.
 */
import { CATALOG_RELATIONS_MAX } from "../../base/limits.ts";
import type { DataLabels } from "../../model/connection.ts";

export interface CatalogFacts {
  /** Equal for equal content: analyses may be keyed by it. */
  readonly version: string;
  /** By OID. A relation that is not here carries no label: temporary, TOAST, or new. */
  readonly relations: ReadonlyMap<number, CatalogRelation>;
  /** The same relations by bare name, as PostgreSQL folds it. */
  readonly names: ReadonlyMap<string, readonly CatalogRelation[]>;
  /** Of the OIDs that were asked for by number: those that exist and carry no label. */
  readonly clean: ReadonlySet<number>;
  /** Names of functions of users that take one row: `row.f` may be a call of one. */
  readonly rowFunctions: ReadonlySet<string>;
}

export interface CatalogRelation {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  /** pg_class.relkind: r table, p partitioned, v view, m materialized view, f foreign table, t TOAST. */
  readonly kind: string;
  /**
   * labelled: named by the labels, or in the inheritance tree of such a table: labels by column name.
   * derived: a view, materialized view, rule, TOAST table or statistics of one: any column may hold labelled data.
   * clean: none of these.
   */
  readonly standing: "labelled" | "derived" | "clean";
  /** The table's own labels (a table does not inherit its columns'). Of a derived one: every label of its sources. */
  readonly labels: readonly string[];
  /** By attribute number, in their order. */
  readonly columns: ReadonlyMap<number, CatalogColumn>;
  /** Of views and materialized views that are not clean: the query, with every name of a user's schema qualified. */
  readonly definition?: string;
}

export interface CatalogColumn {
  readonly name: string;
  readonly labels: readonly string[];
  readonly typeOid: number;
}

/** What the session asks; `fresh` forbids an answer from before the question. */
export interface CatalogQuestion {
  readonly kind: "catalog";
  readonly labels: DataLabels;
  readonly fresh?: true;
}

/** As above, and whether these relations exist (`CatalogFacts.clean`). Always fresh. */
export interface RelationsQuestion {
  readonly kind: "relations";
  readonly labels: DataLabels;
  readonly oids: readonly number[];
  readonly fresh: true;
}

export type PostgresQuestion = CatalogQuestion | RelationsQuestion;

/** OIDs below this belong to the system's own objects (FirstNormalObjectId). */
const FIRST_NORMAL_OID = 16_384;

export function catalogFacts(
  version: string,
  relations: readonly CatalogRelation[],
  clean: Iterable<number>,
  rowFunctions: Iterable<string> = [],
): CatalogFacts {
  const byOid = new Map<number, CatalogRelation>();
  const byName = new Map<string, CatalogRelation[]>();
  for (const relation of relations) {
    byOid.set(relation.oid, relation);
    const namesakes = byName.get(relation.name);
    if (namesakes === undefined) byName.set(relation.name, [relation]);
    else namesakes.push(relation);
  }
  const functions = new Set(rowFunctions);
  return Object.freeze({ version, relations: byOid, names: byName, clean: new Set(clean), rowFunctions: functions });
}

/** What is known after `latest` came: where nothing changed, the relations that were found clean stay known. */
export function updated(known: CatalogFacts, latest: CatalogFacts): CatalogFacts {
  if (known.version !== latest.version) return latest;
  if (latest.clean.size === 0) return known;
  const isFull = known.clean.size + latest.clean.size > CATALOG_RELATIONS_MAX;
  const clean = isFull ? latest.clean : new Set([...known.clean, ...latest.clean]);
  return Object.freeze({ ...known, clean });
}

/** Whether an answer to a look can be used at all. */
export function isCatalogFacts(answer: unknown): answer is CatalogFacts {
  return typeof answer === "object" && answer !== null && "relations" in answer && answer.relations instanceof Map;
}

/** The relations that a name may mean; without a schema, every relation of that name. */
export function relationsNamed(
  facts: CatalogFacts,
  schema: string | undefined,
  name: string,
): readonly CatalogRelation[] {
  const namesakes = facts.names.get(name) ?? [];
  return schema === undefined ? namesakes : namesakes.filter((relation) => relation.schema === schema);
}

/** Whether these facts say something of the relation: of interest, asked for and clean, or the system's own. */
export function isResolved(facts: CatalogFacts, tableOid: number): boolean {
  return tableOid === 0 || facts.relations.has(tableOid) || isKnownClean(facts, tableOid);
}

function isKnownClean(facts: CatalogFacts, tableOid: number): boolean {
  return tableOid < FIRST_NORMAL_OID || facts.clean.has(tableOid);
}

/** Every label that a connection's settings name anywhere: what an unresolvable column is taken to carry. */
export function everyLabel(data: DataLabels): readonly string[] {
  const labels = new Set<string>();
  for (const table of Object.values(data)) {
    for (const label of table.labels) labels.add(label);
    for (const column of Object.values(table.columns)) for (const label of column) labels.add(label);
  }
  return [...labels];
}

/** Whether anything is labelled at all. A table that is named without labels still counts: somebody cares for it. */
export function hasLabels(data: DataLabels): boolean {
  return Object.keys(data).length > 0;
}
