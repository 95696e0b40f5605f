/**
 * The backend's side: dial the origin's own address, log in with the vault's credential, hand the wire
 * over. The secret is in here from the vault's answer to the end of the login, then wiped.
 */
import { randomBytes } from "node:crypto";
import { codeOf, messageOf, ProtocolError } from "../base/errors.ts";
import { LOGIN_WAIT_MS, LOOKUP_WAIT_MS } from "../base/limits.ts";
import type { Connection } from "../model/connection.ts";
import type { LookupMachine, Protocol } from "../model/protocol.ts";
import type { LookAnswer } from "../model/session.ts";
import type { Credential, LoginCommand } from "../model/upstream.ts";
import { within } from "./deadline.ts";
import { deriveKey } from "./derivations.ts";
import { clientOptions } from "./tls.ts";
import { Wire } from "./wire.ts";

export interface Backend {
  readonly connection: Connection;
  readonly protocol: Protocol;
  readonly address: string;
  readonly port: number;
}

/** From the vault; wiped as soon as the login is over, whatever came of it. */
export type CredentialSource = (connection: string) => Promise<Credential & { wipe(): void }>;

export interface LoggedIn {
  readonly wire: Wire;
  readonly greeting: unknown;
  readonly unread: Uint8Array;
  /** What the server wants to see to cancel; stays with the daemon. */
  readonly cancel: Uint8Array | undefined;
}

/**
 * Fails with a ProtocolError whose message holds no secret and no address but the dialled one. What only the
 * operator may know is in its cause.
 */
export function logIn(
  backend: Backend,
  request: unknown,
  credentialOf: CredentialSource,
  waitMs = LOGIN_WAIT_MS,
): Promise<LoggedIn> {
  return within(waitMs, (signal) => logInUntil(signal, backend, request, credentialOf));
}

async function logInUntil(
  signal: AbortSignal,
  backend: Backend,
  request: unknown,
  credentialOf: CredentialSource,
): Promise<LoggedIn> {
  const wire = await dial(backend, signal);
  const stop = () => wire.destroy();
  signal.addEventListener("abort", stop, { once: true });
  try {
    const credential = backend.protocol.needsCredential ? await credentialOf(backend.connection.name) : undefined;
    try {
      return await runLogin(wire, backend, request, credential, signal);
    } finally {
      credential?.wipe();
    }
  } catch (error) {
    wire.destroy();
    if (signal.aborted) {
      const message = `Cannot log in to ${backend.connection.name}: it took too long`;
      throw new ProtocolError("UPSTREAM_TIMEOUT", message);
    }
    if (error instanceof ProtocolError) throw error;
    // the vault names files and variables of the host: for the operator only
    const message = `Cannot log in to ${backend.connection.name}: its credential cannot be used`;
    throw new ProtocolError(codeOf(error), message, { cause: error });
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** A login of our own that asks one thing and leaves. */
export function lookUp(
  backend: Backend,
  request: unknown,
  machine: LookupMachine,
  credentialOf: CredentialSource,
): Promise<LookAnswer> {
  return within(LOGIN_WAIT_MS + LOOKUP_WAIT_MS, (signal) =>
    lookUpUntil(signal, backend, request, machine, credentialOf),
  );
}

async function lookUpUntil(
  signal: AbortSignal,
  backend: Backend,
  request: unknown,
  machine: LookupMachine,
  credentialOf: CredentialSource,
): Promise<LookAnswer> {
  const { wire, unread } = await logInUntil(signal, backend, request, credentialOf);
  try {
    return await new Promise((resolve, reject) => {
      const receive = (bytes: Uint8Array) => {
        try {
          const answer = machine.receive(bytes);
          if (answer !== undefined) resolve(answer);
        } catch (error) {
          reject(error);
        }
      };
      const gone = () => reject(new ProtocolError("LOOKUP_FAILED", "Cannot look up facts: the backend hung up"));
      signal.addEventListener("abort", gone, { once: true });
      if (unread.length > 0) receive(unread);
      wire.start({ bytes: receive, ended: gone, drained: () => {} });
      wire.write(machine.start());
    });
  } finally {
    wire.destroy();
  }
}

/** Tells the backend to cancel; it answers by hanging up. Best effort, as the protocol has it. */
export async function cancelUpstream(backend: Backend, message: Uint8Array): Promise<void> {
  const wire = await within(LOGIN_WAIT_MS, (signal) => dial(backend, signal));
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, LOOKUP_WAIT_MS);
    const ended = () => {
      clearTimeout(timer);
      resolve();
    };
    wire.start({ bytes: () => {}, ended, drained: () => {} });
    wire.write(message);
  });
  wire.destroy();
}

async function dial(backend: Backend, signal: AbortSignal): Promise<Wire> {
  try {
    return await Wire.dial(backend.address, backend.port, signal);
  } catch (error) {
    throw new ProtocolError("UPSTREAM_UNREACHABLE", `Cannot reach ${backend.connection.name}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function runLogin(
  wire: Wire,
  backend: Backend,
  request: unknown,
  credential: Credential | undefined,
  signal: AbortSignal,
): Promise<LoggedIn> {
  const { connection, protocol } = backend;
  const machine = protocol.login(request, { credential, tls: connection.tls, nonce: randomBytes(24) });
  if (machine === undefined) {
    return Promise.resolve({ wire, greeting: undefined, unread: new Uint8Array(), cancel: undefined });
  }
  return new Promise((resolve, reject) => {
    let securing = false;
    const obey = (commands: readonly LoginCommand[]) => {
      for (const command of commands) {
        switch (command.kind) {
          case "toServer":
            wire.write(command.bytes);
            break;
          case "secure":
            securing = true;
            wire
              .secureAsClient(clientOptions(connection, backend.address))
              .then((certificate) => {
                securing = false;
                wire.resume();
                step(() => machine.handle({ kind: "secured", certificate }));
              })
              .catch((error: unknown) => {
                reject(new ProtocolError("UPSTREAM_TLS", `Cannot trust ${connection.name}: ${messageOf(error)}`));
              });
            break;
          case "derive":
            deriveKey(connection.name, command, signal).then(
              (key) => step(() => machine.handle({ kind: "derived", key })),
              reject,
            );
            break;
          case "done":
            wire.pause();
            resolve({ wire, greeting: command.greeting, unread: command.unread.slice(), cancel: command.cancel });
            break;
          case "failed":
            reject(new ProtocolError(command.code, command.message));
            break;
          default:
            command satisfies never;
        }
      }
    };
    const step = (handle: () => readonly LoginCommand[]) => {
      try {
        obey(handle());
      } catch (error) {
        reject(error);
      }
    };
    const ended = (error: Error | undefined) => {
      const why = error === undefined ? "the backend hung up" : messageOf(error);
      const closed = new ProtocolError("UPSTREAM_CLOSED", `Cannot log in to ${connection.name}: ${why}`);
      if (securing)
        setImmediate(reject, closed); // what the handshake itself says of it comes first
      else reject(closed);
    };
    step(() => machine.handle({ kind: "start" }));
    wire.start({ bytes: (bytes) => step(() => machine.handle({ kind: "server", bytes })), ended, drained: () => {} });
  });
}
