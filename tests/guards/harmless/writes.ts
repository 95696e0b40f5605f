/** What applications write, each with a WHERE or keys that select. Harmless. Data only. */
import { client } from "../../kit/wire.ts";
import { type Harmless, type HarmlessGroup, statement, undone } from "../attack.ts";

function withValues(sql: string, values: readonly (string | null)[]): Harmless {
  return { name: sql, means: { kind: "bound", sql, values } };
}

export const WRITES: readonly HarmlessGroup[] = [
  {
    title: "Writes that select",
    policy: "no-whole-table",
    statements: [
      undone("DELETE FROM orders WHERE id = 1"),
      undone("DELETE FROM orders WHERE id = 1 RETURNING *"),
      undone("DELETE FROM orders WHERE id IN (1, 2, 3)"),
      undone("DELETE FROM orders WHERE id = ANY (ARRAY[4, 5])"),
      undone("DELETE FROM orders WHERE id = ANY ('{4,5}'::int[]) RETURNING id"),
      undone("DELETE FROM orders WHERE id BETWEEN 10 AND 20"),
      undone("DELETE FROM orders WHERE NOT (id > 5)"),
      undone("DELETE FROM orders WHERE amount > 500 AND customer = 2"),
      undone("DELETE FROM orders WHERE amount > 990 OR amount < 20"),
      undone("DELETE FROM orders WHERE id = 1 OR id = 2 OR note = 'order 3'"),
      undone("DELETE FROM orders WHERE (customer, amount) = (2, 10)"),
      undone("DELETE FROM orders WHERE (customer, amount) IN ((2, 10), (3, 20))"),
      undone("DELETE FROM orders WHERE note LIKE 'order 1%'"),
      undone("DELETE FROM orders WHERE note ILIKE '%99'"),
      undone("DELETE FROM orders WHERE note ~ '^order 4[0-9]$'"),
      undone("DELETE FROM orders WHERE note SIMILAR TO 'order (7|8)'"),
      undone("DELETE FROM orders WHERE note IS NULL"),
      undone("DELETE FROM orders WHERE note IS NOT NULL AND amount = 10"),
      undone("DELETE FROM orders WHERE note IS DISTINCT FROM 'order 1' AND id < 5"),
      undone("DELETE FROM orders WHERE coalesce(note, '') = ''"),
      undone("DELETE FROM orders WHERE length(note) > 8"),
      undone("DELETE FROM orders WHERE lower(note) = lower('ORDER 5')"),
      undone("DELETE FROM orders WHERE id % 10 = 0"),
      undone("DELETE FROM orders WHERE amount <> id * 10"),
      undone("DELETE FROM orders WHERE amount < customer"),
      undone("DELETE FROM orders WHERE customer IN (SELECT id FROM customers WHERE name LIKE 'Ada%')"),
      undone("DELETE FROM orders WHERE customer NOT IN (SELECT id FROM customers)"),
      undone("DELETE FROM orders WHERE NOT EXISTS (SELECT 1 FROM customers WHERE customers.id = orders.customer)"),
      undone(
        "DELETE FROM orders o WHERE EXISTS (SELECT 1 FROM customers c WHERE c.id = o.customer AND c.name = 'Alan Turing')",
      ),
      undone("DELETE FROM orders WHERE amount > (SELECT avg(amount) FROM orders)"),
      undone("DELETE FROM orders WHERE id = (SELECT max(id) FROM orders)"),
      undone("DELETE FROM orders WHERE id IN (SELECT id FROM orders WHERE note LIKE 'order 2%' ORDER BY id LIMIT 3)"),
      undone("DELETE FROM orders WHERE id IN (SELECT id FROM orders WHERE customer = 1 FOR UPDATE SKIP LOCKED)"),
      undone("DELETE FROM orders WHERE ctid IN (SELECT ctid FROM orders WHERE amount < 50 LIMIT 2)"),
      undone("DELETE FROM orders WHERE id IN (SELECT min(id) FROM orders GROUP BY customer)"),
      undone(
        "DELETE FROM orders a USING orders b WHERE a.id > b.id AND a.customer = b.customer AND a.amount = b.amount",
      ),
      undone("DELETE FROM orders o USING customers c WHERE c.id = o.customer AND c.email = 'ada@example.com'"),
      undone(
        "DELETE FROM orders USING customers WHERE customers.id = orders.customer AND customers.name = 'Grace Hopper'",
      ),
      undone(
        "WITH old AS (SELECT id FROM orders WHERE amount < 100) DELETE FROM orders USING old WHERE orders.id = old.id",
      ),
      undone("WITH gone AS (DELETE FROM orders WHERE id = 9 RETURNING id, note) SELECT * FROM gone"),
      undone(
        "WITH moved AS (DELETE FROM orders WHERE id < 4 RETURNING *) INSERT INTO orders SELECT id + 1000, customer, amount, note FROM moved",
      ),
      undone("DELETE FROM products WHERE added < timestamptz '2024-01-05 00:00:00+00'"),
      undone("DELETE FROM products WHERE added < now() - interval '100 years'"),
      undone("DELETE FROM products WHERE info ->> 'colour' = 'red' AND price < 10"),
      undone("DELETE FROM products WHERE info @> '{\"weight\": 5}'"),
      undone("DELETE FROM products WHERE tags @> ARRAY['even'] AND id > 30"),
      undone("DELETE FROM products WHERE 'odd' = ANY (tags) AND id < 5"),
      undone("DELETE FROM products WHERE words @@ to_tsquery('simple', '7')"),
      undone("DELETE FROM products WHERE int4range(3, 6) @> id"),
      undone("DELETE FROM ONLY orders WHERE id = 3"),
      undone("DELETE FROM public.orders AS o WHERE o.id = 3"),
      undone("DELETE FROM orders WHERE CASE WHEN customer = 1 THEN amount < 100 ELSE amount < 50 END"),
      undone("DELETE FROM orders WHERE (amount > 100) IS TRUE AND (customer = 3) IS NOT FALSE"),
      undone("UPDATE orders SET note = 'x' WHERE id = 1"),
      undone("UPDATE orders SET amount = amount + 1, note = note || '!' WHERE id = 2 RETURNING id, amount, note"),
      undone("UPDATE orders SET (amount, note) = (1, 'x') WHERE id = 3"),
      undone(
        "UPDATE orders SET (amount, note) = (SELECT c.id, c.name FROM customers c WHERE c.id = orders.customer) WHERE id < 5",
      ),
      undone("UPDATE orders SET note = DEFAULT WHERE id = 4"),
      undone("UPDATE orders o SET note = c.name FROM customers c WHERE c.id = o.customer AND o.id < 10"),
      undone("UPDATE orders SET note = c.name FROM customers c WHERE c.id = orders.customer"),
      undone("UPDATE orders SET note = v.note FROM (VALUES (1, 'a'), (2, 'b')) AS v(id, note) WHERE v.id = orders.id"),
      undone(
        "UPDATE orders o SET amount = s.total FROM (SELECT customer, sum(amount) AS total FROM orders GROUP BY customer) s WHERE s.customer = o.customer AND o.id <= 3",
      ),
      undone("UPDATE orders SET amount = CASE id WHEN 1 THEN 5 WHEN 2 THEN 6 END WHERE id IN (1, 2)"),
      undone("UPDATE products SET info = jsonb_set(info, '{colour}', '\"grey\"') WHERE id = 1"),
      undone("UPDATE products SET tags = array_append(tags, 'new') WHERE NOT ('new' = ANY (tags)) AND id < 3"),
      undone("UPDATE products SET name = trim(name) WHERE name <> trim(name)"),
      undone(
        "UPDATE products SET price = round(price * 1.1, 2) WHERE price < 20 AND info ->> 'colour' IN ('red', 'blue')",
      ),
      undone("UPDATE employees SET salary = salary + 10 WHERE manager IS NULL"),
      undone("UPDATE employees SET salary = 1 WHERE salary IS NULL"),
      undone(
        "UPDATE employees e SET salary = m.salary - 1 FROM employees m WHERE m.id = e.manager AND e.salary > m.salary",
      ),
      undone(
        "WITH RECURSIVE tree AS (SELECT id FROM employees WHERE id = 2 UNION ALL SELECT e.id FROM employees e JOIN tree t ON e.manager = t.id) UPDATE employees SET salary = 0 WHERE id IN (SELECT id FROM tree)",
      ),
      undone(
        "UPDATE orders SET note = 'x' WHERE id = (SELECT id FROM orders WHERE customer = 2 ORDER BY id FOR UPDATE SKIP LOCKED LIMIT 1) RETURNING id",
      ),
      undone("INSERT INTO orders VALUES (1000, 1, 5, 'one')"),
      undone("INSERT INTO orders (id, note) VALUES (1000, 'a'), (1001, 'b') RETURNING id"),
      undone("INSERT INTO orders SELECT 1000, 1, 1, 'x'"),
      undone("INSERT INTO orders (id, customer, amount) SELECT id + 1000, customer, amount FROM orders WHERE id < 5"),
      undone("INSERT INTO orders VALUES (1, 1, 1, 'x') ON CONFLICT DO NOTHING"),
      undone(
        "INSERT INTO orders VALUES (1, 1, 1, 'x') ON CONFLICT (id) DO UPDATE SET note = EXCLUDED.note, amount = orders.amount + 1",
      ),
      undone(
        "INSERT INTO orders AS o VALUES (1, 1, 1, 'x') ON CONFLICT (id) DO UPDATE SET note = EXCLUDED.note WHERE o.note IS DISTINCT FROM EXCLUDED.note RETURNING id",
      ),
      undone("INSERT INTO orders VALUES (1, 1, 1, 'x') ON CONFLICT ON CONSTRAINT orders_pkey DO UPDATE SET note = 'y'"),
      undone(
        "INSERT INTO orders SELECT n, 1, n, 'bulk' FROM generate_series(95, 105) n ON CONFLICT (id) DO UPDATE SET note = EXCLUDED.note",
      ),
      undone("INSERT INTO orders (id) VALUES (nextval('order_numbers') + 5000)"),
      undone(
        "MERGE INTO orders o USING (VALUES (1, 'a'), (1000, 'b')) AS s(id, note) ON o.id = s.id WHEN MATCHED THEN UPDATE SET note = s.note WHEN NOT MATCHED THEN INSERT (id, note) VALUES (s.id, s.note)",
      ),
      undone(
        "MERGE INTO orders o USING customers c ON o.customer = c.id AND c.name = 'Ada Lovelace' WHEN MATCHED AND o.amount > 900 THEN DELETE WHEN MATCHED THEN DO NOTHING",
      ),
      undone(
        "WITH new AS (INSERT INTO orders VALUES (1000, 1, 1, 'x') RETURNING id) UPDATE orders SET note = 'y' FROM new WHERE orders.id = new.id - 999",
      ),
      undone(
        "DECLARE c CURSOR FOR SELECT id FROM orders WHERE id = 5 FOR UPDATE; FETCH c; UPDATE orders SET note = 'x' WHERE CURRENT OF c; CLOSE c",
      ),
      undone(
        "DECLARE c CURSOR FOR SELECT id FROM orders FOR UPDATE; MOVE 3 IN c; FETCH c; DELETE FROM orders WHERE CURRENT OF c",
      ),
      undone("SELECT id FROM orders WHERE id < 3 ORDER BY id FOR UPDATE"),
      undone("SELECT id FROM orders WHERE id < 3 ORDER BY id FOR NO KEY UPDATE NOWAIT"),
      undone(
        "SELECT o.id FROM orders o JOIN customers c ON c.id = o.customer WHERE o.id < 3 ORDER BY 1 FOR SHARE OF o",
      ),
      statement("SELECT count(*), sum(amount) FROM orders"),
      withValues("DELETE FROM orders WHERE id = $1 + 5000", ["1"]),
      withValues("DELETE FROM orders WHERE id = ANY ($1::int[]) AND note = $2", ["{1,2}", "nobody"]),
      withValues("DELETE FROM orders WHERE note = $1 AND amount BETWEEN $2 AND $3", ["nobody", "1", "2"]),
      withValues("UPDATE orders SET note = $1 WHERE id = $2 RETURNING id, note", ["order 1", "1"]),
      withValues("UPDATE orders SET note = coalesce($1, note) WHERE id = $2", [null, "1"]),
      withValues("UPDATE orders SET amount = $1::int WHERE id = $2 AND amount = $3", ["10", "1", "10"]),
      withValues(
        "INSERT INTO orders (id, customer, amount, note) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO UPDATE SET note = $4",
        ["1", "2", "10", "order 1"],
      ),
      withValues("UPDATE products SET name = $1 WHERE lower(name) = lower($2)", ["product 1", "PRODUCT 1"]),
      withValues("DELETE FROM orders WHERE customer = $1 AND ($2::text IS NULL OR note = $2)", ["99", null]),
      {
        name: "COPY orders FROM STDIN",
        means: {
          kind: "spoken",
          told: "COPY orders FROM STDIN with two rows, in a transaction that is rolled back",
          say: [
            "BEGIN",
            Buffer.concat([
              client.query("COPY orders (id, customer, amount, note) FROM STDIN"),
              client.copyData("2000\t1\t1\ta\n2001\t1\t2\tb\n"),
              client.copyDone(),
            ]),
            "SELECT count(*) FROM orders",
            "ROLLBACK",
          ],
        },
      },
    ],
  },
];
