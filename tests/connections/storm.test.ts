/** A short storm: every connection arrives with its own origin, and nothing is left behind. In full: `npm run connections`. */
import assert from "node:assert/strict";
import { kernelTest } from "../native/kit.ts";
import { faultsOf, storm } from "./storm.ts";

kernelTest(
  "20,000 connections from two namespaces with equal, reused source ports have the right origins",
  async (t) => {
    const report = await storm(t, { connections: 20_000, hasty: 5 });
    assert.deepEqual(faultsOf(report), []);
    assert.equal(report.right, 20_000);
  },
);

kernelTest(
  "a connection that was reset in the queue keeps its own origin when the next one has its source port",
  async (t) => {
    const report = await storm(t, { connections: 8_000, hasty: 1, ports: 1, stallMs: 20 });
    assert.deepEqual(faultsOf(report), []);
  },
);

kernelTest("control: where origins are not published, every connection counts as lost", async (t) => {
  const report = await storm(t, { connections: 400, without: ["sockops"] });
  assert.deepEqual([report.right, report.lost], [0, 400]);
  assert.notDeepEqual(faultsOf(report), []);
});
