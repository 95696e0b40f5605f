/** The key file of the vault: made once, checked at every start, never replaced by itself. */
import { createSecretKey, hkdfSync, type KeyObject, randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { codeOf, UserError } from "../base/errors.ts";
import { preparePrivateFolder } from "../store/database.ts";

export const KEY_BYTES = 32;

/**
 * Reads the key, or makes it when `create` says that nothing was sealed yet. Throws UserError
 * VAULT_KEY_MISSING, VAULT_KEY_REFUSED.
 */
export function openKey(file: string, create: "create" | "existing"): KeyObject {
  preparePrivateFolder(dirname(file));
  let key = readKey(file);
  if (key === undefined && create === "create") {
    makeKey(file);
    key = readKey(file);
  }
  if (key === undefined) {
    throw new UserError(
      "VAULT_KEY_MISSING",
      `Cannot open the vault: ${file} is missing, but connections are sealed with it`,
      `Restore ${file} from a backup, or remove these connections and add them again`,
    );
  }
  return key;
}

/** A key for one purpose; the same each time, and of no help to find the vault's key or another purpose's. */
export function deriveKey(key: KeyObject, purpose: string): Buffer {
  return Buffer.from(hkdfSync("sha256", key, Buffer.alloc(0), `sallyport/derived/v1/${purpose}`, KEY_BYTES));
}

function readKey(file: string): KeyObject | undefined {
  let fd: number;
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw refused(file, codeOf(error) === "ELOOP" ? "it is a symbolic link" : codeOf(error), { cause: error });
  }
  const bytes = Buffer.alloc(KEY_BYTES);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw refused(file, "it is not a regular file");
    if ((stat.mode & 0o077) !== 0) throw refused(file, `others may use it (mode ${(stat.mode & 0o777).toString(8)})`);
    if (stat.uid !== process.getuid?.()) throw refused(file, `it belongs to user ${stat.uid}`);
    if (stat.size !== KEY_BYTES || readSync(fd, bytes) !== KEY_BYTES) {
      throw refused(file, `it has ${stat.size} bytes instead of ${KEY_BYTES}`);
    }
    return createSecretKey(bytes);
  } finally {
    bytes.fill(0);
    closeSync(fd);
  }
}

/** Complete before it has its name: a crash leaves either no key or a whole one. */
function makeKey(file: string): void {
  const fresh = `${file}.${randomBytes(6).toString("hex")}`;
  const bytes = randomBytes(KEY_BYTES);
  const fd = openSync(fresh, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    writeSync(fd, bytes);
    fsyncSync(fd);
    // Fails when another start was faster; its key is then the one that is read.
    linkSync(fresh, file);
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
  } finally {
    bytes.fill(0);
    closeSync(fd);
    unlinkSync(fresh);
  }
}

function refused(file: string, why: string, options?: ErrorOptions): UserError {
  return new UserError(
    "VAULT_KEY_REFUSED",
    `Cannot use the vault's key ${file}: ${why}`,
    `Restore the file as it was made: ${KEY_BYTES} bytes, mode 0600, owned by the user of the daemon`,
    options,
  );
}
