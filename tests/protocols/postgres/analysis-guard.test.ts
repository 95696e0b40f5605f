import assert from "node:assert/strict";
import { before, test } from "node:test";
import { Analyser, type AnalysisScope } from "../../../src/protocols/postgres/analysis/analyse.ts";
import { labelsIn } from "../../../src/protocols/postgres/lineage/taint.ts";
import { LABEL_ATTACKS, LABEL_ORACLES } from "../../kit/attacks.ts";
import { CUSTOMER_CATALOG, CUSTOMER_LABELS } from "./analysis-scope.ts";

const analyser = new Analyser();
before(() => analyser.prepare());
const SCOPE: AnalysisScope = { data: CUSTOMER_LABELS, catalog: CUSTOMER_CATALOG };

function refusal(sql: string, scope: AnalysisScope = SCOPE): string | undefined {
  return analyser.analyse(sql, scope).statements.find(({ operation }) => operation.forbidden)?.operation.forbidden
    ?.rule;
}

/** Refused, or every statement's result says what depends on labels; `oracles` where it tests labelled columns. */
function isKept(sql: string): boolean {
  const { statements } = analyser.analyse(sql, SCOPE);
  return statements.some(({ operation, effects }) => {
    if (operation.forbidden !== undefined || effects.outputs.kind === "unknown") return true;
    return effects.outputs.kind === "columns" && effects.outputs.taints.some((taint) => labelsIn(taint).length > 0);
  });
}

for (const { name, sql } of LABEL_ATTACKS) {
  test(`a labelled column does not leave by ${name}: ${sql}`, () => assert.ok(isKept(sql)));
}

for (const { name, sql } of LABEL_ORACLES) {
  test(`policy is told of ${name}: ${sql}`, () => {
    const { statements } = analyser.analyse(sql, SCOPE);
    const facts = statements.flatMap(({ operation }) =>
      operation.actions.map((action) => JSON.stringify(action.facts)),
    );
    const isForbidden = statements.some(({ operation }) => operation.forbidden !== undefined);
    assert.ok(isForbidden || facts.some((fact) => /"oracles":\["p/.test(fact)) || isKept(sql), facts.join());
  });
}

/** What cannot be followed, or would keep values where no label is. */
const MORE: readonly string[] = [
  "INSERT INTO customers (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET name = excluded.ssn",
  "INSERT INTO customers (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET name = excluded.to_jsonb::text",
  "INSERT INTO orders (note) TABLE customers",
  "COPY customers TO PROGRAM 'cat'",
  "COPY (INSERT INTO orders SELECT ssn FROM customers RETURNING *) TO STDOUT",
  "PREPARE p AS SELECT 1",
  "EXECUTE p",
  "EXPLAIN EXECUTE p",
  "DO ''",
  "CALL f()",
  "SELECT f()",
  "SELECT s.lower('x')",
  "SELECT pg_read_file('base/1/2')",
  "SELECT lo_get(1)",
  "SELECT 'a' OPERATOR(s.+) 'b'",
  "CREATE VIEW v AS SELECT name FROM contacts",
  "SELECT customers.card(id) FROM customers",
  "SELECT o.tell_of FROM orders o",
  "SELECT (o).tell_of FROM orders o",
  "SELECT (SELECT o FROM orders o LIMIT 1).tell_of",
  "SELECT ((o).note).tell_of FROM orders o",
  "DELETE FROM orders WHERE orders.tell_of = 'x'",
  "INSERT INTO orders (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET note = excluded.tell_of",
  "CREATE TABLE t (LIKE customers INCLUDING ALL)",
  "CREATE TABLE t () INHERITS (customers)",
  "CREATE TABLE t PARTITION OF customers DEFAULT",
  "CREATE TABLE t (ssn text REFERENCES customers (ssn))",
  "CREATE STATISTICS s (mcv) ON ssn, card FROM customers",
  "CREATE INDEX ON customers (ssn)",
  "CREATE PUBLICATION p FOR TABLE customers",
  "ALTER TABLE customers SET SCHEMA s",
  "ALTER TABLE t INHERIT customers",
  "ALTER TABLE t ATTACH PARTITION customers DEFAULT",
  "ALTER SCHEMA public RENAME TO p",
  "ALTER FUNCTION f() RENAME TO lower",
  "ALTER VIEW customers RENAME TO c",
  "ALTER EXTENSION x SET SCHEMA s",
  "SELECT chunk_data FROM pg_toast.pg_toast_1",
  "SELECT query FROM pg_stat_activity",
  "SELECT query FROM ext.pg_stat_statements",
  "SELECT most_common_vals FROM pg_catalog.pg_stats",
  "SELECT data FROM pg_largeobject",
  "SELECT id FROM ruled",
  "SELECT name AS x INTO t FROM customers UNION SELECT ssn FROM customers",
  "SELECT setseed(length(ssn) / 100.0), random() FROM customers",
  "SELECT generate_series(1, ascii(ssn)) FROM customers",
  "SELECT id FROM customers c, generate_series(1, length(c.ssn)) g",
  "UPDATE customers SET ssn = reverse(ssn) WHERE id = 1",
  "INSERT INTO customers (id, ssn) SELECT id + 100, substr(ssn, 1, 4) FROM customers",
  "SELECT set_config('my.x', ssn, false) FROM customers",
  "SELECT pg_notify('c', ssn) FROM customers",
  "SELECT pg_advisory_lock(card::bigint) FROM customers",
  "COPY customers TO STDOUT (FORMAT binary)",
  "COPY customers TO STDOUT (FORMAT json)",
  "COPY (SELECT * FROM customers, unknown) TO STDOUT",
];

for (const sql of MORE)
  test(`forbidden where columns are labelled: ${sql}`, () => assert.notEqual(refusal(sql), undefined));

const FINE: readonly string[] = [
  "SELECT 1",
  "SELECT * FROM customers",
  "SELECT * FROM customers WHERE id = 1",
  "TABLE customers",
  "SELECT c.* FROM public.customers c WHERE c.name LIKE 'A%' ORDER BY c.name LIMIT 10",
  "SELECT ssn FROM customers",
  "SELECT ssn AS number, card FROM customers WHERE id IN (1, 2)",
  "SELECT c.ssn, c.id FROM customers c ORDER BY c.id DESC",
  "SELECT public.customers.card FROM public.customers",
  "SELECT id, ssn FROM customers ORDER BY 1",
  "SELECT ssn, row_number() OVER (ORDER BY id) FROM customers",
  "SELECT c.ssn, o.total FROM customers c JOIN orders o ON o.customer_id = c.id",
  "SELECT * FROM customers JOIN orders USING (id)",
  "SELECT * FROM customers c LEFT JOIN orders o ON o.customer_id = c.id WHERE o.total > 10",
  "SELECT upper(name), length(email) FROM customers",
  "SELECT count(*) FROM customers",
  "SELECT count(name), max(id) FROM customers GROUP BY email HAVING count(*) > 1",
  "SELECT DISTINCT name FROM customers",
  "SELECT name FROM customers UNION SELECT note FROM orders",
  "SELECT name FROM customers WHERE id IN (SELECT customer_id FROM orders)",
  "SELECT s.name FROM (SELECT id, name FROM customers) s WHERE s.id = 1",
  "WITH c AS (SELECT id, name FROM customers) SELECT * FROM c",
  "SELECT c.ssn, (SELECT count(*) FROM orders o WHERE o.customer_id = c.id) FROM customers c",
  "SELECT c.ctid, c.xmin FROM customers c",
  "SELECT * FROM customers FOR UPDATE",
  "EXPLAIN SELECT ssn FROM customers WHERE id = 1",
  "EXPLAIN ANALYZE SELECT * FROM customers",
  "INSERT INTO customers (id, name, ssn) VALUES (3, 'x', '1') RETURNING *",
  "INSERT INTO customers VALUES (3, 'x', 'y', 'z', '1') RETURNING ssn",
  "INSERT INTO customers (id, name) VALUES (3, 'x') ON CONFLICT (id) DO UPDATE SET name = excluded.name",
  "INSERT INTO customers (id, name) VALUES (3, 'x') ON CONFLICT DO NOTHING",
  "INSERT INTO orders (id, note) SELECT id, name FROM customers",
  "INSERT INTO customers SELECT * FROM staging",
  "INSERT INTO orders SELECT id FROM customers ON CONFLICT (id) DO UPDATE SET note = excluded.note RETURNING note",
  "SELECT j.id, j.name FROM (customers JOIN orders USING (id)) AS j",
  "SELECT s.id FROM (SELECT id, name FROM customers) s",
  "UPDATE customers SET ssn = '1', name = upper(name) WHERE id = 1 RETURNING id, ssn",
  "UPDATE orders SET note = c.name FROM customers c WHERE c.id = orders.customer_id",
  "DELETE FROM customers WHERE id = 1 RETURNING *",
  "MERGE INTO customers c USING orders o ON c.id = o.id WHEN MATCHED THEN UPDATE SET name = o.note",
  "COPY customers (id, name) TO STDOUT",
  "COPY customers FROM STDIN",
  "COPY (SELECT id, name FROM customers) TO STDOUT",
  "DECLARE c CURSOR FOR SELECT id, name FROM customers",
  "FETCH 10 FROM c",
  "CLOSE c",
  "BEGIN; SELECT ssn FROM customers; COMMIT",
  "SELECT ssn FROM hr.customers WHERE ssn = '1'",
  "SELECT ssn FROM people WHERE ssn = '1' ORDER BY ssn",
  "SELECT o.* FROM orders o WHERE row_to_json(o) IS NOT NULL",
  "CREATE TABLE t (a int)",
  "CREATE VIEW v AS SELECT * FROM orders",
  "ALTER TABLE orders RENAME TO o",
  "DROP TABLE customers",
  "DROP VIEW contacts",
  "TRUNCATE customers",
  "VACUUM customers",
  "ANALYZE customers",
  "LOCK TABLE customers",
  "GRANT SELECT ON customers TO app",
  "SELECT pg_sleep(1)",
  "SELECT nextval('customers_id_seq')",
  "SELECT relname FROM pg_catalog.pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = 'customers'",
  "SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a WHERE a.attrelid = 'customers'::regclass",
  "SELECT column_name FROM information_schema.columns WHERE table_name = 'customers'",
  "SET application_name = 'ssn'",
  "SHOW server_version",
];

for (const sql of FINE)
  test(`possible where columns are labelled: ${sql}`, () => assert.equal(refusal(sql), undefined));

test("without a catalog any relation of users may be a view over labelled columns", () => {
  const scope = { data: CUSTOMER_LABELS, catalog: undefined };
  assert.equal(refusal("SELECT a FROM orders", scope), "built-in:catalog-unknown");
  assert.equal(refusal("SELECT relname FROM pg_catalog.pg_class", scope), undefined);
  assert.equal(refusal("SELECT 1", scope), undefined);
});

test("without labels nothing is guarded", () => {
  const scope = { data: { "public.customers": { labels: [], columns: {} } }, catalog: undefined };
  assert.equal(refusal("SELECT upper(ssn), f() FROM customers ORDER BY ssn", scope), undefined);
});

test("the refusal names where the value would go, and no literal", () => {
  const sql = "UPDATE customers SET name = ssn WHERE ssn = '123-45-6789'";
  const [statement] = analyser.analyse(sql, SCOPE).statements;
  const message = statement?.operation.forbidden?.message ?? "";
  assert.match(message, /^a value labelled pii would be copied to customers\.name/);
  assert.doesNotMatch(message, /123/);
});
