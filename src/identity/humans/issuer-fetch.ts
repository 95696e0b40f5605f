/** How an issuer of humans is asked: HTTPS whose server is verified, without redirects, bounded in size and time. */
import { request } from "node:https";
import type { CustomFetch } from "openid-client";
import { UserError } from "../../base/errors.ts";
import { ISSUER_WAIT_MS } from "../../base/limits.ts";
import { bodyOf } from "../ask-issuer.ts";

/** `ca`: roots in PEM instead of the system's. Rejects with LOGIN_UNREACHABLE. */
export function issuerFetch(login: string, ca: string | undefined): CustomFetch {
  return (url, { method, headers, body }) =>
    new Promise((resolve, reject) => {
      const fail = (why: string) => reject(unreachable(login, why));
      if (!url.startsWith("https://")) return fail("it names a place that is not https");
      const sent = body === undefined || body === null ? "" : String(body);
      const options = {
        agent: false,
        method,
        minVersion: "TLSv1.2",
        signal: AbortSignal.timeout(ISSUER_WAIT_MS),
        headers: { ...headers, "content-length": Buffer.byteLength(sent) },
        ...(ca === undefined ? {} : { ca }),
      } as const;
      const asked = request(url, options, (answer) => {
        const { statusCode: status = 0, headers: got } = answer;
        const isEmpty = status === 204 || status === 304;
        bodyOf(answer)
          .then((body) => resolve(new Response(isEmpty ? null : body, { status, headers: pairsOf(got) })))
          .catch((error: Error) => fail(error.message));
      });
      asked.once("error", (error) => fail(error.message));
      asked.end(sent);
    });
}

export function unreachable(login: string, why: string): UserError {
  const remedy = "Look whether this host reaches it and trusts its certificate (ca); then try again";
  return new UserError("LOGIN_UNREACHABLE", `Cannot ask the issuer of login ${login}: ${why}`, remedy);
}

function pairsOf(headers: Readonly<Record<string, string | readonly string[] | undefined>>): [string, string][] {
  return Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, typeof value === "string" ? value : value.join(", ")]],
  );
}
