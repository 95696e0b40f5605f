/**
 * What the client says in the recorded conversations, and the database that it is said to. Values with CANARY in them
 * and the card and social security numbers stand in columns that the fuzzer's worlds mask; no statement names them.
 */
import type { DataLabels } from "../../src/model/connection.ts";
import type { PostgresQuestion } from "../../src/protocols/postgres/catalog.ts";
import { client } from "../kit/wire.ts";

/** In every labelled text, and nowhere else. */
export const CANARY = "kanari";
export const CARD = "4111111111111111";
export const SSN = "536-22-1234";
/** The first value of a labelled column that is no text, as text. */
export const PIN = "77700135";

export const LABELS: DataLabels = {
  "public.customers": {
    labels: [],
    columns: { ssn: ["pii"], card: ["pii", "payment"], pin: ["pii"], notes: ["pii"], tags: ["pii"] },
  },
};

/** To which the recorded answer is one: as many relations are asked for as it may tell of, whatever their numbers. */
export const LOOKUP_QUESTION: PostgresQuestion = {
  kind: "relations",
  labels: LABELS,
  oids: [1, 2, 3],
  fresh: true,
};

export const SETUP = `
CREATE ROLE app LOGIN; CREATE TABLE customers (
  id int PRIMARY KEY, name text NOT NULL, ssn text NOT NULL UNIQUE, card varchar(40), pin int, notes jsonb, tags text[]);
INSERT INTO customers VALUES
  (1, 'Ann', '${CANARY}-000001', '${CANARY} card 1', ${PIN}, '{"pet": "${CANARY}", "n": 1}', '{${CANARY},b}'),
  (2, 'Bob', '${CANARY}-000002', NULL, 77700136, '{"pet": null}', NULL),
  (3, 'Cy''s', '${CANARY}-000003', '${CANARY}\\t3', 77700137, NULL, '{}');
CREATE TABLE orders (id int PRIMARY KEY, customer int REFERENCES customers, note text, total numeric(10,2),
  placed timestamptz, payload bytea, extra json, ref uuid, lines text[], done boolean, ratio float8, big bigint);
INSERT INTO orders VALUES
  (1, 1, 'paid with ${CARD} by ann', 12.50, '2024-02-29 12:00:00+00', '\\x00ff10', '{"card":"${CARD}"}',
   'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"one","ssn ${SSN}"}', true, 0.25, 9007199254740993),
  (2, 1, 'ssn ${SSN}', 0, NULL, NULL, NULL, NULL, NULL, false, 'NaN', -1), (3, 2, '', 99999999.99, NULL, '', '[]', NULL,
   '{}', NULL, 1e300, 0);
CREATE VIEW contacts AS SELECT id, name, ssn FROM customers;
CREATE TABLE log (line text, at int DEFAULT 1); GRANT ALL ON ALL TABLES IN SCHEMA public TO app;
GRANT ALL ON SCHEMA public TO app;`;

/** One stretch of the client's messages, and how many of which server message end its answers. */
export interface Turn {
  readonly messages: readonly Buffer[];
  readonly until: string;
  readonly times: number;
}

export interface Script {
  readonly topic: string;
  readonly name: string;
  readonly turns: readonly Turn[];
}

function turn(...messages: readonly Buffer[]): Turn {
  return { messages, until: "Z", times: messages.filter(([type]) => type === 0x51 || type === 0x53).length };
}

function until(letter: string, ...messages: readonly Buffer[]): Turn {
  return { messages, until: letter, times: 1 };
}

function script(topic: string, name: string, ...turns: readonly Turn[]): Script {
  return { topic, name, turns };
}

function queries(topic: string, rows: Readonly<Record<string, readonly string[]>>): readonly Script[] {
  return Object.entries(rows).map(([name, texts]) =>
    script(topic, name, ...texts.map((text) => turn(client.query(text)))),
  );
}

const { parse, bind, describe, execute, close, sync, flush } = client;
const TEXT = 25;
const INT4 = 23;
const ORDERS = "SELECT id, note, total, placed, payload, extra, ref, lines, done, ratio, big FROM orders ORDER BY id";
const SECRETS = "SELECT ssn, card FROM customers ORDER BY id";
/** No column of any table any more, so that only the statement tells what it is made of. */
export const DERIVED = "SELECT ssn || '' AS u FROM customers ORDER BY id";
/** Of no labelled column; what detectors find is in it. */
export const DETECTED = "SELECT note FROM orders ORDER BY id";
export const HARMLESS = "SELECT 'x'::text AS u";
const BY_ID = "SELECT id, ssn FROM customers WHERE id = $1";

/** Unnamed statement and portal, described, run to the end, with a Sync. */
function whole(text: string, ...results: readonly number[]): readonly Buffer[] {
  return [parse("", text), bind("", "", { results }), describe("P", ""), execute(""), sync()];
}

const SIMPLE = queries("simple", {
  one: ["SELECT 1"],
  select: ["SELECT id, name FROM customers ORDER BY id"],
  types: [ORDERS],
  empty: [""],
  "comment-only": ["-- nothing\n;;"],
  several: ["SELECT 1; SELECT 'two' AS two; SELECT id FROM orders WHERE id = 1"],
  "no-columns": ["SELECT FROM orders"],
  "no-rows": ["SELECT id, note FROM orders WHERE false"],
  "many-rows": ["SELECT g, repeat('x', 20) FROM generate_series(1, 60) g"],
  "long-row": ["SELECT repeat('long ', 3000) AS long, id FROM orders"],
  values: ["VALUES (1, 'a'), (2, NULL)"],
  insert: ["INSERT INTO log VALUES ('a line') RETURNING line, at"],
  update: ["BEGIN", "UPDATE log SET at = 2 WHERE line = 'a line'", "ROLLBACK"],
  delete: ["BEGIN", "DELETE FROM log WHERE at = 1 RETURNING *", "COMMIT"],
  transaction: ["BEGIN", "SELECT 1", "SAVEPOINT a", "ROLLBACK TO a", "COMMIT"],
  "failed-transaction": ["BEGIN", "SELECT 1/0", "SELECT 1", "ROLLBACK"],
  settings: ["SET application_name = 'fuzz'", "SHOW application_name", "RESET application_name"],
  explain: ["EXPLAIN (COSTS OFF) SELECT id FROM orders WHERE id = 1"],
  define: ["CREATE TABLE made (a int)", "ALTER TABLE made ADD b text", "SELECT * FROM made", "DROP TABLE made"],
  notice: ["DROP TABLE IF EXISTS nowhere", "DO $$ BEGIN RAISE NOTICE 'a notice'; END $$"],
  notify: ["LISTEN news", "NOTIFY news, 'an event'", "UNLISTEN *"],
  cursor: ["BEGIN", "DECLARE c CURSOR FOR SELECT id, note FROM orders", "FETCH 2 FROM c", "CLOSE c", "COMMIT"],
  prepare: ["PREPARE p AS SELECT id FROM orders WHERE id = $1", "EXECUTE p(1)", "DEALLOCATE p", "DISCARD ALL"],
});

const SECRET = queries("secret", {
  columns: [SECRETS],
  mixed: ["SELECT id, ssn FROM customers ORDER BY id", "SELECT * FROM customers"],
  numbers: ["SELECT pin, ssn FROM customers"],
  documents: ["SELECT notes, tags, card FROM customers"],
  view: ["SELECT * FROM contacts"],
  renamed: ["SELECT ssn AS a, a.card AS b FROM customers a"],
  derived: ["SELECT upper(ssn), max(card) FROM customers GROUP BY 1 ORDER BY 1", "SELECT max(ssn) FROM customers"],
  whole: ["SELECT c FROM customers c WHERE id = 1", "SELECT to_jsonb(c) FROM customers c WHERE id = 1"],
  joined: ["SELECT o.id, c.ssn FROM orders o JOIN customers c ON c.id = o.customer ORDER BY 1"],
  union: ["SELECT ssn FROM customers UNION ALL SELECT note FROM orders"],
  returned: ["BEGIN", "UPDATE customers SET name = 'x' WHERE id = 1 RETURNING ssn, card", "ROLLBACK"],
  cursor: ["BEGIN", "DECLARE s CURSOR FOR SELECT ssn, card FROM customers", "FETCH ALL FROM s", "ROLLBACK"],
  detected: ["SELECT note, extra, lines FROM orders ORDER BY id"],
});

const ERRORS = queries("errors", {
  division: ["SELECT 1/0"],
  "unknown-table": ["SELECT * FROM nowhere"],
  unique: ["INSERT INTO customers SELECT 9, name, ssn FROM customers WHERE id = 1"],
  "not-null": [
    "BEGIN",
    "INSERT INTO customers (id, ssn) SELECT 10, ssn || '0' FROM customers WHERE id = 1",
    "ROLLBACK",
  ],
  "bad-cast": ["SELECT ssn::int FROM customers"],
  raised: ["DO $$ BEGIN RAISE EXCEPTION 'no %', (SELECT ssn FROM customers WHERE id = 1); END $$"],
  "raised-notice": ["DO $$ BEGIN RAISE NOTICE 'see %', (SELECT ssn FROM customers WHERE id = 2); END $$"],
  payload: ["LISTEN leak", "SELECT pg_notify('leak', ssn) FROM customers WHERE id = 1"],
  middle: ["SELECT 1; SELECT 1/0; SELECT 2"],
  syntax: ["SELEC 1"],
});

const EXTENDED: readonly Script[] = [
  script("extended", "unnamed", turn(...whole("SELECT id, name FROM customers ORDER BY id"))),
  script("extended", "types-text", turn(...whole(ORDERS, 0))),
  script("binary", "types-binary", turn(...whole(ORDERS, 1))),
  script(
    "binary",
    "secrets-binary",
    turn(...whole(SECRETS, 1)),
    turn(...whole("SELECT notes, tags, card FROM customers", 1)),
  ),
  script("binary", "mixed-formats", turn(...whole("SELECT id, name FROM customers ORDER BY id", 1, 0))),
  script("extended", "secrets", turn(...whole(SECRETS)), turn(...whole("SELECT * FROM customers"))),
  script(
    "extended",
    "named",
    turn(parse("a", BY_ID, [INT4]), describe("S", "a"), sync()),
    turn(bind("", "a", { values: ["1"] }), execute(""), sync()),
    turn(bind("p", "a", { values: [Buffer.of(0, 0, 0, 2)], formats: [1], results: [1] }), execute("p"), sync()),
    turn(close("S", "a"), sync()),
  ),
  script(
    "extended",
    "limits",
    turn(client.query("BEGIN")),
    turn(parse("", SECRETS), bind("c", ""), describe("P", "c"), execute("c", 1), sync()),
    turn(execute("c", 1), sync()),
    turn(execute("c"), close("P", "c"), sync()),
    turn(client.query("COMMIT")),
  ),
  script(
    "extended",
    "insert",
    turn(parse("i", "INSERT INTO log VALUES ($1, $2)", [TEXT, INT4]), sync()),
    turn(
      bind("", "i", { values: ["l", "7"] }),
      execute(""),
      bind("", "i", { values: [null, "8"] }),
      execute(""),
      sync(),
    ),
  ),
  script("extended", "flushed", until("1", parse("f", "SELECT 1"), flush()), turn(bind("", "f"), execute(""), sync())),
  script(
    "extended",
    "pipelined",
    turn(...whole("SELECT 1"), ...whole("SELECT id, name FROM customers ORDER BY id"), ...whole(SECRETS)),
  ),
  script("extended", "failing", turn(...whole("SELECT 1/0")), turn(...whole("SELECT * FROM nowhere"))),
  script(
    "extended",
    "failing-amid",
    turn(
      parse("x", "SELECT 1"),
      bind("", "x"),
      execute(""),
      ...whole("SELECT 1/0"),
      bind("", "x"),
      execute(""),
      sync(),
    ),
  ),
  script(
    "extended",
    "names",
    turn(parse("a", "SELECT 1"), sync()),
    turn(parse("a", "SELECT 1"), sync()),
    turn(close("S", "a"), parse("a", SECRETS), bind("a", "a"), execute("a"), sync()),
    turn(bind("", "gone"), sync()),
  ),
  script(
    "extended",
    "freed",
    turn(parse("a", "SELECT 1"), parse("b", SECRETS), sync()),
    turn(client.query("DEALLOCATE a")),
    turn(bind("", "a"), execute(""), sync()),
    turn(parse("a", "SELECT id, name FROM customers ORDER BY id"), bind("", "a"), execute(""), sync()),
    turn(...whole("DEALLOCATE ALL")),
    turn(bind("", "b"), execute(""), sync()),
  ),
  script("extended", "transaction", turn(...whole("BEGIN"), ...whole("SELECT 1"), ...whole("COMMIT"))),
  script(
    "extended",
    "cursor",
    turn(...whole("BEGIN"), ...whole("DECLARE c CURSOR FOR SELECT id, note FROM orders")),
    turn(...whole("FETCH 2 FROM c"), ...whole("COMMIT")),
  ),
  script("extended", "sql-prepared", turn(...whole("PREPARE q AS SELECT 1")), turn(bind("", "q"), execute(""), sync())),
  script("extended", "derived", turn(...whole(DERIVED)), turn(...whole(HARMLESS)), turn(...whole(DETECTED))),
  script(
    "extended",
    "cursor-as-portal",
    turn(client.query("BEGIN")),
    turn(...whole(`DECLARE c CURSOR FOR ${DERIVED}`)),
    turn(describe("P", "c"), execute("c"), sync()),
    turn(client.query("CLOSE c")),
    turn(parse("", HARMLESS), bind("c", ""), sync()),
    turn(client.query("FETCH ALL FROM c")),
    turn(client.query("ROLLBACK")),
  ),
  script("extended", "empty", turn(...whole("")), turn(sync())),
  script("extended", "explain", turn(...whole("EXPLAIN (COSTS OFF) SELECT id FROM orders WHERE id = 1"))),
  script("extended", "function-call", turn(client.functionCall(2_024), client.query("SELECT 1"))),
];

const LINES = ["a\t1\n", "b\\tc\t2\n", "\\N\t3\n"] as const;
const COPY_IN = "COPY log FROM STDIN";
const COPY: readonly Script[] = [
  ...queries("copy", {
    text: ["COPY (SELECT id, note FROM orders ORDER BY id) TO STDOUT"],
    csv: ["COPY (SELECT id, note FROM orders ORDER BY id) TO STDOUT (FORMAT csv, HEADER)"],
    binary: ["COPY (SELECT id, note FROM orders ORDER BY id) TO STDOUT (FORMAT binary)"],
    secrets: ["COPY customers TO STDOUT", "COPY (SELECT ssn, card FROM customers) TO STDOUT"],
    "secrets-csv": ["COPY customers (ssn) TO STDOUT (FORMAT csv)"],
  }),
  script(
    "copy",
    "in",
    until("G", client.query(COPY_IN)),
    { ...until("Z", ...LINES.map(client.copyData), client.copyDone()), times: 1 },
    turn(client.query("SELECT 1")),
  ),
  script(
    "copy",
    "in-failed",
    until("G", client.query(COPY_IN)),
    until("Z", client.copyData("a"), client.copyFail("no")),
  ),
  script(
    "copy",
    "in-wrong",
    until("G", client.query(COPY_IN)),
    until("Z", client.copyData("a\tb\n"), client.copyDone()),
  ),
  script(
    "copy",
    "in-extended",
    until("G", parse("", COPY_IN), bind("", ""), execute(""), sync()),
    turn(client.copyData("x\t9\n"), client.copyDone(), sync()),
  ),
  script("copy", "out-extended", turn(...whole("COPY (SELECT id, note FROM orders ORDER BY id) TO STDOUT"))),
  script("copy", "stray", turn(client.copyData("nobody asked"), client.copyDone(), client.query("SELECT 1"))),
];

export const SCRIPTS: readonly Script[] = [...SIMPLE, ...SECRET, ...ERRORS, ...EXTENDED, ...COPY];
