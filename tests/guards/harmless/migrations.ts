/** What migration tools do where a policy lets them define. Harmless. Data only. */
import { type HarmlessGroup, statement, undone } from "../attack.ts";

export const MIGRATIONS: readonly HarmlessGroup[] = [
  {
    title: "Migrations where the policy lets them",
    policy: "no-server",
    statements: [
      undone(
        "CREATE TABLE migrations (version text PRIMARY KEY, applied timestamptz DEFAULT now()); INSERT INTO migrations (version) VALUES ('1'); SELECT version FROM migrations",
        "columns",
      ),
      undone("CREATE TABLE IF NOT EXISTS orders (id int)"),
      undone(
        "CREATE TABLE lines (id bigint GENERATED ALWAYS AS IDENTITY, order_id int REFERENCES orders ON DELETE CASCADE, quantity int CHECK (quantity > 0), UNIQUE (order_id, quantity))",
      ),
      undone(
        "CREATE TABLE log (at timestamptz NOT NULL, what text) PARTITION BY RANGE (at); CREATE TABLE log_2024 PARTITION OF log FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')",
      ),
      undone(
        "CREATE TEMP TABLE scratch ON COMMIT DROP AS SELECT id FROM orders WHERE id < 5; SELECT count(*) FROM scratch",
      ),
      undone("CREATE UNLOGGED TABLE cache (key text PRIMARY KEY, value jsonb); ALTER TABLE cache SET LOGGED"),
      undone("ALTER TABLE orders ADD COLUMN state text NOT NULL DEFAULT 'new', ADD COLUMN closed timestamptz"),
      undone(
        "ALTER TABLE orders ADD CONSTRAINT positive CHECK (amount >= 0) NOT VALID; ALTER TABLE orders VALIDATE CONSTRAINT positive",
      ),
      undone("ALTER TABLE orders RENAME COLUMN note TO remark; SELECT remark FROM orders WHERE id = 1"),
      undone("ALTER TABLE orders ALTER COLUMN amount TYPE bigint USING amount::bigint, ALTER COLUMN note SET NOT NULL"),
      undone("ALTER TABLE orders DROP COLUMN note"),
      undone("ALTER TABLE orders RENAME TO purchases; SELECT count(*) FROM purchases"),
      undone("CREATE INDEX orders_by_customer ON orders (customer, amount DESC) WHERE amount > 10"),
      undone("CREATE UNIQUE INDEX ON products (lower(name))"),
      undone("CREATE INDEX ON products USING gin (info jsonb_path_ops)"),
      statement("CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_by_note ON orders (note)"),
      statement("DROP INDEX CONCURRENTLY IF EXISTS orders_by_note"),
      undone("REINDEX TABLE orders"),
      undone(
        "CREATE VIEW big_orders AS SELECT id, amount FROM orders WHERE amount > 900; SELECT count(*) FROM big_orders; DROP VIEW big_orders",
      ),
      undone(
        "CREATE OR REPLACE VIEW totals AS SELECT customer, sum(amount) AS total FROM orders GROUP BY customer; SELECT * FROM totals ORDER BY 1",
        "columns",
      ),
      undone(
        "CREATE MATERIALIZED VIEW totals AS SELECT customer, count(*) FROM orders GROUP BY 1; REFRESH MATERIALIZED VIEW totals; SELECT * FROM totals ORDER BY 1",
        "columns",
      ),
      undone("CREATE SEQUENCE tickets START 10; SELECT nextval('tickets'); ALTER SEQUENCE tickets OWNED BY orders.id"),
      undone("CREATE TYPE mood AS ENUM ('sad', 'glad'); SELECT 'glad'::mood, enum_range(NULL::mood)", "columns"),
      undone("CREATE TYPE pair AS (a int, b text); SELECT (ROW(1, 'x')::pair).b"),
      undone("CREATE DOMAIN plz AS text CHECK (VALUE ~ '^[0-9]{5}$'); SELECT '12345'::plz"),
      undone(
        "CREATE SCHEMA archive; CREATE TABLE archive.orders (LIKE public.orders INCLUDING ALL); INSERT INTO archive.orders SELECT * FROM public.orders WHERE id < 3; SELECT count(*) FROM archive.orders",
      ),
      undone(
        "COMMENT ON TABLE orders IS 'what was bought'; COMMENT ON COLUMN orders.note IS 'free text'; SELECT obj_description('orders'::regclass)",
      ),
      undone("CREATE STATISTICS orders_stats ON customer, amount FROM orders"),
      undone("CREATE TEXT SEARCH CONFIGURATION plain (COPY = simple)"),
      undone("DROP TABLE employees; SELECT to_regclass('employees')"),
      undone("CREATE TABLE copy_of AS TABLE orders WITH NO DATA; SELECT count(*) FROM copy_of"),
      undone("SELECT id, note INTO short_orders FROM orders WHERE id < 3; SELECT count(*) FROM short_orders"),
      undone("ALTER TABLE products CLUSTER ON products_pkey; ALTER TABLE products SET (autovacuum_enabled = false)"),
      undone("DELETE FROM orders"),
      undone("UPDATE orders SET note = 'x'"),
      undone("TRUNCATE employees; SELECT count(*) FROM employees"),
      undone("DELETE FROM orders WHERE true"),
      statement("BEGIN; SET LOCAL lock_timeout = '2s'; ALTER TABLE orders ADD COLUMN tmp int; ROLLBACK"),
      statement("COPY (SELECT id FROM orders ORDER BY id LIMIT 3) TO STDOUT"),
      statement("COPY orders (id) TO STDOUT"),
      statement("SELECT pg_get_viewdef('secret_view'), pg_get_functiondef('tell()'::regprocedure)"),
      statement("SELECT 'pg_read_file', 'COPY x TO PROGRAM ''y''', $$lo_import('/etc/passwd')$$"),
      statement('SELECT id AS pg_read_file, note AS "program" FROM orders WHERE id = 1'),
      statement("SELECT note FROM orders WHERE note LIKE '%pg_read_file(%' -- COPY FROM PROGRAM"),
      statement("WITH pg_ls_dir AS (SELECT 1 AS dblink) SELECT dblink FROM pg_ls_dir"),
    ],
  },
];
