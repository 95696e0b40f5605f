import assert from "node:assert/strict";
import { test } from "node:test";
import { FRAME_BYTES_MAX } from "../../../src/base/limits.ts";
import type { MaskFor } from "../../../src/model/mask.ts";
import { kindOf } from "../../../src/protocols/postgres/types.ts";
import {
  allow,
  allowLimited,
  ask,
  close,
  facts,
  forward,
  fromClient,
  fromServer,
  look,
  note,
  type Playbook,
  toClient,
} from "../../kit/playbook.ts";
import { client, hex, int32, join, server } from "../../kit/wire.ts";
import {
  CARD,
  CLEAN,
  CUSTOMER_VIEW,
  CUSTOMERS,
  catalogOf,
  fatalOf,
  LABELS,
  maskPlainly,
  opened,
  openedWithLabels,
} from "./kit.ts";

const SELECT = client.query("select 1");
const asked = (played: Playbook, id = 2) =>
  played
    .gets(fromClient(SELECT))
    .does(ask(id, [["sql.read", "select 1"]], SELECT))
    .gets(allow(id))
    .does(forward(id));
/** A statement on a connection with labels: the facts are asked for first, ask and look share their numbers. */
const askedWithLabels = () =>
  openedWithLabels()
    .gets(fromClient(SELECT))
    .does(look(3, { kind: "catalog", labels: LABELS }))
    .gets(facts(3, catalogOf()))
    .does(ask(4, [["sql.read", "select 1"]], SELECT))
    .gets(allow(4))
    .does(forward(4));
const END = [server.complete("SELECT 1"), server.ready()] as const;

test("detectors look at text columns only, and untouched rows pass", () => {
  const columns = server.columns({ name: "n", type: 20 }, { name: "t", type: 25 });
  const rows = [server.row("4111111111111111", "plain"), server.row("1", `card ${CARD}.`), server.row(null, null)];
  asked(opened({ maskFor: maskPlainly }))
    .gets(fromServer(columns, ...rows, ...END))
    .does(
      note(2, {
        rows: 3,
        bytes: rows.reduce((sum, row) => sum + row.length, 0),
        masks: [{ column: "t", by: "detector:payment-card", count: 1 }],
        outcome: "SELECT 1",
      }),
      toClient(columns, rows[0] ?? hex(""), server.row("1", "card [card]."), rows[2] ?? hex(""), ...END),
    )
    .rests();
});

const kinds = [
  [16, "other"],
  [17, "other"],
  [20, "other"],
  [1700, "other"],
  [25, "text"],
  [1043, "text"],
  [1042, "text"],
  [2249, "text"],
  [99_999, "text"],
  [114, "json"],
  [3802, "json"],
  [1009, "text-array"],
  [3807, "text-array"],
] as const;
for (const [oid, kind] of kinds) {
  test(`values of type ${oid} are ${kind}`, () => assert.equal(kindOf(oid), kind));
}

test("a changed value of a type whose binary form is not text becomes NULL", () => {
  const columns = server.columns({ name: "r", type: 2249, format: 1 }, { name: "t", type: 25, format: 1 });
  const row = server.row(join(int32(1), Buffer.from(CARD)), CARD);
  asked(opened({ maskFor: maskPlainly }))
    .gets(fromServer(columns, row, ...END))
    .does(
      note(2, {
        rows: 1,
        bytes: row.length,
        masks: [
          { column: "r", by: "detector:payment-card", count: 1 },
          { column: "t", by: "detector:payment-card", count: 1 },
        ],
        outcome: "SELECT 1",
      }),
      toClient(columns, server.row(null, "[card]"), ...END),
    )
    .rests();
});

test("a labelled column is known by its table and number, whatever it is called", () => {
  const columns = server.columns(
    { name: "harmless", table: CUSTOMERS, attnum: 2 },
    { name: "id", table: CUSTOMERS, attnum: 1, type: 23 },
  );
  const row = server.row("123-45-6789", "1");
  askedWithLabels()
    .gets(fromServer(columns, row, ...END))
    .does(
      note(4, {
        rows: 1,
        bytes: row.length,
        masks: [{ column: "customers.ssn", by: "label:pii", count: 1 }],
        outcome: "SELECT 1",
      }),
      toClient(columns, server.row("***", "1"), ...END),
    )
    .rests();
});

test("of a view's column counts what the statement's analysis says", () => {
  const columns = server.columns(
    { name: "a", table: CUSTOMER_VIEW, attnum: 1 },
    { name: "n", table: CUSTOMER_VIEW, attnum: 2, type: 23 },
  );
  const row = server.row("x", "1");
  askedWithLabels()
    .gets(fromServer(columns, row, ...END))
    .does(note(4, { rows: 1, bytes: row.length, masks: [], outcome: "SELECT 1" }), toClient(columns, row, ...END))
    .rests();
});

const question = { kind: "relations", labels: LABELS, oids: [CLEAN], fresh: true };
const cleanColumns = server.columns({ name: "a", table: CLEAN, attnum: 1 });

test("no row of a table that nobody knows passes before it is looked up", () => {
  askedWithLabels()
    .gets(fromServer(cleanColumns, server.row("x"), ...END))
    .does(look(5, question))
    .gets(facts(5, catalogOf("v1", [CLEAN])))
    .does(
      note(4, { rows: 1, bytes: server.row("x").length, outcome: "SELECT 1" }),
      toClient(cleanColumns, server.row("x"), ...END),
    )
    .rests();
});

test("a table that nobody knows is new in the client's transaction: what the analysis follows counts", () => {
  askedWithLabels()
    .gets(fromServer(cleanColumns, server.row("x"), ...END))
    .does(look(5, question))
    .gets(facts(5, catalogOf("v1")))
    .does(
      note(4, {
        rows: 1,
        bytes: server.row("x").length,
        masks: [],
        outcome: "SELECT 1",
      }),
      toClient(cleanColumns, server.row("x"), ...END),
    )
    .rests();
});

test("what was found clean stays known while the catalog stays the same", () => {
  const played = askedWithLabels()
    .gets(fromServer(cleanColumns, server.row("x"), ...END))
    .does(look(5, question))
    .gets(facts(5, catalogOf("v1", [CLEAN])));
  played.does(
    note(4, { rows: 1, bytes: server.row("x").length, outcome: "SELECT 1" }),
    toClient(cleanColumns, server.row("x"), ...END),
  );
  played
    .gets(fromClient(SELECT))
    .does(look(6, { kind: "catalog", labels: LABELS }))
    .gets(facts(6, catalogOf()))
    .does(ask(7, [["sql.read", "select 1"]], SELECT))
    .gets(allow(7))
    .does(forward(7))
    .gets(fromServer(cleanColumns, ...END))
    .does(note(7, { outcome: "SELECT 1" }), toClient(cleanColumns, ...END))
    .rests();
});

test("facts that cannot be had end the session", () => {
  const text = "The catalog of the database could not be read";
  openedWithLabels()
    .gets(fromClient(SELECT))
    .does(look(3, { kind: "catalog", labels: LABELS }))
    .gets(facts(3, undefined))
    .does(toClient(fatalOf("58000", text)), close(text))
    .rests();
});

test("after a change of the schema the next facts must be fresh, and nothing is read before it is done", () => {
  const create = client.query("create table x");
  openedWithLabels()
    .gets(fromClient(create, SELECT))
    .does(look(3, { kind: "catalog", labels: LABELS }))
    .gets(facts(3, catalogOf()))
    .does(ask(4, [["sql.define", "create table x"]], create))
    .gets(allow(4))
    .does(forward(4))
    .gets(fromServer(server.complete("CREATE TABLE"), server.ready()))
    .does(
      note(4, { outcome: "CREATE TABLE" }),
      toClient(server.complete("CREATE TABLE"), server.ready()),
      look(5, { kind: "catalog", labels: LABELS, fresh: true }),
    )
    .rests();
});

test("facts that are known already are not asked for, and those of another version have descriptions read anew", () => {
  let version = "v1";
  const columns = server.columns({ name: "ssn", table: CUSTOMERS, attnum: 2 });
  const row = server.row("plain");
  let plans = 0;
  const maskFor: MaskFor = () => {
    plans++;
    return undefined;
  };
  const run = (played: Playbook, id: number) =>
    played
      .gets(fromClient(SELECT))
      .does(ask(id, [["sql.read", "select 1"]], SELECT))
      .gets(allow(id))
      .does(forward(id))
      .gets(fromServer(columns, row, ...END))
      .does(note(id, { rows: 1, bytes: row.length, outcome: "SELECT 1" }), toClient(columns, row, ...END));
  const played = openedWithLabels({ maskFor, known: () => catalogOf(version) });
  const before = plans;
  run(run(played, 3), 4);
  assert.equal(plans - before, 1, "described alike twice");
  version = "v2";
  run(played, 5).rests();
  assert.equal(plans - before, 2, "under other facts");
});

test("what is known from before a change of the schema is not believed after it", () => {
  const create = client.query("create table x");
  openedWithLabels({ known: () => catalogOf() })
    .gets(fromClient(create, SELECT))
    .does(ask(3, [["sql.define", "create table x"]], create))
    .gets(allow(3))
    .does(forward(3))
    .gets(fromServer(server.complete("CREATE TABLE"), server.ready()))
    .does(
      note(3, { outcome: "CREATE TABLE" }),
      toClient(server.complete("CREATE TABLE"), server.ready()),
      look(4, { kind: "catalog", labels: LABELS, fresh: true }),
    )
    .rests();
});

test("where what is known is nothing that can be used, it is asked for", () => {
  for (const nothing of [undefined, "facts", {}]) {
    openedWithLabels({ known: () => nothing })
      .gets(fromClient(SELECT))
      .does(look(3, { kind: "catalog", labels: LABELS }))
      .rests();
  }
});

test("on a connection with labels a remembered description is not trusted: the tables behind it may have changed", () => {
  const prepare = join(client.parse("s", "select 1"), client.describe("S", "s"), client.sync());
  const described = [
    server.parsed(),
    server.parameters(),
    server.columns({ name: "id", table: CUSTOMERS, attnum: 1, type: 23 }),
    server.ready(),
  ];
  const bind = client.bind("", "s");
  const rest = join(client.execute(""), client.sync());
  openedWithLabels()
    .gets(fromClient(prepare))
    .does(look(3, { kind: "catalog", labels: LABELS }))
    .gets(facts(3, catalogOf()))
    .does(ask(4, [["sql.read", "select 1"]], prepare))
    .gets(allow(4))
    .does(forward(4))
    .gets(fromServer(...described))
    .does(note(4), toClient(...described))
    .gets(fromClient(bind, rest))
    .does(look(5, { kind: "catalog", labels: LABELS }))
    .gets(facts(5, catalogOf()))
    .does(ask(6, [["sql.read", "select 1"]], bind, client.describe("P", ""), rest))
    .rests();
});

test("a row that does not fit its description ends the session, and none of it is shown", () => {
  const text = "Cannot read a row: it does not fit its description";
  const columns = server.columns({ name: "t" });
  for (const row of [server.row("a", "b"), hex("44 0000000a 0001 00000009"), hex("44 0000000b 0001 00000000 61")]) {
    asked(opened({ maskFor: maskPlainly }))
      .gets(fromServer(columns, row))
      .does(toClient(fatalOf("08P01", text)), close(text, "ROW_SHAPE"))
      .rests();
  }
});

test("a row of a gigabyte that cannot be masked passes as it comes", () => {
  const columns = server.columns({ name: "n", type: 17 });
  const header = join(Buffer.from("D"), int32(1 << 30));
  asked(opened({ maskFor: maskPlainly }))
    .gets(fromServer(columns, header, Buffer.alloc(10)))
    .does(toClient(columns, header, Buffer.alloc(10)))
    .gets(fromServer(Buffer.alloc(20)))
    .does(toClient(Buffer.alloc(20)))
    .rests();
});

test("what counts towards a limit tells its rows with every read that does not end it", () => {
  const columns = server.columns({ name: "n", type: 20 });
  const row = server.row("1");
  opened({ maskFor: maskPlainly })
    .gets(fromClient(SELECT))
    .does(ask(2, [["sql.read", "select 1"]], SELECT))
    .gets(allowLimited(2))
    .does(forward(2))
    .gets(fromServer(columns))
    .does(toClient(columns))
    .gets(fromServer(row, row))
    .does(toClient(row, row), { kind: "progress", id: 2, rows: 2, bytes: 2 * row.length })
    .gets(fromServer(row))
    .does(toClient(row), { kind: "progress", id: 2, rows: 3, bytes: 3 * row.length })
    .gets(fromServer(row, ...END))
    .does(note(2, { rows: 4, bytes: 4 * row.length, outcome: "SELECT 1" }), toClient(row, ...END))
    .rests();
});

test("a row that must be looked at is held whole, up to the limit", () => {
  const columns = server.columns({ name: "t" });
  const header = join(Buffer.from("D"), int32(FRAME_BYTES_MAX + 1));
  const text = `Cannot read a message: its length ${FRAME_BYTES_MAX + 1} is not in 4..${FRAME_BYTES_MAX}`;
  asked(opened({ maskFor: maskPlainly }))
    .gets(fromServer(columns, header))
    .does(toClient(fatalOf("08P01", text)), close(text, "FRAME_LENGTH"))
    .rests();
});

test("a row with more to look into than a thread can bear is masked without a look", () => {
  const searched: number[] = [];
  const maskFor: MaskFor = () => (value) => {
    searched.push(value.length);
    return undefined;
  };
  const [first, second] = ["a".repeat(700_000), "b".repeat(700_000)];
  const columns = server.columns({ name: "a" }, { name: "b" }, { name: "c" });
  const row = server.row(first, second, "c");
  asked(opened({ maskFor }))
    .gets(fromServer(columns, row, ...END))
    .does(
      note(2, {
        rows: 1,
        bytes: row.length,
        masks: [
          { column: "b", by: "too-long", count: 1 },
          { column: "c", by: "too-long", count: 1 },
        ],
        outcome: "SELECT 1",
      }),
      toClient(columns, server.row(first, null, null), ...END),
    )
    .rests();
  assert.deepEqual(searched, [700_000]);
});

test("an error text that is too long to look into is blanked", () => {
  const maskFor: MaskFor = () => () => assert.fail("It was looked into");
  const long = (text: string) => server.error({ S: "ERROR", V: "ERROR", C: "22P02", M: text });
  asked(opened({ maskFor }))
    .gets(fromServer(long("x".repeat(1_100_000)), server.ready()))
    .does(note(2, { error: { code: "22P02", message: "…" } }), toClient(long("…"), server.ready()))
    .rests();
});
