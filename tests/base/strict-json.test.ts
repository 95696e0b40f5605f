/** JSON that can be read in one way only, held to a parser that refuses keys which stand twice. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseDocument } from "yaml";
import { STRICT_JSON_DEPTH_MAX } from "../../src/base/limits.ts";
import { readStrictJson } from "../../src/base/strict-json.ts";

const isAmbiguous = (text: string) => readStrictJson(Buffer.from(text)).isAmbiguous;

const twice = [
  '{"a":1,"a":2}',
  '{"a":1,"\\u0061":2}',
  '{"":1,"":2}',
  '{"a" \n: 1,\t"a"\r:2}',
  '{"b":{"a":1,"c":{},"a":2}}',
  '[1,[{"a":[{"a":1}],"b":"}","a":2}]]',
  '{"a\\"":1,"a\\"":2}',
  '{"\\\\":1,"\\\\":2}',
  '{"__proto__":1,"__proto__":2}',
  '{"\\ud800":1,"\\udfff":2}', // one and the same to whoever replaces halves of a pair
];
for (const text of twice) test(`${text} says something twice`, () => assert.equal(isAmbiguous(text), true));

const once = [
  '{"a":"a","b":"a"}',
  '[{"a":1},{"a":2}]',
  '{"a":{"a":{"a":1}},"b":{"a":1}}',
  '["a","a"]',
  '{"a":"\\",\\"a\\":1"}',
  '{"a":1,"A":2,"a ":3,"\\u00e1":4,"a\\u0301":5}',
  '{"\\\\":1,"\\\\\\\\":2}',
  '{"a":["{\\"a\\":","a"],"b":0}',
  '"a"',
  "-0",
];
for (const text of once) test(`${text} says nothing twice`, () => assert.equal(isAmbiguous(text), false));

for (const [name, bytes] of [
  ["bytes that are no UTF-8", Buffer.from([0x22, 0xff, 0x22])],
  ["two texts", Buffer.from("{}{}")],
  ["a comment", Buffer.from("{} // no")],
  ["a string without an end", Buffer.from('{"a":"')],
  ["nothing", Buffer.alloc(0)],
] as const) {
  test(`${name} is no JSON`, () => assert.throws(() => readStrictJson(bytes)));
}

/** JSON texts whose objects have keys of three letters at most, so that many say something twice; escapes and spaces anywhere. */
const { text: texts } = fc.letrec((tie) => ({
  key: fc.constantFrom('"a"', '"b"', '"\\u0061"', '"\\""', '"{"', '":"'),
  space: fc.constantFrom("", " ", "\n", "\t "),
  member: fc
    .tuple(tie("space"), tie("key"), tie("space"), tie("text"))
    .map(([before, key, between, value]) => `${before}${key}${between}:${value}`),
  text: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constantFrom("1", "null", '"a"', '"\\\\"', '"a\\":1"'),
    fc.array(tie("text"), { maxLength: 3 }).map((items) => `[${items.join(", ")}]`),
    fc.array(tie("member"), { maxLength: 3 }).map((members) => `{${members.join(",")}}`),
  ),
}));
test("what it finds is what a parser finds that refuses keys which stand twice", () => {
  const found = { yes: 0, no: 0 };
  const holds = fc.property(texts, (text) => {
    const { errors } = parseDocument(String(text), { schema: "json", uniqueKeys: true, prettyErrors: false });
    found[errors.length > 0 ? "yes" : "no"]++;
    assert.equal(isAmbiguous(String(text)), errors.length > 0);
  });
  fc.assert(holds, { numRuns: 3_000 });
  assert.ok(found.yes > 100 && found.no > 100, `${found.yes} say something twice, ${found.no} do not`);
});

test("every kind of value comes back as JSON.parse has it, and says nothing twice", () => {
  const holds = fc.property(fc.jsonValue(), fc.integer({ min: 0, max: 3 }), (value, spaces) => {
    const text = JSON.stringify(value, null, spaces);
    assert.deepEqual(readStrictJson(Buffer.from(text)), { value: JSON.parse(text), isAmbiguous: false });
  });
  fc.assert(holds, { numRuns: 1_000 });
});

const nested = (brackets: number) => "[".repeat(brackets) + "]".repeat(brackets);
test("what is deeper than readers go can be read otherwise", () => {
  const { isAmbiguous: atLimit } = readStrictJson(Buffer.from(nested(STRICT_JSON_DEPTH_MAX)));
  assert.deepEqual([atLimit, isAmbiguous(nested(STRICT_JSON_DEPTH_MAX + 1))], [false, true]);
});

/** What takes the square of it would take minutes. */
const MANY = 1024 * 1024;
const large: readonly (readonly [string, string])[] = [
  ["keys of one object", `{${Array.from({ length: MANY / 8 }, (_, at) => `"k${at}":1`).join(",")}}`],
  ["objects beside objects", `[${'{"":1},'.repeat(MANY / 7)}{}]`],
  ["arrays in arrays", nested(MANY / 2)],
  ["spaces behind strings", `[${'"a"      ,'.repeat(MANY / 10)}1]`],
  ["spaces before a colon", `{"a"${" ".repeat(MANY)}:1}`],
  ["escapes in a key", `{"${'\\"'.repeat(MANY / 2)}":1}`],
];
for (const [name, text] of large) {
  test(`1 MiB of ${name} is read`, { timeout: 20_000 }, () => {
    assert.equal(isAmbiguous(text), name === "arrays in arrays");
  });
}
