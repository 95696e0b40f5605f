/** A running session between a client and a server of the test's own. */
import type { Socket } from "node:net";
import type { TestContext } from "node:test";
import type { SessionCommand, SessionEvent } from "../../src/model/session.ts";
import { Driver, type DriverPorts } from "../../src/path/driver.ts";
import type { LoggedIn } from "../../src/path/upstream.ts";
import type { Wire } from "../../src/path/wire.ts";
import { acceptedWire, bytes, dialledWire, portsOf, reader, relayScript, ScriptedSession } from "./kit.ts";

export interface World {
  readonly client: Socket;
  readonly server: Socket;
  readonly session: ScriptedSession;
  readonly driver: Driver;
  readonly steps: string[];
  readonly faults: readonly { readonly code: string; readonly message: string }[];
  readonly answer: ReturnType<typeof reader>;
  readonly received: ReturnType<typeof reader>;
  readonly done: Promise<string>;
}

interface Making {
  readonly script?: (event: SessionEvent) => readonly SessionCommand[];
  readonly ports?: Partial<DriverPorts>;
  readonly login?: (wire: Wire) => Promise<LoggedIn>;
  /** Neither end is read by the test, but for a client that is resumed: it counts what it got. */
  readonly unread?: { got: number };
}

export const loggedIn = (wire: Wire, unread = ""): LoggedIn => ({
  wire,
  greeting: "hello",
  unread: bytes(unread),
  cancel: undefined,
});

/** A session between a client and a server of the test's own, running. */
export async function start(t: TestContext, making: Making = {}): Promise<World> {
  const { unread } = making;
  const { client, wire } = await acceptedWire(t, unread === undefined ? {} : { onread: counter(unread) });
  if (unread !== undefined) client.pause();
  const { server, wire: upstream } = await dialledWire(t);
  const session = new ScriptedSession(making.script ?? relayScript);
  const login = making.login ?? (async (to: Wire) => loggedIn(to));
  const { ports, steps, faults } = portsOf("s1", { logIn: () => login(upstream), ...making.ports });
  const driver = new Driver("s1", session, wire, ports);
  const [answer, received] = unread !== undefined ? [NOBODY, NOBODY] : [reader(client), reader(server)];
  return { client, server, session, driver, steps, faults, answer, received, done: driver.run() };
}

/** Reads into one buffer, so that the test's own garbage is not measured. */
const counter = (counts: { got: number }) => ({
  buffer: Buffer.allocUnsafe(64 * 1024),
  callback: (count: number) => {
    counts.got += count;
    return true;
  },
});

const NOBODY: ReturnType<typeof reader> = { text: () => "", ended: () => false };
export const isLoggedIn = ({ session }: World) => session.events.includes("loggedIn hello");
