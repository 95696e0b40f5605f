/** What a client hears when the login upstream is done. Holds no secret: what cancels is Sallyport's own. */
import { HEADER_BYTES } from "./codec.ts";
import { authenticationOk, backendKeyData, readyForQuery, SERVER } from "./messages.ts";
import { forbiddenParameter, NEEDED_PARAMETERS } from "./parameter-status.ts";

/** What the login machine learned, for the client's greeting. */
export interface Greeting {
  readonly parameters: readonly (readonly [name: string, value: string])[];
  /** The messages that the server sent once it had let us in, in order; the cancel key's secret is blanked. */
  readonly said: readonly Buffer[];
  /** Transaction status of the first ReadyForQuery. */
  readonly status: string;
  /** Of the protocol's version 3 that the server speaks with us. */
  readonly minor: number;
}

const PROCESS_ID_BYTES = 4;
const SECRET_BYTES_MIN = 4;

/**
 * What a client shows to cancel: the server's process, by which it knows its own notifications and itself in
 * pg_stat_activity, and as much of our secret as the server's own is long (4 bytes in protocol 3.0, 32 in 3.2).
 */
export function cancelKeyOf(secret: Uint8Array, cancel: Uint8Array): Uint8Array {
  return Buffer.concat([
    cancel.subarray(0, PROCESS_ID_BYTES),
    secret.subarray(0, Math.max(SECRET_BYTES_MIN, cancel.length - PROCESS_ID_BYTES)),
  ]);
}

/** A BackendKeyData without what would cancel at the server. */
export function withoutSecret(keyData: Buffer): Buffer {
  return Buffer.from(keyData).fill(0, HEADER_BYTES + PROCESS_ID_BYTES);
}

/** Why a session cannot begin on a server that reports this; undefined: it can. */
export function unguardable({ parameters }: Greeting): string | undefined {
  for (const name of NEEDED_PARAMETERS) {
    if (!parameters.some(([reported]) => reported === name)) return `The server did not report ${name}`;
  }
  const found = parameters.find(([name, value]) => forbiddenParameter(name, value));
  return found && `The server's ${found[0]} has a value that cannot be guarded`;
}

/** `notice` says how a client may see one. */
export function greetingBytes(
  { said, status }: Greeting,
  cancelSecret: Uint8Array,
  notice: (message: Buffer) => Buffer,
): Buffer {
  const shown = said.map((message) => {
    if (message[0] === SERVER.notice) return notice(message);
    if (message[0] !== SERVER.backendKeyData) return message;
    return backendKeyData(cancelKeyOf(cancelSecret, message.subarray(HEADER_BYTES)));
  });
  return Buffer.concat([authenticationOk(), ...shown, readyForQuery(status)]);
}

/** The SQLSTATE of a failed login: the server's own, or one that says what kind of failure it was. */
export function sqlState(code: string): string {
  if (/^[0-9A-Z]{5}$/.test(code)) return code;
  return code.startsWith("UPSTREAM_AUTH") || code.startsWith("UPSTREAM_SCRAM") ? "28000" : "08006";
}
