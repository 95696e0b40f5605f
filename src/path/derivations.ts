/**
 * Keys from passwords, derived on libuv's threads, so that a server which asks for a million iterations holds up
 * nobody else's statements. A few at once, each connection one: others' logins get their turn, too.
 */
import { pbkdf2 } from "node:crypto";
import { DERIVATIONS_MAX } from "../base/limits.ts";

interface Derivation {
  readonly password: Uint8Array;
  readonly salt: Uint8Array;
  readonly iterations: number;
}

const KEY_BYTES = 32;
/** By connection, in the order in which they came; one that runs is at its turn until it is done. */
const waiting = new Map<string, (() => void)[]>();
const running = new Set<string>();

/** PBKDF2 with SHA-256. Rejects at its turn when the login is over by then. */
export async function deriveKey(
  connection: string,
  { password, salt, iterations }: Derivation,
  signal: AbortSignal,
): Promise<Uint8Array> {
  await turn(connection);
  try {
    signal.throwIfAborted();
    return await new Promise<Uint8Array>((resolve, reject) => {
      pbkdf2(password, salt, iterations, KEY_BYTES, "sha256", (error, key) => {
        if (error === null) resolve(key);
        else reject(error);
      });
    });
  } finally {
    running.delete(connection);
    next();
  }
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
