/** Which requests the audit trail tells of, and how: routes by their pattern, never what was asked of them. */
import { type AuditEvent, processFields } from "../../model/event.ts";
import { shownAs } from "../../model/human.ts";
import type { Caller, Peer } from "../ports.ts";
import type { ApiFault } from "./faults.ts";
import { RateFault } from "./rates.ts";
import type { Route } from "./route.ts";

export interface Call {
  readonly startedMs: number;
  readonly method: string;
  /** What is known of it, as far as it came. */
  route?: Route;
  peer?: Peer;
  /** Address of a client over TLS. */
  source?: string;
  caller?: Caller;
}

/**
 * The event of a call that is answered now; undefined: it is none. Told is what changes something or shows recordings,
 * whatever came of it, and who was refused as nobody or for a role. Of those who ask too fast, the first of a row.
 */
export function eventOf(call: Call, fault: ApiFault | undefined, nowMs: number): AuditEvent | undefined {
  const { route, peer, source, caller, method } = call;
  if (fault instanceof RateFault) {
    return fault.isFirst
      ? { atMs: nowMs, kind: "api.limited", message: fault.message, fields: whoOf(call) }
      : undefined;
  }
  const isRefused = fault !== undefined && (fault.status === 401 || fault.status === 403);
  if (!isRefused && !isTold(route)) return undefined;
  // The trail is closed when the daemon has obeyed; `daemon.stop` has told it.
  if (route?.afterwards !== undefined && fault === undefined) return undefined;
  const asked = `${method} ${route?.path ?? "of nothing"}`;
  const by = caller?.acting?.human.name ?? (peer === undefined ? (source ?? "nobody") : `uid ${peer.uid}`);
  const fields = {
    ...{ method, route: route?.path ?? "", roles: [...(caller?.roles ?? [])].join(" "), ...whoOf(call) },
    ...{ status: fault?.status ?? 200, code: fault?.code ?? "", durationMs: nowMs - call.startedMs },
  };
  return { atMs: nowMs, kind: "api.call", message: `${asked} by ${by}: ${fault?.code ?? "served"}`, fields };
}

function isTold(route: Route | undefined): boolean {
  return route !== undefined && (route.method !== "GET" || route.showsRecordings === true);
}

function whoOf({ peer, source, caller }: Call) {
  const acting = caller?.acting;
  return {
    ...(source === undefined ? {} : { source }),
    ...(peer === undefined ? {} : processFields(peer)),
    ...(acting === undefined ? {} : { human: acting.human.account, credential: shownAs(acting) }),
  };
}
