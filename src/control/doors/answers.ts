/**
 * Where answers come in: one route on one address of loopback, for a proxy or tunnel that stands before it and ends TLS;
 * and what the API's TLS listener hands on to it, where the settings say so. Believes nothing that comes; agents are kept away by the kernel side, which denies them the address.
 */
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { codeOf, messageOf, UserError } from "../../base/errors.ts";
import { NOTIFY_BODY_BYTES_MAX, NOTIFY_CONNECTIONS_MAX, NOTIFY_REQUEST_WAIT_MS } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import type { NotifySettings } from "../../model/notify.ts";
import type { Answers, Reply } from "../../notify/answers.ts";
import { type Address, bounds, Listening } from "./listening.ts";

const ROUTE = /^\/v1\/notify\/([a-z0-9][a-z0-9-]{0,62})\/answers$/;

export class AnswersDoor {
  readonly #answers: Pick<Answers, "take">;
  readonly #log: Log;
  readonly #listening = new Listening({ connectionsMax: NOTIFY_CONNECTIONS_MAX, refusal });

  constructor(answers: Pick<Answers, "take">, log: Log) {
    this.#answers = answers;
    this.#log = log;
  }

  /** Listens there and nowhere else; undefined: nowhere. Throws UserError NOTIFY_LISTEN, and then it is where it was. */
  change(to: NotifySettings["listen"]): Promise<void> {
    return this.#listening.move(to, () => createServer(bounds(NOTIFY_REQUEST_WAIT_MS), this.serve));
  }

  close(): Promise<void> {
    return this.#listening.close();
  }

  /** Whether a listener that serves other things as well should hand it to `serve`. */
  isFor({ url = "" }: IncomingMessage): boolean {
    return ROUTE.test(url);
  }

  readonly serve: RequestListener = (request, response) => void this.#serve(request, response);

  /** Never rejects. */
  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      say(response, await this.#reply(request));
    } catch (error) {
      this.#log.error("Cannot take an answer", { code: codeOf(error), error: messageOf(error) });
      say(response, { status: 500, body: {} });
    }
  }

  async #reply(request: IncomingMessage): Promise<Reply> {
    const body = await bodyOf(request);
    this.#listening.heard(request);
    const name = ROUTE.exec(request.url ?? "")?.[1];
    if (name === undefined || request.method !== "POST") return { status: 404, body: {} };
    if (body === undefined) return { status: 413, body: {} };
    return this.#answers.take(name, { headers: request.headersDistinct, body });
  }
}

function refusal({ address, port }: Address, code: string, cause: unknown): UserError {
  const message = `Cannot take answers at ${address} port ${port}: ${code}`;
  const remedy = "Name a free port in notify.listen, or take it and all answers out of the settings";
  return new UserError("NOTIFY_LISTEN", message, remedy, { cause });
}

/**
 * Exactly as it came; undefined: it is too large, or its sender has gone. What comes behind the limit is read and dropped
 * until the request's time is over: closing on a peer that still writes would lose the refusal on its way.
 */
async function bodyOf(request: IncomingMessage): Promise<Buffer | undefined> {
  const parts: Buffer[] = [];
  let length = 0;
  try {
    for await (const part of request as AsyncIterable<Buffer>) {
      length += part.length;
      if (length <= NOTIFY_BODY_BYTES_MAX) parts.push(part);
    }
  } catch {
    return undefined;
  }
  return length <= NOTIFY_BODY_BYTES_MAX ? Buffer.concat(parts) : undefined;
}

/** One request a connection: a proxy before it must not be led to mix two. */
function say(response: ServerResponse, { status, body }: Reply): void {
  const bytes = Buffer.from(JSON.stringify(body));
  const headers = { "content-type": "application/json", "content-length": bytes.length, connection: "close" };
  response.writeHead(status, headers).end(bytes);
}
