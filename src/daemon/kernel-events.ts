/** What the kernel's ring buffer says, as audit events in words. */
import type { KernelEvent } from "ebpf-loader";
import type { Clock } from "../base/clock.ts";
import { REFUSALS_TOLD_MS, REFUSALS_TOLD_PER_AGENT_MAX } from "../base/limits.ts";
import type { Agents } from "../identity/agents.ts";
import { type AuditEvent, identityFields } from "../model/event.ts";

/** What passed becomes a session or is ordinary, also through a door: only refusals are told, carried out or not. */
export function isRefusal(event: KernelEvent): boolean {
  return event.observed || (event.reason !== "door" && !["redirect", "allow", "born"].includes(event.kind));
}

/** Refusals by agent, so that none fills the disk with its own: what is beyond is counted, and the count told. */
export class Refusals {
  readonly #clock: Clock;
  readonly #agents = new Map<string, { readonly sinceMs: number; told: number; untold: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether one more of this agent is told; "" stands for all who are none. */
  judge(agent: string): boolean {
    const window = this.#agents.get(agent) ?? { sinceMs: this.#clock.nowMs(), told: 0, untold: 0 };
    this.#agents.set(agent, window);
    if (window.told >= REFUSALS_TOLD_PER_AGENT_MAX) window.untold += 1;
    else window.told += 1;
    return window.untold === 0;
  }

  /** Begins anew for those whose time is over; returns what was not told of them. To be called once a second. */
  expire(): readonly AuditEvent[] {
    const nowMs = this.#clock.nowMs();
    const over = [...this.#agents].filter(([, { sinceMs }]) => Math.abs(nowMs - sinceMs) >= REFUSALS_TOLD_MS);
    for (const [agent] of over) this.#agents.delete(agent);
    return over.flatMap(([agent, { untold }]) => {
      if (untold === 0) return [];
      const message = `${untold} more refusals were not told one by one`;
      return [
        { atMs: nowMs, kind: "refusals.untold", message, ...(agent === "" ? {} : { agent }), fields: { untold } },
      ];
    });
  }
}

export function auditKernelEvent(event: KernelEvent, agents: Agents, clock: Clock): AuditEvent {
  const known = agents.agentOf(event.agent, event.cgroupId);
  const agent = known?.name;
  const target =
    event.path !== "" ? ` to ${event.path}` : event.address === "" ? "" : ` to ${event.address} port ${event.port}`;
  const verb = event.observed ? "was let through, but would have been refused" : "was refused";
  return {
    atMs: clock.nowMs(),
    kind: `kernel.${event.kind}`,
    ...(agent === undefined ? {} : { agent }),
    message: `${event.comm} (pid ${event.pid}) ${verb}${target}: ${WORDS[event.reason] ?? event.reason}`,
    fields: {
      reason: event.reason,
      pid: event.pid,
      uid: event.uid,
      comm: event.comm,
      protocol: event.protocol,
      address: event.address,
      port: event.port,
      cgroupId: event.cgroupId.toString(),
      ...(event.path === "" ? {} : { path: event.path }),
      ...(event.observed ? { observed: true } : {}),
      ...(known === undefined ? {} : identityFields(known)),
    },
  };
}

const WORDS: Readonly<Partial<Record<KernelEvent["reason"], string>>> = {
  unlisted: "no connection and no egress rule lists this address",
  quarantined: "the agent is quarantined",
  "no-listener": "its network namespace has no listener",
  "no-storage": "its origin could not be stored",
  "our-listener": "the listener takes redirected connections only",
  "socket-kind": "only TCP and UDP sockets are allowed",
  "listener-port": "the listener's port is not the agent's to own",
  "not-admitted": "a packet that no earlier check admitted",
  "egress-rule": "an egress rule denies this address",
  "no-door": "no door of the settings opens this Unix socket",
  "socket-option": "it would send by itself, or another way than was judged",
  turned: "it was led elsewhere than to its socket's peer",
  "sealed-names": "DNS over TLS and QUIC cannot be judged",
  "daemon-silent": "the daemon gives no sign of life",
};
