/** One POST to a sink, over HTTP or HTTPS: what its status means for the events, and its answer. Follows no redirects. */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { messageOf } from "../base/errors.ts";
import { SINK_ANSWER_BYTES_MAX, SINK_WAIT_MS } from "../base/limits.ts";
import type { SinkTls } from "../model/sink.ts";
import type { Outcome } from "./sink.ts";
import { tlsOptions } from "./sink-tls.ts";

export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: Buffer;
  /** Of Retry-After, where it was sent. */
  readonly afterMs?: number;
}

export interface Poster {
  /** Rejects where there was no answer. */
  post(headers: Readonly<Record<string, string>>, body: Buffer, signal: AbortSignal): Promise<Answer>;
  close(): void;
}

/** Throws SINK_TLS. */
export function createPoster(url: string, tls: SinkTls): Poster {
  const target = new URL(url);
  const isSecure = target.protocol === "https:";
  const agent = isSecure
    ? new HttpsAgent({ keepAlive: true, maxSockets: 1, ...tlsOptions(tls, target.hostname.replace(/^\[|\]$/g, "")) })
    : new HttpAgent({ keepAlive: true, maxSockets: 1 });
  return {
    post: (headers, body, signal) =>
      new Promise((resolve, reject) => {
        const limit = AbortSignal.any([signal, AbortSignal.timeout(SINK_WAIT_MS)]);
        const length = { "content-length": String(body.length) };
        const options = { method: "POST", agent, headers: { ...headers, ...length }, signal: limit };
        const request = isSecure ? httpsRequest(target, options) : httpRequest(target, options);
        request.once("error", reject);
        request.once("response", (response) => void answerOf(response).then(resolve, reject));
        request.end(body);
      }),
    close: () => agent.destroy(),
  };
}

async function answerOf(response: IncomingMessage): Promise<Answer> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > SINK_ANSWER_BYTES_MAX) break; // ends the connection: whoever sends for ever gets none of our time
    parts.push(part);
  }
  const afterMs = retryAfterMs(response.headers["retry-after"]);
  return {
    status: response.statusCode ?? 0,
    contentType: response.headers["content-type"] ?? "",
    body: Buffer.concat(parts),
    ...(afterMs === undefined ? {} : { afterMs }),
  };
}

/** In seconds, or as a date (RFC 9110 10.2.3). */
function retryAfterMs(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^[0-9]{1,9}$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) && ms > 0 ? ms : undefined;
}

/**
 * What a status says that is not a success. Who may not come in, or knocks at the wrong door, has a receiver that has not
 * judged the events: that is for a person to mend, and nothing is given up for it.
 */
export function failureOf({ status, afterMs }: Answer, isRetryable: (status: number) => boolean): Outcome {
  const reason = `it answered with status ${status}`;
  const isDoor = [401, 403, 404, 405, 407].includes(status) || (status >= 300 && status < 400);
  if (!isRetryable(status) && !isDoor) return { kind: "refused", reason };
  return { kind: "failed", reason, ...(afterMs === undefined ? {} : { afterMs }) };
}

/** Without an answer. */
export function unanswered(error: unknown): Outcome {
  const cause = error instanceof Error && error.cause !== undefined ? `: ${messageOf(error.cause)}` : "";
  return { kind: "failed", reason: `${messageOf(error)}${cause}` };
}
