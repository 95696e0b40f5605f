\set ON_ERROR_STOP 0
\pset pager off
\d people
\d+ orders
\dt
\dv
\df
\dT+
\di
\du
\dn
\ds
\dp people
\l corpus
\sf add_one
\sv grown
\x on
SELECT * FROM people WHERE id = 3;
\x off
SELECT id, name FROM people WHERE id < 4 ORDER BY id \g
SELECT count(*) AS n, min(name) AS name FROM people \gset
\echo :n :name
SELECT :n + 1 AS next, :'name' AS quoted, :"name" FROM people LIMIT 1;
SELECT 'SELECT ' || n || ' AS generated' FROM generate_series(1, 3) AS n \gexec
SELECT id, name, born FROM people \gdesc
SELECT id % 3 AS a, feels, count(*) FROM people GROUP BY 1, 2 ORDER BY 1, 2 \crosstabview
SELECT 1 AS one \; SELECT 2 AS two \; SELECT 3 AS three;
SELECT 1 / 0;
\errverbose
SELECT missing FROM people;
\set VERBOSITY verbose
INSERT INTO people VALUES (1, 'twice');
\set VERBOSITY sqlstate
SELECT 'abc'::int;
\set VERBOSITY default
\set SHOW_CONTEXT always
SELECT deep(2);
SELECT shout('notice');
BEGIN;
CREATE TABLE by_psql (id serial PRIMARY KEY, v text, at date DEFAULT '2024-01-01');
\copy by_psql (id, v) FROM PSTDIN
\copy by_psql TO STDOUT
\copy (SELECT * FROM by_psql ORDER BY id) TO STDOUT CSV HEADER
COPY by_psql TO STDOUT (FORMAT csv, FORCE_QUOTE *);
\d by_psql
SAVEPOINT a;
INSERT INTO by_psql VALUES (1, 'clash');
ROLLBACK TO a;
UPDATE by_psql SET v = upper(v) RETURNING *;
COMMIT;
\set ON_ERROR_ROLLBACK on
BEGIN;
SELECT broken;
SELECT 'goes on' AS after_an_error;
INSERT INTO by_psql (id, v) VALUES (100, 'kept');
COMMIT;
\set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT off
DELETE FROM by_psql;
ROLLBACK;
\set AUTOCOMMIT on
SELECT count(*) FROM by_psql;
\set FETCH_COUNT 7
SELECT id, label FROM tree ORDER BY id;
SELECT 1 / (5 - id) FROM tree ORDER BY id;
\unset FETCH_COUNT
PREPARE q (int) AS SELECT $1 * 2 AS twice;
EXECUTE q (21);
DEALLOCATE q;
LISTEN channel;
NOTIFY channel, 'heard';
SELECT 'after it' AS notified;
\timing off
\pset format csv
SELECT * FROM docs ORDER BY id LIMIT 2;
\pset format html
SELECT 1 AS a, '<b>' AS b;
\pset format unaligned
\pset null '(null)'
SELECT NULL, true, ARRAY[1, 2], '{"a": 1}'::jsonb, 1.50::numeric, '\x00ff'::bytea;
\encoding
\encoding UTF8
SET client_min_messages = debug1;
SELECT 1;
RESET ALL;
\if :{?n}
  \echo n is set
\else
  \echo n is not set
\endif
SELECT repeat('x', 3000000) AS long \g /dev/null
VACUUM by_psql;
CALL gives(4, NULL);
DO $$ BEGIN RAISE WARNING 'from DO'; END $$;
EXPLAIN (COSTS OFF) SELECT * FROM people WHERE id = 1;
DROP TABLE by_psql;
\q
