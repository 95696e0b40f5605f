/** Each broken policy, as a person meets it: one clear error with its place and exit 1; a daemon keeps what it has. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { loadConfiguration } from "../../src/daemon/configuration.ts";
import { checkPolicyFiles } from "../../src/daemon/policy-check.ts";
import { PolicyError } from "../../src/policy/problem.ts";
import { BROKEN_POLICIES } from "../kit/broken-policies.ts";
import { commandLine } from "../kit/command-line.ts";
import { subjectOf } from "../kit/policy.ts";
import { folder } from "../store/folder.ts";

/** Those that do not need an action of the tests' own catalogue. */
const ROWS = BROKEN_POLICIES.filter(({ text }) => !/\bexec\b/.test(text));

function written(t: TestContext, text: string) {
  const base = folder(t);
  mkdirSync(join(base, "rules"));
  writeFileSync(join(base, "sallyport.yaml"), "policies: rules\n");
  const file = join(base, "rules", "a.yaml");
  writeFileSync(file, text);
  return { settings: join(base, "sallyport.yaml"), file };
}

test("there are at least forty of them", () => assert.ok(ROWS.length >= 40, String(ROWS.length)));

for (const { name, text, at, says } of ROWS) {
  test(`policy check ends with 1 and one error for ${name}`, async (t) => {
    const { settings, file } = written(t, text);
    const { code, out } = await commandLine(["policy", "check", file, "--config", settings], { checkPolicyFiles });
    const [told = "", last, ...more] = out.trimEnd().split("\n");
    assert.deepEqual([code, last, more], [1, "failed: 1 problem", []]);
    assert.ok(told.startsWith(`${file}:${at}`), told);
    assert.match(told, says);
  });
}

test("whatever is wrong with the new files, what was loaded before still decides", (t) => {
  const { settings, file } = written(t, "rules: [{ name: reach, on: connect, allow: {} }]");
  const asked = [{ operation: { actions: [{ name: "connect", facts: { database: "", user: "" } }] }, text: "" }];
  let inForce = loadConfiguration(settings, []);
  const { version } = inForce.policy;
  for (const { name, text } of ROWS) {
    writeFileSync(file, text);
    assert.throws(
      () => {
        inForce = loadConfiguration(settings, []);
      },
      PolicyError,
      name,
    );
    const decision = inForce.policy.judge(subjectOf()).decide(1, asked, new Uint8Array());
    assert.deepEqual([decision.kind, decision.policy], ["allow", version]);
  }
});
