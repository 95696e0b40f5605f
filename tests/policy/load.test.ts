import assert from "node:assert/strict";
import { test } from "node:test";
import { loadPolicy } from "../../src/policy/load.ts";
import { PolicyError, type Problem } from "../../src/policy/problem.ts";
import { BROKEN_POLICIES, rule } from "../kit/broken-policies.ts";
import { policyOf, SAMPLE_CATALOGUE, SAMPLE_NAMES } from "../kit/policy.ts";

const good = [
  { name: "no rules", text: "rules: []", rules: 0 },
  { name: "an empty file", text: "", rules: 0 },
  { name: "an unquoted condition", text: rule("on: sql", 'when: agent.name == "ci"', "allow: {}"), rules: 1 },
  { name: "several actions", text: rule("on: [sql.read, exec]", "when: agent.name == 'ci'", "allow: {}"), rules: 1 },
  { name: "a deny without a message", text: rule("on: sql", "deny: {}"), rules: 1 },
  { name: "a mask that makes null", text: rule("on: reveal", "mask: { style: null }"), rules: 1 },
  { name: "a quoted null", text: rule("on: reveal", 'mask: { style: "null" }'), rules: 1 },
  {
    name: "a comment and a block condition",
    text: rule("on: sql # all", "when: |", "  true &&", "  false", "deny: {}"),
    rules: 1,
  },
  { name: "has() on a map", text: rule("on: exec", "when: has(pod.labels.app)", "allow: {}"), rules: 1 },
  {
    name: "facts of connect",
    text: rule("on: connect", "when: database == 'shop' && user != 'root'", "allow: {}"),
    rules: 1,
  },
] as const;
for (const { name, text, rules } of good)
  test(`loadPolicy reads ${name}`, () => assert.equal(policyOf(text).rules.length, rules));

for (const { name, text, at, says } of BROKEN_POLICIES)
  test(`loadPolicy refuses ${name}`, () => {
    const [problem, ...more] = problemsOf(text);
    assert.ok(problem);
    assert.deepEqual(more, []);
    assert.match(`${problem.message} ${problem.remedy}`, says);
    assert.equal(`${problem.line}:${problem.column}`, at);
  });

test("every problem of every file is told at once, with file and rule", () => {
  const files = [
    { name: "a.yaml", text: rule("on: sql.raed", "deny: {}") },
    { name: "b.yaml", text: `${rule("on: sql", "when: nope", "deny: {}").replace("name: r", "name: s")}\n  - name: t` },
  ];
  const problems = problemsOf(files);
  assert.deepEqual(problems.map(({ file, rule }) => `${file} ${rule}`).sort(), [
    "a.yaml r",
    "b.yaml s",
    "b.yaml t",
    "b.yaml t",
  ]);
});

test("at most 50 problems are told", () => {
  const text = `rules:\n${"  - name: R\n".repeat(80)}`;
  assert.equal(problemsOf(text).length, 50);
});

test("a name is taken once over all files", () => {
  const files = ["a.yaml", "b.yaml"].map((name) => ({ name, text: rule("on: sql", "deny: {}") }));
  const [problem] = problemsOf(files);
  assert.match(problem?.message ?? "", /taken by a\.yaml:2/);
  assert.equal(problem?.file, "b.yaml");
});

test("the version is 12 hexadecimal digits and changes with the text", () => {
  const { version } = policyOf("rules: []");
  assert.match(version, /^[0-9a-f]{12}$/);
  assert.equal(policyOf("rules: []").version, version);
  assert.notEqual(policyOf("rules: [] #").version, version);
});

const warned = [
  {
    name: "an unknown label",
    text: rule("on: reveal", "when: \"'pi' in column.labels\"", "mask: { style: hash }"),
    says: /label "pi".*"pii"/,
  },
  {
    name: "an unknown label of a table",
    text: rule("on: sql", "when: statement.tables.exists(t, 'secret' in t.labels)", "deny: {}"),
    says: /label "secret"/,
  },
  {
    name: "an unknown detector",
    text: rule("on: reveal", "when: \"detector in ['us-ssn', 'card']\"", "mask: { style: hash }"),
    says: /detector "card"/,
  },
  {
    name: "an unknown connection",
    text: rule("on: sql", "when: connection.name == 'oders'", "deny: {}"),
    says: /connection "oders".*"orders"/,
  },
  {
    name: "a condition that is always true",
    text: rule("on: sql", "when: 1 < 2 || 1 > 2", "deny: {}"),
    says: /always true/,
  },
  { name: "a condition that is never true", text: rule("on: sql", "when: '!true'", "deny: {}"), says: /never true/ },
  { name: "that nothing can be reached", text: rule("on: sql", "deny: {}"), says: /No rule allows "connect"/ },
];
for (const { name, text, says } of warned)
  test(`loadPolicy warns of ${name}`, () => {
    const warnings = policyOf(text).warnings.map(({ message, remedy }) => `${message} ${remedy}`);
    assert.ok(
      warnings.some((warning) => says.test(warning)),
      warnings.join("\n"),
    );
  });

test("a policy with known names only has no warnings", () => {
  const text = `${rule("on: connect", 'when: connection.name == "orders"', "allow: {}")}
  - name: hide
    on: reveal
    when: "'pii' in column.labels || detector in ['secret', 'us-ssn'] || detector == ''"
    mask: { style: partial }`;
  assert.deepEqual(policyOf(text).warnings, []);
});

test("a protocol cannot declare an action twice, nor a fact that every action has", () => {
  const facts = { agent: "string" } as const;
  const names = SAMPLE_NAMES;
  assert.throws(() => loadPolicy([], [...SAMPLE_CATALOGUE, ...SAMPLE_CATALOGUE], names), /declared twice/);
  assert.throws(() => loadPolicy([], [{ name: "connect", about: "", facts: {} }], names), /declared twice/);
  assert.throws(() => loadPolicy([], [{ name: "x", about: "", facts }], names), /every action has it/);
});

function problemsOf(text: string | { name: string; text: string }[]): readonly Problem[] {
  const files = typeof text === "string" ? [{ name: "test.yaml", text }] : text;
  try {
    loadPolicy(files, SAMPLE_CATALOGUE, SAMPLE_NAMES);
  } catch (error) {
    assert.ok(error instanceof PolicyError, String(error));
    return error.problems;
  }
  return assert.fail("it was loaded");
}
