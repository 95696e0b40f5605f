/** `notify` of the settings: targets as plain values, and what is wrong told by its place. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SettingsError } from "../../src/config/problems.ts";
import { readSettings } from "../../src/config.ts";
import { takesAnswers } from "../../src/model/notify.ts";

const FILE = "/etc/sallyport/sallyport.yaml";
const TENANT = "0a1b2c3d-0000-4000-8000-00000000000a";
const USER = "5e6f7a8b-0000-4000-8000-00000000000b";
const LISTEN = '  listen: "127.0.0.1:8787"\n';
const targets = (lines: readonly string[], listen = "") =>
  `notify:\n${listen}  targets:\n${lines.map((line) => `    - ${line}\n`).join("")}`;
const slack = (more = "") => `{ name: ops, kind: slack, url: { file: slack-url }${more} }`;

test("each kind of target becomes plain values, with defaults and paths from the settings' folder", () => {
  const { notify } = readSettings(
    targets(
      [
        slack(", secret: { env: SIGNING }, groups: [sre], show: statements, answers: { 'slack:T1/U456': anna }"),
        `{ name: chat, kind: teams, url: { systemd: url }, secret: { file: token }, tenant: ${TENANT.toUpperCase()}, answers: { 'teams:${TENANT}/${USER}': ben } }`,
        "{ name: hook, kind: webhook, url: { file: /u }, secret: { file: /s }, on: [answered, expired], ca: ca.pem }",
      ],
      LISTEN,
    ),
    FILE,
  );
  const usual = { on: ["held", "ended"], groups: [], show: "ids" };
  assert.deepEqual(structuredClone(notify), {
    listen: { address: "127.0.0.1", port: 8787 },
    targets: [
      {
        ...{ name: "ops", kind: "slack", url: { file: "/etc/sallyport/slack-url" }, secret: { env: "SIGNING" } },
        ...{ on: usual.on, groups: ["sre"], show: "statements", answers: { "slack:T1/U456": "anna" }, humans: [] },
      },
      {
        ...{ name: "chat", kind: "teams", url: { systemd: "url" }, secret: { file: "/etc/sallyport/token" } },
        ...{ ...usual, tenant: TENANT, answers: { [`teams:${TENANT}/${USER}`]: "ben" }, humans: [] },
      },
      {
        ...{ name: "hook", kind: "webhook", url: { file: "/u" }, secret: { file: "/s" }, ca: "/etc/sallyport/ca.pem" },
        ...{ ...usual, on: ["answered", "expired"], answers: {}, humans: [] },
      },
    ],
  });
  assert.deepEqual(readSettings("{}\n", FILE).notify, { listen: undefined, targets: [] });
});

test("accounts of humans are those of the targets that can speak for them: of their team, their tenant, their name", () => {
  const { notify, humans } = readSettings(
    `humans:
  - { name: ada, is: ["slack:T1/UADA", "teams:${TENANT}/${USER}", "unix:ada"], groups: [sre] }
  - { name: ben, is: ["webhook:hook/ben"], groups: [dba] }
${targets(
  [
    slack(", secret: { env: A }, team: T1"),
    `{ name: other, kind: slack, url: { env: U }, secret: { env: B }, team: T2, answers: { 'slack:T2/UADA': ada } }`,
    `{ name: chat, kind: teams, url: { env: U }, secret: { env: C }, tenant: ${TENANT.toUpperCase()} }`,
    "{ name: hook, kind: webhook, url: { env: U }, secret: { env: D } }",
    "{ name: hook-2, kind: webhook, url: { env: U }, secret: { env: E } }",
  ],
  LISTEN,
)}`,
    FILE,
  );
  assert.deepEqual(Object.fromEntries(notify.targets.map((one) => [one.name, one.humans])), {
    ...{ ops: ["slack:T1/UADA"], other: [], chat: [`teams:${TENANT}/${USER}`] },
    ...{ hook: ["webhook:hook/ben"], "hook-2": [] },
  });
  assert.deepEqual(notify.targets.map(takesAnswers), [true, true, true, true, false]);
  assert.deepEqual(
    humans.people.map(({ groups }) => groups),
    [["sre"], ["dba"]],
  );
});

test("answers may come in by the API's TLS listener alone", () => {
  const api = "api: { certificate: c, key: { env: K }, answers: true }\n";
  const { notify, api: read } = readSettings(
    `${api}${targets([slack(", secret: { env: S }, answers: { 'slack:T1/U4': anna }")])}`,
    FILE,
  );
  assert.deepEqual([notify.listen, read?.takesAnswers], [undefined, true]);
});

test("a target's groups may be those of a login", () => {
  const { targets: read } = readSettings(targets([slack(', groups: ["corp:sre"]')]), FILE).notify;
  assert.deepEqual(read[0]?.groups, ["corp:sre"]);
});

test("answers are taken on any address of loopback", () => {
  for (const [text, address] of [
    ["127.0.0.9:1", "127.0.0.9"],
    ["[::1]:8787", "::1"],
  ] as const) {
    const yaml = targets([slack(", secret: { env: S }, answers: { 'slack:T1/U4': anna }")], `  listen: "${text}"\n`);
    assert.equal(readSettings(yaml, FILE).notify.listen?.address, address);
  }
});

const answering = (pair: string) => targets([slack(`, secret: { env: S }, answers: { ${pair} }`)], LISTEN);
const hook = (more: string) =>
  targets([`{ name: hook, kind: webhook, url: { env: U }, secret: { env: S }, ${more} }`], LISTEN);
const teams = (more: string) =>
  targets([`{ name: chat, kind: teams, url: { env: U }, secret: { env: S }, answers: { ${more} }`], LISTEN);
const listening = (listen: string) => answering("'slack:T1/U4': anna").replace("127.0.0.1:8787", listen);
const TWIN = "{ name: hook, kind: webhook, url: { file: u }, secret: { file: /etc/sallyport/s } }";
const SECRET_URL = "https://hooks.slack.com/services/T0/B0/hunter2";

const bad: readonly (readonly [string, string, string, RegExp])[] = [
  ["a target without url", targets(["{ name: a, kind: slack }"]), "notify.targets[0]", /lacks the key "url"/],
  ["an unknown kind", targets(["{ name: a, kind: irc, url: { env: U } }"]), "notify.targets[0].kind", /"slack"/],
  [
    "a url in the place of its reference",
    targets([`{ name: a, kind: slack, url: '${SECRET_URL}' }`]),
    "notify.targets[0].url",
    /a reference to the secret/,
  ],
  [
    "a url as the key of its reference",
    targets([`{ name: a, kind: slack, url: { '${SECRET_URL}': x } }`]),
    "notify.targets[0].url",
    /a reference to the secret/,
  ],
  ["two targets of one name", targets([slack(), slack()]), "notify.targets[1].name", /is taken by notify.targets\[0\]/],
  ["an unknown moment", targets([slack(", on: [begun]")]), "notify.targets[0].on[0]", /"held", "answered"/],
  ["no moment", targets([slack(", on: []")]), "notify.targets[0].on", /at least one/],
  [
    "answers without a secret",
    targets([slack(", answers: { 'slack:T1/U4': anna }")], LISTEN),
    "notify.targets[0]",
    /lacks the key "secret"/,
  ],
  [
    "answers without a place for them",
    targets([slack(", secret: { env: S }, answers: { 'slack:T1/U4': anna }")]),
    "notify.targets[0].answers",
    /needs notify.listen or api.answers/,
  ],
  ["a place without answers", targets([slack()], LISTEN), "notify.listen", /means nothing/],
  ["a secret that nothing uses", targets([slack(", secret: { env: S }")]), "notify.targets[0].secret", /means nothing/],
  [
    "a webhook without secret",
    targets(["{ name: a, kind: webhook, url: { env: U } }"]),
    "notify.targets[0]",
    /lacks the key "secret", which signs/,
  ],
  ["every address", listening("0.0.0.0:8787"), "notify.listen", /an address of loopback/],
  ["an address of the network", listening("192.0.2.7:8787"), "notify.listen", /an address of loopback/],
  ["loopback written for another family", listening("[::ffff:127.0.0.1]:8787"), "notify.listen", /of loopback/],
  ["a name", listening("localhost:8787"), "notify.listen", /an address of loopback/],
  ["no port", listening("127.0.0.1"), "notify.listen", /an address of loopback/],
  ["root as a human", answering("'slack:T1/U4': root"), 'notify.targets[0].answers["slack:T1/U4"]', /not be root/],
  [
    "an account of another kind",
    answering(`'webhook:ops/anna': anna`),
    'notify.targets[0].answers["webhook:ops/anna"]',
    /must be written slack:TEAM\/USER/,
  ],
  [
    "an account that is a user alone",
    answering("U456: anna"),
    "notify.targets[0].answers.U456",
    /is not a good name here: it must be an account/,
  ],
  [
    "an account of another webhook",
    hook("answers: { 'webhook:other/anna': anna }"),
    'notify.targets[0].answers["webhook:other/anna"]',
    /webhook:hook\/USER/,
  ],
  [
    "answers from Teams without tenant",
    teams(`'teams:${TENANT}/${USER}': ben }`),
    "notify.targets[0]",
    /lacks the key "tenant"/,
  ],
  [
    "an account of another tenant",
    teams(`'teams:${USER}/${USER}': ben }, tenant: ${TENANT}`),
    `notify.targets[0].answers["teams:${USER}/${USER}"]`,
    /teams:TENANT\/OBJECT/,
  ],
  [
    "one secret for two targets",
    targets([slack(", secret: { file: s }, answers: { 'slack:T1/U4': anna }"), TWIN], LISTEN),
    "notify.targets[1].secret",
    /is that of notify.targets\[0\] too; each needs one of its own/,
  ],
  [
    "a human's account of a team that no target has",
    `humans: [{ name: ada, is: ["slack:T9/U4"], groups: [sre] }]\n${targets([slack()])}`,
    "humans[0].is[0]",
    /an account at no target/,
  ],
  [
    "a human's account at a target that does not say its team",
    `humans: [{ name: ada, is: ["slack:T1/U5"] }]\n${answering("'slack:T1/U4': anna")}`,
    "humans[0].is[0]",
    /an account at no target/,
  ],
  [
    "a human's account that is a user's as well",
    `humans: [{ name: ada, is: ["slack:T1/U4"] }]\n${answering("'slack:T1/U4': anna").replace(" }\n", ", team: T1 }\n")}`,
    "humans[0].is[0]",
    /in answers of a target of notify as well/,
  ],
  [
    "an account of another team",
    answering("'slack:T2/U4': anna").replace(" }\n", ", team: T1 }\n"),
    'notify.targets[0].answers["slack:T2/U4"]',
    /must be written slack:T1\/USER/,
  ],
  [
    "a human's account, and no place for answers",
    `humans: [{ name: ada, is: ["webhook:hook/a"] }]\n${hook("on: [held]").replace(LISTEN, "")}`,
    "notify.targets[0]",
    /needs notify.listen or api.answers/,
  ],
  [
    "a place over TLS without answers",
    `api: { certificate: c, key: { env: K }, answers: true }\n${targets([slack()])}`,
    "api.answers",
    /means nothing/,
  ],
  ["a team of no use", targets([slack(", team: T1")]), "notify.targets[0].team", /means nothing but for answers/],
  ["a tenant of no use", targets([slack(`, tenant: ${TENANT}`)]), "notify.targets[0].tenant", /means nothing/],
];
for (const [name, text, key, says] of bad) {
  test(`${name} is refused at its place`, () => {
    assert.throws(
      () => readSettings(text, FILE),
      (error) => {
        assert.ok(error instanceof SettingsError);
        assert.deepEqual([...new Set(error.problems.map((problem) => problem.key))], [key], error.message);
        assert.match(error.message, says);
        assert.ok(!error.message.includes("hunter2"));
        return true;
      },
    );
  });
}
