/**
 * The database that every attack and every harmless statement gets a copy of, beside the kit's customers and orders,
 * and what tells two states of one apart. Data and SQL only.
 */

/** What nobody but the owner may see. */
export const TOKEN = "TOKEN-5f1c09d2";

export const TEMPLATE = `
  CREATE TABLE customers_before AS TABLE customers;
  CREATE TABLE products (
    id int PRIMARY KEY, name text NOT NULL, price numeric(8, 2) NOT NULL, tags text[] NOT NULL, info jsonb NOT NULL,
    added timestamptz NOT NULL, words tsvector GENERATED ALWAYS AS (to_tsvector('simple', name)) STORED
  );
  INSERT INTO products
    SELECT n, 'product ' || n, n * 1.25, ARRAY['all', CASE n % 2 WHEN 0 THEN 'even' ELSE 'odd' END],
      jsonb_build_object('weight', n, 'colour', (ARRAY['red', 'green', 'blue'])[1 + n % 3], 'parts', jsonb_build_array(n, n + 1)),
      timestamptz '2024-01-01 00:00:00+00' + n * interval '1 day'
    FROM generate_series(1, 40) AS n;
  CREATE INDEX ON products USING gin (words);
  CREATE TABLE employees (id int PRIMARY KEY, manager int REFERENCES employees, name text NOT NULL, salary int);
  INSERT INTO employees VALUES (1, NULL, 'Root', 900), (2, 1, 'Left', 500), (3, 1, 'Right', 510), (4, 2, 'Leaf', NULL);
  CREATE SEQUENCE order_numbers;
  CREATE TABLE secrets (id int PRIMARY KEY, value text NOT NULL);
  INSERT INTO secrets VALUES (1, '${TOKEN}'), (2, 'other');
  CREATE SCHEMA hidden;
  CREATE TABLE hidden.orders (id int PRIMARY KEY, note text);
  INSERT INTO hidden.orders VALUES (1, '${TOKEN}');
  CREATE SCHEMA products;
  CREATE TABLE products.secrets (id int PRIMARY KEY, value text);
  INSERT INTO products.secrets VALUES (1, '${TOKEN}');
  CREATE TABLE "Orders" (id int PRIMARY KEY, note text);
  INSERT INTO "Orders" VALUES (1, '${TOKEN}');
  CREATE VIEW secret_view AS SELECT id, value FROM secrets;
  CREATE MATERIALIZED VIEW secret_copy AS SELECT id, value FROM secrets;
  CREATE TABLE secret_parts (id int, value text) PARTITION BY RANGE (id);
  CREATE TABLE secret_part PARTITION OF secret_parts FOR VALUES FROM (0) TO (10);
  INSERT INTO secret_parts VALUES (1, '${TOKEN}');
  CREATE FUNCTION clear() RETURNS int LANGUAGE sql AS 'DELETE FROM public.customers; SELECT 1';
  CREATE FUNCTION clear_of(orders) RETURNS int LANGUAGE sql AS 'DELETE FROM public.customers; SELECT 1';
  CREATE FUNCTION clear_if(boolean) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN DELETE FROM public.customers; RETURN true; END';
  CREATE FUNCTION clear_step(int, int) RETURNS int LANGUAGE plpgsql AS 'BEGIN DELETE FROM public.customers; RETURN 1; END';
  CREATE AGGREGATE clear_all(int) (sfunc = clear_step, stype = int, initcond = '0');
  CREATE PROCEDURE purge() LANGUAGE sql AS 'DELETE FROM public.customers';
  CREATE FUNCTION tell() RETURNS text LANGUAGE sql AS 'SELECT value FROM public.secrets WHERE id = 1';
  CREATE FUNCTION tell_of(orders) RETURNS text LANGUAGE sql AS 'SELECT value FROM public.secrets WHERE id = 1';
  CREATE FUNCTION run(text) RETURNS void LANGUAGE plpgsql AS 'BEGIN EXECUTE $1; END';
  CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM public.customers; RETURN NULL; END';
  CREATE OPERATOR =!= (leftarg = int, rightarg = int, function = clear_step);
  CREATE TYPE owned_pair AS (a int, b int);
  CREATE FUNCTION of_pair(owned_pair) RETURNS int LANGUAGE plpgsql AS 'BEGIN DELETE FROM public.customers; RETURN 1; END';
  CREATE CAST (owned_pair AS int) WITH FUNCTION of_pair(owned_pair);
  CREATE DOMAIN checked AS int CHECK (clear_if(VALUE > 0));
  CREATE TABLE trapped (a int);
  CREATE TRIGGER trap AFTER INSERT ON trapped EXECUTE FUNCTION touch();
  CREATE VIEW trap AS SELECT clear() AS cleared;
  CREATE TABLE owned (a int);
  ALTER TABLE owned OWNER TO reporting;
  SELECT lo_from_bytea(40711, '${TOKEN}');
`;

/** The first number of what PostgreSQL does not bring with it. */
const OWN = 16_384;
/** Counts of pages and rows stay even when what counted them is rolled back. */
const ESTIMATES = "- 'relpages' - 'reltuples' - 'relallvisible' - 'relallfrozen'";
/** Catalogs by what tells that a row is somebody's. */
const CATALOGS: Readonly<Record<string, string>> = {
  [`oid >= ${OWN}`]:
    "pg_am pg_cast pg_class pg_collation pg_constraint pg_conversion pg_default_acl pg_event_trigger pg_extension " +
    "pg_foreign_data_wrapper pg_foreign_server pg_language pg_namespace pg_opclass pg_operator pg_opfamily pg_policy " +
    "pg_proc pg_publication pg_publication_rel pg_rewrite pg_statistic_ext pg_transform pg_trigger pg_ts_config " +
    "pg_ts_dict pg_type pg_largeobject_metadata pg_attrdef",
  [`attrelid >= ${OWN}`]: "pg_attribute",
  [`indrelid >= ${OWN}`]: "pg_index",
  [`objoid >= ${OWN}`]: "pg_description",
  "setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())": "pg_db_role_setting",
  "oid < 16384": "pg_class",
};

/** One hash of everything that somebody made or changed in a database. */
export const STATE = `
  SELECT md5(string_agg(line, E'\\n' ORDER BY line)) AS state FROM (
    SELECT c.oid::regclass || ' ' || query_to_xml('SELECT * FROM ' || c.oid::regclass, true, false, '')::text AS line
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'S', 'm') AND c.oid >= ${OWN} AND n.nspname !~ '^pg_'
    UNION ALL SELECT 'lo ' || loid || ' ' || pageno || encode(data, 'hex') FROM pg_largeobject
    ${Object.entries(CATALOGS)
      .flatMap(([own, names]) => names.split(" ").map((name) => ({ own, name })))
      .map(
        ({ own, name }) =>
          `UNION ALL SELECT '${name}' || (to_jsonb(t) ${ESTIMATES} - 'relfrozenxid' - 'relminmxid')::text FROM pg_catalog.${name} t WHERE ${own}`,
      )
      .join("\n    ")}
  ) AS lines`;

/** Another one when no row of customers is left as it was: what attacks on whole tables are after. */
export const ROWS = `
  SELECT md5(CASE WHEN count(*) > 0 THEN 'some' ELSE 'none' END) AS state
  FROM public.customers JOIN public.customers_before USING (id, name, email, card, ssn)`;

/** One hash of what all databases of the server share, but for the names of databases that the suite makes. */
export const SHARED_STATE = `
  SELECT md5(string_agg(line, E'\\n' ORDER BY line)) AS state FROM (
    SELECT 'role' || to_jsonb(r)::text AS line FROM pg_authid r
    UNION ALL SELECT 'member' || to_jsonb(m)::text FROM pg_auth_members m
    UNION ALL SELECT 'space' || to_jsonb(s)::text FROM pg_tablespace s
    UNION ALL SELECT 'base' || datname FROM pg_database WHERE datname !~ '^(guard_|harmless_)'
    UNION ALL SELECT 'setting' || to_jsonb(s)::text FROM pg_db_role_setting s WHERE setdatabase = 0
    UNION ALL SELECT 'file' || name || coalesce(setting, '') FROM pg_file_settings
    UNION ALL SELECT 'slot' || slot_name FROM pg_replication_slots
    UNION ALL SELECT 'origin' || roname FROM pg_replication_origin
    UNION ALL SELECT 'prepared' || gid FROM pg_prepared_xacts
    UNION ALL SELECT 'parameter' || to_jsonb(p)::text FROM pg_parameter_acl p
  ) AS lines`;
