/**
 * Data keys for recordings: made anew each day, sealed under a key that only the vault's own key gives, kept in memory
 * while the daemon runs. Destroying one makes what was sealed with it unreadable for good. Seals no recording itself.
 */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import { UserError } from "../base/errors.ts";
import { DATA_KEY_AGE_MS } from "../base/limits.ts";
import type { DataKeyRow, DataKeyStore } from "../store/data-keys.ts";

export interface DataKeyListing {
  readonly id: string;
  readonly createdMs: number;
  readonly destroyedMs?: number;
  readonly reason?: string;
  /** What begins now is sealed with it. */
  readonly isCurrent: boolean;
}

export interface DataKeys {
  /** For what begins now. */
  current(): { readonly id: string; readonly secret: Uint8Array };
  /** undefined: it was destroyed, or never was. */
  secretOf(id: string): Uint8Array | undefined;
  list(): readonly DataKeyListing[];
  /** Makes a new one where the current one is older than a day. */
  rotate(): Promise<void>;
  /** Throws DATA_KEY_UNKNOWN, DATA_KEY_LEFT. What runs and is sealed with it goes on, and cannot be read either. */
  destroy(id: string, reason: string): Promise<void>;
}

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** `wrapping`: 32 bytes of the vault. Throws DATA_KEY_BROKEN where what is kept was not sealed with it. */
export async function openDataKeys(store: DataKeyStore, wrapping: Uint8Array, clock: Clock): Promise<DataKeys> {
  let rows: readonly DataKeyRow[] = [];
  const secrets = new Map<string, Buffer>();
  /** Destroyed, and perhaps still in the database's log. */
  const left = new Set<string>();

  async function scrub(): Promise<void> {
    await store.scrub();
    left.clear();
  }

  async function make(): Promise<void> {
    const secret = randomBytes(KEY_BYTES);
    const createdMs = clock.nowMs();
    const id = `${new Date(createdMs).toISOString().slice(0, 10)}-${randomBytes(4).toString("hex")}`;
    const nonce = randomBytes(NONCE_BYTES);
    const row = { id, createdMs, nonce, sealed: wrap(wrapping, id, nonce, secret), destroyedMs: undefined, reason: "" };
    await store.insert(row);
    secrets.set(id, secret);
    rows = [...rows, row];
  }

  const newest = () => rows.findLast(({ sealed }) => sealed !== undefined);

  rows = await store.all();
  for (const { id, nonce, sealed } of rows) {
    if (sealed !== undefined) secrets.set(id, unwrap(wrapping, id, nonce, sealed));
  }
  const keys: DataKeys = {
    current() {
      const id = newest()?.id ?? "";
      const secret = secrets.get(id);
      if (secret === undefined) throw new Error("Cannot seal: there is no data key");
      return { id, secret };
    },
    secretOf: (id) => secrets.get(id),
    list() {
      const current = newest();
      return rows.map(({ id, createdMs, destroyedMs, reason }) => ({
        ...{ id, createdMs, isCurrent: id === current?.id },
        ...(destroyedMs === undefined ? {} : { destroyedMs, reason }),
      }));
    },
    async rotate() {
      const current = newest();
      const age = clock.nowMs() - (current?.createdMs ?? 0);
      if (current === undefined || age >= DATA_KEY_AGE_MS || age < 0) await make();
    },
    async destroy(id, reason) {
      const destroyedMs = clock.nowMs();
      if (left.has(id)) {
        await scrub();
        return;
      }
      if (newest()?.id === id) await make(); // there is always one for what begins now
      if (!(await store.destroy(id, destroyedMs, reason))) {
        throw new UserError(
          "DATA_KEY_UNKNOWN",
          `Cannot destroy the data key ${id}: there is none, or it was destroyed before`,
          "See them: sallyport sessions keys",
        );
      }
      left.add(id);
      secrets.get(id)?.fill(0);
      secrets.delete(id);
      rows = rows.map((row) => (row.id === id ? { ...row, sealed: undefined, destroyedMs, reason } : row));
      await scrub();
    },
  };
  await keys.rotate();
  return keys;
}

function additional(id: string): Buffer {
  return Buffer.from(`sallyport/data-key/v1/${id}`);
}

function wrap(wrapping: Uint8Array, id: string, nonce: Uint8Array, secret: Uint8Array): Buffer {
  const cipher = createCipheriv("aes-256-gcm", wrapping, nonce);
  cipher.setAAD(additional(id));
  return Buffer.concat([cipher.update(secret), cipher.final(), cipher.getAuthTag()]);
}

function unwrap(wrapping: Uint8Array, id: string, nonce: Uint8Array, sealed: Uint8Array): Buffer {
  try {
    const decipher = createDecipheriv("aes-256-gcm", wrapping, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(additional(id));
    decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
    return Buffer.concat([decipher.update(sealed.subarray(0, -TAG_BYTES)), decipher.final()]);
  } catch (cause) {
    throw new UserError(
      "DATA_KEY_BROKEN",
      `Cannot unseal the data key ${id}: it does not belong to this vault's key, or it was changed`,
      "Restore vault.key and the database together",
      { cause },
    );
  }
}
