/** Files that a command is given, and a token among them: read up to a limit. Their contents are in no error. */
import { closeSync, openSync, readSync } from "node:fs";
import { codeOf, UserError } from "../../base/errors.ts";
import { SAML_BYTES_MAX } from "../../base/limits.ts";

/** Up to `bytesMax`, without trusting what stat says of pipes and devices. */
export function readBounded(path: string, bytesMax: number): Buffer {
  const buffer = Buffer.alloc(bytesMax + 1);
  let length = 0;
  try {
    const fd = openSync(path, "r");
    try {
      for (let read = -1; read !== 0 && length <= bytesMax; length += read) {
        read = readSync(fd, buffer, length, buffer.length - length, null);
      }
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    const message = `Cannot read ${path}: ${codeOf(cause)}`;
    throw new UserError("FILE_UNREADABLE", message, "Check the path, its owner and its mode", { cause });
  }
  if (length > bytesMax) throw tooLarge(path, bytesMax);
  return buffer.subarray(0, length);
}

export function tooLarge(what: string, bytesMax: number): UserError {
  return new UserError(
    "FILE_TOO_LARGE",
    `Cannot use ${what}: it has more than ${bytesMax} bytes`,
    "Check that it is the right one",
  );
}

/** White space around it is dropped. Never from stdin, which is the command's, nor from an argument, which others see. */
export function readToken(path: string): string {
  if (path === "-") {
    const remedy = "Name a file, or a descriptor as /dev/fd/3";
    throw new UserError("USAGE", "Cannot read the token from stdin", remedy, { exitCode: 2 });
  }
  const token = readBounded(path, SAML_BYTES_MAX).toString("utf8").trim();
  if (token !== "") return token;
  throw new UserError(
    "FILE_EMPTY",
    `Cannot use ${path}: it is empty`,
    "Put the token into it before the command starts",
  );
}
