/**
 * ebpf-loader: loads Sallyport's BPF programs, owns their handles, and gives Node the few socket
 * calls that it lacks. Addresses cross as text ("192.0.2.1", "2001:db8::1"), ports as host-order
 * numbers, 64-bit kernel ids as bigint.
 */

/** Thrown by every call below. `code` is stable; `remedy` is a sentence for a human. */
export interface LoaderError extends Error {
  /**
   * KERNEL_FEATURE, KERNEL_OLD, BTF_MISSING, BPFFS_MISSING, CGROUP2_MISSING, CGROUP_NAMESPACE, PRIVILEGE,
   * LAYOUT (pinned by another version), VERIFIER, CGROUP_DEPTH, MAP_FULL, PORT_IN_USE, SYSTEM (errno in the message).
   */
  readonly code: string;
  /** What was asked of the kernel, e.g. "cgroup/connect4", "map sk_storage". */
  readonly feature?: string;
  readonly remedy: string;
  /** The last lines of the verifier's log, where it spoke. */
  readonly verifierLog?: string;
}

export interface OpenOptions {
  /** The root of the cgroup2 mount, e.g. "/sys/fs/cgroup/unified"; its inode must be 1 (the host's real root). */
  readonly cgroupRoot: string;
  /**
   * A folder on bpffs that is ours alone; made if missing. Pins found there are adopted. A missing bpffs is mounted
   * if the folder lies below /sys/fs/bpf.
   */
  readonly pinDir: string;
  /** Program names not to attach, e.g. ["getpeername4"]: for the control runs of tests only. */
  readonly without?: readonly string[];
}

/** What the kernel remembered of one redirected connection. */
export interface Origin {
  readonly family: 4 | 6; // of the address that the agent dialled; v4-mapped counts as 4
  readonly address: string; // dialled, v4-mapped written as plain IPv4
  readonly port: number;
  readonly sourceAddress: string;
  readonly sourcePort: number;
  readonly netnsCookie: bigint;
  readonly cgroupId: bigint; // of the task that connected
  readonly tagCgroupId: bigint; // the tagged ancestor that matched
  readonly agent: number; // the slot given to tag()
  readonly connection: number; // the value of the destination that matched
  readonly pid: number; // process id (tgid) in the init pid namespace
  readonly uid: number;
  readonly comm: string;
  readonly bootNs: bigint; // CLOCK_BOOTTIME-like ktime of the connect
}

/** Why a flow was redirected or allowed. */
export type PermitReason = "registered" | "own-listener" | "nameserver" | "egress-rule";

/** Why something was refused; "egress-rule" also refuses, where the rule says deny. */
export type RefusalReason =
  | "egress-rule"
  | "unlisted"
  | "quarantined"
  | "no-listener"
  | "no-storage"
  | "our-listener"
  | "socket-kind"
  | "listener-port"
  | "not-admitted";

/**
 * One record of the ring buffer. A packet ("backstop") has no calling task: pid, uid and comm are those of its socket's
 * last redirect, 0 and "" if there was none; agent is 0 if the socket was never seen before (made before the tag).
 * "deny" with "no-storage" is also told when an origin could not be published: that connection will be accepted without.
 */
export interface KernelEvent {
  readonly kind: "redirect" | "allow" | "deny" | "backstop" | "socket" | "bind";
  readonly reason: PermitReason | RefusalReason;
  readonly agent: number; // 0: an untagged task (only for "our-listener")
  readonly cgroupId: bigint;
  readonly pid: number;
  readonly uid: number;
  readonly comm: string;
  readonly protocol: number; // IPPROTO_*
  readonly socketFamily: number; // AF_*
  readonly socketType: number; // SOCK_*
  readonly address: string;
  readonly port: number;
  readonly bootNs: bigint;
}

/**
 * What the kernel does with an outbound flow of a tagged agent. The longest prefix wins; port 0 stands for every port.
 * On equal prefixes: intercept of the very port, deny, intercept of every port, allow. Host bits are ignored; IPv4 is
 * written as IPv4 and covers v4-mapped dials; an IPv6 prefix never speaks for IPv4. UDP that is intercepted goes to the
 * same port number as TCP, and its answers get their source restored (of the socket's last redirected datagram).
 */
export interface Destination {
  readonly address: string; // IPv4 or IPv6
  readonly prefix: number; // bits of that address's own family
  readonly port: number; // 0 = any
  readonly protocol: "tcp" | "udp";
  readonly action: "intercept" | "allow" | "deny";
  readonly reason: "registered" | "nameserver" | "egress-rule";
  readonly connection: number; // handed back in Origin.connection
}

export interface Accepted {
  readonly fd: number; // non-blocking, close-on-exec, TCP_NODELAY set; the callee owns it
  readonly sourceAddress: string;
  readonly sourcePort: number;
  /** Undefined: nobody redirected this connection; close it and record. */
  readonly origin: Origin | undefined;
}

export interface Counters {
  readonly redirected: bigint;
  readonly allowed: bigint;
  readonly denied: bigint;
  readonly backstop: bigint;
  readonly eventsLost: bigint;
  readonly originsFull: bigint;
}

/** Owns the BPF object, its links and maps, the ring buffer and the accept loops. One per process is enough. */
export class Interceptor {
  /** Opens, loads, pins and attaches; or adopts what a former daemon pinned and swaps the programs atomically. */
  constructor(options: OpenOptions);
  readonly adopted: boolean;

  /**
   * Puts a cgroup (host path, at most 15 levels deep, never the root) under protection and attaches the egress filter
   * to it. The deepest tag wins. `agent` is a slot above 0. Returns the cgroup id. Connections that were open before are
   * cut by the filter, since no hook admitted them; sockets that a process brings along from another cgroup are not.
   */
  tag(cgroupPath: string, agent: number): bigint;
  /** Ends it, by id, also when the folder is already gone. False if it was not tagged. */
  untag(cgroupId: bigint): boolean;
  /**
   * Denies everything new of that agent slot, or lifts it. Flows that were only allowed are cut per packet; redirected
   * ones stay open towards the listener, so that the daemon can end them in their own protocol.
   */
  quarantine(agent: number, on: boolean): void;
  /** What is tagged now, from the kernel's own map (survives a restart). */
  tags(): { cgroupId: bigint; agent: number }[];
  /** Replaces the destination table, at most 32,768 rows: what is new is added before what is gone is removed. */
  setDestinations(all: readonly Destination[]): void;
  /** Tells connect4/6 which port listens in a network namespace (the caller's own by default). Port 0 forgets it. */
  setListener(port: number, netnsCookie?: bigint): void;

  /**
   * Accepts on a listening fd (from listenIn) and claims each connection's origin in the same turn. The listening fd
   * stays the caller's, to be closed after close(). Out of descriptors, connections are accepted and closed unseen.
   * Keeps the process and the Interceptor alive until close(), like events().
   */
  accept(listenFd: number, onConnection: (accepted: Accepted) => void): { close(): void };
  /** Calls back for every ring-buffer record. Only one subscriber per pinDir, also across processes: reading consumes. */
  events(onEvent: (event: KernelEvent) => void): { close(): void };
  counters(): Counters;
  /** Deletes origins that nobody claimed for `ageMs`; returns how many. */
  sweepOrigins(ageMs: number): number;
  /** Lets go of every handle; pins and links stay, so tagged agents stay guarded. */
  close(): void;
}

/** Unpins and detaches everything under pinDir, then removes the folder. Returns what it removed, for display. */
export function removePinned(pinDir: string): string[];
/** The origin of an accepted socket, claimed (and deleted) once. For listeners that Node accepts on itself. */
export function originOf(interceptor: Interceptor, fd: number): Origin | undefined;
/**
 * Who is at the other end of a Unix socket. `cgroup` is the v2 path ("/a/b"), read while a pidfd of that very
 * process was held; null if the process is gone (treat as hostile). Source: unix(7) SO_PEERCRED, SO_PEERPIDFD.
 */
export function peerOf(fd: number): { pid: number; uid: number; gid: number; cgroup: string | null };
/**
 * A listening TCP socket, made inside a network namespace by a native thread of its own. `netns`: a path
 * ("/proc/123/ns/net") or null for the caller's own. IPv6 sockets are v6-only.
 */
export function listenIn(netns: string | null, address: string, port: number, backlog: number): number;
/** SO_NETNS_COOKIE of a socket's network namespace, or of the caller's own when no fd is given. */
export function netnsCookie(fd?: number): bigint;
/** sd_notify(3) with optional descriptors (SCM_RIGHTS). False when NOTIFY_SOCKET is not set. */
export function notify(state: string, fds?: readonly number[]): boolean;
/** Each kernel feature we need, tried one by one. For `doctor` and for start-up. */
export function probe(
  cgroupRoot: string,
): { feature: string; ok: boolean; needs: string; found: string; remedy: string }[];
