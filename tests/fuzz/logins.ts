/** What every login of the fuzzer has in common: who logs in where, and the bytes that a login would else draw. */
import { pbkdf2Sync } from "node:crypto";
import type { LoginRequest } from "../../src/protocols/postgres/startup.ts";

/** Must never be seen by a server that was not verified. */
export const LOGIN_PASSWORD = "pencil-and-paper";
export const LOGIN_NONCE: Uint8Array = Buffer.alloc(18, 9);
export const LOGIN_REQUEST: LoginRequest = { database: "shop", parameters: { application_name: "fuzz" } };

const keys = new Map<string, Buffer>();

/** The recorded login's key; where a server asks for another, any will do, since it cannot be proven to anybody. */
export function derived(of: {
  readonly password: Uint8Array;
  readonly salt: Uint8Array;
  readonly iterations: number;
}): Buffer {
  if (of.iterations !== ITERATIONS) return Buffer.alloc(32);
  const name = Buffer.from(of.salt).toString("hex");
  const key = keys.get(name) ?? pbkdf2Sync(of.password, of.salt, of.iterations, 32, "sha256");
  if (keys.size < KEYS_MAX) keys.set(name, key);
  return Buffer.from(key);
}

/** PostgreSQL's own. */
const ITERATIONS = 4_096;
const KEYS_MAX = 100;
