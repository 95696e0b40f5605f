/**
 * "No DDL, no whole-table writes": every row of the list does its harm when nothing guards the server, and is refused
 * with the database as it was when an agent sends it, by the simple and by the extended protocol.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { WHOLE_TABLE_AND_DDL } from "../kit/attacks.ts";
import type { RowReport } from "../kit/clients/rows-client.ts";
import { GUARDED, rowsAsAgent, rowsDirect, startWorld, statementsOf, type World } from "./world.ts";

const ROWS_MIN = 60;

/** The first number of what PostgreSQL does not bring with it. */
const OWN = 16_384;
/** Counts of pages and rows stay even when what counted them is rolled back. */
const ESTIMATES = "- 'relpages' - 'reltuples' - 'relallvisible'";
/** Catalogs by what tells that a row is somebody's. */
const CATALOGS = {
  [`oid >= ${OWN}`]:
    "pg_cast pg_class pg_collation pg_constraint pg_conversion pg_default_acl pg_event_trigger pg_extension " +
    "pg_foreign_data_wrapper pg_foreign_server pg_namespace pg_operator pg_policy pg_proc pg_publication " +
    "pg_publication_rel pg_rewrite pg_statistic_ext pg_trigger pg_type",
  [`attrelid >= ${OWN}`]: "pg_attribute",
  [`indrelid >= ${OWN}`]: "pg_index",
  [`objoid >= ${OWN}`]: "pg_description",
  true: "pg_db_role_setting",
};
/** One hash of everything that somebody made or changed in a database: rows of customers, and of the catalogs. */
const STATE = `
  SELECT md5(string_agg(line, E'\n' ORDER BY line)) AS state FROM (
    SELECT 'rows' || CASE WHEN to_regclass('public.customers') IS NULL THEN 'gone'
      ELSE query_to_xml('SELECT * FROM public.customers', true, false, '')::text END AS line
    ${Object.entries(CATALOGS)
      .flatMap(([own, names]) => names.split(" ").map((name) => ({ own, name })))
      .map(
        ({ own, name }) =>
          `UNION ALL SELECT '${name}' || (to_jsonb(t) ${ESTIMATES})::text FROM pg_catalog.${name} t WHERE ${own}`,
      )
      .join("\n    ")}
  ) AS lines`;

let world: World;
before(async () => {
  world = await startWorld({ policies: { "guarded.yaml": GUARDED }, settings: { autovacuum: "off", jit: "off" } });
  await world.postgres.query("CREATE DATABASE template_people TEMPLATE postgres");
});
after(() => world.stop());

async function state(database: string): Promise<unknown> {
  const [row] = await world.postgres.query(STATE, database);
  return row?.["state"];
}

const refused = ({ errors, closed }: RowReport) => !closed && errors.some(({ C }) => C === "42501");

test(`the list has at least ${ROWS_MIN} rows of different names and texts`, () => {
  assert.ok(WHOLE_TABLE_AND_DDL.length >= ROWS_MIN);
  assert.equal(new Set(WHOLE_TABLE_AND_DDL.map(({ name }) => name)).size, WHOLE_TABLE_AND_DDL.length);
  assert.equal(new Set(WHOLE_TABLE_AND_DDL.map(({ sql }) => sql)).size, WHOLE_TABLE_AND_DDL.length);
});

/** Not in a transaction that is rolled back, so in a database of its own. */
const APART = /COMMIT|VACUUM/;

test("control: each row does its harm when nothing guards the server", async () => {
  const unharmed = await state("template_people");
  const rows = WHOLE_TABLE_AND_DDL.map(({ name, sql }, at) => {
    const apart = APART.test(sql);
    if (!apart)
      return {
        name,
        database: "template_people",
        form: "simple",
        statements: ["BEGIN", sql, STATE, "ROLLBACK"],
      } as const;
    return { name, database: `apart_${at}`, form: "text", statements: [...sql.split(";"), STATE] } as const;
  });
  for (const { database } of rows.filter(({ database }) => database !== "template_people")) {
    await world.postgres.query(`CREATE DATABASE ${database} TEMPLATE template_people`);
  }
  const reports = await rowsDirect(world, rows);
  const weak = reports.flatMap(({ name, errors: [error], bytes }) => {
    if (error !== undefined) return [`${name}: ${error["M"]}`];
    const states = Buffer.from(bytes, "base64")
      .toString("latin1")
      .match(/[0-9a-f]{32}/g);
    assert.ok(states !== null, name);
    return states.at(-1) === unharmed ? [`${name}: changed nothing`] : [];
  });
  assert.deepEqual(weak, []);
  assert.equal(await state("template_people"), unharmed);
});

for (const form of ["simple", "text"] as const) {
  const by = form === "simple" ? "simple" : "extended";
  test(`an agent is refused each row by the ${by} protocol, and nothing changes`, async () => {
    const unharmed = await state("postgres");
    const rows = await Promise.all(
      WHOLE_TABLE_AND_DDL.map(async ({ name, sql }) => {
        const statements = form === "simple" ? [sql] : await statementsOf(sql);
        return { name, database: "postgres", form, statements };
      }),
    );
    const reports = await rowsAsAgent(world, rows);
    const passed = reports.filter((report) => !refused(report)).map(({ name }) => name);
    assert.deepEqual(passed, []);
    assert.equal(await state("postgres"), unharmed);
  });
}

const ORDINARY = [
  "SELECT name FROM customers WHERE id = 1",
  "UPDATE customers SET name = 'Ada King' WHERE id = 1",
  "DELETE FROM orders WHERE id = 100",
  "INSERT INTO orders VALUES (1000, 1, 1, 'one more')",
  "WITH gone AS (DELETE FROM orders WHERE id = 99 RETURNING id) SELECT id FROM gone",
] as const;

test("control: ordinary reads and writes are not refused on the same connection", async () => {
  const rows = ORDINARY.flatMap((sql) => [
    { name: sql, database: "postgres", form: "simple", statements: [`BEGIN; ${sql}; ROLLBACK`] } as const,
    { name: sql, database: "postgres", form: "text", statements: ["BEGIN", sql, "ROLLBACK"] } as const,
  ]);
  const reports = await rowsAsAgent(world, rows);
  const failed = reports.filter(({ errors, closed }) => closed || errors.length > 0);
  assert.deepEqual(
    failed.map(({ name, errors }) => `${name}: ${errors[0]?.["M"]}`),
    [],
  );
});
