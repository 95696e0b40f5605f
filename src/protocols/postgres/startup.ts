/**
 * The first packets of a client, which have no type byte: what it wants before it may speak the
 * protocol proper. Reads and checks; answers nothing.
 */
import { ProtocolError } from "../../base/errors.ts";
import { STARTUP_BYTES_MAX } from "../../base/limits.ts";
import { BodyReader, type Inlet } from "./codec.ts";
import { HARMLESS_SETTINGS, isHarmlessEncoding } from "./harmless.ts";
import { CANCEL_REQUEST, GSSENC_REQUEST, PROTOCOL_3_0, SSL_REQUEST } from "./messages.ts";

export type Opening =
  | { readonly kind: "more" }
  /** TLS from the first byte, without an SSLRequest. */
  | { readonly kind: "directTls" }
  | { readonly kind: "sslRequest" }
  | { readonly kind: "gssRequest" }
  /** `key` as the client showed it: process id and secret. */
  | { readonly kind: "cancel"; readonly key: Uint8Array }
  | { readonly kind: "startup"; readonly startup: Startup }
  /** Refused with this SQLSTATE whatever the rules say. */
  | { readonly kind: "refused"; readonly code: string; readonly message: string };

export interface Startup {
  /** A placeholder: the agent may claim any. */
  readonly user: string;
  readonly database: string;
  /** Of the protocol's version 3 that the client asked for. */
  readonly minor: number;
  /** What it asked for besides, which nobody speaks yet. */
  readonly unsupported: readonly string[];
  /** For the server, without user and database. */
  readonly parameters: Readonly<Record<string, string>>;
}

/** What the session asks the login machine for. */
export interface LoginRequest {
  readonly database: string;
  /** Of protocol 3; undefined: 0. */
  readonly minor?: number;
  readonly parameters: Readonly<Record<string, string>>;
}

const TLS_HANDSHAKE = 0x16;
const PACKET_BYTES_MIN = 8;
/** Process id and the longest secret of protocol 3.2. */
const KEY_BYTES_MAX = 4 + 256;

/** Reads one packet and consumes it (not the bytes of a TLS handshake). Throws ProtocolError. */
export function readOpening(inlet: Inlet): Opening {
  const { bytes, at, end } = inlet;
  if (at === end) return { kind: "more" };
  if (bytes[at] === TLS_HANDSHAKE) return { kind: "directTls" };
  if (end - at < 4) return { kind: "more" };
  const length = bytes.readInt32BE(at);
  if (length < PACKET_BYTES_MIN || length > STARTUP_BYTES_MAX) {
    throw new ProtocolError("STARTUP_LENGTH", `Cannot read the first packet: its length ${length} is not plausible`);
  }
  if (end - at < length) return { kind: "more" };
  const body = new BodyReader(bytes, at + 4, at + length);
  const code = body.int32();
  inlet.at = at + length;
  switch (code) {
    case SSL_REQUEST:
      body.done();
      return { kind: "sslRequest" };
    case GSSENC_REQUEST:
      body.done();
      return { kind: "gssRequest" };
    case CANCEL_REQUEST:
      return readCancel(body);
    default:
      return code >>> 16 === PROTOCOL_3_0 >>> 16 ? readStartup(body, code & 0xffff) : UNSUPPORTED;
  }
}

const UNSUPPORTED: Opening = Object.freeze({
  kind: "refused",
  code: "0A000",
  message: "Only version 3 of the frontend protocol is supported",
});

function readCancel(body: BodyReader): Opening {
  const length = body.end - body.at;
  if (length < 8 || length > KEY_BYTES_MAX) {
    throw new ProtocolError("CANCEL_LENGTH", `Cannot read a cancel request: its key has ${length} bytes`);
  }
  return { kind: "cancel", key: Buffer.from(body.take(length)) };
}

function readStartup(body: BodyReader, minor: number): Opening {
  const given = new Map<string, string>();
  for (let name = body.text(); name !== ""; name = body.text()) given.set(name, body.text());
  body.done();
  const user = given.get("user") ?? "";
  if (user === "") return refused("28000", "The startup packet names no user");
  const unsupported = [...given.keys()].filter((name) => name.startsWith("_pq_."));
  const database = given.get("database") || user;
  const parameters = new Map<string, string>();
  for (const [name, value] of given) {
    if (name === "user" || name === "database" || name.startsWith("_pq_.")) continue;
    const refusal = judge(name, value);
    if (refusal !== undefined) return refusal;
    if (name !== "options" && name !== "replication") parameters.set(name, value);
  }
  return {
    kind: "startup",
    startup: { user, database, minor, unsupported, parameters: Object.fromEntries(parameters) },
  };
}

function judge(name: string, value: string): Opening | undefined {
  const lower = name.toLowerCase();
  if (lower === "replication") {
    return OFF.has(value.toLowerCase()) ? undefined : refused("42501", "Replication connections are not permitted");
  }
  if (lower === "options") {
    return value.trim() === "" ? undefined : refused("42501", 'The startup parameter "options" is not permitted');
  }
  if (lower === "client_encoding") {
    if (isHarmlessEncoding(value)) return undefined;
    return refused("22023", "Only the client encodings UTF8 and SQL_ASCII are supported");
  }
  if (HARMLESS_SETTINGS.has(lower)) return undefined;
  return refused("42501", `The startup parameter "${name}" is not permitted`);
}

const OFF = new Set(["", "false", "off", "no", "0", "f", "n"]);

function refused(code: string, message: string): Opening {
  return { kind: "refused", code, message };
}
