/**
 * From what settings name to what the kernel compares: address, prefix, port. Names are resolved here, by
 * the daemon, never by the agent.
 */
import { lookup } from "node:dns/promises";
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import type { Destination } from "ebpf-loader";
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

/** Every row for the kernel. Names that do not resolve now are reported in `unresolved` and stay unlisted: denied. */
export async function planDestinations(
  plan: DestinationPlan,
  resolve: Resolve = resolveName,
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
  const destinations = [...(await Promise.all([...registered, allowed, denied])).flat(), ...nameservers];
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

async function resolveName(name: string): Promise<string[]> {
  const found = await lookup(name, { all: true });
  return found.map(({ address }) => address);
}
