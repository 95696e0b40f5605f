import assert from "node:assert/strict";
import { before, test } from "node:test";
import fc from "fast-check";
import { Analyser } from "../../../src/protocols/postgres/analysis/analyse.ts";
import { TextCache } from "../../../src/protocols/postgres/analysis/cache.ts";
import { Parser } from "../../../src/protocols/postgres/analysis/parser.ts";
import { shapeOf } from "../../../src/protocols/postgres/analysis/shape.ts";
import { CUSTOMER_CATALOG, CUSTOMER_LABELS } from "./analysis-scope.ts";

const shared = new Analyser();
/** Keeps nothing: always a full parse. */
const full = new Analyser(0);
const parser = new Parser();
before(async () => {
  await shared.prepare();
  await full.prepare();
  await parser.prepare();
});
const SCOPE = { data: {}, catalog: undefined };
const LABELLED = { data: CUSTOMER_LABELS, catalog: CUSTOMER_CATALOG };

const SHAPES: readonly (readonly [text: string, shape: string])[] = [
  ["SELECT abalance FROM t WHERE aid = 12345;", "SELECT abalance FROM t WHERE aid = 0;"],
  ["select 'a''b', 1.5, .a, t1.c2", "select '', 0.0, .a, t1.c2"],
  ["select 2147483647, 2147483648", "select 0, 0.0"],
  ["select -1, a-1, 1-1", "select -0, a-0, 0-0"],
  ['select "a 1", "b""2"', 'select "a 1", "b""2"'],
  ["select $1, $12::int", "select $1, $12::int"],
  ["select a$1, é9 from t", "select a$1, é9 from t"],
  ["select '-- no comment /*', 1", "select '', 0"],
  ["select x[1:2], 'é'::text", "select x[0:0], ''::text"],
  ["select 1.", "select 0.0"],
  ["select ''", "select ''"],
];
for (const [text, shape] of SHAPES) test(`the shape of ${text}`, () => assert.equal(shapeOf(text), shape));

const NO_SHAPE: readonly string[] = [
  "select E'a'",
  "select e'a\\'b'",
  "select U&'a'",
  'select U&"a"',
  "select N'a'",
  "select B'1'",
  "select x'1f'",
  "select 'a\\b'",
  "select 'a'\n'b'",
  "select 'a' -- x\n'b'",
  "select 'a' 'b'",
  "select 'open",
  'select "open',
  "select $$a$$",
  "select $a$b$a$",
  "select $1a",
  "select 1 -- a",
  "select 1 /* a */",
  "select 1e5",
  "select 1_000",
  "select 0x1F",
  "select 1a",
  "select 1é",
  "select .5",
  "select a.5",
  "select 1..2",
  "select 1.2.3",
  "select 0000000001",
  "select 1; select 2",
  "select 1;;",
  "select \u0000",
  "select '\u0000'",
  "select '\ud800'",
  "select '😀'",
  "select {",
  "select \\",
  "select \u000b1",
  `select '${"a".repeat(20_000)}'`,
];
for (const text of NO_SHAPE)
  test(`no shape for ${JSON.stringify(text).slice(0, 40)}`, () => assert.equal(shapeOf(text), undefined));

test("a shape hit gives the same frozen operation with the new text", () => {
  const [one] = shared.analyse("SELECT abalance FROM pgbench_accounts WHERE aid = 1;", SCOPE).statements;
  const [two] = shared.analyse("SELECT abalance FROM pgbench_accounts WHERE aid = 2;", SCOPE).statements;
  assert.equal(two?.operation, one?.operation);
  assert.equal(two?.text, "SELECT abalance FROM pgbench_accounts WHERE aid = 2;");
});

const NOT_SHARED: readonly (readonly [string, string])[] = [
  ["DELETE FROM t WHERE 1 = 2", "DELETE FROM t WHERE 1 = 1"],
  ["DELETE FROM t WHERE id = 1 OR 1 = 2", "DELETE FROM t WHERE id = 1 OR 1 = 1"],
  ["DELETE FROM t WHERE 'f'", "DELETE FROM t WHERE 't'"],
  ["DELETE FROM t WHERE a = 1 OR a <> 2", "DELETE FROM t WHERE a = 1 OR a <> 1"],
  ["DELETE FROM t WHERE name LIKE 'a'", "DELETE FROM t WHERE name LIKE '%'"],
  // One thing compared with itself, if the literals are equal.
  ["DELETE FROM t WHERE left(a, 1) = left(a, 2)", "DELETE FROM t WHERE left(a, 1) = left(a, 1)"],
  ["DELETE FROM t WHERE a || 'x' = a || 'y'", "DELETE FROM t WHERE a || 'x' = a || 'x'"],
  ["DELETE FROM t WHERE left(a, 1) >= left(a, 2)", "DELETE FROM t WHERE left(a, 1) >= left(a, 1)"],
  ["DELETE FROM t WHERE left(a, 1) LIKE left(a, 2)", "DELETE FROM t WHERE left(a, 1) LIKE left(a, 1)"],
  [
    "DELETE FROM t WHERE coalesce(left(a, 1), b) = left(a, 2)",
    "DELETE FROM t WHERE coalesce(left(a, 1), b) = left(a, 1)",
  ],
  [
    "DELETE FROM t WHERE NULLIF(left(a, 1), left(a, 2)) IS NULL",
    "DELETE FROM t WHERE NULLIF(left(a, 1), left(a, 1)) IS NULL",
  ],
  [
    "DELETE FROM t WHERE left(a, 1) = 'x' OR left(a, 2) <> 'x'",
    "DELETE FROM t WHERE left(a, 1) = 'x' OR left(a, 1) <> 'x'",
  ],
  ["DELETE FROM t WHERE left(a, 1) < b OR left(a, 2) >= b", "DELETE FROM t WHERE left(a, 1) < b OR left(a, 1) >= b"],
  ["DELETE FROM t WHERE a = lower('x') OR a <> lower('y')", "DELETE FROM t WHERE a = lower('x') OR a <> lower('x')"],
  ["DELETE FROM t WHERE a[1] OR NOT a[2]", "DELETE FROM t WHERE a[1] OR NOT a[1]"],
  ["DELETE FROM t WHERE f(a, '}') OR NOT f(a, '{')", "DELETE FROM t WHERE f(a, '}') OR NOT f(a, '}')"],
  ["DELETE FROM t WHERE a ? '}' OR NOT a ? '{'", "DELETE FROM t WHERE a ? '}' OR NOT a ? '}'"],
  [
    "WITH d AS (DELETE FROM t WHERE left(a, 1) = left(a, 2) RETURNING 1) SELECT 1 FROM d",
    "WITH d AS (DELETE FROM t WHERE left(a, 1) = left(a, 1) RETURNING 1) SELECT 1 FROM d",
  ],
  // One bound used twice.
  ["DELETE FROM t WHERE a < 1 OR a > 1", "DELETE FROM t WHERE a < 2 OR a > 1"],
  ["DELETE FROM t WHERE a + 1 = 99999999999999999999 OR a <> 5.0", "DELETE FROM t WHERE a + 1 = 6.0 OR a <> 5.0"],
  ["DELETE FROM t WHERE 99999999999999999999 = a OR a <> 5.0", "DELETE FROM t WHERE 5.0 = a OR a <> 5.0"],
  // Sums.
  ["DELETE FROM t WHERE a = a + 1", "DELETE FROM t WHERE a = a + 0"],
  ["DELETE FROM t WHERE a = a + 99999999999999999999", "DELETE FROM t WHERE a = a + 0.0"],
  ["DELETE FROM t WHERE a * 3 + b * 3 = b * 2 + a * 2", "DELETE FROM t WHERE a * 3 + b * 3 = b * 3 + a * 3"],
  ["DELETE FROM t WHERE (a * 1) * b = 0", "DELETE FROM t WHERE (a * 0) * b = 0"],
  ["DELETE FROM t WHERE a[1] = a[2] + 0", "DELETE FROM t WHERE a[1] = a[1] + 0"],
  ["DELETE FROM t WHERE a[1] + b = b + a[2]", "DELETE FROM t WHERE a[1] + b = b + a[1]"],
  ["DELETE FROM t WHERE a[1] + b - a[2] = 5 OR b <> 5", "DELETE FROM t WHERE a[1] + b - a[1] = 5 OR b <> 5"],
  // Texts that change nothing, or fit everything.
  ["DELETE FROM t WHERE a || 'x' = a", "DELETE FROM t WHERE a || '' = a"],
  ["DELETE FROM t WHERE 'x' || a = a", "DELETE FROM t WHERE '' || a = a"],
  ["DELETE FROM t WHERE a >= 'x'", "DELETE FROM t WHERE a >= ''"],
  ["DELETE FROM t WHERE a LIKE 'x' || a", "DELETE FROM t WHERE a LIKE '%' || a"],
  ["DELETE FROM t WHERE starts_with(a, 'x')", "DELETE FROM t WHERE starts_with(a, '')"],
  // Arrays as texts.
  ["DELETE FROM t WHERE a <> ALL ('{1}')", "DELETE FROM t WHERE a <> ALL ('{}')"],
  ["DELETE FROM t WHERE a <> ANY ('{1}')", "DELETE FROM t WHERE a <> ANY ('{1,2}')"],
  // Elsewhere than in WHERE.
  [
    "INSERT INTO t SELECT * FROM t WHERE left(a, 1) = left(a, 2) ON CONFLICT (a) DO UPDATE SET b = 1",
    "INSERT INTO t SELECT * FROM t WHERE left(a, 1) = left(a, 1) ON CONFLICT (a) DO UPDATE SET b = 1",
  ],
  ["SELECT set_config('application_name', 'a', true)", "SELECT set_config('search_path', 'a', true)"],
  ["SELECT set_config('client_encoding', 'UTF8', true)", "SELECT set_config('client_encoding', 'SJIS', true)"],
  ["SET client_encoding = 'UTF8'", "SET client_encoding = 'SJIS'"],
];
for (const [one, two] of NOT_SHARED) {
  test(`${one} and ${two} are judged apart`, () => {
    shared.analyse(one, SCOPE);
    const judged = shared.analyse(two, SCOPE).statements[0]?.operation;
    assert.deepEqual(judged, full.analyse(two, SCOPE).statements[0]?.operation);
    assert.notDeepEqual(judged, full.analyse(one, SCOPE).statements[0]?.operation);
  });
}

function oraclesOf(sql: string, scope: Parameters<Analyser["analyse"]>[1]): string {
  const [action] = shared.analyse(sql, scope).statements[0]?.operation.actions ?? [];
  const statement = action?.facts["statement"] as { readonly oracles: readonly string[] } | undefined;
  return statement?.oracles.join() ?? "nothing";
}

test("a position in GROUPING SETS is judged by its number where columns are labelled", () => {
  for (const sets of ["ROLLUP (?, id)", "GROUPING SETS ((?), (id))", "CUBE (id, (ssn, id), ?)"]) {
    const sql = (position: string) => `SELECT id, ssn FROM customers GROUP BY ${sets.replace("?", position)}`;
    for (const position of ["1", "2", "1"]) {
      const own = full.analyse(sql(position), LABELLED).statements[0]?.operation;
      assert.deepEqual(shared.analyse(sql(position), LABELLED).statements[0]?.operation, own);
    }
  }
});

const SHARED: readonly string[] = [
  "SELECT a FROM t WHERE a = 1 AND b = 'x'",
  "SELECT a FROM t WHERE a = 9007199254740993",
  "SELECT a FROM t WHERE a BETWEEN 1 AND 2 OR b IN (1, 2)",
  "SELECT a FROM t WHERE (a, b) > (1, 2) ORDER BY a LIMIT 5",
  "SELECT a FROM t WHERE a >= 1 AND a < 2 AND b = 'x'",
  "SELECT a FROM t WHERE date_trunc('day', a) >= b AND lower(c) = lower('x')",
  "UPDATE t SET a = a + 1, b = 'x' WHERE id = 5 AND b <> 'y'",
  "DELETE FROM t WHERE id = 1 OR id = 2",
];
for (const sql of SHARED) {
  test(`texts share one judgement if they differ in literals only: ${sql}`, () => {
    const other = sql.replace(/\d+/g, (digits) => String(Number(digits) + 7)).replaceAll("'x'", "'z'");
    const [one] = shared.analyse(sql, SCOPE).statements;
    assert.equal(shared.analyse(other, SCOPE).statements[0]?.operation, one?.operation);
  });
}

test("ORDER BY position is judged by its number where columns are labelled", () => {
  for (const around of [(sql: string) => sql, (sql: string) => `SELECT s.id FROM (${sql} LIMIT 1) s`]) {
    assert.equal(oraclesOf(around("SELECT id, ssn FROM customers ORDER BY 1"), LABELLED), "");
    assert.equal(oraclesOf(around("SELECT id, ssn FROM customers ORDER BY 2"), LABELLED), "pii");
    assert.equal(oraclesOf(around("SELECT id, ssn FROM customers ORDER BY 1"), LABELLED), "");
  }
});

test("scopes are kept apart by labels and by the catalog's version", () => {
  const sql = "SELECT upper(ssn) FROM customers WHERE id = 1";
  const kind = (scope: Parameters<Analyser["analyse"]>[1]) =>
    shared.analyse(sql, scope).statements[0]?.effects.outputs.kind;
  assert.equal(kind(SCOPE), "clean");
  assert.equal(kind(LABELLED), "columns");
  assert.equal(kind(SCOPE), "clean");
});

const nasty = fc.oneof(
  fc.string({ unit: fc.constantFrom("a", "'", "\\", "-", "/", "*", ";", "$", '"', "\n", "é", "0", " ", ")", "😀") }),
  fc.constantFrom("", "''", "--", "/*", "*/", "\\'", "' OR 1=1 --", "'; DROP TABLE t; --", "$$", "E'", "%", "t", "f"),
);
const integer = fc
  .oneof(fc.integer({ min: 0, max: 9 }), fc.nat(), fc.constantFrom(2_147_483_648, 99_999_999_999))
  .map(String);
const decimal = fc.tuple(fc.nat(), fc.nat()).map(([a, b]) => `${a}.${b}`);
const quoted = nasty.map((text) => `'${text.replaceAll("'", "''")}'`);
/** Texts that a careless client would send: the quote may end early. */
const unquoted = nasty.map((text) => `'${text}'`);
const literal = fc.oneof({ weight: 4, arbitrary: quoted }, { weight: 4, arbitrary: integer }, decimal, unquoted);

const TEMPLATES: readonly string[] = [
  "SELECT * FROM t WHERE a = ?",
  "SELECT ?, a, ?::text FROM t WHERE a = ? AND b IN (?, ?) ORDER BY a LIMIT 5",
  "SELECT a FROM t WHERE ? = ?",
  "SELECT a FROM t WHERE a LIKE ? OR b <> ?",
  "SELECT a FROM t ORDER BY ?",
  "INSERT INTO t (a, b) VALUES (?, ?), (?, ?) RETURNING id",
  "UPDATE t SET a = ?, b = b + ? WHERE id = ?",
  "DELETE FROM t WHERE id = ? OR ?",
  "DELETE FROM t WHERE a = ? OR a <> ?",
  "DELETE FROM t WHERE ?",
  "DELETE FROM t WHERE a[?] = a[?] + ? OR left(a, ?) <> left(a, ?)",
  "DELETE FROM t WHERE a || ? = a || ? OR a < ? OR a > ?",
  "DELETE FROM t WHERE a <> ALL (?) OR a * ? = a * ?",
  "MERGE INTO t USING s ON a[?] = a[?] WHEN MATCHED AND b <> ? OR b = ? THEN DELETE",
  "INSERT INTO t SELECT * FROM t WHERE a || ? = a || ? ON CONFLICT (a) DO UPDATE SET b = ?",
  "SELECT set_config(?, ?, false)",
  "SELECT f(?, ?)",
  'SELECT -?, a-?, a||?||b FROM "T ?" WHERE x BETWEEN ? AND ?',
  "SELECT a FROM t WHERE a=?\nAND b=?\t;",
  "SELECT ? ? FROM t",
  "SELECT ?a FROM t",
  "SELECT interval ? day, date ?, t.a[?] FROM t",
  "WITH d AS (DELETE FROM t WHERE a = ? RETURNING a) SELECT * FROM d WHERE a > ?",
];

function fill(template: string, literals: readonly string[]): string {
  let at = 0;
  return template.replaceAll("?", () => literals[at++ % literals.length] ?? "1");
}

const pairs = fc.record({
  template: fc.constantFrom(...TEMPLATES),
  one: fc.array(literal, { minLength: 5, maxLength: 5 }),
  two: fc.array(literal, { minLength: 5, maxLength: 5 }),
});

test("analysis by shape equals analysis by a full parse, whatever the literals", () => {
  let hits = 0;
  fc.assert(
    fc.property(pairs, ({ template, one, two }) => {
      const first = fill(template, one);
      const second = fill(template, two);
      for (const scope of [SCOPE, LABELLED]) {
        shared.analyse(first, scope);
        assert.deepEqual(shared.analyse(second, scope), full.analyse(second, scope));
      }
      if (shapeOf(second) !== undefined && shapeOf(first) === shapeOf(second)) hits++;
    }),
    { numRuns: 4_000 },
  );
  assert.ok(hits > 200, `only ${hits} pairs had one shape`);
});

/** The tree without positions and without the values of constants. */
function skeleton(text: string): string | undefined {
  const parsed = parser.parse(text);
  if (parsed.kind === "refused") return undefined;
  return JSON.stringify(
    parsed.statements.map(({ tree }) => tree),
    (key, value) => {
      if (key === "location" || key === "list_start" || key === "list_end") return undefined;
      return key === "A_Const" ? Object.keys(value).filter((kind) => kind !== "location") : value;
    },
  );
}

test("texts of one shape have one tree but for the values of constants", () => {
  const token = fc.constantFrom(
    ...'select from where a t1 ? ? ? ? ? ? , , . ( ) [ ] = - -- /* */ || E U& $1 $$ "x" ; :: e5 . x \n and or in interval'.split(
      " ",
    ),
  );
  const soup = fc.record({
    tokens: fc.array(token, { minLength: 1, maxLength: 12 }),
    glue: fc.constantFrom("", " ", "\n"),
    one: fc.array(literal, { minLength: 6, maxLength: 6 }),
    two: fc.array(literal, { minLength: 6, maxLength: 6 }),
  });
  let compared = 0;
  fc.assert(
    fc.property(soup, ({ tokens, glue, one, two }) => {
      const template = `select ${tokens.join(glue)}`;
      const first = fill(template, one);
      const second = fill(template, two);
      const shape = shapeOf(first);
      if (shape === undefined || shape !== shapeOf(second)) return;
      const left = skeleton(first);
      const right = skeleton(second);
      if (left === undefined || right === undefined) return;
      compared++;
      assert.equal(right, left);
    }),
    { numRuns: 20_000 },
  );
  assert.ok(compared > 50, `only ${compared} pairs could be compared`);
});

test("the cache keeps to its maximum and prefers what is used", () => {
  const cache = new TextCache<number>(3, 100);
  for (let at = 0; at < 3; at++) cache.set(`k${at}`, at);
  assert.equal(cache.get("k0"), 0);
  cache.set("k3", 3);
  assert.equal(cache.size, 3);
  assert.equal(cache.get("k0"), 0);
  assert.equal(cache.get("k1"), undefined);
});

test("the cache keeps to its characters", () => {
  const cache = new TextCache<number>(100, 10);
  cache.set("a".repeat(6), 1);
  cache.set("b".repeat(6), 2);
  assert.equal(cache.size, 1);
  cache.set("c".repeat(11), 3);
  assert.equal(cache.get("c".repeat(11)), undefined);
});
