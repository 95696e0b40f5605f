/** Listeners that a service manager kept while no daemon ran. Whatever nobody takes is closed, so that it keeps no namespace. */
import { closeSync } from "node:fs";
import { netnsCookie } from "ebpf-loader";
import type { Descriptors, NamedDescriptor, SocketKind } from "./listeners.ts";
import { type Place, portOf } from "./netns.ts";

export class Inherited {
  /** By what the socket itself says of its namespace; a name may lie. */
  readonly #byCookie = new Map<bigint, Map<SocketKind, number>>();

  constructor(all: readonly NamedDescriptor[]) {
    for (const { name, fd } of all) {
      const kind = kindOf(name);
      const cookie = kind === undefined ? undefined : cookieOfSocket(fd);
      const known = cookie === undefined ? undefined : (this.#byCookie.get(cookie) ?? new Map<SocketKind, number>());
      if (kind === undefined || cookie === undefined || known === undefined || known.has(kind)) {
        closeSync(fd);
        continue;
      }
      known.set(kind, fd);
      this.#byCookie.set(cookie, known);
    }
  }

  /** Those of one namespace, in which `place` lives. One on another port, from older settings, is closed. */
  take(cookie: bigint, port: number, place: Place): Descriptors {
    const taken = new Map<SocketKind, number>();
    for (const [kind, fd] of this.#byCookie.get(cookie) ?? []) {
      if (portOf(fd, place) === port) taken.set(kind, fd);
      else closeSync(fd);
    }
    this.#byCookie.delete(cookie);
    return taken;
  }

  /** Of the namespaces whose listeners nobody has taken yet. */
  cookies(): readonly bigint[] {
    return [...this.#byCookie.keys()];
  }

  /** The cookies of the namespaces whose listeners it closed. */
  closeRest(): readonly bigint[] {
    const cookies = [...this.#byCookie.keys()];
    for (const descriptors of this.#byCookie.values()) {
      for (const fd of descriptors.values()) closeSync(fd);
    }
    this.#byCookie.clear();
    return cookies;
  }
}

function kindOf(name: string): SocketKind | undefined {
  return /^(tcp4|tcp6|udp4|udp6)(?:-\d+)?$/.exec(name)?.[1] as SocketKind | undefined;
}

function cookieOfSocket(fd: number): bigint | undefined {
  try {
    return netnsCookie(fd);
  } catch {
    return undefined; // no socket
  }
}
