import assert from "node:assert/strict";
import { once } from "node:events";
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { AgentListing, SessionListing } from "../../src/control/ports.ts";
import { capture, Daemon, type Outcome } from "../kit/daemon.ts";
import { IMAGE, Podman, type RunOptions } from "../kit/podman.ts";
import { type Postgres, startPostgres } from "../kit/postgres.ts";
import { OPEN, PASSWORD } from "./world.ts";

const PSQL = "/usr/lib/postgresql/15/bin/psql";
const LABELLED: RunOptions = { labels: ["team=ci"] };

let podman: Podman;
let postgres: Postgres;
let daemon: Daemon;
let sink: Server;
let sinkPort = 0;
/** Connections that reached the sink. */
let leaks = 0;

const settings = () => `
agents:
  - { name: ci, match: { container: { label: "team=ci" } } }
  - { name: named, match: { container: { name: "named-*" } } }
  - { name: imaged, match: { container: { image: "sallyport-test:other" } } }
connections:
  - name: orders
    protocol: postgres
    addresses: ["${podman.address}:${postgres.port}"]
    credential: { user: postgres, password: { file: FOLDER/secrets/orders } }
    tls: { mode: disable }
`;

before(async () => {
  podman = await Podman.start();
  postgres = await startPostgres({ version: 15, password: PASSWORD, addresses: ["127.0.0.1", podman.address] });
  sink = createServer((socket) => {
    leaks++;
    socket.on("error", () => {}).end();
  });
  sink.listen(0, podman.address);
  await once(sink, "listening");
  sinkPort = (sink.address() as { port: number }).port;
  process.env["CONTAINERS_STORAGE_CONF"] = podman.storageSettings; // where the daemon finds this podman's state
  daemon = await Daemon.start({ settings: settings(), policies: { "open.yaml": OPEN }, secrets: { orders: PASSWORD } });
  await hooks("install", "--runtime", "podman", "--state", daemon.stateDir);
});

after(async () => {
  if (daemon !== undefined) await hooks("remove");
  await daemon?.stop();
  sink?.close();
  await postgres?.stop();
  await podman?.stop();
});

async function hooks(act: string, ...more: readonly string[]): Promise<void> {
  const places = ["--library", join(podman.folder, "library"), "--hooks-folder", podman.hooksFolder];
  const { code, stderr } = await daemon.cli(["hooks", act, ...places, ...more]);
  assert.equal(code, 0, stderr);
}

interface First {
  /** errno of the dial to the sink; 0: it was reached. */
  readonly sink: number;
  readonly leaks: number;
  readonly openUs: number;
  readonly registered: number;
  /** "S": the guard's or a server's answer to SSLRequest; "N": a server without TLS. */
  readonly answer: string;
}

const EPERM = 1;
const ENETUNREACH = 101;

/** A container whose first instruction dials the sink and then the registered address. */
async function first(options: RunOptions, ...more: readonly string[]): Promise<First> {
  const words = ["/first", podman.address, String(sinkPort), String(postgres.port), ...more];
  const { code, stdout, stderr } = await podman.run(options, words);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as First;
}

const query = (user: string, password: string) => [
  ...[PSQL, "-X", "-A", "-t", "-c", "select 40 + 2"],
  `postgresql://${user}:${password}@${podman.address}:${postgres.port}/postgres`,
];

test("without a guard a container reaches the sink, and the server with the real password only", async () => {
  leaks = 0;
  assert.equal((await first({})).sink, 0);
  assert.equal(leaks, 1);
  assert.equal((await podman.run({}, query("postgres", PASSWORD))).stdout, "42\n");
  assert.notEqual((await podman.run({}, query("agent", "placeholder"))).code, 0);
});

const matched: readonly { readonly by: string; readonly agent: string; readonly options: RunOptions }[] = [
  { by: "label", agent: "ci", options: LABELLED },
  { by: "name", agent: "named", options: { name: "named-1" } },
  { by: "image", agent: "imaged", options: { image: "localhost/sallyport-test:other" } },
];
for (const { by, agent, options } of matched) {
  test(`a container that matches by ${by} is an agent before its first instruction`, async () => {
    if (by === "image") await podman.podman(["tag", IMAGE, "localhost/sallyport-test:other"]);
    leaks = 0;
    const { sink: refused, registered, answer } = await first(options);
    assert.deepEqual({ refused, registered, answer, leaks }, { refused: EPERM, registered: 0, answer: "S", leaks: 0 });
    const tagged = daemon.events().filter(({ kind }) => kind === "agent.tag");
    assert.equal(tagged.at(-1)?.["agent"], agent);
  });
}

test("an unmodified psql in a guarded container works with a placeholder for a password", async () => {
  const { code, stdout, stderr } = await podman.run(LABELLED, query("agent", "placeholder"));
  assert.deepEqual([code, stdout], [0, "42\n"], stderr);
  const [session] = await daemon.json<SessionListing[]>(["sessions"]);
  assert.deepEqual([session?.agent, session?.connection, session?.statements], ["ci", "orders", 1]);
});

test("a guarded container without IPv6 works as well", async () => {
  const more = ["--sysctl", "net.ipv6.conf.all.disable_ipv6=1", "--sysctl", "net.ipv6.conf.default.disable_ipv6=1"];
  assert.equal((await podman.run({ ...LABELLED, more }, query("agent", "placeholder"))).stdout, "42\n");
});

test("a guarded container with the host's network works as well, and is guarded", async () => {
  leaks = 0;
  const { sink: refused, answer } = await first({ ...LABELLED, network: "host" });
  assert.deepEqual({ refused, answer, leaks }, { refused: EPERM, answer: "S", leaks: 0 });
});

test("a guarded container without a network has none", async () => {
  const { sink: refused, registered } = await first({ ...LABELLED, network: "none" });
  assert.deepEqual([refused, registered === 0], [EPERM, false]);
  assert.equal((await first({ network: "none" })).sink, ENETUNREACH);
});

test("an agent is listed with what found it, its container and its processes", async () => {
  const id = await podman.keep({ ...LABELLED, name: "listed" });
  const listed = (await daemon.json<AgentListing[]>(["agents"])).find(({ container }) => container === id);
  assert.deepEqual(
    [listed?.agent, listed?.kind, listed?.matcher, listed?.processes],
    ["ci", "match", "container label team=ci", 1],
  );
  await podman.remove("listed");
});

test("a command that is executed in a guarded container is guarded", async () => {
  await podman.keep({ ...LABELLED, name: "executed" });
  leaks = 0;
  const words = ["/first", podman.address, String(sinkPort), String(postgres.port)];
  const { stdout } = await podman.podman(["exec", "executed", ...words]);
  assert.deepEqual([(JSON.parse(stdout) as First).sink, leaks], [EPERM, 0]);
  await podman.remove("executed");
});

/** Binds a source port, dials, says what PostgreSQL's login answers, and stays until its stdin ends. */
const SAME_PORT = `
import socket, struct, sys
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("", 40123)); s.connect((sys.argv[1], int(sys.argv[2])))
body = struct.pack("!i", 196608) + b"user\\0agent\\0database\\0postgres\\0\\0"
s.sendall(struct.pack("!i", len(body) + 4) + body)
print(s.recv(1).decode(), flush=True)
sys.stdin.read()
`;

test("two containers that dial from the same port at the same time are told apart", async () => {
  const words = ["/usr/bin/python3", "-c", SAME_PORT, podman.address, String(postgres.port)];
  const children = [LABELLED, { name: "named-2" }].map((options) => podman.spawn(options, words));
  const answers = await Promise.all(
    children.map(async ({ stdout }) => String((await once(stdout ?? sink, "data"))[0])),
  );
  assert.deepEqual(answers, ["R\n", "R\n"]);
  const open = (await daemon.json<SessionListing[]>(["sessions"])).filter(({ state }) => state === "open");
  assert.deepEqual(open.map(({ agent }) => agent).sort(), ["ci", "named"]);
  for (const child of children) {
    const ended = once(child, "exit");
    child.stdin?.end();
    await ended;
  }
});

test("a container that ends takes its tag along", async () => {
  await first(LABELLED);
  const tagged = async () => (await daemon.json<AgentListing[]>(["agents"])).length;
  for (let round = 0; round < 50 && (await tagged()) > 0; round++) await new Promise((done) => setTimeout(done, 100));
  assert.equal(await tagged(), 0);
});

test("a container that runs is guarded by its name from the moment of the tag", async () => {
  await podman.keep({ name: "bystander" });
  const words = ["/first", podman.address, String(sinkPort), String(postgres.port)];
  const dials = async () => (JSON.parse((await podman.podman(["exec", "bystander", ...words])).stdout) as First).sink;
  assert.equal(await dials(), 0);
  const { code, stderr } = await daemon.cli(["tag", "--as", "ci", "--container", "bystander"]);
  assert.equal(code, 0, stderr);
  assert.equal(await dials(), EPERM);
  await podman.remove("bystander");
});

test("tag of a container that does not run names those that do", async () => {
  const { code, stderr } = await daemon.cli(["tag", "--as", "ci", "--container", "nowhere"]);
  assert.equal(code, 1);
  assert.match(stderr, /CONTAINER_UNKNOWN|Cannot find a running container nowhere/);
});

test("while the daemon is down, a container that would be an agent does not start, and others do", async () => {
  await daemon.kill();
  leaks = 0;
  const words = ["/first", podman.address, String(sinkPort), String(postgres.port)];
  const { code, stderr } = await podman.run({ ...LABELLED, name: "orphan" }, words);
  assert.notEqual(code, 0);
  assert.match(stderr, /Sallyport is not running; container orphan is guarded as ci/);
  assert.equal(leaks, 0);
  assert.equal((await first({})).sink, 0);
  await daemon.up();
  assert.equal((await first(LABELLED)).sink, EPERM);
});

test("a daemon that is stopped and continued later keeps containers of agents out, in bounded time", async () => {
  process.kill(daemon.pid, "SIGSTOP");
  const startedMs = performance.now();
  const outcome: Outcome = await podman.run({ ...LABELLED, name: "waiting" }, ["/usr/bin/true"]).finally(() => {
    process.kill(daemon.pid, "SIGCONT");
  });
  assert.match(outcome.stderr, /container waiting is guarded as ci/);
  assert.ok(performance.now() - startedMs < 30_000);
});

test("settings without matchers of containers let every container start while the daemon is down", async () => {
  const { policies, secrets } = { policies: { "open.yaml": OPEN }, secrets: { orders: PASSWORD } };
  daemon.configure({ settings: settings().replace(/match: .* }$/gm, "groups: [] }"), policies, secrets });
  assert.equal((await daemon.cli(["reload"])).code, 0);
  await daemon.kill();
  assert.equal((await first(LABELLED)).sink, 0);
  await daemon.up();
  daemon.configure({ settings: settings(), policies, secrets });
  assert.equal((await daemon.cli(["reload"])).code, 0);
  assert.equal((await first(LABELLED)).sink, EPERM);
});

test("in place of runc, as containerd calls it, the question is asked between create and start", async () => {
  const library = join(podman.folder, "library");
  const file = join(podman.folder, "daemon.json");
  await hooks("install", "--runtime", "docker", "--docker-settings", file, "--state", daemon.stateDir);
  const runtime = (JSON.parse(readFileSync(file, "utf8")) as { runtimes: { sallyport: { path: string } } }).runtimes
    .sallyport.path;
  assert.equal(runtime, join(library, "sallyport-runc"));
  const bundle = join(podman.folder, "bundle");
  await bundleOf(bundle, { team: "ci" });
  const root = [
    "--root",
    join(podman.folder, "runc"),
    "--log",
    join(podman.folder, "runc.log"),
    "--log-format",
    "json",
  ];
  const id = `sallyport-test-${process.pid}`;
  const create = [...root, "create", "--bundle", bundle, "--pid-file", join(podman.folder, "pid"), id];
  assert.equal(await exitOf(runtime, create), 0);
  const listed = (await daemon.json<AgentListing[]>(["agents"])).find(({ container }) => container === id);
  assert.deepEqual([listed?.agent, listed?.processes], ["ci", 1]);
  await capture(runtime, [...root, "delete", "--force", id]);
  await daemon.kill();
  assert.equal(await exitOf(runtime, create), 1);
  assert.match(
    readFileSync(join(podman.folder, "runc.log"), "utf8"),
    /Sallyport is not running; container .* is guarded as ci/,
  );
  assert.equal((await capture("runc", [...root, "state", id])).code, 1); // nothing is left of it
  await bundleOf(bundle, { team: "other" });
  assert.equal(await exitOf(runtime, create), 0);
  await capture(runtime, [...root, "delete", "--force", id]);
  await daemon.up();
});

/** runc's container inherits its streams: a pipe would stay open as long as it lives. */
async function exitOf(file: string, args: readonly string[]): Promise<number | null> {
  return (await capture("sh", ["-c", 'exec "$@" >/dev/null 2>&1 </dev/null', "sh", file, ...args])).code;
}

/** A container of runc's own default settings, in a cgroup of its own, with these annotations. */
async function bundleOf(bundle: string, annotations: Readonly<Record<string, string>>): Promise<void> {
  rmSync(bundle, { recursive: true, force: true });
  mkdirSync(join(bundle, "rootfs"), { recursive: true });
  copyFileSync(join(podman.folder, "first"), join(bundle, "rootfs/first"));
  assert.equal((await capture("runc", ["spec", "--bundle", bundle])).code, 0);
  const file = join(bundle, "config.json");
  const spec = JSON.parse(readFileSync(file, "utf8")) as Record<string, Record<string, unknown>>;
  Object.assign(spec["process"] ?? {}, { terminal: false, rlimits: [], args: ["/first"] });
  Object.assign(spec["linux"] ?? {}, { cgroupsPath: `/sallyport-test-${process.pid}` });
  writeFileSync(file, JSON.stringify({ ...spec, annotations }));
}

test("without the hook, the watcher finds a container and guards it while it runs", async () => {
  leaks = 0;
  const { sink: refused, openUs } = await first({ ...LABELLED, hooks: "none" }, "until");
  assert.equal(refused, EPERM, `still open after ${openUs} µs`);
});
