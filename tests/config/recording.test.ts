/** Whose rows recordings keep: nobody's unless the settings say so, and of several entries the first that fits. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SettingsError } from "../../src/config/problems.ts";
import { outputOf } from "../../src/config/recording.ts";
import { readSettings } from "../../src/config.ts";

const recording = (yaml: string) => readSettings(`recording:\n  ${yaml}\n`, "/etc/s.yaml").recording;
const orders = { name: "orders", labels: { environment: "prod", "a/b": "x=y" } };

const rows: readonly (readonly [yaml: string, caps: object | undefined])[] = [
  ["output: { rows: 5 }", { rows: 5, bytes: 262_144 }],
  ["output: { bytes: 2 MiB }", { rows: 1_000, bytes: 2_097_152 }],
  ["output: { bytes: 64KiB, rows: 3 }", { rows: 3, bytes: 65_536 }],
  ["output: { bytes: 7, rows: 0 }", undefined],
  ["outputs: [{ connection: other, rows: 1 }]", undefined],
  ["outputs: [{ connection: orders, rows: 1, bytes: 9 }, { label: environment=prod, rows: 2 }]", { rows: 1, bytes: 9 }],
  ['outputs: [{ label: "a/b=x=y", rows: 2, bytes: 9 }]', { rows: 2, bytes: 9 }],
  ["{ output: { rows: 5 }, outputs: [{ label: environment=prod, rows: 0 }] }", undefined],
];
for (const [yaml, caps] of rows) {
  test(`${yaml} keeps ${JSON.stringify(caps) ?? "nothing"} of orders`, () => {
    assert.deepEqual(outputOf(recording(yaml), orders), caps);
  });
}

const bad: readonly (readonly [yaml: string, message: RegExp])[] = [
  ["output: {}", /must say rows, bytes or both/],
  ["output: { rows: -1 }", /rows/],
  ["output: { rows: 1000000 }", /rows/],
  ["output: { bytes: 17 MiB }", /a size up to 16 MiB/],
  ["output: { bytes: 20000000 }", /at most 16777216/],
  ["output: { bytes: many }", /a size up to 16 MiB/],
  ["outputs: [{ rows: 1 }]", /must name one of connection and label/],
  ["outputs: [{ connection: a, label: b=c, rows: 1 }]", /must name one of connection and label/],
  ["retention: [{ keepDays: 30 }, { labels: { a: b }, keepDays: 400 }]", /never counts: entry 1 comes first/],
  ["retention: [{ labels: { a: b }, keepDays: 3 }, { labels: { a: b, c: d }, keepDays: 4 }]", /never counts: entry 1/],
  ["outputs: [{ label: nothing, rows: 1 }]", /key=value/],
];
for (const [yaml, message] of bad) {
  test(`${yaml} is refused`, () => {
    assert.throws(
      () => recording(yaml),
      (error: unknown) => error instanceof SettingsError && message.test(error.message),
    );
  });
}

test("rules of retention that go from the special to the general all count", () => {
  const { retention } = recording(
    "retention: [{ labels: { a: b, c: d }, keepDays: 4 }, { labels: { a: b }, keepDays: 3 }, { keepDays: 2 }]",
  );
  assert.equal(retention.length, 3);
});
