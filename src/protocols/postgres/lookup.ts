/**
 * Asks the backend's catalog for its relations, and which carry or derive from labelled data. Runs on a login of its
 * own, reads system catalogs only, and never sees a client. Names go to the server as hex, never as SQL text.
 */
import { createHash } from "node:crypto";
import type { DatabaseError } from "pg-protocol/dist/messages.js";
import { Parser } from "pg-protocol/dist/parser.js";
import { ProtocolError } from "../../base/errors.ts";
import {
  CATALOG_COLUMNS_MAX,
  CATALOG_RELATIONS_MAX,
  LOOKUP_BYTES_MAX,
  LOOKUP_FRAME_BYTES_MAX,
} from "../../base/limits.ts";
import type { DataLabels, TableLabels } from "../../model/connection.ts";
import type { LookupMachine } from "../../model/protocol.ts";
import {
  type CatalogColumn,
  type CatalogFacts,
  type CatalogRelation,
  catalogFacts,
  everyLabel,
  type PostgresQuestion,
} from "./catalog.ts";
import { asBuffer, BodyReader, frameBytes, HEADER_BYTES, Inlet } from "./codec.ts";
import { readFields } from "./errors.ts";
import { query, SERVER } from "./messages.ts";

/** Values of rows stand in its `attmissingval`: what a column has in rows from before it. */
const ATTRIBUTES = { schema: "pg_catalog", name: "pg_attribute", column: "attmissingval" } as const;
/** Views that show samples of labelled columns, whatever the labels name. */
const STATISTICS = ["pg_statistic", "pg_stats", "pg_statistic_ext_data", "pg_stats_ext", "pg_stats_ext_exprs"];
/** The same of other sessions' statements, and large objects, which have no columns. */
const SHOWING = [...STATISTICS, "pg_stat_activity", "pg_prepared_statements", "pg_cursors", "pg_largeobject"];
/** Functions of the system that read what their arguments name. */
const READING =
  "^((query|table|schema|database|cursor)_to_xml|ts_stat$|ts_rewrite$|lo_|loread$|pg_read_|pg_logical_|pg_stat_get_activity$)";
/** Pseudo-types that a row may be: record, any, anyelement, anynonarray, anycompatible, anycompatiblenonarray. */
const ROW_TYPES = [2249, 2276, 2283, 2776, 5077, 5079];
const NO_LABELS: readonly string[] = Object.freeze([]);

export class CatalogLookup implements LookupMachine {
  readonly #question: PostgresQuestion;
  readonly #tables: readonly { readonly key: string; readonly labels: TableLabels }[];
  readonly #parser = new Parser();
  readonly #inlet = new Inlet();
  readonly #relations: CatalogRelation[] = [];
  readonly #clean: number[] = [];
  readonly #rowFunctions = new Set<string>();
  readonly #hash = createHash("sha256");
  #received = 0;
  #columns = 0;

  constructor(question: PostgresQuestion) {
    this.#question = question;
    this.#tables = Object.entries(question.labels).map(([key, labels]) => ({ key, labels }));
    this.#hash.update(JSON.stringify(question.labels));
  }

  start(): Uint8Array {
    const oids = this.#question.kind === "relations" ? this.#question.oids : [];
    // Definitions of views name what is not in the path with its schema.
    return query(`SET search_path = pg_catalog; SET lock_timeout = '2s';${catalogQuery(this.#question.labels, oids)}`);
  }

  receive(bytes: Uint8Array): CatalogFacts | undefined {
    const inlet = this.#inlet;
    this.#received += bytes.length;
    if (this.#received > LOOKUP_BYTES_MAX) throw unreadable(`the backend sent more than ${LOOKUP_BYTES_MAX} bytes`);
    inlet.add(asBuffer(bytes));
    let facts: CatalogFacts | undefined;
    while (facts === undefined && inlet.unread > 0) {
      const length = frameBytes(inlet.bytes, inlet.at, inlet.end, LOOKUP_FRAME_BYTES_MAX);
      if (length === undefined || length > inlet.unread) break;
      const frame = Buffer.from(inlet.bytes.subarray(inlet.at, inlet.at + length));
      inlet.at += length;
      // Without an end to its fields, pg-protocol would look for it for ever.
      if (frame[0] === SERVER.error || frame[0] === SERVER.notice) readFields(frame, HEADER_BYTES, frame.length);
      if (frame[0] === SERVER.dataRow) {
        this.#row(fieldsIn(frame)); // pg-protocol follows a length backwards, again and again
        continue;
      }
      this.#parse(frame, (message) => {
        if (message.name === "readyForQuery") facts = this.#facts();
        else if (message.name === "error") {
          throw unreadable(`${(message as DatabaseError).code}`);
        }
      });
    }
    inlet.keep();
    return facts;
  }

  /** what, oid, schema, name, kind, positions of the labelled tables behind it, columns as JSON, definition of a view. */
  #row(fields: readonly (string | null)[]): void {
    const [what, oid, schema = "", name = "", kind = "", roots, columns, definition] = fields.map(
      (field) => field ?? "",
    );
    if (what === "asked") {
      const asked = this.#question.kind === "relations" ? this.#question.oids.length : 0;
      if (this.#clean.length >= asked) throw unreadable("the backend tells of relations that nobody asked for");
      this.#clean.push(Number(oid));
      return;
    }
    this.#hash.update(JSON.stringify(fields));
    if (what === "function") {
      if (this.#rowFunctions.size >= CATALOG_RELATIONS_MAX) {
        throw unreadable(`it has over ${CATALOG_RELATIONS_MAX} functions of rows`);
      }
      this.#rowFunctions.add(name);
      return;
    }
    if (this.#relations.length >= CATALOG_RELATIONS_MAX) {
      throw unreadable(`it has over ${CATALOG_RELATIONS_MAX} relations`);
    }
    const about = { oid: Number(oid), schema, name, kind, ...(definition ? { definition } : {}) };
    const named = this.#named(columns ?? "");
    if (schema === ATTRIBUTES.schema && name === ATTRIBUTES.name) {
      const columns = [...columnsOf(named, [])].map(([attnum, column]): [number, CatalogColumn] => {
        const labels = column.name === ATTRIBUTES.column ? everyLabel(this.#question.labels) : column.labels;
        return [attnum, { ...column, labels }];
      });
      this.#relations.push({ ...about, standing: "labelled", labels: NO_LABELS, columns: new Map(columns) });
      return;
    }
    if (what === "clean") {
      this.#relations.push({ ...about, standing: "clean", labels: NO_LABELS, columns: columnsOf(named, []) });
      return;
    }
    if (what === "derived") {
      const labels = everyLabel(this.#question.labels);
      this.#relations.push({ ...about, standing: "derived", labels, columns: columnsOf(named, []) });
      return;
    }
    const tables = (roots ?? "").split(",").flatMap((position) => this.#tables[Number(position)]?.labels ?? []);
    this.#relations.push({
      ...about,
      standing: "labelled",
      labels: union(tables.map(({ labels }) => labels)),
      columns: columnsOf(named, tables),
    });
  }

  /** pg-protocol reads past the end of what is malformed. */
  #parse(frame: Buffer, heard: Parameters<Parser["parse"]>[1]): void {
    try {
      this.#parser.parse(frame, heard);
    } catch (error) {
      throw error instanceof ProtocolError ? error : unreadable("a message is malformed");
    }
  }

  #named(json: string): NamedColumns {
    if (json === "") return {};
    let named: unknown;
    try {
      named = JSON.parse(json);
    } catch {
      throw unreadable("the columns of a relation are no JSON");
    }
    if (!isNamed(named)) throw unreadable("the columns of a relation are not what was asked for");
    this.#columns += Object.keys(named).length;
    if (this.#columns > CATALOG_COLUMNS_MAX) throw unreadable(`it has over ${CATALOG_COLUMNS_MAX} columns`);
    return named;
  }

  #facts(): CatalogFacts {
    const version = this.#hash.digest("base64url").slice(0, 22);
    return catalogFacts(version, this.#relations, this.#clean, this.#rowFunctions);
  }
}

/** By attribute number: name, type OID, of a generated column the numbers of those that it is generated from, whether it is one. */
type NamedColumns = Readonly<Record<string, readonly [string, number, (readonly number[] | null)?, boolean?]>>;

function isNamed(json: unknown): json is NamedColumns {
  if (typeof json !== "object" || json === null) return false;
  return Object.values(json).every(
    (value) =>
      Array.isArray(value) &&
      typeof value[0] === "string" &&
      typeof value[1] === "number" &&
      ((value[2] ?? null) === null || Array.isArray(value[2])),
  );
}

/** The values of a DataRow. Throws ProtocolError. */
function fieldsIn(frame: Buffer): readonly (string | null)[] {
  const body = new BodyReader(frame, HEADER_BYTES, frame.length);
  const fields: (string | null)[] = [];
  for (let left = body.count(); left > 0; left--) {
    const length = body.int32();
    fields.push(length === -1 ? null : body.take(length).toString());
  }
  body.done();
  return fields;
}

function unreadable(why: string): ProtocolError {
  return new ProtocolError("LOOKUP_FAILED", `Cannot read the catalog: ${why}`);
}

function columnsOf(named: NamedColumns, tables: readonly TableLabels[]) {
  const columns = new Map<number, CatalogColumn>();
  const own = (name: string) =>
    tables.flatMap((table) => (Object.hasOwn(table.columns, name) ? (table.columns[name] ?? []) : []));
  for (const [attnum, [name, typeOid, from, isGenerated]] of Object.entries(named)) {
    const sources = (from ?? []).map((number) => own(named[number]?.[0] ?? ""));
    const column = { name, labels: union([own(name), ...sources]), typeOid };
    columns.set(Number(attnum), isGenerated === true ? { ...column, generated: true } : column);
  }
  return columns;
}

function union(lists: readonly (readonly string[])[]): readonly string[] {
  const all = lists.flat();
  return all.length === 0 ? NO_LABELS : [...new Set(all)];
}

/**
 * family: the labelled tables and all they inherit from or are inherited by (labels follow by column name).
 * derived: views, materialized views and rules that read one, however far; TOAST tables; statistics. So are, without
 * a definition that could be followed, foreign tables that the settings do not name, and what is made with functions
 * of users or over what the system shows of values (of its own objects the server notes no dependency: the stored
 * query is searched for them): they can read anything. changing: reading such a definition would wait for somebody's
 * uncommitted change. function: what can be called with a row alone, of its type, a domain, a pseudo-type, or as one of
 * several.
 */
function catalogQuery(labels: DataLabels, oids: readonly number[]): string {
  const named = Object.keys(labels).map((key, position) => {
    const dot = key.indexOf(".");
    return `(${position}, ${text(key.slice(0, dot))}, ${text(key.slice(dot + 1))})`;
  });
  if (named.length === 0) named.push("(-1, '', '')");
  const asked = oids.map((oid) => Math.trunc(oid)).join(", ") || "0";
  const statistics = STATISTICS.map(text).join(", ");
  return `
WITH RECURSIVE named(root, schema, name) AS (VALUES ${named.join(", ")}),
seed AS (
  SELECT named.root, c.oid FROM named
  JOIN pg_catalog.pg_namespace n ON n.nspname::text OPERATOR(pg_catalog.=) named.schema
  JOIN pg_catalog.pg_class c ON c.relnamespace OPERATOR(pg_catalog.=) n.oid
    AND c.relname::text OPERATOR(pg_catalog.=) named.name
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
),
family(oid, root) AS (
  SELECT oid, root FROM seed
  UNION
  SELECT CASE WHEN i.inhrelid OPERATOR(pg_catalog.=) f.oid THEN i.inhparent ELSE i.inhrelid END, f.root
  FROM family f JOIN pg_catalog.pg_inherits i
    ON i.inhrelid OPERATOR(pg_catalog.=) f.oid OR i.inhparent OPERATOR(pg_catalog.=) f.oid
),
opaque(oid) AS (
  SELECT c.oid FROM pg_catalog.pg_class c WHERE c.relkind OPERATOR(pg_catalog.=) 'f' AND c.oid NOT IN (SELECT oid FROM family)
  UNION
  SELECT r.ev_class FROM pg_catalog.pg_depend p JOIN pg_catalog.pg_rewrite r ON r.oid OPERATOR(pg_catalog.=) p.objid
  WHERE p.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_rewrite'::pg_catalog.regclass
    AND p.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
    AND p.refobjid OPERATOR(pg_catalog.>=) 16384::oid
  UNION
  SELECT r.ev_class FROM pg_catalog.pg_rewrite r WHERE r.ev_class OPERATOR(pg_catalog.>=) 16384::oid
    AND r.ev_action::pg_catalog.text OPERATOR(pg_catalog.~) (
      SELECT pg_catalog.concat(':(relid|funcid) (', pg_catalog.string_agg(s.oid::pg_catalog.text, '|'), ') ') FROM (
        SELECT c.oid FROM pg_catalog.pg_class c
        WHERE c.relnamespace OPERATOR(pg_catalog.=) 'pg_catalog'::pg_catalog.regnamespace
          AND c.relname::text IN (${SHOWING.map(text).join(", ")})
        UNION ALL
        SELECT p.oid FROM pg_catalog.pg_proc p
        WHERE p.pronamespace OPERATOR(pg_catalog.=) 'pg_catalog'::pg_catalog.regnamespace
          AND p.proname::text OPERATOR(pg_catalog.~) ${text(READING)}) s)
),
changing(oid) AS (
  SELECT r.ev_class FROM pg_catalog.pg_rewrite r
  JOIN pg_catalog.pg_depend p ON p.objid OPERATOR(pg_catalog.=) r.oid
    AND p.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_rewrite'::pg_catalog.regclass
    AND p.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
  JOIN pg_catalog.pg_locks l ON l.relation OPERATOR(pg_catalog.=) p.refobjid
    AND l.mode OPERATOR(pg_catalog.=) 'AccessExclusiveLock' AND l.granted
),
derived(oid) AS (
  SELECT oid FROM family
  UNION
  SELECT oid FROM opaque
  UNION
  SELECT r.ev_class FROM derived d
  JOIN pg_catalog.pg_depend p ON p.refobjid OPERATOR(pg_catalog.=) d.oid
    AND p.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
    AND p.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_rewrite'::pg_catalog.regclass
  JOIN pg_catalog.pg_rewrite r ON r.oid OPERATOR(pg_catalog.=) p.objid
),
tainted AS (
  SELECT oid FROM derived
  UNION
  SELECT c.reltoastrelid FROM derived d JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) d.oid
  WHERE c.reltoastrelid OPERATOR(pg_catalog.<>) 0
  UNION
  SELECT c.oid FROM pg_catalog.pg_class c
  WHERE c.relnamespace OPERATOR(pg_catalog.=) 'pg_catalog'::pg_catalog.regnamespace
    AND c.relname::text IN (${statistics})
)
SELECT CASE WHEN c.oid IN (SELECT oid FROM family) THEN 'labelled'
    WHEN c.oid IN (SELECT oid FROM tainted) THEN 'derived' ELSE 'clean' END,
  c.oid::text, n.nspname::text, c.relname::text, c.relkind::text,
  (SELECT pg_catalog.string_agg(root::text, ',' ORDER BY root) FROM family f WHERE f.oid OPERATOR(pg_catalog.=) c.oid),
  (SELECT pg_catalog.json_object_agg(a.attnum, pg_catalog.json_build_array(a.attname, a.atttypid::int8,
      CASE WHEN a.attgenerated OPERATOR(pg_catalog.<>) '' THEN (SELECT pg_catalog.json_agg(p.refobjsubid)
        FROM pg_catalog.pg_attrdef d JOIN pg_catalog.pg_depend p ON p.objid OPERATOR(pg_catalog.=) d.oid
          AND p.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_attrdef'::pg_catalog.regclass
          AND p.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
        WHERE d.adrelid OPERATOR(pg_catalog.=) a.attrelid AND d.adnum OPERATOR(pg_catalog.=) a.attnum
          AND p.refobjid OPERATOR(pg_catalog.=) a.attrelid AND p.refobjsubid OPERATOR(pg_catalog.>) 0) END,
      a.attgenerated OPERATOR(pg_catalog.<>) '') ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
    WHERE a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped)::text,
  CASE WHEN c.relkind IN ('v', 'm') AND c.oid IN (SELECT oid FROM tainted) AND c.oid NOT IN (SELECT oid FROM opaque)
    AND c.oid NOT IN (SELECT oid FROM changing) THEN pg_catalog.pg_get_viewdef(c.oid) END
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
WHERE c.oid IN (SELECT oid FROM tainted)
  OR (c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND NOT n.nspname::text OPERATOR(pg_catalog.~) '^pg_(temp|toast)')
UNION ALL
SELECT 'asked', c.oid::text, NULL, NULL, NULL, NULL, NULL, NULL FROM pg_catalog.pg_class c
WHERE c.oid IN (${asked}) AND c.oid NOT IN (SELECT oid FROM tainted)
UNION ALL
SELECT DISTINCT 'function', NULL, NULL, p.proname::text, NULL, NULL, NULL, NULL
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) p.proargtypes[0]
WHERE p.oid OPERATOR(pg_catalog.>=) 16384::oid
  AND p.pronargs OPERATOR(pg_catalog.-) p.pronargdefaults OPERATOR(pg_catalog.<=) 1
  AND (t.typtype IN ('c', 'd') OR t.oid IN (${ROW_TYPES.join(", ")}) OR p.provariadic OPERATOR(pg_catalog.<>) 0)
ORDER BY 1, 2, 4`;
}

function text(value: string): string {
  return `pg_catalog.convert_from(pg_catalog.decode('${Buffer.from(value).toString("hex")}', 'hex'), 'UTF8')`;
}
