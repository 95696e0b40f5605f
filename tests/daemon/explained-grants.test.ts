/** What the policy tools say of grants: rules alone do not tell whether an agent gets as far as them. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { explainedGrant } from "../../src/daemon/explained-grants.ts";
import { explainOffline, testPolicies } from "../../src/daemon/policy-tools.ts";
import { commandLine } from "../kit/command-line.ts";
import { folder } from "../store/folder.ts";

const GRANTS = `grants:
  - { name: short, agents: [ci], connections: [orders], for: 30m }
  - { name: past, agents: [bot], connections: [orders], until: "2025-01-01T00:00:00Z" }
  - { name: shops, agents: [bot], connections: "*", when: '"shop" in agent.groups' }
`;
const RULES = "rules:\n  - { name: reach, on: connect, allow: {} }\n  - { name: read, on: sql.read, allow: {} }\n";

function written(t: TestContext, grants: string): string {
  const base = folder(t);
  const connection = (name: string, last: number) =>
    `  - { name: ${name}, protocol: postgres, addresses: ["192.0.2.${last}:5432"], tls: { mode: disable }, credential: { user: app, password: { env: P } } }`;
  const settings = [
    ...["agents: [{ name: ci }, { name: bot }]", "policies: .", "connections:"],
    ...[connection("orders", 10), connection("ledger", 11), grants],
  ];
  const rule = "a.yaml";
  writeFileSync(join(base, "settings.conf"), settings.join("\n"));
  writeFileSync(join(base, rule), RULES);
  const cases = [
    ...["ci, connection: orders", "ci, connection: ledger", "bot, connection: orders", "bot, connection: elsewhere"],
  ].map((who) => `  - { agent: ${who}, text: SELECT 1, expect: allow }`);
  const denied = "  - { agent: bot, connection: ledger, text: DROP TABLE t, expect: deny }";
  const named = "connections: { orders: {}, ledger: {}, elsewhere: {} }\nagents: { ci: {}, bot: {} }";
  writeFileSync(join(base, "a.test.yaml"), [named, "cases:", ...cases, denied].join("\n"));
  return base;
}

const rows = [
  { agent: "ci", connection: "orders", by: ["short"], not: [] },
  { agent: "ci", connection: "ledger", by: [], not: [] },
  {
    ...{ agent: "bot", connection: "orders", by: [] },
    not: ["past has ended", "shops does not count: its condition is not met"],
  },
  { agent: "bot", connection: "ledger", by: [], not: ["shops does not count: its condition is not met"] },
] as const;
for (const { agent, connection, by, not } of rows) {
  test(`explain without a daemon tells which grants of the settings let ${agent} reach ${connection}`, async (t) => {
    const base = written(t, GRANTS);
    const explained = await explainOffline({ agent, connection, text: "SELECT 1" }, join(base, "settings.conf"));
    assert.deepEqual([explained.decision, explained.grant], ["allow", { by, not, known: "settings" }]);
  });
}

test("without `grants` in the settings nothing is said of them; an empty list gives nobody one", async (t) => {
  for (const [grants, found] of [
    ["", undefined],
    ["grants: []", { by: [], not: [], known: "settings" }],
  ] as const) {
    const file = join(written(t, grants), "settings.conf");
    const { grant } = await explainOffline({ agent: "ci", connection: "orders", text: "SELECT 1" }, file);
    assert.deepEqual(grant, found);
  }
});

test("what people gave counts where it is known, for its agent and its connection alone", () => {
  const gift = { agent: "ci", connections: ["orders"], sinceMs: 1, endsMs: 2 };
  const given = [
    { ...gift, grant: "a1", over: undefined },
    { ...gift, grant: "a2", over: "was ended by a person" },
    { ...gift, grant: "a3", over: undefined, agent: "bot" },
    { ...gift, grant: "a4", over: undefined, connections: ["ledger"] },
  ];
  const agent = { slot: 0, name: "ci", groups: [], claims: {} };
  const found = explainedGrant({ grants: [] }, given, { agent, connection: "orders", atMs: 1 });
  assert.deepEqual(found, { by: ["a1"], not: ["a2 was ended by a person"], known: "all" });
});

test("policy test names what cases let through and no grant does, where it goes by settings", async (t) => {
  const base = written(t, GRANTS);
  const ask = (...more: string[]) => commandLine(["policy", "test", ...more], { testPolicies });
  const told = await ask("--config", join(base, "settings.conf"));
  assert.equal(told.code, 0, told.out);
  assert.deepEqual(told.out.match(/^ungranted .*$/gm), [
    "ungranted ci reaches ledger by a grant alone, and the settings give it none",
    "ungranted bot reaches orders by a grant alone, and the settings give it none",
  ]);
  assert.doesNotMatch((await ask(base)).out, /ungranted/);
});
