import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { SETTINGS_BYTES_MAX } from "../../src/base/limits.ts";
import { type AddedConnection, loadConfiguration, readPolicyFolder } from "../../src/daemon/configuration.ts";
import { checkPolicyFiles } from "../../src/daemon/policy-check.ts";
import { connectionNumber } from "../../src/kernel/destinations.ts";
import { subjectOf } from "../kit/policy.ts";
import { makeSamlKey } from "../kit/saml.ts";
import { folder } from "../store/folder.ts";

const ORDERS = `  - name: orders
    protocol: postgres
    addresses: ["192.0.2.10:5432"]
    credential: { user: app, password: { file: /run/secrets/orders } }
    tls: { mode: disable }
    data: { public.customers: { labels: [customer], columns: { ssn: [pii] } } }`;
const ALLOW = "rules:\n  - { name: reach, on: connect, allow: {} }";

/** A folder with settings, and whatever else a test puts there. */
function files(t: TestContext, settings: string, more: Readonly<Record<string, string>> = {}): string {
  const base = folder(t);
  for (const [name, text] of Object.entries({ "sallyport.yaml": settings, ...more })) {
    mkdirSync(join(base, name, ".."), { recursive: true });
    writeFileSync(join(base, name), text);
  }
  return join(base, "sallyport.yaml");
}

const added = (name: string, more: object = {}): AddedConnection => ({
  name,
  settings: JSON.stringify({
    name,
    protocol: "postgres",
    addresses: ["192.0.2.11:5432"],
    tls: { mode: "disable" },
    ...more,
  }),
});

test("settings, policy and references are read together, and connections are found by their number", (t) => {
  const file = files(t, `connections:\n${ORDERS}\npolicies: rules\n`, { "rules/a.yaml": ALLOW });
  const { connections, byNumber, policy, references } = loadConfiguration(file, []);
  assert.deepEqual(
    connections.map(({ name }) => name),
    ["orders"],
  );
  assert.equal(byNumber.get(connectionNumber("orders")), connections[0]);
  assert.deepEqual(references.get("orders"), { user: "app", password: { file: "/run/secrets/orders" } });
  assert.deepEqual(
    policy.rules.map(({ name }) => name),
    ["reach"],
  );
});

for (const [kind, written, expected] of [
  ["a variable", "{ env: PG_PASSWORD }", { env: "PG_PASSWORD" }],
  ["a systemd credential", "{ systemd: orders }", { systemd: "orders" }],
] as const) {
  test(`a password may be read from ${kind}`, (t) => {
    const file = files(t, `connections:\n${ORDERS.replace("{ file: /run/secrets/orders }", written)}\n`);
    assert.deepEqual(loadConfiguration(file, []).references.get("orders"), { user: "app", password: expected });
  });
}

test("without a settings file nothing is registered and nothing is allowed", () => {
  const { connections, policy, settings } = loadConfiguration(undefined, []);
  assert.deepEqual([connections, policy.rules, settings.agents], [[], [], []]);
  const connect = { operation: { actions: [{ name: "connect", facts: { database: "", user: "" } }] }, text: "" };
  assert.equal(policy.judge(subjectOf()).decide(1, [connect], new Uint8Array()).kind, "deny");
});

test("connections that were added by command stand beside those of the file, without a reference", (t) => {
  const file = files(t, `connections:\n${ORDERS}\n`);
  const { connections, references } = loadConfiguration(file, [added("billing")]);
  assert.deepEqual(
    connections.map(({ name }) => name),
    ["orders", "billing"],
  );
  assert.deepEqual([...references.keys()], ["orders"]);
});

test("trusted roots are read when the settings are", (t) => {
  const file = files(t, `connections:\n${ORDERS.replace("{ mode: disable }", "{ ca: roots.pem }")}\n`, {
    "roots.pem": "PEM",
  });
  assert.equal(loadConfiguration(file, []).connections[0]?.tls.ca, "PEM");
});

test("certificates of an identity provider are read when the settings are", (t) => {
  const base = folder(t);
  const [one, two] = ["one", "two"].map((name) => makeSamlKey(base, name).certificate);
  const provider = "{ name: corp, entityId: b, audience: c, certificates: [one.pem, two.pem] }";
  const login = `${provider.replace("corp", "legacy").replace("c,", "d,").replace(" }", "")}, signOn: "https://b/", recipient: "http://127.0.0.1:7420/" }`;
  const text = `identity: { saml: [${provider}], logins: [${login}] }\n`;
  const file = files(t, text, { "one.pem": one ?? "", "two.pem": two ?? "" });
  const { providers, logins } = loadConfiguration(file, []);
  assert.deepEqual(providers[0]?.certificates, [one, two]);
  assert.deepEqual(logins[0]?.kind === "saml" && logins[0].certificates, [one, two]);
});

test("labels of the settings are known to the policy, others are warned of", (t) => {
  const rules = (label: string) =>
    `${ALLOW}\n  - { name: hide, on: reveal, when: "'${label}' in column.labels", mask: { style: partial } }`;
  const load = (label: string) =>
    loadConfiguration(files(t, `connections:\n${ORDERS}\npolicies: .\n`, { "b.yaml": rules(label) }), []).policy
      .warnings;
  assert.throws(() => load("pii"), { code: "POLICY_INVALID" }); // the settings lie in the same folder and are no policy
  const apart = (label: string) =>
    loadConfiguration(files(t, `connections:\n${ORDERS}\npolicies: p\n`, { "p/b.yaml": rules(label) }), []).policy
      .warnings;
  assert.deepEqual([apart("pii"), apart("customer")], [[], []]);
  assert.match(apart("pi")[0]?.message ?? "", /label "pi"/);
});

const bad: readonly {
  name: string;
  settings: string;
  more?: Record<string, string>;
  vault?: AddedConnection[];
  code: string;
}[] = [
  { name: "an unknown key", settings: "conections: []\n", code: "SETTINGS_INVALID" },
  {
    name: "two connections of one name",
    settings: `connections:\n${ORDERS}\n${ORDERS.replace("2.10", "2.12")}\n`,
    code: "SETTINGS_INVALID",
  },
  {
    name: "a connection that the vault has too",
    settings: `connections:\n${ORDERS}\n`,
    vault: [added("orders")],
    code: "CONNECTION_NAMES",
  },
  {
    name: "an unknown protocol",
    settings: `connections:\n${ORDERS.replace("postgres", "postgers")}\n`,
    code: "SETTINGS_INVALID",
  },
  {
    name: "roots that are not there",
    settings: `connections:\n${ORDERS.replace("{ mode: disable }", "{ ca: gone.pem }")}\n`,
    code: "CA_UNREADABLE",
  },
  {
    name: "certificates that are not there",
    settings: "identity: { saml: [{ name: a, entityId: b, audience: c, certificates: [gone.pem] }] }\n",
    code: "CERTIFICATE_UNREADABLE",
  },
  { name: "a policies folder that is not there", settings: "policies: gone\n", code: "POLICY_UNREADABLE" },
  { name: "a broken policy", settings: "policies: p\n", more: { "p/a.yaml": "rules: [" }, code: "POLICY_INVALID" },
  {
    name: "one broken policy file among good ones",
    settings: "policies: p\n",
    more: { "p/a.yaml": ALLOW, "p/b.yml": "x" },
    code: "POLICY_INVALID",
  },
  { name: "a file that is too large", settings: `# ${"x".repeat(SETTINGS_BYTES_MAX)}\n`, code: "SETTINGS_UNREADABLE" },
  {
    name: "a broken entry of the vault",
    settings: "{}\n",
    vault: [added("billing", { addresses: [] })],
    code: "SETTINGS_INVALID",
  },
];
for (const { name, settings, more, vault = [], code } of bad) {
  test(`${name} fails with ${code} and says what to do`, (t) => {
    assert.throws(
      () => loadConfiguration(files(t, settings, more), vault),
      (error: Error & { code?: string; remedy?: string }) => error.code === code && (error.remedy ?? "") !== "",
    );
  });
}

test("a settings file that is not there says where it was looked for", () => {
  assert.throws(() => loadConfiguration("/gone/sallyport.yaml", []), {
    ...{ code: "SETTINGS_UNREADABLE", remedy: "Check the path, or create it" },
    message: /\/gone\/sallyport\.yaml/,
  });
});

test("two names whose numbers collide are refused rather than mixed up", () => {
  const [first, second] = collision();
  const both = [added(first), added(second, { addresses: ["192.0.2.12:5432"] })];
  assert.throws(() => loadConfiguration(undefined, both), {
    code: "CONNECTION_NAMES",
    message: new RegExp(`${first}.*${second}`),
  });
});

/** The numbers have 30 bits: among 100,000 names some share one. */
function collision(): readonly [string, string] {
  const names = new Map<number, string>();
  for (let index = 0; ; index++) {
    const name = `connection-${index.toString(36)}`;
    const number = connectionNumber(name);
    const other = names.get(number);
    if (other !== undefined) return [other, name];
    names.set(number, name);
  }
}

test("policy files are those that end in .yaml or .yml, in the order of their names", (t) => {
  const file = files(t, "{}", { "p/b.yml": "B", "p/a.yaml": "A", "p/notes.md": "", "p/c.yaml.bak": "" });
  const found = readPolicyFolder(join(file, "..", "p")).map(({ name, text }) => [name.split("/").at(-1), text]);
  assert.deepEqual(found, [
    ["a.yaml", "A"],
    ["b.yml", "B"],
  ]);
});

test("the check of policy files counts rules, or tells every problem with its place", async (t) => {
  const file = files(t, "policies: p\n", {
    "p/a.yaml": ALLOW,
    "bad.yaml": "rules:\n  - { name: x, on: sql.raed, allow: {} }",
  });
  assert.deepEqual(await checkPolicyFiles([], file), { rules: 1, problems: [], warnings: [] });
  const { rules, problems } = await checkPolicyFiles([join(file, "..", "bad.yaml")], file);
  assert.deepEqual([rules, problems.map(({ line, rule }) => [line, rule])], [0, [[2, "x"]]]);
  await assert.rejects(checkPolicyFiles([], files(t, "agents: []\n", {})), /Cannot find a policy: .* names none/);
  const doubtful = join(file, "..", "doubtful.yaml");
  writeFileSync(doubtful, "rules:\n  - { name: x, on: sql.read, allow: {} }");
  const { warnings } = await checkPolicyFiles([doubtful], file);
  assert.deepEqual(warnings.length, 1, "no rule allows connect");
});

test("a grant for a connection that nothing knows is warned of, with its place; one that was added by command is known", async (t) => {
  const grant = "grants:\n  - { name: g, agents: [ci], connections: [orders, ordres, ledger] }\n";
  const file = files(t, `connections:\n${ORDERS}\n${grant}policies: rules\n`, { "rules/a.yaml": ALLOW });
  const warned = (names: readonly AddedConnection[]) => loadConfiguration(file, names).warnings;
  const mistyped = {
    ...{ file, line: 9, column: 52, rule: "" },
    message: 'A grant names the connection "ordres", which nothing knows.',
    remedy: 'Did you mean "orders"? Or add it: sallyport connections add ordres',
  };
  assert.deepEqual(warned([added("ledger")]), [mistyped]);
  assert.deepEqual(warned([added("ledger"), added("ordres", { addresses: ["192.0.2.12:5432"] })]), []);
  assert.equal(warned([])[1]?.remedy, "Or add it: sallyport connections add ledger");
  assert.equal((await checkPolicyFiles([], file)).warnings.length, 2, "policy check says it as well");
  const every = files(t, 'grants:\n  - { name: g, agents: [ci], connections: "*" }\n');
  assert.deepEqual(
    loadConfiguration(every, []).warnings.filter(({ message }) => message.includes("grant")),
    [],
  );
});
