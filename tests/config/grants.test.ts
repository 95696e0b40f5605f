/** `grants` of the settings: what is good becomes terms, what is wrong is told by line and key. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SettingsError } from "../../src/config/problems.ts";
import { readSettings } from "../../src/config.ts";

const FILE = "/etc/sallyport/sallyport.yaml";
const grants = (...entries: readonly string[]) =>
  `agents: [{ name: ci }, { name: bot }]\ngrants:\n${entries.map((entry) => `  - { ${entry} }\n`).join("")}`;
const read = (text: string) => readSettings(text, FILE).grants;

test("without the key agents need none; an empty list is one", () => {
  assert.deepEqual([read("agents: []\n"), read("grants: []\n")], [undefined, []]);
});

test("a grant has what its settings say, and 12 hours unless told", () => {
  const [least, most] =
    read(
      grants(
        "name: all, agents: [ci], connections: '*'",
        `name: brief, agents: [ci, bot], connections: [orders, billing], for: 1h30m, until: "2026-12-24T18:00:00+01:00", when: '"a" in agent.groups'`,
      ),
    ) ?? assert.fail();
  assert.deepEqual(least, {
    ...{ name: "all", agents: ["ci"], connections: "*", condition: undefined, forMs: 43_200_000, untilMs: undefined },
  });
  const { condition, ...rest } = most ?? assert.fail();
  assert.deepEqual(rest, {
    ...{ name: "brief", agents: ["ci", "bot"], connections: ["orders", "billing"], forMs: 5_400_000 },
    untilMs: Date.UTC(2026, 11, 24, 17),
  });
  const holds = (groups: readonly string[]) => condition?.holds({ slot: 1, name: "ci", groups, claims: {} }, 0);
  assert.deepEqual([holds(["a"]), holds([])], [true, false]);
});

test("without agents in the settings every name may have one", () => {
  const [grant] = read("grants: [{ name: a, agents: [whoever], connections: [orders] }]\n") ?? [];
  assert.deepEqual(grant?.agents, ["whoever"]);
});

const bad: readonly (readonly [string, string, string, RegExp])[] = [
  ["without agents", "name: a, connections: '*'", "grants[0]", /lacks the key "agents"/],
  ["without connections", "name: a, agents: [ci]", "grants[0]", /lacks the key "connections"/],
  ["of nobody", "name: a, agents: [], connections: '*'", "grants[0].agents", /at least one entry/],
  [
    "of an agent that is not there",
    "name: a, agents: [co], connections: '*'",
    "grants[0].agents[0]",
    /no agent of the/,
  ],
  ["for a glob", "name: a, agents: [ci], connections: 'o*'", "grants[0].connections", /one of "\*"/],
  ["for no time", "name: a, agents: [ci], connections: '*', for: 0s", "grants[0].for", /from 1s to 365d/],
  ["for too long", "name: a, agents: [ci], connections: '*', for: 366d", "grants[0].for", /from 1s to 365d/],
  ["until a day", "name: a, agents: [ci], connections: '*', until: '2026-12-24'", "grants[0].until", /with its zone/],
  [
    "until a day that no year has",
    "name: a, agents: [ci], connections: '*', until: '2026-02-30T00:00:00Z'",
    "grants[0].until",
    /no moment that there is/,
  ],
  [
    "until an hour that no day has",
    "name: a, agents: [ci], connections: '*', until: '2026-02-28T25:00:00Z'",
    "grants[0].until",
    /no moment that there is/,
  ],
  [
    "with a condition that is none",
    "name: a, agents: [ci], connections: '*', when: 'agent.groups'",
    "grants[0].when",
    /must be true or false/,
  ],
  [
    "with a fact that nobody has",
    `name: a, agents: [ci], connections: '*', when: 'agent.team == "a"'`,
    "grants[0].when",
    /character 7: No such key: team/,
  ],
  [
    "with a fact of a session",
    `name: a, agents: [ci], connections: '*', when: 'true || origin.uid == 0'`,
    "grants[0].when",
    /character 9: A grant's condition reads agent and time, not origin/,
  ],
];
for (const [name, entry, key, says] of bad) {
  test(`a grant ${name} is refused at its place`, () => {
    assert.throws(
      () => read(grants(entry)),
      (error) => {
        assert.ok(error instanceof SettingsError);
        const [problem] = error.problems;
        assert.deepEqual([problem?.line, problem?.key], [3, key]);
        assert.match(problem?.message ?? "", says);
        return true;
      },
    );
  });
}

test("two grants of one name are refused at the second", () => {
  const entry = "name: a, agents: [ci], connections: '*'";
  assert.throws(() => read(grants(entry, entry)), /grants\[1\]\.name is taken by grants\[0\]/);
});
