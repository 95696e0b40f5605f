/**
 * The API over TLS 1.3, where the settings want it. No user of a peer counts here: every request shows an API token or a
 * session that was begun here, but those that begin one. Agents are kept away by the kernel side, which denies them the
 * address. Browsers are refused: there is no CORS. Answers to held actions come in here as well, where the settings say so.
 */
import type { IncomingHttpHeaders, IncomingMessage, RequestListener } from "node:http";
import { createServer, type Server } from "node:https";
import { isIPv6 } from "node:net";
import { createSecureContext } from "node:tls";
import { codeOf, UserError } from "../../base/errors.ts";
import { API_CONNECTIONS_MAX, API_REQUEST_WAIT_MS } from "../../base/limits.ts";
import type { ApiListener } from "../../model/api-listener.ts";
import { type Address, bounds, Listening } from "../doors/listening.ts";
import type { Caller } from "../ports.ts";
import type { Call } from "./calls.ts";
import { ApiFault } from "./faults.ts";
import type { Handler } from "./handler.ts";
import type { Route } from "./route.ts";

export interface TlsDoor extends Omit<ApiListener, "certificate" | "key"> {
  /** PEM. */
  readonly certificate: Buffer;
  readonly key: Buffer;
}

/** Where answers to held actions come in, see doors/answers.ts. They are known by their signatures alone. */
export interface AnswersPort {
  isFor(request: IncomingMessage): boolean;
  readonly serve: RequestListener;
}

export class TlsListener {
  readonly #handler: Handler;
  readonly #answers: AnswersPort | undefined;
  readonly #listening = new Listening<Server>({ connectionsMax: API_CONNECTIONS_MAX, refusal });
  #door: TlsDoor | undefined;

  constructor(handler: Handler, answers: AnswersPort | undefined) {
    this.#handler = handler;
    this.#answers = answers;
  }

  /** Listens there and nowhere else; undefined: nowhere. Throws API_CERTIFICATE, API_LISTEN, and then it is as it was. */
  async change(door: TlsDoor | undefined): Promise<void> {
    if (door === undefined) return this.close();
    const context = { cert: door.certificate, key: door.key, minVersion: "TLSv1.3" } as const;
    try {
      createSecureContext(context);
    } catch (cause) {
      const message = `Cannot serve the API over TLS: certificate and key do not make a pair (${codeOf(cause)})`;
      throw new UserError("API_CERTIFICATE", message, "Name a PEM certificate and its own key in `api`", { cause });
    }
    const { address, port } = door;
    const limits = { ...bounds(API_REQUEST_WAIT_MS), handshakeTimeout: API_REQUEST_WAIT_MS };
    await this.#listening.move({ address, port }, () => createServer({ ...context, ...limits }, this.#listener()));
    this.#listening.server?.setSecureContext(context); // where it stayed
    this.#door = door;
  }

  async close(): Promise<void> {
    this.#door = undefined;
    await this.#listening.close();
  }

  #listener(): RequestListener {
    const api = this.#handler.listener((call, request) => this.#identify(call, request));
    const answers = this.#answers;
    return (request, response) => {
      const isAnswer = this.#door?.takesAnswers === true && answers?.isFor(request) === true;
      if (isAnswer) answers.serve(request, response);
      else api(request, response);
    };
  }

  /** Whoever has shown who they are is limited by that alone: others behind the same address take nothing from them. */
  async #identify(call: Call, request: IncomingMessage): Promise<Caller> {
    const { rates } = this.#handler;
    const source = request.socket.remoteAddress ?? "";
    call.source = source;
    const door = this.#door;
    refuseBrowsers(request.headers, door);
    const caller = await this.#handler.shownBy(request, undefined);
    if (caller === undefined && isSignIn(call.route, door)) {
      rates.ofSignIn(source);
      return { roles: new Set(), pid: undefined, uid: undefined, source, isStranger: true };
    }
    if (caller === undefined) {
      const message = "Cannot tell who asks: nothing was shown";
      throw new ApiFault(
        401,
        "API_TOKEN_INVALID",
        message,
        "Send an API token (Authorization: Bearer …), or sign in: sallyport --url URL login",
      );
    }
    this.#listening.heard(request);
    call.caller = { ...caller, source };
    if (caller.acting !== undefined) rates.ofHuman(caller.acting.human.account);
    return call.caller;
  }
}

function refusal({ address, port }: Address, code: string, cause: unknown): UserError {
  const message = `Cannot serve the API at ${address} port ${port}: ${code}`;
  const remedy = "Name an address of this host and a free port in api.listen, or take `api` out of the settings";
  return new UserError("API_LISTEN", message, remedy, { cause });
}

function isSignIn(route: Route | undefined, door: TlsDoor | undefined): boolean {
  return route?.signsIn !== undefined && door?.signIn.includes(route.signsIn) === true;
}

/**
 * Throws API_HOST where a client calls this host by a name that is not its own, as a page does whose name was rebound to
 * our address, and API_ORIGIN for what only browsers send. Source: Fetch Standard, Origin; Fetch Metadata Request Headers.
 */
function refuseBrowsers(headers: IncomingHttpHeaders, door: TlsDoor | undefined): void {
  if (door === undefined || !hostsOf(door).includes(headers.host?.toLowerCase() ?? "")) {
    const message = "Cannot serve that host: it is no name of this daemon";
    throw new ApiFault(
      403,
      "API_HOST",
      message,
      "Call it by its address, or add the name to api.names in the settings",
    );
  }
  if (headers.origin === undefined && headers["sec-fetch-site"] === undefined) return;
  throw new ApiFault(403, "API_ORIGIN", "Cannot serve a page in a browser", "Use a client that is none");
}

function hostsOf({ address, port, names }: TlsDoor): readonly string[] {
  const own = isIPv6(address) ? `[${address}]` : address;
  const isLoopback = address === "::1" || address.startsWith("127.");
  return [own, ...names, ...(isLoopback ? ["localhost"] : [])].flatMap((name) =>
    port === 443 ? [name, `${name}:443`] : [`${name}:${port}`],
  );
}
