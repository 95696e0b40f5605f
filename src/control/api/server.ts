/**
 * The daemon's door for people: HTTP/1.1 with JSON on a Unix socket. Every request is admitted by its peer's
 * kernel credentials before its body is read. Decides nothing about the data path.
 */

import { once } from "node:events";
import { chmodSync, chownSync, mkdirSync, unlinkSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createConnection } from "node:net";
import { dirname } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { codeOf, messageOf, UserError } from "../../base/errors.ts";
import { API_CONNECTIONS_MAX, API_HEADER_BYTES_MAX, API_REQUEST_WAIT_MS } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import type { Caller, ControlPorts } from "../ports.ts";
import { send, sendFault, type Watchers } from "./answers.ts";
import { readBody } from "./bodies.ts";
import {
  bearerOf,
  callerOf,
  groupId,
  type Membership,
  membershipFrom,
  peerBehind,
  refuseGuarded,
  requireRole,
  tokenInvalid,
} from "./callers.ts";
import { type Call, eventOf } from "./calls.ts";
import { ApiFault, faultOf } from "./faults.ts";
import { placeOf } from "./places.ts";
import { Rates } from "./rates.ts";

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
  readonly clock: Clock;
  readonly log: Log;
  /** /etc/passwd and /etc/group unless told. */
  readonly isMember?: Membership;
}

/** Listens with mode 0660 and group `sallyport` where it exists. Throws DAEMON_RUNNING, API_SOCKET. */
export async function startControlServer(options: ControlServerOptions): Promise<ControlServer> {
  const { socketPath, ports, clock, log } = options;
  const isMember = options.isMember ?? membershipFrom();
  const watchers: Watchers = new Map();
  const rates = new Rates(clock);
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
    const call: Call = { startedMs: clock.nowMs(), method: request.method ?? "" };
    const leaving = new AbortController();
    response.once("close", () => leaving.abort());
    try {
      const { route, answer } = await serve(call, request, leaving.signal);
      tell(call);
      if (route.afterwards !== undefined) response.once("close", () => route.afterwards?.(ports));
      await send(response, answer, route.gives.type, call.peer?.uid ?? 0, watchers);
    } catch (error) {
      if (response.headersSent) throw error;
      const fault = limited(call, faultOf(error) ?? ourFault(error, log));
      tell(call, fault);
      sendFault(response, fault);
    }
  }

  async function serve(call: Call, request: IncomingMessage, gone: AbortSignal) {
    const place = placeOf(request);
    if (!(place instanceof ApiFault)) call.route = place.route;
    const caller = await identify(call, request);
    call.caller = caller;
    if (place instanceof ApiFault) throw place;
    const { route, checks, path, parameters } = place;
    requireRole(caller, route.roles);
    const query = checks.query(parameters);
    const body = checks.body(await readBody(request));
    return { route, answer: await route.answer({ caller, path, query, body, gone }, ports) };
  }

  async function identify(call: Call, { socket, headers }: IncomingMessage): Promise<Caller> {
    const isLimited = call.route?.isUnlimited !== true;
    const peer = peerBehind(socket, (one) => ports.peer(one));
    call.peer = peer;
    refuseGuarded(peer);
    if (isLimited) rates.ofUser(peer.uid);
    const bearer = bearerOf(headers);
    if (bearer === undefined) return callerOf(peer, isMember);
    const caller = await ports.authenticate?.(bearer);
    if (caller === undefined) throw tokenInvalid();
    if (isLimited && caller.human !== undefined) rates.ofHuman(caller.human.id);
    return { ...caller, pid: peer.pid, uid: peer.uid };
  }

  /** One who is nobody is told so only so often. */
  function limited({ peer, caller }: Call, fault: ApiFault): ApiFault {
    if (caller !== undefined || (fault.status !== 401 && fault.status !== 403)) return fault;
    // An agent must not use up what its user has outside of it.
    return rates.ofNobody(`${peer?.tagged === true ? "guarded " : ""}uid ${peer?.uid}`) ?? fault;
  }

  function tell(call: Call, fault?: ApiFault): void {
    const event = eventOf(call, fault, clock.nowMs());
    if (event !== undefined) ports.emit(event);
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

/** Not to be shown. */
function ourFault(error: unknown, log: Log): ApiFault {
  log.error("api fault", { code: codeOf(error), error: messageOf(error) });
  return new ApiFault(500, "INTERNAL", "The daemon failed at this request", "See the daemon's log");
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
