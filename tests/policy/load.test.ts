import assert from "node:assert/strict";
import { test } from "node:test";
import { loadPolicy } from "../../src/policy/load.ts";
import { PolicyError, type Problem } from "../../src/policy/problem.ts";
import { policyOf, SAMPLE_CATALOGUE, SAMPLE_NAMES } from "../kit/policy.ts";

const rule = (...lines: string[]) => ["rules:", "  - name: r", ...lines.map((line) => `    ${line}`)].join("\n");

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

const bad: readonly { name: string; text: string; at: string; says: RegExp }[] = [
  { name: "YAML that is none", text: "rules: [", at: "1:9", says: /Flow sequence/ },
  { name: "a repeated key", text: rule("on: sql", "on: exec", "deny: {}"), at: "4:5", says: /unique/ },
  { name: "a list instead of a map", text: "- rules", at: "1:1", says: /must be a map/ },
  { name: "a file without rules", text: "{}", at: "1:1", says: /no "rules"/ },
  { name: "an unknown key of the file", text: "rule: []", at: "1:1", says: /"rule".*Did you mean "rules"/ },
  {
    name: "an unknown key of a rule",
    text: rule("on: sql", "alow: {}"),
    at: "4:5",
    says: /"alow".*Did you mean "allow"/,
  },
  { name: "a rule without a name", text: "rules:\n  - on: sql\n    deny: {}", at: "2:5", says: /no "name"/ },
  { name: "a name in capitals", text: "rules:\n  - name: No\n    on: sql\n    deny: {}", at: "2:11", says: /a-z/ },
  { name: "a rule without actions", text: rule("deny: {}"), at: "2:5", says: /no "on"/ },
  { name: "an empty list of actions", text: rule("on: []", "deny: {}"), at: "3:9", says: /empty/ },
  {
    name: "an unknown action",
    text: rule("on: sql.raed", "deny: {}"),
    at: "3:9",
    says: /"sql.raed".*Did you mean "sql.read"/,
  },
  { name: "a part of an action's name", text: rule("on: sq", "deny: {}"), at: "3:9", says: /no action "sq"/ },
  { name: "no outcome", text: rule("on: sql"), at: "2:5", says: /no outcome/ },
  { name: "two outcomes", text: rule("on: sql", "allow: {}", "deny: {}"), at: "4:5", says: /2 outcomes/ },
  {
    name: "an allow with content",
    text: rule("on: sql", "allow: { all: true }"),
    at: "4:14",
    says: /unknown key "all"/,
  },
  { name: "an allow without braces", text: rule("on: sql", "allow:"), at: "4:11", says: /must be a map.*allow: \{\}/ },
  { name: "an allow that is true", text: rule("on: sql", "allow: true"), at: "4:12", says: /must be a map/ },
  { name: "a hold", text: rule("on: sql", "hold: { quorum: 1 }"), at: "4:5", says: /"hold" is for a later version/ },
  { name: "a limit", text: rule("on: sql", "limit: { rows: 1 }"), at: "4:5", says: /"limit" is for a later version/ },
  { name: "a shadow rule", text: rule("on: sql", "deny: {}", "shadow: true"), at: "5:5", says: /later version/ },
  { name: "an empty message", text: rule("on: sql", 'deny: { message: " " }'), at: "4:23", says: /empty/ },
  {
    name: "a message with an escape",
    text: rule("on: sql", 'deny: { message: "\\e[1m" }'),
    at: "4:22",
    says: /control/,
  },
  {
    name: "a message of 501 characters",
    text: rule("on: sql", `deny: { message: ${"x".repeat(501)} }`),
    at: "4:22",
    says: /500/,
  },
  { name: "an allow on reveal", text: rule("on: reveal", "allow: {}"), at: "4:5", says: /no meaning on reveal/ },
  {
    name: "a mask on an action",
    text: rule("on: sql", "mask: { style: hash }"),
    at: "4:5",
    says: /only for "on: reveal"/,
  },
  {
    name: "an unknown style",
    text: rule("on: reveal", "mask: { style: hsah }"),
    at: "4:13",
    says: /Did you mean "hash"/,
  },
  { name: "a mask without a style", text: rule("on: reveal", "mask: {}"), at: "4:5", says: /needs a style/ },
  { name: "an anchor", text: rule("on: &a sql", "deny: {}"), at: "3:12", says: /Anchors/ },
  { name: "an alias", text: `${rule("on: sql", "when: 'true'", "deny: {}")}\n  - *c`, at: "6:5", says: /alias/i },
  { name: "a tag", text: rule("on: !x sql", "deny: {}"), at: "3:9", says: /tag/i },
  {
    name: "a condition that is a bool of YAML",
    text: rule("on: sql", "when: true", "deny: {}"),
    at: "4:11",
    says: /quotes/,
  },
  {
    name: "a condition of another type",
    text: rule("on: sql", "when: agent.name", "deny: {}"),
    at: "4:11",
    says: /type string/,
  },
  { name: "broken CEL", text: rule("on: sql", "when: agent.name ==", "deny: {}"), at: "4:24", says: /EOF/ },
  {
    name: "an unknown fact",
    text: rule("on: sql", "when: agnt.name == 'a'", "deny: {}"),
    at: "4:11",
    says: /Did you mean "agent"/,
  },
  {
    name: "an unknown field",
    text: rule("on: sql", "when: agent.nme == 'a'", "deny: {}"),
    at: "4:17",
    says: /Did you mean "name"/,
  },
  {
    name: "an unknown field in a macro",
    text: rule("on: sql", "when: statement.tables.all(t, t.nam == 'a')", "deny: {}"),
    at: "4:37",
    says: /nam/,
  },
  {
    name: "an unknown field in has()",
    text: rule("on: sql", "when: has(agent.nme)", "deny: {}"),
    at: "4:11",
    says: /nme/,
  },
  {
    name: "an unknown field in a quoted condition",
    text: rule("on: sql", `when: "agent.nme == 'a'"`, "deny: {}"),
    at: "4:18",
    says: /nme/,
  },
  {
    name: "types that do not compare",
    text: rule("on: sql", "when: origin.pid == '1'", "deny: {}"),
    at: "4:11",
    says: /overload/,
  },
  {
    name: "a fact that only one child has",
    text: rule("on: sql", "when: kind == 'x'", "deny: {}"),
    at: "4:11",
    says: /kind \(for sql\)/,
  },
  {
    name: "a fact of one of two actions",
    text: rule("on: [exec, sql.define]", "when: kind == 'x'", "deny: {}"),
    at: "4:11",
    says: /for exec/,
  },
  {
    name: "a fact of an action in a rule on reveal",
    text: rule("on: reveal", "when: statement.joins > 1", "mask: { style: hash }"),
    at: "4:11",
    says: /statement/,
  },
  { name: "a double", text: rule("on: sql", "when: 1.5 > 1.0", "deny: {}"), at: "4:11", says: /double/ },
  {
    name: "an integer above 2^53",
    text: rule("on: sql", "when: origin.pid < 9007199254740993", "deny: {}"),
    at: "4:24",
    says: /2\^53/,
  },
  {
    name: "a function that is not offered",
    text: rule("on: sql", "when: agent.name.split('').size() == 1", "deny: {}"),
    at: "4:11",
    says: /split.*not available/,
  },
  {
    name: "comparisons side by side",
    text: rule("on: sql", "when: true == agent.name in agent.groups", "deny: {}"),
    at: "4:11",
    says: /parentheses/,
  },
  {
    name: "a pattern that is no literal",
    text: rule("on: sql", "when: agent.name.matches(agent.name)", "deny: {}"),
    at: "4:30",
    says: /literal/,
  },
  {
    name: "a pattern with look-ahead",
    text: rule("on: sql", "when: agent.name.matches('(?=a)')", "deny: {}"),
    at: "4:30",
    says: /RE2/,
  },
  {
    name: "a constant of the library",
    text: rule("on: sql", "when: type(agent.name) == string", "deny: {}"),
    at: "4:11",
    says: /not available|Unknown/,
  },
];
for (const { name, text, at, says } of bad)
  test(`loadPolicy refuses ${name}`, () => {
    const [problem] = problemsOf(text);
    assert.ok(problem);
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
