/** TLS towards receivers of events and notices: the server is verified, always. Reads the PEM files that the settings name. */
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { type ConnectionOptions, checkServerIdentity } from "node:tls";
import { codeOf, UserError } from "../base/errors.ts";
import { PEM_BYTES_MAX } from "../base/limits.ts";
import type { SinkTls } from "../model/sink.ts";

/** Throws SINK_TLS. */
export function tlsOptions({ name, ca, certificate, key }: SinkTls, host: string): ConnectionOptions {
  const wanted = name ?? host;
  return {
    minVersion: "TLSv1.2",
    ...(isIP(wanted) === 0 ? { servername: wanted } : {}),
    checkServerIdentity: (_host, presented) => checkServerIdentity(wanted, presented),
    ...(ca === undefined ? {} : { ca: read(ca) }),
    ...(certificate === undefined ? {} : { cert: read(certificate) }),
    ...(key === undefined ? {} : { key: read(key) }),
  };
}

function read(file: string): Buffer {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (cause) {
    const remedy = "Check the path, its owner and mode; the daemon runs as root";
    throw new UserError("SINK_TLS", `Cannot read ${file} for TLS: ${codeOf(cause)}`, remedy, { cause });
  }
  if (bytes.length <= PEM_BYTES_MAX) return bytes;
  throw new UserError("SINK_TLS", `Cannot use ${file} for TLS: it is larger than ${PEM_BYTES_MAX} bytes`, "Split it");
}
