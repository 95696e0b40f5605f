/** Against plain folders with the files of a task in /proc; real namespaces are the matter of tests/system. */
import assert from "node:assert/strict";
import { closeSync, fstatSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { hasNetwork, namespaceIdOf, openNamespace, portOf, processes, threadsOf } from "../../src/kernel/netns.ts";
import { folder } from "../store/folder.ts";

const ROUTE_HEAD = "Iface\tDestination\tGateway \tFlags\n";
const V6 =
  "fe800000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100";

function task(t: TestContext, files: Readonly<Record<string, string>> = {}): string {
  const place = join(folder(t), "task");
  for (const name of ["net", "ns"]) mkdirSync(join(place, name), { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(place, name), text);
  return place;
}

const networks = [
  { name: "no route at all, and IPv6 off", files: { "net/route": ROUTE_HEAD }, answer: false },
  {
    name: "routes of lo only",
    files: { "net/route": ROUTE_HEAD, "net/ipv6_route": `${V6} 00000001 lo\n` },
    answer: false,
  },
  {
    name: "an IPv4 route by another device",
    files: { "net/route": `${ROUTE_HEAD}eth0\t0000580A\t0\t1\n` },
    answer: true,
  },
  {
    name: "an IPv6 route by another device",
    files: { "net/route": ROUTE_HEAD, "net/ipv6_route": `${V6} 00000001 lo\n${V6} 00000001     eth0\n` },
    answer: true,
  },
  { name: "files that are gone with their task", files: {}, answer: false },
] as const;
for (const { name, files, answer } of networks) {
  test(`a namespace with ${name} has ${answer ? "a" : "no"} network`, (t) => {
    assert.equal(hasNetwork(task(t, files)), answer);
  });
}

test("an open namespace has the id that its path has", (t) => {
  const place = task(t, { "ns/net": "" });
  const opened = openNamespace(place);
  assert.equal(opened?.id, namespaceIdOf(place));
  closeSync(opened?.fd ?? -1);
});

test("a task that is gone has no namespace and no threads", (t) => {
  const place = join(task(t), "gone");
  assert.deepEqual([namespaceIdOf(place), openNamespace(place)], [undefined, undefined]);
  assert.deepEqual(threadsOf(2 ** 30, 10), []);
});

test("a socket's port is the one that its namespace's tables name, whichever table it is in", (t) => {
  const place = task(t, { own: "" });
  const fd = openSync(join(place, "own"), "r"); // its inode stands for a socket's
  const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
  const row = (local: string, inode: bigint | number) =>
    `   0: ${local} 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 ${inode} 1 0000\n`;
  writeFileSync(join(place, "net/tcp"), head + row("0100007F:0016", 1));
  assert.equal(portOf(fd, place), undefined);
  const { ino } = fstatSync(fd);
  writeFileSync(join(place, "net/udp6"), head + row("00000000000000000000000001000000:51F4", ino));
  assert.equal(portOf(fd, place), 0x51f4);
  closeSync(fd);
  assert.equal(portOf(fd, place), undefined);
});

test("this process is among the processes, and its threads are its own", () => {
  assert.ok(processes().includes(`/proc/${process.pid}`));
  const threads = threadsOf(process.pid, 1_000);
  assert.ok(threads.includes(`/proc/${process.pid}/task/${process.pid}`));
  assert.equal(threadsOf(process.pid, 1).length, 1);
});
