/** Every setting that a session may change, changed in every way that the grammar has. The server names them. */
import type { Random } from "../random.ts";
import type { Session } from "../truth/session.ts";

interface Setting {
  readonly name: string;
  readonly value: string;
}

/** A value besides the one in force, from what the server says of the setting. */
const SETTINGS = `
SELECT name, CASE
  WHEN vartype = 'bool' THEN CASE setting WHEN 'on' THEN 'off' ELSE 'on' END
  WHEN vartype = 'enum' THEN coalesce((SELECT v FROM unnest(enumvals) v WHERE v <> setting LIMIT 1), setting)
  WHEN vartype = 'integer' THEN CASE WHEN setting::int8 < max_val::int8 THEN (setting::int8 + 1)::text ELSE (setting::int8 - 1)::text END
  WHEN vartype = 'real' THEN CASE WHEN setting::float8 + 0.5 <= max_val::float8 THEN (setting::float8 + 0.5)::text ELSE min_val END
  WHEN name = 'TimeZone' OR name = 'log_timezone' THEN 'Asia/Tokyo'
  WHEN name = 'DateStyle' THEN 'German, DMY'
  WHEN name = 'client_encoding' THEN 'LATIN1'
  WHEN name LIKE 'lc\\_%' THEN 'POSIX'
  WHEN name = 'default_text_search_config' THEN 'pg_catalog.simple'
  WHEN name = 'search_path' THEN 'cms'
  WHEN name = 'default_tablespace' OR name = 'temp_tablespaces' THEN 'pg_default'
  ELSE 'x' END
FROM pg_catalog.pg_settings WHERE context IN ('user', 'superuser') ORDER BY name`;
/** They end or silence the session that is observed. */
const LEFT_OUT =
  /^(statement_timeout|transaction_timeout|lock_timeout|idle_\w+|session_preload_libraries|local_preload_libraries)$/;
const FORMS: readonly ((setting: Setting) => string)[] = [
  ({ name, value }) => `SET ${name} = '${value}'`,
  ({ name, value }) => `SET LOCAL ${name} TO '${value}'`,
  ({ name, value }) => `SET SESSION "${name}" TO '${value}'`,
  ({ name }) => `SET ${name} TO DEFAULT`,
  ({ name }) => `RESET ${name.toUpperCase()}`,
  ({ name }) => `SHOW ${name}`,
  ({ name, value }) => `SELECT set_config('${name}', '${value}', false)`,
  ({ name, value }) => `SELECT pg_catalog.set_config('${name.toUpperCase()}', '${value}', true)`,
  ({ name, value }) => `UPDATE pg_settings SET setting = '${value}' WHERE name = '${name}'`,
  ({ name }) => `SELECT current_setting('${name}')`,
];

const OTHERS: readonly string[] = [
  "SET app.tenant = 'x'",
  "SET LOCAL app.tenant TO 'y', 'z'",
  "SELECT set_config('app.tenant', 'x', true)",
  "SET TIME ZONE 'Asia/Tokyo'",
  "SET TIME ZONE LOCAL",
  "SET NAMES 'UTF8'",
  "SET SCHEMA 'cms'",
  "SET SEED TO 0.5",
  "SET XML OPTION DOCUMENT",
  "SET SESSION AUTHORIZATION 'reporting'",
  "SET LOCAL SESSION AUTHORIZATION reporting",
  "SET ROLE 'reporting'",
  "SET LOCAL ROLE deployer",
  "SELECT set_config('role', 'reporting', true)",
  "SELECT set_config('session_authorization', 'reporting', true)",
  "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
  "SET TRANSACTION READ ONLY, DEFERRABLE",
  "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
  "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE READ WRITE",
  "SHOW ALL",
  "SHOW TRANSACTION ISOLATION LEVEL",
  "SHOW TIME ZONE",
  "SHOW SESSION AUTHORIZATION",
  "RESET ALL",
  "RESET TIME ZONE",
  "RESET SESSION AUTHORIZATION",
];

export async function settingsStatements(session: Session, random: Random, each: number): Promise<readonly string[]> {
  const rows = await session.rows(SETTINGS);
  const settings = rows.flatMap(([name = "", value = ""]) => (LEFT_OUT.test(name) ? [] : [{ name, value }]));
  return [...OTHERS, ...settings.flatMap((setting) => random.some(FORMS, each).map((form) => form(setting)))];
}
