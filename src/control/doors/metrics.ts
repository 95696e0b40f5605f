/**
 * Where a Prometheus server fetches metrics: `GET /metrics` on one address, off unless the settings name it. Asks
 * nobody for a password and knows no other path; agents are kept away by the kernel side, which denies them the address.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { codeOf, messageOf, UserError } from "../../base/errors.ts";
import { METRICS_CONNECTIONS_MAX, METRICS_REQUEST_WAIT_MS } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import { EXPOSITION_TYPE } from "../../metrics/exposition.ts";
import { type Address, bounds, Listening } from "./listening.ts";

export class MetricsEndpoint {
  readonly #text: () => string;
  readonly #log: Log;
  readonly #listening = new Listening({ connectionsMax: METRICS_CONNECTIONS_MAX, refusal });

  constructor(text: () => string, log: Log) {
    this.#text = text;
    this.#log = log;
  }

  /** Listens there and nowhere else; undefined: nowhere. Throws UserError METRICS_LISTEN, and then it is where it was. */
  change(to: Address | undefined): Promise<void> {
    const answer = (request: IncomingMessage, response: ServerResponse) => this.#answer(request, response);
    return this.#listening.move(to, () => createServer(bounds(METRICS_REQUEST_WAIT_MS), answer));
  }

  close(): Promise<void> {
    return this.#listening.close();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { method, url = "" } = request;
    request.resume();
    this.#listening.heard(request);
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

function refusal({ address, port }: Address, code: string, cause: unknown): UserError {
  const message = `Cannot serve metrics at ${address} port ${port}: ${code}`;
  const remedy = "Name an address of this host and a free port in metrics.listen, or take it out of the settings";
  return new UserError("METRICS_LISTEN", message, remedy, { cause });
}

function say(response: ServerResponse, status: number, text: string): void {
  const bytes = Buffer.from(text);
  response.writeHead(status, {
    "content-type": status === 200 ? EXPOSITION_TYPE : "text/plain; charset=utf-8",
    "content-length": bytes.length,
  });
  response.end(bytes);
}
