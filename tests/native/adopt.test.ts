/** The guard outlives its daemon; the next daemon takes over; removal leaves nothing. */
import assert from "node:assert/strict";
import { execFileSync, fork } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdirSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { Interceptor, removePinned } from "ebpf-loader";
import {
  allowed,
  CGROUP_ROOT,
  KERNEL_HAS_DOORS,
  kernelTest,
  listenOnLoopback,
  makeCgroup,
  python,
  Stand,
  undo,
  uniqueName,
} from "./kit.ts";

/** Two of them are for Unix sockets. */
const PROGRAMS_AT_ROOT = KERNEL_HAS_DOORS ? 16 : 14;
/** With the filters of the one tagged cgroup. */
const PROGRAMS = PROGRAMS_AT_ROOT + 3;

const bpftool = (...words: string[]) => execFileSync("bpftool", ["--json", ...words], { encoding: "utf8" });

/** Ids of the programs behind the pinned links of one Sallyport. */
function attachedPrograms(pinDir: string): number[] {
  const paths = ["links", "sockops", "setsockopt", "egress"]
    .filter((part) => existsSync(`${pinDir}/${part}`))
    .flatMap((part) => readdirSync(`${pinDir}/${part}`).map((name) => `${pinDir}/${part}/${name}`));
  return paths.map((path) => (JSON.parse(bpftool("link", "show", "pinned", path)) as { prog_id: number }).prog_id);
}

function isLoaded(program: number): boolean {
  return (JSON.parse(bpftool("prog", "list")) as { id: number }[]).some(({ id }) => id === program);
}

kernelTest("kill -9 of the owner leaves its agents refused at once; the next one adopts", async (t) => {
  const cgroup = makeCgroup(t, `${CGROUP_ROOT}/${uniqueName()}`);
  const pinDir = `/sys/fs/bpf/${uniqueName()}`;
  undo(t, () => void removePinned(pinDir));
  const owner = fork(new URL("owner.ts", import.meta.url).pathname, [pinDir, cgroup]);
  await once(owner, "message");
  assert.deepEqual(await python('dials("192.0.2.10", 5432)', cgroup), [{ value: "owner" }]);
  owner.kill("SIGKILL");
  await once(owner, "exit");

  const [dead, unlisted] = await python('dials("192.0.2.10", 5432)\ndials("192.0.2.11", 5432)', cgroup);
  assert.ok(dead !== undefined && "errno" in dead && dead.ms < 500, JSON.stringify(dead));
  assert.equal(dead.errno, "ECONNREFUSED");
  assert.ok(unlisted !== undefined && "errno" in unlisted && unlisted.errno === "EPERM");

  const links = readdirSync(`${pinDir}/links`);
  const next = new Interceptor({ cgroupRoot: CGROUP_ROOT, pinDir });
  undo(t, () => next.close());
  assert.equal(next.adopted, true);
  assert.deepEqual(
    next.tags().map(({ agent }) => agent),
    [7],
  );
  assert.deepEqual(readdirSync(`${pinDir}/links`), links);
  const listener = listenOnLoopback();
  next.setListener(listener.port);
  const origins: (string | undefined)[] = [];
  const loops = listener.fds.map((fd) =>
    next.accept(fd, (one) => {
      origins.push(one.origin?.address);
      closeSync(one.fd);
    }),
  );
  undo(t, () => {
    for (const loop of loops) loop.close();
    for (const fd of listener.fds) closeSync(fd);
  });
  assert.deepEqual(await python('dials("192.0.2.10", 5432)', cgroup), [{ value: "" }]);
  assert.deepEqual(origins, ["192.0.2.10"]);
  assert.ok(next.sweepOrigins(0) >= 1); // the connection that nobody accepted
});

kernelTest("programs are swapped, not stacked, when they are adopted", async (t) => {
  const first = new Stand(t);
  const before = attachedPrograms(first.pinDir);
  const second = new Interceptor({ cgroupRoot: CGROUP_ROOT, pinDir: first.pinDir });
  const after = attachedPrograms(first.pinDir);
  first.interceptor.close();
  assert.deepEqual([before.length, after.length], [PROGRAMS, PROGRAMS]);
  assert.deepEqual(
    after.filter((id) => before.includes(id)),
    [],
  );
  const deadline = Date.now() + 5_000;
  while (before.some(isLoaded) && Date.now() < deadline) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(before.filter(isLoaded), []);
  second.close();
  assert.deepEqual(after.filter(isLoaded), after);
});

kernelTest("the tag of a cgroup that is gone is forgotten on adoption", (t) => {
  const stand = new Stand(t);
  const gone = makeCgroup(t, `${stand.cgroup}/gone`);
  stand.interceptor.tag(gone, 9);
  assert.equal(stand.interceptor.tags().length, 2);
  rmdirSync(gone);
  const next = new Interceptor({ cgroupRoot: CGROUP_ROOT, pinDir: stand.pinDir });
  undo(t, () => next.close());
  assert.deepEqual(
    next.tags().map(({ cgroupId }) => cgroupId),
    [stand.tagId],
  );
});

kernelTest("removePinned() leaves nothing", async (t) => {
  const stand = new Stand(t);
  const programs = attachedPrograms(stand.pinDir);
  assert.equal(programs.filter(isLoaded).length, PROGRAMS);
  stand.close();
  assert.equal(existsSync(stand.pinDir), false);
  // The kernel frees a program of a tracepoint after a grace period.
  const deadline = Date.now() + 5_000;
  while (programs.some(isLoaded) && Date.now() < deadline) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(programs.filter(isLoaded), []);
  assert.deepEqual(removePinned(stand.pinDir), []);
});

/** As if another version had pinned it. */
function writeLayout(pinDir: string, layout: number): void {
  const words = `map update pinned ${pinDir}/maps/layout key 0 0 0 0 value ${layout} 0 0 0 0 0 0 0`;
  execFileSync("bpftool", words.split(" "));
}

kernelTest("pins of a newer layout are refused with the remedy, and left alone", (t) => {
  const stand = new Stand(t);
  writeLayout(stand.pinDir, 99);
  assert.throws(() => new Interceptor({ cgroupRoot: CGROUP_ROOT, pinDir: stand.pinDir }), {
    name: "LoaderError",
    code: "LAYOUT",
    remedy: /--remove/u,
  });
  assert.equal(readdirSync(`${stand.pinDir}/links`).length, PROGRAMS_AT_ROOT);
});

kernelTest("pins of an older layout are taken over, with tags, quarantines and open connections", async (t) => {
  const echo = createServer((socket) => socket.on("error", () => {}).pipe(socket)).listen(0, "127.0.0.1");
  undo(t, () => void echo.close());
  await once(echo, "listening");
  const { port } = echo.address() as AddressInfo;
  const stand = new Stand(t, { destinations: [allowed("127.0.0.1", port)] });
  stand.interceptor.quarantine(stand.agent + 1, true);
  const quarantined = makeCgroup(t, `${stand.cgroup}/quarantined`);
  stand.interceptor.tag(quarantined, stand.agent + 1);
  writeLayout(stand.pinDir, 1);
  const ready = `${tmpdir()}/${stand.name}`;
  undo(t, () => rmSync(ready, { force: true, recursive: true }));
  mkdirSync(ready);
  const agent = stand.agentRuns(`
s = socket.create_connection(("127.0.0.1", ${port})); s.settimeout(5)
os.mkdir("${ready}/connected")
while not os.path.exists("${ready}/upgraded"): time.sleep(0.01)
def echo():
    s.sendall(b"x"); return s.recv(1).decode()
step(echo)
dials("192.0.2.1", 1)`);
  while (!existsSync(`${ready}/connected`)) await new Promise((resolve) => setImmediate(resolve));
  // That version knew no filter of socket options.
  rmSync(`${stand.pinDir}/setsockopt`, { recursive: true });
  const before = attachedPrograms(stand.pinDir);
  const next = new Interceptor({ cgroupRoot: CGROUP_ROOT, pinDir: stand.pinDir });
  undo(t, () => next.close());
  const events: string[] = [];
  const reading = next.events(({ kind, reason }) => events.push(`${kind} ${reason}`));
  undo(t, () => reading.close());
  mkdirSync(`${ready}/upgraded`);
  const [kept, refused] = await agent;
  assert.deepEqual(kept, { value: "x" });
  assert.ok(refused !== undefined && "errno" in refused && refused.errno === "EPERM");
  const [shut] = await python(`dials("127.0.0.1", ${port})`, quarantined);
  assert.ok(shut !== undefined && "errno" in shut && shut.errno === "EPERM");
  assert.equal(next.adopted, true);
  assert.equal(next.tags().length, 2);
  const after = attachedPrograms(stand.pinDir);
  assert.deepEqual([after.length, after.filter((id) => before.includes(id))], [PROGRAMS_AT_ROOT + 6, []]);
  const deadline = Date.now() + 5_000;
  while (events.length < 2 && Date.now() < deadline) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(events, ["deny unlisted", "deny quarantined"]); // read from the new ring
  const again = new Interceptor({ cgroupRoot: CGROUP_ROOT, pinDir: stand.pinDir }); // it is of our layout now
  again.close();
});
