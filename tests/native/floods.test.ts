/** Too many of everything, and things that vanish meanwhile: clear errors, nothing leaked. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, readdirSync, rmdirSync } from "node:fs";
import { bindIn, type Destination, destroySockets, listenIn } from "ebpf-loader";
import { kernelTest, makeCgroup, registered, Stand, undo } from "./kit.ts";

const TAGS_MAX = 8192;
const openFiles = () => readdirSync("/proc/self/fd").length;

kernelTest("10,000 tags: the map's limit is told, and nothing is left of what did not fit", (t) => {
  const stand = new Stand(t);
  const names = Array.from({ length: 10_000 }, (_, index) => `${stand.cgroup}/${index}`);
  for (const name of names) mkdirSync(name);
  undo(t, () => {
    for (const name of names) rmdirSync(name);
  });
  const files = openFiles();
  const fits = names.slice(0, TAGS_MAX - 1); // the stand has tagged one
  const times = fits.map((name) => {
    const started = performance.now();
    stand.interceptor.tag(name, 1);
    return performance.now() - started;
  });
  for (const name of names.slice(TAGS_MAX - 1))
    assert.throws(() => stand.interceptor.tag(name, 1), { code: "MAP_FULL", feature: "map tags" });
  assert.equal(stand.interceptor.tags().length, TAGS_MAX);
  assert.equal(readdirSync(`${stand.pinDir}/egress`).length, TAGS_MAX);
  const median = (some: number[]) => some.toSorted((a, b) => a - b)[some.length >> 1] as number;
  const [early, late] = [median(times.slice(0, 1000)), median(times.slice(-1000))];
  assert.ok(late < 10 * early + 1, `a tag took ${early} ms at first, ${late} ms in the end`);
  for (const { cgroupId } of stand.interceptor.tags()) stand.interceptor.untag(cgroupId);
  assert.deepEqual(readdirSync(`${stand.pinDir}/egress`), []);
  assert.equal(openFiles(), files);
});

kernelTest("a cgroup that is gone cannot be tagged, and one that goes can be untagged by its id", (t) => {
  const stand = new Stand(t);
  const gone = makeCgroup(t, `${stand.cgroup}/gone`);
  const files = openFiles();
  const id = stand.interceptor.tag(gone, 9);
  rmdirSync(gone);
  assert.throws(() => stand.interceptor.tag(gone, 9), { code: "SYSTEM", message: /gone/u });
  assert.equal(stand.interceptor.untag(id), true);
  assert.equal(openFiles(), files);
});

kernelTest("a namespace that vanishes is named, and one that is listened in lets go with its listener", async (t) => {
  const stand = new Stand(t, { destinations: [registered("192.0.2.10", 5432)] });
  const files = openFiles();
  const holder = spawn("unshare", ["--net", "sh", "-c", "ip link set lo up && echo up && exec cat"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  undo(t, () => void holder.kill());
  await once(holder.stdout, "data");
  const netns = `/proc/${holder.pid}/ns/net`;
  const fd = listenIn(netns, "127.0.0.1", stand.listener.port, 128);
  const loop = stand.interceptor.accept(fd, ({ fd: accepted }) => closeSync(accepted));
  holder.kill("SIGKILL");
  await once(holder, "close");
  for (const call of [
    () => listenIn(netns, "127.0.0.1", stand.listener.port, 128),
    () => bindIn(netns, "127.0.0.1", stand.listener.port),
    () => destroySockets(netns, [1n], "all"),
  ])
    assert.throws(call, { code: "SYSTEM", message: new RegExp(`/proc/${holder.pid}/ns/net`, "u") });
  loop.close();
  closeSync(fd);
  const deadline = Date.now() + 5_000;
  while (openFiles() !== files && Date.now() < deadline) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(openFiles(), files);
});

kernelTest("a change of one destination among 30,000 writes one row", (t) => {
  const stand = new Stand(t);
  const all = Array.from(
    { length: 30_000 },
    (_, index): Destination => registered(`10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`, 5432),
  );
  const timed = (rows: readonly Destination[]) => {
    const started = process.cpuUsage();
    stand.interceptor.setDestinations(rows);
    return process.cpuUsage(started).system;
  };
  timed(all);
  const unchanged = Math.min(...[1, 2, 3].map(() => timed([...all, registered("192.0.2.1", 1)])));
  const anew = timed(all.map((row) => ({ ...row, connection: 2 })));
  assert.ok(unchanged * 3 < anew, `system time: ${unchanged} us for one row, ${anew} us for all`);
});

kernelTest("the destination table never overflows while it is replaced whole", (t) => {
  const stand = new Stand(t);
  const table = (second: number) =>
    Array.from({ length: 32_768 }, (_, index) =>
      registered(`10.${second + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`, 1),
    );
  for (const second of [0, 1, 2]) stand.interceptor.setDestinations(table(second));
  assert.throws(() => stand.interceptor.setDestinations([...table(0), registered("192.0.2.1", 1)]), {
    code: "MAP_FULL",
  });
});
