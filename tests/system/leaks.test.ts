/**
 * Masked means gone. Labelled columns: every attempt to read them in another form gives a value away when nothing
 * guards the server, and as an agent is refused or brings no piece of one.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { LABEL_ATTACKS, LABEL_ORACLES } from "../kit/attacks.ts";
import type { RowJob, RowReport } from "../kit/clients/rows-client.ts";
import { capture } from "../kit/daemon.ts";
import { arrived, BY, database, FORMS, isRefused, rowsOf, SECRETS } from "./forms.ts";
import { piecesIn } from "./pieces.ts";
import { CARD, OPEN, rowsAsAgent, rowsDirect, SSN, startWorld, type World } from "./world.ts";

const ROWS_MIN = 60;
/** No digit of a labelled value stays. */
const REDACT = `
rules:
  - name: hide-pii
    on: reveal
    when: "'pii' in column.labels"
    mask: { style: redact }
`;

const NO_ORACLES = `
rules:
  - name: no-oracles
    on: sql
    when: "'pii' in statement.oracles"
    deny: { message: "Personal data may not decide which rows come back" }
`;

/** Made by somebody else before: the agent names nothing that has a label. */
const DERIVED = `
  CREATE SCHEMA other;
  CREATE VIEW other.plain AS SELECT id, ssn AS x FROM public.customers;
  CREATE VIEW other.made AS SELECT id, upper(ssn) AS x FROM public.customers;
  CREATE VIEW other.twice AS SELECT x || '' AS y FROM other.plain;
  CREATE VIEW other.row AS SELECT c AS x FROM public.customers c;
  CREATE MATERIALIZED VIEW other.kept AS SELECT id, reverse(card) AS x FROM public.customers;
  CREATE VIEW other.of_kept AS SELECT x FROM other.kept;
  CREATE TABLE other.parent (id int, name text, email text, card text, ssn text);
  ALTER TABLE public.customers INHERIT other.parent;
  CREATE TABLE other.child () INHERITS (public.customers);
  INSERT INTO other.child VALUES (77, 'Child', 'c@example.com', '4111111111111111', '219-09-9999');
  CREATE FUNCTION other.steal() RETURNS SETOF text LANGUAGE sql AS 'SELECT ssn FROM public.customers';
  CREATE FUNCTION other.first(text, text) RETURNS text LANGUAGE sql AS 'SELECT ssn FROM public.customers LIMIT 1';
  CREATE OPERATOR other.=== (leftarg = text, rightarg = text, function = other.first);
  CREATE TABLE other.generated (x text GENERATED ALWAYS AS (upper(ssn)) STORED) INHERITS (public.customers);
  INSERT INTO other.generated VALUES (78, 'Made', 'g@example.com', '4111111111111111', '219-09-9999');
  CREATE TABLE other.rewritten (x text);
  CREATE RULE steal AS ON INSERT TO other.rewritten DO INSTEAD SELECT ssn || '' AS x FROM public.customers;
`;
describe("labelled columns", () => {
  let world: World;
  before(async () => {
    world = await startWorld({ labels: true, policies: { "open.yaml": OPEN, "hide.yaml": REDACT } });
    await world.postgres.query("CREATE DATABASE derived TEMPLATE postgres");
    await world.postgres.query(DERIVED, "derived");
  });
  after(() => world.stop());

  test(`both lists have at least ${ROWS_MIN} rows together, none twice`, () => {
    const all = [...LABEL_ATTACKS, ...LABEL_ORACLES];
    assert.ok(LABEL_ATTACKS.length >= ROWS_MIN);
    assert.equal(new Set(all.map(({ sql }) => sql)).size, all.length);
  });

  test("control: each attack brings a piece of a value when nothing guards the server", async () => {
    const reports = await rowsDirect(world, await rowsOf(LABEL_ATTACKS, "simple"));
    const weak = reports.filter((report) => piecesIn(arrived(report), SECRETS).length === 0);
    assert.deepEqual(
      weak.map(({ name, errors }) => `${name}: ${errors[0]?.["M"]}`),
      [],
    );
  });

  for (const form of FORMS) {
    test(`no attack brings a piece of a value by ${BY[form]}`, async () => {
      const reports = await rowsAsAgent(world, await rowsOf(LABEL_ATTACKS, form));
      const leaks = reports.flatMap((report) =>
        piecesIn(arrived(report), SECRETS).map((piece) => `${report.name}: ${piece}`),
      );
      assert.deepEqual(leaks, []);
      const open = reports.filter((report) => report.closed || (!isRefused(report) && report.errors.length > 0));
      assert.deepEqual(
        open.map(({ name, errors }) => `${name}: ${errors[0]?.["M"]}`),
        [],
        "refused, or answered masked",
      );
    });
  }

  const clean: readonly (readonly [sql: string, answer: RegExp])[] = [
    ["SELECT count(*) FROM customers", /3/],
    ["SELECT id, name FROM customers WHERE id = 1", /Ada Lovelace/],
    ["SELECT c.name, o.amount FROM customers c JOIN orders o ON o.customer = c.id WHERE o.id = 3", /Ada Lovelace/],
    ["SELECT name, sum(amount) FROM customers JOIN orders ON customer = customers.id GROUP BY name", /Grace Hopper/],
    ["SELECT * FROM orders WHERE id = 7", /order 7/],
    ["SELECT id, ssn, card FROM customers WHERE id = 1", /REDACTED/i],
    ["SELECT * FROM customers ORDER BY id", /Alan Turing/],
    [
      "INSERT INTO customers VALUES (9, 'New Person', 'n@example.com', '4000056655665556', '219-09-8888')",
      /INSERT 0 1/,
    ],
    ["INSERT INTO customers (id, name, ssn) VALUES (10, 'Another', '219-09-7777') RETURNING id, name", /Another/],
    ["UPDATE customers SET ssn = '219-09-6666' WHERE id = 9 RETURNING name", /New Person/],
    ["UPDATE customers SET card = NULL WHERE id = 10", /UPDATE 1/],
    ["DELETE FROM customers WHERE id IN (9, 10) RETURNING id", /DELETE 2/],
    ["COPY (SELECT id, name FROM customers) TO STDOUT", /Ada Lovelace/],
    ["COPY customers (id, name) TO STDOUT", /Ada Lovelace/],
    ["EXPLAIN SELECT id FROM customers WHERE id = 1", /customers/],
  ];
  for (const form of ["simple", "text"] as const) {
    test(`clean statements keep working by ${BY[form]}`, async () => {
      const rows = clean.map(([sql]) => ({ name: sql, database, form, statements: [sql] }));
      const reports = await rowsAsAgent(world, rows);
      const failed = reports.flatMap((report, at) => {
        const { name, errors } = report;
        if (errors.length > 0) return [`${name}: ${errors[0]?.["M"]}`];
        return clean[at]?.[1].test(arrived(report).toString("latin1")) ? [] : [`${name}: ${arrived(report)}`];
      });
      assert.deepEqual(failed, []);
      assert.deepEqual(
        reports.flatMap((report) => piecesIn(arrived(report), SECRETS)),
        [],
      );
    });
  }

  test("psql's \\d and \\dt, which look around in the catalog, keep working", async () => {
    const { stdout, stderr } = await world.psql("\\dt\n\\d customers\n\\d+ orders\n\\l\n");
    assert.equal(stderr.replace(/^sallyport: .*\n/gm, ""), "");
    assert.match(stdout, /public\|customers\|table/);
    assert.match(stdout, /ssn\|text/);
    assert.match(stdout, /note\|text/);
  });

  test("pg_dump is refused or brings nothing labelled; control: direct it brings all", async () => {
    // Without what is a piece by chance: a key drawn at random, and orders of 1000.
    const dump = ["pg_dump", "--data-only", "--restrict-key=thesameeachtime", "--exclude-table=public.orders"];
    const direct = await capture(dump[0] ?? "", [
      ...dump.slice(1),
      "-h",
      world.postgres.socketFolder,
      "-p",
      `${world.postgres.port}`,
      "-U",
      "postgres",
      "postgres",
    ]);
    assert.ok(piecesIn(Buffer.from(direct.stdout), SECRETS).length > 0, direct.stderr);
    const guarded = await world.daemon.run("ci", [...dump, world.url]);
    assert.deepEqual(piecesIn(Buffer.from(guarded.stdout), SECRETS), [], guarded.stdout);
    // four digits of a secret may stand in what is drawn anew each time and told by us: the run, the session, the port
    const told = guarded.stderr.replace(/\(run [0-9a-f]{16}\)|session [a-z2-9]{16}|port [0-9]{1,5}\b/g, "");
    assert.deepEqual(piecesIn(Buffer.from(told), SECRETS), [], told);
    assert.ok(guarded.code === 0 || /42501|Sallyport/i.test(guarded.stderr), guarded.stderr);
  });

  const derived = [
    ["a view", "SELECT x FROM other.plain"],
    ["a view's star", "SELECT * FROM other.plain"],
    ["a view in an expression", "SELECT upper(x) FROM other.plain"],
    ["a view with an expression", "SELECT x FROM other.made"],
    ["a view of a view", "SELECT y FROM other.twice"],
    ["a view of whole rows", "SELECT x FROM other.row"],
    ["a materialized view", "SELECT x FROM other.kept"],
    ["a view of a materialized view", "SELECT x FROM other.of_kept"],
    ["a parent", "SELECT upper(ssn) FROM other.parent"],
    ["a child", "SELECT upper(ssn) FROM other.child"],
    ["COPY of a child", "COPY other.child TO STDOUT"],
    ["a generated column", "SELECT x FROM other.generated"],
    ["an expression of a generated column", "SELECT x || '' FROM other.generated"],
    ["COPY of a view's query", "COPY (SELECT x FROM other.plain) TO STDOUT"],
    ["a function", "SELECT other.steal()"],
    ["a function in FROM", "SELECT * FROM other.steal()"],
    ["an operator", "SELECT 'a' OPERATOR(other.===) 'b'"],
    ["a rule", "BEGIN; INSERT INTO other.rewritten VALUES (''); ROLLBACK"],
  ].map(([name = "", sql = ""]) => ({ name, sql }));

  test("what was derived from labelled columns before leaks no piece either; control: it does direct", async () => {
    const direct = await rowsDirect(world, await rowsOf(derived, "simple", "derived"));
    const weak = direct.filter((report) => piecesIn(arrived(report), SECRETS).length === 0);
    assert.deepEqual(
      weak.map(({ name, errors }) => `${name}: ${errors[0]?.["M"]}`),
      [],
    );
    for (const form of FORMS) {
      const reports = await rowsAsAgent(world, await rowsOf(derived, form, "derived"));
      const leaks = reports.filter((report) => piecesIn(arrived(report), SECRETS).length > 0);
      assert.deepEqual(
        leaks.map(({ name }) => name),
        [],
        BY[form],
      );
    }
  });

  const errors: readonly (readonly [name: string, sql: string])[] = [
    [
      "a broken unique key's detail",
      "CREATE UNIQUE INDEX ON customers (ssn); INSERT INTO customers VALUES (20, 'x', 'x', 'x', '219-09-9999')",
    ],
    ["a row that breaks NOT NULL", `INSERT INTO customers VALUES (NULL, 'x', 'x', '${CARD}', '${SSN}')`],
    ["a row that breaks a check", `INSERT INTO customers VALUES (-1, 'x', 'x', '${CARD}', '${SSN}')`],
    ["a number that is too large", "SELECT card::int FROM customers"],
    ["a date that is none", "SELECT ssn::date FROM customers"],
    ["json that is none", `SELECT ('{"card": ' || card)::json FROM customers`],
    ["a division's condition", "SELECT 1 / (ssn::int - ssn::int) FROM customers"],
    ["a deferred key", "BEGIN; UPDATE deferred SET ssn = '219-09-9999' WHERE id = 2; COMMIT"],
  ];
  test("a client that has locked a table below a view goes on; the look at the catalog does not wait for it", async () => {
    const statements = [
      "BEGIN",
      "ALTER TABLE orders ADD quantity int",
      "SELECT count(*) FROM orders",
      "SELECT quantity FROM orders WHERE id = 1",
      "ROLLBACK",
    ];
    await world.postgres.query(
      "CREATE VIEW other.both AS SELECT o.id, c.ssn FROM public.orders o, public.customers c",
      "derived",
    );
    const [report] = await rowsAsAgent(world, [{ name: "lock", database: "derived", form: "text", statements }]);
    assert.deepEqual([report?.errors, report?.closed], [[], false]);
    assert.match(arrived(report as RowReport).toString("latin1"), /100.*ROLLBACK/s);
  });

  test("errors of the server quote nothing of a row", async () => {
    await world.postgres.query(`
      ALTER TABLE customers ADD CONSTRAINT positive CHECK (id > 0);
      CREATE TABLE deferred () INHERITS (customers);
      ALTER TABLE deferred ADD UNIQUE (ssn) DEFERRABLE INITIALLY DEFERRED;
      INSERT INTO deferred VALUES (1, '', '', '', '219-09-9999'), (2, '', '', '', '1');`);
    const rows = errors.map(([name, sql]) => ({ name, database, form: "simple", statements: [sql] }) as const);
    const quoted = (reports: readonly RowReport[]) =>
      reports.filter((report) => piecesIn(arrived(report), SECRETS).length > 0).map(({ name }) => name);
    assert.deepEqual(
      quoted(await rowsDirect(world, rows)),
      errors.map(([name]) => name),
      "control",
    );
    const reports = await rowsAsAgent(world, rows);
    assert.deepEqual(quoted(reports), []);
    assert.ok(reports.every((report) => report.errors.length > 0));
  });
});

describe("a policy that forbids oracles", () => {
  let world: World;
  before(async () => {
    const policies = { "open.yaml": OPEN, "hide.yaml": REDACT, "oracles.yaml": NO_ORACLES };
    world = await startWorld({ labels: true, policies });
  });
  after(() => world.stop());

  const inTransaction = (rows: readonly RowJob[]) =>
    rows.map((row) => ({ ...row, statements: ["BEGIN", ...row.statements, "ROLLBACK"] }));

  for (const form of FORMS) {
    test(`refuses each, or masks what it answers, by ${BY[form]}; control: each is answered when nothing guards`, async () => {
      const rows = inTransaction(await rowsOf(LABEL_ORACLES, form));
      const direct = await rowsDirect(world, rows);
      const weak = direct.filter(({ errors }) => errors.some(({ C }) => C?.startsWith("42")));
      assert.deepEqual(
        weak.map(({ name, errors }) => `${name}: ${errors[0]?.["M"]}`),
        [],
      );
      const reports = await rowsAsAgent(world, rows);
      const answered = reports.filter((report, at) => {
        const own = direct[at];
        return !isRefused(report) && own !== undefined && arrived(report).equals(arrived(own));
      });
      assert.deepEqual(
        answered.map(({ name }) => name),
        [],
      );
      assert.deepEqual(
        reports.flatMap((report) => piecesIn(arrived(report), SECRETS)),
        [],
      );
    });
  }

  test("lets through what tests no labelled column", async () => {
    const { stdout, stderr } = await world.psql("SELECT upper(ssn), name FROM customers WHERE id = 1 ORDER BY name;\n");
    assert.match(stdout, /redacted\]\|Ada Lovelace/, stderr);
  });
});
