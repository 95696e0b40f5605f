/**
 * DDL and administration of every kind that the grammar has, as rows: `{a|b|}` is one of its alternatives, `@table` and
 * the like a name of the schemas, `@new` a fresh name. Each row is one node type of a statement at least. Data, and the
 * expander.
 */
import type { Random } from "../random.ts";
import { RELATIONS } from "../schemas.ts";

/** They run in a transaction that is rolled back. */
const ROWS: readonly string[] = [
  // Tables
  "CREATE {|TEMP |TEMPORARY |UNLOGGED }TABLE {|IF NOT EXISTS }@new (id int {PRIMARY KEY|NOT NULL|UNIQUE|GENERATED ALWAYS AS IDENTITY|DEFAULT 7|CHECK (id > 0)}, body @type{|, CHECK (id < 99)|, UNIQUE NULLS NOT DISTINCT (body)})",
  "CREATE TABLE @new (id int PRIMARY KEY, customer_id int REFERENCES shop.customers {|(id) }{|ON DELETE CASCADE|ON UPDATE SET NULL|ON DELETE SET NULL (customer_id)|DEFERRABLE INITIALLY DEFERRED})",
  "CREATE TABLE @new (LIKE @table {INCLUDING ALL|EXCLUDING CONSTRAINTS|INCLUDING DEFAULTS INCLUDING INDEXES|})",
  "CREATE TABLE @new (note text) INHERITS (@plain)",
  "CREATE TABLE @new (a int, b text) PARTITION BY {RANGE (a)|LIST (b)|HASH (a)|RANGE (a, lower(b))}",
  "CREATE TABLE @new PARTITION OF analytics.events FOR VALUES FROM ('{2030|2031}-01-01') TO ('2032-01-01')",
  "CREATE TABLE @new (a int) {WITH (fillfactor = 70)|USING heap|TABLESPACE pg_default|WITHOUT OIDS}",
  "CREATE TEMP TABLE @new (a int) ON COMMIT {DROP|DELETE ROWS|PRESERVE ROWS}",
  "CREATE TABLE @new (a int, b int GENERATED ALWAYS AS (a * 2) {STORED|VIRTUAL})",
  "CREATE TABLE @new OF shop.money_amount (PRIMARY KEY (currency))",
  "CREATE TABLE @new (a int, b int, CONSTRAINT positive CHECK (a > 0) NO INHERIT, FOREIGN KEY (b) REFERENCES shop.orders (id) MATCH FULL)",
  "CREATE {|TEMP }TABLE @new AS {SELECT * FROM @table|TABLE @table|SELECT 1 AS a|VALUES (1)|SELECT id FROM @table WHERE id > 1} {|WITH NO DATA|WITH DATA}",
  "CREATE MATERIALIZED VIEW {|IF NOT EXISTS }@new AS SELECT * FROM @table{| WITH NO DATA}",
  "CREATE {|OR REPLACE }{|TEMP }VIEW @new{| (a)} AS SELECT count(*) FROM @table{| WHERE id > 1}",
  "CREATE {|RECURSIVE }VIEW public.@new (n) AS SELECT 1 FROM @table",
  "CREATE VIEW @new WITH ({security_barrier|security_invoker = true|check_option = local}) AS SELECT id FROM @plain",
  "CREATE VIEW @new AS SELECT id FROM @plain WITH {|LOCAL |CASCADED }CHECK OPTION",
  "ALTER TABLE {|IF EXISTS }{|ONLY }@plain ADD {|COLUMN }{|IF NOT EXISTS }@new @type{| DEFAULT NULL| CHECK (true)}",
  "ALTER TABLE shop.products DROP {|COLUMN }{|IF EXISTS }{photo|stock|attributes}{| CASCADE| RESTRICT}",
  "ALTER TABLE shop.products ALTER {|COLUMN }title {SET DEFAULT 'x'|DROP DEFAULT|SET NOT NULL|DROP NOT NULL|SET STATISTICS 200|SET STORAGE EXTERNAL|SET COMPRESSION pglz|SET (n_distinct = 5)|RESET (n_distinct)}",
  "ALTER TABLE shop.scratch ALTER id {SET GENERATED ALWAYS|RESTART WITH 50|DROP IDENTITY|DROP IDENTITY IF EXISTS|SET INCREMENT BY 2}",
  'ALTER TABLE shop.scratch ALTER body {TYPE varchar(99)|SET DATA TYPE text USING upper(body)|TYPE text COLLATE "C"}',
  "ALTER TABLE shop.scratch ALTER twice DROP EXPRESSION",
  "ALTER TABLE shop.scratch ALTER twice SET EXPRESSION AS (id * 3)",
  "ALTER TABLE ci.runners ADD {CHECK (id > 0)|CONSTRAINT c CHECK (id > 0) NOT VALID|UNIQUE (token)|CONSTRAINT u UNIQUE (token) DEFERRABLE}",
  "ALTER TABLE cms.comments ADD FOREIGN KEY (id) REFERENCES cms.articles (id){| NOT VALID}",
  "ALTER TABLE cms.comments {DROP CONSTRAINT comments_article_id_fkey|ALTER CONSTRAINT comments_article_id_fkey DEFERRABLE|VALIDATE CONSTRAINT comments_article_id_fkey|DROP CONSTRAINT IF EXISTS absent}",
  "ALTER TABLE @plain {OWNER TO reporting|SET TABLESPACE pg_default|SET (fillfactor = 80)|RESET (fillfactor)|REPLICA IDENTITY FULL|REPLICA IDENTITY NOTHING|REPLICA IDENTITY DEFAULT|SET WITHOUT CLUSTER|SET UNLOGGED|ENABLE ROW LEVEL SECURITY|DISABLE ROW LEVEL SECURITY|FORCE ROW LEVEL SECURITY|NO FORCE ROW LEVEL SECURITY|SET WITHOUT OIDS|SET ACCESS METHOD heap}",
  "ALTER TABLE @plain REPLICA IDENTITY USING INDEX @plainIndex",
  "ALTER TABLE @plain CLUSTER ON @plainIndex",
  "ALTER TABLE cms.articles {DISABLE TRIGGER keep_revision|ENABLE TRIGGER keep_revision|DISABLE TRIGGER ALL|ENABLE ALWAYS TRIGGER keep_revision|ENABLE REPLICA TRIGGER keep_revision|DISABLE TRIGGER USER|ENABLE TRIGGER ALL|ENABLE TRIGGER USER}",
  "ALTER TABLE cms.legacy_comments {DISABLE RULE redirected|ENABLE RULE redirected|ENABLE ALWAYS RULE redirected|ENABLE REPLICA RULE redirected}",
  "ALTER TABLE analytics.mobile_visits {NO INHERIT analytics.visits|ADD COLUMN x int}",
  "ALTER TABLE analytics.events DETACH PARTITION analytics.events_january",
  "ALTER TABLE analytics.events ATTACH PARTITION analytics.events_spare FOR VALUES FROM ('2031-01-01') TO ('2032-01-01')",
  'CREATE TABLE @new (a text COLLATE "C", b text COMPRESSION pglz, c text STORAGE external)',
  "ALTER TABLE shop.amounts {OF shop.priced|NOT OF}",
  "ALTER TABLE shop.orders RENAME {TO @new|COLUMN note TO remark|CONSTRAINT orders_pkey TO pk_orders|note TO remark}",
  "ALTER TABLE @plain SET SCHEMA public",
  "ALTER VIEW {shop.active_products|cms.published} {RENAME TO @new|SET SCHEMA public|OWNER TO reporting|ALTER COLUMN id SET DEFAULT 1|SET (security_barrier)|RENAME COLUMN id TO ident}",
  "ALTER MATERIALIZED VIEW analytics.daily {RENAME TO @new|SET SCHEMA public|OWNER TO reporting|CLUSTER ON daily_site|SET (fillfactor = 90)|DEPENDS ON EXTENSION hstore}",
  "ALTER INDEX shop.products_title {RENAME TO @new|SET (fillfactor = 80)|SET TABLESPACE pg_default|ALTER COLUMN 1 SET STATISTICS 100|DEPENDS ON EXTENSION hstore|NO DEPENDS ON EXTENSION hstore}",
  "ALTER FOREIGN TABLE shop.price_list {ADD COLUMN x text|OPTIONS (ADD header 'true')|RENAME TO @new|OWNER TO reporting|ALTER COLUMN line OPTIONS (ADD force_null 'true')}",
  "ALTER SEQUENCE shop.invoice_number {INCREMENT BY 5|RESTART|RESTART WITH 10|OWNED BY shop.orders.id|CYCLE|OWNER TO reporting|RENAME TO @new|SET SCHEMA public|CACHE 5|MAXVALUE 99999|AS bigint|SET LOGGED}",
  "CREATE {|TEMP }SEQUENCE {|IF NOT EXISTS }@new {|START 5|INCREMENT BY 2 MINVALUE 0|OWNED BY NONE}",
  "DROP TABLE {|IF EXISTS }{shop.audit|cms.legacy_comments|shop.scratch|@plain CASCADE|shop.audit, cms.revisions}",
  "DROP {VIEW shop.active_products|VIEW IF EXISTS cms.published, absent|MATERIALIZED VIEW analytics.daily|SEQUENCE shop.invoice_number|INDEX shop.products_title|INDEX cms.articles_tags, ci.jobs_waiting|FOREIGN TABLE shop.price_list}{| CASCADE| RESTRICT}",
  "TRUNCATE shop.audit, cms.revisions{| RESTART IDENTITY}",
  'CREATE {|UNIQUE }INDEX {|IF NOT EXISTS @new |@new |}ON {|ONLY }shop.products {|USING btree }({sku|lower(sku)|(price * 2) DESC NULLS LAST|sku COLLATE "C" text_pattern_ops|sku, id})',
  "CREATE INDEX ON ci.jobs (status){| INCLUDE (name)}{| WITH (fillfactor = 70)}{| WHERE status <> 'done'}",
  "CREATE INDEX @new ON cms.articles USING gin ({tags|meta jsonb_path_ops|to_tsvector('simple', body)})",
  "REINDEX {TABLE shop.orders|INDEX shop.products_title|(VERBOSE) TABLE cms.articles}",
  "CREATE STATISTICS {|IF NOT EXISTS }@new {|(ndistinct) |(dependencies, mcv) }ON {sku, price|(lower(sku)), price|stock, active} FROM shop.products",
  "ALTER STATISTICS shop.product_statistics {SET STATISTICS 100|RENAME TO @new|OWNER TO reporting|SET SCHEMA public}",
  "DROP STATISTICS {|IF EXISTS }shop.product_statistics",
  "LOCK {|TABLE }{|ONLY }@plain{| IN @mode MODE}{| NOWAIT}",
  "CLUSTER shop.products USING products_pkey",
  "ANALYZE {|VERBOSE }{@plain|shop.orders (status, total)|}",
  "REFRESH MATERIALIZED VIEW {CONCURRENTLY analytics.daily|analytics.daily|analytics.daily WITH NO DATA}",
  "SET CONSTRAINTS ALL {DEFERRED|IMMEDIATE}",
  // Schemas, types, functions
  "CREATE SCHEMA {|IF NOT EXISTS }@new{| AUTHORIZATION reporting}",
  "CREATE SCHEMA @new {CREATE TABLE made (a int)|CREATE VIEW seen AS SELECT 1 AS a|CREATE TABLE made (a int) GRANT SELECT ON made TO reporting|CREATE SEQUENCE s}",
  "ALTER SCHEMA {cms|analytics} {RENAME TO @new|OWNER TO reporting}",
  "DROP SCHEMA {cms|analytics|IF EXISTS absent, ci} CASCADE",
  "CREATE TYPE @new AS {ENUM ('a', 'b')|ENUM ()|(a int, b text COLLATE \"C\")|RANGE (subtype = numeric)|()}",
  "CREATE TYPE @new",
  "ALTER TYPE shop.order_status {ADD VALUE 'lost'|ADD VALUE IF NOT EXISTS 'paid' BEFORE 'open'|ADD VALUE 'x' AFTER 'open'|RENAME VALUE 'open' TO 'new'|RENAME TO @new|OWNER TO reporting|SET SCHEMA public}",
  "ALTER TYPE shop.money_amount {ADD ATTRIBUTE country text|DROP ATTRIBUTE currency|ALTER ATTRIBUTE amount TYPE int|RENAME ATTRIBUTE amount TO value|ADD ATTRIBUTE a int CASCADE}",
  "ALTER TYPE public.hstore SET (RECEIVE = hstore_recv)",
  "DROP TYPE {|IF EXISTS }{shop.order_status|shop.money_amount CASCADE|ci.duration_range}",
  "CREATE DOMAIN @new {AS |}text{| DEFAULT 'x'| NOT NULL| CHECK (VALUE <> '')| COLLATE \"C\" CONSTRAINT c CHECK (length(VALUE) > 1)}",
  "ALTER DOMAIN shop.email_address {SET DEFAULT 'a@b'|DROP DEFAULT|SET NOT NULL|DROP NOT NULL|ADD CHECK (VALUE <> '')|ADD CONSTRAINT c CHECK (true) NOT VALID|DROP CONSTRAINT email_address_check|RENAME TO @new|OWNER TO reporting|SET SCHEMA public|RENAME CONSTRAINT email_address_check TO c|VALIDATE CONSTRAINT email_address_check}",
  "DROP DOMAIN shop.email_address",
  "CREATE {|OR REPLACE }FUNCTION @new({|a int|a int, b text DEFAULT 'x'|VARIADIC a int[]|IN b int|IN a int}) RETURNS int LANGUAGE sql {|STABLE|IMMUTABLE STRICT|SECURITY DEFINER|PARALLEL SAFE COST 5|LEAKPROOF|SET search_path = shop} AS 'SELECT 1'",
  "CREATE FUNCTION @new() RETURNS {SETOF shop.orders LANGUAGE sql AS 'SELECT * FROM shop.orders'|TABLE (id int, n text) LANGUAGE sql AS 'SELECT 1, NULL::text'|int LANGUAGE sql RETURN 1|int LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM shop.orders; END|trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'|void LANGUAGE plpgsql AS 'BEGIN DELETE FROM shop.orders; END'}",
  "CREATE FUNCTION @new(int, int) RETURNS int LANGUAGE internal IMMUTABLE AS 'int4pl'",
  "CREATE PROCEDURE @new(a int) LANGUAGE {sql AS 'DELETE FROM shop.orders WHERE id = a'|plpgsql AS 'BEGIN END'|sql BEGIN ATOMIC UPDATE shop.orders SET note = 'x' WHERE id = a; END}",
  "ALTER FUNCTION shop.order_total(int) {RENAME TO @new|OWNER TO reporting|SET SCHEMA public|IMMUTABLE|SECURITY DEFINER|SET work_mem = 64|RESET ALL|COST 10|DEPENDS ON EXTENSION hstore|SET search_path FROM CURRENT}",
  "ALTER {PROCEDURE shop.close_order(int)|ROUTINE shop.close_order} {RENAME TO @new|SECURITY DEFINER|OWNER TO reporting}",
  "DROP {FUNCTION shop.note(text)|FUNCTION IF EXISTS shop.order_total, absent|PROCEDURE shop.close_order|ROUTINE shop.note|FUNCTION cms.keep_revision CASCADE}",
  "CREATE {|CONSTRAINT |OR REPLACE }TRIGGER @new {AFTER INSERT|AFTER UPDATE OF body|AFTER DELETE|AFTER INSERT OR UPDATE} ON cms.articles FOR EACH ROW {|WHEN (true) }EXECUTE FUNCTION cms.keep_revision()",
  "CREATE TRIGGER @new AFTER UPDATE ON shop.orders REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT EXECUTE {FUNCTION|PROCEDURE} cms.keep_revision()",
  "CREATE TRIGGER @new INSTEAD OF UPDATE ON shop.order_overview FOR EACH ROW EXECUTE FUNCTION cms.keep_revision()",
  "ALTER TRIGGER keep_revision ON cms.articles {RENAME TO @new|DEPENDS ON EXTENSION hstore}",
  "DROP TRIGGER {|IF EXISTS }keep_revision ON cms.articles",
  "CREATE {|OR REPLACE }RULE @new AS ON {INSERT|UPDATE|DELETE} TO cms.legacy_comments {|WHERE false }DO {|ALSO |INSTEAD }{NOTHING|DELETE FROM shop.audit WHERE false|INSERT INTO shop.audit VALUES (1, now(), 'x')|NOTIFY rules|(INSERT INTO shop.audit VALUES (1, now(), 'x'); DELETE FROM shop.audit)}",
  "ALTER RULE redirected ON cms.legacy_comments RENAME TO @new",
  "DROP RULE redirected ON cms.legacy_comments",
  "CREATE POLICY @new ON {shop.orders|ci.artifacts} {|AS RESTRICTIVE }{|FOR SELECT |FOR ALL }{|TO reporting }USING ({true|id > 1|EXISTS (SELECT 1 FROM shop.customers)})",
  "ALTER POLICY own_artifacts ON ci.artifacts {RENAME TO @new|TO reporting|USING (true)|WITH CHECK (id > 0)}",
  "DROP POLICY own_artifacts ON ci.artifacts",
  "CREATE {AGGREGATE @new (text) (sfunc = textcat, stype = text)|AGGREGATE @new (int) (sfunc = int4pl, stype = int, initcond = '0')|OPERATOR shop.=#= (leftarg = text, rightarg = text, function = texteq, commutator = OPERATOR(shop.=#=))|COLLATION @new FROM \"C\"|COLLATION @new (provider = libc, locale = 'C')|COLLATION IF NOT EXISTS @new (locale = 'C')|TEXT SEARCH DICTIONARY @new (TEMPLATE = simple)|TEXT SEARCH CONFIGURATION @new (PARSER = default)|TEXT SEARCH PARSER @new (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype)|TEXT SEARCH TEMPLATE @new (LEXIZE = dsimple_lexize)}",
  "ALTER AGGREGATE shop.joined(text) {RENAME TO @new|OWNER TO reporting|SET SCHEMA public}",
  "ALTER OPERATOR shop.=== (text, text) {OWNER TO reporting|SET SCHEMA public|SET (RESTRICT = eqsel)|SET (COMMUTATOR = OPERATOR(shop.===))}",
  "ALTER COLLATION cms.plain {RENAME TO @new|OWNER TO reporting|SET SCHEMA public|REFRESH VERSION}",
  "ALTER TEXT SEARCH DICTIONARY cms.own_dictionary {(ACCEPT = true)|RENAME TO @new|OWNER TO reporting|SET SCHEMA public}",
  "ALTER TEXT SEARCH CONFIGURATION cms.own_search {RENAME TO @new|OWNER TO reporting|SET SCHEMA public|ALTER MAPPING FOR word WITH cms.own_dictionary|DROP MAPPING FOR word|ADD MAPPING FOR tag WITH simple|ALTER MAPPING REPLACE simple WITH cms.own_dictionary}",
  "ALTER TEXT SEARCH {PARSER cms.own_parser|TEMPLATE cms.own_template} {RENAME TO @new|SET SCHEMA public}",
  "DROP {AGGREGATE shop.joined(text)|OPERATOR shop.=== (text, text)|COLLATION cms.plain|TEXT SEARCH DICTIONARY cms.own_dictionary|TEXT SEARCH CONFIGURATION cms.own_search|TEXT SEARCH PARSER cms.own_parser|TEXT SEARCH TEMPLATE cms.own_template|CONVERSION cms.own_conversion|OPERATOR CLASS shop.own_class USING btree|OPERATOR FAMILY shop.own_family USING btree CASCADE|CAST (numeric AS shop.money_amount)}",
  "CREATE CAST (shop.money_amount AS text) {WITH INOUT|WITH INOUT AS ASSIGNMENT}",
  "CREATE CAST (xml AS bytea) WITHOUT FUNCTION",
  "CREATE OPERATOR CLASS @new FOR TYPE int USING hash AS OPERATOR 1 =, FUNCTION 1 hashint4(int)",
  "CREATE OPERATOR FAMILY @new USING {btree|hash|gin}",
  "ALTER OPERATOR FAMILY shop.own_family USING btree {RENAME TO @new|OWNER TO reporting|SET SCHEMA public|ADD OPERATOR 1 < (int8, int8)|ADD FUNCTION 1 btint8cmp(int8, int8)}",
  "ALTER OPERATOR CLASS shop.own_class USING btree {RENAME TO @new|OWNER TO reporting|SET SCHEMA public}",
  "CREATE {|DEFAULT }CONVERSION @new FOR 'LATIN2' TO 'UTF8' FROM iso8859_to_utf8",
  "ALTER CONVERSION cms.own_conversion {RENAME TO @new|OWNER TO reporting|SET SCHEMA public}",
  "CREATE TRANSFORM FOR public.hstore LANGUAGE plpgsql (FROM SQL WITH FUNCTION prsd_lextype(internal), TO SQL WITH FUNCTION public.hstore_recv(internal))",
  "DROP TRANSFORM IF EXISTS FOR int LANGUAGE plpgsql",
  "COMMENT ON {TABLE shop.orders|COLUMN shop.orders.note|VIEW shop.active_products|SCHEMA cms|FUNCTION shop.note(text)|TYPE shop.order_status|DOMAIN shop.email_address|SEQUENCE shop.invoice_number|INDEX shop.products_title|CONSTRAINT orders_pkey ON shop.orders|CONSTRAINT email_address_check ON DOMAIN shop.email_address|TRIGGER keep_revision ON cms.articles|RULE redirected ON cms.legacy_comments|POLICY own_artifacts ON ci.artifacts|MATERIALIZED VIEW analytics.daily|AGGREGATE shop.joined(text)|OPERATOR shop.=== (text, text)|COLLATION cms.plain|CAST (numeric AS shop.money_amount)|STATISTICS shop.product_statistics|TEXT SEARCH DICTIONARY cms.own_dictionary|EXTENSION hstore|SERVER files|LANGUAGE plpgsql|PUBLICATION shop_changes|EVENT TRIGGER watch_logins|LARGE OBJECT 4242|CONVERSION cms.own_conversion|OPERATOR CLASS shop.own_class USING btree|FOREIGN TABLE shop.price_list|ACCESS METHOD own_heap|ROLE reporting|TABLESPACE pg_default|PROCEDURE shop.close_order(int)|FOREIGN DATA WRAPPER file_fdw|DATABASE truth} IS {'a note'|NULL|E'it\\'s'}",
  // Rights and roles
  "GRANT {SELECT|INSERT, UPDATE|ALL|ALL PRIVILEGES|DELETE|TRUNCATE, REFERENCES, TRIGGER|SELECT (id), UPDATE (id)} ON {|TABLE }@table TO {reporting|PUBLIC|reporting, deployer|deployer WITH GRANT OPTION}",
  "GRANT {USAGE ON SCHEMA shop|CREATE ON SCHEMA cms|EXECUTE ON FUNCTION shop.note(text)|EXECUTE ON PROCEDURE shop.close_order(int)|USAGE ON TYPE shop.order_status|USAGE ON SEQUENCE shop.invoice_number|SELECT ON ALL TABLES IN SCHEMA shop|EXECUTE ON ALL FUNCTIONS IN SCHEMA shop|USAGE ON ALL SEQUENCES IN SCHEMA shop|SELECT ON LARGE OBJECT 4242|USAGE ON LANGUAGE plpgsql|USAGE ON FOREIGN SERVER files|USAGE ON FOREIGN DATA WRAPPER file_fdw|CONNECT ON DATABASE truth|SET ON PARAMETER work_mem|CREATE ON TABLESPACE pg_default|USAGE ON DOMAIN shop.email_address} TO reporting",
  "REVOKE {|GRANT OPTION FOR }{SELECT|ALL} ON @table FROM {PUBLIC|reporting}{| CASCADE}",
  "GRANT {reporting TO retired|pg_read_all_data TO reporting|reporting TO retired WITH ADMIN OPTION|reporting TO retired WITH INHERIT FALSE, SET FALSE}",
  "REVOKE {reporting FROM deployer|ADMIN OPTION FOR reporting FROM deployer}",
  "ALTER DEFAULT PRIVILEGES {|IN SCHEMA shop }{|FOR ROLE reporting }{GRANT SELECT ON TABLES TO reporting|GRANT EXECUTE ON FUNCTIONS TO deployer|GRANT USAGE ON TYPES TO deployer|GRANT ALL ON SEQUENCES TO reporting}",
  "ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC",
  "CREATE {ROLE|USER|GROUP} @new{| LOGIN| SUPERUSER| PASSWORD 'x'| CREATEDB CREATEROLE| IN ROLE reporting| VALID UNTIL '2030-01-01'| NOINHERIT| CONNECTION LIMIT 5| REPLICATION BYPASSRLS| ADMIN deployer}",
  "ALTER {ROLE|USER} retired {SUPERUSER|LOGIN PASSWORD 'y'|RENAME TO gone|SET work_mem = 64|RESET ALL|NOLOGIN|SET search_path = shop|CONNECTION LIMIT 3}",
  "ALTER GROUP reporting {ADD USER retired|DROP USER deployer}",
  "DROP {ROLE|USER|GROUP} {|IF EXISTS }retired",
  "DROP OWNED BY {reporting|retired}{| CASCADE}",
  "REASSIGN OWNED BY {reporting|deployer} TO retired",
  "SECURITY LABEL ON TABLE shop.orders IS 'x'",
  // Extensions, servers, publications
  'CREATE EXTENSION {|IF NOT EXISTS }{pgcrypto|citext|"uuid-ossp"|pg_trgm|dblink}{| SCHEMA public| CASCADE}',
  "ALTER EXTENSION hstore {UPDATE|SET SCHEMA cms|ADD TABLE shop.audit|ADD FUNCTION shop.note(text)}",
  "DROP EXTENSION {|IF EXISTS }{hstore|file_fdw CASCADE}",
  "CREATE {|TRUSTED }{|PROCEDURAL }LANGUAGE @new HANDLER plpgsql_call_handler{| INLINE plpgsql_inline_handler VALIDATOR plpgsql_validator}",
  "ALTER LANGUAGE plpgsql {RENAME TO @new|OWNER TO reporting}",
  "DROP LANGUAGE IF EXISTS absent",
  "CREATE ACCESS METHOD @new TYPE {TABLE HANDLER heap_tableam_handler|INDEX HANDLER bthandler}",
  "DROP ACCESS METHOD {|IF EXISTS }own_heap",
  "CREATE EVENT TRIGGER @new ON {ddl_command_end|sql_drop|ddl_command_start} {|WHEN TAG IN ('DROP TABLE') }EXECUTE FUNCTION public.on_ddl()",
  "ALTER EVENT TRIGGER watch_logins {DISABLE|ENABLE|ENABLE ALWAYS|RENAME TO @new|OWNER TO postgres}",
  "DROP EVENT TRIGGER watch_logins",
  "CREATE FOREIGN DATA WRAPPER @new{| HANDLER file_fdw_handler VALIDATOR file_fdw_validator| NO HANDLER| OPTIONS (debug 'true')}",
  "ALTER FOREIGN DATA WRAPPER file_fdw {NO VALIDATOR|RENAME TO @new|OWNER TO postgres}",
  "DROP FOREIGN DATA WRAPPER {|IF EXISTS }plain_wrapper{| CASCADE}",
  "CREATE SERVER {|IF NOT EXISTS }@new {|TYPE 'x' VERSION '1' }FOREIGN DATA WRAPPER file_fdw",
  "ALTER SERVER files {VERSION '2'|RENAME TO @new|OWNER TO postgres}",
  "DROP SERVER {|IF EXISTS }files CASCADE",
  "CREATE USER MAPPING {|IF NOT EXISTS }FOR {reporting|CURRENT_USER|USER} SERVER files",
  "ALTER USER MAPPING FOR PUBLIC SERVER remote OPTIONS ({SET user 'x'|SET password 'y'})",
  "DROP USER MAPPING {|IF EXISTS }FOR PUBLIC SERVER files",
  "CREATE FOREIGN TABLE @new (line text {|OPTIONS (force_null 'true')}) SERVER files OPTIONS (filename '/server/folder/x')",
  "IMPORT FOREIGN SCHEMA public {|LIMIT TO (a) |EXCEPT (b) }FROM SERVER remote INTO cms",
  "CREATE PUBLICATION @new{| FOR ALL TABLES| FOR TABLE shop.orders, ONLY cms.articles| FOR TABLE shop.orders (id, note) WHERE (id > 1)| FOR TABLES IN SCHEMA shop| WITH (publish = 'insert')}",
  "ALTER PUBLICATION shop_changes {ADD TABLE cms.articles|DROP TABLE shop.orders|SET TABLE shop.customers|SET (publish = 'update')|RENAME TO @new|OWNER TO postgres|ADD TABLES IN SCHEMA ci}",
  "DROP PUBLICATION {|IF EXISTS }shop_changes",
  "CREATE SUBSCRIPTION @new CONNECTION 'dbname=nowhere' PUBLICATION p WITH (connect = false)",
  "DROP SUBSCRIPTION IF EXISTS absent",
  "LOAD '{plpgsql|$libdir/hstore}'",
  "CHECKPOINT",
  "ALTER TABLE ALL IN TABLESPACE pg_default SET TABLESPACE pg_default",
  "ALTER LARGE OBJECT 4242 OWNER TO reporting",
  "ALTER TABLESPACE pg_default {SET (seq_page_cost = 2)|RESET (seq_page_cost)|OWNER TO postgres}",
  "ALTER DATABASE truth {SET work_mem = 64|RESET ALL|CONNECTION LIMIT 50|OWNER TO postgres|RESET search_path}",
  // Code
  "DO {|LANGUAGE plpgsql }$$ BEGIN {NULL|DELETE FROM shop.audit|PERFORM count(*) FROM cms.articles|UPDATE ci.runners SET active = false|CREATE TABLE made (a int)|EXECUTE 'DROP TABLE shop.audit'|PERFORM set_config('app.tenant', 'x', true)|SET LOCAL search_path = cms}; END $$",
  "CALL shop.close_order({1|2|1 + 1})",
  "SELECT {shop.note('x')|shop.order_total(1)|* FROM ci.take_job(1)|public.hstore('a', 'b')|shop.joined(name) FROM shop.customers|1 WHERE 'a' OPERATOR(shop.===) 'A'|1 WHERE 'a' OPERATOR(shop.====) 'a'|4.5::shop.money_amount|'x' ==== 'x'}",
];

/** TEXT | what runs before it || what clears up, each parted by "; ". Every one gets a database of its own. */
const APART: readonly string[] = [
  "CREATE INDEX CONCURRENTLY {|@new }ON shop.orders (note)",
  "DROP INDEX CONCURRENTLY shop.products_title",
  "REINDEX {(CONCURRENTLY) TABLE shop.orders|TABLE CONCURRENTLY shop.orders|SCHEMA cms|INDEX CONCURRENTLY shop.products_title}",
  "VACUUM{| FULL| (ANALYZE)| FREEZE| (VERBOSE, SKIP_LOCKED)} {shop.orders|cms.articles, ci.jobs|}",
  "CLUSTER{| VERBOSE}",
  "ALTER SYSTEM {SET work_mem = 64|RESET ALL|SET log_statement = 'all'|RESET work_mem}",
  "CREATE DATABASE made_apart {|TEMPLATE template0|OWNER postgres ENCODING 'UTF8' TEMPLATE template0|CONNECTION LIMIT 3} || DROP DATABASE IF EXISTS made_apart",
  "CREATE TABLESPACE made_space LOCATION '/server/folder/space' || DROP TABLESPACE IF EXISTS made_space",
  "ALTER TABLE analytics.rated DETACH PARTITION analytics.rated_first CONCURRENTLY",
  "BEGIN; DELETE FROM shop.audit; COMMIT",
  "{BEGIN|START TRANSACTION ISOLATION LEVEL SERIALIZABLE|BEGIN READ WRITE}; UPDATE cms.comments SET hidden = true WHERE id = 1; {COMMIT|END|COMMIT AND NO CHAIN}",
  "BEGIN; SAVEPOINT a; DELETE FROM shop.audit; ROLLBACK TO SAVEPOINT a; RELEASE a; COMMIT",
  "BEGIN; INSERT INTO shop.audit VALUES (9, now(), 'x'); PREPARE TRANSACTION 'two_phase'",
  "COMMIT PREPARED 'held' | BEGIN; INSERT INTO shop.audit VALUES (9, now(), 'x'); PREPARE TRANSACTION 'held'",
  "ROLLBACK PREPARED 'held' | BEGIN; INSERT INTO shop.audit VALUES (9, now(), 'x'); PREPARE TRANSACTION 'held'",
  "PREPARE whole AS DELETE FROM shop.audit; EXECUTE whole",
  "EXECUTE held | PREPARE held AS DELETE FROM shop.audit",
  "EXECUTE held(2) | PREPARE held(int) AS UPDATE shop.orders SET note = 'x' WHERE id = $1",
  "EXPLAIN {|ANALYZE }EXECUTE held | PREPARE held AS DELETE FROM shop.audit",
  "CREATE TABLE made AS EXECUTE held | PREPARE held AS SELECT * FROM shop.orders",
  "DEALLOCATE {held|ALL|PREPARE held} | PREPARE held AS SELECT 1",
  "BEGIN; DECLARE c CURSOR FOR SELECT * FROM shop.orders; {FETCH 2 FROM c|MOVE FORWARD 1 IN c|FETCH ALL c|FETCH ABSOLUTE 1 c}; CLOSE {c|ALL}; COMMIT",
  "BEGIN; DECLARE c CURSOR FOR SELECT * FROM shop.audit; FETCH c; {DELETE FROM shop.audit WHERE CURRENT OF c|UPDATE shop.audit SET what = 'x' WHERE CURRENT OF c}; COMMIT",
  "SELECT pg_notify('shop_changes', 'x')",
  'LISTEN {shop_changes|"Shop Changes"|jobs|ci_jobs}',
  "NOTIFY {shop_changes|shop_changes, 'x'|jobs}",
  "UNLISTEN {*|shop_changes|jobs}",
  "DISCARD {ALL|PLANS|SEQUENCES|TEMP|TEMPORARY}",
  "{SET ROLE reporting|SET SESSION AUTHORIZATION reporting|RESET ROLE|SET SESSION AUTHORIZATION DEFAULT|SET ROLE NONE}",
  "{SET search_path = cms|SET SESSION search_path TO DEFAULT|SET app.tenant = 'x'|SET row_security = off|RESET ALL|SELECT set_config('search_path', 'cms', false)|RESET search_path|SET session_replication_role = replica}",
  "CREATE SUBSCRIPTION held CONNECTION 'dbname=nowhere' PUBLICATION p WITH (connect = false)",
  "ALTER SUBSCRIPTION held {DISABLE|RENAME TO other|SET (slot_name = NONE)|SET PUBLICATION q WITH (refresh = false)|OWNER TO postgres|SKIP (lsn = NONE)|CONNECTION 'dbname=elsewhere'} | CREATE SUBSCRIPTION held CONNECTION 'dbname=nowhere' PUBLICATION p WITH (connect = false, slot_name = NONE)",
  "DROP SUBSCRIPTION held | CREATE SUBSCRIPTION held CONNECTION 'dbname=nowhere' PUBLICATION p WITH (connect = false, slot_name = NONE)",
  "ALTER DATABASE {template1|postgres} REFRESH COLLATION VERSION",
  "ALTER ROLE retired RENAME TO renamed || ALTER ROLE renamed RENAME TO retired",
  "ALTER DATABASE made_apart {RENAME TO made_other|CONNECTION LIMIT 1|SET TABLESPACE pg_default|SET work_mem = 64} | CREATE DATABASE made_apart TEMPLATE template0 || DROP DATABASE IF EXISTS made_apart; DROP DATABASE IF EXISTS made_other",
  "DROP DATABASE {|IF EXISTS }made_apart{| WITH (FORCE)} | CREATE DATABASE made_apart TEMPLATE template0 || DROP DATABASE IF EXISTS made_apart",
  "DROP TABLESPACE {|IF EXISTS }made_space | CREATE TABLESPACE made_space LOCATION '/server/folder/space' || DROP TABLESPACE IF EXISTS made_space",
  "ALTER TABLESPACE made_space {RENAME TO other_space|OWNER TO postgres|SET (random_page_cost = 2)} | CREATE TABLESPACE made_space LOCATION '/server/folder/space' || DROP TABLESPACE IF EXISTS made_space; DROP TABLESPACE IF EXISTS other_space",
];

/** A definition as it stands in the corpus. */
export interface Definition {
  readonly text: string;
  readonly apart: boolean;
  readonly before: readonly string[];
  readonly undo: readonly string[];
}

/** `each` expansions of every row, different ones. */
export function definitions(random: Random, each: number, eachApart: number): readonly Definition[] {
  const expander = new Expander(random);
  return [
    ...ROWS.flatMap((row) => expander.several(row, each)).map((text) => ({ text, apart: false, before: [], undo: [] })),
    ...APART.flatMap((row) => expander.several(row, eachApart)).map((whole) => {
      const [rest = "", undo = ""] = whole.split(" || ");
      const [text = "", before = ""] = rest.split(" | ");
      const parts = (list: string) => list.split("; ").filter((part) => part !== "");
      return { text, apart: true, before: parts(before), undo: parts(undo) };
    }),
  ];
}

const PLAIN = [
  "shop.orders",
  "shop.audit",
  "shop.carts",
  "cms.comments",
  "ci.artifacts",
  "analytics.goals",
  "cms.authors",
  "shop.products",
];
const TYPES = [
  "int",
  "text",
  "numeric(10, 2)",
  "timestamptz",
  "jsonb",
  "varchar(20)",
  "boolean",
  "text[]",
  "uuid",
  "interval day to second",
  "bit varying(8)",
  "double precision",
  "time with time zone",
  "shop.order_status",
  "int[3][3]",
  "bytea",
  "date",
  "smallint",
  "character(3)",
];
const MODES = [
  "ACCESS SHARE",
  "ROW SHARE",
  "ROW EXCLUSIVE",
  "SHARE UPDATE EXCLUSIVE",
  "SHARE",
  "SHARE ROW EXCLUSIVE",
  "EXCLUSIVE",
  "ACCESS EXCLUSIVE",
];

class Expander {
  readonly #random: Random;
  #fresh = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  several(row: string, count: number): readonly string[] {
    const made = new Map<string, string>();
    for (let tries = 0; tries < count * 4 && made.size < count; tries++) {
      const [text = "", ...rest] = this.#expand(row).split(/(?= \|\|? )/);
      const styled = [this.#styled(text), ...rest].join("");
      made.set(styled.replace(/made_\d+/g, ""), styled);
    }
    return [...made.values()];
  }

  /** As people and tools write: small letters, lines, comments, semicolons. */
  #styled(text: string): string {
    const random = this.#random;
    const styles: readonly ((own: string) => string)[] = [
      (own) => own,
      (own) => own,
      (own) => `${own};`,
      (own) => (/['"$]/.test(own) ? own : own.toLowerCase()),
      (own) => `/* migration ${random.int(1, 99)} */ ${own}`,
      (own) => `-- step ${random.int(1, 9)}\n${own};`,
      (own) => (/['"$]/.test(own) ? own : own.replaceAll(" ", "\n  ")),
      (own) => `\n${own.replace(" ", "  ")}`,
    ];
    return random.pick(styles)(text);
  }

  #expand(row: string): string {
    const random = this.#random;
    let text = row;
    // Innermost first; no row holds braces besides these.
    while (text.includes("{")) {
      text = text.replace(/\{([^{}]*)\}/g, (_whole, list: string) => random.pick(list.split("|")));
    }
    const plain = random.pick(PLAIN);
    return text
      .replaceAll("@new", `made_${this.#fresh++}`)
      .replaceAll("@plainIndex", `${plain.split(".")[1]}_pkey`)
      .replaceAll("@plain", plain)
      .replaceAll("@table", () => this.#table())
      .replaceAll("@type", () => random.pick(TYPES))
      .replaceAll("@mode", () => random.pick(MODES));
  }

  #table(): string {
    const { schema, name } = this.#random.pick(RELATIONS.filter(({ key }) => key.length > 0));
    return this.#random.pick([`${schema}.${name}`, name]);
  }
}
