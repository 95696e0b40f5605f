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
    ...{
      kind: "oidc",
      name: "corp",
      url: "https://id.corp",
      clientId: "cli",
      algorithms: ["RS256", "ES256", "PS256", "EdDSA"],
    },
    ...{ scopes: ["openid", "profile", "offline_access"], subject: "sub", displayName: "name" },
    ...{ groups: read.groups, idleMs: 900_000, lastsMs: 43_200_000 },
  });
  assert.deepEqual(read.groups?.claim, "g");
  assert.deepEqual(roles, { reviewer: ["sre"], admin: ["corp:ops"] });
  assert.deepEqual(people, [{ name: "ada", accounts: ["corp:ada", "unix:ada"] }]);
});

test("what a login says goes before the defaults, and its files are found from the settings' folder", () => {
  const keys =
    ", clientSecret: { file: s }, ca: ca.pem, subject: email, displayName: nick, scopes: [openid], algorithms: [ES256], session: { idle: 5m, lasts: 1h }";
  const [one = assert.fail("no login")] = readSettings(login(keys), FILE).humans.logins;
  assert.ok("caFile" in one && one.login.kind === "oidc");
  const { login: read, caFile } = one;
  const { clientSecret, subject, displayName, scopes, algorithms, idleMs, lastsMs } = read;
  assert.deepEqual(
    [clientSecret, caFile, subject, displayName, scopes, algorithms, idleMs, lastsMs],
    [{ file: "/etc/sallyport/s" }, "/etc/sallyport/ca.pem", "email", "nick", ["openid"], ["ES256"], 300_000, 3_600_000],
  );
});

const saml = (keys = "", { recipient = "http://127.0.0.1:7420/saml", signOn = "https://idp.corp/sso?tenant=a" } = {}) =>
  `identity:\n  logins:\n    - { name: legacy, entityId: "urn:idp", signOn: "${signOn}", certificates: [a.pem, b.pem], audience: us, recipient: "${recipient}"${keys} }\n`;

test("a login that speaks SAML becomes plain values with defaults, and its certificates are found from the settings' folder", () => {
  const [one = assert.fail("no login")] = readSettings(saml(), FILE).humans.logins;
  assert.deepEqual(one, {
    certificateFiles: ["/etc/sallyport/a.pem", "/etc/sallyport/b.pem"],
    login: {
      ...{ kind: "saml", name: "legacy", url: "urn:idp", signOn: "https://idp.corp/sso?tenant=a", certificates: [] },
      ...{ audience: "us", recipient: "http://127.0.0.1:7420/saml", clockSkewMs: 60_000, subject: "NameID" },
      ...{ displayName: "NameID", groups: undefined, idleMs: 900_000, lastsMs: 43_200_000 },
    },
  });
});

test("what a login that speaks SAML says goes before the defaults, and its groups may have roles", () => {
  const keys =
    ', clockSkew: 5s, subject: "urn:mail", displayName: cn, session: { idle: 5m, lasts: 1h }, groups: { attribute: "urn:groups", names: { "CN=Site": [sre] } }';
  const { logins, roles } = readSettings(`${saml(keys)}roles: { reviewer: [sre, "legacy:ops"] }\n`, FILE).humans;
  const [{ login: read } = assert.fail("no login")] = logins;
  assert.ok(read.kind === "saml");
  const { clockSkewMs, subject, displayName, idleMs, lastsMs, groups } = read;
  assert.deepEqual([clockSkewMs, subject, displayName, idleMs, lastsMs], [5_000, "urn:mail", "cn", 300_000, 3_600_000]);
  assert.deepEqual([groups?.claim, { ...groups?.names }], ["urn:groups", { "CN=Site": ["sre"] }]);
  assert.deepEqual(roles, { reviewer: ["sre", "legacy:ops"] });
});

test("humans and agents may have one provider, for an audience each", () => {
  const agents = (audience: string) =>
    `  saml: [{ name: ci, entityId: "urn:idp", certificates: [a.pem], audience: ${audience} }]\n`;
  assert.equal(readSettings(`${saml()}${agents("them")}`, FILE).humans.logins.length, 1);
  assert.throws(() => readSettings(`${saml()}${agents("us")}`, FILE), /logins\[0\]\.audience.*identity\.saml\[0\]/s);
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
  ["a client of SAML", saml(", clientId: x"), "identity.logins[0].clientId", /not a known key/],
  ["SAML without certificates", saml().replace(/ certificates: [^\]]*\],/, ""), "identity.logins[0]", /"certificates"/],
  ["SAML over plain http", saml("", { signOn: "http://idp" }), "identity.logins[0].signOn", /an https URL/],
  ...[
    "https://127.0.0.1:7420/saml",
    "http://0.0.0.0:7420/saml",
    "http://localhost:7420/saml",
    "http://127.0.0.1/saml",
  ].map(
    (recipient) =>
      [
        `a recipient ${recipient}`,
        saml("", { recipient }),
        "identity.logins[0].recipient",
        /127\.0\.0\.1:PORT/,
      ] as const,
  ),
  ...["1023", "65536"].map(
    (port) =>
      [
        `a recipient at port ${port}`,
        saml("", { recipient: `http://127.0.0.1:${port}/` }),
        "identity.logins[0].recipient",
        /from 1024 to 65535/,
      ] as const,
  ),
  ["a skew of an hour", saml(", clockSkew: 1h"), "identity.logins[0].clockSkew", /to 5m/],
  [
    "groups of SAML by a claim",
    saml(", groups: { claim: g, names: { a: [b] } }"),
    "identity.logins[0].groups.claim",
    /did you|known/,
  ],
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
