/** Logins, roles and humans in the settings: what they become, and what is told of a slip. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SettingsError } from "../../src/config/problems.ts";
import { readSettings } from "../../src/config.ts";

const FILE = "/etc/sallyport/sallyport.yaml";
const login = (keys = "") =>
  `identity:\n  logins:\n    - { name: corp, issuer: "https://id.corp", clientId: cli${keys} }\n`;
const grouped = login(', groups: { claim: g, names: { "Site Reliability": [sre] } }');

test("a login, roles and a human of two accounts become plain values with defaults", () => {
  const text = `${grouped}roles: { reviewer: [sre], admin: ["corp:ops"] }\nhumans: [{ name: ada, is: ["corp:ada", "unix:ada"] }]\n`;
  const { logins, roles, people } = readSettings(text, FILE).humans;
  const [{ login: read } = assert.fail("no login")] = logins;
  assert.deepEqual(read, {
    ...{ name: "corp", url: "https://id.corp", clientId: "cli", algorithms: ["RS256", "ES256", "PS256", "EdDSA"] },
    ...{ scopes: ["openid", "profile", "offline_access"], subject: "sub", displayName: "name" },
    ...{ groups: read.groups, idleMs: 900_000, lastsMs: 43_200_000 },
  });
  assert.deepEqual(read.groups?.claim, "g");
  assert.deepEqual(roles, { reviewer: ["sre"], admin: ["corp:ops"] });
  assert.deepEqual(people, [{ name: "ada", accounts: ["corp:ada", "unix:ada"], groups: [] }]);
});

test("what a login says goes before the defaults, and its files are found from the settings' folder", () => {
  const keys =
    ", clientSecret: { file: s }, ca: ca.pem, subject: email, displayName: nick, scopes: [openid], algorithms: [ES256], session: { idle: 5m, lasts: 1h }";
  const [{ login: read, caFile } = assert.fail("no login")] = readSettings(login(keys), FILE).humans.logins;
  const { clientSecret, subject, displayName, scopes, algorithms, idleMs, lastsMs } = read;
  assert.deepEqual(
    [clientSecret, caFile, subject, displayName, scopes, algorithms, idleMs, lastsMs],
    [{ file: "/etc/sallyport/s" }, "/etc/sallyport/ca.pem", "email", "nick", ["openid"], ["ES256"], 300_000, 3_600_000],
  );
});

const bad: readonly (readonly [string, string, string, RegExp])[] = [
  ["a login over plain http", login().replace("https:", "http:"), "identity.logins[0].issuer", /an https URL/],
  ["a login called as a chat is", login().replace("corp,", "slack,"), "identity.logins[0].name", /no name of a login/],
  ["a login called unix", login().replace("corp,", "unix,"), "identity.logins[0].name", /no name of a login/],
  [
    "a login without a client",
    login().replace(", clientId: cli", ""),
    "identity.logins[0]",
    /lacks the key "clientId"/,
  ],
  [
    "a secret in the place of a reference",
    login(", clientSecret: hunter2"),
    "identity.logins[0].clientSecret",
    /reference/,
  ],
  ["an algorithm with a shared secret", login(", algorithms: [HS256]"), "identity.logins[0].algorithms[0]", /one of/],
  ["scopes without openid", login(", scopes: [profile]"), "identity.logins[0].scopes", /openid/],
  ["a session of a week", login(", session: { lasts: 7d }"), "identity.logins[0].session.lasts", /to 12h/],
  [
    "a session that ends before it idles",
    login(", session: { idle: 1h, lasts: 30m }"),
    "identity.logins[0].session.lasts",
    /3600s/,
  ],
  ["an unknown role", `${grouped}roles: { boss: [sre] }\n`, "roles.boss", /not a known key/],
  ["a role of a Unix group", `${grouped}roles: { admin: [wheel] }\n`, "roles.admin[0]", /write it as LOGIN:GROUP/],
  ["a role of another login", `${grouped}roles: { admin: ["hub:ops"] }\n`, "roles.admin[0]", /no login/],
  [
    "a role of a login without groups",
    `${login()}roles: { admin: ["corp:ops"] }\n`,
    "roles.admin[0]",
    /takes no groups/,
  ],
  ["an account of no login", `${grouped}humans: [{ name: ada, is: ["hub:ada"] }]\n`, "humans[0].is[0]", /no login/],
  ["an account of nobody", `${grouped}humans: [{ name: ada, is: ["corp:"] }]\n`, "humans[0].is[0]", /names nobody/],
  ["root as a human", `${grouped}humans: [{ name: ada, is: ["unix:0"] }]\n`, "humans[0].is[0]", /no single human/],
  [
    "groups of one who has no account at a chat",
    `${grouped}humans: [{ name: ada, is: ["corp:a", "unix:ada"], groups: [sre] }]\n`,
    "humans[0].groups",
    /means nothing without an account of a chat/,
  ],
  [
    "a login's group given by the settings",
    `${grouped}humans: [{ name: ada, is: ["webhook:w/a"], groups: ["corp:sre"] }]\n`,
    "humans[0].groups[0]",
    /the name of a user or group/,
  ],
  [
    "people who may sign in over TLS, and nowhere to do so",
    "api: { certificate: c, key: { env: K }, login: [code] }\n",
    "api.login",
    /means nothing without identity.logins/,
  ],
  [
    "an account of two",
    `${grouped}humans: [{ name: ada, is: ["corp:a"] }, { name: ben, is: ["corp:a"] }]\n`,
    "humans[1].is[0]",
    /is humans\[0\] already/,
  ],
];
for (const [name, text, key, message] of bad) {
  test(`the settings are refused with their key for ${name}`, () => {
    assert.throws(
      () => readSettings(text, FILE),
      (error) => {
        assert.ok(error instanceof SettingsError);
        assert.doesNotMatch(error.message, /hunter2/);
        const found = error.problems.find((problem) => problem.key === key);
        assert.match(found?.message ?? `no problem at ${key}: ${error.message}`, message);
        return true;
      },
    );
  });
}
