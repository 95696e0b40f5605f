/**
 * The forms in which object mappers, query builders, BI tools, drivers, job queues and migration tools write SQL, over
 * the schemas' tables. Our own text in their manner: quoting, aliases, parameters, comments, casts.
 */
import type { Random } from "../random.ts";
import { type Column, RELATIONS, type Relation } from "../schemas.ts";

export interface Form {
  readonly text: string;
  readonly values?: readonly (string | null)[];
}

interface Table {
  readonly schema: string;
  readonly name: string;
  readonly key: string;
  readonly isUuid: boolean;
  readonly columns: readonly Column[];
  /** A text column that is no key. */
  readonly word: string;
  readonly random: Random;
}

type Maker = (table: Table) => Form;

const UUID = "00000000-0000-0000-0000-000000000002";
const idOf = ({ isUuid }: Table) => (isUuid ? UUID : "2");

const MAKERS: readonly Maker[] = [
  // Object mappers
  (t) => ({
    text: `SELECT "${t.name}".* FROM "${t.name}" WHERE "${t.name}"."${t.key}" = $1 LIMIT $2`,
    values: [idOf(t), "1"],
  }),
  (t) => ({
    text: `SELECT 1 AS one FROM "${t.name}" WHERE "${t.name}"."${t.word}" = $1 LIMIT $2 /*application:Shop,controller:orders*/`,
    values: ["x", "1"],
  }),
  (t) => ({ text: `SELECT COUNT(*) FROM "${t.name}" WHERE "${t.name}"."${t.word}" IS NOT NULL` }),
  (t) => ({
    text: `SELECT "${t.name}"."${t.word}", COUNT(*) AS "count_all" FROM "${t.name}" GROUP BY "${t.name}"."${t.word}" ORDER BY "count_all" DESC LIMIT $1 OFFSET $2`,
    values: ["10", "0"],
  }),
  (t) => ({
    text: `UPDATE "${t.name}" SET "${t.word}" = $1 WHERE "${t.name}"."${t.key}" = $2`,
    values: ["new", idOf(t)],
  }),
  (t) => ({
    text: `DELETE FROM "${t.name}" WHERE "${t.name}"."${t.key}" = $1 AND "${t.name}"."${t.word}" = $2`,
    values: [idOf(t), "none"],
  }),
  (t) => ({
    text: `SELECT ${t.columns.map(({ name }) => `"${t.schema}"."${t.name}"."${name}"`).join(", ")} FROM "${t.schema}"."${t.name}" WHERE ("${t.schema}"."${t.name}"."${t.key}" = $1 AND 1=1) LIMIT $2 OFFSET $3`,
    values: [idOf(t), "1", "0"],
  }),
  (t) => ({
    text: `SELECT "t1"."${t.key}" FROM "${t.schema}"."${t.name}" AS "t1" WHERE ("t1"."${t.word}"::text ILIKE $1 AND ("t1"."${t.key}") IN (SELECT "t0"."${t.key}" FROM "${t.schema}"."${t.name}" AS "t0" WHERE "t0"."${t.key}" IS NOT NULL)) ORDER BY "t1"."${t.key}" ASC OFFSET $2`,
    values: ["%a%", "0"],
  }),
  (t) => ({
    text: `SELECT ${t.columns.map(({ name }) => `${t.name}.${name} AS ${t.name}_${name}`).join(", ")} \nFROM ${t.schema}.${t.name} \nWHERE ${t.name}.${t.key} = $1`,
    values: [idOf(t)],
  }),
  (t) => ({ text: `SELECT count(*) AS count_1 \nFROM (SELECT ${t.name}.${t.key} AS k \nFROM ${t.name}) AS anon_1` }),
  (t) => ({
    text: `select a1_0.${t.key},a1_0.${t.word} from ${t.schema}.${t.name} a1_0 where a1_0.${t.key}=$1 order by a1_0.${t.word} fetch first $2 rows only`,
    values: [idOf(t), "5"],
  }),
  (t) => ({
    text: `update ${t.name} set ${t.word}=$1 where ${t.key}=$2 and ${t.word}=$3`,
    values: ["v", idOf(t), "old"],
  }),
  (t) => ({
    text: `SELECT "o"."${t.key}" AS "o_${t.key}", "o"."${t.word}" AS "o_${t.word}" FROM "${t.name}" "o" WHERE ( ("o"."${t.word}" LIKE $1) ) ORDER BY "o"."${t.key}" DESC LIMIT 20`,
    values: ["a%"],
  }),
  (t) => ({
    text: `SELECT DISTINCT "distinctAlias"."o_k" AS "ids" FROM (SELECT "o"."${t.key}" AS "o_k" FROM "${t.name}" "o") "distinctAlias" ORDER BY "o_k" ASC LIMIT 25`,
  }),
  (t) => ({
    text: `SELECT o0."${t.key}", o0."${t.word}" FROM "${t.name}" AS o0 WHERE (o0."${t.key}" = ANY($1))`,
    values: [`{${idOf(t)}}`],
  }),
  (t) => ({
    text: `SELECT "id_alias"."${t.key}" FROM ( SELECT ROW_NUMBER() OVER ( PARTITION BY "${t.word}" ORDER BY "${t.key}" ) AS "rn", * FROM "${t.name}" ) AS "id_alias" WHERE "rn" <= $1`,
    values: ["3"],
  }),
  (t) => ({
    text: `INSERT INTO "${t.name}" SELECT * FROM "${t.name}" WHERE "${t.key}" = $1 ON CONFLICT ("${t.key}") DO UPDATE SET "${t.word}" = EXCLUDED."${t.word}" RETURNING "${t.key}"`,
    values: [idOf(t)],
  }),
  (t) => ({ text: `SELECT EXISTS (SELECT 1 FROM "${t.name}" WHERE "${t.name}"."${t.key}" = $1)`, values: [idOf(t)] }),
  (t) => ({
    text: `SELECT "${t.name}".*, "j"."n" FROM "${t.name}" LEFT OUTER JOIN LATERAL (SELECT COUNT(*) AS "n" FROM "${t.name}" AS "inner" WHERE "inner"."${t.word}" = "${t.name}"."${t.word}") AS "j" ON TRUE`,
  }),
  (t) => ({ text: `SELECT (1) AS "a" FROM "${t.name}" WHERE NOT ("${t.name}"."${t.key}" IS NULL) LIMIT 1` }),
  (t) => ({
    text: `SELECT json_agg(row_to_json(r)) FROM (SELECT ${t.key}, ${t.word} FROM ${t.schema}.${t.name} LIMIT 10) r`,
  }),
  (t) => ({
    text: `select coalesce(json_agg("root"), '[]') as "root" from ( select row_to_json( ( select "_e" from ( select "_root.base"."${t.key}" as "key" ) as "_e" ) ) as "root" from ( select * from "${t.schema}"."${t.name}" where (true) limit 10 ) as "_root.base" ) as "_root"`,
  }),
  (t) => ({
    text: `WITH pgrst_source AS ( SELECT "${t.schema}"."${t.name}".* FROM "${t.schema}"."${t.name}" LIMIT $1 OFFSET $2 ) SELECT null::bigint AS total_result_set, pg_catalog.count(_t) AS page_total, coalesce(json_agg(_t), '[]')::text AS body FROM ( SELECT * FROM pgrst_source ) _t`,
    values: ["5", "0"],
  }),
  // BI tools
  (t) => ({
    text: `-- Tool:: userID: 1 queryType: MBQL queryHash: 0\nSELECT "source"."w" AS "w", SUM(1) AS "sum" FROM ( SELECT "${t.schema}"."${t.name}"."${t.word}" AS "w" FROM "${t.schema}"."${t.name}" ) AS "source" GROUP BY "source"."w" ORDER BY "source"."w" ASC LIMIT 2000`,
  }),
  (t) => ({
    text: `SELECT CAST("${t.name}"."${t.word}" AS TEXT) AS "w",\n  COUNT(1) AS "cnt:ok"\nFROM "${t.schema}"."${t.name}" "${t.name}"\nGROUP BY 1\nHAVING (COUNT(1) > 0)`,
  }),
  (t) => ({
    text: `select "_"."${t.word}", "a0" from ( select "rows"."${t.word}" as "${t.word}", count(*) as "a0" from ( select "${t.word}" from "${t.schema}"."${t.name}" "$Table" ) "rows" group by "${t.word}" ) "_" where not "a0" is null limit 1000001`,
  }),
  (t) => ({
    text: `SELECT ${t.word} AS ${t.word}, count(*) AS "COUNT(*)" FROM ${t.schema}.${t.name} WHERE ${t.key} IS NOT NULL GROUP BY ${t.word} ORDER BY "COUNT(*)" DESC\nLIMIT 10000;`,
  }),
  (t) => ({
    text: `WITH base AS (SELECT DATE_TRUNC('month', now()) AS m, ${t.word} FROM ${t.name}), ranked AS (SELECT *, DENSE_RANK() OVER (ORDER BY ${t.word}) AS z FROM base) SELECT * FROM ranked WHERE z <= 500`,
  }),
  (t) => ({ text: `declare "SQL_CUR0x1" cursor with hold for SELECT "${t.word}" FROM "${t.schema}"."${t.name}"` }),
  (t) => ({ text: `SELECT * FROM (SELECT * FROM "${t.schema}"."${t.name}") T LIMIT 0` }),
  (t) => ({
    text: `SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY length("${t.word}"::text)) AS median, min("${t.word}"::text), max("${t.word}"::text) FROM "${t.schema}"."${t.name}" TABLESAMPLE BERNOULLI (100)`,
  }),
  // Queues, batches, hand-written applications
  (t) => ({
    text: `UPDATE ${t.name} SET ${t.word} = 'taken' WHERE ${t.key} = (SELECT ${t.key} FROM ${t.name} WHERE ${t.word} IS NOT NULL ORDER BY ${t.key} LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING *`,
  }),
  (t) => ({
    text: `WITH batch AS (SELECT ${t.key} FROM ${t.schema}.${t.name} WHERE ${t.key} = $1 FOR NO KEY UPDATE) UPDATE ${t.schema}.${t.name} SET ${t.word} = $2 FROM batch WHERE batch.${t.key} = ${t.name}.${t.key}`,
    values: [idOf(t), "b"],
  }),
  (t) => ({
    text: `UPDATE ${t.name} SET ${t.word} = v.w FROM (SELECT unnest($1::text[]) AS k, unnest($2::text[]) AS w) v WHERE ${t.name}.${t.key}::text = v.k`,
    values: [`{${idOf(t)}}`, "{x}"],
  }),
  (t) => ({ text: `SELECT * FROM ${t.name} WHERE (${t.key}) > ($1) ORDER BY ${t.key} LIMIT 50`, values: [idOf(t)] }),
  (t) => ({
    text: `SELECT * FROM ${t.name} WHERE to_tsvector('english', ${t.word}::text) @@ websearch_to_tsquery('english', $1)`,
    values: ["name -x"],
  }),
  (t) => ({ text: `COPY ${t.schema}.${t.name} (${t.key}, ${t.word}) TO STDOUT WITH (FORMAT CSV, HEADER)` }),
  (t) => ({ text: `COPY "${t.name}" ("${t.key}", "${t.word}") FROM STDIN BINARY` }),
  (t) => ({
    text: `SELECT n_live_tup, seq_scan FROM pg_stat_user_tables WHERE schemaname = '${t.schema}' AND relname = '${t.name}'`,
  }),
  (t) => ({
    text: `SELECT pg_size_pretty(pg_total_relation_size('${t.schema}.${t.name}')), pg_relation_size('${t.name}'::regclass)`,
  }),
  (t) => ({ text: `SELECT reltuples::bigint AS estimate FROM pg_class WHERE oid = '${t.schema}.${t.name}'::regclass` }),
  (t) => ({ text: `EXPLAIN (FORMAT JSON) SELECT * FROM ${t.schema}.${t.name} WHERE ${t.key} = $1`, values: [idOf(t)] }),
  // Drivers and tools that ask the catalog
  (t) => ({
    text: `SELECT a.attname, format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid), a.attnotnull FROM pg_attribute a LEFT JOIN pg_attrdef d ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE a.attrelid = '"${t.name}"'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
  }),
  (t) => ({
    text: `SELECT NULL AS TABLE_CAT, n.nspname AS TABLE_SCHEM, c.relname AS TABLE_NAME, CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'v' THEN 'VIEW' ELSE NULL END AS TABLE_TYPE, d.description AS REMARKS FROM pg_catalog.pg_namespace n, pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_description d ON (c.oid = d.objoid AND d.objsubid = 0) WHERE c.relnamespace = n.oid AND n.nspname LIKE '${t.schema}' AND c.relname LIKE '${t.name}' ORDER BY TABLE_TYPE, TABLE_SCHEM, TABLE_NAME`,
  }),
  (t) => ({
    text: `SELECT column_name, data_type, is_nullable, column_default FROM information_schema.columns WHERE table_schema = $1 AND table_name = $2 ORDER BY ordinal_position`,
    values: [t.schema, t.name],
  }),
  (t) => ({
    text: `SELECT kc.column_name FROM information_schema.table_constraints tc JOIN information_schema.key_column_usage kc ON kc.constraint_name = tc.constraint_name WHERE tc.constraint_type = 'PRIMARY KEY' AND tc.table_name = '${t.name}'`,
  }),
  (t) => ({
    text: `SELECT c.conname, pg_get_constraintdef(c.oid) FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid WHERE r.relname = '${t.name}'`,
  }),
  (t) => ({
    text: `SELECT i.relname, ix.indisunique, pg_get_indexdef(ix.indexrelid) FROM pg_class i JOIN pg_index ix ON i.oid = ix.indexrelid WHERE ix.indrelid = '${t.schema}.${t.name}'::regclass`,
  }),
  (t) => ({
    text: `SELECT has_table_privilege('${t.schema}.${t.name}', 'SELECT'), to_regclass('${t.schema}.${t.name}') IS NOT NULL`,
  }),
  // Migration tools
  (t) => ({
    text: `ALTER TABLE "${t.name}" ADD COLUMN "added_${t.random.int(1, 99)}" varchar(${t.random.int(10, 255)}) DEFAULT '' NOT NULL`,
  }),
  (t) => ({
    text: `ALTER TABLE ${t.schema}.${t.name} ADD CONSTRAINT chk_${t.random.int(1, 99)} CHECK (${t.key} IS NOT NULL) NOT VALID`,
  }),
  (t) => ({ text: `CREATE INDEX "${t.name}_${t.word}_idx" ON "${t.name}" ("${t.word}")` }),
  (t) => ({ text: `ALTER TABLE "${t.name}" RENAME COLUMN "${t.word}" TO "renamed"` }),
  (t) => ({ text: `ALTER TABLE ONLY ${t.schema}.${t.name} ALTER COLUMN ${t.word} SET DEFAULT 'x';` }),
  (t) => ({
    text: `CREATE TABLE IF NOT EXISTS "${t.schema}"."schema_history" ("installed_rank" INT NOT NULL, "version" VARCHAR(50), "success" BOOLEAN NOT NULL, CONSTRAINT "history_pk" PRIMARY KEY ("installed_rank"))`,
  }),
  (t) => ({ text: `COMMENT ON TABLE ${t.schema}.${t.name} IS 'changed by migration ${t.random.int(1, 99)}'` }),
  (t) => ({ text: `COMMENT ON COLUMN ${t.schema}.${t.name}.${t.word} IS 'a word'` }),
  (t) => ({ text: `LOCK TABLE "${t.name}" IN ACCESS EXCLUSIVE MODE` }),
  (t) => ({ text: `DROP INDEX IF EXISTS "${t.schema}"."${t.name}_absent";` }),
  (t) => ({ text: `GRANT SELECT, INSERT ON TABLE ${t.schema}.${t.name} TO deployer` }),
];

const ONCE: readonly string[] = [
  "SELECT 1",
  "select 1",
  "SELECT version()",
  "SELECT current_schema()",
  "SHOW server_version_num",
  "SHOW max_identifier_length",
  "SHOW transaction isolation level",
  "SHOW standard_conforming_strings",
  "SET client_min_messages TO 'warning'",
  "SET standard_conforming_strings = on",
  "SET SESSION timezone TO 'UTC'",
  "SET extra_float_digits = 3",
  "SET application_name = 'PostgreSQL JDBC Driver'",
  "SET DateStyle=ISO; SET client_min_messages=notice; SELECT set_config('bytea_output','hex',false) FROM pg_show_all_settings() WHERE name = 'bytea_output'; SET client_encoding='utf-8';",
  "SET search_path TO shop, public",
  "SELECT t.oid, t.typname FROM pg_type as t WHERE t.typname IN ('int2', 'int4', 'int8', 'oid', 'float4', 'float8', 'numeric', 'bool')",
  "SELECT ns.nspname, t.oid, t.typname, t.typtype, t.typnotnull, t.elemtypoid FROM (SELECT typ.oid, typ.typnamespace, typ.typname, typ.typtype, typ.typnotnull, typ.typelem AS elemtypoid, pg_proc.proname FROM pg_type AS typ JOIN pg_proc ON pg_proc.oid = typ.typreceive) AS t JOIN pg_namespace AS ns ON (ns.oid = t.typnamespace) ORDER BY 1",
  "SELECT pg_try_advisory_lock(123456)",
  "SELECT pg_advisory_unlock_all()",
  "SELECT pg_advisory_xact_lock(hashtext('migrations'))",
  "SELECT datname FROM pg_database WHERE datistemplate = false",
  "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_'",
  "SELECT pid, state, query FROM pg_stat_activity WHERE datname = current_database()",
  "SELECT rolname, rolsuper FROM pg_roles",
  "SELECT extname, extversion FROM pg_extension",
  "SELECT * FROM pg_catalog.pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
  "SELECT * FROM information_schema.tables",
  "SELECT enumlabel FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid WHERE typname = 'order_status'",
  "SELECT * FROM pg_locks WHERE NOT granted",
  "SELECT * FROM pg_stat_database WHERE datname = current_database()",
  "SELECT blks_hit::float / nullif(blks_hit + blks_read, 0) FROM pg_stat_database LIMIT 1",
  "SELECT pg_is_in_recovery(), pg_postmaster_start_time(), txid_current_if_assigned()",
  "SELECT setval(pg_get_serial_sequence('scratch', 'id'), coalesce(max(id), 1)) FROM scratch",
  "SELECT setval('shop.invoice_number', 5000, false)",
  "SELECT nextval('invoice_number'), currval('invoice_number')",
  "SELECT * FROM price_list",
  "SELECT * FROM elsewhere LIMIT 1",
  "SELECT * FROM dblink('dbname=postgres', 'SELECT 1') AS t(a int)",
  "SELECT pg_terminate_backend(pg_backend_pid())",
  "SELECT lo_create(0)",
  "SELECT lo_get(4242)",
  "SELECT lo_put(4242, 0, 'x')",
  "SELECT lo_unlink(4242)",
  "SELECT lo_import('/server/folder/marked-file')",
  "SELECT lo_export(4242, '/server/folder/exported')",
  "COPY shop.orders TO '/server/folder/orders'",
  "COPY shop.audit (what) FROM '/server/folder/marked-file'",
  "COPY shop.scratch (body) FROM '/server/folder/marked-file'",
  "COPY shop.scratch (body) FROM PROGRAM 'cat /server/folder/marked-file'",
  "COPY (SELECT 1) TO PROGRAM 'cat > /server/folder/piped'",
  "SELECT pg_read_file('/server/folder/marked-file')",
  "SELECT * FROM pg_ls_dir('/server/folder')",
  "SELECT pg_stat_file('/server/folder/marked-file')",
  "SELECT * FROM pg_read_binary_file('marked-file') b WHERE encode(b, 'escape') > ''",
  "SELECT encode(pg_read_binary_file('marked-file'), 'escape')",
  "SELECT query_to_xml('SELECT email FROM shop.customers', true, false, '')",
  "SELECT table_to_xml('shop.customers', true, false, '')",
  "SELECT cursor_to_xml('c', 1, true, false, '')",
  "SELECT ts_stat('SELECT to_tsvector(name) FROM shop.customers')",
  "SELECT * FROM pg_authid",
  "SELECT rolpassword FROM pg_catalog.pg_authid",
  "SELECT * FROM pg_shadow",
  "SELECT * FROM pg_stats WHERE tablename = 'customers'",
  "SELECT * FROM pg_user_mappings",
  "UPDATE pg_class SET relname = relname WHERE false",
  "DELETE FROM pg_catalog.pg_description WHERE false",
  "SELECT risk(o) FROM orders o",
  "SELECT o.risk FROM orders o",
  "SELECT upper(1)",
  "SELECT name ==== 'x' FROM customers LIMIT 1",
  "SELECT name FROM authors_of_everything()",
];

/** Every form over every table that has what it needs, and the ones that stand alone. */
export function forms(random: Random, each: number): readonly Form[] {
  const tables = RELATIONS.filter(({ kind }) => kind === "table").flatMap(
    (relation) => tableOf(relation, random) ?? [],
  );
  return [
    ...ONCE.map((text) => ({ text })),
    ...MAKERS.flatMap((make) => random.some(tables, each).map((table) => make(table))),
  ];
}

function tableOf({ schema, name, key, columns }: Relation, random: Random): Table | undefined {
  const [first] = key;
  const word = columns.find((column) => column.type === "text" && !key.includes(column.name));
  if (first === undefined || word === undefined || key.length > 1) return undefined;
  const isUuid = columns.find((column) => column.name === first)?.type === "uuid";
  return { schema, name, key: first, isUuid, columns, word: word.name, random };
}
