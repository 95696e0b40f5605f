/**
 * The daemon dies or hangs while an agent works: no packet of the agent's own reaches the backend, what connects waits for
 * the next daemon. Seen by tcpdump at the backend. `npm run upgrades` does ten, and five of the slow kind; its
 * last output is in docs/upgrades.md.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { AGENT_ADDRESS, DAEMON_ADDRESS, type ServiceWorld, startServiceWorld } from "./world.ts";

const STOPS = Number(process.env["SALLYPORT_STOPS"] ?? 2);
/** Longer than WatchdogSec= and a start together. */
const RECOVERY_WAIT_MS = 40_000;

let world: ServiceWorld;
before(async () => {
  world = await startServiceWorld();
});
after(() => world.stop());

/** Counts what arrives at the backend, by source address, until it is asked. */
async function capture() {
  // of the daemon's packets, one for each connection is enough
  const which = `tcp and (src host ${AGENT_ADDRESS} or (src host ${DAEMON_ADDRESS} and tcp[tcpflags] & tcp-syn != 0))`;
  const options = ["-Z", "root", "-i", "eth0", "-n", "-l", "-q", "-B", "16384", "--immediate-mode"];
  const tcpdump = world.host.watches("backend", ["tcpdump", ...options, which]);
  let [text, errors] = ["", ""];
  tcpdump.stdout?.on("data", (bytes) => (text += String(bytes)));
  await new Promise<void>((resolve, reject) => {
    tcpdump.stderr?.on("data", (bytes) => {
      errors += String(bytes);
      if (/listening on/.test(errors)) resolve();
    });
    tcpdump.once("exit", () => reject(new Error(`tcpdump ended: ${errors}`)));
  });
  return async () => {
    const ended = once(tcpdump, "exit");
    tcpdump.kill("SIGINT");
    await ended;
    const from = (address: string) => text.split("\n").filter((line) => line.includes(`IP ${address}.`)).length;
    const dropped = Number(/(\d+) packets dropped by kernel/.exec(errors)?.[1]);
    return { agent: from(AGENT_ADDRESS), daemon: from(DAEMON_ADDRESS), dropped };
  };
}

test("control: without the guard, the same load reaches the backend by itself", async () => {
  const packets = await capture();
  const load = await world.load("nobody", "echo");
  await wait(500);
  const { done } = await load.report();
  const seen = await packets();
  assert.ok(done > 0 && seen.agent > done, JSON.stringify(seen));
});

for (const [signal, what] of [
  ["SIGKILL", "kill -9"],
  ["SIGSTOP", "SIGSTOP, noticed by the watchdog,"],
] as const) {
  // a watchdog takes ten seconds to notice: fewer of these
  const rounds = signal === "SIGKILL" ? STOPS : Math.max(1, Math.ceil(STOPS / 2));
  test(`${rounds} times ${what} under load: no packet but the daemon's, no connect refused, and a new daemon each time`, async (t) => {
    const packets = await capture();
    const load = await world.load("agent");
    const { restarts: before } = await world.status();
    for (let round = 0; round < rounds; round++) {
      await wait(500 + Math.random() * 1_000); // the random instant is the test
      const { pid = 0 } = await world.status();
      await world.host.must("kill", `-${signal.slice(3)}`, String(pid));
      await world.host.until(
        "another daemon",
        async () => {
          const now = await world.status();
          return now.active === "active" && now.pid !== pid && now.held >= 2;
        },
        RECOVERY_WAIT_MS,
      );
    }
    await wait(500);
    const report = await load.report();
    const seen = await packets();
    t.diagnostic(`${rounds} times ${what} ${JSON.stringify({ ...report, packets: seen })}`);
    assert.deepEqual(report.refused, {});
    assert.equal(seen.agent, 0, "no packet of the agent's own");
    assert.ok(seen.daemon > 0 && report.done > 0);
    assert.equal(seen.dropped, 0, "tcpdump missed none");
    assert.equal((await world.status()).restarts - before, rounds);
  });
}
