/** What the addon does that Node cannot, and how it refuses nonsense. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { Interceptor, listenIn, netnsCookie, notify, originOf, peerOf, probe, removePinned } from "ebpf-loader";
import { CGROUP_ROOT, kernelTest, listenOnLoopback, python, registered, Stand, undo } from "./kit.ts";

const fdOf = (socket: Socket) => (socket as unknown as { _handle: { fd: number } })._handle.fd;

test("every feature that is needed is found by name", () => {
  const features = probe(CGROUP_ROOT);
  assert.deepEqual(
    features.filter(({ ok }) => !ok),
    [],
  );
  for (const name of ["kernel", "BTF", "cgroup/connect4", "cgroup_skb/egress", "sockops"])
    assert.ok(
      features.some(({ feature }) => feature === name),
      name,
    );
});

test("the probe says what is wrong with a folder that is no cgroup root", () => {
  const root = probe("/tmp").find(({ feature }) => feature === "cgroup2 root");
  assert.equal(root?.ok, false);
  assert.match(root?.remedy ?? "", /cgroup2 mount/u);
});

kernelTest("peerOf() tells the process and its cgroup", async (t) => {
  const stand = new Stand(t);
  const folder = mkdtempSync(join(tmpdir(), "sallyport-"));
  undo(t, () => rmSync(folder, { recursive: true }));
  const server = createServer().listen(join(folder, "s"));
  undo(t, () => void server.close());
  await once(server, "listening");
  stand.interceptor.setDoors([join(folder, "s")], [statSync("/proc/self/ns/mnt", { bigint: true }).ino]);
  const peers: ReturnType<typeof peerOf>[] = [];
  server.on("connection", (socket) => {
    peers.push(peerOf(fdOf(socket)));
    socket.end("seen");
  });
  const outcome = await stand.agentRuns(`
def ask():
    s = socket.socket(socket.AF_UNIX); s.connect("${join(folder, "s")}")
    return [read(s), os.getpid()]
step(ask)`);
  assert.deepEqual(outcome, [{ value: ["seen", peers[0]?.pid] }]);
  assert.deepEqual([peers[0]?.uid, peers[0]?.gid, peers[0]?.cgroup], [0, 0, `/${stand.name}`]);
});

kernelTest("peerOf() knows no cgroup of a process that is gone", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-"));
  undo(t, () => rmSync(folder, { recursive: true }));
  const server = createServer({ pauseOnConnect: true }).listen(join(folder, "s"));
  undo(t, () => void server.close());
  await once(server, "listening");
  const connected = once(server, "connection") as Promise<[Socket]>;
  await python(`socket.socket(socket.AF_UNIX).connect("${join(folder, "s")}")`);
  const [socket] = await connected;
  assert.equal(peerOf(fdOf(socket)).cgroup, null);
  socket.destroy();
});

kernelTest("originOf() claims an origin once", async (t) => {
  const stand = new Stand(t, { destinations: [registered("192.0.2.10", 5432)] });
  const listener = listenOnLoopback();
  for (const fd of listener.fds.slice(1)) closeSync(fd);
  const server = createServer().listen({ fd: listener.fds[0] as number });
  undo(t, () => void server.close());
  stand.interceptor.setListener(listener.port);
  const claims: (string | undefined)[] = [];
  server.on("connection", (socket) => {
    for (let i = 0; i < 2; i += 1) claims.push(originOf(stand.interceptor, fdOf(socket))?.address);
    socket.end("claimed");
  });
  assert.deepEqual(await stand.agentRuns('dials("192.0.2.10", 5432)'), [{ value: "claimed" }]);
  assert.deepEqual(claims, ["192.0.2.10", undefined]);
});

kernelTest("a listener in another network namespace serves the agents there", async (t) => {
  const stand = new Stand(t, { destinations: [registered("192.0.2.10", 5432)] });
  const holder = spawn("unshare", ["--net", "sh", "-c", "ip link set lo up && echo up && exec cat"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  undo(t, () => void holder.kill());
  await once(holder.stdout, "data");
  const netns = `/proc/${holder.pid}/ns/net`;
  const fd = listenIn(netns, "127.0.0.1", stand.listener.port, 128); // the same port is free over there
  const cookie = netnsCookie(fd);
  assert.notEqual(cookie, netnsCookie());
  const inside = (code: string) =>
    stand.agentRuns(`
netns = open("${netns}"); libc = __import__("ctypes").CDLL(None)
if libc.setns(netns.fileno(), 0) != 0: raise SystemExit("setns failed")
${code}`);
  const [refused] = await inside('dials("192.0.2.10", 5432)');
  assert.ok(refused !== undefined && "errno" in refused && refused.errno === "EPERM"); // until it has a listener
  stand.interceptor.setListener(stand.listener.port, cookie);
  const loop = stand.interceptor.accept(fd, (one) => {
    stand.accepted.push(one);
    closeSync(one.fd);
  });
  undo(t, () => {
    loop.close();
    closeSync(fd);
  });
  assert.deepEqual(await inside('dials("192.0.2.10", 5432)'), [{ value: "" }]);
  assert.equal(stand.accepted[0]?.origin?.netnsCookie, cookie);
});

kernelTest("a port that is taken is named", () => {
  const { port, fds } = listenOnLoopback();
  assert.throws(() => listenIn(null, "127.0.0.1", port, 1), {
    code: "PORT_IN_USE",
    message: new RegExp(String(port), "u"),
  });
  for (const fd of fds) closeSync(fd);
});

kernelTest("running out of descriptors sheds connections instead of spinning", () => {
  const script = `
    import { closeSync, openSync } from "node:fs";
    import { Stand } from ${JSON.stringify(new URL("kit.ts", import.meta.url).href)};
    const after = [];
    const stand = new Stand({ after: (body) => after.push(body) }, {
      destinations: [{ address: "192.0.2.10", prefix: 32, port: 5432, protocol: "tcp", action: "intercept", reason: "registered", connection: 1 }],
    });
    const running = stand.agentRuns('time.sleep(0.3)\\ndials("192.0.2.10", 5432)');
    const hoard = [];
    await new Promise((resolve) => setTimeout(resolve, 100));
    try { for (;;) hoard.push(openSync("/dev/null")); } catch {}
    const started = process.cpuUsage();
    const startedMs = Date.now();
    const [[outcome]] = await Promise.all([running, new Promise((resolve) => setTimeout(resolve, 1000))]);
    const { user, system } = process.cpuUsage(started);
    const busy = (user + system) / 1000 / (Date.now() - startedMs);
    for (const fd of hoard) closeSync(fd);
    for (const body of after) await body();
    console.log(JSON.stringify({ outcome, busy, accepted: stand.accepted.length }));
    process.exit(0);`;
  const out = execFileSync(
    "sh",
    ["-c", 'ulimit -n 128 && exec "$0" --input-type=module-typescript -e "$1"', process.execPath, script],
    { encoding: "utf8" },
  );
  const { outcome, busy, accepted } = JSON.parse(out.trim().split("\n").at(-1) ?? "");
  assert.equal(accepted, 0);
  assert.ok("value" in outcome ? outcome.value === "" : outcome.errno === "ECONNRESET", out);
  assert.ok(busy < 0.6, `busy for ${busy} of the time`);
});

kernelTest("notify() hands state and descriptors to the service manager", async (t) => {
  assert.equal(notify("READY=1"), false);
  const folder = mkdtempSync(join(tmpdir(), "sallyport-"));
  undo(t, () => rmSync(folder, { recursive: true }));
  const path = join(folder, "notify");
  const manager = spawn(
    "/usr/bin/python3",
    [
      "-I",
      "-c",
      `
import array, os, socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind("${path}"); os.write(1, b"bound")
message, fds, _, _ = socket.recv_fds(s, 4096, 4)
print(message.decode().replace("\\n", " "), os.readlink(f"/proc/self/fd/{fds[0]}"))`,
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  await once(manager.stdout, "data");
  process.env["NOTIFY_SOCKET"] = path;
  undo(t, () => void delete process.env["NOTIFY_SOCKET"]);
  const answer = manager.stdout.setEncoding("utf8").reduce((all: string, text: string) => all + text, "");
  assert.equal(notify("FDSTORE=1\nFDNAME=test", [2]), true);
  assert.match(await answer, /^FDSTORE=1 FDNAME=test /u);
});

const refusals = [
  {
    name: "a folder that is not cgroup2",
    options: { cgroupRoot: "/tmp", pinDir: "/sys/fs/bpf/x" },
    code: "CGROUP2_MISSING",
  },
  {
    name: "a pin folder that is not on bpffs",
    options: { cgroupRoot: CGROUP_ROOT, pinDir: "/tmp/sallyport-no-bpffs" },
    code: "BPFFS_MISSING",
  },
] as const;

for (const { name, options, code } of refusals)
  kernelTest(`opening refuses ${name}`, () =>
    assert.throws(
      () => new Interceptor(options),
      (error: Error & { code?: string; remedy?: string }) => {
        assert.equal(error.name, "LoaderError");
        assert.equal(error.code, code);
        assert.ok((error.remedy ?? "") !== "");
        return true;
      },
    ),
  );

kernelTest("opening refuses a child of the cgroup root", (t) => {
  const stand = new Stand(t);
  assert.throws(() => new Interceptor({ cgroupRoot: stand.cgroup, pinDir: `${stand.pinDir}-child` }), {
    code: "CGROUP_NAMESPACE",
  });
});

kernelTest("opening without privileges says so", () => {
  const script = `import("ebpf-loader").then(({ Interceptor }) => {
    try { new Interceptor({ cgroupRoot: "${CGROUP_ROOT}", pinDir: "/sys/fs/bpf/sallyport-nobody" }) } catch (e) { console.log(e.code, "|", e.remedy) }
  })`;
  const out = execFileSync("setpriv", ["--reuid", "65534", "--clear-groups", process.execPath, "-e", script], {
    encoding: "utf8",
  });
  assert.match(out, /^PRIVILEGE \| Run as root/u);
});

kernelTest("an Interceptor that nobody holds any more is let go of", (t) => {
  const stand = new Stand(t);
  const script = `
    import { Interceptor } from "ebpf-loader";
    new Interceptor(${JSON.stringify({ cgroupRoot: CGROUP_ROOT, pinDir: stand.pinDir })});
    for (let turn = 0; turn < 5; turn += 1) {
      globalThis.gc();
      await new Promise((resolve) => setImmediate(resolve));
    }`;
  execFileSync(process.execPath, ["--expose-gc", "--input-type=module", "-e", script]);
});

kernelTest("a worker that is terminated lets go of everything", async (t) => {
  const stand = new Stand(t);
  const worker = new Worker(
    `import("ebpf-loader").then(({ Interceptor }) => {
      const one = new Interceptor(${JSON.stringify({ cgroupRoot: CGROUP_ROOT, pinDir: `${stand.pinDir}-worker` })});
      one.accept(${stand.listener.fds[1]}, () => {});
      one.events(() => {});
      require("node:worker_threads").parentPort.postMessage("ready");
    })`,
    { eval: true },
  );
  undo(t, () => void removePinned(`${stand.pinDir}-worker`));
  await once(worker, "message");
  assert.equal(await worker.terminate(), 1);
});

kernelTest("calls refuse what makes no sense", (t) => {
  const stand = new Stand(t);
  const one = registered("192.0.2.1", 1);
  assert.throws(() => stand.interceptor.tag(CGROUP_ROOT, 1), /root itself/u);
  assert.throws(() => stand.interceptor.tag(`${CGROUP_ROOT}/none`, 1), { code: "SYSTEM" });
  assert.throws(() => stand.interceptor.tag(stand.cgroup, 0), RangeError);
  assert.throws(() => stand.interceptor.setListener(70_000), RangeError);
  assert.throws(() => stand.interceptor.setDestinations([{ ...one, address: "db.internal" }]), TypeError);
  assert.throws(() => stand.interceptor.setDestinations([{ ...one, prefix: 33 }]), RangeError);
  assert.throws(() => stand.interceptor.setDestinations(Array(40_000).fill(one)), { code: "MAP_FULL" });
  stand.interceptor.close();
  assert.throws(() => stand.interceptor.tags(), /closed/u);
});
