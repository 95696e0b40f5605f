/**
 * One HTTP server at one address, which moves on a reload: where it cannot be served anew, it stays where it was. Of too
 * many connections the one that has said nothing for longest gives way, so that who says nothing keeps nobody out.
 */
import { once } from "node:events";
import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";
import { codeOf, type UserError } from "../../base/errors.ts";
import { API_HEADER_BYTES_MAX } from "../../base/limits.ts";

export interface Address {
  readonly address: string;
  readonly port: number;
}

export interface ListeningParts {
  readonly connectionsMax: number;
  /** What is told where nobody can listen; `code`: EADDRINUSE and its like. */
  readonly refusal: (at: Address, code: string, cause: unknown) => UserError;
}

interface Open<S> {
  readonly at: Address;
  readonly make: () => S;
  readonly server: S;
}

interface Connection {
  readonly socket: Socket;
  readonly server: Server;
  isHeard: boolean;
}

/** `S`: also a server of node:https. */
export class Listening<S extends Server = Server> {
  readonly #parts: ListeningParts;
  #open: Open<S> | undefined;
  /** By both ends, oldest first. */
  readonly #connections = new Map<string, Connection>();

  constructor(parts: ListeningParts) {
    this.#parts = parts;
  }

  get server(): S | undefined {
    return this.#open?.server;
  }

  /** `make`: a server that does not listen yet. Listens there and nowhere else; undefined: nowhere. Throws what `refusal` makes, and then it is where it was. */
  async move(to: Address | undefined, make: () => S): Promise<void> {
    const was = this.#open;
    if (was?.at.address === to?.address && was?.at.port === to?.port) return;
    // The same port of another address may be in the way of the new one.
    if (was !== undefined && was.at.port === to?.port) await this.close();
    try {
      const next = to === undefined ? undefined : await this.#listen(to, make);
      await this.close();
      this.#open = next;
    } catch (error) {
      if (was !== undefined && this.#open === undefined) this.#open = await this.#listen(was.at, was.make);
      throw error;
    }
  }

  async close(): Promise<void> {
    const server = this.#open?.server;
    this.#open = undefined;
    if (server === undefined) return;
    const over = closed(server);
    // `closeAllConnections` knows none that has not ended its TLS handshake, and would wait for those
    for (const one of this.#connections.values()) if (one.server === server) one.socket.destroy();
    await over;
  }

  /** Whoever sent it has said what they want: their connection gives way after those that have not. */
  heard({ socket }: IncomingMessage): void {
    const connection = this.#connections.get(endsOf(socket));
    if (connection !== undefined) connection.isHeard = true;
  }

  async #listen(at: Address, make: () => S): Promise<Open<S>> {
    const server = make();
    server.on("connection", (socket: Socket) => this.#admit(socket, server));
    try {
      server.listen({ host: at.address, port: at.port, exclusive: true });
      await once(server, "listening");
      return { at, make, server };
    } catch (cause) {
      server.close();
      throw this.#parts.refusal(at, codeOf(cause), cause);
    }
  }

  #admit(socket: Socket, server: Server): void {
    const all = this.#connections;
    if (all.size >= this.#parts.connectionsMax) {
      const [ends, oldest] = [...all].find(([, { isHeard }]) => !isHeard) ?? [...all][0] ?? [];
      if (ends !== undefined) all.delete(ends);
      oldest?.socket.destroy();
    }
    const ends = endsOf(socket);
    const connection: Connection = { socket, server, isHeard: false };
    all.set(ends, connection);
    socket.once("close", () => {
      if (all.get(ends) === connection) all.delete(ends);
    });
  }
}

/** Of a socket and of the TLS socket above it. */
function endsOf({ remoteAddress, remotePort, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localPort}`;
}

/** For servers of node:http: what a peer may send, and how long it may take for it. */
export function bounds(waitMs: number) {
  return {
    maxHeaderSize: API_HEADER_BYTES_MAX,
    headersTimeout: waitMs,
    requestTimeout: waitMs,
    connectionsCheckingInterval: waitMs / 2,
    keepAliveTimeout: waitMs,
  } as const;
}

/** Ends what is open as well. */
export async function closed(server: Server): Promise<void> {
  const over = once(server, "close");
  server.close();
  server.closeAllConnections();
  await over;
}
