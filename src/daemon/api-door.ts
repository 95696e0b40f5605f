/** Certificate and key of the API's TLS listener, from where the settings name them. Keeps neither. */
import { readFileSync } from "node:fs";
import { codeOf, UserError } from "../base/errors.ts";
import { PEM_BYTES_MAX } from "../base/limits.ts";
import type { TlsDoor } from "../control/api/tls-listener.ts";
import type { ApiListener } from "../model/api-listener.ts";
import type { SecretRef } from "../model/sink.ts";

/** Throws API_CERTIFICATE, SECRET_… */
export async function readDoor(
  listener: ApiListener | undefined,
  readSecret: (reference: SecretRef) => Promise<Buffer>,
): Promise<TlsDoor | undefined> {
  if (listener === undefined) return undefined;
  const { address, port, names, signIn, takesAnswers } = listener;
  return {
    ...{ address, port, names, signIn, takesAnswers },
    certificate: read(listener.certificate),
    key: await readSecret(listener.key),
  };
}

function read(file: string): Buffer {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (cause) {
    const remedy = "Check the path, its owner and mode; the daemon runs as root";
    throw new UserError("API_CERTIFICATE", `Cannot read ${file} for the API: ${codeOf(cause)}`, remedy, { cause });
  }
  if (bytes.length <= PEM_BYTES_MAX) return bytes;
  const message = `Cannot use ${file} for the API: it is larger than ${PEM_BYTES_MAX} bytes`;
  throw new UserError("API_CERTIFICATE", message, "Name the server's certificate and those that it hangs on");
}
