/**
 * From a RowDescription to what each column is, and from that to the rows that the client may see.
 * Knows PostgreSQL's types and formats; what a mask does to a value is not decided here.
 */
import { ProtocolError } from "../../base/errors.ts";
import { MASKED_BYTES_MAX } from "../../base/limits.ts";
import type { DataLabels } from "../../model/connection.ts";
import type { ColumnFacts, Masked, MaskFor, ValueKind, ValueMask } from "../../model/mask.ts";
import { type CatalogFacts, everyLabel, isResolved, labelsOf } from "./catalog.ts";
import { BodyReader, HEADER_BYTES, type Outlet } from "./codec.ts";
import { SERVER } from "./messages.ts";

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
  readonly columnCount: number;
  /** By position; undefined when no column of the result can ever be masked. */
  readonly masks: readonly (ColumnMask | undefined)[] | undefined;
}

export interface ColumnMask {
  /** For the tally: "table.column" or the output name. */
  readonly name: string;
  readonly mask: ValueMask;
}

/** Where masks are counted. */
export type Tally = (column: string, by: string) => void;

/** What a plan is made from. */
export interface PlanSource {
  readonly maskFor: MaskFor;
  readonly data: DataLabels;
  /** Undefined on connections without labels. */
  readonly catalog: CatalogFacts | undefined;
}

/** Body of a RowDescription, from `at` to `end`. */
export function readColumns(bytes: Buffer, at: number, end: number): readonly Column[] {
  const body = new BodyReader(bytes, at, end);
  const columns: Column[] = [];
  for (let left = body.count(); left > 0; left--) {
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

/** `formats` as a Bind gave them; undefined: as described. */
export function planOf(columns: readonly Column[], formats: readonly number[] | undefined, source: PlanSource): Plan {
  let masks: (ColumnMask | undefined)[] | undefined;
  for (const [position, column] of columns.entries()) {
    const mask = columnMask(column, formats === undefined ? column.format : formatAt(formats, position), source);
    if (mask === undefined) continue;
    masks ??= new Array<ColumnMask | undefined>(columns.length).fill(undefined);
    masks[position] = mask;
  }
  return { columnCount: columns.length, masks };
}

/**
 * Writes the DataRow message at `at` (its header included) to `outlet`, masked where it has to be.
 * A row in which nothing changes is passed as it is.
 */
export function maskRow(bytes: Buffer, at: number, end: number, plan: Plan, outlet: Outlet, tally: Tally): void {
  const masks = plan.masks;
  if (masks === undefined) {
    outlet.pass(at, end);
    return;
  }
  let cursor = at + HEADER_BYTES;
  if (end - cursor < 2 || bytes.readUInt16BE(cursor) !== plan.columnCount) throw rowFault();
  cursor += 2;
  let lengthMark = -1;
  let passed = at;
  let left = MASKED_BYTES_MAX;
  for (let position = 0; position < plan.columnCount; position++) {
    if (end - cursor < 4) throw rowFault();
    const length = int32(bytes, cursor);
    const start = cursor + 4;
    if (length < -1 || length > end - start) throw rowFault();
    cursor = length === -1 ? start : start + length;
    const column = masks[position];
    if (column === undefined || length === -1) continue;
    const quick = column.mask.inPlace?.apply(bytes, start, cursor) ?? "ask";
    if (quick === "shown") continue;
    if (quick === "masked") {
      tally(column.name, column.mask.inPlace?.by ?? "");
      continue;
    }
    left -= length;
    const masked = left < 0 ? TOO_LONG : column.mask(bytes.subarray(start, cursor));
    if (masked === undefined) continue;
    tally(column.name, masked.by);
    if (lengthMark < 0) {
      outlet.put(ROW_TYPE);
      lengthMark = outlet.mark;
      outlet.putInt32(0);
      passed = at + HEADER_BYTES;
    }
    outlet.pass(passed, start - 4);
    outlet.putInt32(masked.value === null ? -1 : masked.value.length);
    if (masked.value !== null) outlet.put(masked.value);
    passed = cursor;
  }
  if (cursor !== end) throw rowFault();
  outlet.pass(passed, end);
  if (lengthMark >= 0) outlet.patchInt32(lengthMark, outlet.mark - lengthMark);
}

/** Within bounds by the caller's check; a bulk read does this for every value. */
function int32(bytes: Buffer, at: number): number {
  return (
    ((bytes[at] as number) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)
  );
}

const ROW_TYPE = Buffer.of(SERVER.dataRow);
/** In place of a value that nobody has looked into. */
export const TOO_LONG: Masked = Object.freeze({ value: null, by: "too-long" });

function rowFault(): ProtocolError {
  return new ProtocolError("ROW_SHAPE", "Cannot read a row: it does not fit its description");
}

function formatAt(formats: readonly number[], position: number): number {
  if (formats.length === 0) return 0;
  return (formats.length === 1 ? formats[0] : formats[position]) ?? 0;
}

function columnMask(column: Column, format: number, source: PlanSource): ColumnMask | undefined {
  const kind = kindOf(column.typeOid);
  const facts = columnFacts(column, kind, format, source);
  const name = facts.table === "" ? facts.name : `${facts.table}.${facts.name}`;
  const mask = source.maskFor(facts);
  if (mask === undefined) return undefined;
  return { name, mask: format === 0 ? mask : binaryMask(column.typeOid, kind, mask) };
}

function columnFacts(column: Column, valueKind: ValueKind, format: number, source: PlanSource): ColumnFacts {
  const shape = { valueKind, format: format === 0 ? ("text" as const) : ("binary" as const) };
  const unknown = { schema: "", table: "", name: column.name, ...shape };
  const { catalog, data } = source;
  if (catalog === undefined) return { ...unknown, labels: [] };
  const relation = catalog.relations.get(column.tableOid);
  const labels = labelsOf(catalog, column.tableOid, column.attnum) ?? everyLabel(data);
  if (relation === undefined) return { ...unknown, labels };
  const name = relation.columns.get(column.attnum)?.name ?? column.name;
  return { schema: relation.schema, table: relation.name, name, labels, ...shape };
}

/** From here on OIDs are of types that were created: enums, domains' bases, extensions, composites. */
const FIRST_NORMAL_OID = 16_384;
const TEXT_TYPES = new Set([18, 19, 25, 142, 705, 1042, 1043, 1790, 2249, 2275, 2287, 3614, 3615, 4072]);
const JSON_TYPES = new Set([114, 3802]);
const TEXT_ARRAYS = new Set([143, 199, 1002, 1003, 1009, 1014, 1015, 3807]);
/** Types whose binary form is their text, so that a changed text is still a value of the type. */
const PLAIN_BINARY = new Set([18, 19, 25, 142, 705, 1042, 1043, 1790, 2275]);

/** What kind of text the values of a type are, by type OID. */
export function kindOf(typeOid: number): ValueKind {
  if (JSON_TYPES.has(typeOid)) return "json";
  if (TEXT_ARRAYS.has(typeOid)) return "text-array";
  return TEXT_TYPES.has(typeOid) || typeOid >= FIRST_NORMAL_OID ? "text" : "other";
}

/** A mask opens json and arrays in binary form itself; where binary is not text, a changed value becomes NULL. */
function binaryMask(typeOid: number, kind: ValueKind, mask: ValueMask): ValueMask {
  if (kind === "json" || kind === "text-array" || PLAIN_BINARY.has(typeOid)) return mask;
  return (value) => {
    const masked = mask(value);
    return masked && { value: null, by: masked.by };
  };
}
