/**
 * Which names agents may ask for, and what the kernel does with the addresses behind them. Names of connections, and
 * of egress rules: the longest match wins, deny wins on equal. Asks nobody.
 */
import type { Destination } from "ebpf-loader";
import { connectionNumber } from "../kernel/destinations.ts";
import type { Address, EgressRule } from "../model/address.ts";

/** What happens at one port of a name's addresses. */
export type Effect = Pick<Destination, "action" | "port" | "protocol" | "connection" | "reason">;

export interface NameRules {
  /** Empty: no rule lets an agent ask for this name. Lower case, without the last dot. */
  effectsOf(name: string): readonly Effect[];
  /** What rules deny of a name that they spell out; also where nothing of it is allowed. */
  denialsOf(name: string): readonly Effect[];
  /** Whether a rule spells it out. */
  isExact(name: string): boolean;
}

export interface NamedSettings {
  readonly connections: readonly { readonly name: string; readonly addresses: readonly Address[] }[];
  readonly allow: readonly EgressRule[];
  readonly deny: readonly EgressRule[];
  /** Of the host's resolv.conf: libraries put these behind a name without a dot. */
  readonly search: readonly string[];
}

interface Entry extends Effect {
  /** Labels of a wildcard's suffix; more than any name has for a whole name. */
  readonly weight: number;
}

const WHOLE_NAME = 1_000;

export function compileNameRules(settings: NamedSettings): NameRules {
  const whole = new Map<string, Entry[]>();
  const below = new Map<string, Entry[]>();
  const add = (address: Address, effect: Omit<Effect, "port">) => {
    const { port } = address;
    if (address.kind === "wildcard") {
      const { suffix } = address;
      push(below, suffix, { ...effect, port, weight: suffix.split(".").length });
    }
    if (address.kind !== "name") return;
    const { host } = address;
    const spelled = host.includes(".") ? [host] : [host, ...settings.search.map((domain) => `${host}.${domain}`)];
    for (const name of spelled) push(whole, name, { ...effect, port, weight: WHOLE_NAME });
  };
  for (const { name, addresses } of settings.connections) {
    const connection = connectionNumber(name);
    for (const address of addresses)
      add(address, { action: "intercept", protocol: "tcp", connection, reason: "registered" });
  }
  for (const action of ["allow", "deny"] as const) {
    for (const rule of settings[action]) {
      add(rule, { action, protocol: rule.protocol, connection: 0, reason: "egress-rule" });
    }
  }
  return {
    effectsOf: (name) =>
      effective([...(whole.get(name) ?? []), ...parentsOf(name).flatMap((at) => below.get(at) ?? [])]),
    denialsOf: (name) => (whole.get(name) ?? []).filter(({ action }) => action === "deny").map(effectOf),
    isExact: (name) => whole.get(name)?.some(({ action }) => action !== "deny") ?? false,
  };
}

function effective(entries: readonly Entry[]): readonly Effect[] {
  const denies = entries.filter(({ action }) => action === "deny");
  const intercepts = entries.filter(
    (one) =>
      one.action === "intercept" &&
      !entries.some(({ action, port, weight }) => action === "intercept" && port === one.port && weight > one.weight),
  );
  const allows = entries.filter(
    (one) => one.action === "allow" && !denies.some((deny) => outweighs(deny, one) && isWithin(one, deny)),
  );
  if (intercepts.length === 0 && allows.length === 0) return [];
  // what is taken out of an "every port" that stays
  const holes = denies.filter(
    (deny) =>
      allows.some((allow) => allow.port === 0 && isWithin(deny, allow) && outweighs(deny, allow)) &&
      !allows.some((allow) => allow.port === deny.port && allow.protocol === deny.protocol),
  );
  return [...intercepts, ...allows, ...holes].map(effectOf);
}

function effectOf({ weight: _weight, ...effect }: Entry): Effect {
  return effect;
}

function outweighs(deny: Entry, allow: Entry): boolean {
  return deny.weight >= allow.weight;
}

function isWithin(inner: Entry, outer: Entry): boolean {
  return inner.protocol === outer.protocol && (outer.port === 0 || outer.port === inner.port);
}

/** "b.c" and "c" for "a.b.c". */
function parentsOf(name: string): string[] {
  const labels = name.split(".");
  return labels.slice(1).map((_, index) => labels.slice(index + 1).join("."));
}

function push(map: Map<string, Entry[]>, key: string, entry: Entry): void {
  const entries = map.get(key);
  if (entries === undefined) map.set(key, [entry]);
  else entries.push(entry);
}
