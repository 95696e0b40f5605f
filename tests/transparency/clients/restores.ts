/**
 * pg_restore and psql: the same archive of a server of version 15, restored at both sides of whichever version; what came of
 * it must be equal, by every row and every definition.
 */
import { join } from "node:path";
import { capture } from "../../kit/daemon.ts";
import { type Postgres, startPostgres } from "../../kit/postgres.ts";
import type { Side } from "../sides.ts";
import { TEMPLATE } from "../template.ts";
import { type Client, linesApart, runOn } from "./client.ts";
import { KEY } from "./dumps.ts";

const DATABASE = "restored";

export const RESTORE_CLIENTS: readonly Client[] = [
  {
    name: "pg_restore",
    what: "an archive of version 15, whole and with two jobs, and a plain dump by psql; rows and definitions are equal",
    packages: [],
    isQuick: false,
    differs: async (sides) => {
      const { archive, script } = await dumpOf15(sides.folder);
      for (const restore of [
        ["pg_restore", "--exit-on-error", archive],
        ["pg_restore", "--jobs=2", archive],
        ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", script],
      ]) {
        const [direct, guarded] = [await restored(sides.direct, restore), await restored(sides.guarded, restore)];
        if (!direct.startsWith("0\n")) return `${restore.join(" ")}: failed directly: ${direct.slice(0, 2_000)}`;
        const apart = linesApart(direct, guarded);
        if (apart !== "") return `${restore.join(" ")}: ${apart}`;
      }
      return "";
    },
  },
];

async function dumpOf15(folder: string): Promise<{ readonly archive: string; readonly script: string }> {
  const [archive, script] = [join(folder, "of15.dump"), join(folder, "of15.sql")];
  const postgres = await startPostgres({ version: 15, password: "not-asked-for", hbaMethod: "trust" });
  try {
    await postgres.query(TEMPLATE);
    const { port, superuser } = postgres;
    const from = [`--dbname=host=127.0.0.1 port=${port} user=${superuser} dbname=postgres`, "--no-owner"];
    for (const argv of [
      ["pg_dump", "--format=custom", `--file=${archive}`, ...from],
      ["pg_dump", KEY, `--file=${script}`, ...from],
    ]) {
      const [file = "", ...args] = argv;
      const { code, stderr } = await capture(file, args);
      if (code !== 0) throw new Error(`${argv.join(" ")} ended with ${code}: ${stderr}`);
    }
    return { archive, script };
  } finally {
    await postgres.stop();
  }
}

/** Exit code and words of the restore, and what the database holds then. */
async function restored(side: Side, [file = "", ...args]: readonly string[]): Promise<string> {
  const { postgres } = side;
  await postgres.query(`DROP DATABASE IF EXISTS ${DATABASE}`);
  await postgres.query(`CREATE DATABASE ${DATABASE} TEMPLATE template0`);
  const { code, stdout, stderr } = await runOn(side, [file, `--dbname=${DATABASE}`, ...args]);
  const held = await heldBy(postgres);
  await postgres.query(`DROP DATABASE ${DATABASE}`);
  return `${code}\n${stdout}\n${stderr}\n${held}`;
}

async function heldBy(postgres: Postgres): Promise<string> {
  const rows = await postgres.query(HELD, DATABASE);
  if (rows.length < 50) throw new Error(`Only ${rows.length} objects were restored`);
  return rows.map(({ what, content }) => `${what}: ${content}`).join("\n");
}

const HELD = `
CREATE TEMP TABLE held (what text, content text);
DO $$
DECLARE one record;
BEGIN
  FOR one IN SELECT oid::regclass::text AS name FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'm', 'v') LOOP
    EXECUTE format('INSERT INTO held SELECT %L, count(*) || '' '' || md5(coalesce(string_agg(t::text, E''\\n'' ORDER BY t::text), '''')) FROM %s AS t',
      'rows of ' || one.name, one.name);
  END LOOP;
END $$;
INSERT INTO held SELECT 'columns of ' || attrelid::regclass, string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated, pg_get_expr(adbin, adrelid)), ', ' ORDER BY attnum)
  FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
  WHERE attnum > 0 AND NOT attisdropped AND attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace) GROUP BY attrelid;
INSERT INTO held SELECT 'sequence ' || sequencename, concat_ws(' ', data_type, start_value, min_value, max_value, increment_by, cycle, last_value) FROM pg_sequences WHERE schemaname = 'public';
INSERT INTO held SELECT 'function ' || oid::regprocedure, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prokind <> 'a';
INSERT INTO held SELECT 'constraint ' || conname || ' of ' || conrelid::regclass, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace;
INSERT INTO held SELECT 'index ' || indexrelid::regclass, pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace);
INSERT INTO held SELECT 'view ' || oid::regclass, pg_get_viewdef(oid) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('v', 'm');
INSERT INTO held SELECT 'trigger ' || tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal;
INSERT INTO held SELECT 'type ' || oid::regtype, typtype::text || coalesce((SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid), '') FROM pg_type AS t WHERE typnamespace = 'public'::regnamespace;
INSERT INTO held SELECT 'rights of ' || oid::regclass, relacl::text FROM pg_class WHERE relnamespace = 'public'::regnamespace;
SELECT what, content FROM held ORDER BY what, content`;
