/** A resolver without kernel: settings in, a fake nameserver behind it, and the table that the kernel would have. */

import { type Answer, decode, encode, type RecordType } from "dns-packet";
import type { Destination, Origin } from "ebpf-loader";
import { readSettings } from "../../src/config.ts";
import { planDestinations } from "../../src/kernel/destinations.ts";
import type { AuditEvent } from "../../src/model/event.ts";
import type { HostFiles } from "../../src/names/host-files.ts";
import { createNames, type Names } from "../../src/names/names.ts";
import { NamesServer } from "../kit/names-server.ts";

export interface World {
  readonly server: NamesServer;
  readonly names: Names;
  readonly events: AuditEvent[];
  /** "action address port/protocol" of every row in force. */
  table(): readonly string[];
  /** Agents' slots that are observed. */
  readonly observed: Set<number>;
  readonly quarantined: Set<number>;
  readonly clock: { ms: number };
  /** As if the kernel refused the next writes. */
  breakKernel(broken: boolean): void;
  /** Returns how many rows that allowed something are gone. */
  configure(settings: string): Promise<number>;
  ask(name: string, type?: string, agent?: number): Promise<Told>;
  stop(): void;
}

export interface Told {
  readonly rcode: number;
  /** Data of the records, or their types. */
  readonly answers: readonly string[];
  readonly ttls: readonly number[];
  /** The rows that were in force when the answer was given. */
  readonly table: readonly string[];
  readonly bytes: Buffer;
}

export const ORIGIN: Origin = {
  family: 4,
  address: "192.0.2.53",
  port: 53,
  sourceAddress: "127.0.0.1",
  sourcePort: 40_000,
  netnsCookie: 1n,
  cgroupId: 2n,
  tagCgroupId: 2n,
  agent: 1,
  connection: 0,
  pid: 4_242,
  uid: 1_000,
  comm: "client",
  bootNs: 0n,
};

export async function startWorld(
  settings: string,
  options: {
    readonly hosts?: Readonly<Record<string, readonly string[]>>;
    readonly search?: readonly string[];
    readonly found?: Readonly<Record<string, readonly string[]>>;
  } = {},
): Promise<World> {
  const server = await NamesServer.start();
  const events: AuditEvent[] = [];
  const observed = new Set<number>();
  const quarantined = new Set<number>();
  const clock = { ms: 1_000_000 };
  let rows: readonly Destination[] = [];
  let broken = false;
  const hosts: HostFiles = {
    addressesOf: (name) => options.hosts?.[name] ?? [],
    search: () => options.search ?? [],
    isOwn: (name) => name === "this-host",
  };
  const names = createNames({
    clock: { nowMs: () => clock.ms },
    setDestinations: (all) => {
      if (broken) throw new Error("Cannot write the table");
      rows = all;
    },
    agentOf: (slot) => (slot === 99 ? undefined : { name: `agent-${slot}` }),
    isObserved: (slot) => observed.has(slot),
    isQuarantined: (slot) => quarantined.has(slot),
    servers: () => [{ address: "127.0.0.1", port: server.port }],
    emit: (event) => events.push(event),
    hosts,
  });
  const table = () => rows.map(({ action, address, port, protocol }) => `${action} ${address} ${port}/${protocol}`);
  const resolve = async (name: string) => options.found?.[name] ?? (await names.resolve(name));
  const world: World = {
    ...{ server, names, events, table, observed, quarantined, clock },
    breakKernel: (now) => {
      broken = now;
    },
    async configure(text) {
      const { connections, egress } = readSettings(text, "/x/settings.yaml");
      const named = { connections: connections.map(({ connection }) => connection), ...egress };
      return names.adopt(named, await planDestinations(named, resolve)).gone.length;
    },
    ask: (name, type = "A", agent = 1) =>
      new Promise((resolve) => {
        const query = encode({ type: "query", id: 77, flags: 0x100, questions: [{ name, type: type as RecordType }] });
        names.onQuery(query, { ...ORIGIN, agent }, (bytes) => bytes !== undefined && resolve(told(bytes, table())));
      }),
    stop: () => {
      names.close();
      server.stop();
    },
  };
  await world.configure(settings);
  return world;
}

export function told(bytes: Uint8Array, table: readonly string[]): Told {
  const packet = decode(Buffer.from(bytes));
  const answers = packet.answers ?? [];
  return {
    rcode: (packet.flags ?? 0) & 15,
    answers: answers.map(dataOf),
    ttls: answers.map((answer) => ("ttl" in answer ? (answer.ttl ?? 0) : 0)),
    table,
    bytes: Buffer.from(bytes),
  };
}

function dataOf(answer: Answer): string {
  return "data" in answer && typeof answer.data === "string" ? answer.data : answer.type;
}
