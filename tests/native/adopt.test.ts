/** The guard outlives its daemon; the next daemon takes over; removal leaves nothing. */
import assert from "node:assert/strict";
import { execFileSync, fork } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, readdirSync, rmdirSync } from "node:fs";
import { Interceptor, removePinned } from "ebpf-loader";
import { CGROUP_ROOT, kernelTest, listenOnLoopback, makeCgroup, python, Stand, undo, uniqueName } from "./kit.ts";

/** With the two for Unix sockets, which this needs Linux 6.7 for. */
const PROGRAMS_AT_ROOT = 17;

const bpftool = (...words: string[]) => execFileSync("bpftool", ["--json", ...words], { encoding: "utf8" });

/** Ids of the programs behind the pinned links of one Sallyport. */
function attachedPrograms(pinDir: string): number[] {
  const paths = ["links", "egress"].flatMap((part) =>
    readdirSync(`${pinDir}/${part}`).map((name) => `${pinDir}/${part}/${name}`),
  );
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
  assert.deepEqual([before.length, after.length], [PROGRAMS_AT_ROOT + 1, PROGRAMS_AT_ROOT + 1]);
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
  assert.equal(programs.filter(isLoaded).length, PROGRAMS_AT_ROOT + 1);
  stand.close();
  assert.equal(existsSync(stand.pinDir), false);
  // The kernel frees a program of a tracepoint after a grace period.
  const deadline = Date.now() + 5_000;
  while (programs.some(isLoaded) && Date.now() < deadline) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(programs.filter(isLoaded), []);
  assert.deepEqual(removePinned(stand.pinDir), []);
});

kernelTest("pins of another layout are refused with the remedy, and left alone", (t) => {
  const stand = new Stand(t);
  execFileSync("bpftool", [
    "map",
    "update",
    "pinned",
    `${stand.pinDir}/maps/layout`,
    "key",
    "0",
    "0",
    "0",
    "0",
    "value",
    "99",
    ...Array(7).fill("0"),
  ]);
  assert.throws(() => new Interceptor({ cgroupRoot: CGROUP_ROOT, pinDir: stand.pinDir }), {
    name: "LoaderError",
    code: "LAYOUT",
    remedy: /--remove/u,
  });
  assert.equal(readdirSync(`${stand.pinDir}/links`).length, PROGRAMS_AT_ROOT);
});
