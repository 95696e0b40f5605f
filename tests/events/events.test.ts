/** Every event reaches every sink, whatever is killed. In full, with 100,000 events and ten kills: `npm run sinks`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { faultsOf, trial } from "./trial.ts";

test("rsyslog, a collector, a webhook and a file have all of 5,000 events after three kills of each, and of the emitter", async (t) => {
  const report = await trial({ events: 5_000, kills: 3, rate: 1_000 });
  t.diagnostic(
    JSON.stringify(report.sinks.map(({ name, received, twice, rejected }) => ({ name, received, twice, rejected }))),
  );
  assert.deepEqual(faultsOf(report), []);
  assert.ok(report.events >= 5_000);
  assert.deepEqual([report.sinks.length, report.emitterKills], [4, 1]);
  for (const { status } of report.sinks) assert.equal(status?.behind.events, 0);
});

test("control: where a sink is not given all, the trial says which events it lacks", async () => {
  const report = await trial({ events: 300, kills: 0, rate: 3_000, kinds: ["action.*"], drainMs: 200 });
  assert.deepEqual(
    faultsOf(report),
    ["otlp", "webhook", "syslog", "file"].map((name) => `${name} lacks 200 events, the first is 2`),
  );
});

test("control: without sending again, syslog loses what its receiver's kernel had taken and the receiver had not read", async () => {
  const report = await trial({ events: 1_500, kills: 2, rate: 1_000, resendBytes: 1, drainMs: 500 });
  const lacking = report.sinks.filter(({ missing }) => missing.length > 0).map(({ name }) => name);
  assert.deepEqual(lacking, ["syslog"]);
});
