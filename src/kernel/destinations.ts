/**
 * From what settings name to what the kernel compares: address, prefix, port. Names are resolved here, by
 * the daemon, never by the agent.
 */
import { lookup } from "node:dns/promises";
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import type { Destination } from "ebpf-loader";
import type { Clock } from "../base/clock.ts";
import { UserError } from "../base/errors.ts";
import { RESOLVED_KEPT_MS, RESOLVED_NAMES_MAX } from "../base/limits.ts";
import type { Address } from "../model/address.ts";

/** A number that stands for a connection in the kernel's maps: the same name gives the same number in every process. */
export function connectionNumber(name: string): number {
  let hash = 0x811c9dc5; // FNV-1a
  for (const byte of Buffer.from(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 1) | 1;
}

export interface DestinationPlan {
  readonly connections: readonly { readonly name: string; readonly addresses: readonly Address[] }[];
  readonly allow: readonly Address[];
  readonly deny: readonly Address[];
  readonly nameservers: readonly string[];
}

export type Resolve = (name: string) => Promise<readonly string[]>;

/**
 * Asks the host's resolver; while it fails, its last answer counts for RESOLVED_KEPT_MS more, so that one
 * hiccup does not refuse what was reachable a moment ago.
 */
export function createResolver(
  clock: Clock,
  ask: Resolve = async (name) => (await lookup(name, { all: true })).map(({ address }) => address),
): Resolve {
  const last = new Map<string, { readonly addresses: readonly string[]; readonly atMs: number }>();
  return async (name) => {
    try {
      const addresses = await ask(name);
      if (last.size >= RESOLVED_NAMES_MAX) last.clear();
      last.set(name, { addresses, atMs: clock.nowMs() });
      return addresses;
    } catch (error) {
      const kept = last.get(name);
      if (kept !== undefined && clock.nowMs() - kept.atMs < RESOLVED_KEPT_MS) return kept.addresses;
      throw error;
    }
  };
}

/**
 * Every row for the kernel. Names that do not resolve now are reported in `unresolved` and stay unlisted: denied.
 * Throws CONNECTION_ADDRESSES when two connections mean the same address: which credential is used must not be chance.
 */
export async function planDestinations(
  plan: DestinationPlan,
  resolve: Resolve,
): Promise<{ destinations: Destination[]; unresolved: string[] }> {
  const unresolved: string[] = [];
  const rows = async (addresses: readonly Address[], row: Pick<Destination, "action" | "reason" | "connection">) => {
    const found = await Promise.all(addresses.map((address) => networksOf(address, resolve, unresolved)));
    return found.flat().map((network) => ({ ...row, ...network, protocol: "tcp" }) as const);
  };
  const registered = plan.connections.map(({ name, addresses }) =>
    rows(addresses, { action: "intercept", reason: "registered", connection: connectionNumber(name) }),
  );
  const allowed = rows(plan.allow, { action: "allow", reason: "egress-rule", connection: 0 });
  const denied = rows(plan.deny, { action: "deny", reason: "egress-rule", connection: 0 });
  const nameservers = plan.nameservers.map((address) => ({
    ...({ action: "allow", reason: "nameserver", connection: 0, port: 53, protocol: "udp" } as const),
    ...hostNetwork(address),
  }));
  const intercepted = (await Promise.all(registered)).flat();
  refuseShared(intercepted, plan.connections);
  const destinations = [...intercepted, ...(await allowed), ...(await denied), ...nameservers];
  return { destinations, unresolved };
}

/** The nameservers of the host's resolv.conf(5); at most three count there. */
export function hostNameservers(file = "/etc/resolv.conf"): string[] {
  let text = "";
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return []; // no file, no nameserver: agents resolve nothing, which is the closed side
  }
  return text
    .split("\n")
    .map((line) => /^nameserver\s+(\S+)/.exec(line)?.[1] ?? "")
    .filter((address) => isIP(address) !== 0)
    .slice(0, 3);
}

async function networksOf(address: Address, resolve: Resolve, unresolved: string[]) {
  const { port } = address;
  switch (address.kind) {
    case "network":
      return [{ address: address.address, prefix: address.prefix, port }];
    case "any":
      return [
        { address: "0.0.0.0", prefix: 0, port },
        { address: "::", prefix: 0, port },
      ];
    case "name": {
      const found = await resolve(address.host).catch(() => []);
      if (found.length === 0) unresolved.push(address.host);
      return found.map((host) => ({ ...hostNetwork(host), port }));
    }
    default:
      return address satisfies never;
  }
}

/** Without the zone of a link-local address ("%eth0"): the kernel side compares addresses only. */
function hostNetwork(text: string): { address: string; prefix: number } {
  const [address = ""] = text.split("%");
  return { address, prefix: isIP(address) === 4 ? 32 : 128 };
}

function refuseShared(rows: readonly Destination[], connections: DestinationPlan["connections"]): void {
  const owners = new Map<string, number>();
  const nameOf = (number: number) => connections.find(({ name }) => connectionNumber(name) === number)?.name ?? "";
  for (const { address, prefix, port, connection } of rows) {
    const key = `${address}/${prefix}:${port}`;
    const owner = owners.get(key) ?? connection;
    owners.set(key, owner);
    if (owner === connection) continue;
    throw new UserError(
      "CONNECTION_ADDRESSES",
      `Cannot tell the connections ${nameOf(owner)} and ${nameOf(connection)} apart: both mean ${address} port ${port}`,
      "Give each address to one connection only",
    );
  }
}
