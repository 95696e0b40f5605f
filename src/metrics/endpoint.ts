/**
 * Where a Prometheus server fetches metrics: `GET /metrics` on one address, off unless the settings name it. Asks
 * nobody for a password and knows no other path; agents are kept away by the kernel side, which denies them the address.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { codeOf, messageOf, UserError } from "../base/errors.ts";
import { API_HEADER_BYTES_MAX, METRICS_CONNECTIONS_MAX, METRICS_REQUEST_WAIT_MS } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import { EXPOSITION_TYPE } from "./exposition.ts";

export interface MetricsAddress {
  readonly address: string;
  readonly port: number;
}

export class MetricsEndpoint {
  readonly #text: () => string;
  readonly #log: Log;
  #open: { readonly at: MetricsAddress; readonly server: Server } | undefined;

  constructor(text: () => string, log: Log) {
    this.#text = text;
    this.#log = log;
  }

  /** Listens there and nowhere else; undefined: nowhere. Throws UserError METRICS_LISTEN, and then it is where it was. */
  async change(to: MetricsAddress | undefined): Promise<void> {
    const was = this.#open;
    if (was?.at.address === to?.address && was?.at.port === to?.port) return;
    // The same port of another address may be in the way of the new one.
    if (was !== undefined && was.at.port === to?.port) await this.close();
    try {
      const server = to === undefined ? undefined : await this.#listen(to);
      if (this.#open !== undefined) await this.close();
      this.#open = to === undefined || server === undefined ? undefined : { at: to, server };
    } catch (error) {
      if (was !== undefined && this.#open === undefined)
        this.#open = { at: was.at, server: await this.#listen(was.at) };
      throw error;
    }
  }

  async close(): Promise<void> {
    const server = this.#open?.server;
    this.#open = undefined;
    if (server === undefined) return;
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  }

  async #listen({ address, port }: MetricsAddress): Promise<Server> {
    const server = createServer(
      {
        maxHeaderSize: API_HEADER_BYTES_MAX,
        headersTimeout: METRICS_REQUEST_WAIT_MS,
        requestTimeout: METRICS_REQUEST_WAIT_MS,
        connectionsCheckingInterval: METRICS_REQUEST_WAIT_MS / 2,
        keepAliveTimeout: METRICS_REQUEST_WAIT_MS,
      },
      (request, response) => this.#answer(request, response),
    );
    server.maxConnections = METRICS_CONNECTIONS_MAX;
    try {
      server.listen({ host: address, port, exclusive: true });
      await once(server, "listening");
    } catch (cause) {
      server.close();
      throw new UserError(
        "METRICS_LISTEN",
        `Cannot serve metrics at ${address} port ${port}: ${codeOf(cause)}`,
        "Name an address of this host and a free port in metrics.listen, or take it out of the settings",
        { cause },
      );
    }
    return server;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { method, url = "" } = request;
    request.resume();
    if (url.split("?")[0] !== "/metrics") say(response, 404, "There are metrics at /metrics and nothing else\n");
    else if (method !== "GET" && method !== "HEAD") say(response, 405, "Metrics can only be fetched\n");
    else this.#tell(response);
  }

  #tell(response: ServerResponse): void {
    try {
      say(response, 200, this.#text());
    } catch (error) {
      this.#log.error("Cannot tell metrics", { code: codeOf(error), error: messageOf(error) });
      say(response, 500, "The daemon failed at this request; see its log\n");
    }
  }
}

function say(response: ServerResponse, status: number, text: string): void {
  const bytes = Buffer.from(text);
  response.writeHead(status, {
    "content-type": status === 200 ? EXPOSITION_TYPE : "text/plain; charset=utf-8",
    "content-length": bytes.length,
  });
  response.end(bytes);
}
