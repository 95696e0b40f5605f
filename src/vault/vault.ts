/**
 * Credentials: fetched for one login, held for its length, wiped after it. The only reader of secrets;
 * hands them to the login upstream and to nobody else. No message of this folder holds a secret.
 */
import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import { UserError } from "../base/errors.ts";
import { SECRET_BYTES_MAX } from "../base/limits.ts";
import type { Credential } from "../model/upstream.ts";
import type { SealedSecret, SecretStore } from "../store/secrets.ts";
import { deriveKey, openKey } from "./key.ts";
import { type CredentialReference, describeReference, type Environment, readReference } from "./references.ts";

export interface HeldCredential extends Credential {
  /** Zeroes the password. Call it when the login is over, however it ended. */
  wipe(): void;
}

/** A connection that was added by command; holds no secret. */
export interface VaultEntry {
  readonly name: string;
  readonly user: string;
  /** The connection's settings as JSON, as they were given to `add`. */
  readonly settings: string;
  readonly version: number;
  readonly createdMs: number;
  readonly rotatedMs: number | undefined;
}

export interface Vault {
  /** Read or unsealed anew at each call. Throws VAULT_UNKNOWN, VAULT_SECRET_*, VAULT_SEAL_BROKEN. */
  credential(connection: string): Promise<HeldCredential>;
  /** Seals `secret`; the caller wipes its own copy. Throws VAULT_NAME_TAKEN, VAULT_SECRET_SIZE. */
  add(entry: {
    readonly name: string;
    readonly user: string;
    readonly settings: string;
    readonly secret: Uint8Array;
  }): Promise<void>;
  /** The next login uses the new secret. Throws VAULT_ROTATE_REFERENCE, VAULT_UNKNOWN, VAULT_CHANGED. */
  rotate(connection: string, secret: Uint8Array): Promise<void>;
  /** Throws VAULT_UNKNOWN, VAULT_REMOVE_REFERENCE. */
  remove(connection: string): Promise<void>;
  list(): Promise<readonly VaultEntry[]>;
  /** 32 bytes that depend on the vault's key and `purpose` only: for hashes in masks and the like. */
  derivedKey(purpose: string): Buffer;
}

export interface VaultOptions {
  readonly stateDir: string;
  readonly secrets: SecretStore;
  /** By connection name, from the settings in force now. */
  readonly references: () => ReadonlyMap<string, CredentialReference>;
  readonly environment: Environment;
  readonly clock: Clock;
}

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export async function createVault({ stateDir, secrets, references, environment, clock }: VaultOptions): Promise<Vault> {
  const sealedBefore = await secrets.all();
  const key = openKey(join(stateDir, "vault.key"), sealedBefore.length === 0 ? "create" : "existing");

  return {
    async credential(connection) {
      const reference = references().get(connection);
      if (reference !== undefined) {
        if (reference.password === undefined) return hold(reference.user, undefined);
        return hold(reference.user, await readReference(reference.password, environment));
      }
      const row = await secrets.get(connection);
      if (row === undefined) throw unknown(connection);
      return hold(readSettings(row).user, unseal(key, row));
    },

    async add({ name, user, settings, secret }) {
      checkSize(secret);
      const taken = new UserError(
        "VAULT_NAME_TAKEN",
        `Cannot add connection ${name}: the name is taken`,
        `Choose another name, or change the secret with: sallyport connections rotate ${name}`,
      );
      if (references().has(name)) throw taken;
      const stored = JSON.stringify({ user, settings });
      const createdMs = clock.nowMs();
      const row = { name, version: 1, settings: stored, createdMs, rotatedMs: undefined };
      if (!(await secrets.insert(seal(key, row, secret)))) throw taken;
    },

    async rotate(connection, secret) {
      checkSize(secret);
      const reference = references().get(connection);
      if (reference !== undefined) throw rotateReference(connection, reference);
      const row = await secrets.get(connection);
      if (row === undefined) throw unknown(connection);
      const next = { ...row, version: row.version + 1, rotatedMs: clock.nowMs() };
      if (!(await secrets.replace(seal(key, next, secret), row.version))) {
        throw new UserError(
          "VAULT_CHANGED",
          `Cannot rotate ${connection}: it was changed at the same moment`,
          "Look who else rotates it, then try again",
        );
      }
    },

    async remove(connection) {
      if (references().has(connection)) {
        throw new UserError(
          "VAULT_REMOVE_REFERENCE",
          `Cannot remove ${connection}: it is written in the settings`,
          "Remove it from the settings and reload them",
        );
      }
      if (!(await secrets.remove(connection))) throw unknown(connection);
    },

    async list() {
      return (await secrets.all()).map((row) => {
        const { user, settings } = readSettings(row);
        const { name, version, createdMs, rotatedMs } = row;
        return { name, user, settings, version, createdMs, rotatedMs };
      });
    },

    derivedKey: (purpose) => deriveKey(key, purpose),
  };
}

function hold(user: string, password: Buffer | undefined): HeldCredential {
  const wipe = () => {
    password?.fill(0);
  };
  return password === undefined ? { user, wipe } : { user, password, wipe };
}

/** Name, version and settings: a sealed secret cannot be moved to another name, rolled back or given other addresses. */
function sealedFor(row: Pick<SealedSecret, "name" | "version" | "settings">): Buffer {
  return Buffer.from(JSON.stringify(["sallyport/secret/v1", row.name, row.version, row.settings]));
}

function seal(key: KeyObject, row: Omit<SealedSecret, "nonce" | "sealed">, secret: Uint8Array): SealedSecret {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(sealedFor(row));
  const sealed = Buffer.concat([cipher.update(secret), cipher.final(), cipher.getAuthTag()]);
  return { ...row, nonce, sealed };
}

function unseal(key: KeyObject, row: SealedSecret): Buffer {
  const body = row.sealed.subarray(0, -TAG_BYTES);
  let secret: Buffer | undefined;
  try {
    const decipher = createDecipheriv("aes-256-gcm", key, row.nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(sealedFor(row));
    decipher.setAuthTag(row.sealed.subarray(-TAG_BYTES));
    secret = decipher.update(body);
    decipher.final();
    return secret;
  } catch (cause) {
    secret?.fill(0);
    throw new UserError(
      "VAULT_SEAL_BROKEN",
      `Cannot unseal the secret of ${row.name}: it does not belong to this vault's key, or it was changed`,
      `Restore vault.key and the database together, or: sallyport connections remove ${row.name}, then add it again`,
      { cause },
    );
  }
}

function readSettings(row: SealedSecret): { readonly user: string; readonly settings: string } {
  return JSON.parse(row.settings) as { user: string; settings: string };
}

function checkSize(secret: Uint8Array): void {
  if (secret.length > 0 && secret.length <= SECRET_BYTES_MAX) return;
  throw new UserError(
    "VAULT_SECRET_SIZE",
    `Cannot seal the secret: ${secret.length} bytes, between 1 and ${SECRET_BYTES_MAX} are taken`,
    "Give the secret on standard input or by a file",
  );
}

function unknown(connection: string): UserError {
  return new UserError(
    "VAULT_UNKNOWN",
    `Cannot find a credential for connection ${connection}`,
    "See: sallyport connections. Give it a credential in the settings, or add it with: sallyport connections add",
  );
}

function rotateReference(connection: string, { password }: CredentialReference): UserError {
  const where = password === undefined ? "the settings, without a password" : describeReference(password);
  return new UserError(
    "VAULT_ROTATE_REFERENCE",
    `Cannot rotate ${connection}: its secret comes from ${where}`,
    password === undefined
      ? "Add a password reference to the settings"
      : `Change the ${describeReference(password)}; the next login reads it`,
  );
}
