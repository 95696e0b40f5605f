/** What dashboards, applications and analysts read of the two tables that a policy allows. Harmless. Data only. */
import { type HarmlessGroup, statement } from "../attack.ts";

export const REPORTS: readonly HarmlessGroup[] = [
  {
    title: "Reads of the two tables",
    policy: "only-select",
    statements: [
      statement("SELECT id, note FROM orders WHERE id = 1"),
      statement("SELECT * FROM orders ORDER BY id LIMIT 5"),
      statement("SELECT o.* FROM public.orders AS o WHERE o.amount BETWEEN 100 AND 150 ORDER BY o.id"),
      statement("TABLE products ORDER BY id LIMIT 3"),
      statement("SELECT count(*) FROM orders"),
      statement("SELECT count(DISTINCT customer), min(amount), max(amount), avg(amount) FROM orders"),
      statement(
        "SELECT customer, sum(amount) AS total FROM orders GROUP BY customer HAVING sum(amount) > 1000 ORDER BY total DESC",
      ),
      statement(
        "SELECT customer, amount, sum(amount) FROM orders GROUP BY GROUPING SETS ((customer), (customer, amount), ()) ORDER BY 1, 2 LIMIT 10",
      ),
      statement("SELECT customer, grouping(customer), count(*) FROM orders GROUP BY ROLLUP (customer) ORDER BY 1"),
      statement("SELECT customer, amount % 3, count(*) FROM orders GROUP BY CUBE (1, 2) ORDER BY 1, 2"),
      statement("SELECT o.id, p.name FROM orders o JOIN products p ON p.id = o.id ORDER BY o.id LIMIT 5"),
      statement(
        "SELECT o.id, p.name FROM orders o LEFT JOIN products p USING (id) WHERE p.id IS NULL ORDER BY 1 LIMIT 5",
      ),
      statement("SELECT o.id FROM orders o FULL JOIN products p ON o.id = p.id + 90 ORDER BY 1 NULLS LAST LIMIT 3"),
      statement(
        "SELECT p.id, l.note FROM products p CROSS JOIN LATERAL (SELECT note FROM orders o WHERE o.customer = p.id ORDER BY amount DESC LIMIT 1) l ORDER BY 1",
      ),
      statement(
        "SELECT id FROM orders WHERE customer IN (SELECT id FROM products WHERE price < 3) ORDER BY id LIMIT 5",
      ),
      statement("SELECT id FROM products p WHERE EXISTS (SELECT 1 FROM orders o WHERE o.customer = p.id)"),
      statement(
        "SELECT id FROM products WHERE NOT EXISTS (SELECT 1 FROM orders WHERE orders.id = products.id) ORDER BY 1",
      ),
      statement("SELECT id FROM orders WHERE amount > (SELECT avg(amount) FROM orders) ORDER BY id LIMIT 3"),
      statement("SELECT id FROM orders WHERE amount >= ALL (SELECT amount FROM orders)"),
      statement(
        "SELECT id, row_number() OVER (PARTITION BY customer ORDER BY amount DESC) AS place FROM orders ORDER BY 1 LIMIT 5",
      ),
      statement(
        "SELECT id, rank() OVER w, dense_rank() OVER w, percent_rank() OVER w, cume_dist() OVER w, ntile(4) OVER w FROM orders WINDOW w AS (ORDER BY customer) ORDER BY id LIMIT 5",
      ),
      statement(
        "SELECT id, lag(amount, 1, 0) OVER (ORDER BY id), lead(amount) OVER (ORDER BY id) FROM orders ORDER BY id LIMIT 5",
      ),
      statement(
        "SELECT id, sum(amount) OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) FROM orders ORDER BY id LIMIT 5",
      ),
      statement(
        "SELECT id, avg(amount) OVER (ORDER BY id RANGE BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW) FROM orders ORDER BY id LIMIT 5",
      ),
      statement(
        "SELECT first_value(note) OVER w, last_value(note) OVER w, nth_value(note, 2) OVER w FROM orders WINDOW w AS (ORDER BY id GROUPS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) LIMIT 1",
      ),
      statement("WITH big AS (SELECT id, amount FROM orders WHERE amount > 900) SELECT count(*), sum(amount) FROM big"),
      statement(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i, note FROM n JOIN orders ON orders.id = i ORDER BY i",
      ),
      statement("WITH orders AS (SELECT id FROM products) SELECT count(*) FROM orders"),
      statement(
        "WITH a AS MATERIALIZED (SELECT 1 AS x), b AS NOT MATERIALIZED (SELECT x + 1 AS y FROM a) SELECT x, y FROM a, b",
      ),
      statement("SELECT id FROM orders WHERE id < 4 UNION SELECT id FROM products WHERE id < 6 ORDER BY id"),
      statement("SELECT id FROM orders INTERSECT SELECT id FROM products EXCEPT ALL SELECT 1 ORDER BY 1 LIMIT 3"),
      statement("VALUES (1, 'a'), (2, 'b')"),
      statement("SELECT DISTINCT customer FROM orders ORDER BY customer"),
      statement("SELECT DISTINCT ON (customer) customer, id, amount FROM orders ORDER BY customer, amount DESC"),
      statement("SELECT id FROM orders ORDER BY amount DESC, id OFFSET 10 FETCH FIRST 3 ROWS ONLY"),
      statement("SELECT customer FROM orders ORDER BY customer FETCH FIRST 1 ROWS WITH TIES"),
      statement(
        "SELECT CASE WHEN amount < 100 THEN 'small' WHEN amount < 500 THEN 'middle' ELSE 'large' END AS size, count(*) FROM orders GROUP BY 1 ORDER BY 1",
      ),
      statement(
        "SELECT coalesce(note, '-'), nullif(note, 'order 1'), greatest(amount, 50), least(amount, 50) FROM orders WHERE id < 4 ORDER BY id",
      ),
      statement(
        "SELECT upper(note), lower(note), initcap(note), length(note), substring(note FROM 1 FOR 3), right(note, 2) FROM orders WHERE id = 7",
      ),
      statement(
        "SELECT replace(note, 'order', 'x'), translate(note, 'o', '0'), split_part(note, ' ', 2), lpad(note, 12, '*'), trim(BOTH 'o' FROM note) FROM orders WHERE id = 7",
      ),
      statement(
        "SELECT regexp_replace(note, '[0-9]+', 'N'), regexp_matches(note, '(\\d+)'), note ~ '^order', note SIMILAR TO 'order %' FROM orders WHERE id = 12",
      ),
      statement(
        "SELECT string_agg(note, ', ' ORDER BY id) FILTER (WHERE id < 4), array_agg(id ORDER BY id DESC) FILTER (WHERE id < 4) FROM orders",
      ),
      statement(
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY amount), mode() WITHIN GROUP (ORDER BY customer) FROM orders",
      ),
      statement(
        "SELECT stddev(amount), variance(amount), corr(amount, id), regr_slope(amount, id), bool_and(amount > 0), bit_or(customer) FROM orders",
      ),
      statement(
        "SELECT info ->> 'colour' AS colour, avg((info ->> 'weight')::int) FROM products GROUP BY 1 ORDER BY 1",
      ),
      statement('SELECT id FROM products WHERE info @> \'{"colour": "red"}\' ORDER BY id LIMIT 3'),
      statement("SELECT info #>> '{parts,0}', info ? 'weight', info -> 'parts' FROM products WHERE id = 3"),
      statement("SELECT jsonb_path_query(info, '$.parts[*] ? (@ > 3)') FROM products WHERE id = 3"),
      statement(
        "SELECT p.id, e.value FROM products p, jsonb_array_elements_text(p.info -> 'parts') e WHERE p.id < 3 ORDER BY 1, 2",
      ),
      statement(
        "SELECT jsonb_build_object('id', id, 'tags', tags), jsonb_agg(price) OVER (ORDER BY id) FROM products WHERE id < 4 ORDER BY id",
      ),
      statement("SELECT row_to_json(p) FROM (SELECT id, name FROM products WHERE id < 3 ORDER BY id) p"),
      statement("SELECT json_object_agg(id, name ORDER BY id), json_agg(price ORDER BY id) FROM products WHERE id < 4"),
      statement("SELECT key, value FROM products, jsonb_each(info) WHERE id = 2 ORDER BY key"),
      statement(
        "SELECT jsonb_pretty(jsonb_set(info, '{colour}', '\"grey\"')), info - 'parts', info || '{\"a\": 1}' FROM products WHERE id = 2",
      ),
      statement('SELECT * FROM jsonb_to_recordset(\'[{"a": 1, "b": "x"}]\') AS t(a int, b text)'),
      statement("SELECT unnest(tags) AS tag, count(*) FROM products GROUP BY 1 ORDER BY 1"),
      statement("SELECT id FROM products WHERE 'even' = ANY (tags) ORDER BY id LIMIT 3"),
      statement("SELECT id FROM products WHERE tags && ARRAY['odd'] AND array_length(tags, 1) = 2 ORDER BY id LIMIT 3"),
      statement(
        "SELECT tags[1], tags[1:1], array_to_string(tags, '+'), cardinality(tags), array_position(tags, 'even') FROM products WHERE id = 2",
      ),
      statement("SELECT t.tag, t.n FROM products, unnest(tags) WITH ORDINALITY AS t(tag, n) WHERE id = 2 ORDER BY n"),
      statement("SELECT id, name FROM products WHERE words @@ to_tsquery('simple', 'product & 7')"),
      statement(
        "SELECT id, ts_rank(words, q) FROM products, plainto_tsquery('simple', 'product 3') q WHERE words @@ q ORDER BY 2 DESC, 1 LIMIT 3",
      ),
      statement(
        "SELECT ts_headline('simple', name, websearch_to_tsquery('simple', 'product')) FROM products WHERE id = 5",
      ),
      statement(
        "SELECT date_trunc('month', added AT TIME ZONE 'UTC') AS month, count(*) FROM products GROUP BY 1 ORDER BY 1",
      ),
      statement(
        "SELECT extract(dow FROM added AT TIME ZONE 'UTC'), to_char(added AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'), age(timestamp '2024-03-01', added AT TIME ZONE 'UTC') FROM products WHERE id = 4",
      ),
      statement(
        "SELECT d::date, count(p.id) FROM generate_series(timestamp '2024-01-01', timestamp '2024-01-07', interval '1 day') d LEFT JOIN products p ON (p.added AT TIME ZONE 'UTC')::date = d::date GROUP BY 1 ORDER BY 1",
      ),
      statement(
        "SELECT date_bin('15 minutes', timestamp '2024-01-01 10:07', timestamp '2024-01-01'), make_date(2024, 2, 29), justify_hours(interval '30 hours')",
      ),
      statement(
        "SELECT (timestamp '2024-01-01', timestamp '2024-02-01') OVERLAPS (timestamp '2024-01-15', interval '1 day'), isfinite(date 'infinity')",
      ),
      statement(
        "SELECT round(price, 1), ceil(price), floor(price), trunc(price), mod(id, 3), power(id, 2), sqrt(id), sign(price), width_bucket(price, 0, 50, 5) FROM products WHERE id = 9",
      ),
      statement(
        "SELECT price::int, price::text, CAST(price AS double precision), id::bigint, '{1,2}'::int[], to_number('12,345', '99G999') FROM products WHERE id = 9",
      ),
      statement(
        "SELECT int4range(1, 5) @> 3, lower(int4range(1, 5)), range_merge(int4range(1, 2), int4range(4, 5)), numrange(1, 2) && numrange(2, 3), '{[1,3)}'::int4multirange",
      ),
      statement(
        "SELECT md5('x'), sha256('x'), encode('x', 'base64'), decode('eA==', 'base64'), to_hex(255), crc32 FROM (SELECT hashtext('x') AS crc32) s",
      ),
      statement(
        "SELECT inet '10.0.0.1' << inet '10.0.0.0/8', host(inet '10.0.0.1/8'), network(inet '10.0.0.1/8'), masklen(cidr '10.0.0.0/8')",
      ),
      statement("SELECT point(1, 2) <-> point(4, 6), area(box '(0,0),(2,2)'), circle '<(0,0),1>' @> point(0, 0)"),
      statement(
        "SELECT xmlelement(name p, xmlattributes(id AS n), name), xmlforest(id, name) FROM products WHERE id = 1",
      ),
      statement(
        "SELECT xpath('/a/b/text()', '<a><b>x</b></a>'), xmlserialize(content '<a/>' AS text), '<a/>' IS DOCUMENT",
      ),
      statement(
        "SELECT * FROM xmltable('/r/i' PASSING xml '<r><i k=\"1\">a</i></r>' COLUMNS k int PATH '@k', v text PATH '.')",
      ),
      statement("SELECT id FROM orders TABLESAMPLE system (100) REPEATABLE (1) ORDER BY id LIMIT 2"),
      statement("SELECT ctid IS NOT NULL, tableoid::regclass, xmin IS NOT NULL FROM orders WHERE id = 1"),
      statement("SELECT o FROM orders o WHERE id = 1"),
      statement("SELECT (o).note, o.* FROM orders o WHERE id = 1"),
      statement("SELECT ROW(id, note) = ROW(1, 'order 1'), (id, amount) > (1, 5) FROM orders WHERE id = 1"),
      statement("SELECT id FROM orders WHERE (customer, amount) IN ((2, 10), (3, 20)) ORDER BY id"),
      statement(
        "SELECT note COLLATE \"C\", U&'d\\0061t\\+000061', E'a\\tb', $q$it's$q$, B'101', X'1F', 1e3, .5, 5. FROM orders WHERE id = 1",
      ),
      statement("SELECT /* a comment */ id -- and another\n FROM /* nested /* one */ */ orders WHERE id = 1"),
      statement('SELECT "id" AS "An Id", note AS "select" FROM "public"."orders" WHERE "id" = 1'),
      statement(
        "SELECT current_date IS NOT NULL, current_timestamp IS NOT NULL, localtime IS NOT NULL, current_user, session_user, current_database() <> ''",
      ),
      statement(
        "SELECT now() > '2020-01-01', clock_timestamp() >= statement_timestamp(), pg_typeof(1), gen_random_uuid() IS NOT NULL",
      ),
      statement("SELECT now(), random(), pg_backend_pid()", "rows"),
      statement("SELECT g, g * 2 FROM generate_series(1, 3) AS g"),
      statement("SELECT * FROM ROWS FROM (generate_series(1, 2), unnest(ARRAY['a', 'b'])) AS t(n, s)"),
      statement("EXPLAIN (COSTS off) SELECT id FROM orders WHERE id = 1"),
      statement(
        "EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off, BUFFERS off) SELECT count(*) FROM orders WHERE id < 10",
      ),
      statement("EXPLAIN (FORMAT json, COSTS off) SELECT o.id FROM orders o JOIN products p ON p.id = o.id"),
      statement("SELECT"),
      statement(""),
      statement("-- nothing but a comment"),
      statement("SELECT 1; SELECT 2; SELECT id FROM orders WHERE id = 3"),
    ],
  },
];
