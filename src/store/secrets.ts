/** Sealed secrets of connections that were added by command. Holds ciphertext only; the vault has the key. */
import type { Database } from "./database.ts";

export interface SealedSecret {
  /** Of the connection. */
  readonly name: string;
  /** 1 for the first, one more with every rotation; part of what the seal proves. */
  readonly version: number;
  readonly nonce: Uint8Array;
  /** Ciphertext followed by its tag. */
  readonly sealed: Uint8Array;
  /** The connection's settings as JSON; holds no secret. */
  readonly settings: string;
  readonly createdMs: number;
  readonly rotatedMs: number | undefined;
}

export interface SecretStore {
  /** False: the name is taken. */
  insert(secret: SealedSecret): Promise<boolean>;
  /** False: version `expected` is no longer the stored one. */
  replace(secret: SealedSecret, expected: number): Promise<boolean>;
  get(name: string): Promise<SealedSecret | undefined>;
  remove(name: string): Promise<boolean>;
  /** By name. */
  all(): Promise<readonly SealedSecret[]>;
}

export function createSecretStore(database: Database): SecretStore {
  return {
    async insert(secret) {
      const added = await database.run("INSERT OR IGNORE INTO secrets VALUES (?, ?, ?, ?, ?, ?, ?)", [
        secret.name,
        secret.version,
        secret.nonce,
        secret.sealed,
        secret.settings,
        secret.createdMs,
        secret.rotatedMs ?? null,
      ]);
      return added > 0;
    },
    async replace(secret, expected) {
      const changed = await database.run(
        `UPDATE secrets SET version = ?, nonce = ?, sealed = ?, settings = ?, rotated_ms = ?
         WHERE name = ? AND version = ?`,
        [secret.version, secret.nonce, secret.sealed, secret.settings, secret.rotatedMs ?? null, secret.name, expected],
      );
      return changed > 0;
    },
    async get(name) {
      const raw = await database.one<RawSecret>("SELECT * FROM secrets WHERE name = ?", [name]);
      return raw && secretOf(raw);
    },
    async remove(name) {
      return (await database.run("DELETE FROM secrets WHERE name = ?", [name])) > 0;
    },
    async all() {
      return (await database.all<RawSecret>("SELECT * FROM secrets ORDER BY name")).map(secretOf);
    },
  };
}

interface RawSecret extends Omit<SealedSecret, "createdMs" | "rotatedMs"> {
  readonly created_ms: number;
  readonly rotated_ms: number | null;
}

function secretOf({ created_ms, rotated_ms, ...same }: RawSecret): SealedSecret {
  return { ...same, createdMs: created_ms, rotatedMs: rotated_ms ?? undefined };
}
