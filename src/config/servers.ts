/** Addresses of single hosts as settings write them: nameservers, and where the daemon listens. Names are none. */
import { isIP } from "node:net";
import { invalid } from "./meaning.ts";
import type { Finding, Path } from "./problems.ts";

/** Where the daemon's resolver asks, over UDP and TCP, or where it listens itself. */
export interface NameServer {
  readonly address: string;
  readonly port: number;
}

const NAMES_PORT = 53;

/** "10.0.0.53", "10.0.0.53:53", "2001:db8::53" or "[2001:db8::53]:53". */
export function readServers(texts: readonly string[], report: (finding: Finding) => void): readonly NameServer[] {
  return texts.flatMap((text, index) => {
    const server = readServer(text);
    if (server !== undefined) return [server];
    const message = 'must be an IP address, with a port where it is not 53, e.g. "10.0.0.53" or "[2001:db8::53]:5353"';
    report(invalid(["names", "servers", index], "value", message));
    return [];
  });
}

/** "127.0.0.1:9464" or "[::1]:9464". `path`: of the key in the settings. */
export function readListen(
  text: string | undefined,
  path: Finding["path"],
  report: (finding: Finding) => void,
): NameServer | undefined {
  if (text === undefined) return undefined;
  const server = readAddress(text);
  if (server !== undefined) return server;
  const message = 'must be an IP address of this host with a port, e.g. "127.0.0.1:9464" or "[::1]:9464"';
  report(invalid(path, "value", message));
  return undefined;
}

/** The same on loopback: what comes there was neither encrypted nor is it anybody's before its signature is known. */
export function readLoopback(
  text: string | undefined,
  path: Path,
  report: (finding: Finding) => void,
): NameServer | undefined {
  if (text === undefined) return undefined;
  const server = readAddress(text);
  if (server !== undefined && /^(127\.|::1$)/.test(server.address)) return server;
  report(invalid(path, "value", 'must be an address of loopback with a port, e.g. "127.0.0.1:8787" or "[::1]:8787"'));
  return undefined;
}

/** With its port. */
function readAddress(text: string): NameServer | undefined {
  return /:[0-9]{1,5}$/.test(text) && isIP(text) === 0 ? readServer(text) : undefined;
}

function readServer(text: string): NameServer | undefined {
  const [, bracketed, plain, port = String(NAMES_PORT)] =
    /^(?:\[([^\]%]*)\]|([^:%]*))(?::([0-9]{1,5}))?$/.exec(text) ?? [];
  const address = isIP(text) === 6 && !text.includes("%") ? text : (bracketed ?? plain ?? "");
  const family = isIP(address);
  if (family === 0 || (bracketed !== undefined && family !== 6)) return undefined;
  const number = Number(port);
  return number >= 1 && number <= 65_535 ? { address, port: number } : undefined;
}
