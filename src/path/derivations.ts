/**
 * Keys from passwords, derived on libuv's threads, so that a server which asks for a million iterations holds up
 * nobody else's statements. A few at once, each connection one: others' logins get their turn, too.
 *
 * A server's salt is its role's, so that every login of a connection derives the same key, at some milliseconds each. Keys
 * are kept for a minute, under a name that only this process can make of the password, and wiped.
 */
import { createHmac, createSecretKey, pbkdf2, randomBytes } from "node:crypto";
import { DERIVATIONS_MAX, DERIVED_KEPT_MAX, DERIVED_KEPT_MS } from "../base/limits.ts";

interface Derivation {
  readonly password: Uint8Array;
  readonly salt: Uint8Array;
  readonly iterations: number;
}

const KEY_BYTES = 32;
/** By connection, in the order in which they came; one that runs is at its turn until it is done. */
const waiting = new Map<string, (() => void)[]>();
const running = new Set<string>();
const namingKey = createSecretKey(randomBytes(KEY_BYTES));
/** The oldest first. */
const kept = new Map<string, { readonly key: Uint8Array; readonly timer: NodeJS.Timeout }>();

/** PBKDF2 with SHA-256; the key is the caller's own. Rejects at its turn when the login is over by then. */
export async function deriveKey(connection: string, derivation: Derivation, signal: AbortSignal): Promise<Uint8Array> {
  const { password, salt, iterations } = derivation;
  const name = nameOf(connection, derivation);
  const known = kept.get(name);
  if (known !== undefined) return Uint8Array.from(known.key);
  await turn(connection);
  try {
    signal.throwIfAborted();
    const meanwhile = kept.get(name);
    if (meanwhile !== undefined) return Uint8Array.from(meanwhile.key);
    const derived = await new Promise<Uint8Array>((resolve, reject) => {
      pbkdf2(password, salt, iterations, KEY_BYTES, "sha256", (error, key) => {
        if (error === null) resolve(key);
        else reject(error);
      });
    });
    keep(name, Uint8Array.from(derived));
    return derived;
  } finally {
    running.delete(connection);
    next();
  }
}

/** Of all that a key depends on, and of the connection whose password it is. */
function nameOf(connection: string, { password, salt, iterations }: Derivation): string {
  const name = createHmac("sha256", namingKey);
  for (const part of [Buffer.from(connection), password, salt]) name.update(`${part.length} `).update(part);
  return name.update(String(iterations)).digest("base64");
}

function keep(name: string, key: Uint8Array): void {
  const [oldest] = kept.keys();
  if (oldest !== undefined && kept.size >= DERIVED_KEPT_MAX) forget(oldest);
  kept.set(name, { key, timer: setTimeout(() => forget(name), DERIVED_KEPT_MS).unref() });
}

function forget(name: string): void {
  const known = kept.get(name);
  if (known === undefined) return;
  clearTimeout(known.timer);
  kept.delete(name);
  known.key.fill(0);
}

function turn(connection: string): Promise<void> {
  return new Promise((resolve) => {
    const queue = waiting.get(connection);
    if (queue === undefined) waiting.set(connection, [resolve]);
    else queue.push(resolve);
    next();
  });
}

/** Connections take turns: who has had one goes behind the others. */
function next(): void {
  for (const [connection, queue] of waiting) {
    if (running.size >= DERIVATIONS_MAX) return;
    if (running.has(connection)) continue;
    const start = queue.shift();
    waiting.delete(connection);
    if (queue.length > 0) waiting.set(connection, queue);
    running.add(connection);
    start?.();
  }
}
