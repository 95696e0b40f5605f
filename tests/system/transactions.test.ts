/** A refusal commits nothing that came before it in the same transaction, and leaves the connection usable. */
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";
import { GUARDED, startWorld, type World } from "./world.ts";

const PIPELINE_CLIENT = fileURLToPath(new URL("../kit/clients/pipeline-client.mjs", import.meta.url));

let world: World;
before(async () => {
  world = await startWorld({ policies: { "guarded.yaml": GUARDED } });
});
after(() => world.stop());
beforeEach(() => world.postgres.query("DELETE FROM orders WHERE id > 100; DROP TABLE IF EXISTS made"));

const REFUSED = "CREATE TABLE made (id int)";
const INSERT = "INSERT INTO orders VALUES (101, 1, 1, 'before the refusal')";

async function inserted(): Promise<unknown> {
  const [row] = await world.postgres.query("SELECT count(*)::int AS count FROM orders WHERE id > 100");
  return row?.["count"];
}

test("control: without the refused statement each form commits", async () => {
  await world.psql(`BEGIN; ${INSERT}; COMMIT;\n`);
  assert.equal(await inserted(), 1);
  await world.postgres.query("DELETE FROM orders WHERE id > 100");
  await world.psql("", ["-c", `${INSERT}; SELECT 1`]);
  assert.equal(await inserted(), 1);
});

test("in an open transaction", async () => {
  const { stdout, stderr, code } = await world.psql(`BEGIN;\n${INSERT};\n${REFUSED};\nCOMMIT;\nSELECT 'still here';\n`);
  assert.match(stderr, /42501.*Schema changes go through migrations/);
  assert.match(stderr, /rule no-ddl, session \w+/);
  assert.match(stdout, /ROLLBACK/);
  assert.match(stdout, /still here/);
  assert.equal(code, 0);
  assert.equal(await inserted(), 0);
});

test("after a savepoint: rolling back to it goes on with the rest", async () => {
  const { stdout } = await world.psql(
    `BEGIN;\n${INSERT};\nSAVEPOINT s;\n${REFUSED};\nROLLBACK TO s;\nCOMMIT;\nSELECT 'still here';\n`,
  );
  assert.match(stdout, /still here/);
  assert.equal(await inserted(), 1);
});

test("in one Query of several statements: none is executed", async () => {
  const { stderr } = await world.psql("", ["-c", `${INSERT}; ${REFUSED}; SELECT 1`]);
  assert.match(stderr, /42501/);
  assert.equal(await inserted(), 0);
});

test("in one Query that commits in its middle", async () => {
  const { stderr } = await world.psql("", ["-c", `BEGIN; ${INSERT}; COMMIT; ${REFUSED}`]);
  assert.match(stderr, /42501/);
  assert.equal(await inserted(), 0);
});

for (const [name, statements] of [
  ["a pipeline whose later statement is refused", [INSERT, REFUSED]],
  ["a pipeline whose middle statement is refused", [INSERT, REFUSED, "INSERT INTO orders VALUES (102, 1, 1, 'after')"]],
] as const) {
  test(`in ${name}: its implicit transaction does not commit`, async () => {
    const run = await world.daemon.run("ci", [process.execPath, PIPELINE_CLIENT, world.url, ...statements]);
    const { errors, after: next } = JSON.parse(run.stdout || "{}") as { errors: string[]; after: string };
    assert.deepEqual(errors, ["42501"], run.stderr);
    assert.equal(next, "1", "the connection goes on");
    assert.equal(await inserted(), 0);
  });
}

test("control: the same pipeline without a refusal commits", async () => {
  const second = "INSERT INTO orders VALUES (102, 1, 1, 'after')";
  const run = await world.daemon.run("ci", [process.execPath, PIPELINE_CLIENT, world.url, INSERT, second]);
  assert.deepEqual((JSON.parse(run.stdout) as { errors: string[] }).errors, []);
  assert.equal(await inserted(), 2);
});

test("a refused prepared statement leaves earlier ones usable", async () => {
  const script = `
import pg from "${new URL("../../node_modules/pg/esm/index.mjs", import.meta.url).pathname}";
const client = new pg.Client({ connectionString: process.argv[1] });
await client.connect();
const ask = (name, text, values) => client.query({ name, text, values }).then((r) => r.rows[0], (e) => e.code);
console.log(JSON.stringify([
  await ask("good", "SELECT amount FROM orders WHERE id = $1", [1]),
  await ask("bad", "DROP TABLE orders", []),
  await ask("good", "SELECT amount FROM orders WHERE id = $1", [2]),
]));
await client.end();`;
  const run = await world.daemon.run("ci", [process.execPath, "--input-type=module", "-e", script, world.url]);
  assert.deepEqual(JSON.parse(run.stdout || "[]"), [{ amount: 10 }, "42501", { amount: 20 }], run.stderr);
});
