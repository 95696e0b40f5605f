/** Settings: what is good becomes plain values; what is wrong is told by line, key and remedy, and never by value. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { SETTINGS_BYTES_MAX, SETTINGS_PROBLEMS_MAX } from "../../src/base/limits.ts";
import { formatAddress, isOneHost, parseAddress } from "../../src/config/address.ts";
import { record } from "../../src/config/meaning.ts";
import { SettingsError } from "../../src/config/problems.ts";
import { settingsSchema } from "../../src/config/schema.ts";
import { readAddedConnection, readSettings } from "../../src/config.ts";

const FILE = "/etc/sallyport/sallyport.yaml";
const PROTOCOLS = [
  { name: "postgres", needsCredential: true },
  { name: "opaque", needsCredential: false },
];

/** One connection, complete; `more` replaces or adds lines. */
function orders(more: Readonly<Record<string, string>> = {}): string {
  const lines = {
    name: "orders",
    protocol: "postgres",
    addresses: '["orders.db.internal:5432"]',
    credential: "{ user: orders_app, password: { file: /etc/secret } }",
    ...more,
  };
  const entries = Object.entries(lines).filter(([, value]) => value !== "");
  return `connections:\n${entries.map(([key, value], index) => `${index === 0 ? "  - " : "    "}${key}: ${value}`).join("\n")}\n`;
}

function provider(keys: string): string {
  return `identity:\n  saml:\n    - { ${keys} }\n`;
}

function issuer(keys: string): string {
  return `identity:\n  issuers:\n    - { ${keys} }\n`;
}

function settingsError(text: string): SettingsError {
  try {
    readSettings(text, FILE, PROTOCOLS);
  } catch (error) {
    assert.ok(error instanceof SettingsError, `not a SettingsError: ${error}`);
    return error;
  }
  return assert.fail("the settings were accepted");
}

// name, text, line, column, key, what the message says
const bad: readonly (readonly [string, string, number, number, string, RegExp])[] = [
  ["an unknown key at the top", "agentz: []\n", 1, 1, "agentz", /not a known key; did you mean "agents"/],
  [
    "a key far from any",
    "\nwhatever: 1\n",
    2,
    1,
    "whatever",
    /known here: agents, identity, roles, humans, connections/,
  ],
  ["a list at the top", "- a\n", 1, 1, "", /must be a mapping/],
  ["a scalar at the top", "hello\n", 1, 1, "", /must be a mapping/],
  ["two brackets left open", "agents: [{ name: a\n", 2, 1, "", /a bracket before it is not closed/],
  ["a broken bracket", "agents: [\n", 2, 1, "", /a bracket before it is not closed/],
  ["a tab that indents", "egress:\n\tallow: []\n", 2, 1, "", /tab|not valid YAML/],
  ["a key that stands twice", "agents: []\nagents: []\n", 2, 1, "", /twice/],
  ["two documents", "agents: []\n---\nagents: []\n", 2, 1, "", /second document/],
  ["an alias without anchor", "agents: *list\n", 1, 9, "", /no anchor/],
  ["an unknown tag", "agents: !list []\n", 1, 9, "", /unknown tag/],
  ["a mapping where a list belongs", "agents:\n  name: ci\n", 2, 3, "agents", /must be a list/],
  ["an agent without name", "agents:\n  - groups: [a]\n", 2, 5, "agents[0]", /lacks the key "name"/],
  ["an agent with a capital", "agents:\n  - name: CI\n", 2, 11, "agents[0].name", /1 to 63 of a-z/],
  ["an agent that begins with -", 'agents:\n  - name: "-x"\n', 2, 11, "agents[0].name", /not beginning with -/],
  ["an agent with 64 letters", `agents:\n  - name: ${"a".repeat(64)}\n`, 2, 11, "agents[0].name", /1 to 63/],
  ["an agent with a path", 'agents:\n  - name: "../a"\n', 2, 11, "agents[0].name", /1 to 63/],
  [
    "an issuer without audience",
    issuer("name: a, issuer: 'https://a'"),
    3,
    7,
    "identity.issuers[0]",
    /lacks the key "audience"/,
  ],
  [
    "an issuer without TLS",
    issuer("name: a, issuer: 'http://a', audience: b"),
    3,
    26,
    "identity.issuers[0].issuer",
    /must be an https URL/,
  ],
  [
    "an issuer with a query",
    issuer("name: a, issuer: 'https://a/?x', audience: b"),
    3,
    26,
    "identity.issuers[0].issuer",
    /an https URL without user, query/,
  ],
  [
    "an issuer with a password",
    issuer("name: a, issuer: 'https://u:p@a', audience: b"),
    3,
    26,
    "identity.issuers[0].issuer",
    /without user/,
  ],
  [
    "an issuer that is no URL",
    issuer("name: a, issuer: 'https://[', audience: b"),
    3,
    26,
    "identity.issuers[0].issuer",
    /is not a URL/,
  ],
  [
    "tokens without signature",
    issuer("name: a, issuer: 'https://a', audience: b, algorithms: [none]"),
    3,
    65,
    "identity.issuers[0].algorithms[0]",
    /must be one of "RS256"/,
  ],
  [
    "tokens by HMAC",
    issuer("name: a, issuer: 'https://a', audience: b, algorithms: [HS256]"),
    3,
    65,
    "identity.issuers[0].algorithms[0]",
    /did you mean "(RS|PS|ES)256"/,
  ],
  [
    "too much skew",
    issuer("name: a, issuer: 'https://a', audience: b, clockSkew: 6m"),
    3,
    63,
    "identity.issuers[0].clockSkew",
    /from 0s to 5m/,
  ],
  [
    "an identity for a day",
    issuer("name: a, issuer: 'https://a', audience: b, for: 1d"),
    3,
    57,
    "identity.issuers[0].for",
    /from 1s to 12h/,
  ],
  [
    "an identity for nothing",
    issuer("name: a, issuer: 'https://a', audience: b, for: 0s"),
    3,
    57,
    "identity.issuers[0].for",
    /from 1s/,
  ],
  [
    "an identity until whenever",
    issuer("name: a, issuer: 'https://a', audience: b, until: exp"),
    3,
    59,
    "identity.issuers[0].until",
    /"cgroup", "token"/,
  ],
  [
    "groups without names",
    issuer("name: a, issuer: 'https://a', audience: b, groups: { claim: g }"),
    3,
    60,
    "identity.issuers[0].groups",
    /lacks the key "names"/,
  ],
  [
    "a claim that is a list",
    issuer("name: a, issuer: 'https://a', audience: b, claims: [[x]]"),
    3,
    61,
    "identity.issuers[0].claims[0]",
    /a text/,
  ],
  [
    "an issuer of an agent that is not there",
    `agents: [{ name: ci }]\n${issuer("name: a, issuer: 'https://a', audience: b, agents: [cd]")}`,
    4,
    61,
    "identity.issuers[0].agents[0]",
    /no agent of the settings/,
  ],
  [
    "two issuers of one name",
    `${issuer("name: a, issuer: 'https://a', audience: b")}    - { name: a, issuer: 'https://b', audience: b }\n`,
    4,
    15,
    "identity.issuers[1].name",
    /taken by identity.issuers\[0\]/,
  ],
  [
    "an identity provider without certificates",
    provider("name: a, entityId: b, audience: c"),
    3,
    7,
    "identity.saml[0]",
    /lacks the key "certificates"/,
  ],
  [
    "an identity provider of no certificate",
    provider("name: a, entityId: b, audience: c, certificates: []"),
    3,
    58,
    "identity.saml[0].certificates",
    /at least one entry/,
  ],
  [
    "an identity provider of five certificates",
    provider("name: a, entityId: b, audience: c, certificates: [a, b, c, d, e]"),
    3,
    58,
    "identity.saml[0].certificates",
    /at most 4 entries/,
  ],
  [
    "an identity provider with the keys of an issuer",
    provider("name: a, entityId: b, audience: c, certificates: [d], issuer: e"),
    3,
    63,
    "identity.saml[0].issuer",
    /not a known key/,
  ],
  [
    "attributes that have no names for facts",
    provider("name: a, entityId: b, audience: c, certificates: [d], claims: [e]"),
    3,
    71,
    "identity.saml[0].claims",
    /a mapping of names for facts to attributes/,
  ],
  [
    "groups of an attribute without names",
    provider("name: a, entityId: b, audience: c, certificates: [d], groups: { attribute: e }"),
    3,
    71,
    "identity.saml[0].groups",
    /lacks the key "names"/,
  ],
  [
    "an identity provider with the name of an issuer",
    `${issuer("name: a, issuer: 'https://a', audience: b")}  saml: [{ name: a, entityId: b, audience: c, certificates: [d] }]\n`,
    4,
    18,
    "identity.saml[0].name",
    /taken by identity.issuers\[0\]/,
  ],
  ["two agents of one name", "agents:\n  - name: ci\n  - name: ci\n", 3, 11, "agents[1].name", /taken by agents\[0\]/],
  ["a group twice", "agents:\n  - {name: ci, groups: [a, a]}\n", 2, 24, "agents[0].groups", /same entry twice/],
  ["a group that is no text", "agents:\n  - {name: ci, groups: [1]}\n", 2, 25, "agents[0].groups[0]", /quote it/],
  [
    "an unknown key of an agent",
    "agents:\n  - name: ci\n    group: [a]\n",
    3,
    5,
    "agents[0].group",
    /did you mean "groups"/,
  ],
  ["an empty match", "agents:\n  - {name: ci, match: {}}\n", 2, 23, "agents[0].match", /must not be empty/],
  [
    "an unknown matcher",
    "agents:\n  - {name: ci, match: {units: x}}\n",
    2,
    24,
    "agents[0].match.units",
    /did you mean "unit"/,
  ],
  [
    "a connection with an unknown key",
    orders({ protocl: "postgres" }),
    6,
    5,
    "connections[0].protocl",
    /did you mean "protocol"/,
  ],
  ["a connection without addresses", orders({ addresses: "" }), 2, 5, "connections[0]", /lacks the key "addresses"/],
  ["an empty list of addresses", orders({ addresses: "[]" }), 4, 16, "connections[0].addresses", /at least one/],
  [
    "an unknown protocol",
    orders({ protocol: "postgras" }),
    3,
    15,
    "connections[0].protocol",
    /did you mean "postgres"/,
  ],
  ["a missing credential", orders({ credential: "" }), 2, 5, "connections[0]", /lacks the key "credential"/],
  ["a connection name with _", orders({ name: "a_b" }), 2, 11, "connections[0].name", /1 to 63/],
  ["an address without port", orders({ addresses: "[db]" }), 4, 17, "connections[0].addresses[0]", /end with a port/],
  ["port 0", orders({ addresses: '["db:0"]' }), 4, 17, "connections[0].addresses[0]", /1 and 65535/],
  ["port 65536", orders({ addresses: '["db:65536"]' }), 4, 17, "connections[0].addresses[0]", /1 and 65535/],
  ["port *", orders({ addresses: '["db:*"]' }), 4, 17, "connections[0].addresses[0]", /must name one port/],
  [
    "IPv6 without brackets",
    orders({ addresses: '["2001:db8::1"]' }),
    4,
    17,
    "connections[0].addresses[0]",
    /in brackets/,
  ],
  [
    "v4-mapped IPv6",
    orders({ addresses: '["[::ffff:192.0.2.1]:5"]' }),
    4,
    17,
    "connections[0].addresses[0]",
    /plain IPv4: "192\.0\.2\.1"/,
  ],
  [
    "an interface behind %",
    orders({ addresses: '["[fe80::1%eth0]:5"]' }),
    4,
    17,
    "connections[0].addresses[0]",
    /interface/,
  ],
  [
    "a name in brackets",
    orders({ addresses: '["[db]:5"]' }),
    4,
    17,
    "connections[0].addresses[0]",
    /IPv6 address inside/,
  ],
  [
    "IPv4 with 256",
    orders({ addresses: '["192.0.2.256:5"]' }),
    4,
    17,
    "connections[0].addresses[0]",
    /not a valid IPv4/,
  ],
  ["a name with a space", orders({ addresses: '["a b:5"]' }), 4, 17, "connections[0].addresses[0]", /host name/],
  ["a URL", orders({ addresses: '["postgres://db:5"]' }), 4, 17, "connections[0].addresses[0]", /must be "host:port"/],
  [
    "a prefix behind a name",
    orders({ addresses: '["db/8:5"]' }),
    4,
    17,
    "connections[0].addresses[0]",
    /IP address before the prefix/,
  ],
  [
    "a prefix of 33",
    orders({ addresses: '["192.0.2.0/33:5"]' }),
    4,
    17,
    "connections[0].addresses[0]",
    /between 0 and 32/,
  ],
  [
    "bits behind the prefix",
    orders({ addresses: '["10.0.0.1/8:5"]' }),
    4,
    17,
    "connections[0].addresses[0]",
    /did you mean 10\.0\.0\.0\/8/,
  ],
  [
    "IPv6 bits behind the prefix",
    orders({ addresses: '["[2001:db8::1/32]:5"]' }),
    4,
    17,
    "connections[0].addresses[0]",
    /2001:db8::\/32/,
  ],
  [
    "a network without tls.name",
    orders({ addresses: '["db:5", "10.0.0.0/8:5"]' }),
    4,
    25,
    "connections[0].addresses[1]",
    /rogue server/,
  ],
  [
    "every address without tls.name",
    orders({ addresses: '["*:5"]' }),
    4,
    17,
    "connections[0].addresses[0]",
    /rogue server/,
  ],
  [
    "a network with mode require",
    orders({ addresses: '["10.0.0.0/8:5"]', tls: "{ mode: require }" }),
    4,
    17,
    "connections[0].addresses[0]",
    /rogue server/,
  ],
  [
    "a network with mode disable",
    orders({ addresses: '["10.0.0.0/8:5"]', tls: "{ mode: disable }" }),
    4,
    17,
    "connections[0].addresses[0]",
    /rogue server/,
  ],
  [
    "an unknown TLS mode",
    orders({ tls: "{ mode: verify }" }),
    6,
    18,
    "connections[0].tls.mode",
    /one of "disable", "require", "verify-full"/,
  ],
  ["TLS mode prefer", orders({ tls: "{ mode: prefer }" }), 6, 18, "connections[0].tls.mode", /one of/],
  [
    "a TLS name with mode disable",
    orders({ tls: "{ mode: disable, name: db }" }),
    6,
    27,
    "connections[0].tls.name",
    /means nothing/,
  ],
  [
    "a CA with mode require",
    orders({ tls: "{ mode: require, ca: ca.pem }" }),
    6,
    27,
    "connections[0].tls.ca",
    /means nothing/,
  ],
  ["a TLS name with a space", orders({ tls: '{ name: "a b" }' }), 6, 18, "connections[0].tls.name", /certificate/],
  [
    "a password itself",
    orders({ credential: "{ user: a, password: hunter2 }" }),
    5,
    38,
    "connections[0].credential.password",
    /reference to the secret/,
  ],
  [
    "a password in a wrong key",
    orders({ credential: "{ user: a, password: { hunter2: x } }" }),
    5,
    38,
    "connections[0].credential.password",
    /reference to the secret/,
  ],
  [
    "a password of two references",
    orders({ credential: "{ user: a, password: { file: a, env: B } }" }),
    5,
    38,
    "connections[0].credential.password",
    /reference to the secret/,
  ],
  [
    "an empty password",
    orders({ credential: "{ user: a, password: {} }" }),
    5,
    38,
    "connections[0].credential.password",
    /reference to the secret/,
  ],
  [
    "a bad name of a variable",
    orders({ credential: "{ user: a, password: { env: a-b } }" }),
    5,
    45,
    "connections[0].credential.password.env",
    /name of a variable/,
  ],
  [
    "a systemd credential with a path",
    orders({ credential: "{ user: a, password: { systemd: ../a } }" }),
    5,
    49,
    "connections[0].credential.password.systemd",
    /systemd credential/,
  ],
  [
    "a credential without user",
    orders({ credential: "{ password: { file: a } }" }),
    5,
    17,
    "connections[0].credential",
    /lacks the key "user"/,
  ],
  ["a label that is a number", orders({ labels: "{ tier: 1 }" }), 6, 21, "connections[0].labels.tier", /quote it/],
  [
    "a label called __proto__",
    orders({ labels: "{ __proto__: x }" }),
    6,
    15,
    "connections[0].labels.__proto__",
    /good name/,
  ],
  [
    "a table without schema",
    orders({ data: "{ customers: {} }" }),
    6,
    13,
    "connections[0].data.customers",
    /schema\.table/,
  ],
  [
    "a column whose label is no list",
    orders({ data: "{ public.c: { columns: { ssn: pii } } }" }),
    6,
    41,
    'connections[0].data["public.c"].columns.ssn',
    /must be a list/,
  ],
  [
    "an unknown key of a table",
    orders({ data: "{ public.c: { column: {} } }" }),
    6,
    25,
    'connections[0].data["public.c"].column',
    /did you mean "columns"/,
  ],
  ["a policies list", "policies: [a]\n", 1, 11, "policies", /must be a text/],
  ["a port that is no number", "interception: { port: x }\n", 1, 23, "interception.port", /whole number/],
  ["port 70000", "interception: { port: 70000 }\n", 1, 23, "interception.port", /at most 65535/],
  ["a relay of another kind", "interception: { relay: sometimes }\n", 1, 24, "interception.relay", /auto/],
  ["a relative cgroup root", "interception: { cgroupRoot: sys }\n", 1, 29, "interception.cgroupRoot", /absolute path/],
  ["an unknown side of egress", "egress: { alow: [] }\n", 1, 11, "egress.alow", /did you mean "allow"/],
  ["egress without port", 'egress: { allow: ["10.0.0.0/8"] }\n', 1, 19, "egress.allow[0]", /port/],
  ["egress to a resolver", 'egress: { allow: ["10.0.0.9:53/udp"] }\n', 1, 19, "egress.allow[0]", /names\.servers/],
  ["egress to DNS over TLS", 'egress: { allow: ["10.0.0.9:853"] }\n', 1, 19, "egress.allow[0]", /names\.servers/],
  [
    "a connection on port 53",
    orders({ addresses: '["db:53"]' }),
    4,
    17,
    "connections[0].addresses[0]",
    /names\.servers/,
  ],
  ["an unknown transport", 'egress: { allow: ["10.0.0.9:1/sctp"] }\n', 1, 19, "egress.allow[0]", /"\/tcp" or "\/udp"/],
  ["a wildcard inside a name", 'egress: { allow: ["a.*.b:1"] }\n', 1, 19, "egress.allow[0]", /whole first label/],
  ["two wildcards", 'egress: { allow: ["*.*.b:1"] }\n', 1, 19, "egress.allow[0]", /whole first label/],
  ["a wildcard in a label", 'egress: { allow: ["a*.b:1"] }\n', 1, 19, "egress.allow[0]", /whole first label/],
  ["a wildcard of everything", 'egress: { allow: ["*.:1"] }\n', 1, 19, "egress.allow[0]", /host name/],
  [
    "egress that a rule without transport denies",
    'egress: { allow: ["10.0.0.0/8:*/udp"], deny: ["10.0.0.0/8:*"] }\n',
    1,
    19,
    "egress.allow[0]",
    /denied by egress\.deny/,
  ],
  [
    "a wildcard without tls.name",
    orders({ addresses: '["*.db.internal:5432"]' }),
    4,
    17,
    "connections[0].addresses[0]",
    /rogue server/,
  ],
  ["a nameserver that is a name", "names: { servers: [dns.internal] }\n", 1, 20, "names.servers[0]", /must be an IP/],
  ["an API without a certificate", "api: { key: { file: k } }\n", 1, 6, "api", /lacks the key "certificate"/],
  [
    "an API with a key in it",
    'api: { certificate: c, key: "-----BEGIN" }\n',
    1,
    29,
    "api.key",
    /not the secret itself/,
  ],
  ["an API at a name", "api: { listen: 'a:1', certificate: c, key: { file: k } }\n", 1, 16, "api.listen", /IP address/],
  [
    "an API called by a URL",
    "api: { certificate: c, key: { env: K }, names: ['https://a'] }\n",
    1,
    49,
    "api.names[0]",
    /host name/,
  ],
  ["metrics without an address", "metrics: {}\n", 1, 10, "metrics", /lacks the key "listen"/],
  ["metrics at a name", 'metrics: { listen: "localhost:9464" }\n', 1, 20, "metrics.listen", /IP address/],
  ["metrics without a port", 'metrics: { listen: "127.0.0.1" }\n', 1, 20, "metrics.listen", /with a port/],
  ["metrics at an IPv6 address without brackets", 'metrics: { listen: "::1:9464" }\n', 1, 20, "metrics.listen", /IP/],
  ["metrics at port 0", 'metrics: { listen: "127.0.0.1:0" }\n', 1, 20, "metrics.listen", /with a port/],
  ["a durability that there is not", "recording: { durability: none }\n", 1, 26, "recording.durability", /write/],
  ["a full disk's answer that there is not", "recording: { whenFull: drop }\n", 1, 24, "recording.whenFull", /deny/],
  ["a seal that is a word", "recording: { seal: aes }\n", 1, 20, "recording.seal", /boolean/],
  ["a nameserver with port 0", 'names: { servers: ["10.0.0.1:0"] }\n', 1, 20, "names.servers[0]", /must be an IP/],
  [
    "a nameserver with a bare IPv6 port",
    'names: { servers: ["[10.0.0.1]:53"] }\n',
    1,
    20,
    "names.servers[0]",
    /IP address/,
  ],
  [
    "four nameservers",
    'names: { servers: ["1.1.1.1", "2.2.2.2", "3.3.3.3", "4.4.4.4"] }\n',
    1,
    19,
    "names.servers",
    /at most 3/,
  ],
  ["an unknown door", "sockets: { allow: [dockr] }\n", 1, 20, "sockets.allow[0]", /did you mean "docker"/],
  ["a relative door", "sockets: { allow: [run/x.sock] }\n", 1, 20, "sockets.allow[0]", /neither a path nor the name/],
  ["a door with a star inside", 'sockets: { allow: ["/run/*/x"] }\n', 1, 20, "sockets.allow[0]", /at the end/],
  ["a door with a detour", 'sockets: { allow: ["/run/x/../y"] }\n', 1, 20, "sockets.allow[0]", /plain path/],
  ["a door of 108 bytes", `sockets: { allow: ["/${"x".repeat(107)}"] }\n`, 1, 20, "sockets.allow[0]", /107 bytes/],
  ["a door to our own socket", 'sockets: { allow: ["/run/sallyport/*"] }\n', 1, 20, "sockets.allow[0]", /own socket/],
  ["a door to everything", 'sockets: { allow: ["/*"] }\n', 1, 20, "sockets.allow[0]", /own socket/],
  ["a door to all of /run", 'sockets: { allow: ["/run/*"] }\n', 1, 20, "sockets.allow[0]", /own socket/],
  ["a door to every abstract socket", 'sockets: { allow: ["@*"] }\n', 1, 20, "sockets.allow[0]", /must name/],
  ...(
    [
      ["two kinds in one matcher", "{unit: a.service, user: b}", "", /two kinds of matcher/],
      ["a unit without its kind", "{unit: runner}", ".unit", /whole name/],
      ["a unit with a path", "{unit: a/b.service}", ".unit", /without a path/],
      ["every unit", '{unit: "*"}', ".unit", /every unit/],
      ["a long unit", `{unit: ${"u".repeat(120)}.service}`, ".unit", /127 bytes/],
      ["a relative cgroup", "{cgroup: jobs}", ".cgroup", /from the root/],
      ["every cgroup", '{cgroup: "/*"}', ".cgroup", /every process/],
      ["a cgroup with a detour", '{cgroup: "/a/../b"}', ".cgroup", /plain path/],
      ["a cgroup that is too deep", `{cgroup: ${"/a".repeat(16)}}`, ".cgroup", /at most 15/],
      ["a user with a space", '{user: "a b"}', ".user", /name or number of a user/],
      ["an empty container", "{container: {}}", ".container", /must not be empty/],
      ["a label without key", '{container: {label: "=x"}}', ".container.label", /"key=value"/],
      ["a label that is a number", "{container: {label: {a: 1}}}", ".container.label.a", /quote it/],
    ] as const
  ).map(([name, match, key, says]): (typeof bad)[number] => {
    const text = `agents:\n  - name: ci\n    match: ${match}\n`;
    const last = key.split(".").at(-1);
    const column = key === "" ? 12 : (text.split("\n")[2]?.indexOf(`${last}: `) ?? 0);
    return [name, text, 3, key === "" ? 12 : column + (last?.length ?? 0) + 3, `agents[0].match${key}`, says];
  }),
  [
    "egress on both sides",
    'egress: { allow: ["10.0.0.0/8:*"], deny: ["10.0.0.0/8:*"] }\n',
    1,
    19,
    "egress.allow[0]",
    /denied by egress\.deny/,
  ],
];

for (const [name, text, line, column, key, says] of bad) {
  test(`the settings are refused with their line for ${name}`, () => {
    const { problems, code, remedy, message } = settingsError(text);
    const [problem] = problems;
    assert.deepEqual(
      { code, problems: problems.length, line: problem?.line, column: problem?.column, key: problem?.key },
      { code: "SETTINGS_INVALID", problems: 1, line, column, key },
      message,
    );
    assert.match(problem?.message ?? "", says);
    assert.match(message, new RegExp(`sallyport\\.yaml:${line}:${column}: `));
    assert.notEqual(remedy, "");
  });
}

test("two agents may not be matched by the same pattern", () => {
  const text = `agents:
  - { name: a, match: { unit: "x.*.service" } }
  - { name: b, match: [{ user: u }, { unit: "x.*.service" }] }
`;
  assert.deepEqual(
    settingsError(text).problems.map(({ key, message }) => [key, message]),
    [["agents[1].match", "has a matcher that agents[0] has too"]],
  );
});

test("more patterns than the kernel holds are refused, containers do not count", () => {
  const list = (count: number, kind: (index: number) => string) =>
    `[${Array.from({ length: count }, (_, index) => kind(index)).join(", ")}]`;
  const two = (first: string, second: string) =>
    `agents:\n  - { name: a, match: ${first} }\n  - { name: b, match: ${second} }\n`;
  const units = list(60, (index) => `{ unit: "u${index}.service" }`);
  const users = (count: number) => list(count, (index) => `{ user: u${index} }`);
  assert.match(settingsError(two(units, users(5))).message, /65 matchers.*the kernel holds 64/);
  assert.equal(readSettings(two(units, users(4)), FILE).agents.length, 2);
  assert.equal(
    readSettings(
      two(
        units,
        list(60, (index) => `{ container: { name: c${index} } }`),
      ),
      FILE,
    ).agents.length,
    2,
  );
});

test("every form of matcher becomes a plain value, in the order of the file", () => {
  const text = `agents:
  - name: one
    match: { unit: "actions.runner.*.service" }
  - name: many
    match:
      - { cgroup: "/jobs/*" }
      - { user: "1001" }
      - { container: { name: "ci-*", image: "docker.io/library/node:*" } }
      - { container: { label: agent } }
      - { container: { label: "role=agent=1" } }
      - { container: { label: { a: b, c: "" } } }
  - name: none
`;
  const container = { kind: "container", name: undefined, image: undefined };
  const read = readSettings(text, FILE).agents.map(({ match }) =>
    match.map((one) => (one.kind === "container" ? { ...one, labels: { ...one.labels } } : one)),
  );
  assert.deepEqual(read, [
    [{ kind: "unit", glob: "actions.runner.*.service" }],
    [
      { kind: "cgroup", glob: "/jobs/*" },
      { kind: "user", name: "1001" },
      { ...container, name: "ci-*", image: "docker.io/library/node:*", labels: {} },
      { ...container, labels: { agent: "*" } },
      { ...container, labels: { role: "agent=1" } },
      { ...container, labels: { a: "b", c: "" } },
    ],
    [],
  ]);
});

test("doors are named, or written as the kernel compares them, each once", () => {
  const text = 'sockets: { allow: [docker, "/run/docker.sock", "/run/foo/*", "@name", "@name/*"] }\n';
  assert.deepEqual(readSettings(text, FILE).sockets.allow, [
    "/run/docker.sock",
    "/var/run/docker.sock",
    "/run/foo/*",
    "@name",
    "@name/*",
  ]);
});

test("a door in a folder that everybody may write is refused: a link there would open every socket", () => {
  for (const path of ["/tmp/x.sock", "/tmp/ssh-*", "/var/tmp/a/b.sock", "/dev/shm/x"]) {
    const error = settingsError(`sockets: { allow: ["${path}"] }\n`);
    assert.match(error.message, /sockets\.allow\[0\] lies in .*where an agent can put a link/, path);
  }
});

test("every named door stands for paths that may be written out as well", () => {
  const help = settingsError("sockets: { allow: [nothing-like-it] }\n").message;
  const names = /known: (.*)/.exec(help)?.[1]?.split(", ") ?? [];
  for (const wanted of "docker podman containerd crio libvirt systemd dbus journal syslog nscd resolved postgres mysql redis x11".split(
    " ",
  )) {
    assert.ok(names.includes(wanted), wanted);
  }
  const { allow } = readSettings(`sockets: { allow: [${names.join(", ")}] }\n`, FILE).sockets;
  assert.deepEqual(readSettings(`sockets: { allow: ${JSON.stringify(allow)} }\n`, FILE).sockets.allow, allow);
});

test("nameservers are addresses, with port 53 unless told", () => {
  const read = (text: string) => readSettings(`names: { servers: ["${text}"] }\n`, FILE).names.servers[0];
  assert.deepEqual(read("10.0.0.53"), { address: "10.0.0.53", port: 53 });
  assert.deepEqual(read("10.0.0.53:5353"), { address: "10.0.0.53", port: 5353 });
  assert.deepEqual(read("2001:db8::53"), { address: "2001:db8::53", port: 53 });
  assert.deepEqual(read("[2001:db8::53]:5353"), { address: "2001:db8::53", port: 5353 });
});

test("egress without transport is TCP where it allows, and both where it denies", () => {
  const text =
    'egress: { allow: ["a.b:1", "*.A.b.:*/udp", "10.0.0.9:2/tcp"], deny: ["x.a.b:*", "10.0.0.0/8:3/udp"] }\n';
  const { allow, deny } = readSettings(text, FILE).egress;
  assert.deepEqual(allow, [
    { kind: "name", host: "a.b", port: 1, protocol: "tcp" },
    { kind: "wildcard", suffix: "a.b", port: 0, protocol: "udp" },
    { kind: "network", address: "10.0.0.9", family: 4, prefix: 32, port: 2, protocol: "tcp" },
  ]);
  assert.deepEqual(deny, [
    { kind: "name", host: "x.a.b", port: 0, protocol: "tcp" },
    { kind: "name", host: "x.a.b", port: 0, protocol: "udp" },
    { kind: "network", address: "10.0.0.0", family: 4, prefix: 8, port: 3, protocol: "udp" },
  ]);
});

test("an issuer has what its settings say, and safe values for the rest", () => {
  const least = issuer("name: a, issuer: 'https://a/b', audience: c");
  const [short] = readSettings(least, FILE).identity.issuers;
  assert.deepEqual(short, {
    issuer: {
      ...{ name: "a", url: "https://a/b", audience: "c", algorithms: ["RS256", "ES256", "PS256", "EdDSA"] },
      ...{ until: "cgroup", agents: undefined, clockSkewMs: 60_000, forMs: 43_200_000, groups: undefined, claims: [] },
      match: record([]),
    },
  });
  const most = issuer(
    "name: a, issuer: 'https://a', audience: c, algorithms: [Ed25519], clockSkew: 0s, until: token, for: 1h30m, " +
      "groups: { claim: roles, names: { 'our team': [sre] } }, claims: [sub], match: { sub: 'x:*' }, agents: [ci], ca: ca.pem",
  );
  const [long] = readSettings(most, FILE).identity.issuers;
  assert.deepEqual(long, {
    issuer: {
      ...{ name: "a", url: "https://a", audience: "c", algorithms: ["Ed25519"], until: "token", agents: ["ci"] },
      ...{ clockSkewMs: 0, forMs: 5_400_000, groups: { claim: "roles", names: record([["our team", ["sre"]]]) } },
      ...{ claims: ["sub"], match: record([["sub", "x:*"]]) },
    },
    caFile: "/etc/sallyport/ca.pem",
  });
  const [plain] = readSettings(issuer("name: a, issuer: 'https://a', audience: c, groups: g"), FILE).identity.issuers;
  assert.deepEqual(plain?.issuer.groups, { claim: "g" });
});

test("an identity provider has what its settings say, and safe values for the rest", () => {
  const { issuers, saml } = readSettings(
    provider("name: a, entityId: b, audience: c, certificates: [d.pem]"),
    FILE,
  ).identity;
  const [short] = saml;
  assert.deepEqual(issuers, []);
  assert.deepEqual(short, {
    provider: {
      ...{ name: "a", url: "b", audience: "c", recipient: undefined, certificates: [], until: "cgroup" },
      ...{ agents: undefined, clockSkewMs: 60_000, forMs: 43_200_000, groups: undefined },
      ...{ claims: record([]), match: record([]) },
    },
    certificateFiles: ["/etc/sallyport/d.pem"],
  });
  const most = provider(
    "name: a, entityId: 'urn:b', audience: 'urn:c', certificates: [d.pem, /e.pem], recipient: 'https://f', clockSkew: 5m, " +
      "until: token, for: 1s, groups: { attribute: 'urn:oid:1', names: { 'our team': [sre] } }, " +
      "claims: { team: 'http://g/h i' }, match: { NameID: '*@j' }, agents: [ci]",
  );
  const [long] = readSettings(most, FILE).identity.saml;
  assert.deepEqual(long, {
    provider: {
      ...{ name: "a", url: "urn:b", audience: "urn:c", recipient: "https://f", certificates: [], until: "token" },
      ...{ agents: ["ci"], clockSkewMs: 300_000, forMs: 1_000 },
      groups: { claim: "urn:oid:1", names: record([["our team", ["sre"]]]) },
      ...{ claims: record([["team", "http://g/h i"]]), match: record([["NameID", "*@j"]]) },
    },
    certificateFiles: ["/etc/sallyport/d.pem", "/e.pem"],
  });
  const [plain] = readSettings(provider("name: a, entityId: b, audience: c, certificates: [d], groups: 'urn:g'"), FILE)
    .identity.saml;
  assert.deepEqual(plain?.provider.groups, { claim: "urn:g" });
});

test("the schema for editors is the one that settings are checked by", () => {
  const file = join(import.meta.dirname, "..", "..", "docs", "settings.schema.json");
  const written = JSON.parse(readFileSync(file, "utf8"));
  assert.deepEqual(written, JSON.parse(JSON.stringify(settingsSchema)), `write it anew: ${file}`);
});

test("two connections may not have the same address, however it is spelled", () => {
  const two = `${orders({ addresses: '["[2001:DB8::0:1]:5432"]' })}${orders({ name: "b", addresses: '["[2001:db8::1]:5432"]' }).replace("connections:\n", "")}`;
  const error = settingsError(two);
  assert.match(error.message, /connections\[1\]\.addresses has an address that connections\[0\] has too/);
});

test("two connections may not have the same name", () => {
  const two = `${orders()}${orders({ addresses: '["b:5432"]' }).replace("connections:\n", "")}`;
  assert.deepEqual(
    settingsError(two).problems.map(({ key, line }) => [key, line]),
    [["connections[1].name", 6]],
  );
});

test("every problem of a file is told at once, in the order of its lines", () => {
  const { problems } = settingsError("policies: 3\nagents: 3\negress: 3\n");
  assert.deepEqual(
    problems.map(({ line }) => line),
    [1, 2, 3],
  );
});

test("no more problems are told than fit a screen, and the rest is counted", () => {
  const text = Array.from({ length: SETTINGS_PROBLEMS_MAX + 5 }, (_, index) => `zz${index}: 1`).join("\n");
  const error = settingsError(text);
  assert.equal(error.problems.length, SETTINGS_PROBLEMS_MAX);
  assert.match(error.message, /and 5 more/);
});

test("settings above the size limit are refused before they are parsed", () => {
  const error = settingsError(`# ${"x".repeat(SETTINGS_BYTES_MAX)}`);
  assert.match(error.message, /larger than/);
});

test("a bomb of aliases is refused", () => {
  const levels = Array.from({ length: 9 }, (_, n) => `a${n + 1}: &a${n + 1} [${Array(9).fill(`*a${n}`).join(",")}]`);
  assert.equal(settingsError(`a0: &a0 [x]\n${levels.join("\n")}\n`).code, "SETTINGS_INVALID");
});

const misplacedSecrets = [
  orders({ credential: "{ user: a, password: hunter2 }" }),
  orders({ credential: "{ user: a, password: { hunter2 } }" }),
  orders({ credential: "{ user: a, password: { file: [hunter2] } }" }),
  orders({ credential: "{ user: a, password: *hunter2 }" }),
  orders({ credential: "{ user: a, password: !hunter2 x }" }),
  orders({ credential: "{ user: a, password: @hunter2 }" }),
  orders({ credential: '{ user: a, password: "\\hunter2" }' }),
  orders({ credential: "{ user: a, password: { env: hunter2-x } }" }),
  orders({ tls: "{ mode: hunter2 }" }),
  orders({ addresses: "[hunter2]" }),
];
for (const [index, text] of misplacedSecrets.entries()) {
  test(`a secret in the wrong place is never shown in the error (${index + 1})`, () => {
    const error = settingsError(text);
    assert.doesNotMatch(`${error.message}${error.remedy}${error.stack}${JSON.stringify(error.problems)}`, /hunter2/);
  });
}

test("good settings become plain values with defaults", () => {
  const text = `
agents:
  - name: ci
    groups: [ci, nightly]
    claims: { team: payments }
connections:
  - name: orders
    protocol: postgres
    addresses: ["Orders.DB.internal.:5432", "192.0.2.7:5432", "[2001:DB8::0:1]:6432"]
    credential: { user: orders_app, password: { file: secrets/orders } }
    tls: { mode: verify-full, name: Orders.db.internal, ca: roots.pem }
    labels: { environment: prod }
    data:
      public.customers: { labels: [], columns: { ssn: [pii], card: [pii, payment] } }
egress:
  allow: ["10.20.0.0/16:*", "*:443"]
  deny: ["[2001:db8::/32]:443"]
policies: policies
recording:
  output: { rows: 100, bytes: 64 KiB }
  outputs: [{ label: "environment=prod", rows: 0 }]
interception: { port: 6000, relay: off, cgroupRoot: /sys/fs/cgroup }
`;
  const settings = readSettings(text, FILE, PROTOCOLS);
  assert.deepEqual(JSON.parse(JSON.stringify(settings)), {
    file: FILE,
    agents: [{ name: "ci", groups: ["ci", "nightly"], claims: { team: "payments" }, match: [] }],
    connections: [
      {
        connection: {
          name: "orders",
          protocol: "postgres",
          addresses: [
            { kind: "name", host: "orders.db.internal", port: 5432 },
            { kind: "network", address: "192.0.2.7", family: 4, prefix: 32, port: 5432 },
            { kind: "network", address: "2001:db8::1", family: 6, prefix: 128, port: 6432 },
          ],
          labels: { environment: "prod" },
          tls: { mode: "verify-full", name: "orders.db.internal" },
          data: { "public.customers": { labels: [], columns: { ssn: ["pii"], card: ["pii", "payment"] } } },
        },
        caFile: "/etc/sallyport/roots.pem",
        credential: { user: "orders_app", password: { kind: "file", path: "/etc/sallyport/secrets/orders" } },
      },
    ],
    grantedElsewhere: [],
    egress: {
      allow: [
        { kind: "network", address: "10.20.0.0", family: 4, prefix: 16, port: 0, protocol: "tcp" },
        { kind: "any", port: 443, protocol: "tcp" },
      ],
      deny: ["tcp", "udp"].map((protocol) => {
        return { kind: "network", address: "2001:db8::", family: 6, prefix: 32, port: 443, protocol };
      }),
    },
    identity: { issuers: [], saml: [] },
    humans: { logins: [], roles: {}, people: [] },
    names: { servers: [] },
    metrics: {},
    notify: { targets: [] },
    sockets: { allow: [] },
    recording: {
      ...{ durability: "write", whenFull: "deny", seal: false, retention: [] },
      output: { rows: 100, bytes: 65_536 },
      outputs: [{ of: { label: ["environment", "prod"] } }],
    },
    policies: "/etc/sallyport/policies",
    events: { decisions: "refused", outbox: { bytesMax: 1_073_741_824, whenFull: "drop-oldest" }, sinks: [] },
    interception: { port: 6000, relay: "off", cgroupRoot: "/sys/fs/cgroup" },
  });
});

const empty = [
  ["an empty text", ""],
  ["only a comment", "# nothing\n"],
  ["an empty mapping", "{}\n"],
] as const;
for (const [name, text] of empty) {
  test(`${name} gives the defaults`, () => {
    assert.deepEqual(readSettings(text, FILE, PROTOCOLS), {
      file: FILE,
      agents: [],
      connections: [],
      egress: { allow: [], deny: [] },
      grants: undefined,
      grantedElsewhere: [],
      identity: { issuers: [], saml: [] },
      humans: { logins: [], roles: {}, people: [] },
      names: { servers: [] },
      api: undefined,
      metrics: { listen: undefined },
      notify: { listen: undefined, targets: [] },
      recording: { durability: "write", whenFull: "deny", seal: false, retention: [], output: undefined, outputs: [] },
      sockets: { allow: [] },
      events: { decisions: "refused", outbox: { bytesMax: 1_073_741_824, whenFull: "drop-oldest" }, sinks: [] },
      interception: { port: 61_917, relay: "auto" },
    });
  });
}

const good: readonly (readonly [string, string])[] = [
  ["a protocol without login needs no credential", orders({ protocol: "opaque", credential: "" })],
  [
    "a network is fine with verify-full and a name",
    orders({ addresses: '["10.0.0.0/8:5"]', tls: "{ name: db.internal }" }),
  ],
  [
    "a network is fine where no login is given",
    orders({ protocol: "opaque", credential: "", addresses: '["10.0.0.0/8:5"]' }),
  ],
  ["one host may go without TLS", orders({ addresses: '["127.0.0.1:5432"]', tls: "{ mode: disable }" })],
  ["a /32 is one host", orders({ addresses: '["10.0.0.1/32:5"]', tls: "{ mode: require }" })],
  ["a password may come from a variable", orders({ credential: "{ user: a, password: { env: PW } }" })],
  ["a password may come from systemd", orders({ credential: "{ user: a, password: { systemd: pw } }" })],
  ["a login may need no password", orders({ credential: "{ user: a }" })],
  [
    "blocks may be shared by anchors",
    `${orders({ tls: "&t { name: a }" })}${orders({ name: "b", addresses: '["b:5"]', tls: "*t" }).replace("connections:\n", "")}`,
  ],
];
for (const [name, text] of good)
  test(name, () => assert.ok(readSettings(text, FILE, PROTOCOLS).connections.length > 0));

test("verify-full is the default", () => {
  assert.equal(readSettings(orders(), FILE).connections[0]?.connection.tls.mode, "verify-full");
});

test("a column called like a property of every object has no labels of its own", () => {
  const text = orders({ data: "{ public.c: { columns: { ssn: [pii] } } }" });
  const columns = readSettings(text, FILE).connections[0]?.connection.data["public.c"]?.columns ?? {};
  assert.equal(columns["constructor"], undefined);
  assert.deepEqual(columns["ssn"], ["pii"]);
});

const added = { name: "orders", protocol: "postgres", addresses: ["db:5432"] };
const PEM = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";

test("an added connection needs no credential and keeps its roots as text", () => {
  const read = readAddedConnection({ ...added, tls: { ca: PEM } }, "connection orders", PROTOCOLS);
  assert.equal(read.connection.tls.ca, PEM);
  assert.equal(read.caFile, undefined);
  assert.equal(read.credential, undefined);
});

const badAdded = [
  ["a path as its roots", { ...added, tls: { ca: "/etc/ca.pem" } }],
  ["a credential", { ...added, credential: { user: "a" } }],
  ["a network without tls.name", { ...added, addresses: ["10.0.0.0/8:5432"] }],
  ["an unknown protocol", { ...added, protocol: "nosql" }],
  ["a wildcard without tls.name", { ...added, addresses: ["*.db.internal:5432"] }],
  ["no addresses", { ...added, addresses: [] }],
] as const;
for (const [name, value] of badAdded) {
  test(`an added connection is refused with ${name}`, () =>
    assert.throws(() => readAddedConnection(value, "connection orders", PROTOCOLS), { code: "SETTINGS_INVALID" }));
}

const spellings = [
  ["DB.Internal:1", "db.internal:1"],
  ["192.0.2.1:65535", "192.0.2.1:65535"],
  ["192.0.2.1/32:1", "192.0.2.1:1"],
  ["0.0.0.0/0:1", "0.0.0.0/0:1"],
  ["[2001:0db8:0:0:0:0:0:1]:1", "[2001:db8::1]:1"],
  ["[2001:db8::/32]:1", "[2001:db8::/32]:1"],
  ["[::]:1", "[::]:1"],
  ["[::/0]:*", "[::/0]:*"],
  ["*:*", "*:*"],
  ["*.Db.Internal:1", "*.db.internal:1"],
] as const;
for (const [text, spelled] of spellings) {
  test(`the address ${text} is spelled ${spelled}, and that reads the same again`, () => {
    const address = parseAddress(text, "or-any");
    assert.equal(formatAddress(address), spelled);
    assert.deepEqual(parseAddress(spelled, "or-any"), address);
  });
}

test("a network of one host is one host, a wider one is not", () => {
  assert.equal(isOneHost(parseAddress("10.0.0.1/32:1", "numbers")), true);
  assert.equal(isOneHost(parseAddress("10.0.0.0/31:1", "numbers")), false);
  assert.equal(isOneHost(parseAddress("[2001:db8::/127]:1", "numbers")), false);
  assert.equal(isOneHost(parseAddress("*:1", "numbers")), false);
});

test("the API is served over TLS on loopback unless another address is named, by files beside the settings", () => {
  const read = (more: string) => readSettings(`api: { certificate: c.pem, key: { file: k.pem }${more} }\n`, FILE).api;
  const files = { certificate: "/etc/sallyport/c.pem", key: { file: "/etc/sallyport/k.pem" } };
  const closed = { signIn: [], takesAnswers: false };
  assert.deepEqual(read(""), { ...files, ...closed, address: "127.0.0.1", port: 8443, names: [] });
  const named = { ...files, ...closed, address: "::", port: 443, names: ["a.internal"] };
  assert.deepEqual(read(', listen: "[::]:443", names: [a.internal]'), named);
});

test("the API at every address needs a name by which clients call it, but where answers alone come in", () => {
  const api = (more: string) => `api: { certificate: c.pem, key: { file: k.pem }${more} }\n`;
  for (const listen of ["0.0.0.0:8443", "[::]:8443"]) {
    assert.match(settingsError(api(`, listen: "${listen}"`)).message, /\bapi lacks "names"/);
    assert.equal(readSettings(api(`, listen: "${listen}", names: ["192.0.2.5"]`), FILE).api?.port, 8443);
    assert.doesNotMatch(settingsError(api(`, listen: "${listen}", answers: true`)).message, /lacks "names"/);
  }
});

test("metrics are served at one address, in either family", () => {
  const read = (text: string) => readSettings(`metrics: { listen: "${text}" }\n`, FILE).metrics.listen;
  assert.deepEqual(read("127.0.0.1:9464"), { address: "127.0.0.1", port: 9464 });
  assert.deepEqual(read("[::1]:9464"), { address: "::1", port: 9464 });
});
