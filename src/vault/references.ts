/**
 * Secrets that live elsewhere: a file, the daemon's environment, a systemd credential. Each is read when
 * it is needed and never kept, so that changing it there is all a rotation takes.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { codeOf, UserError } from "../base/errors.ts";
import { SECRET_BYTES_MAX } from "../base/limits.ts";

export type SecretReference = { readonly file: string } | { readonly env: string } | { readonly systemd: string };

/** The login of a connection that is written in the settings. */
export interface CredentialReference {
  readonly user: string;
  /** Absent for logins without one. */
  readonly password?: SecretReference;
}

export type Environment = (name: string) => string | undefined;

/** "file /path", "environment variable NAME", "systemd credential NAME": for messages. */
export function describeReference(reference: SecretReference): string {
  if ("file" in reference) return `file ${reference.file}`;
  if ("env" in reference) return `environment variable ${reference.env}`;
  return `systemd credential ${reference.systemd}`;
}

/**
 * The secret's bytes in a buffer of their own; the caller wipes it. One line end at the end of a file is
 * not part of the secret. Throws UserError VAULT_SECRET_UNREADABLE, VAULT_SECRET_MODE.
 */
export function readReference(reference: SecretReference, environment: Environment): Buffer {
  if ("file" in reference) return readSecretFile(reference.file);
  if ("env" in reference) {
    const value = environment(reference.env);
    if (value === undefined || value === "") {
      throw unreadable(
        `environment variable ${reference.env}: it is not set`,
        "Set it for the daemon (Environment= or EnvironmentFile= of the unit) and restart, or refer to a file",
      );
    }
    return Buffer.from(value);
  }
  const folder = environment("CREDENTIALS_DIRECTORY");
  if (folder === undefined || folder === "") {
    throw unreadable(
      `systemd credential ${reference.systemd}: the daemon has no CREDENTIALS_DIRECTORY`,
      `Start it by systemd with LoadCredential=${reference.systemd}:PATH, or refer to a file`,
    );
  }
  if (reference.systemd.includes("/") || reference.systemd === "." || reference.systemd === "..") {
    throw unreadable(`systemd credential ${reference.systemd}: not a name`, "Name a credential, not a path");
  }
  return readSecretFile(join(folder, reference.systemd));
}

/** At once, as recordings are written: four turns of the thread pool would cost a login more than all else of the vault. */
function readSecretFile(file: string): Buffer {
  let fd: number | undefined;
  try {
    // O_NONBLOCK: a pipe in the file's place must not hold the login.
    fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    return readSecret(file, fd);
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    const remedy =
      codeOf(cause) === "ENOENT"
        ? `Create ${file} with mode 0600, or correct the path in the settings`
        : `Make ${file} readable for the user of the daemon and for nobody else (mode 0600)`;
    throw unreadable(`file ${file}: ${codeOf(cause)}`, remedy, { cause });
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function readSecret(file: string, fd: number): Buffer {
  const { mode, size } = fstatSync(fd);
  if ((mode & constants.S_IFMT) !== constants.S_IFREG) {
    throw unreadable(`file ${file}: not a regular file`, "Refer to a file that holds the secret and nothing else");
  }
  if ((mode & 0o006) !== 0) {
    throw new UserError(
      "VAULT_SECRET_MODE",
      `Cannot use the secret in ${file}: everybody can ${(mode & 0o002) === 0 ? "read" : "change"} it (mode ${(mode & 0o777).toString(8)})`,
      `chmod 0600 ${file}, and change the secret if others may have read it`,
    );
  }
  if (size > SECRET_BYTES_MAX) {
    throw unreadable(`file ${file}: ${size} bytes, more than ${SECRET_BYTES_MAX}`, "Refer to the secret's own file");
  }
  // Never from the shared pool: what is wiped must be all there was.
  const most = size === 0 ? SECRET_BYTES_MAX : size; // some file systems tell no size
  const bytes = Buffer.alloc(most + 1);
  try {
    let length = 0;
    while (length < bytes.length) {
      const bytesRead = readSync(fd, bytes, length, bytes.length - length, null);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    if (length > most) throw unreadable(`file ${file}: it grew while read`, "Try again");
    if (bytes[length - 1] === 0x0a) length -= bytes[length - 2] === 0x0d ? 2 : 1;
    if (length <= 0) throw unreadable(`file ${file}: it is empty`, `Write the secret into ${file}`);
    const secret = Buffer.alloc(length);
    bytes.copy(secret, 0, 0, length);
    return secret;
  } finally {
    bytes.fill(0);
  }
}

function unreadable(what: string, remedy: string, options?: ErrorOptions): UserError {
  return new UserError("VAULT_SECRET_UNREADABLE", `Cannot read the secret from ${what}`, remedy, options);
}
