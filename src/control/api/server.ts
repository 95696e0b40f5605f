/**
 * The daemon's door for people: HTTP/1.1 with JSON on a Unix socket. Every request is admitted by its peer's
 * kernel credentials before its body is read. Decides nothing about the data path.
 */

import { once } from "node:events";
import { chmodSync, chownSync, mkdirSync, unlinkSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { createConnection } from "node:net";
import { dirname } from "node:path";
import { codeOf, messageOf, UserError } from "../../base/errors.ts";
import { API_CONNECTIONS_MAX, API_REQUEST_WAIT_MS } from "../../base/limits.ts";
import { bounds, closed } from "../doors/listening.ts";
import type { Caller } from "../ports.ts";
import { callerOf, groupId, type Membership, membershipFrom, peerBehind, refuseGuarded } from "./callers.ts";
import type { Call } from "./calls.ts";
import { Handler, type HandlerParts } from "./handler.ts";
import { type AnswersPort, TlsListener } from "./tls-listener.ts";

export interface ControlServer {
  readonly socketPath: string;
  /** Closed until it is told where to listen. */
  readonly tls: TlsListener;
  /** Ends every request and watcher, removes the socket. */
  close(): Promise<void>;
}

export interface ControlServerOptions extends HandlerParts {
  /** "/run/sallyport/api.sock" */
  readonly socketPath: string;
  /** Listening there already, by a service manager: it stays when the daemon goes, and its clients wait. */
  readonly listenFd?: number;
  /** Where the TLS listener hands answers to held actions; absent: it takes none. */
  readonly answers?: AnswersPort;
  /** /etc/passwd and /etc/group unless told. */
  readonly isMember?: Membership;
}

/** Listens with mode 0660 and group `sallyport` where it exists. Throws DAEMON_RUNNING, API_SOCKET. */
export async function startControlServer(options: ControlServerOptions): Promise<ControlServer> {
  const { socketPath, ports } = options;
  const isMember = options.isMember ?? membershipFrom();
  const handler = new Handler(options);
  const server = createServer(bounds(API_REQUEST_WAIT_MS), handler.listener(identify));
  server.maxConnections = API_CONNECTIONS_MAX;

  async function identify(call: Call, request: IncomingMessage): Promise<Caller> {
    const peer = peerBehind(request.socket, (socket) => ports.peer(socket));
    call.peer = peer;
    refuseGuarded(peer);
    const isLimited = call.route?.isUnlimited !== true || peer.uid !== 0; // others are refused there, and each is told
    if (isLimited) handler.rates.ofUser(peer.uid);
    const shown = await handler.shownBy(request, peer.uid);
    const caller = { ...(shown ?? callerOf(peer, isMember)), pid: peer.pid, uid: peer.uid };
    if (isLimited && caller.acting !== undefined) handler.rates.ofHuman(caller.acting.human.account);
    if (caller.acting !== undefined) await ports.acts?.(caller);
    return caller;
  }

  if (options.listenFd === undefined) await listen(server, socketPath);
  else await once(server.listen({ fd: options.listenFd }), "listening");
  const tls = new TlsListener(handler, options.answers);
  return {
    socketPath,
    tls,
    async close() {
      await tls.close();
      await closed(server);
    },
  };
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
