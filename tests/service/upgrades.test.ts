/**
 * The daemon is replaced while an agent works: restarts drain, what a held listener can save is saved, the agent lives on.
 * `npm run upgrades` does ten; its last output is in docs/upgrades.md.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { type ServiceWorld, startServiceWorld } from "./world.ts";

const UPGRADES = Number(process.env["SALLYPORT_UPGRADES"] ?? 2);

let world: ServiceWorld;
before(async () => {
  world = await startServiceWorld();
});
after(() => world.stop());

test(`${UPGRADES} upgrades under load: no connect is refused, no operation is cut, and sessions are drained`, async (t) => {
  const load = await world.load("agent");
  const pids = new Set<number>();
  for (let upgrade = 0; upgrade < UPGRADES; upgrade++) {
    await wait(300 + Math.random() * 700); // the random instant is the test
    await world.host.must("systemctl", "restart", "sallyport.service");
    pids.add((await world.status()).pid ?? 0);
  }
  await wait(500);
  const report = await load.report();
  t.diagnostic(`${UPGRADES} upgrades: ${JSON.stringify(report)}`);
  assert.equal(pids.size, UPGRADES, "each was another process");
  assert.deepEqual({ refused: report.refused, cut: report.cut }, { refused: {}, cut: {} });
  assert.ok(report.done > UPGRADES * 20, `the load was real: ${report.done}`);
  const ends = await world.host.must(
    "sh",
    "-c",
    "cat /var/lib/sallyport/events/*.jsonl | grep -c 'the daemon is going down' || true",
  );
  assert.ok(Number(ends) > 0, "sessions were drained");
});

test("the process of the agent is the same before and after, and so is its cgroup", async () => {
  const load = await world.load("agent", "echo");
  const look = () =>
    world.host.must(
      "sh",
      "-c",
      "systemctl list-units --plain --no-legend 'run-*.scope' 'sallyport*.scope' '*.scope' | awk '{print $1}'; pgrep -f '[i]nside/load.ts'",
    );
  const before = await look();
  await world.host.must("systemctl", "restart", "sallyport.service");
  assert.equal(await look(), before);
  const { done, refused } = await load.report();
  assert.ok(done > 0);
  assert.deepEqual(refused, {});
});

test("listeners inside another network namespace are held as well", async () => {
  const { host } = world;
  for (const line of [
    "ip netns add apart",
    "ip link add to-apart type veth peer name eth0 netns apart",
    "ip address add 10.98.0.1/24 dev to-apart",
    "ip link set to-apart up",
    "ip -n apart link set lo up",
    "ip -n apart address add 10.98.0.2/24 dev eth0",
    "ip -n apart link set eth0 up",
    "ip -n apart route add default via 10.98.0.1",
  ]) {
    await host.must(...line.split(" "));
  }
  const held = async () => (await world.status()).held;
  const before = await held();
  const unit = await world.unit("apart.service", "apart");
  await world.sallyport("tag", "--as", "ci", "--unit", "apart.service");
  const more = await host.until("more listeners", async () => {
    const now = await held();
    return now > before && now;
  });
  const load = await unit.begin();
  await wait(300);
  await host.must("systemctl", "restart", "sallyport.service");
  await wait(300);
  assert.equal(await held(), more);
  const { done, refused, cut } = await load.report();
  assert.ok(done > 0);
  assert.deepEqual({ refused, cut }, { refused: {}, cut: {} });
  await host.until("them to be given up", async () => (await held()) === before);
});
