/** The kernel's refusals on their way to the audit trail: an agent that makes thousands leaves room for others. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { KernelEvent } from "ebpf-loader";
import { REFUSALS_TOLD_MS, REFUSALS_TOLD_PER_AGENT_MAX } from "../../src/base/limits.ts";
import { isRefusal, Refusals } from "../../src/daemon/kernel-events.ts";

test("of one agent so many refusals are told one by one, then their number, and of others each", () => {
  let nowMs = 0;
  const refusals = new Refusals({ nowMs: () => nowMs });
  const judge = (count: number, agent: string) => Array.from({ length: count }, () => refusals.judge(agent));
  assert.equal(judge(REFUSALS_TOLD_PER_AGENT_MAX + 7, "ci").filter(Boolean).length, REFUSALS_TOLD_PER_AGENT_MAX);
  assert.deepEqual(judge(2, ""), [true, true]);
  assert.deepEqual(refusals.expire(), []);
  nowMs = REFUSALS_TOLD_MS;
  assert.deepEqual(
    refusals.expire().map(({ kind, agent, fields }) => [kind, agent, fields]),
    [["refusals.untold", "ci", { untold: 7 }]],
  );
  assert.deepEqual([refusals.expire(), refusals.judge("ci")], [[], true]);
});

for (const { kind, reason, observed, told } of [
  { kind: "unix", reason: "door", observed: false, told: false },
  { kind: "unix", reason: "no-door", observed: false, told: true },
  { kind: "unix", reason: "no-door", observed: true, told: true },
  { kind: "socket", reason: "socket-option", observed: false, told: true },
  { kind: "backstop", reason: "turned", observed: false, told: true },
  { kind: "redirect", reason: "registered", observed: false, told: false },
  { kind: "allow", reason: "unlisted", observed: true, told: true },
] as const) {
  test(`"${kind}" with "${reason}"${observed ? ", observed," : ""} is ${told ? "" : "not "}told as a refusal`, () => {
    assert.equal(isRefusal({ kind, reason, observed } as KernelEvent), told);
  });
}
