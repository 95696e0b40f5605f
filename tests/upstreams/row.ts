/** What a row of these suites is, and the words that scripts are written in. Runs nothing. */
import { LOGIN_WAIT_MS, LOOKUP_WAIT_MS } from "../../src/base/limits.ts";
import { client, int32, message, server } from "../kit/wire.ts";
import type { Call } from "./guest.ts";
import type { Serve, Visit } from "./hostile.ts";

/** A row that ends at once unless it says otherwise. */
export type QuickRow = Omit<Row, "withinMs"> & Partial<Row>;

export interface Row {
  readonly name: string;
  /** How the settings say that this server is to be dialled; without: in the clear. */
  readonly tls?: "require" | "verified";
  /** The connection has labels, so that its catalog is looked up before the client is let in. */
  readonly labelled?: true;
  readonly serve: Serve;
  readonly call?: Partial<Call>;
  readonly ends: Ending;
  /** From dialling to the end, as the client sees it. */
  readonly withinMs: number;
}

export type Ending =
  /** The login failed: the client reads a FATAL of this SQLSTATE, the trail has an upstream.failed of this code. */
  | { readonly kind: "refused"; readonly sqlState: string; readonly code: string; readonly orCode?: string }
  /** Likewise, but the trail names it only as the reason of the session's end. */
  | { readonly kind: "unguardable"; readonly says: RegExp }
  /** The session fails with a session.fault of this code, and the client reads a FATAL of this SQLSTATE. */
  | { readonly kind: "fault"; readonly code: string; readonly orCode?: string; readonly sqlState: string }
  /** The server has gone, and the client hears no more than that. */
  | { readonly kind: "gone" }
  /** Nothing is wrong that Sallyport could know of: the session goes on until its client leaves. */
  | { readonly kind: "left" }
  /** All that was asked was answered. */
  | { readonly kind: "answered"; readonly rows?: number };

/** What every guest asks; a second statement is refused by policy and must reach nobody. */
export const ASKED = "SELECT 1 AS asked";
export const FORBIDDEN = "DELETE FROM customers";
export const SAYS = Buffer.concat([client.query(ASKED), client.query(FORBIDDEN)]).toString("base64");

/** On top of every wait: the machine may be busy. */
const SLACK_MS = 4_000;
/** What is not waited for by design. */
export const AT_ONCE: number = SLACK_MS;
/** A login, and a lookup with its own. */
export const LOGIN_TIME: number = LOGIN_WAIT_MS + SLACK_MS;
export const LOOKUP_TIME: number = LOGIN_WAIT_MS + LOOKUP_WAIT_MS + SLACK_MS;

export const COLUMN = server.columns({ name: "asked" });
export const ROW = server.row("1");
export const RESULT: Buffer = Buffer.concat([COLUMN, ROW, server.complete("SELECT 1"), server.ready()]);

/** A message whose length says what it likes. */
export function lying(type: string, length: number, body: Uint8Array = Buffer.alloc(0)): Buffer {
  return Buffer.concat([Buffer.from(type), int32(length), body]);
}

export const LENGTHS = [
  ["of 0", 0],
  ["of 3", 3],
  ["of -1", -1],
  ["of -2147483648", -2_147_483_648],
  ["of 2 GiB", 0x7fff_ffff],
] as const;

/** Logs in as it should be done, then does this. */
export function after(does: Serve, tls?: "granted"): Serve {
  return async (visit) => {
    await visit.login(tls);
    await does(visit);
  };
}

/** Logs in, hears the first query, then does this. */
export function asked(does: Serve): Serve {
  return after(async (visit) => {
    await visit.hear("Q");
    await does(visit);
  });
}

/** Likewise, with these bytes as the answer. */
export function answering(...parts: readonly Uint8Array[]): Serve {
  return asked((visit) => visit.send(Buffer.concat(parts)));
}

/** From here on an honest server: every statement but the one that must fail has one row. */
export async function behave(visit: Visit): Promise<void> {
  for (;;) {
    const { body } = await visit.hear("Q");
    await visit.send(body.toString() === `${ASKED}\0` ? RESULT : FAILED);
  }
}

const FAILED = Buffer.concat([server.error({ S: "ERROR", V: "ERROR", C: "42601", M: "syntax error" }), server.ready()]);

/** Sessions are served by this, lookups by that. */
export function apart(session: Serve, lookup: Serve): Serve {
  return async (visit) => {
    await visit.startup();
    await (visit.isLookup ? lookup : session)(visit);
  };
}

/** A login whose startup has been read. */
export async function finishLogin(visit: Visit): Promise<void> {
  await visit.scram();
  await visit.greet();
}

export function quick(rows: readonly QuickRow[]): readonly Row[] {
  return rows.map((row) => ({ withinMs: AT_ONCE, ...row }));
}

/** A catalog without anything in it. */
export const NO_FACTS: Buffer = Buffer.concat([
  server.columns(...["what", "oid", "schema", "name", "kind", "roots", "columns"].map((name) => ({ name }))),
  server.complete("SELECT 0"),
  server.ready(),
]);

export const silence: Serve = () => Promise.resolve();

export function authentication(code: number, ...parts: readonly Uint8Array[]): Buffer {
  return message("R", int32(code), ...parts);
}
