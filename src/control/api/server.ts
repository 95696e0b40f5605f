/**
 * The daemon's door for people: HTTP/1.1 with JSON on a Unix socket. Every request is admitted by its peer's
 * kernel credentials before its body is read. Decides nothing about the data path.
 */

import { once } from "node:events";
import { chmodSync, chownSync, mkdirSync, unlinkSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createConnection } from "node:net";
import { dirname } from "node:path";
import { codeOf, messageOf, UserError } from "../../base/errors.ts";
import {
  API_CONNECTIONS_MAX,
  API_HEADER_BYTES_MAX,
  API_REQUEST_WAIT_MS,
  API_WATCHERS_MAX,
  API_WATCHERS_PER_USER_MAX,
  UNSENT_BYTES_MAX,
} from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import type { ControlPorts } from "../ports.ts";
import { readBody } from "./bodies.ts";
import { callerOf, groupId, type Membership, membershipFrom, requireRole } from "./callers.ts";
import { ApiFault, faultOf } from "./faults.ts";
import { type Answer, ROUTES, type Route } from "./routes.ts";

export interface ControlServer {
  readonly socketPath: string;
  /** Ends every request and watcher, removes the socket. */
  close(): Promise<void>;
}

export interface ControlServerOptions {
  /** "/run/sallyport/api.sock" */
  readonly socketPath: string;
  /** Listening there already, by a service manager: it stays when the daemon goes, and its clients wait. */
  readonly listenFd?: number;
  readonly ports: ControlPorts;
  readonly log: Log;
  /** /etc/passwd and /etc/group unless told. */
  readonly isMember?: Membership;
}

/** Listens with mode 0660 and group `sallyport` where it exists. Throws DAEMON_RUNNING, API_SOCKET. */
export async function startControlServer(options: ControlServerOptions): Promise<ControlServer> {
  const { socketPath, ports, log } = options;
  const isMember = options.isMember ?? membershipFrom();
  const watchers: Watchers = new Map();
  const server = createServer(
    {
      maxHeaderSize: API_HEADER_BYTES_MAX,
      headersTimeout: API_REQUEST_WAIT_MS,
      requestTimeout: API_REQUEST_WAIT_MS,
      connectionsCheckingInterval: API_REQUEST_WAIT_MS / 2,
      keepAliveTimeout: API_REQUEST_WAIT_MS,
    },
    (request, response) => {
      handle(request, response).catch((error: unknown) => {
        log.warn("api request failed", { path: request.url?.split("?")[0], error: messageOf(error) });
        response.destroy();
      });
    },
  );
  server.maxConnections = API_CONNECTIONS_MAX;

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const { authorization } = request.headers;
      const shown = { authorization, authenticate: ports.authenticate?.bind(ports) };
      const caller = await callerOf(request.socket, (socket) => ports.peer(socket), isMember, shown);
      const { route, path, query } = routeOf(request);
      requireRole(caller, route.roles);
      const leaving = new AbortController();
      response.once("close", () => leaving.abort());
      const body = await readBody(request);
      const answer = await route.answer({ caller, path, query, body, gone: leaving.signal }, ports);
      const { acting, uid } = caller;
      // what goes on for long ends with the session or API token that asked for it
      const isOver = () => acting !== undefined && ports.isActing?.(acting) !== true;
      await send(response, answer, { uid, isOver }, watchers);
    } catch (error) {
      if (response.headersSent) throw error;
      sendFault(response, error, log);
    }
  }

  if (options.listenFd === undefined) await listen(server, socketPath);
  else await once(server.listen({ fd: options.listenFd }), "listening");
  return {
    socketPath,
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function routeOf(request: IncomingMessage) {
  const url = new URL(request.url ?? "/", "http://sallyport");
  const steps = url.pathname.split("/");
  const fitting = ROUTES.flatMap((route) => {
    const path = match(route, steps);
    return path === undefined ? [] : [{ route, path, query: url.searchParams }];
  });
  const found = fitting.find(({ route }) => route.method === request.method);
  if (found !== undefined) return found;
  if (fitting.length > 0) {
    throw new ApiFault(405, "API_METHOD", `Cannot ${request.method} here`, "See docs/cli.md");
  }
  throw new ApiFault(
    404,
    "API_ROUTE_UNKNOWN",
    "Cannot find that in the API",
    "The daemon may be older than the command",
  );
}

/** The ":name" parts, or undefined when the path does not fit. A fixed step goes before a ":name" in ROUTES. */
function match(route: Route, steps: readonly string[]): Record<string, string> | undefined {
  const pattern = route.path.split("/");
  if (pattern.length !== steps.length) return undefined;
  const names: Record<string, string> = {};
  for (const [index, part] of pattern.entries()) {
    const step = steps[index] ?? "";
    if (!part.startsWith(":")) {
      if (part !== step) return undefined;
    } else {
      const name = decoded(step);
      if (name === undefined) return undefined;
      names[part.slice(1)] = name;
    }
  }
  return names;
}

function decoded(step: string): string | undefined {
  try {
    const text = decodeURIComponent(step);
    return /^[A-Za-z0-9_.-]{1,128}$/.test(text) ? text : undefined;
  } catch {
    return undefined;
  }
}

/** Each with the uid of who watches. */
type Watchers = Map<ServerResponse, number>;

interface Reader {
  readonly uid: number;
  readonly isOver: () => boolean;
}

async function send(response: ServerResponse, answer: Answer, reader: Reader, watchers: Watchers): Promise<void> {
  switch (answer.kind) {
    case "json":
      if (answer.afterwards) response.once("close", answer.afterwards);
      sendJson(response, 200, answer.value ?? {});
      break;
    case "text":
      sendBytes(response, 200, answer.type, Buffer.from(answer.text));
      break;
    case "lines":
      await sendLines(response, answer.lines, reader);
      break;
    case "bytes":
      await streamBytes(response, answer.type, answer.bytes);
      break;
    case "events":
      sendEvents(response, answer.watch, reader, watchers);
      break;
    default:
      answer satisfies never;
  }
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  sendBytes(response, status, "application/json", Buffer.from(`${JSON.stringify(value)}\n`));
}

function sendBytes(response: ServerResponse, status: number, type: string, bytes: Uint8Array): void {
  response.writeHead(status, { "content-type": type, "content-length": bytes.length });
  response.end(bytes);
}

function sendFault(response: ServerResponse, error: unknown, log: Log): void {
  const fault = faultOf(error);
  if (fault === undefined) log.error("api fault", { code: codeOf(error), error: messageOf(error) });
  const { status, code, message, remedy } =
    fault ?? new ApiFault(500, "INTERNAL", "The daemon failed at this request", "See the daemon's log");
  sendJson(response, status, { error: { code, message, remedy } });
}

async function sendLines(response: ServerResponse, lines: AsyncIterable<unknown>, { isOver }: Reader): Promise<void> {
  response.writeHead(200, { "content-type": "application/x-ndjson" });
  for await (const line of lines) {
    if (isOver()) response.destroy();
    if (response.destroyed) return;
    if (!response.write(`${JSON.stringify(line)}\n`)) await drained(response);
  }
  response.end();
}

async function streamBytes(response: ServerResponse, type: string, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  response.writeHead(200, { "content-type": type });
  for await (const chunk of bytes) {
    if (response.destroyed) return;
    if (!response.write(chunk)) await drained(response);
  }
  response.end();
}

/** Or its client is gone. Leaves no listener behind: a long answer waits thousands of times. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off("drain", done).off("close", done);
      resolve();
    };
    response.on("drain", done).on("close", done);
  });
}

function sendEvents(
  response: ServerResponse,
  watch: Extract<Answer, { kind: "events" }>["watch"],
  { uid, isOver }: Reader,
  watchers: Watchers,
): void {
  const own = [...watchers.values()].filter((one) => one === uid).length;
  if (uid !== 0 && own >= API_WATCHERS_PER_USER_MAX) {
    throw new ApiFault(503, "API_WATCHERS_FULL", `This user watches ${own} times already`, "End one of them");
  }
  if (watchers.size >= API_WATCHERS_MAX) {
    throw new ApiFault(503, "API_WATCHERS_FULL", `${API_WATCHERS_MAX} clients watch already`, "End one of them");
  }
  watchers.set(response, uid);
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  response.flushHeaders();
  const stop = watch((event) => {
    // A watcher that does not read is ended rather than fed from memory without end.
    if (isOver() || response.writableLength > UNSENT_BYTES_MAX) response.destroy();
    else response.write(`event: ${event.kind.replaceAll(/[\r\n]/g, " ")}\ndata: ${JSON.stringify(event)}\n\n`);
  });
  response.once("close", () => {
    watchers.delete(response);
    stop();
  });
}

/** Asked before anything is touched that a running daemon uses. Throws DAEMON_RUNNING. */
export async function refuseSecondDaemon(socketPath: string): Promise<void> {
  if (!(await answers(socketPath))) return;
  const message = `Cannot listen on ${socketPath}: a daemon answers there`;
  throw new UserError("DAEMON_RUNNING", message, "Stop it: sallyport down");
}

async function listen(server: Server, socketPath: string): Promise<void> {
  await refuseSecondDaemon(socketPath);
  try {
    mkdirSync(dirname(socketPath), { recursive: true, mode: 0o755 });
    unlinkSync(socketPath);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw socketError(socketPath, error);
  }
  // The socket is bound inside listen(), so nobody can connect before its mode is right.
  const before = process.umask(0o117);
  try {
    server.listen(socketPath);
  } finally {
    process.umask(before);
  }
  try {
    await once(server, "listening");
    const group = groupId();
    if (group !== undefined && process.getuid?.() === 0) chownSync(socketPath, 0, group);
    chmodSync(socketPath, 0o660);
  } catch (error) {
    server.close();
    throw socketError(socketPath, error);
  }
}

function socketError(path: string, cause: unknown): UserError {
  return new UserError(
    "API_SOCKET",
    `Cannot listen on ${path}: ${messageOf(cause)}`,
    "Choose another folder with --run",
    {
      cause,
    },
  );
}

function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createConnection(socketPath, () => {
      probe.destroy();
      resolve(true);
    });
    probe.on("error", () => resolve(false));
  });
}
