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
export type PermitReason = "registered" | "own-listener" | "nameserver" | "egress-rule" | "door";

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
  | "not-admitted"
  /** A Unix socket that no door opens. */
  | "no-door"
  /**
   * A socket option that makes the kernel send by itself or another way (group memberships, source routes, extension
   * headers, policies of IPsec): kind "socket", with the option's level as `protocol` and its number as `port`. Or a
   * packet with such headers: kind "backstop".
   */
  | "socket-option"
  /** A packet that goes neither to its socket's peer nor to an allowed destination: NAT led it elsewhere. */
  | "turned"
  /** DNS over TLS or QUIC (port 853), which nobody could judge. */
  | "sealed-names"
  /** The daemon has not given a sign of life for as long as it said: see pulse(). */
  | "daemon-silent";

/**
 * One record of the ring buffer. A packet ("backstop") has no calling task: pid, uid and comm are those of its socket's
 * last redirect, 0 and "" if there was none; agent is 0 if the socket was never seen before (made before the tag).
 * "deny" with "no-storage" is also told when an origin could not be published: that connection will be accepted without.
 */
export interface KernelEvent {
  /**
   * "born": a new cgroup was tagged by a birth rule; cgroupId and agent say which, pid and comm who made it. Its reason is
   * "registered", or "no-storage" if the tags were full: then it is not tagged. "unix": a connect or datagram to a Unix
   * socket, let through ("door") or refused; `path` says where to. The rest are the hook's names.
   */
  readonly kind: "redirect" | "allow" | "deny" | "backstop" | "socket" | "bind" | "born" | "unix";
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
  /**
   * It passed, and would have been refused, had the agent not been observed: `reason` is the refusal's. Kinds "allow",
   * "socket", "unix", and "backstop" (once per socket).
   */
  readonly observed: boolean;
  /** Of the task, 0 for packets and births: to find the namespace that has no listener. */
  readonly netnsCookie: bigint;
  /** Kind "unix" only, else "": the path as it was given, "@name" for an abstract one; at most 108 bytes, any of them. */
  readonly path: string;
}

/**
 * Origin.connection of every DNS query of a tagged agent, UDP or TCP (port 53), whatever the destination table says; only
 * a row that intercepts port 53 of that very address comes first. Port 853 is refused but for such a row.
 */
export const NAMES_CONNECTION: number;

/**
 * Which cgroups are tagged in the moment they are made, by the kernel, before a process can be in them. Globs: `*` is any
 * run of characters but "/", the rest stands for itself.
 * "unit": the last part of the path matches and every part above it ends in ".slice", the first not being "user.slice":
 * only the system's service manager makes such. "path": the whole v2 path, from the host's root, matches. Of several rules
 * that match, the first wins. What a tagged agent makes is its own: untouched below its tag, else tagged as itself.
 */
export interface Birth {
  readonly kind: "unit" | "path";
  /** At most 127 bytes. */
  readonly glob: string;
  readonly agent: number;
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

/** Where a flow goes. */
export type Reach = Pick<Destination, "address" | "prefix" | "port" | "protocol">;

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
  /**
   * Opens, loads, pins and attaches; or adopts what a former daemon pinned and swaps the programs atomically. Also what an
   * older version pinned: open flows, tags and quarantines live on, and no moment goes unguarded. LAYOUT: a newer version's.
   */
  constructor(options: OpenOptions);
  readonly adopted: boolean;

  /**
   * Puts a cgroup (host path, at most 15 levels deep, never the root) under protection and attaches the filters of
   * packets and of socket options to it. The deepest tag wins. `agent` is a slot above 0. Returns the cgroup id. Connections that were open before are
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
  /**
   * Until that moment (CLOCK_BOOTTIME, ns; 0n ends it now) nothing of that agent slot is refused that a rule would
   * refuse: unlisted addresses, socket kinds, doors, sealed names. Each such event is marked `observed`. What is registered
   * is redirected all the same, the listener's port stays forbidden, and quarantine wins. Ends by itself, daemon or not,
   * and with it every flow that passed only because of it.
   */
  observe(agent: number, untilBootNs: bigint): void;
  /**
   * Replaces the birth rules, at most 64. They are pinned: cgroups born while no daemon runs are tagged, too. The kernel
   * cannot attach the egress filter: tag() on each "born" event does (until then, hooks guard, but a connected UDP socket
   * has no datagramOrigin); adoption does so for what was born meanwhile, and untags what is gone again.
   */
  setBirths(all: readonly Birth[]): void;
  /**
   * Replaces the Unix sockets that tagged agents may reach, at most 256; every other is refused, also sockets of their
   * own. "/run/x.sock" is that path exactly as the agent writes it; "/run/x/*" everything that begins so, without a part
   * ".."; "@name" and "@name*" abstract ones. Only tasks in the mount namespace `mountNamespaces` names (st_ino of
   * /proc/PID/ns/mnt) get "/" doors: in a namespace of its own making, an agent decides what a path leads to.
   * Socket pairs and descriptors passed along are not connects and stay. Kernels before 6.7 cannot judge these: false.
   */
  setDoors(all: readonly string[], mountNamespaces: readonly bigint[]): boolean;
  /**
   * A sign of life: from now on until `forMs` have passed, redirects go on; after that, connects that would be
   * redirected are refused ("daemon-silent") until the next sign. 0: the listeners are held by somebody else
   * (a service manager), so clients may wait for ever. Before the first call nothing is refused for it.
   */
  pulse(forMs: number): void;
  /**
   * Whose datagram the daemon's UDP socket just received: the last one from that source, not consumed. Undefined: nobody
   * redirected it; drop it.
   */
  datagramOrigin(netnsCookie: bigint, sourceAddress: string, sourcePort: number): Origin | undefined;
  /** What is tagged now, from the kernel's own map (survives a restart). */
  tags(): { cgroupId: bigint; agent: number }[];
  /** Replaces the destination table, at most 32,768 rows: what is new is added before what is gone is removed. */
  setDestinations(all: readonly Destination[]): void;
  /** Tells connect4/6 which port listens in a network namespace (the caller's own by default). Port 0 forgets it. */
  setListener(port: number, netnsCookie?: bigint): void;
  /** Which port was told for which network namespace, from the kernel's own map (survives a restart). */
  listeners(): { netnsCookie: bigint; port: number }[];

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
/** A standing permit in the addon's memory; lives as long as it is held, here or by a flow. */
export interface RelayPermit {
  readonly kind: unique symbol;
}

/** What a standing permit covers and how it is recorded. Kinds of parts: src/model/form.ts. */
export interface RelayPermitSpec {
  readonly request: readonly {
    readonly type: number;
    readonly parts: readonly (Uint8Array | "integer" | "value" | "int2" | "int4" | "int8")[];
  }[];
  readonly answer: readonly Uint8Array[];
  readonly hasRows: boolean;
  /** "": the text of the Query itself. */
  readonly text: string;
  readonly action: Uint8Array;
  readonly decision: Uint8Array;
  /** No word in the Query's text says what a number is: only numbers that tell by themselves are asked about. Absent: one may. */
  readonly isWordless?: boolean;
  /** What a group of it leaves behind is told by `left`. */
  readonly leaves?: boolean;
  /** `decide` has the word on each group. */
  readonly isAsked?: boolean;
}

/** The end of a recording's segment file; `link` is a SHA-256 as a text of 32 characters below 256. */
export interface RelayTail {
  readonly size: number;
  readonly sequence: number;
  readonly link: string;
  readonly isBroken: boolean;
}

export interface RelayLoan {
  /** Plain TCP that nobody else reads or writes until `take`. The descriptors stay their owners'. */
  readonly client: number;
  readonly server: number;
  /** `fd`: opened with O_APPEND. */
  readonly tail: Omit<RelayTail, "isBroken"> & { readonly fd: number; readonly sizeMax: number };
  readonly lastAskId: number;
  /** The flow comes back with the first bytes after so many milliseconds. */
  readonly forMs: number;
  /** Compared in their order. */
  readonly permits: readonly RelayPermit[];
}

/** Of one flow since it was lent. */
export interface RelayTotals {
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly asks: number;
  /** Of answers that are in the recording. */
  readonly rows: number;
  /** Asks by permit. */
  readonly asked: readonly number[];
  /** Answers by the time they took: [n] counts those below 2^n microseconds. */
  readonly took: readonly number[];
}

export interface RelayReturned {
  readonly tail: RelayTail;
  readonly totals: RelayTotals;
  readonly inFlight: readonly {
    readonly permit: number;
    readonly askId: number;
    readonly bytes: Buffer;
    readonly step: number;
    readonly rows: number;
    readonly rowBytes: number;
    readonly isComplete: boolean;
    readonly outcome: string;
  }[];
  /** The permit of the last answered group that `leaves` something. */
  readonly left: number | undefined;
  /** Not in the recording yet. */
  readonly answers: readonly {
    readonly askId: number;
    readonly rows: number;
    readonly bytes: number;
    readonly outcome: string;
  }[];
  /** Read, and not looked at. */
  readonly fromClient: Buffer;
  readonly fromServer: Buffer;
  /** Allowed to go, and not taken by the kernel. */
  readonly toClient: Buffer;
  readonly toServer: Buffer;
  /** Bytes of a row that still pass as they are. */
  readonly passing: number;
  /** Byte of the last ReadyForQuery; 0: there was none. */
  readonly status: number;
  /** Some ReadyForQuery said that no transaction was open. */
  readonly wasIdle: boolean;
}

/** Carries what standing permits cover between two sockets, on this thread between its turns; see native/src/relay.h. */
export class Relay {
  constructor(owner: {
    /** The flow met what it does not know ("unknown", "answer"), an end ("ended"), or a limit; to be taken back. Nothing moves in it any more. */
    giveBack(flow: number, why: string): void;
    /** Whether a text or value may be recorded as it is. `take` and `settle` throw meanwhile. What it throws is a no. */
    vouch(flow: number, permit: number, text: string): boolean;
    /**
     * Whether a group that this permit covers, and that `isAsked` says so of, may go under this id. The same group may be asked
     * about again by a session where the file does not take it. As `vouch` otherwise.
     */
    decide(flow: number, permit: number, askId: number, group: Buffer): boolean;
  });
  permit(spec: RelayPermitSpec): RelayPermit;
  lend(loan: RelayLoan): number;
  /** Undefined: it is not lent. */
  take(flow: number): RelayReturned | undefined;
  /** Records answers that wait. False: the disk does not take them, or the segment is full. */
  settle(flow: number): boolean;
  tail(flow: number): RelayTail | undefined;
  totals(flow: number): RelayTotals | undefined;
  /** Flows that are lent must have been taken. */
  close(): void;
}

/**
 * Reads sockets that others own; see native/src/receiver.h. One turn of the loop reads all that are ready, some of them more
 * than once, in rounds, for 20 ms and what the last of them takes; the rest comes first in the next turn.
 */
export class Receiver {
  /** `round` calls `read` once, which calls `received` of all that are ready now and have a turn still. */
  constructor(round: (read: () => void) => void);
  /**
   * Reads `fd` into `buffer` and says how much came; 0: the peer has ended, or the connection broke with `errno` (else 0), and
   * nothing is watched any more. Keeps the process alive until then. What `received` throws is an uncaught exception.
   * Throws errno errors.
   */
  watch(fd: number, buffer: Uint8Array, received: (count: number, errno: number) => void): number;
  /** From the next read on. */
  readInto(id: number, buffer: Uint8Array): void;
  /** Before the descriptor is closed. */
  unwatch(id: number): void;
}

/** send(2) without waiting, and without a signal. How much left; 0 where nothing could, for whatever reason. */
export function send(fd: number, bytes: Uint8Array): number;
/**
 * The same for `count` sockets, each with a row of three: its descriptor, how many of `bytes`, one after the other, are for
 * it, and afterwards how many left. Once some did not, none of the same socket does: the order stays. Throws RangeError
 * where the rows or bytes are fewer than that.
 */
export function sendAll(bytes: Uint8Array, rows: Uint32Array, count: number): void;
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
/** As listenIn, but a bound UDP socket (for `dgram.Socket.bind({fd})`), non-blocking. */
export function bindIn(netns: string | null, address: string, port: number): number;
/**
 * Destroys (RST, no waiting) TCP and UDP sockets that were made in one of these cgroups, in one network namespace. "connected"
 * leaves listeners and unconnected UDP; "all" takes everything. Source: sock_diag(7), SOCK_DESTROY. Descendants must be named.
 * `unable`: how many were found that the kernel would not destroy (CONFIG_INET_DIAG_DESTROY). `only`: no others than
 * those whose other end is in a row of `gone` and in none of `kept`.
 */
export function destroySockets(
  netns: string | null,
  cgroupIds: readonly bigint[],
  which: "connected" | "all",
  only?: { readonly gone: readonly Reach[]; readonly kept: readonly Reach[] },
): { destroyed: number; unable: number };
/** SO_NETNS_COOKIE of a socket's network namespace, or of the caller's own when no fd is given. */
export function netnsCookie(fd?: number): bigint;
/** sd_notify(3) with optional descriptors (SCM_RIGHTS). False when NOTIFY_SOCKET is not set. */
export function notify(state: string, fds?: readonly number[]): boolean;
/** Each kernel feature we need, tried one by one. For `doctor` and for start-up. */
export function probe(
  cgroupRoot: string,
): { feature: string; ok: boolean; needs: string; found: string; remedy: string }[];
