/** Addresses as settings write them: text in, plain values out. Resolves no names and dials nothing. */
import { isIP } from "node:net";
import type { Address } from "../model/address.ts";

/** What is wrong with an address, as the end of a sentence, and how to write it instead where that is known. */
export class AddressError extends Error {}

/** DNS, DNS over TLS or QUIC: judged by the resolver in the daemon, never by an address. */
const NAME_PORTS: ReadonlySet<number> = new Set([53, 853]);

/**
 * Reads "host:port", "*.example.org:443", "192.0.2.1:5432", "[2001:db8::1]:5432", "10.0.0.0/8:5432",
 * "[2001:db8::/32]:5432" or "*:443", which stands for every address. With `ports: "or-any"`, "*" is a port too.
 * Throws AddressError.
 */
export function parseAddress(text: string, ports: "numbers" | "or-any"): Address {
  const { host, prefix, port } = split(text);
  const portNumber = readPort(port, ports);
  if (host === "*") {
    if (prefix !== undefined) throw new AddressError('must not have a prefix behind "*"');
    return { kind: "any", port: portNumber };
  }
  const family = isIP(host);
  if (family === 4) return network(host, 4, prefix, portNumber);
  if (family === 6) return network(normal6(host), 6, prefix, portNumber);
  if (prefix !== undefined) throw new AddressError("must have an IP address before the prefix");
  if (host.includes("*")) return { kind: "wildcard", suffix: readSuffix(host), port: portNumber };
  return { kind: "name", host: readName(host), port: portNumber };
}

/** The one spelling of an address; two addresses are the same exactly when these are. */
export function formatAddress(address: Address): string {
  const port = address.port === 0 ? "*" : String(address.port);
  switch (address.kind) {
    case "any":
      return `*:${port}`;
    case "name":
      return `${address.host}:${port}`;
    case "wildcard":
      return `*.${address.suffix}:${port}`;
    case "network": {
      const host = isOneHost(address) ? address.address : `${address.address}/${address.prefix}`;
      return address.family === 6 ? `[${host}]:${port}` : `${host}:${port}`;
    }
  }
}

/** Whether an address stands for exactly one host, so that nobody but its owner can answer there. */
export function isOneHost(address: Address): boolean {
  switch (address.kind) {
    case "any":
    case "wildcard":
      return false;
    case "name":
      return true;
    case "network":
      return address.prefix === (address.family === 4 ? 32 : 128);
  }
}

function split(text: string): { host: string; prefix: string | undefined; port: string } {
  const bracketed = /^\[([^\]/]*)(?:\/([^\]]*))?\]:([^:]*)$/.exec(text);
  if (bracketed) {
    const host = bracketed[1] ?? "";
    if (isIP(host) !== 6) throw new AddressError("must have an IPv6 address inside the brackets");
    return { host, prefix: bracketed[2], port: bracketed[3] ?? "" };
  }
  const plain = /^([^:/[\]]+)(?:\/([^:/]*))?:([^:/]*)$/.exec(text);
  if (plain) return { host: plain[1] ?? "", prefix: plain[2], port: plain[3] ?? "" };
  if (isIP(text.split("/")[0] ?? "") === 6) {
    throw new AddressError('must write IPv6 in brackets with a port, e.g. "[2001:db8::1]:5432"');
  }
  if (!text.includes(":")) throw new AddressError('must end with a port, e.g. "orders.db.internal:5432"');
  throw new AddressError('must be "host:port", "[IPv6]:port" or "network/prefix:port"');
}

function readPort(text: string, ports: "numbers" | "or-any"): number {
  if (text === "*") {
    if (ports === "or-any") return 0;
    throw new AddressError('must name one port; "*" is not one here');
  }
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535) throw new AddressError("must end with a port between 1 and 65535");
  if (NAME_PORTS.has(port)) {
    throw new AddressError(
      "is the port of a resolver: port 53 of agents always goes to the daemon, 853 nowhere; set names.servers instead",
    );
  }
  return port;
}

function network(address: string, family: 4 | 6, prefixText: string | undefined, port: number): Address {
  const width = family === 4 ? 32 : 128;
  if (prefixText === undefined) return { kind: "network", address, family, prefix: width, port };
  const prefix = /^[0-9]{1,3}$/.test(prefixText) ? Number(prefixText) : -1;
  if (prefix < 0 || prefix > width) throw new AddressError(`must have a prefix between 0 and ${width}`);
  const value = family === 4 ? number4(address) : number6(address);
  const hostBits = BigInt(width - prefix);
  const base = (value >> hostBits) << hostBits;
  if (base !== value) {
    const meant = family === 4 ? text4(base) : normal6(text6(base));
    throw new AddressError(`has bits behind its prefix; did you mean ${meant}/${prefix}?`);
  }
  return { kind: "network", address, family, prefix, port };
}

function readSuffix(host: string): string {
  const suffix = host.startsWith("*.") ? host.slice(2) : "*";
  if (suffix.includes("*")) {
    throw new AddressError('must have its wildcard as the whole first label, e.g. "*.example.org:443"');
  }
  return readName(suffix);
}

function readName(host: string): string {
  const name = host.toLowerCase().replace(/\.$/, "");
  const labels = name.split(".");
  if (/^[0-9.]+$/.test(name)) throw new AddressError("is not a valid IPv4 address");
  if (name.length > 253 || !labels.every((label) => /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label))) {
    throw new AddressError("must have a host name of letters, digits, dots and hyphens, or an IP address");
  }
  return name;
}

/** The canonical text of an IPv6 address (RFC 5952). Refuses what the kernel treats as IPv4 or needs an interface for. */
function normal6(address: string): string {
  if (address.includes("%")) throw new AddressError("must not name an interface behind %");
  const text = new URL(`http://[${address}]`).hostname.slice(1, -1);
  if (text.startsWith("::ffff:") && number6(text) >> 32n === 0xffffn) {
    throw new AddressError(`must be written as plain IPv4: "${text4(number6(text) & 0xffff_ffffn)}"`);
  }
  return text;
}

function number4(address: string): bigint {
  return address.split(".").reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
}

function text4(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join(".");
}

function number6(canonical: string): bigint {
  const [head = "", tail] = canonical.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const groups = [...left, ...Array<string>(8 - left.length - right.length).fill("0"), ...right];
  return groups.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}

function text6(value: bigint): string {
  return Array.from({ length: 8 }, (_, index) => ((value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16)).join(
    ":",
  );
}
