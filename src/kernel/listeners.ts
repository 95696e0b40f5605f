/**
 * The sockets of one network namespace: TCP and UDP on its loopback addresses, all on one port, opened there or
 * handed over by a service manager. Knows no tags and no agents.
 */
import { closeSync } from "node:fs";
import { type Accepted, bindIn, type Interceptor, listenIn, netnsCookie } from "ebpf-loader";
import { messageOf } from "../base/errors.ts";
import { ACCEPT_QUEUE_MAX } from "../base/limits.ts";
import { type OnQuery, openQueryPort, type QueryCounts } from "./queries.ts";

export interface Handlers {
  readonly onConnection: (accepted: Accepted) => void;
  /** A datagram to port 53. */
  readonly onQuery: OnQuery;
}

export type SocketKind = "tcp4" | "tcp6" | "udp4" | "udp6";

/** A listener as a service manager knows it. */
export interface NamedDescriptor {
  /** "tcp4", or "tcp4-<cookie>" outside of the daemon's own namespace. */
  readonly name: string;
  readonly fd: number;
}

export type Descriptors = ReadonlyMap<SocketKind, number>;

const KINDS: readonly SocketKind[] = ["tcp4", "tcp6", "udp4", "udp6"];

/** How "::1" fails where IPv6 is off, and "127.0.0.1" where lo is down: EADDRNOTAVAIL, EAFNOSUPPORT. */
export function isAddressMissing(error: unknown): boolean {
  return /\(errno (97|99)\)/.test(messageOf(error));
}

/** SO_NETNS_COOKIE of a namespace that is given by a path, found by a socket made inside. */
export function cookieOf(netns: string): bigint {
  const fd = bindIn(netns, "0.0.0.0", 0);
  try {
    return netnsCookie(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Opens what is not in `given`, which it takes over. Throws LoaderError, with everything closed; where IPv6 is off,
 * there is nothing on ::1, and what is dialled by IPv6 fails.
 */
export function openDescriptors(netns: string | null, port: number, given: Descriptors): Descriptors {
  const all = new Map(given);
  try {
    for (const kind of KINDS) {
      if (all.has(kind)) continue;
      const address = kind.endsWith("4") ? "127.0.0.1" : "::1";
      try {
        all.set(
          kind,
          kind.startsWith("tcp") ? listenIn(netns, address, port, ACCEPT_QUEUE_MAX) : bindIn(netns, address, port),
        );
      } catch (error) {
        if (address !== "::1" || !isAddressMissing(error)) throw error;
      }
    }
    return all;
  } catch (error) {
    for (const fd of all.values()) closeSync(fd);
    throw error;
  }
}

/** Listens until `close`; the descriptors are its own then. */
export class Listeners {
  readonly cookie: bigint;
  readonly #descriptors: Descriptors;
  readonly #stops: { close(): void }[] = [];
  #isClosed = false;

  constructor(
    parts: {
      readonly interceptor: Pick<Interceptor, "accept" | "datagramOrigin">;
      readonly cookie: bigint;
      readonly descriptors: Descriptors;
      readonly counts: QueryCounts;
    },
    { onConnection, onQuery }: Handlers,
  ) {
    const { interceptor, cookie, descriptors, counts } = parts;
    this.cookie = cookie;
    this.#descriptors = descriptors;
    const originOf = (address: string, port: number) => interceptor.datagramOrigin(cookie, address, port);
    for (const [kind, fd] of descriptors) {
      this.#stops.push(
        kind === "udp4" || kind === "udp6"
          ? openQueryPort(fd, kind, { originOf, onQuery, counts })
          : interceptor.accept(fd, onConnection),
      );
    }
  }

  /** For a service manager that keeps them open over a restart. */
  named(suffix: string): NamedDescriptor[] {
    return this.#isClosed ? [] : [...this.#descriptors].map(([kind, fd]) => ({ name: `${kind}${suffix}`, fd }));
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const stop of this.#stops) stop.close(); // those of UDP close their descriptors
    for (const [kind, fd] of this.#descriptors) {
      if (kind.startsWith("tcp")) closeSync(fd);
    }
  }
}
