/** One request to a daemon's API, and all of its answer. */
import { type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";

export interface Sent {
  readonly method?: string;
  readonly body?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Got {
  readonly status: number;
  readonly type: string;
  readonly headers: IncomingHttpHeaders;
  /** Of server-sent events, which have no end, what came at once. */
  readonly text: string;
  readonly code: string | undefined;
}

/** On a connection of its own. */
export function ask(
  { socketPath }: { readonly socketPath: string },
  path: string,
  { method = "GET", body, headers = {} }: Sent = {},
): Promise<Got> {
  const type = body === undefined ? {} : { "content-type": "application/json" };
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path, method, agent: false, headers: { ...type, ...headers } });
    sent.on("error", reject).on("response", (response) => {
      const { statusCode: status = 0, headers: got } = response;
      const { "content-type": is = "" } = got;
      (is === "text/event-stream" ? firstOf(response) : allOf(response)).then((text) => {
        resolve({
          status,
          type: is,
          headers: got,
          text,
          code: is === "application/json" ? JSON.parse(text).error?.code : undefined,
        });
      }, reject);
    });
    sent.end(body);
  });
}

async function allOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** The daemon writes what it has in the same turn as the head. */
async function firstOf(response: IncomingMessage): Promise<string> {
  await new Promise(setImmediate);
  const text = String(response.read() ?? "");
  response.destroy();
  return text;
}
