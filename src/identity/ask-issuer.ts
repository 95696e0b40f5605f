/** One question to an issuer: an HTTPS GET whose server is verified, without redirects, bounded in size and time. */
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
      const parts: Buffer[] = [];
      let length = 0;
      answer.on("data", (part: Buffer) => {
        length += part.length;
        if (length > ISSUER_ANSWER_BYTES_MAX) answer.destroy(new Error("its answer is too large"));
        else parts.push(part);
      });
      answer.once("end", () => resolve(Buffer.concat(parts).toString("utf8")));
      answer.once("error", reject);
    });
    asked.once("error", reject);
  });
