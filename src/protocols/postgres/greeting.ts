/** What a client hears when the login upstream is done. Holds no secret: the cancel key is Sallyport's own. */
import { authenticationOk, backendKeyData, parameterStatus, readyForQuery } from "./messages.ts";
import { forbiddenParameter, NEEDED_PARAMETERS } from "./parameter-status.ts";

/** What the login machine learned, for the client's greeting. */
export interface Greeting {
  readonly parameters: readonly (readonly [name: string, value: string])[];
  /** Transaction status of the first ReadyForQuery. */
  readonly status: string;
}

/** Why a session cannot begin on a server that reports this; undefined: it can. */
export function unguardable({ parameters }: Greeting): string | undefined {
  for (const name of NEEDED_PARAMETERS) {
    if (!parameters.some(([reported]) => reported === name)) return `The server did not report ${name}`;
  }
  const found = parameters.find(([name, value]) => forbiddenParameter(name, value));
  return found && `The server's ${found[0]} has a value that cannot be guarded`;
}

export function greetingBytes({ parameters, status }: Greeting, cancelKey: Uint8Array): Buffer {
  return Buffer.concat([
    authenticationOk(),
    ...parameters.map(([name, value]) => parameterStatus(name, value)),
    backendKeyData(cancelKey),
    readyForQuery(status),
  ]);
}

/** The SQLSTATE of a failed login: the server's own, or one that says what kind of failure it was. */
export function sqlState(code: string): string {
  if (/^[0-9A-Z]{5}$/.test(code)) return code;
  return code.startsWith("UPSTREAM_AUTH") || code.startsWith("UPSTREAM_SCRAM") ? "28000" : "08006";
}
