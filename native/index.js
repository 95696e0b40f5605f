// SPDX-License-Identifier: Apache-2.0
/**
 * Loads the addon and checks what is handed to it, so that the C++ side gets plain, valid values.
 * Documented in index.d.ts. Holds no state of its own.
 */
import { createRequire } from "node:module";
import { isIP } from "node:net";

/** Half of the map's capacity: new rows are added before old ones go. */
const DESTINATIONS_MAX = 32768;
const PORT_MAX = 65535;
const UINT32_MAX = 0xffffffff;
const UINT64_MAX = 0xffffffffffffffffn;
const BIRTHS_MAX = 64;
const GLOB_BYTES_MAX = 127;
const DOORS_MAX = 256;
/** sockaddr_un.sun_path, see unix(7). */
const UNIX_PATH_BYTES_MAX = 108;

const PROTOCOLS = { tcp: 6, udp: 17 };
const ACTIONS = { deny: 0, allow: 1, intercept: 2 };
const BIRTHS = { unit: 0, path: 1 };
const REASONS = { registered: 0, nameserver: 2, "egress-rule": 3 };
/** When a table names one destination twice. */
const RANK = { intercept: 2, deny: 1, allow: 0 };

export const NAMES_CONNECTION = UINT32_MAX;

const addon = load();

function load() {
  try {
    return createRequire(import.meta.url)("./build/Release/ebpf-loader.node");
  } catch (cause) {
    throw failure("SYSTEM", `Cannot load the addon: ${cause.message}`, {
      remedy: "Build it with `npm run build --workspace ebpf-loader`.",
      cause,
    });
  }
}

export class Interceptor {
  #binding;

  constructor({ cgroupRoot, pinDir, without = [] }) {
    this.#binding = new addon.InterceptorBinding({
      cgroupRoot: path("cgroupRoot", cgroupRoot),
      pinDir: path("pinDir", pinDir),
      without: without.map((name) => string("without", name)),
    });
    this.adopted = this.#binding.adopted();
  }

  tag(cgroupPath, agent) {
    return this.#binding.tag(path("cgroupPath", cgroupPath), integer("agent", agent, 1, UINT32_MAX));
  }

  untag(cgroupId) {
    return this.#binding.untag(bigint("cgroupId", cgroupId));
  }

  quarantine(agent, on) {
    this.#binding.quarantine(integer("agent", agent, 1, UINT32_MAX), on === true);
  }

  observe(agent, untilBootNs) {
    this.#binding.observe(integer("agent", agent, 1, UINT32_MAX), bigint("untilBootNs", untilBootNs));
  }

  pulse(forMs) {
    this.#binding.pulse(integer("forMs", forMs, 0, UINT32_MAX));
  }

  setBirths(all) {
    atMost("birth rules", all, BIRTHS_MAX);
    // the last of equal keys stays in a map: so the first rule is written last
    this.#binding.setBirths(all.map((birth, order) => [...birthRow(birth), order]).reverse());
  }

  setDoors(all, mountNamespaces) {
    atMost("doors", all, DOORS_MAX);
    atMost("mount namespaces", mountNamespaces, DOORS_MAX);
    return this.#binding.setDoors(
      all.map(doorRow),
      mountNamespaces.map((inode) => bigint("mount namespace", inode, BigInt(UINT32_MAX))),
    );
  }

  datagramOrigin(netnsCookie, sourceAddress, sourcePort) {
    const row = this.#binding.datagramOrigin(
      bigint("netnsCookie", netnsCookie),
      string("sourceAddress", sourceAddress),
      integer("sourcePort", sourcePort, 0, PORT_MAX),
    );
    return originOfRow(row, sourceAddress, sourcePort);
  }

  tags() {
    return this.#binding.tags();
  }

  setDestinations(all) {
    atMost("destinations", all, DESTINATIONS_MAX, "Replace single addresses by networks.");
    const ordered = all.toSorted((a, b) => RANK[a.action] - RANK[b.action]);
    this.#binding.setDestinations(ordered.map(destinationRow));
  }

  setListener(port, netnsCookie) {
    integer("port", port, 0, PORT_MAX);
    if (netnsCookie !== undefined) bigint("netnsCookie", netnsCookie);
    this.#binding.setListener(port, netnsCookie);
  }

  listeners() {
    return this.#binding.listeners();
  }

  accept(listenFd, onConnection) {
    callable("onConnection", onConnection);
    return this.#binding.accept(descriptor(listenFd), ([sourceAddress, sourcePort, row, fd]) =>
      onConnection({ fd, sourceAddress, sourcePort, origin: originOfRow(row, sourceAddress, sourcePort) }),
    );
  }

  events(onEvent) {
    return this.#binding.events(callable("onEvent", onEvent));
  }

  counters() {
    return this.#binding.counters();
  }

  sweepOrigins(ageMs) {
    return this.#binding.sweepOrigins(integer("ageMs", ageMs, 0, UINT32_MAX));
  }

  close() {
    this.#binding.close();
  }

  /** For originOf() below. */
  static originOf(interceptor, fd) {
    const [sourceAddress, sourcePort, row] = interceptor.#binding.originOf(descriptor(fd));
    return originOfRow(row, sourceAddress, sourcePort);
  }
}

/** In one turn: the rest of the loop wants to run, too. What is left of a round then comes first in the next turn. */
const ROUNDS_MAX = 8;
const TURN_MS_MAX = 20;

/** Reads sockets for whoever watches them, in one turn of the loop all that are ready. */
export class Receiver {
  #binding;
  #untilMs = 0;
  #row = new Uint32Array(3);
  #watched = new Map();

  constructor(round) {
    callable("round", round);
    const read = () => this.#read();
    this.#binding = new addon.ReceiverBinding(() => {
      this.#untilMs = performance.now() + TURN_MS_MAX;
      for (let rounds = 0; rounds < ROUNDS_MAX && this.#hasTime() && this.#binding.begin(); rounds++) round(read);
    }, this.#row);
  }

  watch(fd, buffer, received) {
    callable("received", received);
    const id = this.#binding.watch(descriptor(fd), room(buffer));
    this.#watched.set(id, received);
    return id;
  }

  readInto(id, buffer) {
    this.#binding.readInto(integer("id", id, 0, UINT32_MAX), room(buffer));
  }

  unwatch(id) {
    this.#watched.delete(id);
    this.#binding.unwatch(integer("id", id, 0, UINT32_MAX));
  }

  #hasTime() {
    return performance.now() < this.#untilMs;
  }

  #read() {
    while (this.#hasTime() && this.#binding.next()) {
      const id = this.#row[0];
      const count = this.#row[1];
      const received = this.#watched.get(id);
      if (count === 0) this.#watched.delete(id);
      received?.(count, this.#row[2]);
    }
  }
}

/** What is open in a form, as relay_binding.cc has it. */
const PLACES = { integer: 0, value: 1, int2: 2, int4: 3, int8: 4 };

export class Relay {
  #binding;

  constructor({ giveBack, vouch, decide }) {
    callable("giveBack", giveBack);
    const asked = [callable("vouch", vouch), callable("decide", decide)];
    this.#binding = new addon.RelayBinding(([flow, why]) => giveBack(flow, why), ...asked);
  }

  permit({ request, answer, hasRows, leaves, text, action, decision, isWordless, isAsked }) {
    return this.#binding.permit(
      request.map(({ type, parts }) => [
        integer("type", type, 0, 255),
        parts.map((part) => (typeof part === "string" ? member("place", part, PLACES) : bytes("part", part))),
      ]),
      answer.map((message) => bytes("answer", message)),
      hasRows === true,
      Buffer.from(string("text", text)),
      bytes("action", action),
      bytes("decision", decision),
      isWordless === true,
      leaves === true,
      isAsked === true,
    );
  }

  lend({ client, server, tail, lastAskId, forMs, permits }) {
    const { fd, size, sizeMax, sequence, link } = tail;
    return this.#binding.lend(
      [descriptor(client), descriptor(server)],
      [descriptor(fd), counted("size", size), counted("sizeMax", sizeMax), counted("sequence", sequence), linkOf(link)],
      counted("lastAskId", lastAskId),
      integer("forMs", forMs, 0, UINT32_MAX),
      permits,
    );
  }

  take(flow) {
    return this.#binding.take(integer("flow", flow, 0, UINT32_MAX));
  }

  settle(flow) {
    return this.#binding.settle(integer("flow", flow, 0, UINT32_MAX));
  }

  tail(flow) {
    return this.#binding.tail(integer("flow", flow, 0, UINT32_MAX));
  }

  totals(flow) {
    return this.#binding.totals(integer("flow", flow, 0, UINT32_MAX));
  }

  close() {
    this.#binding.close();
  }
}

export function removePinned(pinDir) {
  return addon.removePinned(path("pinDir", pinDir));
}

export function originOf(interceptor, fd) {
  return Interceptor.originOf(interceptor, fd);
}

export function peerOf(fd) {
  return addon.peerOf(descriptor(fd));
}

export function listenIn(netns, address, port, backlog) {
  if (netns !== null) path("netns", netns);
  if (isIP(address) === 0) throw new TypeError(`Cannot listen on ${address}: it is not an address`);
  return addon.listenIn(netns, address, integer("port", port, 0, PORT_MAX), integer("backlog", backlog, 1, PORT_MAX));
}

export function bindIn(netns, address, port) {
  if (netns !== null) path("netns", netns);
  if (isIP(address) === 0) throw new TypeError(`Cannot bind ${address}: it is not an address`);
  return addon.bindIn(netns, address, integer("port", port, 0, PORT_MAX));
}

export function destroySockets(netns, cgroupIds, which, only) {
  if (netns !== null) path("netns", netns);
  const all = member("which", which, { connected: false, all: true });
  return addon.destroySockets(
    netns,
    cgroupIds.map((id) => bigint("cgroupId", id)),
    all,
    only === undefined ? undefined : [only.gone.map(reachRow), only.kept.map(reachRow)],
  );
}

export function netnsCookie(fd) {
  return addon.netnsCookie(fd === undefined ? undefined : descriptor(fd));
}

export function notify(state, fds = []) {
  return addon.notify(string("state", state), fds.map(descriptor));
}

/** Called for every answer: nothing is checked here that the kernel checks. */
export function send(fd, bytes) {
  return addon.send(fd, bytes);
}

export function sendAll(bytes, rows, count) {
  let needed = 0;
  for (let at = 0; at < count; at++) needed += rows[3 * at + 1];
  if (!(needed <= bytes.length)) throw new RangeError("The rows name more than there is");
  addon.sendAll(bytes, rows, count);
}

export function probe(cgroupRoot) {
  return addon.probe(path("cgroupRoot", cgroupRoot));
}

/** In the order of origin_to_js() in native/src/events.cc. */
function originOfRow(row, sourceAddress, sourcePort) {
  if (row === undefined) return undefined;
  const [family, address, port, netnsCookie, cgroupId, tagCgroupId, agent, connection, pid, uid, comm, bootNs] = row;
  return {
    family,
    address,
    port,
    sourceAddress,
    sourcePort,
    netnsCookie,
    cgroupId,
    tagCgroupId,
    agent,
    connection,
    pid,
    uid,
    comm,
    bootNs,
  };
}

function reachRow({ address, prefix, port, protocol }) {
  const family = isIP(address);
  if (family === 0) throw new TypeError(`Cannot use destination ${address}: it is not an address`);
  if (family === 6 && address.includes("."))
    throw new TypeError(`Cannot use destination ${address}: write IPv4 destinations as IPv4`);
  return [
    address,
    integer("prefix", prefix, 0, family === 4 ? 32 : 128),
    integer("port", port, 0, PORT_MAX),
    member("protocol", protocol, PROTOCOLS),
  ];
}

function destinationRow({ action, reason, connection, ...reach }) {
  return [
    ...reachRow(reach),
    member("action", action, ACTIONS),
    member("reason", reason, REASONS),
    integer("connection", connection, 0, NAMES_CONNECTION - 1),
  ];
}

function birthRow({ kind, glob, agent }) {
  const bytes = Buffer.byteLength(string("glob", glob));
  if (bytes === 0 || bytes > GLOB_BYTES_MAX || glob.includes("\0"))
    throw new TypeError(`Cannot use glob ${glob}: it needs 1 to ${GLOB_BYTES_MAX} bytes without a NUL`);
  return [member("kind", kind, BIRTHS), glob, integer("agent", agent, 1, UINT32_MAX)];
}

/** The path as the kernel sees it: an abstract name begins with a NUL. */
function doorRow(door) {
  const prefix = string("door", door).endsWith("*");
  const name = prefix ? door.slice(0, -1) : door;
  if (!/^[/@]/u.test(name) || name.includes("*") || name.includes("\0") || (name === "@" && !prefix))
    throw new TypeError(`Cannot open door ${door}: write /path, /folder/*, @name or @name*`);
  if (name.startsWith("/") && name.split("/").includes(".."))
    throw new TypeError(`Cannot open door ${door}: it has a part ".."`);
  if (Buffer.byteLength(name) > UNIX_PATH_BYTES_MAX)
    throw new TypeError(`Cannot open door ${door}: a path of a socket has at most ${UNIX_PATH_BYTES_MAX} bytes`);
  return [name.replace(/^@/u, "\0"), prefix];
}

function atMost(what, all, max, remedy = "Join some of them.") {
  if (all.length <= max) return;
  throw failure("MAP_FULL", `Cannot set ${all.length} ${what}: at most ${max} fit`, { feature: what, remedy });
}

function integer(name, value, min, max) {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new RangeError(`Cannot use ${name} ${value}: it is not a whole number from ${min} to ${max}`);
}

function descriptor(value) {
  return integer("descriptor", value, 0, 0x7fffffff);
}

function counted(name, value) {
  return integer(name, value, 0, Number.MAX_SAFE_INTEGER);
}

function bytes(name, value) {
  if (value instanceof Uint8Array) return value;
  throw new TypeError(`Cannot use ${name}: it is not bytes`);
}

function room(buffer) {
  if (bytes("buffer", buffer).length > 0) return buffer;
  throw new RangeError("Cannot use buffer: it has no room");
}

function linkOf(value) {
  if (typeof value === "string" && value.length === 32) return value;
  throw new TypeError("Cannot use link: it is not a hash of 32 characters");
}

function bigint(name, value, max = UINT64_MAX) {
  if (typeof value === "bigint" && value >= 0n && value <= max) return value;
  throw new TypeError(`Cannot use ${name} ${value}: it is not a bigint from 0 to ${max}`);
}

function string(name, value) {
  if (typeof value === "string") return value;
  throw new TypeError(`Cannot use ${name}: it is not a string`);
}

function path(name, value) {
  if (string(name, value).startsWith("/") && !value.includes("\0")) return value.replace(/(?<=.)\/+$/u, "");
  throw new TypeError(`Cannot use ${name} ${value}: it is not an absolute path`);
}

function callable(name, value) {
  if (typeof value === "function") return value;
  throw new TypeError(`Cannot use ${name}: it is not a function`);
}

function member(name, value, table) {
  if (Object.hasOwn(table, value)) return table[value];
  throw new TypeError(`Cannot use ${name} ${value}: it is none of ${Object.keys(table).join(", ")}`);
}

function failure(code, message, { remedy, feature, cause }) {
  const error = new Error(message, { cause });
  error.name = "LoaderError";
  return Object.assign(error, { code, remedy }, feature === undefined ? {} : { feature });
}
