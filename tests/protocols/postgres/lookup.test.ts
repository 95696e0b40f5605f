import assert from "node:assert/strict";
import { test } from "node:test";
import { isResolved } from "../../../src/protocols/postgres/catalog.ts";
import { CatalogLookup } from "../../../src/protocols/postgres/lookup.ts";
import { join, message, messagesIn, server } from "../../kit/wire.ts";

const LABELS = {
  "public.customers": { labels: ["people"], columns: { ssn: ["pii"] } },
  "public.cards": { labels: [], columns: { card: ["payment"] } },
};
const ROWS = [
  server.row("asked", "20009", null, null, null, null, null, null),
  server.row("clean", "20007", "public", "plain", "r", null, '{"1":["a",23]}', null),
  server.row("derived", "20005", "public", "v", "v", null, '{"1":["x",25]}', "SELECT 1"),
  server.row("labelled", "20001", "public", "customers", "r", "0", '{"1":["id",23],"2":["ssn",25]}', null),
  server.row("labelled", "20002", "sales", "both", "r", "0,1", '{"1":["card",25],"4":["ssn",25]}', null),
];
const FUNCTIONS = ["stolen", "told"].map((name) => {
  return server.row("function", null, null, name, null, null, null, null);
});
const columns = server.columns(...["a", "b", "c", "d", "e", "f", "g", "h"].map((name) => ({ name })));
const ANSWER = join(columns, ...ROWS, server.complete("SELECT 4"), server.ready());

function asked(oids: readonly number[] = [20_009]) {
  const lookup = new CatalogLookup({ kind: "relations", labels: LABELS, oids, fresh: true });
  return { lookup, text: messagesIn(lookup.start())[0]?.body.toString() ?? "" };
}

function found(answer: Uint8Array = ANSWER) {
  const facts = asked().lookup.receive(answer);
  assert.ok(facts !== undefined);
  return facts;
}

function labels(oid: number, attnum: number): readonly string[] | undefined {
  const relation = found().relations.get(oid);
  return relation && [...relation.labels, ...(relation.columns.get(attnum)?.labels ?? [])];
}

test("labels follow tables and columns by name, through inheritance from several", () => {
  assert.deepEqual(labels(20_001, 1), ["people"]);
  assert.deepEqual(labels(20_001, 2), ["people", "pii"]);
  assert.deepEqual(labels(20_002, 1), ["people", "payment"]);
  assert.deepEqual(labels(20_002, 4), ["people", "pii"]);
  assert.deepEqual(labels(20_007, 1), []);
});

test("a derived relation is taken to carry every label, until its definition says more", () => {
  assert.deepEqual(found().relations.get(20_005)?.labels, ["people", "pii", "payment"]);
});

test("expressions, system tables, listed tables and tables that were asked for are known; others are not", () => {
  const facts = found();
  for (const oid of [0, 1259, 20_007, 20_009]) assert.equal(isResolved(facts, oid), true);
  assert.equal(isResolved(facts, 31_337), false);
});

test("views that derive are known by their definition, and all relations by their columns", () => {
  const { relations } = found();
  assert.equal(relations.get(20_005)?.definition, "SELECT 1");
  assert.deepEqual(relations.get(20_007)?.columns.get(1), { name: "a", labels: [], typeOid: 23 });
});

test("functions that take a row are known by name, and are part of the version", () => {
  const facts = found(join(columns, ...ROWS, ...FUNCTIONS, server.complete("SELECT 7"), server.ready()));
  assert.deepEqual([...facts.rowFunctions], ["stolen", "told"]);
  assert.deepEqual([...found().rowFunctions], []);
  assert.notEqual(facts.version, found().version);
});

test("the version follows the content, not what was asked for by number", () => {
  const other = join(columns, ...ROWS.slice(0, 4), server.complete("SELECT 3"), server.ready());
  const withoutClean = join(columns, ...ROWS.slice(1), server.complete("SELECT 3"), server.ready());
  assert.equal(found().version, found().version);
  assert.equal(found().version, found(withoutClean).version);
  assert.notEqual(found().version, found(other).version);
});

test("the answer may come byte by byte", () => {
  const { lookup } = asked();
  const answers = [...ANSWER].map((byte) => lookup.receive(Buffer.of(byte)));
  assert.equal(answers.at(-1)?.relations.size, 4);
  assert.equal(answers.filter((answer) => answer !== undefined).length, 1);
});

test("names reach the server as hex, never as SQL", () => {
  const labels = { "public.a'; drop table x; --": { labels: [], columns: {} } };
  const text = messagesIn(new CatalogLookup({ kind: "catalog", labels }).start())[0]?.body.toString() ?? "";
  assert.ok(!text.includes("drop table"));
  assert.ok(text.includes(Buffer.from("a'; drop table x; --").toString("hex")));
});

const broken = [
  { name: "an error", bytes: server.error({ S: "ERROR", C: "42501", M: "no" }), code: "LOOKUP_FAILED" },
  { name: "an error without an end", bytes: message("E", Buffer.from("SA")), code: "FRAME_BODY" },
] as const;
for (const { name, bytes, code } of broken) {
  test(`${name} of the server fails the lookup`, () => {
    assert.throws(() => asked().lookup.receive(bytes), { code });
  });
}
