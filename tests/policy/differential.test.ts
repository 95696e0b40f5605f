/** Our evaluator against two others over generated conditions: the CEL library's own and @bufbuild/cel. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type CelInput, type CelMap, isCelError, run } from "@bufbuild/cel";
import { evaluate } from "@marcbachmann/cel-js";
import fc from "fast-check";
import type { ActionDeclaration, Fact, Facts } from "../../src/model/operation.ts";
import { compileCondition, createChecker } from "../../src/policy/condition.ts";

const ACTION: ActionDeclaration = {
  name: "probe",
  about: "Facts of every type",
  facts: {
    n: "int",
    s: "string",
    b: "bool",
    names: { list: "string" },
    labels: { map: "string" },
    tables: { list: { object: "Row", fields: { name: "string", size: "int", labels: { list: "string" } } } },
  },
};
const CHECKER = createChecker(ACTION);

const word = fc.constantFrom("", "a", "b", "pii", "prod", "é😀");
const number = fc.integer({ min: -3, max: 5 });
const facts: fc.Arbitrary<Facts> = fc.record({
  n: number,
  s: word,
  b: fc.boolean(),
  names: fc.array(word, { maxLength: 3 }),
  labels: fc
    .dictionary(fc.constantFrom("a", "b", "environment"), word, { maxKeys: 2 })
    .map((labels) => ({ ...labels })),
  tables: fc.array(fc.record({ name: word, size: number, labels: fc.array(word, { maxLength: 2 }) }), { maxLength: 3 }),
});

const { condition } = fc.letrec<{ condition: string; text: string; int: string; texts: string }>((tie) => {
  const pair = (left: fc.Arbitrary<string>, ops: readonly string[], right: fc.Arbitrary<string>) =>
    fc.tuple(left, fc.constantFrom(...ops), right).map(([a, op, b]) => `(${a} ${op} ${b})`);
  const { condition, text, int, texts } = {
    condition: tie("condition") as fc.Arbitrary<string>,
    text: tie("text") as fc.Arbitrary<string>,
    int: tie("int") as fc.Arbitrary<string>,
    texts: tie("texts") as fc.Arbitrary<string>,
  };
  const macro = fc.constantFrom("all", "exists", "exists_one");
  return {
    condition: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      fc.constantFrom("b", "true", "false", "has(labels.a)", '("environment" in labels)'),
      pair(condition, ["&&", "||", "==", "!="], condition),
      pair(int, ["<", "<=", ">", ">=", "==", "!="], int),
      pair(text, ["==", "!=", "<", ">="], text),
      pair(text, ["in"], texts),
      pair(texts, ["==", "!="], texts),
      condition.map((of) => `!${of}`),
      fc.tuple(text, fc.constantFrom("contains", "startsWith", "endsWith"), text).map(([a, f, b]) => `${a}.${f}(${b})`),
      fc.tuple(text, fc.constantFrom("^a", "p.i", "(a|b)+$")).map(([a, p]) => `${a}.matches("${p}")`),
      fc.tuple(condition, condition, condition).map(([a, b, c]) => `(${a} ? ${b} : ${c})`),
      fc.tuple(texts, macro, condition).map(([of, m, body]) => `${of}.${m}(x, x == s || ${body})`),
      fc.tuple(macro, condition).map(([m, body]) => `tables.${m}(t, t.size > n && "pii" in t.labels || ${body})`),
    ),
    int: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      number.map((value) => `(${value})`),
      fc.constant("n"),
      pair(int, ["+", "-", "*", "/", "%"], int),
      text.map((of) => `size(${of})`),
      texts.map((of) => `${of}.size()`),
      fc.constant("tables[0].size"),
      fc.constant("tables[n].size"),
    ),
    text: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      word.map((value) => JSON.stringify(value)),
      fc.constantFrom("s", "labels.environment", 'labels["a"]', "names[0]", "tables[1].name"),
      pair(text, ["+"], text),
      int.map((of) => `string(${of})`),
    ),
    texts: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      fc.constantFrom("names", "tables.map(t, t.name)", "tables[0].labels"),
      fc
        .array(
          word.map((value) => JSON.stringify(value)),
          { minLength: 1, maxLength: 3 },
        )
        .map((all) => `[${all}]`),
      fc.tuple(texts, condition).map(([of, body]) => `${of}.filter(y, y != s && ${body})`),
    ),
  };
});

test("conditions give what two other evaluators give, errors included", () => {
  fc.assert(
    fc.property(condition, facts, (text, given) => {
      const ours = answerOf(compileCondition(text, [CHECKER]).test({}, given, {}));
      assert.equal(ours, bufbuild(text, given), `@bufbuild/cel on ${text}`);
      assert.equal(ours, library(text, given), `@marcbachmann/cel-js on ${text}`);
    }),
    { numRuns: 200 },
  );
});

function bufbuild(text: string, given: Facts): boolean | "error" {
  const bindings = Object.fromEntries(Object.entries(given).map(([name, fact]) => [name, toCel(fact, "map")]));
  const answer = run(text, bindings as Record<string, CelInput>);
  return isCelError(answer) ? "error" : answerOf(answer);
}

function library(text: string, given: Facts): boolean | "error" {
  const context = Object.fromEntries(Object.entries(given).map(([name, fact]) => [name, toCel(fact, "object")]));
  try {
    return answerOf(evaluate(text, context));
  } catch {
    return "error";
  }
}

function answerOf(answer: unknown): boolean | "error" {
  return typeof answer === "boolean" ? answer : "error";
}

/** Integers as bigint; maps as Map or as plain objects. */
function toCel(fact: Fact, maps: "map" | "object"): unknown {
  if (typeof fact === "number") return BigInt(fact);
  if (typeof fact !== "object") return fact;
  if (Array.isArray(fact)) return fact.map((item) => toCel(item, maps));
  const entries = Object.entries(fact).map(([key, value]) => [key, toCel(value, maps)] as const);
  return maps === "map" ? (new Map(entries) as unknown as CelMap) : Object.fromEntries(entries);
}
