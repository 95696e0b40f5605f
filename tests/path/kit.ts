/** Loopback sockets as the kernel side would hand them over, backends that a test scripts, and ports that remember. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import type { TestContext } from "node:test";
import type { Decision } from "../../src/model/decision.ts";
import type { Asked, Operation } from "../../src/model/operation.ts";
import { mintPermit } from "../../src/model/permit.ts";
import type { Session, SessionCommand, SessionEvent } from "../../src/model/session.ts";
import type { DriverPorts } from "../../src/path/driver.ts";
import { Wire } from "../../src/path/wire.ts";

/** Where a client's bytes go instead of "data" events. */
export interface Reading {
  readonly onread?: { readonly buffer: Uint8Array; readonly callback: (count: number) => boolean };
}

/** Sockets whose descriptor belongs to somebody else by now; they must never be closed by their first owner. */
const HANDED_OVER: Socket[] = [];

/** A client and the descriptor of its accepted end. Whoever takes the descriptor owns it. */
export async function accept(
  t: TestContext,
  more: Reading = {},
): Promise<{ readonly client: Socket; readonly fd: number }> {
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect({ port: portOf(server), host: "127.0.0.1", allowHalfOpen: true, noDelay: true, ...more });
  const [accepted] = (await once(server, "connection")) as [Socket];
  if (client.connecting) await once(client, "connect");
  server.close();
  HANDED_OVER.push(accepted);
  t.after(() => client.destroy());
  client.on("error", () => {}); // a session that ends hard is the matter of its test
  const { fd } = (accepted as unknown as { readonly _handle: { readonly fd: number } })._handle;
  return { client, fd };
}

export async function acceptedWire(
  t: TestContext,
  more: Reading = {},
): Promise<{ readonly client: Socket; readonly wire: Wire }> {
  const { client, fd } = await accept(t, more);
  const wire = Wire.accepted(fd);
  t.after(() => wire.destroy());
  return { client, wire };
}

/** A server on loopback; `serve` gets every connection. Ends with the test. */
export async function backendOf(t: TestContext, serve: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    serve(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return portOf(server);
}

export function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

/** A wire to a server of the test's own, and the server's end of it. */
export async function dialledWire(t: TestContext): Promise<{ readonly server: Socket; readonly wire: Wire }> {
  const arrived = Promise.withResolvers<Socket>();
  const port = await backendOf(t, (socket) => arrived.resolve(socket));
  const wire = await Wire.dial("127.0.0.1", port, AbortSignal.timeout(5_000));
  t.after(() => wire.destroy());
  return { server: await arrived.promise, wire };
}

/** Resolves once `holds`, which is asked after every turn of the event loop. */
export async function until(holds: () => boolean, what: string, waitMs = 5_000): Promise<void> {
  const end = performance.now() + waitMs;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`Waited in vain for this: ${what}`);
    await turn();
  }
}

/** One turn of the event loop, so that what can happen at once has happened. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export async function turns(count: number): Promise<void> {
  for (let round = 0; round < count; round++) await turn();
}

export const bytes = (text: string): Uint8Array => Buffer.from(text);
export const textOf = (view: Uint8Array): string => Buffer.from(view).toString();

/** A socket's answers as text, from now on. */
export function reader(socket: Socket): { readonly text: () => string; readonly ended: () => boolean } {
  let text = "";
  let ended = false;
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  socket.on("end", () => {
    ended = true;
  });
  socket.on("close", () => {
    ended = true;
  });
  return { text: () => text, ended: () => ended };
}

const OPERATION: Operation = Object.freeze({ actions: [] });
export const asked = (text: string): readonly Asked[] => [{ operation: OPERATION, text }];

/** Answers each event with what `script` says; remembers the events, bytes copied as text. */
export class ScriptedSession implements Session {
  readonly events: string[] = [];
  readonly #script: (event: SessionEvent) => readonly SessionCommand[];

  constructor(script: (event: SessionEvent) => readonly SessionCommand[]) {
    this.#script = script;
  }

  handle(event: SessionEvent): readonly SessionCommand[] {
    this.events.push(describe(event));
    return this.#script(event);
  }
}

function describe(event: SessionEvent): string {
  switch (event.kind) {
    case "client":
    case "server":
      return `${event.kind} ${event.bytes.length > 40 ? event.bytes.length : textOf(event.bytes)}`;
    case "ended":
      return `ended ${event.side}`;
    case "verdict":
      return `${event.decision.kind} ${event.id}`;
    case "facts":
      return `facts ${event.id} ${String(event.answer)}`;
    case "loggedIn":
      return `loggedIn ${String(event.greeting)}`;
    case "loginFailed":
      return `loginFailed ${event.code}`;
    case "stop":
      return `stop ${event.reason}`;
    default:
      return event.kind;
  }
}

/** Ports that allow everything, write down the order of what happens, and can be changed by `changes`. */
export function portsOf(sessionId: string, changes: Partial<DriverPorts> = {}) {
  const steps: string[] = [];
  const faults: { readonly code: string; readonly message: string }[] = [];
  const ports: DriverPorts = {
    decide: (id, what, owned): Decision => {
      steps.push(`decide ${what.map(({ text }) => text).join()}`);
      return { kind: "allow", permit: mintPermit(sessionId, id, owned), rules: ["all"], policy: "p" };
    },
    hold: () => {
      throw new Error("Cannot hold: the test has nobody who answers");
    },
    recordDecided: (_id, verdict) => {
      steps.push(`record ${verdict.kind}`);
    },
    recordAsked: (_id, what, decision) => {
      steps.push(`record ${decision.kind} ${what.map(({ text }) => text).join()}`);
    },
    recordOutput: () => {},
    recordAnswered: ({ outcome }) => {
      steps.push(`answered ${outcome}`);
    },
    flush: () => {
      if (steps.at(-1) !== "flush") steps.push("flush");
    },
    settle: () => undefined,
    logIn: () => Promise.reject(new Error("Cannot log in: the test has no backend")),
    look: () => "fact",
    secure: () => Promise.reject(new Error("Cannot encrypt: the test has no certificate")),
    cancel: async (key) => void steps.push(`cancel ${textOf(key)}`),
    noteProgress: (id, rows) => {
      steps.push(`progress ${id} ${rows}`);
    },
    fault: (code, message) => {
      faults.push({ code, message });
    },
    ...changes,
  };
  return { ports, steps, faults };
}

/**
 * A protocol for tests: `connect` logs in at once; then every read of the client is asked for, and forwarded when
 * allowed; "no" is the answer to a denial; "bye" is the farewell.
 */
export function relayScript(event: SessionEvent): readonly SessionCommand[] {
  switch (event.kind) {
    case "start":
      return [{ kind: "ask", id: 0, asked: asked("connect"), bytes: new Uint8Array() }];
    case "client":
      return [{ kind: "ask", id: 1, asked: asked(describe(event)), bytes: event.bytes }];
    case "verdict": {
      const { id, decision } = event;
      if (decision.kind === "deny") return [{ kind: "toClient", bytes: bytes("no") }];
      if (id === 0) return [{ kind: "login", id, permit: decision.permit, request: "request" }];
      return [{ kind: "forward", id, permit: decision.permit }];
    }
    case "server":
      return [{ kind: "toClient", bytes: event.bytes }];
    case "loginFailed":
      return [{ kind: "close", reason: event.message }];
    case "stop":
      return [
        { kind: "toClient", bytes: bytes("bye") },
        { kind: "close", reason: event.reason },
      ];
    case "ended":
      return [{ kind: "close", reason: `the ${event.side} left` }];
    default:
      return [];
  }
}
