/**
 * The end of a code flow on this host: one page on 127.0.0.1, to which the issuer sends the person's browser back.
 * Source: RFC 8252, section 7.3.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { UserError } from "../../base/errors.ts";
import {
  API_HEADER_BYTES_MAX,
  API_REQUEST_WAIT_MS,
  LOOPBACK_CONNECTIONS_MAX,
  TOKEN_BYTES_MAX,
} from "../../base/limits.ts";
import type { BroughtBack } from "../human-ports.ts";

export interface Loopback {
  readonly redirectUri: string;
  /**
   * What the browser brings for this state, once; what comes for another is not looked at. The browser is told what
   * `take` makes of it. Throws what `take` throws, LOGIN_REFUSED and LOGIN_LATE.
   */
  wait<T>(state: string, untilMs: number, take: (brought: BroughtBack) => Promise<T>): Promise<T>;
  close(): void;
}

export async function openLoopback(): Promise<Loopback> {
  let answer = (_query: URLSearchParams, response: ServerResponse) => page(response, 404, "There is nothing here.");
  const server = createServer(
    {
      maxHeaderSize: API_HEADER_BYTES_MAX + TOKEN_BYTES_MAX,
      headersTimeout: API_REQUEST_WAIT_MS,
      requestTimeout: API_REQUEST_WAIT_MS,
    },
    (request, response) => {
      const query = queryOf(request, redirectUri);
      if (query === undefined) page(response, 404, "There is nothing here.");
      else answer(query, response);
    },
  );
  server.maxConnections = LOOPBACK_CONNECTIONS_MAX;
  await once(server.listen(0, "127.0.0.1"), "listening");
  const redirectUri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/callback`;
  return {
    redirectUri,
    wait: (state, untilMs, take) =>
      new Promise((resolve, reject) => {
        const late = setTimeout(() => reject(tooLate()), Math.max(0, untilMs - Date.now()));
        answer = (query, response) => {
          if (query.get("state") !== state) return page(response, 400, "This is not the sign-in that was begun here.");
          clearTimeout(late);
          answer = (_again, other) => page(other, 410, "This sign-in has ended.");
          broughtBy(query, take).then(
            (taken) => {
              page(response, 200, "You have signed in. This window may be closed.");
              resolve(taken);
            },
            (error: unknown) => {
              page(response, 400, "That did not work; the terminal says why. This window may be closed.");
              reject(error);
            },
          );
        };
      }),
    close: () => {
      server.close();
      server.closeIdleConnections();
    },
  };
}

/** A name that leads here from elsewhere (DNS rebinding) is none of ours. */
function queryOf({ method, url, headers }: IncomingMessage, redirectUri: string): URLSearchParams | undefined {
  const own = new URL(redirectUri);
  if (method !== "GET" || headers.host !== own.host || !URL.canParse(url ?? "", own.origin)) return undefined;
  const asked = new URL(url ?? "", own.origin);
  return asked.pathname === own.pathname ? asked.searchParams : undefined;
}

async function broughtBy<T>(query: URLSearchParams, take: (brought: BroughtBack) => Promise<T>): Promise<T> {
  const [code, state, iss] = [query.get("code"), query.get("state"), query.get("iss")];
  if (code !== null && state !== null && !query.has("error"))
    return take({ code, state, ...(iss === null ? {} : { iss }) });
  const error = query.get("error") ?? "";
  const why = /^[a-z_]{1,64}$/.test(error) ? error : "it brought no code";
  throw new UserError(
    "LOGIN_REFUSED",
    `Cannot sign in: the issuer says ${why}`,
    "Sign in again, and agree to it there",
  );
}

function page(response: ServerResponse, status: number, text: string): void {
  const headers = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": "default-src 'none'",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    connection: "close",
  };
  response.writeHead(status, headers);
  response.end(`<!doctype html><title>Sallyport</title><p>${text}</p>\n`);
}

function tooLate(): UserError {
  return new UserError(
    "LOGIN_LATE",
    "Cannot sign in: the browser did not come back in time",
    "Begin anew: sallyport login",
  );
}
