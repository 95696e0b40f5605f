/**
 * Where answers come in: one route on one address of loopback, for a proxy or tunnel that stands before it and ends TLS.
 * Believes nothing that comes; agents are kept away by the kernel side, which denies them the address.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { codeOf, messageOf, UserError } from "../base/errors.ts";
import {
  API_HEADER_BYTES_MAX,
  NOTIFY_BODY_BYTES_MAX,
  NOTIFY_CONNECTIONS_MAX,
  NOTIFY_REQUEST_WAIT_MS,
} from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { NotifySettings } from "../model/notify.ts";
import type { Answers, Reply } from "./answers.ts";

const ROUTE = /^\/v1\/notify\/([a-z0-9][a-z0-9-]{0,62})\/answers$/;

export class AnswersDoor {
  readonly #answers: Pick<Answers, "take">;
  readonly #log: Log;
  #at: NotifySettings["listen"];
  #server: Server | undefined;
  /** Connections, oldest first. */
  readonly #open = new Map<Socket, "reading" | "answering">();

  constructor(answers: Pick<Answers, "take">, log: Log) {
    this.#answers = answers;
    this.#log = log;
  }

  /** Listens there and nowhere else; undefined: nowhere. Throws UserError NOTIFY_LISTEN, and then it is where it was. */
  async change(to: NotifySettings["listen"]): Promise<void> {
    const was = this.#at;
    if (was?.address === to?.address && was?.port === to?.port) return;
    await this.close();
    try {
      this.#server = await this.#listen(to);
      this.#at = to;
    } catch (error) {
      this.#server = await this.#listen(was);
      this.#at = was;
      throw error;
    }
  }

  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.#at = undefined;
    if (server === undefined) return;
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  }

  async #listen(at: NotifySettings["listen"]): Promise<Server | undefined> {
    if (at === undefined) return undefined;
    const times = { headersTimeout: NOTIFY_REQUEST_WAIT_MS, requestTimeout: NOTIFY_REQUEST_WAIT_MS };
    const server = createServer(
      { ...times, maxHeaderSize: API_HEADER_BYTES_MAX, connectionsCheckingInterval: NOTIFY_REQUEST_WAIT_MS / 2 },
      (request, response) => void this.#serve(request, response),
    );
    server.on("connection", (socket: Socket) => this.#admit(socket));
    try {
      server.listen({ host: at.address, port: at.port, exclusive: true });
      await once(server, "listening");
      return server;
    } catch (cause) {
      server.close();
      const message = `Cannot take answers at ${at.address} port ${at.port}: ${codeOf(cause)}`;
      const remedy = "Name a free port in notify.listen, or take it and all answers out of the settings";
      throw new UserError("NOTIFY_LISTEN", message, remedy, { cause });
    }
  }

  /** Of too many the one that has taken longest to say what it wants gives way: who says nothing keeps nobody out. */
  #admit(socket: Socket): void {
    if (this.#open.size >= NOTIFY_CONNECTIONS_MAX) {
      const [oldest] = [...this.#open].find(([, does]) => does === "reading") ?? [...this.#open][0] ?? [];
      if (oldest !== undefined) this.#open.delete(oldest);
      oldest?.destroy();
    }
    this.#open.set(socket, "reading");
    socket.once("close", () => this.#open.delete(socket));
  }

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
    if (this.#open.has(request.socket)) this.#open.set(request.socket, "answering");
    const name = ROUTE.exec(request.url ?? "")?.[1];
    if (name === undefined || request.method !== "POST") return { status: 404, body: {} };
    if (body === undefined) return { status: 413, body: {} };
    return this.#answers.take(name, { headers: request.headersDistinct, body });
  }
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
