import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { RESOLVED_KEPT_MS } from "../../src/base/limits.ts";
import { connectionNumber, createResolver, hostNameservers, planDestinations } from "../../src/kernel/destinations.ts";
import type { Address, EgressRule } from "../../src/model/address.ts";
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
const NOTHING = { connections: [], allow: [], deny: [] };

async function rowsOf(address: Address) {
  const plan = { ...NOTHING, connections: [{ name: "orders", addresses: [address] }] };
  const { explicit, resolved, unresolved } = await planDestinations(plan, resolve);
  const rows = explicit.map(({ address: at, prefix, port }) => `${at}/${prefix}:${port}`);
  return { rows, resolved: resolved.map(({ name: of, address: at }) => `${of} ${at}`), unresolved };
}

test("a name becomes its addresses and no row: rows of names are made with those of answers", async () => {
  const expected = { rows: [], resolved: ["db.example 192.0.2.1", "db.example 2001:db8::1"], unresolved: [] };
  assert.deepEqual(await rowsOf(name("db.example")), expected);
});

test("a wildcard is not resolved: it has no address before somebody asks", async () => {
  const wildcard = { kind: "wildcard", suffix: "db.example", port: 5432 } as const;
  assert.deepEqual(await rowsOf(wildcard), { rows: [], resolved: [], unresolved: [] });
});

test("a name that stands in several places is resolved once", async () => {
  const asked: string[] = [];
  const rule: EgressRule = { kind: "name", host: "db.example", port: 443, protocol: "tcp" };
  const plan = { connections: [{ name: "a", addresses: [name("db.example")] }], allow: [rule], deny: [rule] };
  await planDestinations(plan, async (host) => {
    asked.push(host);
    return resolve(host);
  });
  assert.deepEqual(asked, ["db.example"]);
});

for (const host of ["gone.example", "empty.example"]) {
  test(`${host} does not resolve: it gives no row and is reported`, async () => {
    assert.deepEqual(await rowsOf(name(host)), { rows: [], resolved: [], unresolved: [host] });
  });
}

test("a network is taken as it is", async () => {
  const { rows } = await rowsOf({ kind: "network", address: "10.0.0.0", family: 4, prefix: 8, port: 0 });
  assert.deepEqual(rows, ["10.0.0.0/8:0"]);
});

test("any address means both families", async () => {
  assert.deepEqual((await rowsOf({ kind: "any", port: 443 })).rows, ["0.0.0.0/0:443", "::/0:443"]);
});

test("connections are intercepted under their number, egress is allowed or denied over its own transport", async () => {
  const host = (address: string): Address => ({ kind: "network", address, family: 4, prefix: 32, port: 80 });
  const { explicit } = await planDestinations(
    {
      connections: [{ name: "orders", addresses: [host("192.0.2.1")] }],
      allow: [{ ...host("192.0.2.2"), protocol: "udp" }],
      deny: [{ ...host("192.0.2.3"), protocol: "tcp" }],
    },
    resolve,
  );
  const row = { prefix: 32, port: 80, connection: 0, reason: "egress-rule" };
  const connection = connectionNumber("orders");
  assert.deepEqual(explicit, [
    { ...row, address: "192.0.2.1", protocol: "tcp", action: "intercept", reason: "registered", connection },
    { ...row, address: "192.0.2.2", protocol: "udp", action: "allow" },
    { ...row, address: "192.0.2.3", protocol: "tcp", action: "deny" },
  ]);
});

test("one name that does not resolve keeps no other from its addresses", async () => {
  const plan = { ...NOTHING, connections: [{ name: "a", addresses: [name("gone.example"), name("db.example")] }] };
  const { resolved, unresolved } = await planDestinations(plan, resolve);
  assert.deepEqual([resolved.length, unresolved], [2, ["gone.example"]]);
});

test("an address with a zone becomes one that the kernel can compare", async () => {
  const plan = { ...NOTHING, connections: [{ name: "a", addresses: [name("db.example")] }] };
  const { resolved } = await planDestinations(plan, async () => ["fe80::1%eth0"]);
  assert.deepEqual(resolved, [{ name: "db.example", address: "fe80::1" }]);
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
  const { resolved } = await planDestinations({ ...NOTHING, connections }, async () => ["192.0.2.8"]);
  assert.equal(resolved.length, 1);
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
