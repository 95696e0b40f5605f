/** A daemon on another host, as --url and --ca name it: its API over TLS (docs/humans.md). Asks nothing of it. */
import { UserError } from "../../base/errors.ts";
import { PEM_BYTES_MAX } from "../../base/limits.ts";
import { readBounded } from "./bounded-file.ts";

export interface Remote {
  /** "https://guard.example:8443" */
  readonly origin: string;
  readonly host: string;
  readonly port: number;
  /** PEM of the roots to trust, instead of the system's. */
  readonly ca?: Buffer;
}

/** What is about processes and files of the very host on which it is called. */
const HOST_COMMANDS = new Set(["up", "down", "run", "doctor", "hooks", "service"]);

/** Throws USAGE, FILE_…. `command`: the first word of what was asked. */
export function readRemote(url: string, ca: string | undefined, command: string): Remote {
  if (HOST_COMMANDS.has(command)) {
    const message = `Cannot ${command} on another host`;
    throw new UserError("USAGE", message, "Call it on the daemon's host, without --url and SALLYPORT_URL", {
      exitCode: 2,
    });
  }
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const isPlain = parsed?.protocol === "https:" && parsed.href === `${parsed.origin}/`;
  if (!isPlain) {
    const message = "Cannot use that URL: it must be https, a host and a port, and nothing else";
    throw new UserError("USAGE", message, "As in: sallyport --url https://guard.example:8443 login", { exitCode: 2 });
  }
  const { origin, hostname, port } = parsed;
  return {
    ...{ origin, host: hostname.replace(/^\[|\]$/g, ""), port: port === "" ? 443 : Number(port) },
    ...(ca === undefined ? {} : { ca: readBounded(ca, PEM_BYTES_MAX) }),
  };
}
