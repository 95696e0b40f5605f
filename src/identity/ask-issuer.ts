/** One question to an issuer: an HTTPS GET whose server is verified, without redirects, bounded in size and time. */
import type { IncomingMessage } from "node:http";
import { get } from "node:https";
import { ISSUER_ANSWER_BYTES_MAX, ISSUER_WAIT_MS } from "../base/limits.ts";

/** The body of an answer with status 200; rejects with why there is none. `ca`: roots in PEM instead of the system's. */
export type AskIssuer = (url: string, ca: string | undefined) => Promise<string>;

export const askIssuer: AskIssuer = (url, ca) =>
  new Promise((resolve, reject) => {
    const options = {
      agent: false,
      minVersion: "TLSv1.2",
      headers: { accept: "application/json" },
      signal: AbortSignal.timeout(ISSUER_WAIT_MS),
      ...(ca === undefined ? {} : { ca }),
    } as const;
    const asked = get(url, options, (answer) => {
      if (answer.statusCode !== 200) {
        answer.destroy();
        reject(new Error(`it answered with status ${answer.statusCode ?? 0}`));
        return;
      }
      bodyOf(answer).then((body) => resolve(body.toString("utf8")), reject);
    });
    asked.once("error", reject);
  });

/** All of an issuer's answer; rejects where it is too large or ends early. */
export async function bodyOf(answer: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of answer as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > ISSUER_ANSWER_BYTES_MAX) throw new Error("its answer is too large"); // leaving the loop ends the connection
    parts.push(part);
  }
  return Buffer.concat(parts);
}
