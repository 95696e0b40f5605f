/** Which names may be asked for: rows of settings and a name, and what the kernel would do at its addresses. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readSettings } from "../../src/config.ts";
import { connectionNumber } from "../../src/kernel/destinations.ts";
import { compileNameRules } from "../../src/names/rules.ts";

function effects(egress: string, name: string, connections = "[]", search: readonly string[] = []): readonly string[] {
  const settings = readSettings(`connections: ${connections}\negress: ${egress}\n`, "/x/settings.yaml");
  const list = settings.connections.map(({ connection }) => connection);
  const rules = compileNameRules({ connections: list, ...settings.egress, search });
  return rules.effectsOf(name).map(({ action, port, protocol, connection }) => {
    const who = list.find((one) => connectionNumber(one.name) === connection)?.name;
    return `${action} ${port}/${protocol}${who === undefined ? "" : ` ${who}`}`;
  });
}

// what holds, egress, name, effects
const rows: readonly (readonly [string, string, string, readonly string[]])[] = [
  ["a name that no rule has is refused", '{ allow: ["a.b:1"] }', "x.b", []],
  ["a name that is listed is allowed at its port", '{ allow: ["a.b:1"] }', "a.b", ["allow 1/tcp"]],
  ["what lies below a listed name is refused", '{ allow: ["a.b:1"] }', "x.a.b", []],
  ["what ends alike is refused", '{ allow: ["*.a.b:1"] }', "xa.b", []],
  ["a wildcard allows what lies below", '{ allow: ["*.a.b:1"] }', "x.a.b", ["allow 1/tcp"]],
  ["a wildcard allows at any depth", '{ allow: ["*.a.b:1"] }', "z.y.x.a.b", ["allow 1/tcp"]],
  ["a wildcard does not allow its own suffix", '{ allow: ["*.a.b:1"] }', "a.b", []],
  ["the transport is that of the rule", '{ allow: ["a.b:1/udp"] }', "a.b", ["allow 1/udp"]],
  ["a longer deny wins", '{ allow: ["*.b:1"], deny: ["*.a.b:1"] }', "x.a.b", []],
  ["a longer allow wins", '{ allow: ["*.a.b:1"], deny: ["*.b:*"] }', "x.a.b", ["allow 1/tcp"]],
  ["a whole name is longer than every wildcard", '{ allow: ["x.a.b:1"], deny: ["*.a.b:*"] }', "x.a.b", ["allow 1/tcp"]],
  ["deny wins on equal", '{ allow: ["a.b:1"], deny: ["a.b:*"] }', "a.b", []],
  ["a deny of another port changes nothing", '{ allow: ["a.b:1"], deny: ["a.b:2"] }', "a.b", ["allow 1/tcp"]],
  ["a deny of another transport changes nothing", '{ allow: ["a.b:1"], deny: ["a.b:1/udp"] }', "a.b", ["allow 1/tcp"]],
  [
    "a denied port is taken out of an allowed every",
    '{ allow: ["a.b:*"], deny: ["a.b:2/tcp"] }',
    "a.b",
    ["allow 0/tcp", "deny 2/tcp"],
  ],
  [
    "a longer allow of the port stands in the hole of a shorter deny",
    '{ allow: ["*.b:*", "a.b:2"], deny: ["*.b:2/tcp"] }',
    "a.b",
    ["allow 2/tcp", "allow 0/tcp"],
  ],
];
for (const [name, egress, asked, expected] of rows) {
  test(name, () => assert.deepEqual(effects(egress, asked), expected));
}

const connection = (name: string, address: string) => `{ name: ${name}, protocol: opaque, addresses: ["${address}"] }`;

test("a connection's name is intercepted at its port, whatever egress denies", () => {
  const orders = `[${connection("orders", "db.b:5432")}]`;
  assert.deepEqual(effects('{ deny: ["*.b:*"] }', "db.b", orders), ["intercept 5432/tcp orders"]);
});

test("of two connections with wildcards the longer one has the name", () => {
  const two = `[${connection("wide", "*.b:5432")}, ${connection("narrow", "*.a.b:5432")}]`;
  assert.deepEqual(effects("{}", "x.a.b", two), ["intercept 5432/tcp narrow"]);
  assert.deepEqual(effects("{}", "x.c.b", two), ["intercept 5432/tcp wide"]);
});

test("a name without a dot holds behind the host's search domains, one with a dot does not", () => {
  const both = '{ allow: ["db:1", "x.y:1"] }';
  assert.deepEqual(effects(both, "db.corp.internal", "[]", ["corp.internal"]), ["allow 1/tcp"]);
  assert.deepEqual(effects(both, "db", "[]", ["corp.internal"]), ["allow 1/tcp"]);
  assert.deepEqual(effects(both, "db.other.internal", "[]", ["corp.internal"]), []);
  assert.deepEqual(effects(both, "x.y.corp.internal", "[]", ["corp.internal"]), []);
});
