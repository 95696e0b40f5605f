/** Everything that a run of the suite needs, made once: network, sinks, the guard, containers, outsiders. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { findCgroupRoot, pinDirOf } from "../../src/kernel/interception.ts";
import { Daemon } from "../kit/daemon.ts";
import { ADDRESS, makeNetwork, type Network, PORT, SOCKETS } from "./network.ts";
import { PYTHON } from "./observer.ts";
import { Podman } from "./podman.ts";
import { compilePrograms } from "./programs.ts";
import { Trail } from "./trail.ts";
import { PLACES, type Place } from "./vector.ts";

/** One for each place, so that the trail tells whose refusal it was. */
export function agentOf(place: Place): string {
  return `bypass-${place}`;
}
/** Nobody: owns nothing on any machine. */
export const USER = 65_534;
const CONTAINERS = { guarded: "guarded", control: "control" } as const;

const SETTINGS = `
agents: [${PLACES.map((place) => `{ name: ${agentOf(place)} }`).join(", ")}]
names: { servers: ["${ADDRESS.sink4}:53"] }
connections:
  - name: registered
    protocol: opaque
    addresses: ["${ADDRESS.sink4}:${PORT.registered}", "${ADDRESS.sink4}:8443"]
egress:
  allow:
    - "${ADDRESS.allowed4}:443"
    - "${ADDRESS.allowed4}:${PORT.proxy}"
    - "${ADDRESS.allowed4}:123/udp"
    - "[${ADDRESS.allowed6}]:123/udp"
    - "*.allowed.test:443"
`;

/** Nobody may reach what is registered: whatever arrives there went round. */
const POLICY = `
rules:
  - name: reach-none
    on: connect
    deny: { message: "Nobody may" }
`;

/** A neighbour with a connected socket and a buffer that it sends again and again. */
export interface Outsider {
  readonly pid: number;
  readonly fd: number;
  readonly bufferAddress: number;
}

export interface World {
  readonly folder: string;
  readonly network: Network;
  readonly cgroupRoot: string;
  /** Undefined when another tool is the guard. */
  readonly daemon: Daemon | undefined;
  readonly podman: Podman;
  /** Why there are no containers here; undefined when there are. */
  readonly withoutContainers: string | undefined;
  readonly containers: typeof CONTAINERS;
  readonly containerCgroup: string | undefined;
  readonly outsiders: Readonly<Record<"root" | "user", Outsider>>;
  /** Only the sinks' DNS knows it. */
  readonly secret: string;
  readonly pinDir: string;
  readonly trail: Trail;
  /** Names of the fake daemons' sockets. */
  readonly sockets: readonly string[];
  /** Two leaves below a cgroup that the plain user owns. */
  readonly delegated: { readonly from: string; readonly to: string };
  /** A fresh folder beside the pins, for attacks that remove such. */
  decoy(place: Place): string;
  /** A process that may be killed in place of the daemon. */
  standInPid(): number;
  /** The daemon runs and serves again, whatever was done to it. */
  revive(): Promise<void>;
  /** What an attacker asks of an outsider: "local" is in the attacker's own network namespace, "far" on another host. */
  ask(actor: string, order: object, place: Place): void;
  /** Where the fake daemon's socket lies: its real path where that is free. */
  socketPath(name: string): string;
  stop(): Promise<void>;
}

export async function makeWorld(options: {
  readonly guard: "sallyport" | "another";
  readonly places: readonly Place[];
  readonly tell: (line: string) => void;
}): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-bypass-"));
  const stops: (() => Promise<void> | void)[] = [() => rmSync(folder, { recursive: true, force: true })];
  const stop = async () => {
    for (const one of stops.splice(0).reverse()) await one();
  };
  try {
    return await build();
  } catch (error) {
    await stop();
    throw error;
  }

  async function build(): Promise<World> {
    const secret = `ech${randomBytes(8).toString("hex")}`;
    makeFolders(folder);
    const paths = new Map(SOCKETS.map((name) => [name as string, freePath(folder, name)]));
    options.tell("network and sinks");
    const network = await makeNetwork(folder, secret, [...paths.values()]);
    stops.push(() => network.close());
    options.tell("programs");
    await compilePrograms(folder);
    const cgroupRoot = findCgroupRoot();
    const own = join(cgroupRoot, `sallyport-bypass-${process.pid}`);
    const delegated = { from: join(own, "delegated/from"), to: join(own, "delegated/to") };
    stops.push(() => removeFolders(own));
    for (const path of Object.values(delegated)) delegate(path);
    const outsiders = { root: await makeOutsider(0, stops), user: await makeOutsider(USER, stops) };

    let daemon: Daemon | undefined;
    if (options.guard === "sallyport") {
      options.tell("the guard");
      daemon = await Daemon.start({ settings: SETTINGS, policies: { "none.yaml": POLICY } });
      const started = daemon;
      chmodSync(started.folder, 0o755); // api.sock is reachable, as /run/sallyport is
      stops.push(() => started.stop());
    }
    const pinDir = daemon === undefined ? "/sys/fs/bpf/none" : pinDirOf(daemon.runDir);
    const decoy = `/sys/fs/bpf/sallyport-bypass-${process.pid}`;
    stops.push(() => removeFolders(decoy));
    let standIn: ChildProcess | undefined;
    stops.push(() => void standIn?.kill("SIGKILL"));
    const podman = new Podman(folder);
    let withoutContainers: string | undefined = "the place was not chosen";
    let containerCgroup: string | undefined;
    if (options.places.includes("container")) {
      options.tell("containers");
      withoutContainers = await podman.prepare();
      if (withoutContainers === undefined) {
        stops.push(() => podman.remove(Object.values(CONTAINERS)));
        const mounts = [
          `${folder}/shared:${folder}/shared`,
          `${folder}/programs:${folder}/programs:ro`,
          `${folder}/run:${folder}/run`,
          ...[...paths.values()].filter((path) => !path.startsWith(folder)).map((path) => `${path}:${path}`),
        ];
        const api = daemon === undefined ? [] : [`${daemon.runDir}:${daemon.runDir}`];
        for (const name of Object.values(CONTAINERS)) {
          const cgroup = await podman.start(name, network.observers.container.pid, [...mounts, ...api]);
          if (name === CONTAINERS.guarded) containerCgroup = cgroup;
        }
        if (daemon !== undefined && containerCgroup !== undefined) {
          await daemon.json(["tag", "--as", agentOf("container"), "--cgroup", containerCgroup]);
        }
      }
    }
    const { observers } = network;
    return {
      ...{ folder, network, cgroupRoot, daemon, podman, withoutContainers, containers: CONTAINERS, containerCgroup },
      ...{ outsiders, secret, stop, delegated, pinDir, sockets: SOCKETS },
      trail: new Trail(daemon),
      socketPath: (name) => paths.get(name) ?? `${folder}/run/${name}`,
      decoy(place) {
        const path = join(decoy, place);
        mkdirSync(path, { recursive: true });
        return path;
      },
      standInPid() {
        if (standIn === undefined || standIn.exitCode !== null || standIn.signalCode !== null) {
          standIn = spawn("sleep", ["infinity"], { stdio: "ignore" });
        }
        return standIn.pid ?? 0;
      },
      revive: () => revive(daemon),
      ask(actor, order, place) {
        (actor === "far" ? observers.far : place === "container" ? observers.container : observers.host).act(order);
      },
    };
  }
}

function makeFolders(folder: string): void {
  chmodSync(folder, 0o755);
  for (const name of ["run", "shared", "programs", "spool-root", "spool-user"]) mkdirSync(join(folder, name));
  for (const name of SOCKETS) mkdirSync(join(folder, "run", dirname(name)), { recursive: true });
  for (const name of ["shared", "spool-user"]) chmodSync(join(folder, name), 0o1777);
  chmodSync(join(folder, "spool-root"), 0o700);
}

/** /run is an overlay of the suite's own (main.ts): what is made here, nobody else sees. */
function freePath(folder: string, name: string): string {
  const real = `/run/${name}`;
  if (existsSync(real)) return `${folder}/run/${name}`;
  mkdirSync(dirname(real), { recursive: true });
  return real;
}

const OUTSIDER = `
import ctypes, json, os, socket, sys, time
held = socket.create_connection(("${ADDRESS.sink4}", ${PORT.sink}))
buffer = ctypes.create_string_buffer(64)
print(json.dumps({"pid": os.getpid(), "fd": held.fileno(), "bufferAddress": ctypes.addressof(buffer)}), flush=True)
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    sender.sendto(buffer.raw, ("${ADDRESS.sink4}", ${PORT.sink}))
    time.sleep(0.05)
`;

async function makeOutsider(uid: number, stops: (() => void)[]): Promise<Outsider> {
  const identity = uid === 0 ? [] : ["--reuid", String(uid), "--regid", String(uid), "--clear-groups"];
  const child: ChildProcess = spawn("setpriv", [...identity, "--pdeathsig", "KILL", PYTHON, "-I", "-c", OUTSIDER], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  stops.push(() => void child.kill("SIGKILL"));
  if (child.stdout === null) throw new Error("Cannot hear the outsider");
  for await (const line of createInterface({ input: child.stdout })) return JSON.parse(line) as Outsider;
  throw new Error("The outsider ended before it said who it is");
}

async function revive(daemon: Daemon | undefined): Promise<void> {
  if (daemon === undefined) return;
  try {
    process.kill(daemon.pid, "SIGCONT");
  } catch {
    // it is dead
  }
  const { code } = await daemon.cli(["status"], { timeoutMs: 5_000 });
  if (code === 0) return;
  await daemon.kill();
  await daemon.up();
}

function delegate(path: string): void {
  mkdirSync(path, { recursive: true });
  for (const folder of [dirname(path), path]) {
    for (const file of [folder, join(folder, "cgroup.procs")]) chownSync(file, USER, USER);
  }
}

/** Deepest first. A process that is still being reaped is waited for, a second at most. */
async function removeFolders(path: string): Promise<void> {
  if (!existsSync(path)) return;
  const below = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  for (const { name } of below) await removeFolders(join(path, name));
  for (let round = 0; round < 100; round++) {
    try {
      rmdirSync(path);
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
