/** What a client hears when the login upstream is done. Holds no secret: what cancels is Sallyport's own. */
import { authenticationOk, backendKeyData, parameterStatus, readyForQuery } from "./messages.ts";
import { forbiddenParameter, NEEDED_PARAMETERS } from "./parameter-status.ts";

/** What the login machine learned, for the client's greeting. */
export interface Greeting {
  readonly parameters: readonly (readonly [name: string, value: string])[];
  /** Transaction status of the first ReadyForQuery. */
  readonly status: string;
  /** Of the server behind the session, as it said; empty when it did not. */
  readonly processId: Uint8Array;
}

const PROCESS_ID_BYTES = 4;

/** The process of a server's BackendKeyData, which is no secret: `pg_backend_pid()` tells it. */
export function processIdOf(cancel: Uint8Array): Uint8Array {
  return cancel.subarray(0, PROCESS_ID_BYTES);
}

/** A client knows its own notifications, and itself in pg_stat_activity, by the server's process; the secret stays ours. */
export function cancelKeyOf(secret: Uint8Array, cancel: Uint8Array): Uint8Array {
  return Buffer.concat([processIdOf(cancel), secret]);
}

/** Why a session cannot begin on a server that reports this; undefined: it can. */
export function unguardable({ parameters }: Greeting): string | undefined {
  for (const name of NEEDED_PARAMETERS) {
    if (!parameters.some(([reported]) => reported === name)) return `The server did not report ${name}`;
  }
  const found = parameters.find(([name, value]) => forbiddenParameter(name, value));
  return found && `The server's ${found[0]} has a value that cannot be guarded`;
}

export function greetingBytes({ parameters, status, processId }: Greeting, cancelSecret: Uint8Array): Buffer {
  return Buffer.concat([
    authenticationOk(),
    ...parameters.map(([name, value]) => parameterStatus(name, value)),
    ...(processId.length === 0 ? [] : [backendKeyData(cancelKeyOf(cancelSecret, processId))]),
    readyForQuery(status),
  ]);
}

/** The SQLSTATE of a failed login: the server's own, or one that says what kind of failure it was. */
export function sqlState(code: string): string {
  if (/^[0-9A-Z]{5}$/.test(code)) return code;
  return code.startsWith("UPSTREAM_AUTH") || code.startsWith("UPSTREAM_SCRAM") ? "28000" : "08006";
}
