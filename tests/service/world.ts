/** A booted host with the service installed, a database on its loopback, and a backend of opaque bytes behind a veth of its own. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { OPEN } from "../system/world.ts";
import { BootedHost, HOME, NODE, SALLYPORT } from "./host.ts";
import type { LoadReport } from "./inside/load.ts";

const PASSWORD = "correct-horse-battery-staple-7731";
/** The daemon dials from .1, agents bind .3: what comes from .3 was sent by an agent itself. */
export const DAEMON_ADDRESS = "10.99.0.1";
export const BACKEND_ADDRESS = "10.99.0.2";
export const AGENT_ADDRESS = "10.99.0.3";
const INSIDE = `${HOME}/tests/service/inside`;
const SCRIPT = [NODE, "--disable-warning=ExperimentalWarning"];

export interface ServiceWorld {
  readonly host: BootedHost;
  /** What agents dial for SQL. */
  readonly url: string;
  /** "10.99.0.2:7000" */
  readonly echo: string;
  sallyport(...args: readonly string[]): Promise<string>;
  status(): Promise<Status>;
  /** Work of every kind as agent `ci`, or untagged. */
  load(as: "agent" | "nobody", work?: "all" | "echo"): Promise<Load>;
  /** A unit that waits, in a network namespace of its own, and then does opaque work. Not an agent yet. */
  unit(name: string, netns: string): Promise<{ begin(): Promise<Load> }>;
  stop(): Promise<void>;
}

export interface Status {
  readonly active: string;
  readonly pid?: number;
  readonly restarts: number;
  readonly held: number;
}

export interface Load {
  readonly process: ChildProcess;
  /** Ends the load; what came of it. */
  report(): Promise<LoadReport>;
}

export async function startServiceWorld(install: "installed" | "bare" = "installed"): Promise<ServiceWorld> {
  const host = await BootedHost.boot();
  try {
    const database = await answers(host.starts([...SCRIPT, `${INSIDE}/database.ts`, PASSWORD]));
    const echo = `${BACKEND_ADDRESS}:7000`;
    await makeBackendNetwork(host);
    const [address = "", port = ""] = echo.split(":");
    const server = [...SCRIPT, `${INSIDE}/echo-server.ts`, address, port];
    await answers(host.starts(["ip", "netns", "exec", "backend", ...server]));
    await writeSettings(host, database, echo);
    const world = worldOf(host, `postgresql://agent:placeholder@127.0.0.1:${database}/postgres`, echo);
    if (install === "installed") await world.sallyport("service", "install");
    return world;
  } catch (error) {
    await host.stop();
    throw error;
  }
}

function worldOf(host: BootedHost, url: string, echo: string): ServiceWorld {
  const sallyport = (...args: readonly string[]) => host.must(SALLYPORT, ...args);
  return {
    host,
    url,
    echo,
    sallyport,
    status: async () => JSON.parse((await host.does([SALLYPORT, "--json", "service", "status"])).stdout) as Status,
    load: async (as, work = "all") => {
      const command = [...SCRIPT, `${INSIDE}/load.ts`, work === "all" ? url : "", echo, AGENT_ADDRESS];
      const guard = as === "agent" ? [SALLYPORT, "run", "--quiet", "--as", "ci", "--"] : [];
      return loadOf(host.starts([...guard, ...command]));
    },
    unit: async (name, netns) => {
      const command = [...SCRIPT, `${INSIDE}/load.ts`, "''", echo].join(" ");
      const place = [`--unit=${name}`, `--property=NetworkNamespacePath=/run/netns/${netns}`];
      const child = host.starts([
        "systemd-run",
        "--quiet",
        "--pipe",
        "--wait",
        ...place,
        "sh",
        "-c",
        `read go; exec ${command}`,
      ]);
      await host.until(
        "the unit",
        async () => (await host.does(["systemctl", "is-active", name])).stdout === "active\n",
      );
      return {
        begin: () => {
          child.stdin?.write("go\n");
          return loadOf(child);
        },
      };
    },
    stop: () => host.stop(),
  };
}

/** A load from its first word on. */
async function loadOf(child: ChildProcess): Promise<Load> {
  const lines = createInterface({ input: child.stdout as NonNullable<typeof child.stdout> });
  const heard: string[] = [];
  lines.on("line", (line) => heard.push(line));
  await Promise.race([once(lines, "line"), once(child, "exit")]);
  if (heard[0] !== "started") throw new Error(`The load did not start: ${heard.join("\n")}`);
  return {
    process: child,
    report: async () => {
      child.stdin?.end();
      await once(lines, "close");
      return JSON.parse(heard.at(-1) ?? "") as LoadReport;
    },
  };
}

async function makeBackendNetwork(host: BootedHost): Promise<void> {
  for (const line of [
    "ip netns add backend",
    "ip link add to-backend type veth peer name eth0 netns backend",
    `ip address add ${DAEMON_ADDRESS}/24 dev to-backend`,
    `ip address add ${AGENT_ADDRESS}/24 dev to-backend`,
    "ip link set to-backend up",
    `ip -n backend address add ${BACKEND_ADDRESS}/24 dev eth0`,
    "ip -n backend link set eth0 up",
    "ip -n backend link set lo up",
  ]) {
    await host.must(...line.split(" "));
  }
}

async function writeSettings(host: BootedHost, database: string, echo: string): Promise<void> {
  const settings = `
agents: [{ name: ci, groups: [ci] }]
connections:
  - name: orders
    protocol: postgres
    addresses: ["127.0.0.1:${database}"]
    credential: { user: postgres, password: { file: /etc/sallyport/orders } }
    tls: { mode: disable }
  - { name: echo, protocol: opaque, addresses: ["${echo}"], tls: { mode: disable } }
policies: /etc/sallyport/policies
`;
  await host.must("mkdir", "-p", "/etc/sallyport/policies");
  await host.writes("/etc/sallyport/policies/open.yaml", OPEN);
  await host.writes("/etc/sallyport/orders", PASSWORD);
  await host.must("chmod", "600", "/etc/sallyport/orders");
  await host.writes("/etc/sallyport/sallyport.yaml", settings);
}

/** The first line that a helper says. */
async function answers(child: ChildProcess): Promise<string> {
  const lines = createInterface({ input: child.stdout as NonNullable<typeof child.stdout> });
  const ended = once(child, "exit").then(() => {
    throw new Error(`A helper ended with ${child.exitCode}: ${child.spawnargs.join(" ")}`);
  });
  ended.catch(() => {}); // at the end of the host they all do
  const [line] = (await Promise.race([once(lines, "line"), ended])) as [string];
  return line;
}
