import assert from "node:assert/strict";
import { test } from "node:test";
import { mintPermit, Permit, redeemPermit } from "../../src/model/permit.ts";

const BYTES = Uint8Array.of(1, 2, 3);

test("a permit gives back the very bytes that were asked for", () => {
  assert.equal(redeemPermit(mintPermit("s1", 7, BYTES), "s1", 7), BYTES);
});

const worthless: readonly { name: string; permit: () => unknown; session?: string; ask?: number }[] = [
  { name: "an empty object that was cast", permit: () => ({}) },
  { name: "an object that has the class as its prototype", permit: () => Object.create(Permit.prototype) },
  { name: "one that was made, not minted", permit: () => new (Permit as unknown as new () => Permit)() },
  { name: "a copy of a minted one", permit: () => ({ ...mintPermit("s1", 7, BYTES) }) },
  { name: "a proxy of a minted one", permit: () => new Proxy(mintPermit("s1", 7, BYTES), {}) },
  { name: "one of another session", permit: () => mintPermit("s1", 7, BYTES), session: "s2" },
  { name: "one of another ask", permit: () => mintPermit("s1", 7, BYTES), ask: 8 },
];
for (const { name, permit, session = "s1", ask = 7 } of worthless) {
  test(`redeeming ${name} throws`, () => {
    assert.throws(() => redeemPermit(permit() as Permit, session, ask), /Cannot redeem a permit/);
  });
}

test("a permit is redeemed once", () => {
  const permit = mintPermit("s1", 7, BYTES);
  redeemPermit(permit, "s1", 7);
  assert.throws(() => redeemPermit(permit, "s1", 7), /already used/);
});

test("a permit that somebody else tried to redeem is still good for its owner", () => {
  const permit = mintPermit("s1", 7, BYTES);
  assert.throws(() => redeemPermit(permit, "s2", 7));
  assert.equal(redeemPermit(permit, "s1", 7), BYTES);
});
