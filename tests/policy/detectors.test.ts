/** Which detectors a policy asks about: those that conditions of its reveal rules name. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { loadPolicy } from "../../src/policy/load.ts";

const rows: readonly (readonly [when: string | undefined, detectors: readonly string[], more?: string])[] = [
  ["\"detector in ['payment-card', 'us-ssn']\"", ["payment-card", "us-ssn"]],
  ["\"detector == 'email' && agent.name == 'nobody'\"", ["email", "nobody"]],
  ["\"detector != ''\"", ["*"]],
  ["\"'pii' in column.labels\"", []],
  [undefined, []],
  ["\"detector == 'email'\"", [], "shadow: true"],
];
for (const [when, detectors, more = ""] of rows) {
  test(`a rule with ${when ?? "no condition"}${more === "" ? "" : " in shadow"} names ${detectors.join(", ") || "none"}`, () => {
    const text = `
rules:
  - name: hide
    on: reveal
    ${when === undefined ? "" : `when: ${when}`}
    ${more}
    mask: { style: redact }
`;
    const policy = loadPolicy([{ name: "a.yaml", text }], [], {
      labels: [],
      detectors: ["payment-card", "us-ssn", "email"],
      connections: [],
    });
    assert.deepEqual(policy.detectors, detectors);
  });
}
