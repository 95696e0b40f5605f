/**
 * The schemas of the generated corpus, as data and as DDL: a web shop, a CI server, a CMS and web analytics, with
 * views, functions, triggers, rules, partitions, policies, types and a foreign table. Every table has four rows, and
 * every column that is not a foreign key has a differing value in each.
 */

export type Type =
  | "int"
  | "text"
  | "numeric"
  | "bool"
  | "date"
  | "timestamptz"
  | "jsonb"
  | "uuid"
  | "text[]"
  | "inet"
  | "interval"
  | "bytea"
  | "xml";

export interface Column {
  readonly name: string;
  readonly type: Type;
  readonly notNull: boolean;
}

export interface Relation {
  readonly schema: string;
  readonly name: string;
  readonly kind: "table" | "view";
  readonly columns: readonly Column[];
  /** Names of the primary key's columns; empty for views. */
  readonly key: readonly string[];
}

export const ROWS = 4;

/** "name type", "!" for NOT NULL, ">table" for a foreign key on id; the names in front of "|" are the key. */
const TABLES: Readonly<Record<string, string>> = {
  "shop.customers":
    "id | id int!, email text!, name text!, born date, vip bool!, credit numeric!, created_at timestamptz!, settings jsonb!, labels text[]!",
  "shop.products":
    "id | id int!, sku text!, title text!, price numeric!, stock int!, tags text[]!, attributes jsonb!, active bool!, photo bytea",
  "shop.orders":
    "id | id int!, customer_id int!>shop.customers, status text!, total numeric!, placed_at timestamptz!, note text",
  "shop.order_lines":
    "order_id line | order_id int!>shop.orders, line int!, product_id int!>shop.products, quantity int!, price numeric!",
  "shop.carts":
    "id | id uuid!, customer_id int!>shop.customers, contents jsonb!, updated_at timestamptz!, lifetime interval!",
  "shop.audit": "id | id int!, at timestamptz!, what text!",
  "ci.projects":
    "id | id int!, path text!, visibility text!, topics text[]!, created_at timestamptz!, archived bool!, config jsonb!",
  "ci.runners": "id | id int!, token text!, address inet!, active bool!, contacted_at timestamptz, tag_list text[]!",
  "ci.pipelines":
    "id | id int!, project_id int!>ci.projects, ref text!, status text!, started_at timestamptz!, duration interval",
  "ci.jobs":
    "id | id int!, pipeline_id int!>ci.pipelines, runner_id int!>ci.runners, name text!, status text!, attempts int!, queued_at timestamptz!, options jsonb!",
  "ci.artifacts": "id | id int!, job_id int!>ci.jobs, file text!, size int!, digest bytea!, expire_at timestamptz",
  "cms.authors": "id | id int!, login text!, display_name text!, joined date!, bio text, active bool!",
  "cms.articles":
    "id | id int!, author_id int!>cms.authors, slug text!, title text!, body text!, published_at timestamptz, tags text[]!, meta jsonb!, score numeric!",
  "cms.comments":
    "id | id int!, article_id int!>cms.articles, author_id int!>cms.authors, body text!, posted_at timestamptz!, hidden bool!",
  "cms.revisions": "id | id int!, article_id int!, body text!, saved_at timestamptz!",
  "analytics.sites": "id | id int!, domain text!, opened date!, weight numeric!",
  "analytics.visits":
    "id | id uuid!, site_id int!>analytics.sites, address inet!, began_at timestamptz!, lasted interval!, pages int!, referrer text, facts jsonb!",
  "analytics.goals": "id | id int!, site_id int!>analytics.sites, name text!, amount numeric!, reached bool!",
};

/** Partitioned by range of `at`; two partitions and a default one. */
const EVENTS = "id int!, at timestamptz!, kind text!, amount numeric!, payload jsonb!";

const VIEWS: Readonly<Record<string, readonly [columns: string, query: string]>> = {
  "shop.order_overview": [
    "order_id int, customer text, status text, total numeric, lines int",
    `SELECT o.id, c.name, o.status, o.total, (SELECT count(*)::int FROM shop.order_lines l WHERE l.order_id = o.id)
       FROM shop.orders o JOIN shop.customers c ON c.id = o.customer_id`,
  ],
  "shop.active_products": [
    "id int, title text, price numeric, active bool",
    "SELECT id, title, price, active FROM shop.products WHERE active",
  ],
  "ci.failed_jobs": [
    "id int, name text, path text, queued_at timestamptz",
    `SELECT j.id, j.name, p.path, j.queued_at FROM ci.jobs j
       JOIN ci.pipelines l ON l.id = j.pipeline_id JOIN ci.projects p ON p.id = l.project_id WHERE j.status <> 'status 1'`,
  ],
  "cms.published": [
    "id int, title text, author text, published_at timestamptz",
    `SELECT a.id, a.title, u.display_name, a.published_at FROM cms.articles a JOIN cms.authors u ON u.id = a.author_id
       WHERE a.published_at IS NOT NULL`,
  ],
  "analytics.events_by_kind": [
    "kind text, amount numeric, last_at timestamptz",
    "SELECT kind, sum(amount), max(at) FROM analytics.events GROUP BY kind",
  ],
};

function columnsOf(text: string): readonly Column[] {
  return text.split(", ").map((part) => {
    const [, name = "", type = "", mark] = /^(\w+) ([\w[\]]+)(!?)/.exec(part.trim()) ?? [];
    return { name, type: type as Type, notNull: mark === "!" };
  });
}

function relationOf(path: string, kind: Relation["kind"], key: string, columns: string): Relation {
  const [schema = "", name = ""] = path.split(".");
  return { schema, name, kind, columns: columnsOf(columns), key: key.split(" ").filter((part) => part !== "") };
}

export const RELATIONS: readonly Relation[] = [
  ...Object.entries(TABLES).map(([path, text]) => {
    const [key = "", columns = ""] = text.split(" | ");
    return relationOf(path, "table", key, columns);
  }),
  relationOf("analytics.events", "table", "id at", EVENTS),
  ...Object.entries(VIEWS).map(([path, [columns]]) => relationOf(path, "view", "", columns)),
];

/** A value of a type that differs with n. */
const VALUES: Readonly<Record<Type, (column: string) => string>> = {
  int: () => "n",
  text: (column) => `'${column} ' || n`,
  numeric: () => "n * 1.5",
  bool: () => "n % 2 = 0",
  date: () => "date '2026-01-01' + n",
  timestamptz: () => "timestamptz '2026-01-01 00:00Z' + n * interval '1 day'",
  jsonb: (column) => `jsonb_build_object('${column}', n, 'list', jsonb_build_array(n, n + 1), 'name', 'n' || n)`,
  uuid: () => "lpad(n::text, 32, '0')::uuid",
  "text[]": (column) => `ARRAY['${column}', 'n' || n]`,
  inet: () => "('10.0.0.' || n)::inet",
  interval: () => "n * interval '1 hour'",
  bytea: () => "convert_to('b' || n, 'UTF8')",
  xml: () => "xmlelement(name x, n)",
};

function tableDdl(path: string, text: string): string {
  const [key = "", columns = ""] = text.split(" | ");
  const parts = columns.split(", ").map((part) => {
    const [own = "", target] = part.split(">");
    const column = own.replace("!", " NOT NULL");
    return target === undefined
      ? column
      : `${column} REFERENCES ${target} (id)${path === "shop.order_lines" ? " ON DELETE CASCADE" : ""}`;
  });
  const values = columnsOf(columns).map(({ name, type }) => VALUES[type](name));
  return `CREATE TABLE ${path} (${parts.join(", ")}, PRIMARY KEY (${key.split(" ").join(", ")}));
    INSERT INTO ${path} SELECT ${values.join(", ")} FROM generate_series(1, ${ROWS}) n;`;
}

/** Everything besides plain tables and views. Object names occur again in the definitions that change them. */
const FURTHER = `
CREATE TABLE analytics.events (${EVENTS.replaceAll("!", " NOT NULL")}, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE analytics.events_january PARTITION OF analytics.events FOR VALUES FROM ('2026-01-01') TO ('2026-01-04');
CREATE TABLE analytics.events_later PARTITION OF analytics.events DEFAULT;
INSERT INTO analytics.events SELECT ${columnsOf(EVENTS)
  .map(({ name, type }) => VALUES[type](name))
  .join(", ")} FROM generate_series(1, ${ROWS}) n;
CREATE TABLE analytics.mobile_visits (device text) INHERITS (analytics.visits);
CREATE UNLOGGED TABLE shop.scratch (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, body text, twice int GENERATED ALWAYS AS (id * 2) STORED);
INSERT INTO shop.scratch (body) SELECT 'body ' || n FROM generate_series(1, ${ROWS}) n;
CREATE SEQUENCE shop.invoice_number;
CREATE TYPE shop.order_status AS ENUM ('open', 'paid', 'sent');
CREATE TYPE shop.money_amount AS (amount numeric, currency text);
CREATE TYPE ci.duration_range AS RANGE (subtype = int4);
CREATE DOMAIN shop.email_address AS text CHECK (VALUE LIKE '%@%');
CREATE COLLATION cms.plain FROM "C";
CREATE STATISTICS shop.product_statistics (dependencies) ON sku, price FROM shop.products;
CREATE INDEX products_title ON shop.products (lower(title));
CREATE INDEX articles_tags ON cms.articles USING gin (tags);
CREATE INDEX jobs_waiting ON ci.jobs (queued_at) WHERE status <> 'done';
CREATE FUNCTION shop.order_total(wanted int) RETURNS numeric LANGUAGE sql STABLE
  AS 'SELECT sum(quantity * price) FROM shop.order_lines WHERE order_id = wanted';
CREATE FUNCTION shop.plain_tax(net numeric) RETURNS numeric LANGUAGE sql IMMUTABLE RETURN net * 1.2;
CREATE FUNCTION shop.note(said text) RETURNS int LANGUAGE sql
  AS 'INSERT INTO shop.audit SELECT coalesce(max(id), 0) + 1, now(), said FROM shop.audit RETURNING id';
CREATE FUNCTION ci.take_job(wanted int) RETURNS SETOF ci.jobs LANGUAGE plpgsql
  AS 'BEGIN RETURN QUERY UPDATE ci.jobs SET attempts = attempts + 1 WHERE id = wanted RETURNING *; END';
CREATE PROCEDURE shop.close_order(wanted int) LANGUAGE sql AS 'UPDATE shop.orders SET status = ''closed'' WHERE id = wanted';
CREATE FUNCTION cms.keep_revision() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN
  INSERT INTO cms.revisions SELECT coalesce(max(id), 0) + 1, OLD.id, OLD.body, now() FROM cms.revisions; RETURN NEW; END';
CREATE TRIGGER keep_revision AFTER UPDATE ON cms.articles FOR EACH ROW EXECUTE FUNCTION cms.keep_revision();
CREATE TABLE cms.legacy_comments (id int PRIMARY KEY, body text);
CREATE RULE redirected AS ON INSERT TO cms.legacy_comments DO INSTEAD
  INSERT INTO cms.revisions VALUES (NEW.id + 1000, 1, NEW.body, now());
CREATE POLICY own_artifacts ON ci.artifacts USING (EXISTS (SELECT 1 FROM ci.jobs j WHERE j.id = job_id));
CREATE MATERIALIZED VIEW analytics.daily AS SELECT site_id, count(*) AS visits FROM analytics.visits GROUP BY site_id;
CREATE UNIQUE INDEX daily_site ON analytics.daily (site_id);
CREATE FUNCTION shop.same_text(a text, b text) RETURNS bool LANGUAGE sql IMMUTABLE RETURN lower(a) = lower(b);
CREATE OPERATOR shop.=== (leftarg = text, rightarg = text, function = shop.same_text);
CREATE FUNCTION shop.counting(a text, b text) RETURNS bool LANGUAGE sql AS 'SELECT count(*) > 0 AND a = b FROM shop.customers';
CREATE OPERATOR shop.==== (leftarg = text, rightarg = text, function = shop.counting);
CREATE FUNCTION shop.risk(o shop.orders) RETURNS numeric LANGUAGE sql STABLE AS 'SELECT credit FROM shop.customers WHERE id = o.customer_id';
CREATE FUNCTION shop.upper(int) RETURNS text LANGUAGE sql STABLE AS 'SELECT display_name FROM cms.authors WHERE id = $1';
CREATE FUNCTION cms.authors_of_everything() RETURNS SETOF cms.authors LANGUAGE sql STABLE AS 'SELECT * FROM cms.authors';
CREATE AGGREGATE shop.joined (text) (sfunc = textcat, stype = text, initcond = '');
CREATE FUNCTION shop.to_amount(numeric) RETURNS shop.money_amount LANGUAGE sql IMMUTABLE RETURN ROW($1, 'EUR')::shop.money_amount;
CREATE CAST (numeric AS shop.money_amount) WITH FUNCTION shop.to_amount(numeric);
CREATE OPERATOR FAMILY shop.own_family USING btree;
CREATE OPERATOR CLASS shop.own_class FOR TYPE int USING btree FAMILY shop.own_family AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint4cmp(int, int);
CREATE CONVERSION cms.own_conversion FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
CREATE TEXT SEARCH DICTIONARY cms.own_dictionary (TEMPLATE = simple);
CREATE TEXT SEARCH CONFIGURATION cms.own_search (COPY = pg_catalog.simple);
CREATE TEXT SEARCH PARSER cms.own_parser (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype);
CREATE TEXT SEARCH TEMPLATE cms.own_template (LEXIZE = dsimple_lexize, INIT = dsimple_init);
CREATE FUNCTION public.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER watch_logins ON sql_drop WHEN TAG IN ('DROP ACCESS METHOD') EXECUTE FUNCTION public.on_ddl();
CREATE PUBLICATION shop_changes FOR TABLE shop.orders;
CREATE EXTENSION file_fdw;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE USER MAPPING FOR PUBLIC SERVER files;
CREATE EXTENSION postgres_fdw;
CREATE SERVER remote FOREIGN DATA WRAPPER postgres_fdw;
CREATE USER MAPPING FOR PUBLIC SERVER remote OPTIONS (password 'x', password_required 'false');
CREATE FOREIGN DATA WRAPPER plain_wrapper;
CREATE TABLE analytics.events_spare (LIKE analytics.events INCLUDING ALL);
CREATE TABLE analytics.rated (score int, body text) PARTITION BY RANGE (score);
CREATE TABLE analytics.rated_first PARTITION OF analytics.rated FOR VALUES FROM (0) TO (10);
CREATE TYPE shop.priced AS (amount numeric, currency text);
CREATE TABLE shop.amounts OF shop.priced;
CREATE EXTENSION hstore SCHEMA public;
CREATE ACCESS METHOD own_heap TYPE TABLE HANDLER heap_tableam_handler;
SELECT lo_from_bytea(4242, 'large');
COMMENT ON TABLE shop.customers IS 'who buys';
`;

const VIEW_DDL = Object.entries(VIEWS)
  .map(([path, [columns, query]]) => {
    const names = columnsOf(columns).map(({ name }) => name);
    return `CREATE VIEW ${path} (${names.join(", ")}) AS ${query};`;
  })
  .join("\n");

/** Roles are the server's, not the database's: made once. */
export const ROLES =
  "CREATE ROLE reporting; CREATE ROLE deployer LOGIN; CREATE ROLE retired; CREATE ROLE nobody_special; CREATE ROLE app; CREATE ROLE r; CREATE ROLE a; CREATE ROLE b; CREATE ROLE x; GRANT reporting TO deployer;";

export interface ServerFacts {
  /** A file of the server that a foreign table reads. */
  readonly file: string;
  /** Where the server reaches itself as another server. */
  readonly host: string;
  readonly port: number;
}

export function schemaDdl({ file, host, port }: ServerFacts): string {
  const tables = Object.entries(TABLES).map(([path, text]) => tableDdl(path, text));
  return [
    "CREATE SCHEMA shop; CREATE SCHEMA ci; CREATE SCHEMA cms; CREATE SCHEMA analytics;",
    ...tables,
    FURTHER,
    VIEW_DDL,
    `CREATE FOREIGN TABLE shop.price_list (line text) SERVER files OPTIONS (filename '${file}');`,
    `ALTER SERVER remote OPTIONS (ADD host '${host}', ADD port '${port}', ADD dbname 'postgres');`,
    "ALTER USER MAPPING FOR PUBLIC SERVER remote OPTIONS (ADD user 'postgres');",
    "CREATE FOREIGN TABLE shop.elsewhere (setting text) SERVER remote OPTIONS (schema_name 'pg_catalog', table_name 'pg_settings');",
    "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, shop, ci, cms, analytics', current_database()); END $$;",
    "ANALYZE;",
  ].join("\n");
}
