/** Every built-in type with values of it, and the statements that are made of them. */
import type { Topic } from "./case.ts";

/** Type name to literals without their quotes; the last ones are the odd ones. */
export const TYPES: Readonly<Record<string, readonly string[]>> = {
  smallint: ["1", "-32768", "32767", "0"],
  integer: ["42", "-2147483648", "2147483647", "0"],
  bigint: ["42", "-9223372036854775808", "9223372036854775807"],
  numeric: ["1.50", "-12345678901234567890.0987654321", "NaN", "Infinity", "-Infinity", "1e-20", "0.000"],
  "numeric(10,3)": ["1.5", "-1234567.891", "12345678.9", "0"],
  real: ["1.25", "-0", "NaN", "Infinity", "1e-38", "3.4028235e38", "1e40"],
  "double precision": ["1.25", "-0", "NaN", "-Infinity", "1e-308", "0.1", "1e400"],
  money: ["12.34", "-1000000.99", "$1,234.50"],
  boolean: ["true", "f", "yes", "0"],
  "character(6)": ["abc", "abcdef", "", "über"],
  '"char"': ["a", "", "\\377", "ab"],
  "character varying(8)": ["abc", "too long for it", "", "naïve"],
  text: ["abc", "", "line\nbreak\tand tab", "quote ' and \\ backslash", "日本語 🙂", "𝔘𝔫𝔦"],
  bpchar: ["a  ", "", "ab"],
  name: ["abc", "a_name_that_is_longer_than_the_sixty_three_bytes_that_a_name_may_have"],
  bytea: ["\\x00ff10", "", "\\001\\002abc", "\\xdeadbeef"],
  date: ["2024-02-29", "0001-01-01 BC", "infinity", "-infinity", "1999-12-31", "J2451187", "2023-02-29"],
  time: ["12:34:56.789", "00:00", "24:00:00", "23:59:59.999999"],
  "time(2)": ["12:34:56.789", "23:59:59.999"],
  timetz: ["12:34:56+02", "00:00:00-08", "24:00:00+00"],
  timestamp: ["2024-02-29 12:34:56.789", "infinity", "4713-01-01 00:00:00 BC", "294276-12-31 23:59:59.999999"],
  timestamptz: ["2024-02-29 12:34:56+01", "-infinity", "2000-01-01 00:00:00+00", "2024-07-01 12:00 Europe/Berlin"],
  interval: ["1 year 2 mons 3 days 04:05:06.789", "-1 day", "0", "P1Y2M3DT4H5M6S", "1000000 hours"],
  uuid: ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "{A0EEBC999C0B4EF8BB6D6BB9BD380A11}", "not a uuid"],
  json: ['{"a": 1, "b": [true, null, "x"]}', "[]", "null", '"\\u00e9"', "1e5", "{bad}"],
  jsonb: ['{"b": 2, "a": {"c": [1.50, false]}}', "[]", "null", '"\\u00e9"', '{"a":1,"a":2}', "{bad}"],
  jsonpath: ["$.a[*] ? (@ > 1)", "lax $", "strict $.a.b", "$$"],
  xml: ["<a>text<b/></a>", "<a x='1'>&lt;</a>", "<unclosed>"],
  point: ["(1,2)", "(-0.5,1e10)", "1,2"],
  line: ["{1,2,3}", "[(0,0),(1,1)]"],
  lseg: ["[(0,0),(1,1)]", "[(1,1),(1,1)]"],
  box: ["(1,1),(0,0)", "(2,3),(-1,-1)"],
  path: ["[(0,0),(1,1),(2,0)]", "((0,0),(1,1),(2,0))"],
  polygon: ["((0,0),(1,1),(2,0))", "((0,0),(0,2),(2,2),(2,0))"],
  circle: ["<(0,0),1>", "<(1.5,-1),0>"],
  inet: ["192.168.0.1", "10.0.0.0/8", "::1", "2001:db8::/32", "300.0.0.1"],
  cidr: ["192.168.0.0/24", "10.0.0.0/8", "::/0", "192.168.0.1/24"],
  macaddr: ["08:00:2b:01:02:03", "0800.2b01.0203"],
  macaddr8: ["08:00:2b:01:02:03:04:05", "08-00-2b-01-02-03"],
  "bit(8)": ["10101010", "00000000", "101"],
  "bit varying(8)": ["101", "", "101010101"],
  tsvector: ["a:1 fat:2,3A cat:4B", "", "''", "a'b"],
  tsquery: ["fat & (cat | rat)", "!a <-> b", "", "fat <2> rat:AB"],
  int4range: ["[1,10)", "empty", "(,5]", "[5,1]"],
  int8range: ["[1,10)", "(,)", "[1,1]"],
  numrange: ["[1.5,2.5]", "empty", "(,0)"],
  tsrange: ["[2024-01-01,2024-02-01)", "(,2024-01-01]"],
  tstzrange: ["[2024-01-01 00:00+00,2024-02-01 00:00+00)", "empty"],
  daterange: ["[2024-01-01,2024-01-31]", "(,infinity)"],
  int4multirange: ["{[1,3),[5,8)}", "{}", "{[1,10),[2,3)}"],
  int8multirange: ["{[1,3),[5,8)}", "{(,)}"],
  nummultirange: ["{[1.5,2.5],(3,4)}", "{}"],
  tsmultirange: ["{[2024-01-01,2024-02-01)}", "{}"],
  tstzmultirange: ["{[2024-01-01 00:00+00,2024-02-01 00:00+00)}", "{}"],
  datemultirange: ["{[2024-01-01,2024-01-31],[2025-01-01,)}", "{}"],
  oid: ["0", "4294967295", "1259", "-1"],
  oidvector: ["1 2 3", ""],
  int2vector: ["1 2 3", ""],
  xid: ["7", "4294967295"],
  xid8: ["7", "18446744073709551615"],
  cid: ["3", "0"],
  tid: ["(0,1)", "(4294967295,65535)"],
  pg_lsn: ["0/0", "16/B374D848", "FFFFFFFF/FFFFFFFF"],
  txid_snapshot: ["10:20:10,14,15", "10:10:"],
  pg_snapshot: ["10:20:10,14,15", "10:10:"],
  regclass: ["people", "pg_class", "no_such_relation"],
  regproc: ["now", "pg_catalog.upper", "no_such_function"],
  regprocedure: ["abs(integer)", "abs(int8)"],
  regoper: ["!~~*", "pg_catalog.||/"],
  regoperator: ["+(integer,integer)", "~(none,bigint)"],
  regtype: ["integer", "timestamp with time zone", "mood", "no_such_type"],
  regrole: ["postgres", "pg_monitor", "nobody_at_all"],
  regnamespace: ["public", "pg_catalog"],
  regconfig: ["english", "simple"],
  regdictionary: ["simple", "english_stem"],
  regcollation: ['"C"', '"POSIX"'],
  aclitem: ["postgres=arw/postgres", "=r/postgres"],
  refcursor: ["c1", "<unnamed portal 1>"],
  gtsvector: ["1"],
  // Those that take no value from outside, to see them refuse it.
  pg_node_tree: ["{}"],
  pg_ndistinct: ["{}"],
  pg_dependencies: ["{}"],
  pg_mcv_list: ["{}"],
  pg_brin_bloom_summary: ["{}"],
  pg_brin_minmax_multi_summary: ["{}"],
  mood: ["sad", "happy", "none of these"],
  pair: ['(1,"two")', "(,)", '(3,"a ""b"" c")'],
  posint: ["1", "2147483647", "-1"],
  word: ["abc", "two words"],
  floatrange: ["[1.5,2.5)", "empty"],
};

export const TYPE_TOPICS: readonly Topic[] = [
  { title: "values of every type", statements: Object.entries(TYPES).flatMap(([type, all]) => valuesOf(type, all)) },
  {
    title: "expressions over every type",
    statements: Object.entries(TYPES).flatMap(([type, all]) => expressionsOf(type, all)),
  },
  {
    title: "columns of every type",
    statements: Object.entries(TYPES).flatMap(([type, all], number) => columnsOf(type, all, number)),
  },
  { title: "casts between types", statements: casts() },
];

function valuesOf(type: string, all: readonly string[]): readonly string[] {
  return all.map((text) => `SELECT ${quote(text)}::${type} AS v`);
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function expressionsOf(type: string, all: readonly string[]): readonly string[] {
  const [one = "", two = one] = all;
  const [a, b] = [`${quote(one)}::${type}`, `${quote(two)}::${type}`];
  return [
    `SELECT ARRAY[${a}, NULL, ${b}]`,
    `SELECT ${a} = ${b} AS equal`,
    `SELECT ${a} < ${b} AS less, ${b} IS DISTINCT FROM ${a} AS distinct`,
    `SELECT ${a}::text, (${a}::text)::${type}`,
    `SELECT to_jsonb(${a}), json_build_object('v', ${b})`,
    `SELECT ROW(${a}, NULL::${type}, 1) AS r`,
    `SELECT v FROM (VALUES (${a}), (${b}), (NULL)) AS t(v) ORDER BY v NULLS FIRST`,
    `SELECT pg_typeof(v), pg_column_size(v), v IS NULL FROM (SELECT ${a} AS v) AS t`,
    `SELECT array_agg(v), count(DISTINCT v) FROM unnest(ARRAY[${a}, ${b}]) AS v`,
  ];
}

/** A table of each type, with those of its values that the server takes; kept in step with `columnsOf`. */
export const KIND_TABLES: string = Object.entries(TYPES)
  .flatMap(([type, all], number) => {
    const create = (w: string) =>
      `CREATE TABLE kind_${number} (id int GENERATED ALWAYS AS IDENTITY, v ${type}, w ${w})`;
    const values = all.map((text) => `${quote(text)}, ARRAY[${quote(text)}, NULL]::${type}[]`);
    return [
      // Some types have no arrays.
      attempt(create(`${type}[] DEFAULT '{}'`), create("text")),
      ...values.map((value) => attempt(`INSERT INTO kind_${number} (v, w) VALUES (${value})`, "NULL")),
    ];
  })
  .join("\n");

function attempt(sql: string, otherwise: string): string {
  return `DO $do$ BEGIN ${sql}; EXCEPTION WHEN OTHERS THEN ${otherwise}; END $do$;`;
}

function columnsOf(type: string, all: readonly string[], number: number): readonly string[] {
  const [one = "", two = one] = all;
  const [a, b] = [`${quote(one)}::${type}`, `${quote(two)}::${type}`];
  const table = `kind_${number}`;
  return [
    `CREATE TABLE IF NOT EXISTS ${table} (id int GENERATED ALWAYS AS IDENTITY, v ${type}, w ${type}[] DEFAULT '{}')`,
    `INSERT INTO ${table} (v, w) VALUES (${a}, ARRAY[${a}, ${b}]), (NULL, DEFAULT), (${b}, NULL) RETURNING *`,
    `SELECT id, v, w, w[1], cardinality(w) FROM ${table} ORDER BY id`,
    `UPDATE ${table} SET v = ${b}, w[3] = ${a} WHERE id = 1 RETURNING id, v, w`,
    `DELETE FROM ${table} WHERE v IS NULL RETURNING ${table}`,
  ];
}

/** All pairs of a family: what has no cast fails alike. */
function casts(): readonly string[] {
  const families: readonly Readonly<Record<string, string>>[] = [
    {
      smallint: "7",
      integer: "70000",
      bigint: "7000000000",
      numeric: "7.5",
      real: "7.25",
      "double precision": "1e300",
      money: "7.50",
      boolean: "true",
      text: "7",
      oid: "7",
      "bit(8)": "00000111",
      jsonb: "7",
    },
    {
      date: "2024-02-29",
      time: "12:00",
      timetz: "12:00+02",
      timestamp: "2024-02-29 12:00",
      timestamptz: "2024-02-29 12:00+02",
      interval: "1 day",
      text: "2024-02-29",
      jsonb: '"2024-02-29"',
    },
    {
      text: "abc",
      "character varying(2)": "ab",
      "character(4)": "ab",
      name: "ab",
      '"char"': "a",
      bytea: "\\x6162",
      json: '"ab"',
      jsonb: '"ab"',
      xml: "<a/>",
      mood: "ok",
    },
    {
      point: "(1,2)",
      box: "(1,1),(0,0)",
      lseg: "[(0,0),(1,1)]",
      path: "((0,0),(1,1))",
      circle: "<(0,0),1>",
      polygon: "((0,0),(1,1),(2,0))",
    },
    {
      inet: "10.0.0.1",
      cidr: "10.0.0.0/8",
      text: "10.0.0.1",
      macaddr: "08:00:2b:01:02:03",
      macaddr8: "08:00:2b:01:02:03:04:05",
    },
  ];
  return families.flatMap((family) =>
    Object.entries(family).flatMap(([from, text]) =>
      Object.keys(family)
        .filter((to) => to !== from)
        .map((to) => `SELECT CAST(${quote(text)}::${from} AS ${to})`),
    ),
  );
}
