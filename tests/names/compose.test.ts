/** Rows for the kernel: what the settings say by address keeps its word, whatever a name leads to. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Destination } from "ebpf-loader";
import fc from "fast-check";
import { readSettings } from "../../src/config.ts";
import { planDestinations } from "../../src/kernel/destinations.ts";
import { ExplicitRows, joinRows, rowsFor } from "../../src/names/compose.ts";
import { canonical, covers, ipOf, isNeverLearned } from "../../src/names/ip.ts";
import { compileNameRules } from "../../src/names/rules.ts";

async function made(egress: string, address: string, source: "host" | "answer" = "answer") {
  const { egress: rules } = readSettings(`egress: ${egress}\n`, "/x/settings.yaml");
  const { explicit: list } = await planDestinations({ connections: [], ...rules }, async () => []);
  const explicit = new ExplicitRows(list);
  const effects = compileNameRules({ connections: [], ...rules, search: [] }).effectsOf("a.b");
  return rowsFor({ name: "a.b", address, source }, effects, explicit).map(
    ({ action, port, protocol, prefix }) => `${action} ${port}/${protocol} /${prefix}`,
  );
}

// what holds, egress, address, rows
const rows: readonly (readonly [string, string, string, readonly string[]])[] = [
  ["an address becomes a row of full width", '{ allow: ["a.b:1"] }', "192.0.2.1", ["allow 1/tcp /32"]],
  ["so does one of IPv6", '{ allow: ["a.b:1"] }', "2001:db8::1", ["allow 1/tcp /128"]],
  ["a denied network keeps its word", '{ allow: ["a.b:1"], deny: ["10.0.0.0/8:*"] }', "10.1.2.3", []],
  ["a denied port of a network keeps its word", '{ allow: ["a.b:1"], deny: ["10.0.0.0/8:1"] }', "10.1.2.3", []],
  [
    "another denied port changes nothing",
    '{ allow: ["a.b:1"], deny: ["10.0.0.0/8:2"] }',
    "10.1.2.3",
    ["allow 1/tcp /32"],
  ],
  [
    "a denied port is kept out of an allowed every",
    '{ allow: ["a.b:*"], deny: ["10.0.0.0/8:22/tcp"] }',
    "10.1.2.3",
    ["allow 0/tcp /32", "deny 22/tcp /32"],
  ],
  [
    "a narrower allow within a denied network stands",
    '{ allow: ["a.b:1", "10.1.0.0/16:1"], deny: ["10.0.0.0/8:*"] }',
    "10.1.2.3",
    ["allow 1/tcp /32"],
  ],
  ["a denied host keeps its word", '{ allow: ["a.b:1"], deny: ["192.0.2.1:1"] }', "192.0.2.1", []],
  ["a denied every address names none", '{ allow: ["a.b:1"], deny: ["*:*"] }', "192.0.2.1", ["allow 1/tcp /32"]],
  ["loopback is not taken from outside", '{ allow: ["a.b:1"] }', "127.0.0.1", []],
  ["loopback is, where it is listed", '{ allow: ["a.b:1", "127.0.0.1:1"] }', "127.0.0.1", []],
];
for (const [name, egress, address, expected] of rows) {
  test(name, async () => assert.deepEqual(await made(egress, address), expected));
}

test("what this host's own files say may be loopback", async () => {
  assert.deepEqual(await made('{ allow: ["a.b:1"] }', "127.0.0.1", "host"), ["allow 1/tcp /32"]);
});

const never = [
  "0.0.0.0",
  "127.0.0.1",
  "127.9.9.9",
  "169.254.169.254",
  "100.100.100.200",
  "224.0.0.1",
  "255.255.255.255",
];
const never6 = [
  "::",
  "::1",
  "::127.0.0.1",
  "::ffff:127.0.0.1",
  "::ffff:169.254.169.254",
  "fe80::1",
  "ff02::1",
  "fd00:ec2::254",
  "64:ff9b::7f00:1",
  "2002:7f00:1::",
];
for (const address of [...never, ...never6, "not an address"]) {
  test(`no answer may bring ${address}`, () => assert.ok(isNeverLearned(address)));
}
for (const address of [
  "192.0.2.1",
  "10.0.0.1",
  "172.16.0.1",
  "2001:db8::1",
  "fd00::1",
  "126.255.255.255",
  "169.253.0.1",
]) {
  test(`an answer may bring ${address}`, () => assert.ok(!isNeverLearned(address)));
}

test("a v4-mapped address is its IPv4", () => {
  assert.deepEqual(ipOf("::ffff:192.0.2.1"), ipOf("192.0.2.1"));
  assert.equal(canonical("::ffff:192.0.2.1"), "192.0.2.1");
  assert.equal(canonical("2001:DB8:0::1"), "2001:db8::1");
});

test("of two rows with one key the one that the kernel would choose stays", () => {
  const row: Destination = {
    address: "192.0.2.1",
    prefix: 32,
    port: 1,
    protocol: "tcp",
    action: "allow",
    reason: "egress-rule",
    connection: 0,
  };
  const all = [row, { ...row, action: "intercept" as const, connection: 7 }, { ...row, action: "deny" as const }];
  for (const order of [all, all.toReversed()]) {
    assert.deepEqual(
      joinRows(order).map(({ action }) => action),
      ["intercept"],
    );
  }
});

/** The kernel's choice, spelled out apart from the code under test. */
function kernel(table: readonly Destination[], address: string, port: number): Destination["action"] {
  const ip = ipOf(address);
  const weight = (row: Destination) =>
    row.action === "intercept" ? (row.port === 0 ? 1 : 3) : row.action === "deny" ? 2 : 0;
  const [best] = table
    .filter((row) => {
      const network = ipOf(row.address);
      return (
        ip !== undefined && network !== undefined && covers(network, row.prefix, ip) && [0, port].includes(row.port)
      );
    })
    .sort((a, b) => b.prefix - a.prefix || weight(b) - weight(a));
  return best?.action ?? "deny";
}

test("whatever is learned, no port of an address that the settings close by a network is opened", () => {
  const port = fc.constantFrom(0, 1, 2);
  const network = fc.record({
    prefix: fc.constantFrom(8, 16, 24, 32),
    port,
    action: fc.constantFrom("allow" as const, "deny" as const, "intercept" as const),
  });
  const cases = fc.tuple(fc.array(network, { maxLength: 6 }), fc.array(port, { minLength: 1, maxLength: 3 }));
  fc.assert(
    fc.property(cases, ([networks, ports]) => {
      const settings = networks.map(({ prefix, port: at, action }): Destination => {
        const address =
          prefix === 8 ? "10.0.0.0" : prefix === 16 ? "10.1.0.0" : prefix === 24 ? "10.1.2.0" : "10.1.2.3";
        const intercept = action === "intercept" && at !== 0; // connections have ports
        return {
          address,
          prefix,
          port: at,
          protocol: "tcp",
          action: action === "intercept" && !intercept ? "deny" : action,
          reason: "egress-rule",
          connection: intercept ? 7 : 0,
        };
      });
      const table = joinRows(settings);
      const explicit = new ExplicitRows(table);
      const effects = ports.map(
        (at) => ({ action: "allow", port: at, protocol: "tcp", connection: 0, reason: "egress-rule" }) as const,
      );
      const learned = rowsFor({ name: "a.b", address: "10.1.2.3", source: "answer" }, effects, explicit);
      const after = joinRows([...table, ...learned]);
      for (const at of [1, 2, 3]) {
        const before = kernel(table, "10.1.2.3", at);
        const listed = table.some((row) => [0, at].includes(row.port)); // by the settings, in whatever way
        if (before === "intercept" || (before === "deny" && listed))
          assert.equal(kernel(after, "10.1.2.3", at), before);
        if (before === "allow") assert.equal(kernel(after, "10.1.2.3", at), "allow");
        if (before === "deny" && !listed) {
          const meant = ports.some((one) => one === 0 || one === at);
          assert.equal(kernel(after, "10.1.2.3", at), meant ? "allow" : "deny");
        }
      }
    }),
    { numRuns: 500 },
  );
});
