/**
 * The end of a sign-in on this host: one page on 127.0.0.1, to which the issuer sends the person's browser back. What it
 * brings counts only with the secret of this sign-in: any site may send a browser here. With SAML that is how it comes,
 * posted by another site, so its Origin tells nothing.
 * Source: RFC 8252, section 7.3; SAML 2.0 bindings, section 3.5 (HTTP POST).
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { codeOf, UserError } from "../../base/errors.ts";
import {
  API_HEADER_BYTES_MAX,
  API_REQUEST_WAIT_MS,
  LOOPBACK_CONNECTIONS_MAX,
  SAML_POST_BYTES_MAX,
  TOKEN_BYTES_MAX,
} from "../../base/limits.ts";
import type { BroughtBack, SamlBroughtBack } from "../human-ports.ts";

export interface Loopback<Brought> {
  readonly url: string;
  /**
   * What the browser brings with this secret, once; what comes with another is not looked at. The browser is told what
   * `take` makes of it. Throws what `take` throws, LOGIN_REFUSED and LOGIN_LATE.
   */
  wait<T>(secret: string, untilMs: number, take: (brought: Brought) => Promise<T>): Promise<T>;
  close(): void;
}

/** How issuers send browsers back. */
interface Way<Brought> {
  readonly method: "GET" | "POST";
  /** What it brings is there. Undefined: it is none of ours. */
  readonly fieldsOf: (request: IncomingMessage, asked: URL) => Promise<URLSearchParams | undefined>;
  /** Where the secret is. */
  readonly secret: string;
  /** Throws LOGIN_REFUSED. */
  readonly broughtBy: (fields: URLSearchParams) => Brought;
}

const CODE: Way<BroughtBack> = {
  method: "GET",
  fieldsOf: async (_request, asked) => asked.searchParams,
  secret: "state",
  broughtBy: (query) => {
    const [code, state, iss] = [query.get("code"), query.get("state"), query.get("iss")];
    if (code !== null && state !== null && !query.has("error"))
      return { code, state, ...(iss === null ? {} : { iss }) };
    const error = query.get("error") ?? "";
    throw refused(/^[a-z_]{1,64}$/.test(error) ? error : "it brought no code");
  },
};

const SAML: Way<SamlBroughtBack> = {
  method: "POST",
  fieldsOf: (request) => formOf(request),
  secret: "RelayState",
  broughtBy: (form) => {
    const [response, relayState] = [form.get("SAMLResponse"), form.get("RelayState")];
    if (response !== null && response !== "" && relayState !== null) return { response, relayState };
    throw refused("it brought no response");
  },
};

/** Of a code flow, on any port that is free. */
export function openCallback(): Promise<Loopback<BroughtBack>> {
  return open(new URL("http://127.0.0.1:0/callback"), CODE);
}

/** Of SAML, where the identity provider was told. Throws LOGIN_PORT. */
export async function openRecipient(recipient: string): Promise<Loopback<SamlBroughtBack>> {
  const place = new URL(recipient);
  try {
    return await open(place, SAML);
  } catch (cause) {
    const message = `Cannot listen on ${place.host} for the browser: ${codeOf(cause)}`;
    const remedy = `End what listens there (ss -tlnp), or wait for another sign-in; the port is that of the login's recipient`;
    throw new UserError("LOGIN_PORT", message, remedy, { cause });
  }
}

async function open<Brought>(place: URL, way: Way<Brought>): Promise<Loopback<Brought>> {
  let answer = (_fields: URLSearchParams, response: ServerResponse) => page(response, 404, "There is nothing here.");
  const server = createServer(
    {
      maxHeaderSize: API_HEADER_BYTES_MAX + TOKEN_BYTES_MAX,
      headersTimeout: API_REQUEST_WAIT_MS,
      requestTimeout: API_REQUEST_WAIT_MS,
    },
    async (request, response) => {
      const asked = askedOf(request, own, way.method);
      const fields = asked && (await way.fieldsOf(request, asked));
      if (fields === undefined) page(response, 404, "There is nothing here.");
      else answer(fields, response);
    },
  );
  server.maxConnections = LOOPBACK_CONNECTIONS_MAX;
  await once(server.listen(Number(place.port), place.hostname), "listening");
  const own = new URL(place);
  own.port = String((server.address() as AddressInfo).port);
  return {
    url: own.href,
    wait: (secret, untilMs, take) =>
      new Promise((resolve, reject) => {
        const late = setTimeout(() => reject(tooLate()), Math.max(0, untilMs - Date.now()));
        answer = (fields, response) => {
          if (fields.get(way.secret) !== secret) {
            return page(response, 400, "This is not the sign-in that was begun here.");
          }
          clearTimeout(late);
          answer = (_again, other) => page(other, 410, "This sign-in has ended.");
          const taking = Promise.resolve(fields).then(way.broughtBy).then(take);
          taking.then(
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
function askedOf({ method, url, headers }: IncomingMessage, own: URL, expected: string): URL | undefined {
  if (method !== expected || headers.host !== own.host || !URL.canParse(url ?? "", own.origin)) return undefined;
  const asked = new URL(url ?? "", own.origin);
  return asked.pathname === own.pathname ? asked : undefined;
}

/** Undefined: it is no form, too large, or its sender has left. */
async function formOf(request: IncomingMessage): Promise<URLSearchParams | undefined> {
  if (request.headers["content-type"]?.split(";")[0]?.trim() !== "application/x-www-form-urlencoded") return undefined;
  const parts: Buffer[] = [];
  let length = 0;
  try {
    for await (const part of request as AsyncIterable<Buffer>) {
      length += part.length;
      if (length > SAML_POST_BYTES_MAX) return undefined;
      parts.push(part);
    }
  } catch {
    return undefined;
  }
  return new URLSearchParams(Buffer.concat(parts).toString("utf8"));
}

function refused(why: string): UserError {
  const remedy = "Sign in again, and agree to it there";
  return new UserError("LOGIN_REFUSED", `Cannot sign in: the issuer says ${why}`, remedy);
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
