import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { RESOLVED_KEPT_MS } from "../../src/base/limits.ts";
import { connectionNumber, createResolver, hostNameservers, planDestinations } from "../../src/kernel/destinations.ts";
import type { Address } from "../../src/model/address.ts";
import { folder } from "../store/folder.ts";

const NAMES: Readonly<Record<string, readonly string[]>> = {
  "db.example": ["192.0.2.1", "2001:db8::1"],
  "empty.example": [],
};

async function resolve(name: string): Promise<readonly string[]> {
  const found = NAMES[name];
  if (found === undefined) throw Object.assign(new Error("not found"), { code: "ENOTFOUND" });
  return found;
}

const name = (host: string): Address => ({ kind: "name", host, port: 5432 });
const NOTHING = { connections: [], allow: [], deny: [], nameservers: [] };

async function rowsOf(address: Address) {
  const plan = { ...NOTHING, connections: [{ name: "orders", addresses: [address] }] };
  const { destinations, unresolved } = await planDestinations(plan, resolve);
  return { rows: destinations.map(({ address: at, prefix, port }) => `${at}/${prefix}:${port}`), unresolved };
}

test("a name becomes one row for each address that it resolves to, at full width", async () => {
  const expected = { rows: ["192.0.2.1/32:5432", "2001:db8::1/128:5432"], unresolved: [] };
  assert.deepEqual(await rowsOf(name("db.example")), expected);
});

for (const host of ["gone.example", "empty.example"]) {
  test(`${host} does not resolve: it gives no row and is reported`, async () => {
    assert.deepEqual(await rowsOf(name(host)), { rows: [], unresolved: [host] });
  });
}

test("a network is taken as it is", async () => {
  const { rows } = await rowsOf({ kind: "network", address: "10.0.0.0", family: 4, prefix: 8, port: 0 });
  assert.deepEqual(rows, ["10.0.0.0/8:0"]);
});

test("any address means both families", async () => {
  assert.deepEqual((await rowsOf({ kind: "any", port: 443 })).rows, ["0.0.0.0/0:443", "::/0:443"]);
});

test("connections are intercepted under their number, egress is allowed or denied, DNS goes to the nameservers", async () => {
  const host = (address: string): Address => ({ kind: "network", address, family: 4, prefix: 32, port: 80 });
  const { destinations } = await planDestinations(
    {
      connections: [{ name: "orders", addresses: [host("192.0.2.1")] }],
      allow: [host("192.0.2.2")],
      deny: [host("192.0.2.3")],
      nameservers: ["192.0.2.53", "2001:db8::53"],
    },
    resolve,
  );
  assert.deepEqual(
    destinations.map(({ address, protocol, action, reason, connection }) => ({
      address,
      protocol,
      action,
      reason,
      connection,
    })),
    [
      {
        address: "192.0.2.1",
        protocol: "tcp",
        action: "intercept",
        reason: "registered",
        connection: connectionNumber("orders"),
      },
      { address: "192.0.2.2", protocol: "tcp", action: "allow", reason: "egress-rule", connection: 0 },
      { address: "192.0.2.3", protocol: "tcp", action: "deny", reason: "egress-rule", connection: 0 },
      { address: "192.0.2.53", protocol: "udp", action: "allow", reason: "nameserver", connection: 0 },
      { address: "2001:db8::53", protocol: "udp", action: "allow", reason: "nameserver", connection: 0 },
    ],
  );
  assert.deepEqual(
    destinations.filter(({ reason }) => reason === "nameserver").map(({ port, prefix }) => [port, prefix]),
    [
      [53, 32],
      [53, 128],
    ],
  );
});

test("one name that does not resolve keeps no other from its rows", async () => {
  const plan = { ...NOTHING, connections: [{ name: "a", addresses: [name("gone.example"), name("db.example")] }] };
  const { destinations, unresolved } = await planDestinations(plan, resolve);
  assert.deepEqual([destinations.length, unresolved], [2, ["gone.example"]]);
});

test("a nameserver with a zone becomes a row that the kernel can compare", async () => {
  const { destinations } = await planDestinations({ ...NOTHING, nameservers: ["fe80::1%eth0"] }, resolve);
  assert.deepEqual(
    destinations.map(({ address, prefix }) => [address, prefix]),
    [["fe80::1", 128]],
  );
});

test("a connection's number is that of its name in every process", () => {
  assert.equal(connectionNumber("orders"), 422_529_911);
});

test("numbers of a thousand names are distinct and fit the kernel's field", () => {
  const numbers = new Set<number>();
  for (let index = 0; index < 1_000; index++) {
    const number = connectionNumber(`connection-${index}`);
    assert.ok(Number.isInteger(number) && number > 0 && number < 2 ** 31);
    numbers.add(number);
  }
  assert.equal(numbers.size, 1_000);
});

const files = [
  {
    name: "comments and other keywords",
    text: "# a\n; b\nsearch x\noptions edns0\nnameserver 192.0.2.1\n",
    found: ["192.0.2.1"],
  },
  { name: "tabs and trailing words", text: "nameserver\t2001:db8::1  # x\n", found: ["2001:db8::1"] },
  { name: "what is no address", text: "nameserver dns.example\nnameserver\nnameserver 999.1.1.1\n", found: [] },
  { name: "a keyword that only begins like it", text: "nameservers 192.0.2.1\n", found: [] },
  { name: "a line that is not at its beginning", text: "x nameserver 192.0.2.1\n", found: [] },
  { name: "nothing", text: "", found: [] },
  {
    name: "five nameservers, of which three count",
    text: [1, 2, 3, 4, 5].map((last) => `nameserver 192.0.2.${last}\n`).join(""),
    found: ["192.0.2.1", "192.0.2.2", "192.0.2.3"],
  },
] as const;
for (const { name: what, text, found } of files) {
  test(`hostNameservers reads a file with ${what}`, (t) => {
    const file = join(folder(t), "resolv.conf");
    writeFileSync(file, text);
    assert.deepEqual(hostNameservers(file), found);
  });
}

test("no resolv.conf, no nameserver", (t) => {
  assert.deepEqual(hostNameservers(join(folder(t), "gone")), []);
});

test("two connections that mean the same address are refused, however they write it", async () => {
  const connections = [
    { name: "a", addresses: [{ kind: "name", host: "db.internal", port: 5432 }] },
    { name: "b", addresses: [{ kind: "network", address: "192.0.2.7", family: 4, prefix: 32, port: 5432 }] },
  ] as const;
  const both = planDestinations({ ...NOTHING, connections }, async () => ["192.0.2.7"]);
  await assert.rejects(both, { code: "CONNECTION_ADDRESSES" });
  const { destinations } = await planDestinations({ ...NOTHING, connections }, async () => ["192.0.2.8"]);
  assert.equal(destinations.length, 2);
});

test("a resolver that fails gives its last answer for a while, and then nothing", async () => {
  let nowMs = 0;
  let fails = false;
  const resolve = createResolver({ nowMs: () => nowMs }, async () => {
    if (fails) throw new Error("EAI_AGAIN");
    return ["192.0.2.7"];
  });
  assert.deepEqual(await resolve("db.internal"), ["192.0.2.7"]);
  fails = true;
  nowMs = RESOLVED_KEPT_MS - 1;
  assert.deepEqual(await resolve("db.internal"), ["192.0.2.7"]);
  nowMs = RESOLVED_KEPT_MS;
  await assert.rejects(resolve("db.internal"));
  await assert.rejects(resolve("other.internal"));
});
