/** What agents may reach without interception: text in, rules out. Resolves no names and dials nothing. */
import type { EgressRule } from "../model/address.ts";
import { AddressError, formatAddress, parseAddress } from "./address.ts";
import { invalid, readAddresses } from "./meaning.ts";
import type { Finding } from "./problems.ts";

export interface EgressSettings {
  readonly allow: readonly EgressRule[];
  readonly deny: readonly EgressRule[];
}

export interface RawEgress {
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
}

/** An address, then "/tcp" or "/udp". Without, `allow` means TCP alone and `deny` both: what is left out stays closed. */
export function readEgress(raw: RawEgress, report: (finding: Finding) => void): EgressSettings {
  const allow = readAddresses(raw.allow ?? [], ["egress", "allow"], (text) => parseRule(text, ["tcp"]), report);
  const deny = readAddresses(raw.deny ?? [], ["egress", "deny"], (text) => parseRule(text, ["tcp", "udp"]), report);
  const denied = new Set(deny.flatMap((rules) => rules ?? []).map(formatRule));
  for (const [index, rules] of allow.entries()) {
    if (!rules?.some((rule) => denied.has(formatRule(rule)))) continue;
    report(invalid(["egress", "allow", index], "value", "is denied by egress.deny as well; take one of them out"));
  }
  return { allow: allow.flatMap((rules) => rules ?? []), deny: deny.flatMap((rules) => rules ?? []) };
}

function parseRule(text: string, protocols: readonly EgressRule["protocol"][]): EgressRule[] {
  const [, before = text, suffix] = /^(.*:[^:/\]]*)\/([A-Za-z]*)$/.exec(text) ?? [];
  const address = parseAddress(before, "or-any");
  if (suffix === undefined) return protocols.map((protocol) => ({ ...address, protocol }));
  if (suffix === "tcp" || suffix === "udp") return [{ ...address, protocol: suffix }];
  throw new AddressError('must end with its port, or with "/tcp" or "/udp" behind it');
}

function formatRule(rule: EgressRule): string {
  return `${formatAddress(rule)}/${rule.protocol}`;
}
