/**
 * The API over TLS 1.3, where the settings want it. No user of a peer counts here: every request shows an API token.
 * Agents are kept away by the kernel side, which denies them the address. Browsers are refused: there is no CORS.
 */
import { once } from "node:events";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { createServer, type Server } from "node:https";
import { isIPv6, type Socket } from "node:net";
import { createSecureContext } from "node:tls";
import { codeOf, UserError } from "../../base/errors.ts";
import { API_CONNECTIONS_MAX, API_HEADER_BYTES_MAX, API_REQUEST_WAIT_MS } from "../../base/limits.ts";
import { NO_UID } from "../../model/human.ts";
import type { Caller } from "../ports.ts";
import type { Call } from "./calls.ts";
import { ApiFault } from "./faults.ts";
import type { Handler } from "./handler.ts";

export interface TlsDoor {
  readonly address: string;
  readonly port: number;
  /** PEM. */
  readonly certificate: Buffer;
  readonly key: Buffer;
  /** By which clients may name this host, besides the address. */
  readonly names: readonly string[];
}

export class TlsListener {
  readonly #handler: Handler;
  #open: { readonly door: TlsDoor; readonly server: Server; readonly sockets: ReadonlySet<Socket> } | undefined;

  constructor(handler: Handler) {
    this.#handler = handler;
  }

  /** Listens there and nowhere else; undefined: nowhere. Throws API_CERTIFICATE, API_LISTEN, and then it is as it was. */
  async change(door: TlsDoor | undefined): Promise<void> {
    const was = this.#open;
    if (door === undefined) return this.close();
    const context = { cert: door.certificate, key: door.key, minVersion: "TLSv1.3" } as const;
    try {
      createSecureContext(context);
    } catch (cause) {
      const message = `Cannot serve the API over TLS: certificate and key do not make a pair (${codeOf(cause)})`;
      throw new UserError("API_CERTIFICATE", message, "Name a PEM certificate and its own key in `api`", { cause });
    }
    if (was !== undefined && was.door.address === door.address && was.door.port === door.port) {
      was.server.setSecureContext(context);
      this.#open = { ...was, door };
      return;
    }
    const opened = await this.#listen(door, context);
    await this.close();
    this.#open = { door, ...opened };
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    if (open === undefined) return;
    const closed = once(open.server, "close");
    open.server.close();
    // `closeAllConnections` knows none that has not ended its handshake, and would wait for those
    for (const socket of open.sockets) socket.destroy();
    await closed;
  }

  async #listen({ address, port }: TlsDoor, context: object) {
    const server = createServer(
      {
        ...context,
        maxHeaderSize: API_HEADER_BYTES_MAX,
        handshakeTimeout: API_REQUEST_WAIT_MS,
        headersTimeout: API_REQUEST_WAIT_MS,
        requestTimeout: API_REQUEST_WAIT_MS,
        connectionsCheckingInterval: API_REQUEST_WAIT_MS / 2,
        keepAliveTimeout: API_REQUEST_WAIT_MS,
      },
      this.#handler.listener((call, request) => this.#identify(call, request)),
    );
    server.maxConnections = API_CONNECTIONS_MAX;
    const sockets = new Set<Socket>();
    server.on("connection", (socket: Socket) => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
    });
    try {
      server.listen({ host: address, port, exclusive: true });
      await once(server, "listening");
    } catch (cause) {
      server.close();
      const message = `Cannot serve the API at ${address} port ${port}: ${codeOf(cause)}`;
      const remedy = "Name an address of this host and a free port in api.listen, or take `api` out of the settings";
      throw new UserError("API_LISTEN", message, remedy, { cause });
    }
    return { server, sockets };
  }

  async #identify(call: Call, request: IncomingMessage): Promise<Caller> {
    const { rates } = this.#handler;
    const source = request.socket.remoteAddress ?? "";
    call.source = source;
    rates.ofAddress(source);
    refuseBrowsers(request.headers, this.#open?.door);
    const caller = await this.#handler.shownBy(request, NO_UID);
    if (caller === undefined) {
      const message = "Cannot tell who asks: nothing was shown";
      throw new ApiFault(401, "API_TOKEN_INVALID", message, "Send an API token: Authorization: Bearer …");
    }
    if (caller.acting !== undefined) rates.ofHuman(caller.acting.human.account);
    return { ...caller, pid: 0, uid: NO_UID };
  }
}

/**
 * Throws API_HOST where a client calls this host by a name that is not its own, as a page does whose name was rebound to
 * our address, and API_ORIGIN for what only browsers send. Source: Fetch Standard, Origin; Fetch Metadata Request Headers.
 */
function refuseBrowsers(headers: IncomingHttpHeaders, door: TlsDoor | undefined): void {
  if (door === undefined || !hostsOf(door).includes(headers.host?.toLowerCase() ?? "")) {
    const message = "Cannot serve that host: it is no name of this daemon";
    throw new ApiFault(
      403,
      "API_HOST",
      message,
      "Call it by its address, or add the name to api.names in the settings",
    );
  }
  if (headers.origin === undefined && headers["sec-fetch-site"] === undefined) return;
  throw new ApiFault(403, "API_ORIGIN", "Cannot serve a page in a browser", "Use a client that is none");
}

function hostsOf({ address, port, names }: TlsDoor): readonly string[] {
  const own = isIPv6(address) ? `[${address}]` : address;
  const isLoopback = address === "::1" || address.startsWith("127.");
  return [own, ...names, ...(isLoopback ? ["localhost"] : [])].flatMap((name) =>
    port === 443 ? [name, `${name}:443`] : [`${name}:${port}`],
  );
}
