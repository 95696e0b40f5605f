/** Values in error texts, in each field of one: bad casts, broken constraints, what functions say of their arguments. */
import { type Group, rows, undone } from "../attack.ts";

const casts: Group = {
  title: "Error texts: bad casts",
  attacks: rows([
    ...[
      "int",
      "numeric",
      "float8",
      "date",
      "timestamptz",
      "interval",
      "uuid",
      "inet",
      "macaddr",
      "json",
      "jsonpath",
    ].map((type) => [`text to ${type}`, `SELECT ssn::${type} FROM customers`] as const),
    ...["boolean", "point", "money", "int4range", "regclass", "regtype", "regproc", "tid", "pg_lsn", "oid"].map(
      (type) => [`text to ${type}`, `SELECT ssn::${type} FROM customers`] as const,
    ),
    ["text to a too small number", "SELECT card::int FROM customers"],
    ["text to an enum", "SELECT ssn::metal FROM customers"],
    ["text to a composite", "SELECT ssn::pass FROM customers"],
    ["text to an array", "SELECT ('{' || ssn)::int[] FROM customers"],
    ["text to json, with its context", "SELECT ('{\"s\": ' || card)::json FROM customers"],
    ["text to xml", "SELECT ('<' || ssn)::xml FROM customers"],
    ["text to tsquery", "SELECT (ssn || ' x &')::tsquery FROM customers"],
    ["text to a snapshot", "SELECT ssn::pg_snapshot FROM customers"],
    ["a cast in a condition", "SELECT id FROM customers WHERE ssn::int = 1"],
    ["a cast in an order", "SELECT id FROM customers ORDER BY ssn::int"],
    ["a cast in a join", "SELECT c.id FROM customers c JOIN orders o ON o.id = c.ssn::int"],
    ["a cast in a grouping", "SELECT count(*) FROM customers GROUP BY ssn::int"],
    ["a cast in LIMIT", "SELECT id FROM customers LIMIT (SELECT ssn::int FROM customers LIMIT 1)"],
    ["a cast in EXISTS", "SELECT 1 WHERE EXISTS (SELECT FROM customers WHERE ssn::date IS NULL)"],
    ["a cast in an aggregate's filter", "SELECT count(*) FILTER (WHERE ssn::int > 0) FROM customers"],
    ["a cast in CASE", "SELECT CASE WHEN ssn::int > 0 THEN 1 END FROM customers"],
    ["a cast of a view's column", "SELECT x::int FROM app.plain"],
    ["a cast that assigns", "UPDATE orders SET amount = c.card::int FROM customers c WHERE c.id = orders.id"],
    ["a cast of what is inserted", "INSERT INTO orders SELECT 900 + id, card::int, 1, '' FROM customers"],
    ["a cast of what is deleted", "DELETE FROM customers WHERE ssn::int = 1"],
    ["a cast in COPY", "COPY (SELECT ssn::int FROM customers) TO STDOUT"],
    ["a cast under EXPLAIN ANALYZE", "EXPLAIN ANALYZE SELECT ssn::int FROM customers"],
    ["a cast in a cursor", undone("DECLARE c CURSOR FOR SELECT ssn::int FROM customers; FETCH c")],
    ["a cast in an index", undone("CREATE INDEX ON customers ((ssn::int))")],
    ["a cast in a generated column", undone("ALTER TABLE customers ADD x int GENERATED ALWAYS AS (ssn::int) STORED")],
    ["a cast in a materialised view", undone("CREATE MATERIALIZED VIEW m AS SELECT ssn::int AS x FROM customers")],
    ["a cast in a check", undone("ALTER TABLE customers ADD CHECK (ssn::int > 0)")],
  ]),
};

const functions: Group = {
  title: "Error texts: what functions say of their arguments",
  attacks: rows([
    ["a setting's name", "SELECT current_setting(ssn) FROM customers"],
    ["a setting's value", "SELECT set_config('work_mem', ssn, true) FROM customers"],
    ["an encoding", "SELECT encode('x', ssn) FROM customers"],
    ["a character set", "SELECT convert_to('x', ssn) FROM customers"],
    ["a unit of time", "SELECT date_trunc(ssn, now()) FROM customers"],
    ["a field of a time", "SELECT date_part(ssn, now()) FROM customers"],
    ["a time zone", "SELECT now() AT TIME ZONE ssn FROM customers"],
    ["a size", "SELECT pg_size_bytes(ssn) FROM customers"],
    ["a table's name", "SELECT has_table_privilege(ssn, 'select') FROM customers"],
    ["a privilege", "SELECT has_table_privilege('customers', ssn) FROM customers"],
    ["a role's name", "SELECT pg_has_role(ssn, 'usage') FROM customers"],
    ["a sequence's name", "SELECT nextval(ssn) FROM customers"],
    ["a column's name", "SELECT pg_get_serial_sequence('customers', ssn) FROM customers"],
    ["a date's format", "SELECT to_date(ssn, 'YYYY-MM-DD') FROM customers"],
    ["a date that is none", "SELECT make_date(n, 1, 1) FROM vault"],
    ["a time that is none", "SELECT make_time(n, 0, 0) FROM vault"],
    ["an index out of range", "SELECT set_byte('x', n, 1) FROM vault"],
    ["a byte out of range", "SELECT get_byte(blob, n) FROM vault"],
    ["a large object's number", "SELECT lo_get(n::oid) FROM vault"],
    ["a sequence's bound", undone("CREATE SEQUENCE q MAXVALUE 10; SELECT setval('q', big) FROM vault")],
    ["a transaction in the future", "SELECT txid_status(n) FROM vault"],
    ["a path into jsonb", "SELECT jsonb_set('[1]', ARRAY[ssn], '1') FROM customers"],
    ["a value that json refuses", "SELECT jsonb_path_query(to_jsonb(ssn), '$.datetime()') FROM customers"],
    ["a text search configuration", "SELECT to_tsvector(ssn::regconfig, 'x') FROM customers"],
    ["a query in text", "SELECT query_to_xml('SELECT ' || quote_ident(ssn), true, true, '') FROM customers"],
    ["a server that does not answer", "SELECT * FROM customers c, dblink('host=' || c.ssn, 'SELECT 1') AS t(x int)"],
    ["an algorithm", "SELECT digest('x', ssn) FROM customers"],
    ["a language", "SELECT has_language_privilege(ssn, 'usage') FROM customers"],
    ["a schema", "SELECT schema_to_xml(ssn, true, true, '') FROM customers"],
    ["a file", "SELECT pg_read_file(ssn) FROM customers"],
    ["a tablespace", "SELECT has_tablespace_privilege(ssn, 'create') FROM customers"],
    ["a cursor's name", "SELECT cursor_to_xml(ssn::refcursor, 1, true, true, '') FROM customers"],
    ["a type's name", "SELECT to_regtype(ssn), ssn::regtype FROM customers"],
    ["a collation's name", "SELECT ssn::regcollation FROM customers"],
    ["a transaction's number", "SELECT ssn::xid8 FROM customers"],
    ["a slot's name", "SELECT pg_drop_replication_slot(ssn) FROM customers"],
    ["an interval's part", "SELECT extract(epoch FROM ssn::interval) FROM customers"],
    ["a statement with the value, made before", "SELECT app.wrong()"],
    ["an exception's detail, made before", "SELECT app.fail()"],
  ]),
};

const constraints: Group = {
  title: "Error texts: constraints and rows that break them",
  attacks: [
    ...rows([
      ["NOT NULL, the whole row", undone("UPDATE customers SET id = NULL WHERE id = 1")],
      ["NOT NULL, an insert", undone("INSERT INTO customers SELECT NULL, name, email, card, ssn FROM customers")],
      [
        "NOT NULL by MERGE",
        undone("MERGE INTO customers c USING orders o ON o.id = c.id WHEN MATCHED THEN UPDATE SET id = NULL"),
      ],
      [
        "a unique index",
        undone(
          "INSERT INTO customers SELECT id + 50, name, email, card, ssn FROM customers; CREATE UNIQUE INDEX ON customers (ssn)",
        ),
      ],
      [
        "a unique index on an expression",
        undone(
          "INSERT INTO customers SELECT id + 50, name, email, card, ssn FROM customers; CREATE UNIQUE INDEX ON customers (lower(card))",
        ),
      ],
      [
        "a primary key",
        undone(
          "ALTER TABLE customers DROP CONSTRAINT customers_pkey; INSERT INTO customers SELECT id + 50, '', '', card, ssn FROM customers; ALTER TABLE customers ADD PRIMARY KEY (ssn)",
        ),
      ],
      [
        "an exclusion",
        undone(
          "INSERT INTO customers SELECT id + 50, '', '', card, ssn FROM customers; ALTER TABLE customers ADD EXCLUDE USING hash (ssn WITH =)",
        ),
      ],
      [
        "a check of a copy",
        undone("CREATE TABLE t (id int, x text CHECK (x = '')); INSERT INTO t SELECT id, ssn FROM customers"),
      ],
      [
        "a view's check option",
        undone(
          "CREATE VIEW v AS SELECT * FROM customers WHERE id < 10 WITH CHECK OPTION; UPDATE v SET id = 99 WHERE id = 1",
        ),
      ],
      [
        "no partition for it",
        undone("CREATE TABLE p (x text) PARTITION BY LIST (x); INSERT INTO p SELECT ssn FROM customers"),
      ],
      ["no partition for a changed one", undone("UPDATE tickets SET code = code || '!'")],
      [
        "a foreign key of a copy",
        undone(
          "CREATE TABLE k (x text PRIMARY KEY); CREATE TABLE f (x text REFERENCES k); INSERT INTO f SELECT ssn FROM customers",
        ),
      ],
      [
        "a foreign key that is added",
        undone("CREATE TABLE k (x text PRIMARY KEY); ALTER TABLE customers ADD FOREIGN KEY (ssn) REFERENCES k"),
      ],
      [
        "a unique key of a copy",
        undone(
          "CREATE TABLE k (x text PRIMARY KEY); INSERT INTO k SELECT ssn FROM customers; INSERT INTO k SELECT ssn FROM customers",
        ),
      ],
      [
        "a domain's check",
        undone("CREATE DOMAIN d AS int; ALTER TABLE customers ADD x d; UPDATE customers SET x = ssn::d"),
      ],
      ["a value that is too long", undone("CREATE TABLE t (x pass); INSERT INTO t SELECT ssn::pass FROM customers")],
    ]),
    ...rows(
      [
        ["a check that was there before", "UPDATE customers SET id = -1 WHERE id = 1"],
        [
          "a check, by INSERT … SELECT of clean columns",
          "INSERT INTO customers (id, name, card) SELECT -1, 'x', card FROM customers",
        ],
      ],
      { before: "ALTER TABLE customers ADD CHECK (id > 0)" },
    ),
    ...rows(
      [
        [
          "a unique key that was there before",
          "INSERT INTO customers SELECT id + 50, name, email, card, ssn FROM customers",
        ],
        ["a foreign key from elsewhere", "DELETE FROM customers WHERE id = 1"],
        ["a foreign key from elsewhere, by an update", "UPDATE customers SET ssn = '' WHERE id = 1"],
      ],
      {
        before: `ALTER TABLE customers ADD UNIQUE (ssn); CREATE TABLE badges (ssn text REFERENCES customers (ssn));
          INSERT INTO badges SELECT ssn FROM customers`,
      },
    ),
    ...rows(
      [
        [
          "a deferred key, at COMMIT",
          "BEGIN; UPDATE customers SET ssn = (SELECT ssn FROM customers WHERE id = 2); COMMIT",
        ],
      ],
      {
        before: "ALTER TABLE customers ADD UNIQUE (ssn) DEFERRABLE INITIALLY DEFERRED",
      },
    ),
    ...rows(
      [
        ["a trigger's exception", "UPDATE customers SET name = 'x' WHERE id = 1"],
        ["a trigger's exception in a pipeline", "SELECT 1; UPDATE customers SET name = 'x' WHERE id = 1"],
      ],
      {
        before: `CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS
          $$ BEGIN RAISE EXCEPTION 'not %', OLD USING HINT = OLD.card; END $$;
          CREATE TRIGGER stop BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION stop()`,
      },
    ),
    ...rows([["a trigger's exception that names objects", "UPDATE customers SET name = 'x' WHERE id = 1"]], {
      before: `CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'no' USING COLUMN = OLD.ssn, TABLE = OLD.card, CONSTRAINT = OLD.ssn; END $$;
        CREATE TRIGGER stop BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION stop()`,
    }),
    ...rows([["a view's condition that tells", "SELECT id FROM app.looked"]], {
      before: `CREATE FUNCTION look(text) RETURNS boolean LANGUAGE plpgsql AS
        $$ BEGIN RAISE NOTICE 'seen %', $1; RETURN true; END $$;
        CREATE VIEW app.looked AS SELECT id FROM customers WHERE look(ssn)`,
    }),
  ],
};

export const ERRORS: readonly Group[] = [casts, functions, constraints];
