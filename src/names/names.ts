/**
 * The daemon's own resolver: joins rules, table, nameservers and the faces on which agents ask. Every query of a tagged
 * agent to port 53, over UDP or TCP, to whatever address, arrives here.
 */
import { lookup } from "node:dns/promises";
import type { Accepted, Destination, Origin } from "ebpf-loader";
import type { Clock } from "../base/clock.ts";
import { NAMES_QUERY_BYTES_MAX } from "../base/limits.ts";
import { hostNameservers, type Planned, type Resolve } from "../kernel/destinations.ts";
import type { AuditEvent } from "../model/event.ts";
import { AnswerCache } from "./cache.ts";
import { createHostFiles, type HostFiles } from "./host-files.ts";
import { type NameRecord, TYPES } from "./message.ts";
import { Resolver } from "./resolver.ts";
import { compileNameRules, type NamedSettings, type NameRules } from "./rules.ts";
import { NameStreams } from "./streams.ts";
import { type Closed, DestinationTable } from "./table.ts";
import { createAsk, type Server } from "./upstream.ts";

export interface NamesParts {
  readonly clock: Clock;
  /** Writes the kernel's whole table. */
  readonly setDestinations: (all: readonly Destination[]) => void;
  readonly agentOf: (slot: number) => { readonly name: string } | undefined;
  readonly isObserved: (slot: number) => boolean;
  readonly isQuarantined: (slot: number) => boolean;
  /** Of the settings in force; empty: the host's. */
  readonly servers: () => readonly Server[];
  readonly emit: (event: AuditEvent) => void;
  readonly hosts?: HostFiles;
}

export interface Names {
  /** Of the daemon itself, for names in the settings: /etc/hosts, then the nameservers that agents' names go to. */
  readonly resolve: Resolve;
  /**
   * Puts settings and what their names resolved to in force, at once; returns what that closed. Throws LoaderError; then
   * all stays as it was.
   */
  adopt(settings: Omit<NamedSettings, "search">, planned: Planned): Closed;
  onQuery(message: Uint8Array, origin: Origin, answer: (bytes: Uint8Array | undefined) => void): void;
  /** A connection whose origin is NAMES_CONNECTION. */
  onConnection(accepted: Accepted): void;
  /** "names.queries" and so on, as `status` shows them. */
  counters(): Readonly<Record<string, number>>;
  /** Closes what was learned and is over; a timer does so, too. */
  sweep(): void;
  close(): void;
}

const NAMES_PORT = 53;

export function createNames(parts: NamesParts): Names {
  const { clock, emit } = parts;
  const hosts = parts.hosts ?? createHostFiles(clock);
  const ask = createAsk(() => {
    const told = parts.servers();
    return told.length > 0 ? told : hostNameservers().map((address) => ({ address, port: NAMES_PORT }));
  });
  const cache = new AnswerCache(ask, clock);
  const table = new DestinationTable({ clock, set: parts.setDestinations });
  let rules: NameRules = compileNameRules({ connections: [], allow: [], deny: [], search: [] });
  const { agentOf, isObserved, isQuarantined } = parts;
  const judged = { rules: () => rules, agentOf, isObserved, isQuarantined };
  const resolver = new Resolver({ clock, cache, table, hosts, emit, ...judged });
  const streams = new NameStreams(resolver);
  const isHosts = (name: string) => name === "localhost" || hosts.isOwn(name) || hosts.addressesOf(name).length > 0;
  return {
    resolve: async (name) => {
      const known = hosts.addressesOf(name);
      if (known.length > 0) return known;
      if (name === "localhost") return ["127.0.0.1", "::1"];
      if (parts.servers().length === 0) return (await lookup(name, { all: true })).map(({ address }) => address);
      return fromServers(
        name.includes(".") ? [name] : [...hosts.search().map((domain) => `${name}.${domain}`), name],
        cache,
      );
    },
    adopt: (settings, planned) => {
      const next = compileNameRules({ ...settings, search: hosts.search() });
      const closed = table.adopt(planned, next, isHosts);
      rules = next;
      return closed;
    },
    onQuery: (message, origin, answer) => {
      if (message.length > NAMES_QUERY_BYTES_MAX) return answer(undefined);
      resolver.answer(message, origin, { kind: "datagram" }).then(
        answer,
        () => answer(undefined), // answer() never rejects; whoever asked would ask again
      );
    },
    onConnection: (accepted) => streams.accept(accepted),
    counters: () => {
      const counts = { ...resolver.counters, learned: table.learned, streams: streams.count };
      return Object.fromEntries(Object.entries(counts).map(([name, count]) => [`names.${name}`, count]));
    },
    sweep: () => table.sweep(),
    close: () => {
      streams.close();
      table.close();
    },
  };
}

/** The first of the spellings that has addresses. Throws NAMES_UPSTREAM. */
async function fromServers(names: readonly string[], cache: AnswerCache): Promise<readonly string[]> {
  for (const name of names) {
    const answers = await Promise.all(
      [TYPES.A, TYPES.AAAA].map(async (type) => cache.kept(name, type) ?? (await cache.ask(name, type))),
    );
    const found = answers.flatMap(({ records }) => records.flatMap(addressOf));
    if (found.length > 0) return found;
  }
  return [];
}

function addressOf(record: NameRecord): readonly string[] {
  return record.type === "A" || record.type === "AAAA" ? [record.data] : [];
}
