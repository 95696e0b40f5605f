/** What the detectors know in columns without labels leaves in no format and by no message, and stands in no recording. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { RowReport } from "../kit/clients/rows-client.ts";
import { capture } from "../kit/daemon.ts";
import { arrived, BY, database, FORMS, rowsOf, SECRETS } from "./forms.ts";
import { piecesIn } from "./pieces.ts";
import { CARD, HIDE, OPEN, rowsAsAgent, rowsDirect, SSN, startWorld, type World } from "./world.ts";

let world: World;
before(async () => {
  world = await startWorld({ policies: { "open.yaml": OPEN, "hide.yaml": HIDE } });
  await world.postgres.query(`
    CREATE TABLE notes (id int, body text, doc json, docb jsonb, list text[], code varchar(40), fixed char(40));
    INSERT INTO notes SELECT id, 'paid with ' || card || ', ssn ' || ssn, json_build_object('card', card, 'deep', ARRAY[ssn]),
      jsonb_build_object('card', card, 'deep', ARRAY[ssn]), ARRAY['ssn ' || ssn, card], card, card FROM customers;`);
});
after(() => world.stop());

/** Partial masks leave the last four digits. */
const SHOWN = 4;
const pieces = (report: RowReport) => piecesIn(arrived(report), SECRETS, SHOWN + 2);
const whole = (report: RowReport) => SECRETS.filter((secret) => arrived(report).includes(secret));

const reads: readonly (readonly [name: string, sql: string])[] = [
  ["text", "SELECT body FROM notes"],
  ["json", "SELECT doc FROM notes"],
  ["jsonb", "SELECT docb FROM notes"],
  ["an array", "SELECT list FROM notes"],
  ["varchar and char", "SELECT code, fixed FROM notes"],
  ["a concatenation", "SELECT id || ': ' || body FROM notes"],
  ["a whole row", "SELECT notes FROM notes"],
  ["row_to_json", "SELECT row_to_json(notes) FROM notes"],
  ["json_agg", "SELECT json_agg(doc) FROM notes"],
  ["array_agg", "SELECT array_agg(code) FROM notes"],
  ["string_agg", "SELECT string_agg(body, E'\\n') FROM notes"],
  ["a cursor", "BEGIN; DECLARE c CURSOR FOR SELECT body FROM notes; FETCH ALL FROM c; ROLLBACK"],
  ["RETURNING", "BEGIN; UPDATE notes SET id = id RETURNING body, docb; ROLLBACK"],
  ["COPY TO STDOUT", "COPY notes TO STDOUT"],
  ["COPY as csv", "COPY (SELECT body, code FROM notes) TO STDOUT WITH (FORMAT csv)"],
  ["an error's message", `SELECT '${CARD}'::int`],
  [
    "an error's detail",
    `CREATE TEMP TABLE u (a text UNIQUE); INSERT INTO u VALUES ('${CARD}'); INSERT INTO u VALUES ('${CARD}')`,
  ],
  ["a notice", `DO $$ BEGIN RAISE NOTICE 'card %', '${CARD}'; END $$`],
  ["a notice with a detail", `DO $$ BEGIN RAISE WARNING 'x' USING DETAIL = 'card ${CARD}', HINT = '${CARD}'; END $$`],
  ["an exception", `DO $$ BEGIN RAISE EXCEPTION 'card %', '${CARD}'; END $$`],
  [
    "a binary cursor",
    "BEGIN; DECLARE b BINARY CURSOR FOR SELECT body, docb, list FROM notes; FETCH ALL FROM b; ROLLBACK",
  ],
  ["binary COPY", "COPY (SELECT body, code FROM notes) TO STDOUT WITH (FORMAT binary)"],
  ["xml", "SELECT xmlelement(name note, body) FROM notes"],
  ["an array of json", "SELECT ARRAY[docb] FROM notes"],
  ["a row with an array", "SELECT ROW(1, list) FROM notes"],
  ["an array of rows", "SELECT array_agg(notes) FROM notes"],
  ["a name", "SELECT code::name FROM notes"],
  ["a range", "SELECT int8range(1, 2)::text || code FROM notes"],
  ["a quoted literal", "SELECT quote_literal(body) FROM notes"],
  ["a text search vector", "SELECT to_tsvector('simple', body) FROM notes"],
  ["a command's echo", `SELECT current_query() /* ${CARD} */`],
  ["a notification", `LISTEN mail; NOTIFY mail, 'card ${CARD}'`],
];
for (const form of FORMS) {
  test(`leaves in no answer by ${BY[form]}`, async () => {
    const rows = await rowsOf(
      reads.map(([name, sql]) => ({ name, sql })),
      form,
    );
    const direct = await rowsDirect(world, rows);
    const weak = direct.filter((report) => whole(report).length === 0).map(({ name }) => name);
    assert.deepEqual(weak, [], "control: each brings a whole value");
    const reports = await rowsAsAgent(world, rows);
    const leaks = reports.filter((report) => whole(report).length > 0 || pieces(report).length > 0);
    assert.deepEqual(
      leaks.map(({ name }) => name),
      [],
    );
    assert.deepEqual(
      reports.filter(({ closed }) => closed).map(({ name }) => name),
      [],
    );
  });
}

test("answers keep their shape: the rows are there, with a mask instead of the value", async () => {
  const { stdout } = await world.psql("SELECT id, body, docb, list FROM notes ORDER BY id;\n");
  assert.equal(stdout.split("\n").length, 4, stdout);
  assert.match(stdout, /^1\|paid with \S*\*\S*1111, ssn \S*\*/);
  assert.match(stdout, /\{"card": "\*+1111"/);
});

test("stands in no recording, no listing and no log, also when the agent itself sent it", async () => {
  const sent = `SELECT '${CARD}' AS card, 'my ssn is ${SSN}' AS note, 1 AS marker_7731`;
  await rowsAsAgent(world, [
    { name: "simple", database, form: "simple", statements: [sent] },
    { name: "extended", database, form: "text", statements: [sent] },
  ]);
  const sessions = await world.daemon.json<{ id: string }[]>(["sessions", "--limit", "1000"]);
  const shown = await Promise.all(sessions.map(({ id }) => world.daemon.cli(["--json", "sessions", "show", id])));
  const everything = shown.map(({ stdout }) => stdout).join("\n");
  assert.match(everything, /marker_7731/);
  for (const secret of SECRETS) {
    assert.ok(!everything.includes(secret), secret);
    const grep = await capture("grep", ["-rlaF", secret, world.daemon.stateDir, world.daemon.runDir]);
    assert.equal(grep.stdout, "", secret);
    assert.ok(!world.daemon.output.includes(secret), secret);
  }
  const control = await capture("grep", ["-rlaF", "marker_7731", world.daemon.stateDir]);
  assert.notEqual(control.stdout, "", "control: recordings can be searched for text");
});
