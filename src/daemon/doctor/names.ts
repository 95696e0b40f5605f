/** How names are resolved on this host, and what of that agents keep: port 53 is ours, sockets need a door. */
import { isIP } from "node:net";
import type { DoctorCheck } from "../../control/ports.ts";
import type { Host } from "./kernel.ts";

export function nameChecks(host: Host): DoctorCheck[] {
  return [resolverCheck(host), switchCheck(host)];
}

function resolverCheck(host: Host): DoctorCheck {
  const name = "resolver";
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

/** Modules that ask over a Unix socket or D-Bus rather than port 53. Source: nss-resolve(8), nss-mdns, nscd(8). */
const BESIDE_PORT_53: Readonly<Record<string, string>> = {
  resolve: "systemd-resolved over its socket",
  mdns: "avahi over its socket",
  mdns4: "avahi over its socket",
  mdns6: "avahi over its socket",
  mdns_minimal: "avahi over its socket",
  mdns4_minimal: "avahi over its socket",
  mdns6_minimal: "avahi over its socket",
  sss: "sssd over its socket",
  ldap: "nslcd over its socket",
};

function switchCheck(host: Host): DoctorCheck {
  const name = "name switch";
  const hosts = /^hosts:(.*)$/m.exec(host.read("/etc/nsswitch.conf") ?? "hosts: files dns")?.[1] ?? "";
  const modules = hosts
    .replaceAll(/\[[^\]]*\]/g, " ")
    .trim()
    .split(/\s+/);
  const beside = modules.filter((module) => BESIDE_PORT_53[module] !== undefined);
  const helpers = [
    ...beside.map((module) => `${module} asks ${BESIDE_PORT_53[module]}`),
    ...(host.exists("/run/nscd/socket") ? ["nscd answers over its socket"] : []),
  ];
  const found = helpers.length === 0 ? modules.join(" ") : helpers.join("; ");
  if (helpers.length === 0 || modules.includes("dns")) {
    const more = helpers.length === 0 ? "" : "; no door is open for it, so agents go on to dns, which we judge";
    return { name, verdict: "ok", found: `${found}${more}`, remedy: "" };
  }
  const remedy = "No door is open for it, so agents resolve nothing: add dns to hosts in /etc/nsswitch.conf";
  return { name, verdict: "warning", found, remedy };
}
