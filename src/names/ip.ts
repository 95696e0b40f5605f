/** IP addresses as numbers, and which of them no answer may bring. Takes texts that node:net calls addresses. */
import { BlockList, isIP } from "node:net";

export interface Ip {
  readonly family: 4 | 6;
  readonly value: bigint;
}

/** Undefined for what is no address. A v4-mapped address is its IPv4. */
export function ipOf(text: string): Ip | undefined {
  const kind = isIP(text);
  if (kind === 4) return { family: 4, value: number4(text) };
  if (kind !== 6 || text.includes("%")) return undefined;
  const value = number6(new URL(`http://[${text}]`).hostname.slice(1, -1));
  return value >> 32n === 0xffffn ? { family: 4, value: value & 0xffff_ffffn } : { family: 6, value };
}

/** Whether `network`/`prefix` holds the address; networks of the other family hold nothing. */
export function covers(network: Ip, prefix: number, address: Ip): boolean {
  if (network.family !== address.family) return false;
  const hostBits = BigInt((network.family === 4 ? 32 : 128) - prefix);
  return network.value >> hostBits === address.value >> hostBits;
}

/**
 * Addresses that mean this host, its link, or the machine's own cloud: an answer from outside that holds one would
 * turn a rule for a name into a way to what no rule names (DNS rebinding). Sources: RFC 6890; the clouds' manuals.
 */
const NEVER_LEARNED: readonly (readonly [string, number])[] = [
  ["0.0.0.0", 8],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16], // link-local, and 169.254.169.254
  ["100.100.100.200", 32], // Alibaba's metadata service
  ["192.0.0.192", 32], // Oracle's
  ["168.63.129.16", 32], // Azure's
  ["224.0.0.0", 3], // multicast, reserved, broadcast
  ["::", 96], // unspecified, loopback, IPv4-compatible
  ["64:ff9b::", 96], // NAT64: an IPv4 address in disguise
  ["64:ff9b:1::", 48],
  ["2002::", 16], // 6to4: likewise
  ["fe80::", 10],
  ["fec0::", 10],
  ["fd00:ec2::254", 128],
  ["fd20:ce::254", 128], // Google's metadata service
  ["ff00::", 8],
];

const never = new BlockList();
for (const [address, prefix] of NEVER_LEARNED) never.addSubnet(address, prefix, isIP(address) === 4 ? "ipv4" : "ipv6");

export function isNeverLearned(address: string): boolean {
  const ip = ipOf(address);
  if (ip === undefined) return true;
  return ip.family === 4 ? never.check(text4(ip.value), "ipv4") : never.check(address, "ipv6");
}

/** The address that a reverse name stands for ("1.2.0.192.in-addr.arpa"); undefined where it is none. */
export function addressOfReverse(name: string): string | undefined {
  const v4 = /^((?:[0-9]{1,3}\.){4})in-addr\.arpa$/.exec(name)?.[1];
  if (v4 !== undefined) {
    const text = v4.slice(0, -1).split(".").reverse().join(".");
    return isIP(text) === 4 ? text : undefined;
  }
  const v6 = /^((?:[0-9a-f]\.){32})ip6\.arpa$/.exec(name)?.[1];
  if (v6 === undefined) return undefined;
  const digits = v6.slice(0, -1).split(".").reverse().join("");
  return canonical((digits.match(/.{4}/g) ?? []).join(":"));
}

/** The one spelling of an address: compared as text in the maps of this folder. */
export function canonical(text: string): string | undefined {
  const ip = ipOf(text);
  if (ip === undefined) return undefined;
  return ip.family === 4 ? text4(ip.value) : new URL(`http://[${text}]`).hostname.slice(1, -1);
}

function number4(text: string): bigint {
  return text.split(".").reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
}

function text4(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join(".");
}

function number6(text: string): bigint {
  const [head = "", tail] = text.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const groups = [...left, ...Array<string>(8 - left.length - right.length).fill("0"), ...right];
  return groups.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}
