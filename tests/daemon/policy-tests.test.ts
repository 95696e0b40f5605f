/** `policy test`: the ready packs and the mission's two sentences as their own test files say, and how failures are told. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { testPolicies } from "../../src/daemon/policy-tools.ts";
import { DETECTOR_NAMES } from "../../src/masking/detectors.ts";
import { readCases } from "../../src/policy/cases.ts";
import { loadPolicy } from "../../src/policy/load.ts";
import { protocols } from "../../src/protocols/index.ts";
import { commandLine } from "../kit/command-line.ts";
import { folder } from "../store/folder.ts";

const PACKS = fileURLToPath(new URL("../../src/policy/packs/", import.meta.url));
const MISSION = fileURLToPath(new URL("../policy/mission/", import.meta.url));
const NAMES = [
  ...["ci-runner", "databases-read-only", "kubernetes-safe", "llm-egress", "no-destructive-sql", "pii"],
  ...["production-approval", "ssh-allowlist"],
];
const main = { testPolicies };

for (const [what, path] of [
  ...NAMES.map((name) => [`the pack ${name}`, join(PACKS, `${name}.test.yaml`)]),
  ["the mission's sentences", MISSION],
] as const) {
  test(`${what} does as its cases say, and they exercise every rule`, async () => {
    const { code, out } = await commandLine(["policy", "test", path ?? "", "--coverage"], main);
    assert.equal(code, 0, out);
    assert.match(out, /^\d+ passed, 0 failed; (\d+) of \1 rules exercised\n$/);
  });
}

test("every pack has a test, a line that says what it is, and no warning", async () => {
  const files = readdirSync(PACKS);
  assert.deepEqual(
    files.filter((name) => !name.includes(".test.")),
    NAMES.map((name) => `${name}.yaml`),
  );
  for (const name of NAMES) {
    const text = readFileSync(join(PACKS, `${name}.yaml`), "utf8");
    assert.match(text, /^# [A-Z].*\.\nrules:\n/, name);
    const cases = readCases(name, readFileSync(join(PACKS, `${name}.test.yaml`), "utf8"), []);
    const known = { labels: ["pii"], detectors: DETECTOR_NAMES, connections: [] };
    const catalogue = [...protocols.flatMap(({ actions }) => actions), ...cases.actions];
    assert.deepEqual(loadPolicy([{ name, text }], catalogue, known).warnings, [], name);
  }
});

const POLICY = `rules:
  - { name: reach, on: connect, allow: {} }
  - { name: read, on: sql.read, allow: {} }
  - { name: never, on: sql.define, deny: {} }
`;

function written(t: TestContext, cases: string, policy = POLICY): string {
  const base = folder(t);
  writeFileSync(join(base, "a.yaml"), policy);
  writeFileSync(join(base, "a.test.yaml"), cases);
  return base;
}

const failing: readonly { name: string; line: string; says: RegExp }[] = [
  { name: "another answer", line: "text: SELECT 1, expect: deny", says: /expected deny, got allow by read/ },
  {
    name: "another rule",
    line: "text: SELECT 1, expect: allow, rules: [never]",
    says: /the rules \[never\], got \[read\]/,
  },
  { name: "one rule more", line: "text: SELECT 1, expect: allow, rules: [read, never]", says: /got \[read\]/ },
  {
    name: "another message",
    line: "text: DROP TABLE t, expect: deny, message: Ouch",
    says: /a message with "Ouch", got "Denied by/,
  },
  {
    name: "a denial that nothing explains",
    line: "text: DELETE FROM t, expect: allow",
    says: /got deny by no rule: No rule allows/,
  },
  {
    name: "an unknown action",
    line: "action: sql.raed, expect: allow",
    says: /no action "sql.raed"; did you mean "sql.read"/,
  },
  { name: "an unknown fact", line: "action: connect, facts: { db: x }, expect: allow", says: /connect has no fact db/ },
  {
    name: "a fact of another type",
    line: "action: connect, facts: { user: 5 }, expect: allow",
    says: /no fact user, or one of/,
  },
  {
    name: "a text of a protocol without texts",
    line: "connection: raw, text: x, expect: allow",
    says: /opaque has no texts/,
  },
];
for (const { name, line, says } of failing) {
  test(`policy test ends with 1 and tells ${name}`, async (t) => {
    const base = written(t, `connections: { raw: { protocol: opaque } }\ncases:\n  - { ${line} }\n`);
    const { code, out } = await commandLine(["policy", "test", base], main);
    assert.equal(code, 1);
    assert.match(out, says);
    assert.ok(out.startsWith(`failed ${join(base, "a.test.yaml")}:3 `), out);
    assert.match(out, /0 passed, 1 failed/);
  });
}

test("a rule that no case exercises is told, and fails with --coverage only", async (t) => {
  const base = written(t, "cases:\n  - { text: SELECT 1, expect: allow }\n  - { action: connect, expect: allow }\n");
  const told = await commandLine(["policy", "test", base], main);
  assert.equal(told.code, 0);
  assert.match(
    told.out,
    /unused .*a\.yaml:4 rule never: no case exercises it\n2 passed, 0 failed; 2 of 3 rules exercised/,
  );
  assert.equal((await commandLine(["policy", "test", base, "--coverage"], main)).code, 1);
  const json = JSON.parse((await commandLine(["policy", "test", base, "--json"], main)).out);
  assert.deepEqual(
    json.coverage.map(({ rule, cases }: { rule: string; cases: number }) => [rule, cases]),
    [
      ["reach", 1],
      ["read", 1],
      ["never", 0],
    ],
  );
});

test("a test file may name the rule files that it is about", async (t) => {
  const base = written(t, "policies: [b.yaml]\ncases:\n  - { text: SELECT 1, expect: deny, rules: [no] }\n");
  writeFileSync(join(base, "b.yaml"), "rules: [{ name: no, on: sql, deny: {} }]");
  assert.equal((await commandLine(["policy", "test", base], main)).code, 0);
});

test("time, user and program of a case are facts of its conditions", async (t) => {
  const policy = `rules:
  - { name: late, on: sql.read, when: "time.hour == 22 && time.weekday == 6", allow: {} }
  - { name: by, on: sql.delete, when: 'origin.user == "ada" && origin.executable == "/bin/psql"', allow: {} }`;
  const cases = `cases:
  - { text: SELECT 1, at: "2025-03-01T22:15:00Z", expect: allow }
  - { text: SELECT 1, at: "2025-03-01T21:15:00Z", expect: deny }
  - { text: DELETE FROM t, user: ada, executable: /bin/psql, expect: allow }
  - { text: DELETE FROM t, user: bob, executable: /bin/psql, expect: deny }`;
  const { code, out } = await commandLine(["policy", "test", written(t, cases, policy), "--coverage"], main);
  assert.equal(code, 0, out);
});

const broken: readonly { name: string; text: string; says: RegExp }[] = [
  { name: "no cases", text: "agents: {}", says: /a\.test\.yaml:1:1: The file has no list of "cases"/ },
  { name: "a case without an answer", text: "cases:\n  - { text: SELECT 1 }", says: /:2:5: A case needs "expect"/ },
  {
    name: "a case that asks for two things",
    text: "cases:\n  - { text: x, action: y, expect: deny }",
    says: /asks for one thing/,
  },
  { name: "an unknown key", text: "cases:\n  - { txt: x, expect: deny }", says: /unknown key "txt".*"text"/ },
  { name: "no time", text: "cases:\n  - { text: x, at: noon, expect: deny }", says: /:2:16: "at" is no time/ },
  {
    name: "groups that are no list",
    text: "agents: { a: { groups: ci } }\ncases: []",
    says: /"groups" is of another type/,
  },
  {
    name: "labels that are no texts",
    text: "connections: { a: { labels: { x: 1 } } }\ncases: []",
    says: /"labels" is of another/,
  },
  {
    name: "columns that are no lists",
    text: "connections: { a: { data: { t: { columns: { c: pii } } } } }\ncases: []",
    says: /"data.t.columns" is of/,
  },
  { name: "a type that is none", text: "actions: { x.y: { f: text } }\ncases: []", says: /"f" is of no type/ },
];
for (const { name, text, says } of broken) {
  test(`a test file with ${name} is refused with its place`, async (t) => {
    const { code, err } = await commandLine(["policy", "test", written(t, text)], main);
    assert.equal(code, 1);
    assert.match(err, /POLICY_INVALID/);
    assert.match(err, says);
  });
}

test("a folder without tests is an error", async (t) => {
  const { code, err } = await commandLine(["policy", "test", folder(t)], main);
  assert.equal(code, 1);
  assert.match(err, /POLICY_TESTS_NONE/);
});

test("packs are listed with what they are, and printed as they are", async () => {
  const { code, out } = await commandLine(["policy", "packs"], {});
  assert.equal(code, 0);
  for (const name of NAMES) assert.match(out, new RegExp(`^${name} +[A-Z].*\\.$`, "m"));
  const shown = await commandLine(["policy", "packs", "show", "pii"], {});
  assert.equal(shown.out, readFileSync(join(PACKS, "pii.yaml"), "utf8"));
  const unknown = await commandLine(["policy", "packs", "show", "pi"], {});
  assert.deepEqual([unknown.code, /PACK_UNKNOWN/.test(unknown.err)], [1, true]);
});
