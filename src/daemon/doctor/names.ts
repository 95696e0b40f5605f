/** How names are resolved on this host, and what of that agents keep: port 53 is ours, sockets need a door. */
import { isIP } from "node:net";
import type { DoctorCheck } from "../../control/ports.ts";
import type { Host } from "./kernel.ts";

/** What the settings say of names. */
export interface NameSettings {
  readonly servers: readonly { readonly address: string; readonly port: number }[];
  /** As `sockets.allow` opens them: paths. */
  readonly doors: readonly string[];
}

export function nameChecks(host: Host, settings: NameSettings): DoctorCheck[] {
  return [resolverCheck(host, settings), switchCheck(host, settings)];
}

function resolverCheck(host: Host, settings: NameSettings): DoctorCheck {
  const name = "resolver";
  if (settings.servers.length > 0) {
    const told = settings.servers.map(({ address, port }) => `${address} port ${port}`);
    return { name, verdict: "ok", found: `agents ask us, we ask ${told.join(", ")} (names.servers)`, remedy: "" };
  }
  const servers = (host.read("/etc/resolv.conf") ?? "")
    .split("\n")
    .map((line) => /^nameserver\s+([^\s%]+)/.exec(line)?.[1] ?? "")
    .filter((address) => isIP(address) !== 0);
  if (servers.length === 0) {
    const remedy = "Agents resolve nothing until it lists one, or names.servers of the settings does";
    return { name, verdict: "warning", found: "no nameserver in /etc/resolv.conf", remedy };
  }
  const stub = servers.some((address) => address === "127.0.0.53") ? " (systemd-resolved's stub)" : "";
  return { name, verdict: "ok", found: `agents ask us, we ask ${servers.join(", ")}${stub}`, remedy: "" };
}

/** Who answers beside port 53. Source: nss-resolve(8), nss-mdns, nscd(8), sssd(8), nslcd(8). */
interface Helper {
  /** Modules of nsswitch.conf(5) that ask it. */
  readonly modules: RegExp;
  readonly name: string;
  readonly socket: string;
}

const HELPERS: readonly Helper[] = [
  { modules: /^resolve$/, name: "systemd-resolved", socket: "/run/systemd/resolve/io.systemd.Resolve" },
  { modules: /^mdns/, name: "avahi", socket: "/run/avahi-daemon/socket" },
  { modules: /^sss$/, name: "sssd", socket: "/var/lib/sss/pipes/nss" },
  { modules: /^ldap$/, name: "nslcd", socket: "/run/nslcd/socket" },
];
const NSCD = "/run/nscd/socket";

function switchCheck(host: Host, { doors }: NameSettings): DoctorCheck {
  const name = "name switch";
  const hosts = /^hosts:(.*)$/m.exec(host.read("/etc/nsswitch.conf") ?? "hosts: files dns")?.[1] ?? "";
  const modules = hosts
    .replaceAll(/\[[^\]]*\]/g, " ")
    .trim()
    .split(/\s+/);
  const asked = [
    ...HELPERS.filter((helper) => modules.some((module) => helper.modules.test(module))),
    ...(host.exists(NSCD) ? [{ name: "nscd", socket: NSCD }] : []),
  ];
  if (asked.length === 0) return { name, verdict: "ok", found: modules.join(" "), remedy: "" };
  const open = asked.filter(({ socket }) => doors.some((door) => opens(door, socket)));
  if (open.length > 0) {
    const found = `a door is open to ${open.map((helper) => helper.name).join(", ")}: names go past our resolver`;
    const remedy = "Take it out of sockets.allow: a name that is asked there is judged by nobody, and can carry data";
    return { name, verdict: "warning", found, remedy };
  }
  const found = asked.map((helper) => `${helper.name} answers over its socket`).join("; ");
  if (modules.includes("dns")) {
    const more = "no door is open for it, so agents go on to dns, which we judge";
    return { name, verdict: "ok", found: `${found}; ${more}`, remedy: "" };
  }
  const remedy = "No door is open for it, so agents resolve nothing: add dns to hosts in /etc/nsswitch.conf";
  return { name, verdict: "warning", found, remedy };
}

function opens(door: string, socket: string): boolean {
  return door.endsWith("*") ? socket.startsWith(door.slice(0, -1)) : door === socket;
}
