/** What may be approved for a time: texts whose literals are values, and none whose literals say what is done. */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { postgres } from "../../../src/protocols/postgres/index.ts";

before(() => postgres.prepare());

const CONNECTION = { name: "orders", protocol: "postgres", labels: {}, data: {} };

function shapesOf(text: string) {
  const asked = postgres.askedBy?.(text, CONNECTION as never) ?? [];
  assert.ok(asked.length > 0);
  return asked.map(({ text: own, operation }) => postgres.shapeOf?.(own, operation.actions));
}

for (const text of [
  "DELETE FROM t WHERE id = 5",
  "UPDATE t SET a = 'x' WHERE b = 'y'",
  "INSERT INTO t VALUES (1, 'x')",
]) {
  test(`has a shape: ${text}`, () => assert.equal(typeof shapesOf(text)[0], "string"));
}

for (const text of [
  "DO 'BEGIN DELETE FROM t; END'",
  "COPY t TO PROGRAM 'true'",
  "COPY t FROM '/tmp/x'",
  "SET ROLE 'app'",
  "SET search_path = 'app'",
  "SELECT set_config('role', 'app', false)",
  "SELECT query_to_xml('DELETE FROM t', true, true, '')",
  "ALTER SYSTEM SET archive_command = 'true'",
  "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
]) {
  test(`has none: ${text}`, () => assert.deepEqual(shapesOf(text), [undefined]));
}
