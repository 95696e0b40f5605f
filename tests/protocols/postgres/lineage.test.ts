/**
 * What each column of a result depends on, and what a statement tests. Columns: "-" on no label, "pii" is the
 * very value of a column labelled so, "~pii" is made from one; "clean": none, however many; "unknown": anything.
 */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { Analyser, type Statement } from "../../../src/protocols/postgres/analysis/analyse.ts";
import { taintAt } from "../../../src/protocols/postgres/lineage/outputs.ts";
import { labelsIn } from "../../../src/protocols/postgres/lineage/taint.ts";
import { CUSTOMER_CATALOG, CUSTOMER_LABELS } from "./analysis-scope.ts";

const analyser = new Analyser();
before(() => analyser.prepare());

function shown({ effects: { outputs } }: Statement): string {
  if (outputs.kind !== "columns") return outputs.kind;
  const columns = outputs.taints.map((taint) => {
    const labels = labelsIn(taint).join("+");
    return labels === "" ? "-" : (taint.exact ? "" : "~") + labels;
  });
  return columns.join(" ");
}

function oracles({ operation }: Statement): string {
  const statement = operation.actions[0]?.facts["statement"] as { readonly oracles: readonly string[] } | undefined;
  return (statement?.oracles ?? []).join("+");
}

const ROWS: readonly (readonly [sql: string, columns: string, tests: string])[] = [
  ["SELECT ssn::int FROM customers", "~pii", "pii"],
  ["SELECT 1 / (CASE WHEN ssn > '5' THEN 0 ELSE 1 END) FROM customers", "~pii", "pii"],
  ["SELECT j.x FROM customers c, JSON_TABLE(to_jsonb(c.ssn), '$' COLUMNS (x text PATH '$')) j", "~pii", "pii"],
  ["SELECT JSON_OBJECT('k': ssn) FROM customers", "~pii", ""],
  ["SELECT JSON_ARRAY(ssn, card) FROM customers", "~pii+payment", ""],
  ["SELECT JSON_ARRAYAGG(ssn) FROM customers", "~pii", ""],
  ["SELECT JSON_OBJECTAGG(id: ssn) FROM customers", "~pii", ""],
  ["SELECT JSON_ARRAY(SELECT ssn FROM customers)", "~pii", ""],
  ["SELECT JSON_SERIALIZE(ssn) FROM customers", "~pii", ""],
  ["SELECT JSON_VALUE(ssn, '$') FROM customers", "~pii", "pii"],
  ["SELECT ssn IS JSON FROM customers", "~pii", ""],
  ["SELECT any_value(ssn) FROM customers", "~pii", ""],
  ["UPDATE customers SET name = 'x' WHERE id = 1 RETURNING old.ssn", "pii", ""],
  ["UPDATE customers SET name = 'x' WHERE id = 1 RETURNING new.*", "- - - pii+payment pii", ""],
  ["UPDATE customers SET name = 'x' WHERE id = 1 RETURNING WITH (OLD AS o) o", "~pii+payment", ""],
  ["UPDATE customers SET name = 'x' WHERE id = 1 RETURNING WITH (OLD AS o) o.ssn", "pii", ""],
  [
    "MERGE INTO customers c USING orders o ON c.id = o.id WHEN MATCHED THEN DELETE RETURNING c.*",
    "- - - pii+payment pii",
    "",
  ],
  ["MERGE INTO customers c USING orders o ON c.id = o.id WHEN MATCHED THEN DELETE RETURNING ssn", "pii", ""],
  ["MERGE INTO orders o USING customers c ON c.ssn = o.note WHEN MATCHED THEN DELETE", "clean", "pii"],
  ["INSERT INTO customers (id, ssn) VALUES (1, 'x') ON CONFLICT (ssn) DO NOTHING", "clean", "pii"],
  [
    "INSERT INTO customers (id, ssn) VALUES (1, 'x') ON CONFLICT ON CONSTRAINT customers_ssn_key DO NOTHING",
    "clean",
    "pii",
  ],
  ["UPDATE customers SET name = 'x' WHERE id = 1 RETURNING old.to_jsonb", "~pii+payment", ""],
  ["SELECT u.to_jsonb FROM customers JOIN orders USING (id) AS u", "-", ""],
  ["DECLARE c CURSOR FOR SELECT ssn FROM customers", "pii", ""],
  ["DECLARE c CURSOR FOR SELECT * FROM customers", "- - - pii+payment pii", ""],
  ["SELECT * FROM contacts", "- - ~pii", ""],
  ["SELECT name FROM public.contacts", "~pii+payment", ""],
  ["UPDATE contacts SET name = 'x' WHERE id = 1", "clean", ""],
  ["SELECT upper(ssn) FROM customers_2024", "~pii", ""],
  ["SELECT c.to_jsonb FROM customers_2024 c", "~pii", ""],
  ["SELECT c.anything FROM customers c", "~pii+payment", ""],
  ["CREATE VIEW v AS SELECT name FROM customers", "clean", ""],
  ["SELECT c.id FROM customers c ORDER BY c.*", "-", "payment+pii"],
  ["SELECT id FROM customers c GROUP BY id, c", "-", "payment+pii"],
  ["SELECT o.*, c.ssn FROM orders o, customers c ORDER BY 3", "- - - - pii", "pii"],
  ["SELECT id, 1 AS ssn FROM orders, customers ORDER BY ssn", "- -", "pii"],
  // By then orders may have a column of any name.
  ["SELECT ssn FROM customers NATURAL JOIN orders", "pii", "payment+pii"],
  ["SELECT ssn FROM customers WHERE ssn IN (SELECT note FROM orders)", "pii", "pii"],
  ["SELECT name FROM customers WHERE (id, card) = (1, 'x')", "-", "payment+pii"],
  ["SELECT name FROM customers WHERE row(customers.*) = row(1)", "-", "payment+pii"],
  ["SELECT ssn FROM customers, (SELECT 1) AS s HAVING true", "pii", ""],
  // By the time that the server reads it, a clean table may have lost, renamed or gained a column.
  ["SELECT (SELECT name FROM orders LIMIT 1) FROM customers", "-", ""],
  ["SELECT (SELECT note FROM orders LIMIT 1) FROM (SELECT ssn AS note FROM customers) c", "~pii", ""],
  ["SELECT (SELECT o.note FROM orders o LIMIT 1) FROM (SELECT ssn AS note FROM customers) c", "clean", ""],
  ["SELECT upper(note) FROM orders, customers note", "~pii+payment", ""],
  [
    "SELECT * FROM customers NATURAL JOIN orders UNION ALL SELECT * FROM customers NATURAL JOIN orders",
    "~pii+payment ~pii+payment ~pii+payment ~pii+payment ~pii+payment ~pii+payment ~pii+payment ~pii+payment",
    "payment+pii",
  ],
  ["SELECT name || '' FROM customers NATURAL JOIN orders", "-", "payment+pii"],
  ["SELECT * FROM orders NATURAL JOIN orders o", "clean", ""],
  ["SELECT ssn FROM customers GROUP BY id", "pii", ""],
  ["SELECT upper(ssn) FROM customers", "~pii", ""],
  ["SELECT right(ssn, 4) FROM customers", "~pii", ""],
  ["SELECT substring(ssn from '[0-9]{4}$') FROM customers", "~pii", "pii"],
  ["SELECT substring(card from 5 for 8) FROM customers", "~pii+payment", ""],
  ["SELECT reverse(ssn) FROM customers", "~pii", ""],
  ["SELECT replace(ssn, '-', '') FROM customers", "~pii", ""],
  ["SELECT translate(ssn, '-', ' ') FROM customers", "~pii", ""],
  ["SELECT encode(ssn::bytea, 'hex') FROM customers", "~pii", "pii"],
  ["SELECT ssn || '' FROM customers", "~pii", ""],
  ["SELECT concat(name, ': ', ssn) FROM customers", "~pii", ""],
  ["SELECT format('%s', card) FROM customers", "~pii+payment", "payment+pii"],
  ["SELECT ssn::varchar(20) FROM customers", "~pii", ""],
  ["SELECT CAST(ssn AS bytea) FROM customers", "~pii", "pii"],
  ["SELECT card::numeric FROM customers", "~pii+payment", "payment+pii"],
  ["SELECT text(ssn) FROM customers", "~pii", "pii"],
  ['SELECT ssn COLLATE "C" FROM customers', "pii", ""],
  ["SELECT CASE WHEN id > 0 THEN ssn END FROM customers", "~pii", ""],
  ["SELECT coalesce(ssn, '') FROM customers", "~pii", "pii"],
  ["SELECT nullif(ssn, '') FROM customers", "~pii", "pii"],
  ["SELECT greatest(ssn, '') FROM customers", "~pii", ""],
  ["SELECT ARRAY[ssn, card] FROM customers", "~pii+payment", ""],
  ["SELECT (ARRAY[ssn])[1] FROM customers", "~pii", ""],
  ["SELECT ROW(id, ssn) FROM customers", "~pii", ""],
  ["SELECT split_part(ssn, '-', 3) FROM customers", "~pii", ""],
  ["SELECT string_to_array(ssn, '-') FROM customers", "~pii", ""],
  ["SELECT regexp_split_to_table(ssn, '-') FROM customers", "~pii", "pii"],
  ["SELECT regexp_matches(card, '([0-9]{4})$') FROM customers", "~pii+payment", "payment+pii"],
  ["SELECT unnest(ARRAY[ssn]) FROM customers", "~pii", "pii"],
  ["SELECT quote_literal(ssn) FROM customers", "~pii", ""],
  ["SELECT xmlelement(name x, ssn) FROM customers", "~pii", ""],
  ["SELECT xmlforest(ssn, card) FROM customers", "~pii+payment", ""],
  ["SELECT to_tsvector('simple', ssn) FROM customers", "~pii", "pii"],
  ["SELECT max(ssn) FROM customers", "~pii", ""],
  ["SELECT string_agg(ssn, ',') FROM customers", "~pii", ""],
  ["SELECT array_agg(card) FROM customers", "~pii+payment", ""],
  ["SELECT json_agg(ssn) FROM customers", "~pii", ""],
  ["SELECT json_object_agg(id, ssn) FROM customers", "~pii", ""],
  ["SELECT mode() WITHIN GROUP (ORDER BY ssn) FROM customers", "~pii", ""],
  ["SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY ssn) FROM customers", "~pii", ""],
  ["SELECT lag(ssn) OVER (ORDER BY id) FROM customers", "~pii", ""],
  ["SELECT first_value(ssn) OVER w FROM customers WINDOW w AS (ORDER BY id)", "~pii", ""],
  ["SELECT ssn FROM customers GROUP BY ssn", "pii", "pii"],
  ["SELECT ssn, count(*) FROM customers GROUP BY 1", "pii -", "pii"],
  ["SELECT ssn, card FROM customers GROUP BY GROUPING SETS ((ssn), (card))", "pii pii+payment", "payment+pii"],
  ["SELECT max(card) FROM customers GROUP BY id HAVING max(ssn) > ''", "~pii+payment", "pii"],
  ["SELECT DISTINCT ssn FROM customers", "pii", "pii"],
  ["SELECT DISTINCT ON (ssn) ssn FROM customers", "pii", "pii"],
  ["SELECT customers FROM customers", "~pii+payment", ""],
  ["SELECT c FROM customers c", "~pii+payment", ""],
  ["SELECT c::text FROM customers c", "~pii+payment", ""],
  ["SELECT row_to_json(c) FROM customers c", "~pii+payment", ""],
  ["SELECT to_jsonb(customers) FROM customers", "~pii+payment", ""],
  ["SELECT c.to_jsonb FROM customers c", "~pii+payment", ""],
  ["SELECT customers.row_to_json FROM customers", "~pii+payment", ""],
  ["SELECT public.customers.to_json FROM public.customers", "~pii+payment", ""],
  ["SELECT j.to_jsonb FROM (customers JOIN (SELECT 1 AS one) o ON true) AS j", "~pii+payment", ""],
  ["SELECT (c).ssn FROM customers c", "~pii", ""],
  ["SELECT (c).* FROM customers c", "- - - pii+payment pii", ""],
  ["SELECT ROW(c.*) FROM customers c", "~pii+payment", ""],
  ["SELECT concat_ws('|', c.*) FROM customers c", "~pii+payment", ""],
  ["SELECT json_agg(c) FROM customers c", "~pii+payment", ""],
  ["SELECT array_agg(c) FROM customers c", "~pii+payment", ""],
  ["SELECT max(c::text) FROM customers c", "~pii+payment", ""],
  ["SELECT format('%s', c) FROM customers c", "~pii+payment", "payment+pii"],
  ["SELECT e.value FROM customers c, json_each_text(row_to_json(c)) e", "~pii+payment", "payment+pii"],
  ["SELECT (json_populate_record(c, '{}')).ssn FROM customers c", "~pii+payment", "payment+pii"],
  ["SELECT j FROM (customers JOIN (SELECT 1 AS one) o ON true) AS j", "~pii+payment", ""],
  ["SELECT (SELECT ssn FROM customers LIMIT 1)", "~pii", ""],
  ["SELECT x FROM (SELECT ssn AS x FROM customers) s", "pii", ""],
  ["SELECT upper(s.ssn) FROM (SELECT * FROM customers) s", "~pii", ""],
  ["SELECT s.e || '' FROM (SELECT * FROM customers) s(a, b, c, d, e)", "~pii", ""],
  ["SELECT s FROM (SELECT * FROM customers) s", "~pii+payment", ""],
  ["SELECT s::text FROM (TABLE customers) s", "~pii+payment", ""],
  ["SELECT ARRAY(SELECT ssn FROM customers)", "~pii", ""],
  ["WITH c AS (SELECT ssn AS x FROM customers) SELECT x || '' FROM c", "~pii", ""],
  ["WITH c(a, b) AS (SELECT id, ssn FROM customers) SELECT b FROM c", "pii", ""],
  ["WITH customers AS (SELECT ssn AS x FROM customers) SELECT x FROM customers", "pii", ""],
  [
    "WITH RECURSIVE r(n, s) AS (SELECT 1, ssn FROM customers UNION ALL SELECT n + 1, s FROM r WHERE n < 2) SELECT s FROM r",
    "pii",
    "",
  ],
  ["SELECT l.x FROM customers c, LATERAL (SELECT c.ssn AS x) l", "pii", ""],
  ["SELECT l.* FROM customers c, LATERAL (SELECT c.*) l", "- - - pii+payment pii", ""],
  ["SELECT v.x FROM customers c, LATERAL (VALUES (c.ssn)) v(x)", "pii", ""],
  ["SELECT x FROM customers c, upper(c.ssn) AS x", "~pii", ""],
  ["SELECT x FROM customers c, ROWS FROM (unnest(ARRAY[c.ssn])) AS f(x)", "~pii", "pii"],
  [
    "SELECT t.v FROM customers c, XMLTABLE('/x' PASSING xmlelement(name x, c.ssn) COLUMNS v text PATH '.') t",
    "~pii",
    "pii",
  ],
  ["VALUES ((SELECT card FROM customers LIMIT 1))", "~pii+payment", ""],
  ["SELECT ssn FROM customers UNION SELECT ''", "~pii", "pii"],
  ["SELECT '' AS x UNION ALL SELECT ssn FROM customers", "~pii", ""],
  ["SELECT * FROM customers UNION ALL SELECT * FROM customers", "- - - pii+payment pii", ""],
  ["SELECT card FROM customers INTERSECT SELECT card FROM customers", "pii+payment", "payment+pii"],
  ["SELECT ssn FROM customers EXCEPT SELECT ''", "~pii", "pii"],
  ["SELECT e || '' FROM customers AS c(a, b, c, d, e)", "~pii", ""],
  ["SELECT upper(x) FROM customers AS c(a, b, c, x)", "~pii+payment", ""],
  ["SELECT j.e || '' FROM (customers JOIN (SELECT 1 AS one) o ON true) AS j(a, b, c, d, e)", "~pii+payment", ""],
  ['SELECT upper(U&"\\0073sn") FROM customers', "~pii", ""],
  ['SELECT c::text FROM U&"\\0063ustomers" c', "~pii+payment", ""],
  ["SELECT UPPER(SSN) FROM CUSTOMERS", "~pii", ""],
  ["SELECT upper/**/(/* x */ssn--\n) FROM/**/customers", "~pii", ""],
  ["SELECT upper(public.customers.ssn) FROM public.customers", "~pii", ""],
  ["COPY customers TO STDOUT", "- - - pii+payment pii", ""],
  ["COPY customers (id, ssn) TO STDOUT", "- pii", ""],
  ["COPY (SELECT ssn FROM customers) TO STDOUT", "pii", ""],
  ["COPY (SELECT * FROM customers) TO STDOUT WITH (FORMAT csv)", "- - - pii+payment pii", ""],
  ["SELECT id FROM customers WHERE ssn = '123-45-6789'", "-", "pii"],
  ["SELECT count(*) FROM customers WHERE ssn LIKE '1%'", "clean", "pii"],
  ["SELECT c.id FROM customers c WHERE c.card > '4'", "-", "payment+pii"],
  ["SELECT id FROM customers WHERE ssn IS NULL", "-", "pii"],
  ["SELECT id FROM customers WHERE card IN ('1', '2')", "-", "payment+pii"],
  ["SELECT 1 WHERE '123-45-6789' IN (SELECT ssn FROM customers)", "clean", "pii"],
  ["SELECT 'x' < ALL (SELECT ssn FROM customers)", "~pii", ""],
  ["SELECT EXISTS (SELECT 1 FROM customers WHERE ssn = '1')", "clean", "pii"],
  ["SELECT c.id FROM customers c JOIN (VALUES ('1')) v(x) ON v.x = c.ssn", "-", "pii"],
  ["SELECT id FROM customers JOIN (VALUES ('1')) v(ssn) USING (ssn)", "-", "pii"],
  ["SELECT u FROM customers JOIN (VALUES ('1')) v(ssn) USING (ssn) AS u", "~pii", "pii"],
  ["SELECT id FROM customers NATURAL JOIN (VALUES ('1')) v(ssn)", "-", "pii"],
  ["SELECT v.* FROM (VALUES ('1')) v(ssn) NATURAL LEFT JOIN customers", "clean", "pii"],
  ["SELECT id FROM customers ORDER BY ssn", "-", "pii"],
  ["SELECT id FROM customers ORDER BY id, lower(ssn) DESC", "-", "pii"],
  ["SELECT id, ssn FROM customers ORDER BY 2", "- pii", "pii"],
  ["SELECT * FROM customers ORDER BY 5", "- - - pii+payment pii", "pii"],
  ["SELECT id, ssn AS x FROM customers ORDER BY x", "- pii", "pii"],
  ["SELECT id FROM customers ORDER BY ssn USING >", "-", "pii"],
  ["SELECT count(*) FROM customers GROUP BY ssn", "clean", "pii"],
  ["SELECT count(*) FROM customers GROUP BY ROLLUP (ssn)", "clean", "pii"],
  ["SELECT name FROM customers GROUP BY name HAVING max(ssn) > '5'", "-", "pii"],
  ["SELECT count(DISTINCT ssn) FROM customers", "clean", "pii"],
  ["SELECT count(*) FILTER (WHERE ssn > '5') FROM customers", "clean", "pii"],
  ["SELECT string_agg(name, ',' ORDER BY ssn) FROM customers", "-", "pii"],
  ["SELECT id, row_number() OVER (ORDER BY ssn) FROM customers", "- ~pii", "pii"],
  ["SELECT id, count(*) OVER w FROM customers WINDOW w AS (PARTITION BY card)", "- ~pii+payment", "payment+pii"],
  ["SELECT DISTINCT * FROM customers", "- - - pii+payment pii", "payment+pii"],
  ["SELECT id FROM customers LIMIT (SELECT length(ssn) FROM customers LIMIT 1)", "-", "pii"],
  ["SELECT id FROM customers OFFSET (SELECT count(*) FROM customers WHERE ssn > '5')", "-", "pii"],
  ["SELECT md5(ssn) FROM customers", "~pii", ""],
  ["SELECT length(ssn) FROM customers", "~pii", ""],
  ["SELECT ssn > '5' FROM customers", "~pii", "pii"],
  ["SELECT c = c FROM customers c", "~pii+payment", "payment+pii"],
  ["SELECT id FROM customers c WHERE c.* IS NOT NULL", "-", "payment+pii"],
  ["DELETE FROM customers WHERE ssn = 'x'", "clean", "pii"],
  ["UPDATE customers SET name = name WHERE card = 'x'", "clean", "payment+pii"],
  ["DELETE FROM customers USING customers c WHERE customers.ssn = c.card", "clean", "payment+pii"],
  [
    "INSERT INTO customers VALUES (1) ON CONFLICT (id) DO UPDATE SET name = 'x' WHERE customers.ssn = 'x'",
    "clean",
    "pii",
  ],
  ["INSERT INTO customers VALUES (1, 'a', 'b', 'c', 'd') ON CONFLICT DO NOTHING", "clean", "payment+pii"],
  ["INSERT INTO customers (id, name) SELECT 9, 'x' FROM customers WHERE ssn = 'x'", "clean", "pii"],
  ["SELECT id FROM customers TABLESAMPLE BERNOULLI ((SELECT count(*) FROM customers WHERE ssn > '5'))", "-", "pii"],
  ["EXPLAIN SELECT id FROM customers WHERE ssn = '123-45-6789'", "clean", "pii"],
  ["EXPLAIN ANALYZE SELECT id FROM customers WHERE ssn = '123-45-6789'", "clean", "pii"],
  ["SELECT s.n FROM (SELECT upper(ssn), id AS n FROM customers) s", "-", ""],
  ["SELECT s.upper FROM (SELECT upper(ssn) FROM customers) s", "~pii", ""],
  ["WITH RECURSIVE a AS (SELECT x FROM b), b AS (SELECT ssn AS x FROM customers) SELECT x FROM a", "~pii+payment", ""],
  [
    "WITH RECURSIVE t(a, b) AS (SELECT id::text, ssn FROM customers UNION ALL SELECT b, a FROM t) SELECT a, b FROM t",
    "~pii ~pii",
    "",
  ],
  ["SELECT * FROM contacts", "- - ~pii", ""],
  ["SELECT number, who FROM contacts", "~pii -", ""],
  ["SELECT c.* , o.* FROM customers c, orders o", "- - - pii+payment pii - - - -", ""],
  ["SELECT (SELECT c.ssn), o.id FROM customers c, orders o", "~pii -", ""],
  ["SELECT name FROM customers c WHERE EXISTS (SELECT 1 FROM orders o WHERE o.note = c.ssn)", "-", "pii"],
  ["SELECT x FROM orders o, LATERAL (SELECT note AS x) l", "clean", ""],
  ["SELECT (SELECT ssn FROM orders LIMIT 1) FROM customers", "~pii", ""],
  ["SELECT z.ssn FROM unknown z, customers c", "clean", ""],
  ["SELECT ssn FROM unknown z", "clean", ""],
  ["SELECT (SELECT ssn FROM unknown LIMIT 1) FROM customers", "~pii", ""],
  ["SELECT * FROM unknown, customers", "unknown", ""],
  ["SELECT count(ssn), count(*), count(DISTINCT card) FROM customers", "clean", "payment+pii"],
  ["SELECT sum(total) FILTER (WHERE c.ssn > '5') FROM orders o, customers c", "clean", "pii"],
  ["SELECT customers.* FROM orders customers", "clean", ""],
  ["SELECT ssn FROM (customers c JOIN orders o ON true) j", "pii", ""],
  ["SELECT c.ssn FROM (customers c JOIN orders o ON true) j", "~pii+payment", ""],
  ["SELECT * FROM customers LEFT JOIN orders USING (id)", "- - - pii+payment pii - - -", ""],
  ["SELECT x.* FROM (VALUES (1, (SELECT ssn FROM customers LIMIT 1))) x", "- ~pii", ""],
  ["SELECT g.*, ssn || '' FROM generate_series(1, 3) g, customers", "- ~pii", ""],
  ["SELECT u.*, name FROM customers c, unnest(ARRAY[c]) u", "unknown", "payment+pii"],
  ["INSERT INTO public.customers (id, ssn) SELECT id + 100, ssn FROM customers RETURNING id, ssn", "- pii", ""],
  ["INSERT INTO public.customers (id, ssn) SELECT id + 100, ssn FROM customers_2024", "clean", ""],
  ["SELECT grouping(ssn), count(*) FROM customers GROUP BY CUBE (ssn, id)", "~pii -", "pii"],
  ["SELECT customers.ctid, tableoid FROM customers", "clean", ""],
  // A name that is a column's and a row's, or a system column's and a row's.
  ["SELECT (ssn).* FROM customers, (SELECT 1 AS a, 2 AS b) AS ssn", "unknown", ""],
  ["SELECT (c.ssn).* FROM customers c, orders ssn", "unknown", ""],
  ["SELECT (ssn.*).* FROM customers, (SELECT 1 AS a, 2 AS b) AS ssn", "clean", ""],
  ["SELECT ctid FROM (SELECT ssn FROM customers) AS ctid", "~pii", ""],
  ["SELECT ctid::text FROM customers", "clean", ""],
  ['SELECT system_user FROM (SELECT ssn FROM customers) AS "system_user"', "~pii", ""],
  // What USING merges may be among what has no name.
  [
    "SELECT c FROM ((SELECT lower('K'), id, ssn FROM customers) q JOIN (SELECT 'k' AS lower) r USING (lower)) AS j(a, b, c)",
    "pii",
    "",
  ],
  [
    "SELECT c FROM ((SELECT coalesce('K'), id, ssn FROM customers) q JOIN (SELECT 'k' AS coalesce) r USING (coalesce)) AS j(a, b, c)",
    "~pii",
    "",
  ],
  // By then orders may have lost the column, and what the server names may bear its name.
  ["SELECT q.note FROM (SELECT o.*, (ssn || '')::note FROM orders o, customers) q", "~pii", "pii"],
  ["SELECT note FROM (SELECT o.*, (ssn || '')::note FROM orders o, customers) q", "~pii", "pii"],
  [
    "SELECT note FROM (SELECT o.*, (ssn || '')::note FROM orders o, customers) q JOIN stash USING (note)",
    "~pii",
    "pii",
  ],
  ["SELECT q.note FROM (SELECT o.*, upper(ssn), ssn || '', ssn::text FROM orders o, customers) q", "clean", ""],
  ["SELECT q.id FROM (SELECT id, (ssn || '')::note FROM customers) q", "-", "pii"],
  ["SELECT q.to_jsonb FROM (SELECT o.*, c.ssn, 1 AS to_jsonb FROM orders o, customers c) q", "~pii", ""],
  ["SELECT q.note FROM (SELECT o.*, c.ssn FROM orders o, customers c) q", "clean", ""],
  // Or have gained a composite of another width.
  [
    "SELECT s.b || '' FROM (SELECT (w).*, ssn FROM orders, (SELECT 1 AS p, 2 AS q) AS w, customers) AS s(a, b)",
    "~pii",
    "",
  ],
  ["SELECT (ssn || '')::name, id FROM customers ORDER BY name", "~pii -", "pii"],
  ["SELECT upper(ssn), id FROM customers ORDER BY id", "~pii -", ""],
  // How many columns orders has is the server's to say.
  ["SELECT s.i || '' FROM (SELECT * FROM orders, customers) AS s(a, b, c, d, e, f, g, h, i)", "~pii+payment", ""],
  ["SELECT s.name || '', s.ssn FROM (SELECT * FROM orders o, customers c) AS s", "- pii", ""],
  ["SELECT lpad('x', length(ssn)) FROM customers", "~pii", "pii"],
  ["SELECT count(substring(ssn from '^21')) FROM customers", "clean", "pii"],
  ["SELECT count(substring(ssn, $1)) FROM customers", "clean", "pii"],
  ["SELECT substring(ssn from 2 for 3) FROM customers", "~pii", ""],
  ["SELECT count(JSON_VALUE(to_jsonb(ssn), '$ ? (@ starts with \"2\")')) FROM customers", "clean", "pii"],
  [
    "SELECT count(*) FROM customers c, XMLTABLE('/x[starts-with(., \"2\")]' PASSING xmlelement(name x, c.ssn) COLUMNS v text) t",
    "clean",
    "pii",
  ],
  ["UPDATE customers SET ssn = ssn WHERE id = 1", "clean", ""],
  ["INSERT INTO customers (id, ssn) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET ssn = excluded.ssn", "clean", ""],
  [
    "WITH RECURSIVE r(x) AS (SELECT ssn FROM customers UNION ALL SELECT x FROM r) CYCLE x SET c USING p SELECT 1 FROM r",
    "clean",
    "pii",
  ],
];

for (const [sql, columns, tests] of ROWS) {
  test(`lineage of ${sql}`, () => {
    const { statements } = analyser.analyse(sql, { data: CUSTOMER_LABELS, catalog: CUSTOMER_CATALOG });
    assert.deepEqual(
      statements.map((statement) => [statement.operation.forbidden, shown(statement), oracles(statement)]),
      [[undefined, columns, tests]],
    );
  });
}

test("a table with labels of its own has only labelled columns", () => {
  const relation = CUSTOMER_CATALOG.relations.get(20_001);
  assert.ok(relation !== undefined);
  const catalog = {
    ...CUSTOMER_CATALOG,
    version: "2",
    relations: new Map([[1, { ...relation, labels: ["internal"] }]]),
  };
  const data = { "public.customers": { labels: ["internal"], columns: {} } };
  const names = new Map([["customers", [...catalog.relations.values()]]]);
  const { statements } = analyser.analyse("SELECT name, upper(email) FROM customers", {
    data,
    catalog: { ...catalog, names },
  });
  assert.deepEqual(statements.map(shown), ["internal ~internal"]);
});

test("a table that the settings name and the catalog does not know may hold anything", () => {
  const scope = { data: { "public.t": { labels: [], columns: { clé: ["pii"] } } }, catalog: CUSTOMER_CATALOG };
  for (const sql of ["SELECT upper(CLÉ) FROM t", "SELECT upper(clé) FROM t", "SELECT a FROM public.t"]) {
    assert.deepEqual(analyser.analyse(sql, scope).statements.map(shown), ["~pii"]);
  }
});

test("at places that are not known a column is told by its name", () => {
  const { statements } = analyser.analyse(
    "SELECT o.*, upper(c.ssn) AS x, c.name || '' AS y FROM orders o, customers c",
    {
      data: CUSTOMER_LABELS,
      catalog: CUSTOMER_CATALOG,
    },
  );
  const outputs = statements[0]?.effects.outputs;
  assert.ok(outputs !== undefined);
  const told = (name: string | undefined, at: number) => {
    const taint = taintAt(outputs, at, 6, name);
    return taint === undefined ? "anything" : labelsIn(taint).join();
  };
  assert.deepEqual(
    [told("x", 1), told("y", 4), told("id", 5), told("z", 4), told(undefined, 4)],
    ["pii", "", "", "anything", "anything"],
  );
});
