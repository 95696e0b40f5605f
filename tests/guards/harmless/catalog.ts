/** What psql, drivers, ORMs and tools ask of the catalog before they do anything. Harmless. Data only. */
import { type Harmless, type HarmlessGroup, harmless, psql } from "../attack.ts";

/** Debian's psql asks newer servers for columns that they do not have. */
const OF_PSQL_15: ReadonlySet<string> = new Set(["\\l", "\\dO"]);

const PSQL: readonly Harmless[] = [
  "\\d",
  "\\d customers",
  "\\d+ customers",
  "\\d orders",
  "\\d+ products",
  "\\d employees",
  "\\d secret_view",
  "\\d+ secret_view",
  "\\d+ secret_parts",
  "\\d order_numbers",
  "\\d customers_pkey",
  "\\d pg_class",
  "\\dS pg_type",
  "\\dt",
  "\\dt public.*",
  "\\dt *.orders",
  "\\di",
  "\\dv",
  "\\dm",
  "\\ds",
  "\\dP",
  "\\dE",
  "\\dn",
  "\\dn+",
  "\\du",
  "\\dg+",
  "\\l",
  "\\df",
  "\\df+ public.*",
  "\\da",
  "\\dT",
  "\\dT+ public.*",
  "\\dD",
  "\\do",
  "\\dO",
  "\\dC int4",
  "\\dc public.*",
  "\\dd",
  "\\ddp",
  "\\dp",
  "\\dp customers",
  "\\z orders",
  "\\db",
  "\\dx",
  "\\dy",
  "\\dF",
  "\\dFd",
  "\\dFp",
  "\\dFt",
  "\\dL",
  "\\dA",
  "\\dAc",
  "\\dAf",
  "\\dRp",
  "\\des",
  "\\dew",
  "\\det",
  "\\dl",
  "\\drds",
  "\\dX",
  "\\sf tell",
  "\\sv secret_view",
  "\\encoding",
  "SELECT id, note FROM orders WHERE id = 1 \\gdesc",
  "SELECT 42 AS answer \\gset\n\\echo :answer",
  "SELECT n % 3 AS a, n % 2 AS b, n FROM generate_series(1, 6) n \\crosstabview a b n",
].map((command) => (OF_PSQL_15.has(command) ? { ...psql(command), until: 15 } : psql(command)));

export const CATALOG: readonly HarmlessGroup[] = [
  { title: "psql's own commands", policy: "no-ddl", statements: PSQL },
  {
    title: "Drivers and ORMs read the catalog",
    policy: "no-ddl",
    statements: [
      harmless("version", "SELECT version()"),
      harmless("SQLAlchemy: version", "SELECT pg_catalog.version()"),
      harmless("SQLAlchemy: schema", "SELECT current_schema()"),
      harmless("SQLAlchemy: strings", "SHOW standard_conforming_strings"),
      harmless("SQLAlchemy: isolation", "SHOW TRANSACTION ISOLATION LEVEL"),
      harmless(
        "SQLAlchemy: has a table",
        "SELECT pg_catalog.pg_class.relname FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON pg_catalog.pg_namespace.oid = pg_catalog.pg_class.relnamespace WHERE pg_catalog.pg_class.relname = 'orders' AND pg_catalog.pg_class.relkind = ANY (ARRAY['r', 'p', 'f', 'v', 'm']) AND pg_catalog.pg_table_is_visible(pg_catalog.pg_class.oid) AND pg_catalog.pg_namespace.nspname != 'pg_catalog'",
      ),
      harmless(
        "SQLAlchemy: columns",
        "SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid) FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef) AS default, a.attnotnull, pgd.description AS comment, a.attgenerated, (SELECT json_build_object('always', a.attidentity = 'a', 'start', s.seqstart) FROM pg_catalog.pg_sequence s WHERE s.seqrelid = pg_get_serial_sequence(a.attrelid::regclass::text, a.attname)::regclass::oid AND a.attidentity != '') AS identity FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_description pgd ON pgd.objoid = a.attrelid AND pgd.objsubid = a.attnum WHERE a.attrelid = 'products'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
      ),
      harmless(
        "SQLAlchemy: keys",
        "SELECT r.conname, pg_catalog.pg_get_constraintdef(r.oid, true) AS condef, n.nspname AS conschema FROM pg_catalog.pg_constraint r, pg_namespace n, pg_class c WHERE r.conrelid = 'employees'::regclass AND r.contype = 'f' AND c.oid = r.confrelid AND n.oid = c.relnamespace ORDER BY 1",
      ),
      harmless(
        "SQLAlchemy: indexes",
        "SELECT i.relname, ix.indisunique, a.attname, ix.indkey::varchar, ix.indoption::varchar, i.reloptions, am.amname, pg_get_expr(ix.indpred, ix.indrelid) AS filter FROM pg_class t JOIN pg_index ix ON t.oid = ix.indrelid JOIN pg_class i ON i.oid = ix.indexrelid LEFT OUTER JOIN pg_attribute a ON t.oid = a.attrelid AND a.attnum = ANY (ix.indkey) LEFT OUTER JOIN pg_constraint c ON ix.indrelid = c.conrelid AND ix.indexrelid = c.conindid AND c.contype IN ('p', 'u', 'x') LEFT OUTER JOIN pg_am am ON i.relam = am.oid WHERE t.relkind IN ('r', 'v', 'f', 'm', 'p') AND t.relname = 'products' ORDER BY t.relname, i.relname, a.attname",
      ),
      harmless(
        "SQLAlchemy: enums",
        "SELECT t.typname AS name, pg_catalog.pg_type_is_visible(t.oid) AS visible, n.nspname AS schema, e.enumlabel AS label FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_catalog.pg_enum e ON t.oid = e.enumtypid WHERE t.typtype = 'e' ORDER BY schema, name, e.oid",
      ),
      harmless(
        "psycopg: hstore",
        "SELECT t.oid, typarray FROM pg_type t JOIN pg_namespace ns ON typnamespace = ns.oid WHERE typname = 'hstore'",
      ),
      harmless(
        "psycopg: composite types",
        "SELECT t.oid, t.typarray, array_agg(a.attname ORDER BY attnum), array_agg(a.atttypid ORDER BY attnum) FROM pg_type t LEFT JOIN pg_attribute a ON a.attrelid = t.typrelid AND attnum > 0 AND NOT attisdropped WHERE t.oid = to_regtype('orders') GROUP BY 1, 2",
      ),
      harmless(
        "psycopg: ranges",
        "SELECT t.typname, t.oid, t.typarray, r.rngsubtype FROM pg_type t JOIN pg_range r ON t.oid = r.rngtypid WHERE t.oid = 'int4range'::regtype",
      ),
      harmless(
        "asyncpg: types",
        "WITH RECURSIVE typeinfo_tree (oid, ns, name, kind, basetype, elemtype, elemdelim, depth) AS (SELECT t.oid, ns.nspname, t.typname, t.typtype, t.typbasetype, t.typelem, t.typdelim, 0 FROM pg_catalog.pg_type t INNER JOIN pg_catalog.pg_namespace ns ON ns.oid = t.typnamespace WHERE t.oid = ANY ('{1007,3807}'::oid[]) UNION ALL SELECT ti.oid, ns.nspname, ti.typname, ti.typtype, ti.typbasetype, ti.typelem, ti.typdelim, tt.depth + 1 FROM pg_catalog.pg_type ti JOIN typeinfo_tree tt ON tt.elemtype = ti.oid INNER JOIN pg_catalog.pg_namespace ns ON ns.oid = ti.typnamespace) SELECT DISTINCT * FROM typeinfo_tree ORDER BY depth DESC, oid",
      ),
      harmless(
        "Npgsql: types",
        "SELECT ns.nspname, t.oid, t.typname, t.typtype, t.typnotnull, t.elemtypoid FROM (SELECT typ.oid, typ.typnamespace, typ.typname, typ.typtype, typ.typnotnull, CASE WHEN proc.proname = 'array_recv' THEN typ.typelem ELSE 0 END AS elemtypoid FROM pg_type typ LEFT JOIN pg_class cls ON cls.oid = typ.typrelid LEFT JOIN pg_proc proc ON proc.oid = typ.typreceive WHERE typ.typtype IN ('b', 'r', 'm', 'e', 'd')) AS t JOIN pg_namespace ns ON ns.oid = t.typnamespace ORDER BY t.oid",
      ),
      harmless(
        "JDBC: tables",
        "SELECT NULL AS TABLE_CAT, n.nspname AS TABLE_SCHEM, c.relname AS TABLE_NAME, CASE n.nspname ~ '^pg_' OR n.nspname = 'information_schema' WHEN true THEN CASE c.relkind WHEN 'r' THEN 'SYSTEM TABLE' WHEN 'v' THEN 'SYSTEM VIEW' ELSE NULL END ELSE CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' END END AS TABLE_TYPE, d.description AS REMARKS FROM pg_catalog.pg_namespace n, pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_description d ON (c.oid = d.objoid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass) WHERE c.relnamespace = n.oid AND c.relname LIKE '%' AND n.nspname !~ '^pg_' ORDER BY TABLE_TYPE, TABLE_SCHEM, TABLE_NAME",
      ),
      harmless(
        "JDBC: primary keys",
        "SELECT NULL AS TABLE_CAT, n.nspname AS TABLE_SCHEM, ct.relname AS TABLE_NAME, a.attname AS COLUMN_NAME, (information_schema._pg_expandarray(i.indkey)).n AS KEY_SEQ, ci.relname AS PK_NAME FROM pg_catalog.pg_class ct JOIN pg_catalog.pg_attribute a ON (ct.oid = a.attrelid) JOIN pg_catalog.pg_namespace n ON (ct.relnamespace = n.oid) JOIN pg_catalog.pg_index i ON (a.attrelid = i.indrelid) JOIN pg_catalog.pg_class ci ON (ci.oid = i.indexrelid) WHERE ct.relname = 'orders' AND i.indisprimary ORDER BY 2, 3, 4",
      ),
      harmless(
        "JDBC: columns",
        "SELECT * FROM (SELECT n.nspname, c.relname, a.attname, a.atttypid, a.attnotnull OR (t.typtype = 'd' AND t.typnotnull) AS attnotnull, a.atttypmod, a.attlen, t.typtypmod, row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum) AS attnum, nullif(a.attidentity, '') AS attidentity, pg_catalog.pg_get_expr(def.adbin, def.adrelid) AS adsrc, dsc.description, t.typbasetype, t.typtype FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class c ON (c.relnamespace = n.oid) JOIN pg_catalog.pg_attribute a ON (a.attrelid = c.oid) JOIN pg_catalog.pg_type t ON (a.atttypid = t.oid) LEFT JOIN pg_catalog.pg_attrdef def ON (a.attrelid = def.adrelid AND a.attnum = def.adnum) LEFT JOIN pg_catalog.pg_description dsc ON (c.oid = dsc.objoid AND a.attnum = dsc.objsubid) WHERE c.relkind IN ('r', 'p', 'v', 'f', 'm') AND a.attnum > 0 AND NOT a.attisdropped AND c.relname LIKE 'orders') c ORDER BY nspname, relname, attnum",
      ),
      harmless(
        "JDBC: keywords",
        "SELECT string_agg(word, ',' ORDER BY word) FROM pg_catalog.pg_get_keywords() WHERE word <> ALL ('{a,abs,absolute,action}'::text[])",
      ),
      harmless(
        "JDBC: type of an OID",
        "SELECT n.nspname = ANY (current_schemas(true)), n.nspname, t.typname FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON t.typnamespace = n.oid WHERE t.oid = 1007",
      ),
      harmless(
        "pgx: OID of a type",
        "SELECT oid, typtype, typelem, typbasetype FROM pg_type WHERE oid = 'jsonb'::regtype",
      ),
      harmless(
        "Django: tables",
        "SELECT c.relname, CASE WHEN c.relispartition THEN 'p' WHEN c.relkind IN ('m', 'v') THEN 'v' ELSE 't' END, obj_description(c.oid, 'pg_class') FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('f', 'm', 'p', 'r', 'v') AND n.nspname NOT IN ('pg_catalog', 'pg_toast') AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 1",
      ),
      harmless(
        "Django: columns",
        "SELECT a.attname AS column_name, NOT (a.attnotnull OR (t.typtype = 'd' AND t.typnotnull)) AS is_nullable, pg_get_expr(ad.adbin, ad.adrelid) AS column_default, CASE WHEN collname = 'default' THEN NULL ELSE collname END AS collation, a.attidentity != '' AS is_autofield, col_description(a.attrelid, a.attnum) AS column_comment FROM pg_attribute a LEFT JOIN pg_attrdef ad ON a.attrelid = ad.adrelid AND a.attnum = ad.adnum LEFT JOIN pg_collation co ON a.attcollation = co.oid JOIN pg_type t ON a.atttypid = t.oid JOIN pg_class c ON a.attrelid = c.oid JOIN pg_namespace n ON c.relnamespace = n.oid WHERE c.relkind IN ('f', 'm', 'p', 'r', 'v') AND c.relname = 'orders' AND n.nspname NOT IN ('pg_catalog', 'pg_toast') AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY a.attnum",
      ),
      harmless(
        "Django: constraints",
        "SELECT c.conname, array(SELECT attname FROM unnest(c.conkey) WITH ORDINALITY cols(colid, arridx) JOIN pg_attribute AS ca ON cols.colid = ca.attnum WHERE ca.attrelid = c.conrelid ORDER BY cols.arridx), c.contype, (SELECT fkc.relname || '.' || fka.attname FROM pg_attribute AS fka JOIN pg_class AS fkc ON fka.attrelid = fkc.oid WHERE fka.attrelid = c.confrelid AND fka.attnum = c.confkey[1]), cl.reloptions FROM pg_constraint AS c JOIN pg_class AS cl ON c.conrelid = cl.oid WHERE cl.relname = 'employees' AND pg_catalog.pg_table_is_visible(cl.oid) ORDER BY 1",
      ),
      harmless(
        "Django: sequences",
        "SELECT s.relname AS sequence_name, a.attname AS colname FROM pg_class s JOIN pg_depend d ON d.objid = s.oid AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass JOIN pg_attribute a ON d.refobjid = a.attrelid AND d.refobjsubid = a.attnum JOIN pg_class tbl ON tbl.oid = d.refobjid AND tbl.relname = 'orders' AND pg_catalog.pg_table_is_visible(tbl.oid) WHERE s.relkind = 'S'",
      ),
      harmless(
        "Rails: types",
        "SELECT t.oid, t.typname, t.typelem, t.typdelim, t.typinput, r.rngsubtype, t.typtype, t.typbasetype FROM pg_type AS t LEFT JOIN pg_range AS r ON oid = rngtypid WHERE t.typname IN ('int2', 'int4', 'int8', 'oid', 'float4', 'float8', 'numeric', 'bool') ORDER BY 1",
      ),
      harmless(
        "Rails: columns",
        "SELECT a.attname, format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid), a.attnotnull, a.atttypid, a.atttypmod, c.collname, col_description(a.attrelid, a.attnum) AS comment, attidentity AS identity, attgenerated AS attgenerated FROM pg_attribute a LEFT JOIN pg_attrdef d ON a.attrelid = d.adrelid AND a.attnum = d.adnum LEFT JOIN pg_type t ON a.atttypid = t.oid LEFT JOIN pg_collation c ON a.attcollation = c.oid AND a.attcollation <> t.typcollation WHERE a.attrelid = '\"products\"'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
      ),
      harmless(
        "Rails: primary keys",
        "SELECT a.attname FROM (SELECT indrelid, indkey, generate_subscripts(indkey, 1) idx FROM pg_index WHERE indrelid = '\"orders\"'::regclass AND indisprimary) i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[i.idx] ORDER BY i.idx",
      ),
      harmless(
        "Rails: indexes",
        "SELECT DISTINCT i.relname, d.indisunique, d.indkey, pg_get_indexdef(d.indexrelid), t.oid, pg_catalog.obj_description(i.oid, 'pg_class') AS comment, d.indisvalid FROM pg_class t INNER JOIN pg_index d ON t.oid = d.indrelid INNER JOIN pg_class i ON d.indexrelid = i.oid LEFT JOIN pg_namespace n ON n.oid = t.relnamespace WHERE i.relkind IN ('i', 'I') AND d.indisprimary = 'f' AND t.relname = 'products' AND n.nspname = ANY (current_schemas(false)) ORDER BY i.relname",
      ),
      harmless(
        "Rails: existence",
        "SELECT c.relname FROM pg_class c LEFT JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ANY (current_schemas(false)) AND c.relname = 'schema_migrations' AND c.relkind IN ('r', 'p')",
      ),
      harmless(
        "Prisma: namespaces",
        "SELECT namespace.nspname AS namespace_name FROM pg_namespace AS namespace WHERE namespace.nspname = ANY ('{public,hidden}') ORDER BY namespace_name",
      ),
      harmless(
        "Prisma: columns",
        "SELECT oid.namespace, info.table_name, info.column_name, format_type(att.atttypid, att.atttypmod) AS formatted_type, info.numeric_precision, info.is_nullable, info.is_identity, info.character_maximum_length FROM information_schema.columns info JOIN pg_attribute att ON att.attname = info.column_name JOIN (SELECT pg_class.oid, relname, pg_namespace.nspname AS namespace FROM pg_class JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace WHERE reltype > 0) AS oid ON oid.oid = att.attrelid AND relname = info.table_name AND namespace = info.table_schema WHERE oid.namespace = 'public' ORDER BY table_name, ordinal_position",
      ),
      harmless(
        "Sequelize: indexes",
        "SELECT i.relname AS name, ix.indisprimary AS primary, ix.indisunique AS unique, ix.indkey AS indkey, array_agg(a.attnum) AS column_indexes, array_agg(a.attname) AS column_names, pg_get_indexdef(ix.indexrelid) AS definition FROM pg_class t, pg_class i, pg_index ix, pg_attribute a WHERE t.oid = ix.indrelid AND i.oid = ix.indexrelid AND a.attrelid = t.oid AND t.relkind = 'r' AND t.relname = 'orders' GROUP BY i.relname, ix.indexrelid, ix.indisprimary, ix.indisunique, ix.indkey ORDER BY i.relname",
      ),
      harmless(
        "TypeORM: current",
        "SELECT * FROM current_schema() AS s, current_database() AS d WHERE d <> ''",
        "rows",
      ),
      harmless(
        "TypeORM: keys",
        "SELECT columns.*, pg_catalog.col_description(('\"' || table_catalog || '\".\"' || table_schema || '\".\"' || table_name || '\"')::regclass::oid, ordinal_position) AS description FROM information_schema.columns WHERE table_schema = 'public' AND table_name = 'orders' ORDER BY ordinal_position",
        "rows",
      ),
      harmless(
        "Hibernate: sequences",
        "SELECT sequence_name, increment, minimum_value, maximum_value FROM information_schema.sequences ORDER BY 1",
      ),
      harmless(
        "Knex: has a table",
        "SELECT * FROM information_schema.tables WHERE table_name = 'knex_migrations' AND table_schema = current_schema()",
      ),
      harmless(
        "GORM: has a column",
        "SELECT count(*) FROM information_schema.columns WHERE table_schema = CURRENT_SCHEMA() AND table_name = 'orders' AND column_name = 'note'",
      ),
      harmless("Ecto: version", "SELECT setting::int FROM pg_settings WHERE name = 'server_version_num'"),
      harmless(
        "Flyway: is it empty",
        "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_catalog.pg_depend d ON d.objid = c.oid AND d.deptype = 'e' WHERE n.nspname = 'public' AND d.objid IS NULL AND c.relkind IN ('r', 'v', 'S', 't') UNION ALL SELECT 1 FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE n.nspname = 'public' AND t.typcategory NOT IN ('A', 'C'))",
      ),
      harmless("Alembic: has it run", "SELECT to_regclass('public.alembic_version') IS NOT NULL"),
      harmless(
        "Liquibase: has it run",
        "SELECT count(*) FROM information_schema.tables WHERE lower(table_name) = 'databasechangelog'",
      ),
      harmless(
        "dbt: relations",
        "SELECT 'db' AS database, tablename AS name, schemaname AS schema, 'table' AS type FROM pg_tables WHERE schemaname ILIKE 'public' UNION ALL SELECT 'db', viewname, schemaname, 'view' FROM pg_views WHERE schemaname ILIKE 'public' UNION ALL SELECT 'db', matviewname, schemaname, 'materialized_view' FROM pg_matviews WHERE schemaname ILIKE 'public' ORDER BY 2",
      ),
      harmless(
        "Metabase: foreign keys",
        "SELECT fk_ns.nspname, fk_table.relname, fk_column.attname, pk_table.relname, pk_column.attname FROM pg_constraint c JOIN pg_class fk_table ON c.conrelid = fk_table.oid JOIN pg_namespace fk_ns ON c.connamespace = fk_ns.oid JOIN pg_attribute fk_column ON c.conrelid = fk_column.attrelid JOIN pg_class pk_table ON c.confrelid = pk_table.oid JOIN pg_attribute pk_column ON c.confrelid = pk_column.attrelid WHERE c.contype = 'f' AND fk_column.attnum = ANY (c.conkey) AND pk_column.attnum = ANY (c.confkey) ORDER BY 2, 3",
      ),
      harmless(
        "Hasura: functions",
        "SELECT p.proname, pg_get_function_identity_arguments(p.oid), pg_get_functiondef(p.oid) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'public' AND p.prokind = 'f' ORDER BY 1, 2",
      ),
      harmless(
        "PostgREST: permissions",
        "SELECT c.relname, has_table_privilege(c.oid, 'SELECT'), pg_relation_is_updatable(c.oid, true) & 8 = 8 FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v') ORDER BY 1",
      ),
      harmless(
        "Grafana: time columns",
        "SELECT quote_ident(column_name) AS column FROM information_schema.columns WHERE quote_ident(table_name) = 'products' AND data_type IN ('timestamp without time zone', 'timestamp with time zone', 'bigint') ORDER BY 1",
      ),
      harmless(
        "pgAdmin: server",
        "SELECT CASE WHEN usesuper THEN pg_is_in_recovery() ELSE false END AS inrecovery, current_setting('server_version_num')::int / 10000 AS major FROM pg_catalog.pg_user WHERE usename = current_user",
      ),
      harmless(
        "pgAdmin: dashboard",
        "SELECT (SELECT count(*) FROM pg_catalog.pg_stat_activity) AS total, (SELECT sum(xact_commit) FROM pg_stat_database) AS commits",
        "rows",
      ),
      harmless(
        "pgAdmin: locks",
        "SELECT locktype, mode, granted FROM pg_locks l LEFT JOIN pg_stat_activity s ON l.pid = s.pid WHERE l.pid <> 0 ORDER BY 1, 2 LIMIT 1",
        "rows",
      ),
      harmless(
        "monitoring: tables",
        "SELECT relname, n_live_tup >= 0, seq_scan >= 0 FROM pg_stat_user_tables ORDER BY 1",
      ),
      harmless(
        "monitoring: sizes",
        "SELECT relname, pg_size_pretty(pg_total_relation_size(relid)) IS NOT NULL FROM pg_catalog.pg_statio_user_tables ORDER BY pg_total_relation_size(relid) DESC, 1 LIMIT 5",
      ),
      harmless(
        "monitoring: replication",
        "SELECT pg_is_in_recovery(), pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0') > 0, count(*) FROM pg_stat_replication",
      ),
      harmless(
        "monitoring: age of transactions",
        "SELECT datname, age(datfrozenxid) > 0, pg_database_size(datname) > 0 FROM pg_database WHERE datallowconn ORDER BY 1 LIMIT 2",
      ),
      harmless("monitoring: uptime", "SELECT now() - pg_postmaster_start_time() > interval '0'"),
      harmless(
        "monitoring: unused indexes",
        "SELECT indexrelname, idx_scan >= 0 FROM pg_stat_user_indexes JOIN pg_index USING (indexrelid) WHERE NOT indisunique ORDER BY 1",
      ),
      harmless(
        "monitoring: bloat",
        "SELECT schemaname, relname, round(100 * n_dead_tup / greatest(n_live_tup + n_dead_tup, 1)) >= 0 FROM pg_stat_all_tables WHERE schemaname = 'public' ORDER BY 2",
      ),
      harmless("statistics", "SELECT tablename, attname FROM pg_stats WHERE schemaname = 'public' ORDER BY 1, 2"),
      harmless(
        "information_schema: routines",
        "SELECT routine_name, routine_type FROM information_schema.routines WHERE specific_schema = 'public' ORDER BY 1, specific_name",
      ),
      harmless(
        "information_schema: constraints",
        "SELECT tc.constraint_name, tc.constraint_type, kcu.column_name FROM information_schema.table_constraints tc LEFT JOIN information_schema.key_column_usage kcu USING (constraint_schema, constraint_name) WHERE tc.table_name IN ('orders', 'employees') AND tc.constraint_type <> 'CHECK' ORDER BY 1, 3",
      ),
      harmless(
        "information_schema: views",
        "SELECT table_name, view_definition FROM information_schema.views WHERE table_schema = 'public'",
      ),
      harmless(
        "text search set-up",
        "SELECT cfgname, get_current_ts_config() FROM pg_ts_config WHERE cfgname = 'simple'",
      ),
      harmless("a dry run of text search", "SELECT alias, token, lexemes FROM ts_debug('simple', 'a green product')"),
      harmless("token types", "SELECT alias FROM ts_token_type('default') ORDER BY tokid LIMIT 3"),
      harmless(
        "privileges",
        "SELECT grantee::regrole::text, privilege_type FROM pg_class c, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) WHERE c.oid = 'orders'::regclass ORDER BY 2",
      ),
    ],
  },
];
