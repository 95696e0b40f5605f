/** Side channels: notices and notifications, activity, statistics and catalog, large objects, files and decoding. */
import { type Attack, type Group, query, rows, undone } from "../attack.ts";
import { kitRows } from "./kit.ts";

const notices: Group = {
  title: "Notices and notifications",
  attacks: [
    ...rows([
      ["pg_notify", "LISTEN mail; SELECT count(pg_notify('mail', ssn)) FROM customers"],
      ["pg_notify by a function made before", "LISTEN mail; SELECT app.mail()"],
      ["a notice of a function made before", "SELECT app.notice()"],
      ["NOTIFY in DO", "LISTEN mail; DO $$ BEGIN PERFORM pg_notify('mail', ssn) FROM customers; END $$"],
      ["RAISE NOTICE in DO", "DO $$ BEGIN RAISE NOTICE '%', (SELECT string_agg(ssn, ',') FROM customers); END $$"],
      [
        "RAISE INFO with a detail in DO",
        "DO $$ BEGIN RAISE INFO 'x' USING DETAIL = (SELECT max(card) FROM customers); END $$",
      ],
      ["RAISE EXCEPTION in DO", "DO $$ BEGIN RAISE EXCEPTION '%', (SELECT ssn FROM customers LIMIT 1); END $$"],
      ["ASSERT in DO", "DO $$ BEGIN ASSERT false, (SELECT ssn FROM customers LIMIT 1); END $$"],
      ["a warning of pg_terminate_backend", "SELECT pg_terminate_backend(n) FROM vault"],
      ["a warning of pg_cancel_backend", "SELECT count(*) FROM vault WHERE pg_cancel_backend(n)"],
      [
        "text search that ignores words",
        "SELECT to_tsquery('english', 'the'), plainto_tsquery('simple', ssn) FROM customers",
      ],
    ]),
    {
      name: "a notification to another connection",
      shown: "LISTEN mail on one connection, SELECT pg_notify('mail', ssn) FROM customers on another",
      steps: [
        query("LISTEN mail"),
        query("SELECT count(pg_notify('mail', ssn)) FROM customers", "other"),
        query("SELECT 1"),
      ],
    },
    ...rows([["a trigger's notification", "LISTEN changes; UPDATE customers SET name = name WHERE id = 1"]], {
      before: `CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_notify('changes', row_to_json(NEW)::text); RETURN NEW; END $$;
        CREATE TRIGGER tell AFTER UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION tell()`,
    }),
    ...rows([["a notification of changed keys", "LISTEN tcn; UPDATE tickets SET id = id"]], {
      before: `CREATE EXTENSION tcn; CREATE TRIGGER tell AFTER UPDATE ON tickets FOR EACH ROW
        EXECUTE FUNCTION triggered_change_notification()`,
    }),
    ...rows([["a trigger's notice", "UPDATE customers SET name = name WHERE id = 1"]], {
      before: `CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE NOTICE 'was %', OLD; RETURN NEW; END $$;
        CREATE TRIGGER tell BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION tell()`,
    }),
    ...rows([["a trigger's notice in crumbs", "UPDATE customers SET name = name WHERE id = 1"]], {
      before: `CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS
        $$ DECLARE c text; BEGIN FOREACH c IN ARRAY string_to_array(OLD.ssn, NULL) LOOP RAISE NOTICE '%', c; END LOOP; RETURN NEW; END $$;
        CREATE TRIGGER tell BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION tell()`,
    }),
  ],
};

/** Somebody else's statement with a value in it. */
const SAID = "SELECT count(*) FROM customers WHERE ssn = '@ssn@'";

const activity: Group = {
  title: "Activity of others",
  attacks: [
    ...rows(
      [
        [
          "pg_stat_activity",
          "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
        ],
        [
          "pg_stat_activity with its schema",
          "SELECT a.query FROM pg_catalog.pg_stat_activity a WHERE datname = '@database@'",
        ],
        ["pg_stat_activity, its star", "SELECT * FROM pg_stat_activity"],
        [
          "pg_stat_activity's row",
          "SELECT to_jsonb(a) ->> 'query' FROM pg_stat_activity a WHERE datname = '@database@'",
        ],
        ["pg_stat_get_activity", "SELECT query FROM pg_stat_get_activity(NULL)"],
        [
          "pg_stat_get_backend_activity",
          "SELECT pg_stat_get_backend_activity(id) FROM pg_stat_get_backend_idset() AS id",
        ],
        [
          "a view over pg_stat_activity",
          undone("CREATE TEMP VIEW v AS SELECT query AS q FROM pg_stat_activity; SELECT q FROM v"),
        ],
        ["COPY of pg_stat_activity", "COPY (SELECT query FROM pg_stat_activity) TO STDOUT"],
        ["table_to_xml of pg_stat_activity", "SELECT table_to_xml('pg_stat_activity', true, true, '')"],
      ],
      { neighbour: SAID, restless: true },
    ),
    ...rows(
      [
        ["pg_stat_statements", "SELECT query FROM pg_stat_statements"],
        ["pg_stat_statements, the function", "SELECT query FROM pg_stat_statements(true)"],
      ],
      { neighbour: "DO $$ BEGIN PERFORM '@ssn@'; END $$", restless: true },
    ),
    ...rows([["an application's name", "SELECT application_name FROM pg_stat_activity WHERE datname = '@database@'"]], {
      neighbour: "SELECT set_config('application_name', ssn, false) FROM customers WHERE id = 1",
      restless: true,
    }),
  ],
};

const statistics: Group = {
  title: "Statistics and catalog",
  attacks: [
    ...kitRows("statistics"),
    ...rows(
      [
        [
          "pg_stats",
          "SELECT histogram_bounds, most_common_vals FROM pg_stats WHERE tablename IN ('customers', 'vault')",
        ],
        ["pg_stats, its star", "SELECT * FROM pg_stats WHERE schemaname = 'public'"],
        [
          "pg_stats with its schema",
          "SELECT s.histogram_bounds::text FROM pg_catalog.pg_stats s WHERE tablename = 'customers'",
        ],
        ["pg_stats as json", "SELECT to_json(s) FROM pg_stats s WHERE tablename = 'customers'"],
        [
          "pg_stats in a sub-query",
          "SELECT x FROM (SELECT histogram_bounds::text AS x, tablename AS t FROM pg_stats) s WHERE t = 'vault'",
        ],
        ["pg_stats of a materialised view", "SELECT histogram_bounds FROM pg_stats WHERE tablename = 'kept'"],
        ["pg_stats of an index", "SELECT histogram_bounds FROM pg_stats WHERE tablename = 'customers_upper_idx'"],
        ["pg_statistic", "SELECT stavalues1, stavalues2 FROM pg_statistic WHERE starelid = 'customers'::regclass"],
        ["pg_statistic, its star", "SELECT * FROM pg_statistic"],
        ["pg_statistic as a row", "SELECT s::text FROM pg_statistic s WHERE starelid = 'vault'::regclass"],
        ["COPY of pg_statistic", "COPY pg_statistic (starelid, stavalues1) TO STDOUT"],
        [
          "a copy of pg_stats",
          undone("CREATE TEMP TABLE t AS SELECT histogram_bounds::text AS x FROM pg_stats; SELECT x FROM t"),
        ],
        ["pg_stats_ext", "SELECT most_common_vals FROM pg_stats_ext"],
        [
          "pg_statistic_ext_data",
          "SELECT pg_mcv_list_items(stxdmcv) FROM pg_statistic_ext_data WHERE stxdmcv IS NOT NULL",
        ],
        ["pg_stats_ext_exprs", "SELECT histogram_bounds FROM pg_stats_ext_exprs"],
        ["query_to_xml of pg_stats", "SELECT query_to_xml('SELECT histogram_bounds FROM pg_stats', true, true, '')"],
      ],
      {
        before: `CREATE INDEX ON customers (upper(ssn)); CREATE STATISTICS both_mcv (mcv) ON ssn, card FROM customers;
          CREATE STATISTICS of_expression ON (lower(ssn)) FROM customers; ANALYZE`,
      },
    ),
    ...rows([["a value's parts in TOAST", "SELECT chunk_data FROM @toast@"]], {
      before: "ALTER TABLE customers ALTER card SET STORAGE external; UPDATE customers SET card = repeat(card, 500)",
    }),
    ...rows(
      [
        [
          "the value of rows from before a column",
          "SELECT attmissingval FROM pg_attribute WHERE attrelid = 'fast'::regclass",
        ],
        [
          "the default of a column",
          "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'fast'::regclass",
        ],
        [
          "the default in information_schema",
          "SELECT column_default FROM information_schema.columns WHERE table_name = 'fast'",
        ],
      ].map(([name = "", sql = ""]) => [name, sql.replaceAll("fast", "customers")] as const),
      {
        before: `ALTER TABLE customers RENAME ssn TO was; DO $$ BEGIN EXECUTE format('ALTER TABLE customers ADD ssn text DEFAULT %L',
          (SELECT was FROM customers WHERE id = 1)); END $$; ALTER TABLE customers DROP was CASCADE`,
      },
    ),
    ...rows([
      ["a partition's bounds", "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = 'tickets_one'"],
      ["a partition's constraint", "SELECT pg_get_partition_constraintdef('tickets_one'::regclass)"],
      [
        "psql's description of a partition",
        "SELECT inhrelid::regclass, pg_get_expr(c.relpartbound, inhrelid) FROM pg_class c JOIN pg_inherits i ON c.oid = inhrelid",
      ],
    ]),
  ],
};

const files: Group = {
  title: "Large objects, files, pages and logical decoding",
  attacks: [
    ...rows([
      ["a large object", undone("SELECT lo_get(lo_from_bytea(0, ssn::bytea)) FROM customers")],
      [
        "a large object of its own number",
        undone("SELECT count(lo_from_bytea(4711, ssn::bytea)) FROM customers WHERE id = 1; SELECT lo_get(4711)"),
      ],
      [
        "a large object's pages",
        undone(
          "SELECT count(lo_from_bytea(4711, ssn::bytea)) FROM customers WHERE id = 1; SELECT data FROM pg_largeobject",
        ),
      ],
      [
        "a large object, written by piece",
        undone(
          "SELECT lo_create(4712); SELECT lo_put(4712, 0, ssn::bytea) FROM customers WHERE id = 1; SELECT convert_from(lo_get(4712), 'UTF8')",
        ),
      ],
      [
        "a large object, opened",
        undone(
          "SELECT lo_create(4713); SELECT lowrite(lo_open(4713, 131072), card::bytea) FROM customers WHERE id = 1; SELECT loread(lo_open(4713, 262144), 100)",
        ),
      ],
      [
        "a large object's number",
        undone("SELECT count(lo_create(n::oid)) FROM vault; SELECT oid FROM pg_largeobject_metadata"),
      ],
      ["a page of the table", "SELECT get_raw_page('customers', 0)"],
      ["the rows of a page", "SELECT t_data FROM heap_page_items(get_raw_page('customers', 0))"],
      [
        "the fields of a page's rows",
        "SELECT tuple_data_split('customers'::regclass, t_data, t_infomask, t_infomask2, t_bits) FROM heap_page_items(get_raw_page('customers', 0))",
      ],
      [
        "decoded changes",
        "SELECT count(*) FROM pg_create_logical_replication_slot('@slot@', 'test_decoding', true); UPDATE customers SET name = name; SELECT data FROM pg_logical_slot_get_changes('@slot@', NULL, NULL)",
      ],
      [
        "decoded changes, looked at only",
        "SELECT count(*) FROM pg_create_logical_replication_slot('@slot@', 'test_decoding', true); UPDATE customers SET name = name; SELECT data FROM pg_logical_slot_peek_changes('@slot@', NULL, NULL)",
      ],
      [
        "decoded changes as bytes",
        "SELECT count(*) FROM pg_create_logical_replication_slot('@slot@', 'test_decoding', true); UPDATE customers SET name = name; SELECT data FROM pg_logical_slot_get_binary_changes('@slot@', NULL, NULL)",
      ],
      [
        "a message in the log",
        "SELECT count(*) FROM pg_create_logical_replication_slot('@slot@', 'test_decoding', true); SELECT count(pg_logical_emit_message(true, 'x', ssn)) FROM customers; SELECT data FROM pg_logical_slot_get_changes('@slot@', NULL, NULL)",
      ],
    ]).map(
      (attack): Attack =>
        attack.sql?.includes("@slot@") === true
          ? { ...attack, changes: true, restless: true, forms: ["text", "binary"] }
          : attack,
    ),
    ...rows(
      [
        ["COPY to a file and pg_read_file", "COPY customers TO '@file@'; SELECT pg_read_file('@file@')"],
        ["COPY to a program", "COPY customers TO PROGRAM 'cat > @file@'; SELECT pg_read_file('@file@')"],
        [
          "COPY to a file and back",
          "COPY (SELECT ssn FROM customers) TO '@file@'; COPY stash (x) FROM '@file@'; SELECT x FROM stash",
        ],
        [
          "COPY to a file and back by a program",
          "COPY (SELECT ssn FROM customers) TO '@file@'; COPY stash (x) FROM PROGRAM 'cat @file@'; SELECT x FROM stash",
        ],
        [
          "a file as foreign table",
          "COPY (SELECT ssn FROM customers) TO '@file@'; CREATE SERVER f FOREIGN DATA WRAPPER file_fdw; CREATE FOREIGN TABLE f (x text) SERVER f OPTIONS (filename '@file@'); SELECT x FROM f",
        ],
        [
          "lo_export and pg_read_file",
          "SELECT lo_from_bytea(4714, ssn::bytea) FROM customers WHERE id = 1; SELECT lo_export(4714, '@file@'); SELECT pg_read_file('@file@')",
        ],
        [
          "lo_import of the table's file",
          "CHECKPOINT; SELECT lo_import(current_setting('data_directory') || '/' || pg_relation_filepath('customers'), 4715); SELECT lo_get(4715)",
        ],
        ["the table's file", "CHECKPOINT; SELECT pg_read_binary_file(pg_relation_filepath('customers'))"],
        [
          "the table's file, a part of it",
          "CHECKPOINT; SELECT encode(pg_read_binary_file(pg_relation_filepath('customers'), 7000, 1192), 'base64')",
        ],
      ],
      { changes: true, restless: true, forms: ["text", "binary"] },
    ),
    ...rows([
      [
        "a slot's name",
        "SELECT pg_create_physical_replication_slot('s' || replace(ssn, '-', '_')) FROM customers WHERE id = 1",
      ],
    ]),
  ],
};

export const SIDE: readonly Group[] = [notices, activity, statistics, files];
