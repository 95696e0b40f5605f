/** A daemon that gives no sign of life in time: what it would have to answer fails at once. */
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { allowed, kernelTest, registered, Stand } from "./kit.ts";

kernelTest("redirects are refused after silence, and go on with the next sign", async (t) => {
  const stand = new Stand(t, { destinations: [registered("192.0.2.10", 5432), allowed("127.0.0.9", 9)] });
  const steps = 'dials("192.0.2.10", 5432)\nsends("192.0.2.53", 53)\ndials("127.0.0.9", 9)';
  const answers = async () => (await stand.agentRuns(steps)).map((one) => ("value" in one ? one.value : one.errno));
  const ALIVE = ["192.0.2.10 5432 1", 1, "ECONNREFUSED"];
  assert.deepEqual(await answers(), ALIVE); // never a sign: no check
  stand.interceptor.pulse(1);
  await pause(5); // the deadline itself is what is tested
  assert.deepEqual(await answers(), ["EPERM", "EPERM", "ECONNREFUSED"]); // what is only allowed needs no daemon
  await stand.event({ kind: "deny", reason: "daemon-silent", protocol: 6 });
  stand.interceptor.pulse(60_000);
  assert.deepEqual(await answers(), ALIVE);
  stand.interceptor.pulse(1);
  stand.interceptor.pulse(0);
  await pause(5);
  assert.deepEqual(await answers(), ALIVE); // 0: for ever
});
