import assert from "node:assert/strict";
import { pbkdf2Sync } from "node:crypto";
import { test } from "node:test";
import { deriveKey } from "../../src/path/derivations.ts";

const [password, salt] = [Buffer.from("pencil"), Buffer.from("salt")];
const open = new AbortController().signal;

test("a derived key is PBKDF2's", async () => {
  const key = await deriveKey("orders", { password, salt, iterations: 4_096 }, open);
  assert.deepEqual(Buffer.from(key), pbkdf2Sync(password, salt, 4_096, 32, "sha256"));
});

test("many dear derivations of one connection let another connection's be done before theirs are", async () => {
  const order: string[] = [];
  const dear = Array.from({ length: 8 }, async () => {
    await deriveKey("dear", { password, salt, iterations: 200_000 }, open);
    order.push("dear");
  });
  await deriveKey("cheap", { password, salt, iterations: 1 }, open);
  order.push("cheap");
  await Promise.all(dear);
  assert.ok(order.indexOf("cheap") <= 1, order.join(" "));
});

test("a derivation whose login is over is not done", async () => {
  await assert.rejects(deriveKey("orders", { password, salt, iterations: 1 }, AbortSignal.abort()), {
    name: "AbortError",
  });
});
