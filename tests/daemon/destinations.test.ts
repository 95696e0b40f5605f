/** What agents must not reach of the daemon's own: wherever it listens, at every address that leads there. */
import assert from "node:assert/strict";
import { networkInterfaces } from "node:os";
import { test } from "node:test";
import { deniedFor } from "../../src/daemon/metrics.ts";

const addresses = (address: string) =>
  deniedFor({ address, port: 8443 }).map((rule) => (rule.kind === "network" ? `${rule.address}/${rule.prefix}` : ""));

test("what listens at one address is denied at that one", () => {
  assert.deepEqual(addresses("127.0.0.1"), ["127.0.0.1/32"]);
  assert.deepEqual(addresses("::1"), ["::1/128"]);
  assert.deepEqual(deniedFor(undefined), []);
});

for (const any of ["0.0.0.0", "::"]) {
  test(`what listens at ${any} is denied at every address of the host, and at all of loopback`, () => {
    const denied = addresses(any);
    assert.ok(denied.includes("127.0.0.0/8"));
    for (const { address, family } of Object.values(networkInterfaces()).flatMap((all) => all ?? [])) {
      assert.ok(denied.includes(`${address}/${family === "IPv4" ? 32 : 128}`), address);
    }
  });
}
