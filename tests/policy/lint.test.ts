/** What `policy check` warns of in a policy that loads: each with its place, its rule and what to do. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { policyOf } from "../kit/policy.ts";

const CONNECT = "  - { name: reach, on: connect, allow: {} }\n";
const policy = (...rules: string[]) => `rules:\n${CONNECT}${rules.map((rule) => `  - { ${rule} }\n`).join("")}`;

/** Warnings as "line:column rule: message remedy". */
function warningsOf(text: string): readonly string[] {
  return policyOf(text).warnings.map(
    ({ line, column, rule, message, remedy }) => `${line}:${column} ${rule}: ${message} ${remedy}`,
  );
}

const warned: readonly { name: string; rules: readonly string[]; says: readonly RegExp[] }[] = [
  {
    name: "an allow that a deny without a condition always beats",
    rules: ["name: a, on: sql.read, when: statement.joins < 3, allow: {}", "name: d, on: sql, deny: {}"],
    says: [/^3:5 a: It never has an effect: d denies all of it\. Remove it/],
  },
  {
    name: "an allow that two denies beat together",
    rules: [
      "name: a, on: [sql.read, exec], allow: {}",
      "name: d, on: sql.read, deny: {}",
      "name: e, on: exec, deny: {}",
    ],
    says: [/^3:5 a: It never has an effect: d, e denies all of it/],
  },
  {
    name: "a hold that a deny beats",
    rules: ["name: h, on: sql.read, hold: { approvers: [] }", "name: d, on: sql.read, deny: {}"],
    says: [/^3:5 h: It contradicts rule d, which denies exactly this and wins\. Keep one/],
  },
  {
    name: "an allow and a deny of exactly the same, however they are spelled",
    rules: [
      "name: a, on: sql.read, when: statement.joins<3&&agent.name=='x', allow: {}",
      'name: d, on: sql.read, when: "agent.name == \\"x\\" && (statement.joins < 3)", deny: {}',
    ],
    says: [/^3:5 a: It contradicts rule d, which denies exactly this/],
  },
  {
    name: "an allow that is narrower than a deny",
    rules: [
      "name: a, on: sql.read, when: statement.joins < 3 && agent.name == 'x', allow: {}",
      "name: d, on: sql.read, when: statement.joins < 3, deny: {}",
    ],
    says: [/^3:5 a: It never has an effect: d denies all of it/],
  },
  {
    name: "an allow that a hold always covers",
    rules: ["name: a, on: sql.read, allow: {}", "name: h, on: sql, hold: { approvers: [] }"],
    says: [/^3:5 a: It never has an effect: h holds all of it/],
  },
  {
    name: "a limit of what a rule denies",
    rules: ["name: l, on: sql.read, limit: { rows: 5 }", "name: d, on: sql.read, deny: {}"],
    says: [/^3:5 l: It contradicts rule d/],
  },
  {
    name: "a limit of what nothing allows",
    rules: ["name: l, on: sql.read, limit: { rows: 5 }"],
    says: [/^3:5 l: It limits what no rule allows\. .*add an allow/],
  },
  {
    name: "an allow within a wider one",
    rules: ["name: a, on: sql, allow: {}", "name: b, on: sql.read, when: statement.joins < 3, allow: {}"],
    says: [/^4:5 b: It never has an effect: a says as much already/],
  },
  {
    name: "the same rule twice, once",
    rules: ["name: a, on: exec, deny: {}", "name: b, on: exec, deny: {}"],
    says: [/^4:5 b: It never has an effect: a says as much already/],
  },
  {
    name: "a mask within a stricter one",
    rules: [
      "name: m, on: reveal, mask: { style: redact }",
      "name: p, on: reveal, when: detector == 'email', mask: { style: partial }",
    ],
    says: [/^4:5 p: It never has an effect: m says as much/],
  },
  {
    name: "a fact compared with itself",
    rules: ["name: d, on: sql, when: agent.name == agent.name, deny: {}"],
    says: [/^3:31 d: The condition is always true\. Leave "when" out/],
  },
  {
    name: "a part and its opposite",
    rules: ["name: d, on: sql, when: statement.where.present && !statement.where.present, deny: {}"],
    says: [/^3:31 d: The condition is never true\. Remove the rule/],
  },
  {
    name: "a choice that leaves nothing out",
    rules: ["name: d, on: sql, when: statement.joins == 1 || statement.joins != 1, deny: {}"],
    says: [/^3:31 d: The condition is always true/],
  },
  {
    name: "one fact that must be two things",
    rules: ["name: d, on: sql, when: connection.name == 'orders' && connection.name == 'billing', deny: {}"],
    says: [/^3:31 d: The condition is never true/],
  },
  {
    name: "a list of nothing",
    rules: ['name: d, on: sql, when: "agent.name in []", deny: {}'],
    says: [/^3:32 d: The condition is never true/],
  },
];
for (const { name, rules, says } of warned) {
  test(`policy check warns of ${name}`, () => {
    const warnings = warningsOf(policy(...rules));
    assert.equal(warnings.length, says.length, warnings.join("\n"));
    for (const [at, wanted] of says.entries()) assert.match(warnings[at] ?? "", wanted);
  });
}

const quiet: readonly { name: string; rules: readonly string[] }[] = [
  { name: "a deny within an allow", rules: ["name: a, on: sql, allow: {}", "name: d, on: sql.define, deny: {}"] },
  {
    name: "a deny of what nothing allows: its message counts",
    rules: ["name: d, on: sql.define, deny: { message: No }"],
  },
  {
    name: "a narrower deny with a message of its own",
    rules: ["name: d, on: sql, deny: {}", "name: e, on: sql.define, deny: { message: No }"],
  },
  {
    name: "a rule in shadow that would beat another",
    rules: ["name: a, on: sql, allow: {}", "name: d, shadow: true, on: sql, deny: {}"],
  },
  {
    name: "a deny whose condition is another",
    rules: [
      "name: a, on: sql.read, when: statement.joins < 3, allow: {}",
      "name: d, on: sql.read, when: statement.joins < 2, deny: {}",
    ],
  },
  {
    name: "an allow of which a deny takes a part",
    rules: ["name: a, on: [sql.read, exec], allow: {}", "name: d, on: exec, deny: {}"],
  },
  {
    name: "the key of a map that is called labels",
    rules: [`name: p, on: exec, when: '"environment" in pod.labels', deny: {}`],
  },
  {
    name: "a hold within an allow",
    rules: ["name: a, on: sql, allow: {}", "name: h, on: sql.delete, hold: { approvers: [] }"],
  },
  {
    name: "two facts that may be two things",
    rules: ["name: d, on: sql, when: connection.name == 'orders' && agent.name == 'billing', deny: {}"],
  },
  {
    name: "a fact in two lists that meet",
    rules: [`name: d, on: sql, when: "agent.name in ['a', 'b'] && agent.name in ['b']", deny: {}`],
  },
];
for (const { name, rules } of quiet)
  test(`policy check is quiet about ${name}`, () => assert.deepEqual(warningsOf(policy(...rules)), []));
