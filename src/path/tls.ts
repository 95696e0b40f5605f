/** TLS on both legs: leaves of the local CA towards agents, full verification towards backends. */
import { constants } from "node:crypto";
import { isIP } from "node:net";
import {
  type ConnectionOptions,
  checkServerIdentity,
  createSecureContext,
  type SecureContext,
  type TLSSocketOptions,
} from "node:tls";
import type { Address } from "../model/address.ts";
import type { Connection } from "../model/connection.ts";

export interface Leaf {
  readonly certPem: string;
  readonly keyPem: string;
}

/** Names that the leaf for a connection must carry: what agents dial and the address that this one dialled. */
export function leafNames(addresses: readonly Address[], dialled: string): string[] {
  return [...new Set([...hostNames(addresses), dialled])];
}

/** A server that shows the leaf of `names`, or of the name that the client asks for by SNI on top of them. */
export async function serverOptions(
  leafFor: (names: readonly string[]) => Promise<Leaf>,
  names: readonly string[],
  alpn: string | undefined,
): Promise<TLSSocketOptions> {
  const leaf = await leafFor(names);
  return {
    secureContext: contextOf(leaf),
    ...(alpn === undefined ? {} : { ALPNProtocols: [alpn] }),
    SNICallback: (name, done) => {
      if (names.includes(name)) return done(null);
      leafFor([...names, name]).then(
        (other) => done(null, contextOf(other)),
        (error: Error) => done(error),
      );
    },
  };
}

const contexts = new WeakMap<Leaf, SecureContext>();

/** One for all sessions that show the same leaf: each of its own would cost them its memory, and reading the key. */
function contextOf(leaf: Leaf): SecureContext {
  let context = contexts.get(leaf);
  if (context === undefined) {
    // Without tickets: nobody resumes what is judged anew each time, and no key of theirs is left to lose.
    const secureOptions = constants.SSL_OP_NO_TICKET;
    context = createSecureContext({ cert: leaf.certPem, key: leaf.keyPem, minVersion: "TLSv1.2", secureOptions });
    contexts.set(leaf, context);
  }
  return context;
}

/** A client that verifies chain and name, unless the settings opted out in words. */
export function clientOptions({ tls, addresses }: Connection, dialled: string): ConnectionOptions {
  const name = tls.name ?? hostNames(addresses)[0] ?? dialled;
  return {
    host: name,
    ...(isIP(name) === 0 ? { servername: name } : {}),
    minVersion: "TLSv1.2",
    rejectUnauthorized: tls.mode === "verify-full",
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate),
  };
}

function hostNames(addresses: readonly Address[]): string[] {
  return addresses.flatMap((address) => (address.kind === "name" ? [address.host] : []));
}
