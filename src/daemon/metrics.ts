/** Metrics as the daemon has them: what its parts say at the moment of asking, and where agents are kept from. Counts nothing. */
import { networkInterfaces } from "node:os";
import type { Audit } from "../audit/audit.ts";
import type { Address } from "../control/doors/listening.ts";
import type { Reading } from "../metrics/exposition.ts";
import type { Metrics, Readings } from "../metrics/metrics.ts";
import type { ProcessMeter } from "../metrics/process.ts";
import type { EgressRule } from "../model/address.ts";
import type { Protocol } from "../model/protocol.ts";
import type { PortParts } from "./ports/parts.ts";
import { VERSION } from "./version.ts";

export interface MeteredParts extends PortParts {
  readonly metrics: Metrics;
  readonly process: ProcessMeter;
  readonly audit: Pick<Audit, "lost" | "sinks">;
  readonly protocols: readonly Protocol[];
  /** Events that wait, by their sink. Absent: nothing sends events anywhere. */
  readonly outbox?: () => ReadonlyMap<string, number>;
}

/** All metrics in the text format. */
export function metricsText(parts: MeteredParts): string {
  return parts.metrics.text({ ...parts.process.readings(), ...readingsOf(parts) });
}

function readingsOf(parts: MeteredParts): Readings {
  const { metrics, recorder, audit, index, interception, names, holds, configuration } = parts;
  const lag = recorder.lag();
  const kernel = interception.counters();
  const asked = names.counters();
  const { rulings } = metrics;
  const memories = parts.protocols.flatMap(({ name, memory }) => (memory === undefined ? [] : [{ name, ...memory() }]));
  return {
    build: [{ labels: [VERSION, configuration().policy.version], value: 1 }],
    holdsWaiting: [one(holds.waiting)],
    recorderBytes: [one(lag.bytes)],
    recorderAge: [one(lag.ageMs / 1_000)],
    recorderRaw: [one(recorder.uncompressed)],
    indexLost: [one(index.lost)],
    eventsLost: [one(audit.lost)],
    outbox: Array.from(parts.outbox?.() ?? [], ([sink, waiting]) => ({ labels: [sink], value: waiting })),
    kernelConnections: ["redirected", "allowed", "denied", "backstop"].map((outcome) => of(outcome, kernel[outcome])),
    kernelEventsLost: [one(kernel["eventsLost"])],
    kernelOriginsFull: [one(kernel["originsFull"])],
    namespaces: [one(kernel["namespaces"])],
    names: ["queries", "refused", "upstream", "failed", "limited"].map((what) => of(what, asked[`names.${what}`])),
    namesLearned: [one(asked["names.learned"])],
    cacheRequests: [
      { labels: ["rulings", "hit"], value: rulings.hits },
      { labels: ["rulings", "miss"], value: rulings.misses },
      ...memories.flatMap(({ name, hits, misses }) => [
        { labels: [`analyses.${name}`, "hit"], value: hits },
        { labels: [`analyses.${name}`, "miss"], value: misses },
      ]),
    ],
    cacheEntries: memories.map(({ name, entries }) => of(`analyses.${name}`, entries)),
    cgroups: counted(parts.agents.list().map(({ agent }) => agent)),
    agentStates: statesOf(parts),
  };
}

function statesOf({ states }: MeteredParts): readonly Reading[] {
  const held = states.list();
  const quarantined = held.filter(({ quarantine }) => quarantine !== undefined).length;
  return [of("quarantined", quarantined), of("observed", held.length - quarantined)]; // a quarantine wins
}

function one(value = 0): Reading {
  return { labels: [], value };
}

function of(label: string, value = 0): Reading {
  return { labels: [label], value };
}

function counted(names: readonly string[]): readonly Reading[] {
  return [...new Set(names)].map((name) => of(name, names.filter((other) => other === name).length));
}

/** What no agent may reach, whatever else egress allows: an endpoint of ours, at each address where it answers. */
export function deniedFor(listen: Address | undefined): readonly EgressRule[] {
  if (listen === undefined) return [];
  const { address, port } = listen;
  const isAny = address === "0.0.0.0" || address === "::";
  const own = Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map((found) => found.address));
  const denied = (isAny ? own : [address]).map((found): EgressRule => {
    const family = found.includes(":") ? 6 : 4;
    return { kind: "network", address: found, family, prefix: family === 4 ? 32 : 128, port, protocol: "tcp" };
  });
  // the interface has one of them, and the host answers at every one
  const loopback = { kind: "network", address: "127.0.0.0", family: 4, prefix: 8, port, protocol: "tcp" } as const;
  return isAny ? [...denied, loopback] : denied;
}
