/** Attacks on "no roles, no settings". Data only. */
import { type Attack, type AttackGroup, started, text } from "../attack.ts";

const role = (name: string, column: string) => ({
  outside: `SELECT ${column}::text FROM pg_authid WHERE rolname = '${name}'`,
});
const ROLES_MADE = { outside: "SELECT count(*) FROM pg_roles WHERE rolname = 'made_{id}'" } as const;
const memberships = (name: string) => ({
  outside: `SELECT roleid::regrole FROM pg_auth_members WHERE member = '${name}'::regrole ORDER BY 1`,
});
const FILE = (name: string) => ({
  outside: `SELECT setting FROM pg_file_settings WHERE name = '${name}' AND sourcefile ~ 'auto.conf'`,
});

const PATH = "SELECT 'now ' || current_setting('search_path')";

/** Changes `name` in some way and asks for it in the same session. */
function setting(name: string, value: string, change: string): Attack {
  const ask = `SELECT 'now ' || current_setting('${name}') AS said`;
  return text(change, `${change}; ${ask}`, { arrives: `now ${value}` });
}

export const ROLES_AND_SETTINGS: readonly AttackGroup[] = [
  {
    title: "Roles",
    policy: "no-ddl",
    about: "Who may do what, and as whom the session speaks.",
    attacks: [
      text("CREATE ROLE", "CREATE ROLE made_{id} SUPERUSER LOGIN", ROLES_MADE),
      text("CREATE USER", "CREATE USER made_{id}", ROLES_MADE),
      text("CREATE GROUP", "CREATE GROUP made_{id}", ROLES_MADE),
      text("ALTER ROLE", "ALTER ROLE role_1 SUPERUSER", role("role_1", "rolsuper")),
      text("ALTER USER", "ALTER USER role_2 CREATEDB", role("role_2", "rolcreatedb")),
      text("ALTER GROUP ADD USER", "ALTER GROUP reporting ADD USER role_3", memberships("role_3")),
      text("a password", "ALTER ROLE role_4 PASSWORD 'x'", role("role_4", "rolpassword")),
      text("GRANT of a role", "GRANT pg_read_all_data TO role_5", memberships("role_5")),
      text("ALTER ROLE SET", "ALTER ROLE reporting SET work_mem = 99", {
        outside: "SELECT setconfig FROM pg_db_role_setting WHERE setrole = 'reporting'::regrole AND setdatabase = 0",
      }),
      text(
        "ALTER ROLE in a database",
        "DO $$ BEGIN EXECUTE format('ALTER ROLE reporting IN DATABASE %I SET work_mem = 99', current_database()); END $$",
      ),
      text(
        "a write to pg_authid",
        "UPDATE pg_authid SET rolcanlogin = true WHERE rolname = 'role_6'",
        role("role_6", "rolcanlogin"),
      ),
      text(
        "a write to pg_authid in WITH",
        "WITH u AS (UPDATE pg_catalog.pg_authid SET rolreplication = true WHERE rolname = 'role_7' RETURNING 1) SELECT 1",
        role("role_7", "rolreplication"),
      ),
      text("COMMENT ON ROLE", "COMMENT ON ROLE role_8 IS 'x'", {
        outside: "SELECT count(*) FROM pg_shdescription WHERE objoid = 'role_8'::regrole",
      }),
      text("password hashes", "SELECT 'hash ' || left(rolpassword, 6) FROM pg_authid WHERE rolname = 'postgres'", {
        arrives: "hash SCRAM-",
      }),
      text(
        "password hashes by the old view",
        "SELECT 'hash ' || left(passwd, 6) FROM pg_catalog.pg_shadow WHERE usename = 'postgres'",
        { arrives: "hash SCRAM-" },
      ),
      setting("role", "reporting", "SET ROLE reporting"),
      setting("role", "reporting", "SET role TO 'reporting'"),
      setting("role", "reporting", `SET U&"r\\006Fle" = reporting`),
      setting("role", "reporting", "SET SESSION ROLE reporting"),
      setting("role", "reporting", "SELECT set_config('role', 'reporting', false)"),
      text("SET SESSION AUTHORIZATION", "SET SESSION AUTHORIZATION reporting; SELECT 'now ' || session_user", {
        arrives: "now reporting",
      }),
      text(
        "set_config of session_authorization",
        "SELECT pg_catalog.set_config('SESSION_AUTHORIZATION', 'reporting', false); SELECT 'now ' || session_user",
        { arrives: "now reporting" },
      ),
      text("SET LOCAL ROLE", "BEGIN; SET LOCAL ROLE reporting; SELECT 'now ' || current_user; COMMIT", {
        arrives: "now reporting",
      }),
    ],
  },
  {
    title: "Settings",
    policy: "no-ddl",
    about: "How names resolve, what triggers fire, what is logged, how text is read.",
    attacks: [
      setting("search_path", "hidden", "SET search_path = hidden"),
      setting("search_path", "hidden", "SET SCHEMA 'hidden'"),
      setting("search_path", "hidden", "SET SESSION search_path TO hidden"),
      setting("search_path", "hidden", 'SET "SEARCH_PATH" = hidden'),
      setting("search_path", "hidden", "SELECT set_config('search_path', 'hidden', false)"),
      setting("search_path", "hidden", "SELECT pg_catalog.set_config('Search_Path', 'hidden', false)"),
      setting("search_path", "hidden", "SELECT set_config(U&'search\\005Fpath', 'hidden', false)"),
      setting("search_path", "hidden", "SELECT set_config(E'search\\x5fpath', 'hidden', false)"),
      setting("search_path", "hidden", "SELECT set_config('search'\n'_path', 'hidden', false)"),
      setting("search_path", "hidden", "SELECT set_config('search' || '_path', 'hidden', false)"),
      setting(
        "search_path",
        "hidden",
        "SELECT set_config(name, 'hidden', false) FROM pg_settings WHERE name = 'search_path'",
      ),
      setting("search_path", "hidden", "SELECT set_config(v.n, 'hidden', false) FROM (VALUES ('search_path')) v(n)"),
      setting(
        "search_path",
        "hidden",
        "WITH c AS MATERIALIZED (SELECT set_config('search_path', 'hidden', false)) SELECT * FROM c",
      ),
      setting("search_path", "hidden", "EXPLAIN ANALYZE SELECT set_config('search_path', 'hidden', false)"),
      setting("search_path", "hidden", "COPY (SELECT set_config('search_path', 'hidden', false)) TO STDOUT"),
      setting("search_path", "hidden", "UPDATE pg_settings SET setting = 'hidden' WHERE name = 'search_path'"),
      setting(
        "search_path",
        "hidden",
        "UPDATE pg_catalog.pg_settings AS s SET setting = 'hidden' WHERE s.name = 'search_path'",
      ),
      setting("row_security", "off", "SET row_security = off"),
      setting("session_replication_role", "replica", "SET session_replication_role = replica"),
      setting(
        "session_replication_role",
        "replica",
        "INSERT INTO orders (id, note) VALUES (900, set_config('session_replication_role', 'replica', false))",
      ),
      setting("allow_system_table_mods", "on", "SET allow_system_table_mods = on"),
      setting("transform_null_equals", "on", "SET transform_null_equals = on"),
      setting("log_statement", "all", "SET log_statement = 'all'"),
      setting("check_function_bodies", "off", "SET check_function_bodies = off"),
      setting("default_tablespace", "pg_default", "SET default_tablespace = pg_default"),
      setting("synchronous_commit", "off", "SET synchronous_commit TO OFF"),
      setting("zero_damaged_pages", "on", "SET zero_damaged_pages = on"),
      setting("my.store", "kept", "SET my.store = 'kept'"),
      setting("my.store", "kept", "SELECT set_config('my.store', 'kept', false)"),
      text("RESET ALL", "SET work_mem = 1234; RESET ALL; SELECT 'now ' || current_setting('work_mem')", {
        arrives: "now 4MB",
      }),
      text("DISCARD ALL", "SET work_mem = 1234; DISCARD ALL; SELECT 'now ' || current_setting('work_mem')", {
        arrives: "now 4MB",
      }),
      text(
        "SET LOCAL",
        "BEGIN; SET LOCAL search_path = hidden; SELECT 'now ' || current_setting('search_path'); COMMIT",
        { arrives: "now hidden" },
      ),
      text("ALTER SYSTEM", "ALTER SYSTEM SET work_mem = 99", FILE("work_mem")),
      text(
        "ALTER SYSTEM RESET",
        "ALTER SYSTEM SET geqo = off; ALTER SYSTEM RESET geqo; ALTER SYSTEM SET enable_sort = off",
        FILE("enable_sort"),
      ),
      text("a reload", "SELECT pg_reload_conf()", { outside: "SELECT pg_conf_load_time()" }),
      text(
        "ALTER DATABASE",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I CONNECTION LIMIT 7', current_database()); END $$",
        {
          outside: "SELECT datconnlimit FROM pg_database WHERE datname = current_database()",
        },
      ),
      started("options of the startup message", { options: "-c search_path=hidden" }, [PATH], {
        arrives: "now hidden",
      }),
      started("a setting of the startup message", { search_path: "hidden" }, [PATH], { arrives: "now hidden" }),
      started("a role by the startup message", { ROLE: "reporting" }, ["SELECT 'now ' || current_user"], {
        arrives: "now reporting",
      }),
    ],
  },
];
