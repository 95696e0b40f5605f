/** The columns of relations by name: from the catalog, views by what they are defined as. Memory: one map for each catalog. */

import type { DataLabels } from "../../../model/connection.ts";
import { fold } from "../analysis/labels.ts";
import { type CatalogColumn, type CatalogFacts, type CatalogRelation, everyLabel, relationsNamed } from "../catalog.ts";
import type { Columns } from "./scope.ts";
import { CLEAN, made, oneOf, type SourceColumn, type Taint } from "./taint.ts";

/** What a view's definition gives, in the order of its columns; undefined: it cannot be followed. */
export type DefinitionReader = (definition: string, relations: Relations) => Columns | undefined;

/** A relation that the catalog does not know is new in the client's transaction, and holds nothing labelled. */
const UNKNOWN: Columns = Object.freeze({ list: Object.freeze([]), others: CLEAN });

const known = new WeakMap<CatalogFacts, Map<number, Columns>>();

export class Relations {
  readonly #catalog: CatalogFacts;
  readonly #read: DefinitionReader;
  readonly #columns: Map<number, Columns>;
  /** Views that are being read: a definition cannot hold itself, but nothing here relies on it. */
  readonly #reading = new Set<number>();
  readonly #data: DataLabels;
  /** May be any labelled column. */
  readonly anything: Taint;

  constructor(catalog: CatalogFacts, data: DataLabels, read: DefinitionReader) {
    this.#catalog = catalog;
    this.#data = data;
    this.#read = read;
    const columns = known.get(catalog) ?? new Map<number, Columns>();
    known.set(catalog, columns);
    this.#columns = columns;
    const all: SourceColumn = { schema: "", table: "", name: "", labels: everyLabel(data), typeOid: 0 };
    this.anything = { sources: [all], exact: false };
  }

  /** Without a schema: of every relation of that name, since the session's search_path is not known. */
  columnsOf(schema: string | undefined, name: string): Columns {
    const found = this.#named(schema, name);
    const [first, ...rest] = found.map((relation) => this.#columnsOf(relation));
    if (first === undefined) return this.isNamed(schema, name) ? { list: [], others: this.anything } : UNKNOWN;
    if (rest.length === 0) return first;
    const all = [first, ...rest];
    const isAlike = rest.every(
      ({ list, others }) =>
        others === undefined &&
        first.others === undefined &&
        list.length === first.list.length &&
        list.every((column, at) => column.name === first.list[at]?.name),
    );
    if (isAlike) {
      const list = first.list.map(({ name: column, generated }, at) => ({
        name: column,
        generated,
        taint: oneOf(all.map((columns) => columns.list[at]?.taint ?? CLEAN)),
      }));
      return { list, others: undefined };
    }
    return {
      list: [],
      others: made(all.flatMap(({ list, others }) => [...list.map(({ taint }) => taint), others ?? CLEAN])),
    };
  }

  /** By the settings. */
  isNamed(schema: string | undefined, name: string): boolean {
    const own = fold(name);
    return Object.keys(this.#data).some((key) => {
      const folded = fold(key);
      return schema === undefined ? folded.endsWith(`.${own}`) : folded === `${fold(schema)}.${own}`;
    });
  }

  #named(schema: string | undefined, name: string): readonly CatalogRelation[] {
    const exact = relationsNamed(this.#catalog, schema, name);
    const folded = fold(name);
    if (folded === name && isAscii(name)) return exact;
    return [...this.#catalog.relations.values()].filter(
      (relation) => fold(relation.name) === folded && (schema === undefined || fold(relation.schema) === fold(schema)),
    );
  }

  #columnsOf(relation: CatalogRelation): Columns {
    const before = this.#columns.get(relation.oid);
    if (before !== undefined) return before;
    const columns = this.#make(relation);
    this.#columns.set(relation.oid, columns);
    return columns;
  }

  #make(relation: CatalogRelation): Columns {
    const own = [...relation.columns.values()];
    switch (relation.standing) {
      case "clean":
        return { list: own.map(({ name, generated }) => ({ name, taint: CLEAN, generated })), others: undefined };
      case "labelled": {
        const list = own.map((column) => ({
          name: column.name,
          taint: sourceOf(relation, column),
          generated: column.generated,
        }));
        if (!isView(relation)) return { list, others: undefined };
        // A view that the settings name: its own labels, and what it is made from.
        const defined = this.#define(relation);
        return {
          list: list.map(({ name, taint }, at) => ({ name, taint: oneOf([taint, defined[at] ?? this.anything]) })),
          others: undefined,
        };
      }
      case "derived": {
        const defined = this.#define(relation);
        if (own.length === 0) return { list: [], others: this.anything };
        return { list: own.map(({ name }, at) => ({ name, taint: defined[at] ?? this.anything })), others: undefined };
      }
    }
  }

  /** By position; empty where the definition cannot be followed. */
  #define({ oid, definition, columns }: CatalogRelation): readonly Taint[] {
    if (definition === undefined || this.#reading.has(oid)) return [];
    this.#reading.add(oid);
    try {
      const defined = this.#read(definition, this);
      if (
        defined === undefined ||
        defined.others !== undefined ||
        defined.unordered ||
        defined.list.length !== columns.size
      )
        return [];
      return defined.list.map(({ taint }) => taint);
    } finally {
      this.#reading.delete(oid);
    }
  }
}

function isView({ kind }: CatalogRelation): boolean {
  return kind === "v" || kind === "m";
}

function sourceOf(
  { schema, name: table, labels: own }: CatalogRelation,
  { name, labels, typeOid }: CatalogColumn,
): Taint {
  return { sources: [{ schema, table, name, labels: [...new Set([...own, ...labels])], typeOid }], exact: true };
}

function isAscii(name: string): boolean {
  for (let at = 0; at < name.length; at++) if (name.charCodeAt(at) > 127) return false;
  return true;
}
