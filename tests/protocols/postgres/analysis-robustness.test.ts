import assert from "node:assert/strict";
import { before, test } from "node:test";
import fc from "fast-check";
import { STATEMENT_BYTES_MAX } from "../../../src/base/limits.ts";
import { Analyser } from "../../../src/protocols/postgres/analysis/analyse.ts";
import { LABEL_ATTACKS, WHOLE_TABLE_AND_DDL } from "../../kit/attacks.ts";
import { CUSTOMER_CATALOG, CUSTOMER_LABELS } from "./analysis-scope.ts";

const analyser = new Analyser();
before(() => analyser.prepare());
const SCOPE = { data: CUSTOMER_LABELS, catalog: CUSTOMER_CATALOG };

function rule(text: string, own: Analyser = analyser): string | undefined {
  return own.analyse(text, SCOPE).statements[0]?.operation.forbidden?.rule;
}

const UNPARSABLE: readonly (readonly [name: string, text: string])[] = [
  ["a NUL, where the parser would stop reading", "SELECT 1\0; DROP TABLE t"],
  ["a NUL inside a literal of a known shape", "SELECT '\0'"],
  ["a lone high surrogate", "SELECT '\ud800'"],
  ["a lone low surrogate", "SELECT \udc00"],
  ["a text above the limit", `SELECT '${"a".repeat(STATEMENT_BYTES_MAX)}'`],
  ["a text above the limit in bytes only", `SELECT '${"é".repeat(STATEMENT_BYTES_MAX / 2)}'`],
  ["a syntax error", "SELECT FROM WHERE"],
  ["an unclosed literal", "SELECT 'a"],
  ["an unclosed comment", "SELECT 1 /* a"],
  ["parentheses beyond the grammar's stack", `SELECT ${"(".repeat(50_000)}1${")".repeat(50_000)}`],
  ["nested comments, which cost the square of their number", `${"/*".repeat(20_000)}${"*/".repeat(20_000)} SELECT 1`],
  ["a run of operators, which costs the square of its length", `SELECT 1 ${"+-".repeat(20_000)} 1`],
  [
    "sub-queries within each other that are too much to follow",
    `DELETE FROM t WHERE ${"a IN (SELECT ".repeat(150)}a${` WHERE a = ${"b + ".repeat(20)}b)`.repeat(150)}`,
  ],
  ["a tree too deep for the walk", `SELECT 1${" + 1".repeat(4_000)}`],
];
for (const [name, text] of UNPARSABLE) {
  test(`refused: ${name}`, () => assert.equal(rule(text), "built-in:unparsable"));
}

/** None of them may be looked through again and again: each would take longer than the world lasts. */
const DOUBLING: readonly (readonly [name: string, text: string])[] = [
  ["a row of minus signs", `DELETE FROM customers WHERE ${"- ".repeat(1_000)}id = 1`],
  [
    "stars over stars",
    `WITH c0 AS (SELECT * FROM customers)${Array.from({ length: 40 }, (_, at) => `, c${at + 1} AS (SELECT a.*, b.* FROM c${at} a, c${at} b)`).join("")} SELECT 1 FROM c40`,
  ],
  [
    "CASE in conditions of CASE",
    `DELETE FROM customers WHERE ${"CASE WHEN ".repeat(60)}id = 1${" THEN id = 1 ELSE id = 2 END".repeat(60)}`,
  ],
];
for (const [name, text] of DOUBLING) test(`judged in time: ${name}`, { timeout: 20_000 }, () => void rule(text));

test("nothing is allowed before the grammar is loaded", () => {
  assert.equal(rule("SELECT 1", new Analyser()), "built-in:unparsable");
});

test("a text that overflows the parser's stack is refused, and the next one is parsed by another instance", async () => {
  const own = new Analyser();
  await own.prepare();
  const deep = `SELECT 1${" || 'a'".repeat(60_000)}`;
  assert.equal(rule(deep, own), "built-in:unparsable");
  assert.equal(rule("SELECT 1", own), undefined);
  await own.prepare();
  for (let round = 0; round < 5; round++) {
    assert.equal(rule(`${deep} || 'b'`, own), "built-in:unparsable");
    await own.prepare();
    assert.equal(rule(`SELECT 1 AS a${round}`, own), undefined);
  }
});

test("an instance is not used again after an overflow, so two of them leave none until the next is loaded", async () => {
  const own = new Analyser();
  await own.prepare();
  for (const last of ["a", "b"]) rule(`SELECT 1${"||1".repeat(80_000)}||'${last}'`, own);
  assert.equal(rule("SELECT 1", own), "built-in:unparsable");
  await own.prepare();
  assert.equal(rule("SELECT 2", own), undefined);
});

test("an empty text has no statement", () => {
  for (const text of ["", " \n", ";", ";;", "-- a", "/* a */ ;"]) {
    assert.deepEqual(analyser.analyse(text, SCOPE).statements, [], JSON.stringify(text));
  }
});

test("a refusal of the parser does not quote the text", () => {
  const [statement] = analyser.analyse("SELECT 'secret' 'x' y z", SCOPE).statements;
  assert.doesNotMatch(statement?.operation.forbidden?.message ?? "secret", /secret/);
});

const seeds = [...WHOLE_TABLE_AND_DDL, ...LABEL_ATTACKS].map(({ sql }) => sql);
const mutated = fc
  .record({
    seed: fc.constantFrom(...seeds),
    cut: fc.double({ min: 0, max: 1, noNaN: true }),
    length: fc.nat(8),
    insert: fc.oneof(
      fc.string(),
      fc.string({ unit: "binary" }),
      fc.constantFrom("'", '"', "$$", "/*", "--", ";", "\\", "(", "1.e"),
    ),
  })
  .map(({ seed, cut, length, insert }) => {
    const at = Math.floor(seed.length * cut);
    return seed.slice(0, at) + insert + seed.slice(at + length);
  });

test("whatever the text, the analysis answers and is total", () => {
  fc.assert(
    fc.property(fc.oneof(mutated, fc.string({ unit: "binary" }), fc.string()), (text) => {
      const { statements } = analyser.analyse(text, SCOPE);
      for (const { operation, effects, text: own } of statements) {
        assert.ok(Array.isArray(operation.actions));
        assert.ok(["none", "in", "out"].includes(effects.copy));
        assert.ok(text.includes(own));
      }
      assert.deepEqual(analyser.analyse(text, SCOPE), { statements });
    }),
    { numRuns: 5_000 },
  );
});

test("recursive queries within recursive queries are not walked for ever", () => {
  let sql = "SELECT ssn AS x FROM customers";
  for (let level = 0; level < 40; level++) {
    sql = `WITH RECURSIVE r AS (${sql} UNION ALL SELECT x FROM r) SELECT x FROM r`;
  }
  const [statement] = analyser.analyse(sql, SCOPE).statements;
  assert.equal(statement?.operation.forbidden?.rule, "built-in:unparsable");
});
