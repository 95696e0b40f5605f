/** Which addresses are one network's. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { networkOf } from "../../src/base/network.ts";

const networks: readonly (readonly [string, string])[] = [
  ["192.0.2.7", "192.0.2.7"],
  ["::ffff:192.0.2.7", "192.0.2.7"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2"],
  ["2001:db8:1:2::6", "2001:db8:1:2"],
  ["2001:db8::6", "2001:db8:0:0"],
  ["::1", "0:0:0:0"],
  ["fe80::1%eth0", "fe80:0:0:0"],
  ["", ""],
];
for (const [address, network] of networks) {
  test(`${address || "no address"} counts as ${network || "one"}`, () => assert.equal(networkOf(address), network));
}
