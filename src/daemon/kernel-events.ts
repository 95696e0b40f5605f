/** What the kernel's ring buffer says, as audit events in words. */
import type { KernelEvent } from "ebpf-loader";
import type { Clock } from "../base/clock.ts";
import type { Agents } from "../identity/agents.ts";
import type { AuditEvent } from "../model/event.ts";

/** Redirected and allowed connections become sessions or are ordinary: only refusals are told, carried out or not. */
export function isRefusal(event: KernelEvent): boolean {
  return event.observed || !["redirect", "allow", "born"].includes(event.kind);
}

export function auditKernelEvent(event: KernelEvent, agents: Agents, clock: Clock): AuditEvent {
  const agent = agents.bySlot(event.agent)?.name;
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
  "sealed-names": "DNS over TLS and QUIC cannot be judged",
  "daemon-silent": "the daemon gives no sign of life",
};
