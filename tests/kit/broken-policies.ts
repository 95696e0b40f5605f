/** Policies with one mistake each: where it is told, and how. For the catalogue of tests/kit/policy.ts and for the protocols' own. */

/** A file with the rule "r" of these lines. */
export const rule = (...lines: string[]) => ["rules:", "  - name: r", ...lines.map((line) => `    ${line}`)].join("\n");

export interface BrokenPolicy {
  readonly name: string;
  readonly text: string;
  /** Line and column. */
  readonly at: string;
  readonly says: RegExp;
}

export const BROKEN_POLICIES: readonly BrokenPolicy[] = [
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
  {
    name: "a hold without approvers",
    text: rule("on: sql", "hold: { quorum: 1 }"),
    at: "4:5",
    says: /needs "approvers"/,
  },
  {
    name: "approvers that are no list",
    text: rule("on: sql", "hold: { approvers: sre }"),
    at: "4:13",
    says: /list of groups.*\[sre\]/,
  },
  {
    name: "an approver that cannot be a group",
    text: rule("on: sql", "hold: { approvers: ['a b'] }"),
    at: "4:26",
    says: /"a b" cannot be the name/,
  },
  {
    name: "each of no group",
    text: rule("on: sql", "hold: { approvers: { each: [] } }"),
    at: "4:13",
    says: /names no group/,
  },
  {
    name: "a quorum of nobody",
    text: rule("on: sql", "hold: { approvers: [sre], quorum: 0 }"),
    at: "4:31",
    says: /whole number from 1/,
  },
  {
    name: "a quorum below its groups",
    text: rule("on: sql", "hold: { approvers: { each: [a, b] }, quorum: 1 }"),
    at: "4:42",
    says: /smaller than the groups.*2 or more/,
  },
  {
    name: "a quorum of root alone",
    text: rule("on: sql", "hold: { approvers: [], quorum: 2 }"),
    at: "4:28",
    says: /Only root may answer.*Name a group/,
  },
  {
    name: "a hold that never ends",
    text: rule("on: sql", "hold: { approvers: [sre], expires: 100d }"),
    at: "4:40",
    says: /longer than 24 hours.*10m/,
  },
  {
    name: "a time without a unit",
    text: rule("on: sql", "hold: { approvers: [sre], expires: '10' }"),
    at: "4:41",
    says: /is no time.*10m/,
  },
  { name: "a limit of nothing", text: rule("on: sql", "limit: { per: 1m }"), at: "4:5", says: /limits nothing/ },
  { name: "a limit of no rows", text: rule("on: sql", "limit: { rows: 0 }"), at: "4:14", says: /"rows" is a whole/ },
  {
    name: "a limit of words",
    text: rule("on: sql", "limit: { bytes: 10MB }"),
    at: "4:14",
    says: /"bytes" is a whole number/,
  },
  {
    name: "a limit of statements without a window",
    text: rule("on: sql", "limit: { statements: 5 }"),
    at: "4:14",
    says: /"statements" needs "per"/,
  },
  {
    name: "a limit with an unknown key",
    text: rule("on: sql", "limit: { rows: 5, every: 1m }"),
    at: "4:23",
    says: /unknown key "every"/,
  },
  {
    name: "a limit on reveal",
    text: rule("on: reveal", "limit: { rows: 5 }"),
    at: "4:5",
    says: /no meaning on reveal/,
  },
  {
    name: "a shadow that is neither",
    text: rule("on: sql", "deny: {}", "shadow: 'yes'"),
    at: "5:5",
    says: /true or false/,
  },
  { name: "a token", text: rule("on: sql", "tokenize: {}"), at: "4:5", says: /"tokenize" is for a later version/ },
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
