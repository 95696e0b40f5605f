/**
 * From what settings name to what the kernel compares: address, prefix, port. Resolves the names of the settings;
 * what follows from a name's address is said in names/, since answers to agents say it, too.
 */
import { lookup } from "node:dns/promises";
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import type { Destination } from "ebpf-loader";
import type { Clock } from "../base/clock.ts";
import { UserError } from "../base/errors.ts";
import { RESOLVED_KEPT_MS, RESOLVED_NAMES_MAX } from "../base/limits.ts";
import type { Address, EgressRule } from "../model/address.ts";

/** A number that stands for a connection in the kernel's maps: the same name gives the same number in every process. */
export function connectionNumber(name: string): number {
  let hash = 0x811c9dc5; // FNV-1a
  for (const byte of Buffer.from(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 1) | 1;
}

export interface DestinationPlan {
  readonly connections: readonly { readonly name: string; readonly addresses: readonly Address[] }[];
  readonly allow: readonly EgressRule[];
  readonly deny: readonly EgressRule[];
}

export interface Planned {
  /** What the settings say by address. */
  readonly explicit: readonly Destination[];
  /** The addresses of the names in the settings. */
  readonly resolved: readonly { readonly name: string; readonly address: string }[];
  readonly unresolved: readonly string[];
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
 * What holds without any agent asking. Names that do not resolve now are reported in `unresolved` and stay unlisted: denied.
 * Throws CONNECTION_ADDRESSES when two connections mean the same address: which credential is used must not be chance.
 */
export async function planDestinations(plan: DestinationPlan, resolve: Resolve): Promise<Planned> {
  const { connections, allow, deny } = plan;
  const registered = connections.flatMap(({ name, addresses }) =>
    addresses.flatMap((address) =>
      networksOf(address).map((network) => intercepted(name, network.address, network.prefix, network.port)),
    ),
  );
  const ruled = ([action, rules]: readonly ["allow" | "deny", readonly EgressRule[]]) =>
    rules.flatMap((rule) =>
      networksOf(rule).map((network): Destination => {
        return { ...network, protocol: rule.protocol, action, reason: "egress-rule", connection: 0 };
      }),
    );
  const listed = [...connections.flatMap(({ addresses }) => addresses), ...allow, ...deny];
  const names = new Set(listed.flatMap((address) => (address.kind === "name" ? [address.host] : [])));
  const found = new Map(
    await Promise.all(
      [...names].map(async (name) => [name, (await resolve(name).catch(() => [])).map(withoutZone)] as const),
    ),
  );
  const named = connections.flatMap(({ name, addresses }) =>
    addresses.flatMap((address) => {
      if (address.kind !== "name") return [];
      return (found.get(address.host) ?? []).map((host) => intercepted(name, host, widthOf(host), address.port));
    }),
  );
  refuseShared([...registered, ...named], connections);
  return {
    explicit: [...registered, ...ruled(["allow", allow]), ...ruled(["deny", deny])],
    resolved: [...found].flatMap(([name, addresses]) => addresses.map((address) => ({ name, address }))),
    unresolved: [...found].flatMap(([name, addresses]) => (addresses.length === 0 ? [name] : [])),
  };
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

/** Names and wildcards have no network of their own: theirs come with answers. */
function networksOf(address: Address): { address: string; prefix: number; port: number }[] {
  const { port } = address;
  switch (address.kind) {
    case "network":
      return [{ address: address.address, prefix: address.prefix, port }];
    case "any":
      return [
        { address: "0.0.0.0", prefix: 0, port },
        { address: "::", prefix: 0, port },
      ];
    case "name":
    case "wildcard":
      return [];
    default:
      return address satisfies never;
  }
}

function intercepted(name: string, address: string, prefix: number, port: number): Destination {
  const connection = connectionNumber(name);
  return { address, prefix, port, protocol: "tcp", action: "intercept", reason: "registered", connection };
}

/** Bits of a whole address. */
export function widthOf(address: string): 32 | 128 {
  return isIP(address) === 4 ? 32 : 128;
}

/** Of a link-local address ("%eth0"): the kernel side compares addresses only. */
function withoutZone(address: string): string {
  return address.split("%")[0] ?? "";
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
