/** Decisions and answers of a session towards limits and shadow rules: who is told, and when the session is stopped. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Decision } from "../../src/model/decision.ts";
import { mintPermit } from "../../src/model/permit.ts";
import { Accounting } from "../../src/path/accounting.ts";
import { Ledger } from "../../src/policy/ledger.ts";

const LIMITS = [{ terms: { rule: "few", rows: 10, perMs: 60_000 }, operations: 1, isShadow: false }];

function world(isObserved = false) {
  const told: string[] = [];
  const ledger = new Ledger({ nowMs: () => 1_700_000_000_000 });
  const accounting = new Accounting({
    ...{ ledger, agent: "ci", connection: "orders" },
    emitShadow: ({ rule, would }, decision) => told.push(`${decision} ${rule} ${would}`),
    isObserved: () => isObserved,
    stop: (reason) => told.push(`stop ${reason}`),
  });
  return { accounting, ledger, told };
}

function allow(id: number, more: object = {}): Decision {
  return {
    kind: "allow",
    permit: mintPermit("s", id, new Uint8Array()),
    rules: [],
    policy: "p",
    limits: LIMITS,
    ...more,
  };
}

test("a streaming answer that passes its limit stops the session once its rows say so", () => {
  const { accounting, told } = world();
  accounting.decided(1, allow(1));
  accounting.progress(1, 10, 100);
  assert.deepEqual(told, []);
  accounting.progress(1, 11, 110);
  assert.deepEqual(told, ["stop The limit of rule few (10 rows in 60 s) is passed"]);
});

test("an answer that has ended stops nothing; what comes next finds no room", () => {
  const { accounting, told } = world();
  accounting.decided(1, allow(1));
  accounting.answered(1, 11, 110);
  assert.deepEqual(told, []);
  assert.match(accounting.usage.refusal(LIMITS[0]?.terms ?? assert.fail(), 1) ?? "", /is reached/);
});

test("an observed agent's answer is counted and not cut", () => {
  const { accounting, told } = world(true);
  accounting.decided(1, allow(1));
  accounting.progress(1, 11, 110);
  assert.deepEqual(told, []);
  assert.match(accounting.usage.refusal(LIMITS[0]?.terms ?? assert.fail(), 1) ?? "", /is reached/);
});

test("what was denied or waits counts towards nothing", () => {
  const { accounting } = world();
  accounting.decided(1, { kind: "deny", rules: [], message: "", policy: "p" });
  accounting.answered(1, 100, 100);
  assert.equal(accounting.usage.refusal(LIMITS[0]?.terms ?? assert.fail(), 1), undefined);
});

test("each rule in shadow that would change a decision is told and counted", () => {
  const { accounting, ledger, told } = world();
  const shadow = [
    { rule: "a", would: "deny" },
    { rule: "b", would: "hold" },
  ] as const;
  accounting.decided(1, allow(1, { shadow }));
  accounting.decided(2, { kind: "deny", rules: [], message: "", policy: "p", shadow: [{ rule: "a", would: "allow" }] });
  assert.deepEqual(told, ["allow a deny", "allow b hold", "deny a allow"]);
  assert.deepEqual(ledger.shadowOf("a"), { deny: 1, allow: 1 });
  assert.deepEqual([ledger.shadowOf("b"), ledger.shadowOf("c")], [{ hold: 1 }, {}]);
  ledger.keepShadows(new Set(["b"]));
  assert.deepEqual(ledger.shadowOf("a"), {});
});
