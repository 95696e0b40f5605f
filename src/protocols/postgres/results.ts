/**
 * From a RowDescription to what each column is, and from that to how its rows are treated (rows.ts).
 * Knows PostgreSQL's types and formats; what a mask does to a value is not decided here.
 */
import { ProtocolError } from "../../base/errors.ts";
import { COLUMNS_MAX } from "../../base/limits.ts";
import type { DataLabels } from "../../model/connection.ts";
import { type ColumnFacts, type MaskFor, NULLED, type ValueKind, type ValueMask } from "../../model/mask.ts";
import { type CatalogFacts, everyLabel, isResolved } from "./catalog.ts";
import { BodyReader } from "./codec.ts";
import { type Outputs, taintAt } from "./lineage/outputs.ts";
import { CLEAN, type Taint } from "./lineage/taint.ts";
import type { OutputColumn } from "./output.ts";
import { kindOf, PLAIN_BINARY } from "./types.ts";

/** One column as the server described it. */
export interface Column {
  readonly name: string;
  readonly tableOid: number;
  readonly attnum: number;
  readonly typeOid: number;
  /** 0 text, 1 binary. Of a described statement always 0: the Bind decides. */
  readonly format: number;
}

/** How the rows of one result are treated. */
export interface Plan {
  /** By position; undefined when no column of the result can ever be masked. */
  readonly masks: readonly (ColumnMask | undefined)[] | undefined;
  /** No mask of them ever changes a value: a row that is too long to be searched may pass. */
  readonly onlyWatches: boolean;
  /** What a recording calls the values of a row. */
  readonly columns: readonly OutputColumn[];
}

export interface ColumnMask {
  /** For the tally: "table.column" or the output name. */
  readonly name: string;
  readonly mask: ValueMask;
}

/** What became of a value that a label or a detector has named. */
export type Fate = "masked" | "shown";
/** Where they are counted. */
export type Tally = (column: string, by: string, fate: Fate, count?: number) => void;

/** What a plan is made from. */
export interface PlanSource {
  readonly maskFor: MaskFor;
  readonly data: DataLabels;
  /** Undefined on connections without labels. */
  readonly catalog: CatalogFacts | undefined;
  /** The statement was followed in an older catalog: it did not know every view by then. */
  readonly isOutdated?: boolean;
}

/** Body of a RowDescription, from `at` to `end`. */
export function readColumns(bytes: Buffer, at: number, end: number): readonly Column[] {
  const body = new BodyReader(bytes, at, end);
  const columns: Column[] = [];
  const count = body.count();
  if (count > COLUMNS_MAX) throw new ProtocolError("COLUMNS", `Cannot go on: a result has ${count} columns`);
  for (let left = count; left > 0; left--) {
    const name = body.text();
    const tableOid = body.oid();
    const attnum = body.int16();
    const typeOid = body.oid();
    body.take(6);
    columns.push({ name, tableOid, attnum, typeOid, format: body.int16() });
  }
  body.done();
  return columns;
}

/** The tables of which the catalog facts say nothing. */
export function unresolvedTables(columns: readonly Column[], catalog: CatalogFacts): readonly number[] {
  const oids = new Set<number>();
  for (const { tableOid } of columns) if (!isResolved(catalog, tableOid)) oids.add(tableOid);
  return [...oids];
}

/** `formats` as a Bind gave them; undefined: as described. `outputs`: what the statement's analysis says of them. */
export function planOf(
  columns: readonly Column[],
  formats: readonly number[] | undefined,
  outputs: Outputs,
  source: PlanSource,
): Plan {
  let masks: (ColumnMask | undefined)[] | undefined;
  let onlyWatches = true;
  const shown: OutputColumn[] = [];
  for (const [position, column] of columns.entries()) {
    const format = formats === undefined ? column.format : formatAt(formats, position);
    shown.push({ name: column.name, format: format === 0 ? "text" : "binary" });
    const mask = columnMask(column, format, taintAt(outputs, position, columns.length, column.name), source);
    if (mask === undefined) continue;
    onlyWatches &&= mask.mask.onlyWatches === true;
    masks ??= new Array<ColumnMask | undefined>(columns.length).fill(undefined);
    masks[position] = mask;
  }
  return { masks, onlyWatches, columns: shown };
}

function formatAt(formats: readonly number[], position: number): number {
  if (formats.length === 0) return 0;
  return (formats.length === 1 ? formats[0] : formats[position]) ?? 0;
}

function columnMask(
  column: Column,
  format: number,
  output: Taint | undefined,
  source: PlanSource,
): ColumnMask | undefined {
  const kind = kindOf(column.typeOid);
  const facts = columnFacts(column.name, sourceTaint(column, output, source), kind, format === 0 ? "text" : "binary");
  const name = facts.table === "" ? facts.name : `${facts.table}.${facts.name}`;
  const mask = source.maskFor(facts);
  if (mask === undefined) return undefined;
  return { name, mask: format === 0 ? mask : binaryMask(column.typeOid, kind, mask) };
}

/**
 * The server's word counts where it gives one: a column of a table is that column. Of expressions, and of
 * columns of views, it gives none; then what was followed counts, or else anything.
 */
function sourceTaint(column: Column, output: Taint | undefined, { catalog, data, isOutdated }: PlanSource): Taint {
  if (catalog === undefined) return CLEAN;
  const anything = { sources: [{ ...NOBODY, labels: everyLabel(data) }], exact: false };
  const followed = output ?? anything;
  if (column.tableOid === 0) return followed;
  const relation = catalog.relations.get(column.tableOid);
  if (relation === undefined) return isResolved(catalog, column.tableOid) ? CLEAN : followed;
  if (relation.standing === "clean") return CLEAN;
  if (relation.standing === "derived" || relation.kind === "v" || relation.kind === "m") {
    return isOutdated ? anything : followed;
  }
  const { schema, name: table } = relation;
  const own = relation.columns.get(column.attnum);
  if (column.attnum < 0) return { sources: [{ ...NOBODY, schema, table, labels: relation.labels }], exact: true };
  if (own === undefined) return anything;
  const labels = [...new Set([...relation.labels, ...own.labels])];
  return { sources: [{ schema, table, name: own.name, labels, typeOid: own.typeOid }], exact: true };
}

const NOBODY = Object.freeze({ schema: "", table: "", name: "", typeOid: 0 });

/** `name`: of the output. */
export function columnFacts(
  name: string,
  { sources, exact }: Taint,
  valueKind: ValueKind,
  format: ColumnFacts["format"],
): ColumnFacts {
  const [only] = sources;
  const shape = { valueKind, format };
  if (only === undefined) return { schema: "", table: "", name, labels: [], ...shape };
  const labels = [...new Set(sources.flatMap((source) => source.labels))];
  const origin = sources.length === 1 && exact ? only : { schema: "", table: "", name };
  const facts = { schema: origin.schema, table: origin.table, name: origin.name || name, labels, ...shape };
  return sources.length === 1 && exact ? facts : { ...facts, sources, isMade: !exact };
}

/** A mask opens json and arrays in binary form itself; where binary is not text, a changed value becomes NULL. */
function binaryMask(typeOid: number, kind: ValueKind, mask: ValueMask): ValueMask {
  if (kind === "json" || kind === "text-array" || PLAIN_BINARY.has(typeOid)) return mask;
  const nulled: ValueMask = (value, saw) => {
    const masked = mask(value, saw);
    return masked && { value: null, by: masked.by };
  };
  const { whole, shownBy, onlyWatches } = mask;
  return Object.assign(nulled, {
    ...(whole === undefined ? {} : { whole: { ...whole, cut: () => NULLED } }),
    ...(shownBy === undefined ? {} : { shownBy }),
    ...(onlyWatches === undefined ? {} : { onlyWatches }),
  });
}
