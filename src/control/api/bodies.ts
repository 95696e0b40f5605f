/** Bodies of requests: read up to a limit and parsed as JSON. Never shows a body in an error. */
import type { IncomingMessage } from "node:http";
import { API_BODY_BYTES_MAX } from "../../base/limits.ts";
import { ApiFault } from "./faults.ts";

/** The body as JSON; `{}` when there is none. Throws API_BODY_TYPE, API_BODY_TOO_LARGE, API_BODY_INVALID. */
export async function readBody(request: IncomingMessage): Promise<unknown> {
  const text = await readText(request);
  if (text === "") return {};
  const type = (request.headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase();
  if (type !== "application/json") {
    throw new ApiFault(415, "API_BODY_TYPE", "Cannot read the request: it is not JSON", "Send application/json");
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new ApiFault(
      400,
      "API_BODY_INVALID",
      "Cannot read the request: it is not valid JSON",
      "Send one JSON object",
    );
  }
}

async function readText(request: IncomingMessage): Promise<string> {
  const tooLarge = new ApiFault(
    413,
    "API_BODY_TOO_LARGE",
    `Cannot read the request: it has more than ${API_BODY_BYTES_MAX} bytes`,
    "Send less at once",
  );
  if (Number(request.headers["content-length"] ?? 0) > API_BODY_BYTES_MAX) throw tooLarge;
  const bytes = await collect(request, tooLarge);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new ApiFault(400, "API_BODY_INVALID", "Cannot read the request: it is not UTF-8", "Send one JSON object");
  }
}

/**
 * Keeps up to the limit. What comes behind it is read and dropped until the request's time is over: closing on a
 * peer that still writes would lose the refusal on its way.
 */
function collect(request: IncomingMessage, tooLarge: ApiFault): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length <= API_BODY_BYTES_MAX) chunks.push(chunk);
      else reject(tooLarge);
    });
    request.once("end", () => resolve(Buffer.concat(chunks))).once("error", reject);
  });
}
