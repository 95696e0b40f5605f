/** Bodies of requests: read up to a limit, parsed as JSON, checked by a schema. Never shows a body in an error. */
import type { IncomingMessage } from "node:http";
import { Ajv, type ErrorObject, type JSONSchemaType } from "ajv";
import { API_BODY_BYTES_MAX } from "../../base/limits.ts";
import { ApiFault } from "./faults.ts";

const ajv = new Ajv({ strict: true, allErrors: false });

/** A check that throws API_BODY_INVALID, naming the first key that is wrong, and else gives the body its type. */
export function bodyOf<T>(schema: object): (value: unknown) => T {
  const validate = ajv.compile<T>(schema as JSONSchemaType<T>);
  return (value) => {
    if (validate(value)) return value;
    const [error] = validate.errors ?? [];
    const where = error?.instancePath === "" ? "the body" : error?.instancePath.slice(1).replaceAll("/", ".");
    throw new ApiFault(
      400,
      "API_BODY_INVALID",
      `Cannot use the request: ${where} ${error === undefined ? "is wrong" : inWords(error)}`,
      "See docs/cli.md",
    );
  };
}

/** Without a schema's own patterns: those are for machines. */
function inWords({ keyword, params, message }: ErrorObject): string {
  if (keyword === "pattern")
    return "must begin with a lower-case letter or digit and hold only these and dashes, at most 63";
  if (keyword === "additionalProperties") return `has a key that is not known: ${String(params["additionalProperty"])}`;
  return message ?? "is wrong";
}

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
