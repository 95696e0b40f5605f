/**
 * What the owner of the tables made beforehand around them: views, functions, rules and the like, none of which names
 * what the agent may not see. And what makes room for attacks: extensions, and tables without labels to copy into.
 */

/** TICKET stands for the value of tickets.code, which is in its partition's bounds as well. */
export const APP = `
  CREATE EXTENSION hstore; CREATE EXTENSION dblink; CREATE EXTENSION postgres_fdw; CREATE EXTENSION file_fdw;
  CREATE EXTENSION tablefunc; CREATE EXTENSION xml2; CREATE EXTENSION citext; CREATE EXTENSION unaccent;
  CREATE EXTENSION pgcrypto; CREATE EXTENSION pageinspect; CREATE EXTENSION pg_trgm; CREATE EXTENSION ltree;
  CREATE EXTENSION pg_stat_statements;

  CREATE TABLE stash (id int, x text, y text);
  INSERT INTO stash SELECT n, '', '' FROM generate_series(1, 3) AS n;

  CREATE TABLE tickets (id int, code text, PRIMARY KEY (id, code)) PARTITION BY LIST (code);
  CREATE TABLE tickets_one PARTITION OF tickets FOR VALUES IN ('TICKET');
  INSERT INTO tickets VALUES (1, 'TICKET');

  CREATE SCHEMA app;
  CREATE VIEW app.plain AS SELECT id, ssn AS x FROM public.customers;
  CREATE VIEW app.made AS SELECT id, upper(ssn) AS x FROM public.customers;
  CREATE VIEW app.twice AS SELECT x || '' AS y FROM app.plain;
  CREATE VIEW app.whole AS SELECT c AS x FROM public.customers c;
  CREATE VIEW app.everything AS SELECT * FROM public.customers;
  CREATE VIEW app.renamed (one, two, three) AS SELECT id, name, card FROM public.customers;
  CREATE VIEW app.document AS SELECT id, to_jsonb(c) AS doc FROM public.customers c;
  CREATE VIEW app.summed AS SELECT string_agg(ssn, ',') AS x, count(*) AS n FROM public.customers;
  CREATE VIEW app.united AS SELECT name AS x FROM public.customers UNION ALL SELECT ssn FROM public.customers;
  CREATE VIEW app.joined AS SELECT o.id, o.amount, c.card FROM public.orders o JOIN public.customers c ON c.id = o.customer;
  CREATE VIEW app.barrier WITH (security_barrier) AS SELECT id, card AS x FROM public.customers WHERE id > 0;
  CREATE VIEW app.invoker WITH (security_invoker) AS SELECT id, card AS x FROM public.customers;
  CREATE RECURSIVE VIEW app.chain (n, x) AS
    SELECT 1, ssn FROM public.customers UNION ALL SELECT n + 1, x FROM chain WHERE n < 2;
  CREATE VIEW app.named AS SELECT id, name AS ssn, ssn AS name FROM public.customers;
  CREATE VIEW app.sizes AS SELECT id, n, num, born, doc, tags, blob, key, pair, kind FROM public.vault;
  CREATE MATERIALIZED VIEW app.kept AS SELECT id, reverse(card) AS x FROM public.customers;
  CREATE MATERIALIZED VIEW app.kept_vault AS SELECT id, n AS x, born AS y FROM public.vault;
  CREATE VIEW app.of_kept AS SELECT x FROM app.kept;

  CREATE FUNCTION app.steal() RETURNS SETOF text LANGUAGE sql AS 'SELECT ssn FROM public.customers';
  CREATE FUNCTION app.one(int) RETURNS text LANGUAGE sql STABLE AS 'SELECT ssn FROM public.customers WHERE id = $1';
  CREATE FUNCTION app.person(int) RETURNS public.customers LANGUAGE sql AS 'SELECT * FROM public.customers WHERE id = $1';
  CREATE FUNCTION app.people() RETURNS TABLE (who text, what text) LANGUAGE sql AS 'SELECT name, card FROM public.customers';
  CREATE FUNCTION app.taken(OUT a text, OUT b int) LANGUAGE sql AS 'SELECT ssn, id FROM public.customers LIMIT 1';
  CREATE FUNCTION app.open(refcursor) RETURNS refcursor LANGUAGE plpgsql AS
    'BEGIN OPEN $1 FOR SELECT ssn FROM public.customers; RETURN $1; END';
  CREATE FUNCTION app.folded() RETURNS text IMMUTABLE LANGUAGE plpgsql AS
    'BEGIN RETURN (SELECT ssn FROM public.customers WHERE id = 1); END';
  CREATE FUNCTION app.notice() RETURNS void LANGUAGE plpgsql AS
    $$ DECLARE c public.customers; BEGIN SELECT * INTO c FROM public.customers LIMIT 1; RAISE NOTICE 'found %', c; END $$;
  CREATE FUNCTION app.fail() RETURNS void LANGUAGE plpgsql AS
    $$ DECLARE c public.customers; BEGIN SELECT * INTO c FROM public.customers LIMIT 1;
      RAISE EXCEPTION 'no' USING DETAIL = c::text; END $$;
  CREATE FUNCTION app.mail() RETURNS void LANGUAGE sql AS $$ SELECT pg_notify('mail', ssn) FROM public.customers $$;
  CREATE FUNCTION app.wrong() RETURNS void LANGUAGE plpgsql AS
    $$ BEGIN EXECUTE 'SELECT 1 FROM "' || (SELECT ssn FROM public.customers LIMIT 1) || '"'; END $$;
  CREATE FUNCTION app.nested() RETURNS void LANGUAGE plpgsql AS
    $$ BEGIN EXECUTE 'SELECT ' || quote_literal((SELECT ssn FROM public.customers WHERE id = 1)); END $$;
  CREATE FUNCTION app.keep() RETURNS void LANGUAGE plpgsql AS
    $$ BEGIN PERFORM set_config('my.kept', (SELECT ssn FROM public.customers WHERE id = 1), false); END $$;
  CREATE PROCEDURE app.hand(INOUT x text) LANGUAGE plpgsql AS
    'BEGIN SELECT ssn INTO x FROM public.customers WHERE id = 1; END';
  CREATE FUNCTION app.first(text, text) RETURNS text LANGUAGE sql AS 'SELECT ssn FROM public.customers LIMIT 1';
  CREATE OPERATOR app.=== (leftarg = text, rightarg = text, function = app.first);
  CREATE AGGREGATE app.gather (text) (sfunc = textcat, stype = text, initcond = '');
  CREATE TYPE app.token AS (id int);
  CREATE FUNCTION app.cast_token(app.token) RETURNS text LANGUAGE sql AS 'SELECT ssn FROM public.customers WHERE id = $1.id';
  CREATE CAST (app.token AS text) WITH FUNCTION app.cast_token(app.token);
  CREATE FUNCTION public.whose(public.orders) RETURNS text LANGUAGE sql AS
    'SELECT ssn FROM public.customers WHERE id = $1.customer';
  CREATE FUNCTION public.short(public.customers) RETURNS text LANGUAGE sql AS 'SELECT right($1.ssn, 7)';

  CREATE TABLE app.trap (x text);
  CREATE RULE steal AS ON INSERT TO app.trap DO INSTEAD SELECT ssn || '' AS x FROM public.customers;
  CREATE TABLE app.inbox (id int, x text);
  CREATE FUNCTION app.fill() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN NEW.x := (SELECT ssn FROM public.customers WHERE id = NEW.id); RETURN NEW; END';
  CREATE TRIGGER fill BEFORE INSERT ON app.inbox FOR EACH ROW EXECUTE FUNCTION app.fill();
  CREATE TABLE app.defaulted (id int, x text DEFAULT app.one(1));
`;
