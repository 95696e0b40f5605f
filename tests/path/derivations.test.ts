import assert from "node:assert/strict";
import { pbkdf2Sync } from "node:crypto";
import { mock, test } from "node:test";
import { DERIVED_KEPT_MAX, DERIVED_KEPT_MS } from "../../src/base/limits.ts";
import { deriveKey } from "../../src/path/derivations.ts";

const [password, salt] = [Buffer.from("pencil"), Buffer.from("salt")];
const open = new AbortController().signal;

test("a derived key is PBKDF2's", async () => {
  const key = await deriveKey("orders", { password, salt, iterations: 4_096 }, open);
  assert.deepEqual(Buffer.from(key), pbkdf2Sync(password, salt, 4_096, 32, "sha256"));
});

test("many dear derivations of one connection let another connection's be done before theirs are", async () => {
  const order: string[] = [];
  const dear = Array.from({ length: 8 }, async (_, at) => {
    await deriveKey("dear", { password, salt: Buffer.from(`salt ${at}`), iterations: 200_000 }, open);
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

/** Long enough that a derivation is told from a memory of one, which takes no turn of the loop. */
const DEAR = 300_000;

/** Whether it was known. */
async function isKnown(connection: string, derivation: Parameters<typeof deriveKey>[1]): Promise<boolean> {
  let turned = false;
  setImmediate(() => {
    turned = true;
  });
  await deriveKey(connection, derivation, open);
  return !turned;
}

test("the same derivation of the same connection is not done twice, and what a caller wipes is its own", async () => {
  const dear = { password: Buffer.from("twice"), salt, iterations: DEAR };
  assert.equal(await isKnown("orders", dear), false, "control");
  const one = await deriveKey("orders", dear, open);
  one.fill(0);
  const other = await deriveKey("orders", dear, open);
  assert.deepEqual(Buffer.from(other), pbkdf2Sync("twice", salt, DEAR, 32, "sha256"));
  assert.equal(await isKnown("orders", dear), true);
});

test("another password, salt, count or connection is another key", async () => {
  const dear = { password: Buffer.from("other"), salt, iterations: DEAR };
  await deriveKey("orders", dear, open);
  const others = [
    { ...dear, password: Buffer.from("othes") },
    { ...dear, salt: Buffer.from("malt") },
    { ...dear, iterations: DEAR + 1 },
    { ...dear, password: Buffer.from("othe"), salt: Buffer.from("rsalt") },
  ];
  for (const derivation of others) assert.equal(await isKnown("orders", derivation), false);
  assert.equal(await isKnown("billing", dear), false);
  assert.equal(await isKnown("orders", dear), true);
});

test("keys are forgotten after a minute, and the oldest where there are too many", async (t) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  t.after(() => mock.timers.reset());
  const dear = { password: Buffer.from("aging"), salt, iterations: DEAR };
  await deriveKey("orders", dear, open);
  assert.equal(await isKnown("orders", dear), true);
  mock.timers.tick(DERIVED_KEPT_MS);
  assert.equal(await isKnown("orders", dear), false);
  for (let at = 0; at < DERIVED_KEPT_MAX; at++) await deriveKey(`c${at}`, { password, salt, iterations: 1 }, open);
  assert.equal(await isKnown("orders", dear), false);
});
