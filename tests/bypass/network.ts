/**
 * The network of the suite, whose "host" is a network namespace of its own: a host link to the sinks, and one to the
 * containers' namespace. Nothing of the machine's own network is touched; all of it is gone when its processes are.
 */
import { capture } from "../kit/daemon.ts";
import { Observer } from "./observer.ts";

/** 198.18.0.0/15 is set aside for benches (RFC 2544): no real host has it. */
export const ADDRESS = {
  host4: "198.18.0.1",
  sink4: "198.18.0.2",
  allowed4: "198.18.0.3",
  container4: "198.18.0.10",
  metadata4: "169.254.169.254",
  host6: "fd5a:11::1",
  sink6: "fd5a:11::2",
  allowed6: "fd5a:11::3",
  container6: "fd5a:11::10",
} as const;

export const PORT = {
  /** Where most attacks go. */
  sink: 9999,
  mptcp: 9998,
  /** Registered with the guard, and denied by its policy. */
  registered: 5432,
  proxy: 3128,
  relay: 7777,
  loopback: 8080,
  ssh: 2222,
  netlink: 4242,
} as const;

const SINK_PORTS = [PORT.sink, PORT.registered, 22, 25, 53, 80, 443, 853, 8443];

export interface Network {
  readonly observers: {
    /** In the sinks' namespace: another host, as far as an agent can tell. */
    readonly far: Observer;
    /** In the suite's own namespace: a neighbour on the host. */
    readonly host: Observer;
    /** In the containers' namespace. */
    readonly container: Observer;
  };
  close(): Promise<void>;
}

/** Call it in a fresh network namespace only. `secret` is what the sinks' DNS puts into `ech`; `sockets` are paths of fake daemons. */
export async function makeNetwork(folder: string, secret: string, sockets: readonly string[]): Promise<Network> {
  const far = new Observer("new-namespace");
  const container = new Observer("new-namespace");
  const host = new Observer("our-namespace");
  const close = async () => {
    await Promise.all([far, container, host].map((observer) => observer.close()));
  };
  try {
    await Promise.all([far.up(), container.up(), host.up()]);
    await wire(far.pid, container.pid);
    const sinks = [ADDRESS.sink4, ADDRESS.sink6];
    await far.open({
      tcp: [...sinks.flatMap((address) => SINK_PORTS.map((port) => [address, port] as const)), [ADDRESS.metadata4, 80]],
      udp: sinks.flatMap((address) => [
        ...[PORT.sink, 53, 443, 853].map((port) => [address, port] as const),
        [address, PORT.sink, 136] as const,
      ]),
      mptcp: [[ADDRESS.sink4, PORT.mptcp]],
      proxies: [PORT.proxy, 443].map((port) => [ADDRESS.allowed4, port] as const),
      capture: [ADDRESS.allowed4, ADDRESS.allowed6],
      zones: { "allowed.test": ADDRESS.allowed4, "*": ADDRESS.sink4 },
      secret,
    });
    const loopbacks = ["127.0.0.1", "::1"];
    const services = [PORT.loopback, PORT.ssh];
    await host.open({
      tcp: loopbacks.flatMap((address) => services.map((port) => [address, port] as const)),
      udp: loopbacks.map((address) => [address, PORT.loopback] as const),
      relays: [["127.0.0.1", PORT.relay, ADDRESS.sink4, PORT.sink]],
      unix: [
        ...sockets.map((path) => [path, "stream"] as const),
        ...plainSockets(folder),
        ["@sallyport-bypass", "stream"],
      ],
      netlink: PORT.netlink,
      spools: [`${folder}/spool-root`, `${folder}/spool-user`],
    });
    await container.open({
      tcp: loopbacks.flatMap((address) => services.map((port) => [address, port] as const)),
      udp: loopbacks.map((address) => [address, PORT.loopback] as const),
      relays: [["127.0.0.1", PORT.relay, ADDRESS.sink4, PORT.sink]],
      unix: [["@sallyport-bypass", "stream"]],
      netlink: PORT.netlink,
    });
    return { observers: { far, host, container }, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Fake daemons, by the names of the real sockets. */
export const SOCKETS = [
  "docker.sock",
  "containerd/containerd.sock",
  "podman/podman.sock",
  "libvirt/libvirt-sock",
  "systemd/private",
  "dbus/system_bus_socket",
  "postgresql/.s.PGSQL.5432",
  "mysqld/mysqld.sock",
] as const;

function plainSockets(folder: string): readonly (readonly [string, "stream" | "dgram" | "seqpacket"])[] {
  return [
    [`${folder}/run/stream.sock`, "stream"],
    [`${folder}/run/datagram.sock`, "dgram"],
    [`${folder}/run/packets.sock`, "seqpacket"],
  ];
}

/** A bridge in the sinks' namespace; the host and the containers each have one end in it. */
async function wire(farPid: number, containerPid: number): Promise<void> {
  await ip("link set lo up");
  await ip(`link add host0 type veth peer name h0 netns ${farPid}`);
  await inside(farPid, "link set lo up");
  await inside(farPid, `link add c0 type veth peer name eth0 netns ${containerPid}`);
  await inside(farPid, "link add br0 type bridge");
  for (const name of ["h0", "c0"]) await inside(farPid, `link set ${name} master br0 up`);
  for (const [address, bits] of [
    [ADDRESS.sink4, 24],
    [ADDRESS.allowed4, 24],
    [ADDRESS.metadata4, 32],
  ] as const) {
    await inside(farPid, `address add ${address}/${bits} dev br0`);
  }
  for (const address of [ADDRESS.sink6, ADDRESS.allowed6]) {
    await inside(farPid, `address add ${address}/64 dev br0 nodad`);
  }
  await inside(farPid, "link set br0 up");
  await ip(`address add ${ADDRESS.host4}/24 dev host0`);
  await ip(`address add ${ADDRESS.host6}/64 dev host0 nodad`);
  await ip("link set host0 up");
  await ip(`route add default via ${ADDRESS.sink4}`);
  await inside(containerPid, "link set lo up");
  await inside(containerPid, `address add ${ADDRESS.container4}/24 dev eth0`);
  await inside(containerPid, `address add ${ADDRESS.container6}/64 dev eth0 nodad`);
  await inside(containerPid, "link set eth0 up");
  await inside(containerPid, `route add default via ${ADDRESS.sink4}`);
  // Ping sockets and Fast Open on both ends; each namespace has these numbers of its own.
  const settings = ["net.ipv4.ping_group_range=0 2147483647", "net.ipv4.tcp_fastopen=7"];
  for (const pid of [process.pid, farPid, containerPid]) {
    await must("nsenter", ["--target", String(pid), "--net", "sysctl", "-q", "-w", ...settings]);
  }
}

function ip(words: string): Promise<void> {
  return must("ip", words.split(" "));
}

function inside(pid: number, words: string): Promise<void> {
  return must("nsenter", ["--target", String(pid), "--net", "ip", ...words.split(" ")]);
}

export async function must(file: string, args: readonly string[]): Promise<void> {
  const { code, stderr } = await capture(file, args);
  if (code !== 0) throw new Error(`${file} ${args.join(" ")} ended with ${code}: ${stderr}`);
}
