/**
 * One request from its first byte to its answer: who asks, which route, may they, is it what the route takes, and what the
 * port says. Knows no sockets: whoever listens says how a caller is told.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Clock } from "../../base/clock.ts";
import { codeOf, messageOf } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { networkOf } from "../../base/network.ts";
import type { Caller, ControlPorts } from "../ports.ts";
import { send, sendFault, type Watchers } from "./answers.ts";
import { readBody } from "./bodies.ts";
import { bearerOf, isEntitled, requireRole, tokenInvalid } from "./callers.ts";
import { type Call, eventOf } from "./calls.ts";
import { ApiFault, faultOf } from "./faults.ts";
import { placeOf } from "./places.ts";
import { Rates } from "./rates.ts";

export interface HandlerParts {
  readonly ports: ControlPorts;
  readonly clock: Clock;
  readonly log: Log;
}

/** Who asks; what is known of them on the way goes into `call`. Throws an ApiFault for one who may not ask at all. */
export type Identify = (call: Call, request: IncomingMessage) => Promise<Caller>;

/** Every door of the API shares one: its rates and watchers are those of all doors. */
export class Handler {
  readonly rates: Rates;
  readonly #parts: HandlerParts;
  readonly #watchers: Watchers = new Map();

  constructor(parts: HandlerParts) {
    this.#parts = parts;
    this.rates = new Rates(parts.clock);
  }

  /** For a server of node:http. */
  listener(identify: Identify): RequestListener {
    return (request, response) => {
      this.#handle(request, response, identify).catch((error: unknown) => {
        this.#parts.log.warn("api request failed", { path: request.url?.split("?")[0], error: messageOf(error) });
        response.destroy();
      });
    };
  }

  /**
   * Whose session or token a process of this user shows; undefined: it shows none. A session is shown by the user who
   * signed in and by no other. Throws API_TOKEN_INVALID, HUMAN_SESSION_OVER.
   */
  async shownBy({ headers }: IncomingMessage, uid: number | undefined): Promise<Caller | undefined> {
    const bearer = bearerOf(headers);
    if (bearer === undefined) return undefined;
    const caller = await this.#parts.ports.authenticate?.(bearer, uid);
    if (caller === undefined) throw tokenInvalid();
    return caller;
  }

  async #handle(request: IncomingMessage, response: ServerResponse, identify: Identify): Promise<void> {
    const { ports, clock, log } = this.#parts;
    const call: Call = { startedMs: clock.nowMs(), method: request.method ?? "" };
    const leaving = new AbortController();
    response.once("close", () => leaving.abort());
    try {
      const { route, caller, answer } = await this.#serve(call, request, identify, leaving.signal);
      this.#tell(call);
      if (route.afterwards !== undefined) response.once("close", () => route.afterwards?.(ports));
      const isOver = () => caller.acting !== undefined && !isEntitled(ports.callerNow?.(caller), route);
      await send(response, answer, route.gives.type, { caller, isOver }, this.#watchers);
    } catch (error) {
      if (response.headersSent) throw error;
      const fault = this.#limited(call, faultOf(error) ?? ourFault(error, log));
      this.#tell(call, fault);
      sendFault(response, fault);
    }
  }

  async #serve(call: Call, request: IncomingMessage, identify: Identify, gone: AbortSignal) {
    const place = placeOf(request);
    if (!(place instanceof ApiFault)) call.route = place.route;
    const asking = await identify(call, request);
    call.caller = asking;
    if (place instanceof ApiFault) throw place;
    const { route, checks, path, parameters } = place;
    requireRole(asking, route);
    const query = checks.query(parameters);
    const body = checks.body(await readBody(request));
    const caller = this.#now(asking); // whoever sends slowly may have lost what they showed, or their role
    requireRole(caller, route);
    return { route, caller, answer: await route.answer({ caller, path, query, body, gone }, this.#parts.ports) };
  }

  #now(caller: Caller): Caller {
    const now = caller.acting === undefined ? caller : this.#parts.ports.callerNow?.(caller);
    if (now === undefined) throw tokenInvalid();
    return now;
  }

  /** One who is nobody is told so only so often. */
  #limited({ peer, source, caller }: Call, fault: ApiFault): ApiFault {
    if (caller !== undefined || (fault.status !== 401 && fault.status !== 403)) return fault;
    // An agent must not use up what its user has outside of it.
    const user = `${peer?.tagged === true ? "guarded " : ""}uid ${peer?.uid}`;
    return this.rates.ofNobody(source === undefined ? user : `network ${networkOf(source)}`) ?? fault;
  }

  #tell(call: Call, fault?: ApiFault): void {
    const { ports, clock } = this.#parts;
    const event = eventOf(call, fault, clock.nowMs());
    if (event !== undefined) ports.emit(event);
  }
}

/** Not to be shown. */
function ourFault(error: unknown, log: Log): ApiFault {
  log.error("api fault", { code: codeOf(error), error: messageOf(error) });
  return new ApiFault(500, "INTERNAL", "The daemon failed at this request", "See the daemon's log");
}
