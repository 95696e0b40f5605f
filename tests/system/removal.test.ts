/** `untag` ends one protection, `down` keeps all of them, `down --remove` leaves nothing of Sallyport on the host. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pinDirOf } from "../../src/kernel/interception.ts";
import { capture, type Outcome } from "../kit/daemon.ts";
import { makeCgroup, makeLinkedNamespace } from "./flows.ts";
import { OPEN, PASSWORD, SteeredAgent, startWorld, type World } from "./world.ts";

/** The kernel frees programs and maps a moment after their last user has gone. */
const FREED_WAIT_MS = 10_000;

let world: World;
let cgroupRoot: string;
let cgroup: string;
before(async () => {
  world = await startWorld({ policies: { "open.yaml": OPEN } });
  cgroupRoot = /^\S+ (\S+) cgroup2 /m.exec(readFileSync("/proc/mounts", "utf8"))?.[1] ?? "";
  cgroup = join(cgroupRoot, `removal-test-${process.pid}`);
  mkdirSync(cgroup);
});
after(async () => {
  await world.stop();
  if (existsSync(cgroup)) rmdirSync(cgroup);
});

/** psql as a process of that cgroup, without `run`. */
function psqlInside(url: string): Promise<Outcome> {
  const script = `echo $$ > "$0/cgroup.procs" && exec psql -X -A -t -c 'SELECT count(*) FROM customers' "$1"`;
  return capture("bash", ["-c", script, cgroup, url]);
}

interface Ours {
  readonly links: readonly number[];
  readonly programs: readonly number[];
  readonly maps: readonly number[];
}

async function bpftool<T>(...args: readonly string[]): Promise<T | undefined> {
  const { code, stdout } = await capture("bpftool", ["-j", ...args]);
  return code === 0 ? (JSON.parse(stdout) as T) : undefined;
}

/** By what is pinned in the daemon's own folder: other daemons of the host may come and go meanwhile. */
async function pinnedObjects(pinDir: string): Promise<Ours> {
  const files = (folder: string) => readdirSync(join(pinDir, folder)).map((name) => join(pinDir, folder, name));
  const links = await Promise.all(
    [...files("links"), ...files("egress")].map((file) =>
      bpftool<{ id: number; prog_id: number }>("link", "show", "pinned", file),
    ),
  );
  const programs = [...new Set(links.map((link) => link?.prog_id ?? -1))];
  const shown = await Promise.all(
    programs.map((id) => bpftool<{ map_ids?: readonly number[] }>("prog", "show", "id", `${id}`)),
  );
  const maps = await Promise.all(files("maps").map((file) => bpftool<{ id: number }>("map", "show", "pinned", file)));
  return {
    links: links.map((link) => link?.id ?? -1),
    programs,
    maps: [...new Set([...maps.map((map) => map?.id ?? -1), ...shown.flatMap((program) => program?.map_ids ?? [])])],
  };
}

async function stillThere({ links, programs, maps }: Ours): Promise<string[]> {
  const kinds = { link: links, prog: programs, map: maps };
  const found = await Promise.all(
    Object.entries(kinds).flatMap(([kind, ids]) =>
      ids.map(async (id) => ((await bpftool(kind, "show", "id", `${id}`)) === undefined ? [] : [`${kind} ${id}`])),
    ),
  );
  return found.flat();
}

function listens(port: number): boolean {
  const wanted = new RegExp(`:${port.toString(16).toUpperCase().padStart(4, "0")} \\S+ 0A `);
  return ["/proc/net/tcp", "/proc/net/tcp6"].some(
    (file) => existsSync(file) && wanted.test(readFileSync(file, "utf8")),
  );
}

/** What the kernel and the daemon end behind the answer; `left` says what is still there. */
async function eventually(left: () => string | undefined | Promise<string | undefined>): Promise<void> {
  for (const end = Date.now() + FREED_WAIT_MS; ; await new Promise((resolve) => setTimeout(resolve, 20))) {
    const still = await left();
    if (still === undefined) return;
    assert.ok(Date.now() < end, `still there: ${still}`);
  }
}

test("untag ends the protection of a tagged cgroup, and only then its processes dial the server themselves", async () => {
  const real = world.url.replace("agent:placeholder", `postgres:${PASSWORD}`);
  assert.match(
    (await psqlInside(world.url)).stderr,
    /authentication failed/,
    "control: untagged, it is the server that refuses",
  );
  const tagged = await world.daemon.cli(["tag", "--as", "ci", "--cgroup", cgroup]);
  assert.equal(tagged.code, 0, tagged.stderr);
  const guarded = await psqlInside(world.url);
  assert.equal(guarded.stdout, "3\n", guarded.stderr);
  const twice = await world.daemon.cli(["agents"]);
  assert.match(twice.stdout, new RegExp(cgroup.slice(cgroupRoot.length)));

  const untagged = await world.daemon.cli(["untag", "--cgroup", cgroup]);
  assert.equal(untagged.code, 0, untagged.stderr);
  assert.match((await psqlInside(world.url)).stderr, /authentication failed/);
  assert.equal((await psqlInside(real)).stdout, "3\n");
  const again = await world.daemon.cli(["untag", "--cgroup", cgroup]);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /TAG_UNKNOWN/);
});

/** Of the namespace in which a process lives. */
function listensFor(pid: number, port: number): boolean {
  const wanted = new RegExp(`:${port.toString(16).toUpperCase().padStart(4, "0")} \\S+ 0A `);
  return ["tcp", "tcp6"].some((file) => wanted.test(readFileSync(`/proc/${pid}/net/${file}`, "utf8")));
}

test("a network namespace of an agent gets listeners with the tag, and keeps none after down", async (t) => {
  const { daemon } = world;
  const namespace = makeLinkedNamespace();
  t.after(() => namespace.remove());
  const inside = makeCgroup("removal-netns");
  const script = `echo $$ > "$0/cgroup.procs" && echo in && exec ip netns exec ${namespace.name} sleep 600`;
  const child = spawn("bash", ["-c", script, inside.path], { stdio: ["ignore", "pipe", "ignore"] });
  t.after(() => inside.remove());
  await once(child.stdout, "data");
  const pid = child.pid ?? 0;
  const own = readlinkSync("/proc/self/ns/net");
  await eventually(() => (readlinkSync(`/proc/${pid}/ns/net`) === own ? "it is in ours" : undefined));
  assert.ok(!listensFor(pid, daemon.port), "control: nobody listens there yet");
  assert.equal((await daemon.cli(["tag", "--as", "ci", "--cgroup", inside.path])).code, 0);
  await eventually(() => (listensFor(pid, daemon.port) ? undefined : "no listener"));
  assert.equal((await daemon.cli(["down"])).code, 0);
  await eventually(() => (listensFor(pid, daemon.port) ? "its listener" : undefined));
  await daemon.up();
  await eventually(() => (listensFor(pid, daemon.port) ? undefined : "no listener after the start"));
  assert.equal((await daemon.cli(["untag", "--cgroup", inside.path])).code, 0); // the next test counts what is pinned
});

test("down keeps agents refused; down --remove leaves nothing behind", async (t) => {
  const { daemon } = world;
  const pinDir = pinDirOf(daemon.runDir);
  await daemon.cli(["tag", "--as", "ci", "--cgroup", cgroup]);
  const agent = new SteeredAgent(daemon);
  t.after(() => agent.leave());
  assert.deepEqual(await agent.open("first", world.url), {});
  const agents = await daemon.json<{ cgroup: string; kind: string }[]>(["agents"]);
  const runs = agents.filter(({ kind }) => kind === "run").map(({ cgroup: path }) => path);
  assert.equal(runs.length, 1);
  const ours = await pinnedObjects(pinDir);
  const all = [...ours.links, ...ours.programs, ...ours.maps];
  assert.ok(ours.links.length > 10 && ours.maps.length > 5 && !all.includes(-1), JSON.stringify(ours));
  assert.equal((await stillThere(ours)).length, all.length, "control: all of it is there now");
  assert.ok(listens(daemon.port), "control: its port is open");

  const ended = agent.gone("first");
  assert.equal((await daemon.cli(["down"])).code, 0);
  assert.equal((await ended).code, "57P01");
  await eventually(() => (listens(daemon.port) ? "its port is open" : undefined));
  assert.match((await agent.open("second", world.url)).code ?? "", /ECONNREFUSED|EPERM/);
  assert.match((await psqlInside(world.url)).stderr, /refused|not permitted/i, "a tagged cgroup too");
  assert.equal((await stillThere(ours)).length, all.length, "the kernel's side stays");
  await agent.leave();

  const stays = spawn("sh", ["-c", `echo $$ > "$0/cgroup.procs" && echo in && exec sleep 600`, cgroup], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  t.after(() => stays.kill());
  await once(stays.stdout, "data");
  const removed = await daemon.cli(["down", "--remove", "--state", daemon.stateDir]);
  assert.equal(removed.code, 0, removed.stderr);
  assert.ok(
    removed.stdout.includes(`removed the guard of ${cgroup}, where processes live: ${stays.pid}\n`),
    removed.stdout,
  );
  await eventually(async () => (await stillThere(ours)).join(", ") || undefined);
  assert.ok(!existsSync(pinDir));
  for (const path of runs) assert.ok(!existsSync(path), path);
  assert.ok(!existsSync(daemon.stateDir), "the state folder");
  assert.ok(!existsSync(daemon.runDir), "the run folder");
  assert.ok(existsSync(cgroup), "what is not ours stays");
  assert.match((await psqlInside(world.url)).stderr, /authentication failed/, "and is nobody's agent any more");
});

test("after a kill -9 with an open session, down --remove leaves nothing either, and says what it removed", async (t) => {
  const { daemon } = world;
  await daemon.up();
  const pinDir = pinDirOf(daemon.runDir);
  const agent = new SteeredAgent(daemon);
  t.after(() => agent.leave());
  assert.deepEqual(await agent.open("first", world.url), {});
  const agents = await daemon.json<{ cgroup: string; kind: string }[]>(["agents"]);
  const run = agents.find(({ kind }) => kind === "run")?.cgroup ?? "";
  const ours = await pinnedObjects(pinDir);
  const remove = () => daemon.cli(["down", "--remove", "--state", daemon.stateDir]);
  assert.match((await remove()).stderr, /AGENTS_RUNNING/, "a live agent would run unguarded");
  assert.equal((await agent.ask("first", "SELECT 1")).code, undefined, "and nothing was ended");
  await daemon.kill();
  assert.match((await remove()).stderr, /AGENTS_RUNNING/);
  assert.ok(existsSync(pinDir));
  await agent.leave();
  const { code, stdout, stderr } = await remove();
  assert.equal(code, 0, stderr);
  assert.match(stdout, new RegExp(run.split("/").at(-1) ?? "?"));
  await eventually(async () => (await stillThere(ours)).join(", ") || undefined);
  for (const path of [run, pinDir, daemon.stateDir, daemon.runDir]) assert.ok(!existsSync(path), path);
});
