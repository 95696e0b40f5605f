/** What this host knows by itself: /etc/hosts, resolv.conf's search list, its own name. Read again when they change. */
import { readFileSync, statSync } from "node:fs";
import { hostname } from "node:os";
import type { Clock } from "../base/clock.ts";
import { HOST_FILE_AGE_MS, HOST_FILE_BYTES_MAX } from "../base/limits.ts";
import { canonical } from "./ip.ts";

export interface HostFiles {
  /** Of /etc/hosts; empty where it does not list the name. */
  addressesOf(name: string): readonly string[];
  /** Domains that libraries put behind a name without a dot. */
  search(): readonly string[];
  /** The host's own name, and with its domain; answered with loopback. */
  isOwn(name: string): boolean;
}

export interface HostPaths {
  readonly hosts: string;
  readonly resolvConf: string;
}

const PATHS: HostPaths = { hosts: "/etc/hosts", resolvConf: "/etc/resolv.conf" };
/** Source: resolv.conf(5). */
const SEARCH_MAX = 6;

export function createHostFiles(clock: Clock, paths: HostPaths = PATHS, own: string = hostname()): HostFiles {
  const hosts = watched(paths.hosts, clock, readHosts);
  const search = watched(paths.resolvConf, clock, readSearch);
  const ownName = own.toLowerCase();
  return {
    addressesOf: (name) => hosts().get(name) ?? [],
    search,
    isOwn: (name) => name === ownName || search().some((domain) => name === `${ownName}.${domain}`),
  };
}

/** Source: hosts(5). */
function readHosts(text: string): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    const [first = "", ...names] = (line.split("#")[0] ?? "").trim().split(/\s+/);
    const address = canonical(first);
    if (address === undefined) continue;
    for (const name of names.map((one) => one.toLowerCase().replace(/\.$/, ""))) {
      const addresses = found.get(name) ?? [];
      if (!addresses.includes(address)) addresses.push(address);
      found.set(name, addresses);
    }
  }
  return found;
}

/** Source: resolv.conf(5); the last "search" or "domain" counts. */
function readSearch(text: string): readonly string[] {
  const lines = [...text.matchAll(/^(?:search|domain)[ \t]+(.*)$/gm)];
  const domains = (lines.at(-1)?.[1] ?? "").toLowerCase().split(/\s+/);
  return domains
    .map((domain) => domain.replace(/\.$/, ""))
    .filter((domain) => domain !== "")
    .slice(0, SEARCH_MAX);
}

/** What a file says; it is looked at again after HOST_FILE_AGE_MS. One that is missing or too large says nothing. */
function watched<T>(file: string, clock: Clock, read: (text: string) => T): () => T {
  let value = read("");
  let mark = "";
  let lookedMs = Number.NEGATIVE_INFINITY;
  return () => {
    if (clock.nowMs() - lookedMs < HOST_FILE_AGE_MS) return value;
    lookedMs = clock.nowMs();
    try {
      const { mtimeMs, size, ino } = statSync(file);
      const now = `${mtimeMs} ${size} ${ino}`;
      if (now === mark) return value;
      value = read(size > HOST_FILE_BYTES_MAX ? "" : readFileSync(file, "utf8"));
      mark = now;
    } catch {
      value = read("");
      mark = "";
    }
    return value;
  };
}
