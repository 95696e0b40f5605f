/** `sallyport notify`: who is told of held actions, and whether they hear. */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { type TestContext, test } from "node:test";
import { runCommandLine } from "../../src/control/cli/program.ts";
import type { ControlPorts } from "../../src/control/ports.ts";
import { fakeDaemon, TARGETS } from "./fake-daemon.ts";

async function sallyport(t: TestContext, args: readonly string[], overrides: Partial<ControlPorts> = {}) {
  const daemon = await fakeDaemon(t, () => overrides);
  let [out, err] = ["", ""];
  const code = await runCommandLine({
    ...{ argv: ["--run", daemon.runDir, ...args], env: {}, stdin: Readable.from([]) },
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    loadDaemon: () => Promise.reject(new Error("Cannot be loaded here")),
  });
  return { code, out, err, calls: daemon.calls };
}

test("notify shows how far each target has come, and its last error", async (t) => {
  const { code, out } = await sallyport(t, ["notify"]);
  assert.equal(code, 0);
  assert.match(out, /^ops +slack +failing +yes +2 +7 +3 +1$/m);
  assert.match(out, /^ops: 2026-01-01 .* it answered with status 500$/m);
});

test("notify --json gives all that is known", async (t) => {
  assert.deepEqual(JSON.parse((await sallyport(t, ["--json", "notify"])).out), TARGETS);
});

test("notify says where to name targets when there is none", async (t) => {
  const notify = { list: async () => [], test: async () => ({ ok: true, detail: "" }) };
  assert.match((await sallyport(t, ["notify"], { notify })).out, /nobody is told: name targets under `notify`/);
});

test("notify test says whether a message was taken, and ends with 1 where it was not", async (t) => {
  const taken = await sallyport(t, ["notify", "test", "ops"]);
  assert.deepEqual([taken.code, taken.out], [0, "ops has taken a test message\n"]);
  assert.deepEqual(taken.calls, [["notify.test", "ops"]]);
  const not = await sallyport(t, ["notify", "test", "dev"]);
  assert.deepEqual([not.code, not.out], [1, "dev did not take it: it answered with status 404\\u{1b}[2J\n"]);
  const told = await sallyport(t, ["--json", "notify", "test", "ops"]);
  assert.deepEqual(JSON.parse(told.out), { name: "ops", ok: true, detail: "taken" });
});
