/**
 * Events in the Open Cybersecurity Schema Framework, so that a SIEM knows them without a mapping of its own. What has no
 * place in a class goes to `unmapped`, by its own name: nothing is left out.
 */
import type { AuditEvent } from "../model/event.ts";
import { EVENT_KINDS, type EventKind } from "./kinds.ts";
import { actionClass } from "./ocsf-action.ts";
import { actorOf, callerOf, destinationOf, sourceOf } from "./ocsf-objects.ts";
import { type Severity, severityOf } from "./severity.ts";

/** The version of the schema: github.com/ocsf/ocsf-schema, tag 1.6.0. */
export const OCSF_VERSION = "1.6.0";

export interface OcsfSource {
  readonly hostName: string;
  readonly version: string;
}

/** One class with the attributes of its own. */
export interface OcsfBody {
  readonly class: number;
  readonly activity: number;
  readonly attributes: Readonly<Record<string, unknown>>;
}

const SEVERITY: Readonly<Record<Severity, number>> = { information: 1, notice: 2, warning: 3, critical: 5 };
const UNKNOWN: EventKind = { about: "", fields: [], ocsf: "base", activity: 99 };

export function toOcsf(event: AuditEvent, seq: number, source: OcsfSource): Readonly<Record<string, unknown>> {
  const kind = EVENT_KINDS[event.kind] ?? UNKNOWN;
  const { class: uid, activity, attributes } = bodyOf(event, seq, kind, source);
  const { status } = kind;
  const isFinding = kind.ocsf === "finding"; // its status is that of a case, not of an outcome
  return {
    class_uid: uid,
    category_uid: Math.floor(uid / 1_000),
    activity_id: activity,
    ...(activity === 99 ? { activity_name: event.kind } : {}),
    type_uid: uid * 100 + activity,
    severity_id: SEVERITY[severityOf(event.kind)],
    time: Math.round(event.atMs),
    message: event.message,
    ...(isFinding ? { status_id: 1 } : status === undefined ? {} : { status_id: status === "success" ? 1 : 2 }),
    metadata: {
      version: OCSF_VERSION,
      product: { name: "Sallyport", vendor_name: "Sallyport", version: source.version },
      uid: `${source.hostName}/${seq}`,
      sequence: seq,
      event_code: event.kind,
      ...(event.sessionId === undefined ? {} : { correlation_uid: event.sessionId }),
      profiles: ["security_control"],
    },
    ...attributes,
    unmapped: unmappedOf(event),
  };
}

function bodyOf(event: AuditEvent, seq: number, { ocsf, activity = 99 }: EventKind, source: OcsfSource): OcsfBody {
  const { humanName, human, of: whose } = event.fields ?? {};
  const agent = event.agent ?? String(humanName ?? human ?? whose ?? "unknown");
  switch (ocsf) {
    case "action":
      return actionClass(event, source.hostName);
    case "network": {
      const endpoints = { src_endpoint: sourceOf(event, source.hostName), ...destinationOf(event) };
      return { class: 4001, activity, attributes: { ...actorOf(event), ...endpoints, ...disposed(activity) } };
    }
    case "api": {
      const { method = "", route = "", status = 0 } = event.fields ?? {};
      const outcome = { status_id: Number(status) < 400 ? 1 : 2, status_code: String(status) };
      const asked = { actor: callerOf(event), api: { operation: `${method} ${route}` } };
      const attributes = { ...asked, src_endpoint: sourceOf(event, source.hostName), ...outcome };
      return { class: 6003, activity: API_ACTIVITY[String(method)] ?? 99, attributes };
    }
    case "dns": {
      const name = event.fields?.["name"];
      const query = name === undefined ? {} : { query: { hostname: String(name) } };
      return { class: 4003, activity, attributes: { src_endpoint: sourceOf(event, source.hostName), ...query } };
    }
    case "authentication": {
      const service = { name: event.connection ?? "unknown" };
      return { class: 3002, activity, attributes: { user: { name: agent }, service, ...destinationOf(event) } };
    }
    case "authorize": {
      const privileges = String(event.fields?.["actions"] ?? "")
        .split(" ")
        .filter(Boolean);
      const session = event.sessionId === undefined ? {} : { session: { uid: event.sessionId } };
      return { class: 3003, activity, attributes: { user: { name: agent }, privileges, ...session } };
    }
    case "entity": {
      const named = event.kind.startsWith("human.") ? agent : (event.agent ?? event.connection);
      const entity = { name: named ?? event.kind.split(".")[0] ?? "", type_id: 99 };
      return {
        class: 3004,
        activity,
        attributes: { entity: { ...entity, type: entityType(event) }, ...actorOf(event) },
      };
    }
    case "finding": {
      const finding = { uid: `${source.hostName}/${seq}`, title: event.message, types: [event.kind] };
      return { class: 2004, activity, attributes: { finding_info: finding } };
    }
    case "lifecycle":
      return { class: 6002, activity, attributes: { app: { name: "Sallyport", version: source.version } } };
    case "base":
      return { class: 0, activity, attributes: {} };
    default:
      return ocsf satisfies never;
  }
}

const API_ACTIVITY: Readonly<Record<string, number>> = { GET: 2, POST: 3, DELETE: 4 };

/** By the profile `security_control`: refused and blocked. */
function disposed(activity: number) {
  return activity === 5 ? { action_id: 2, disposition_id: 2 } : {};
}

function entityType(event: AuditEvent): string {
  if (event.kind.startsWith("agent.")) return "Agent";
  if (event.kind.startsWith("credential.")) return "Credential";
  if (event.kind.startsWith("human.")) return "Human";
  return "Settings";
}

/** Every field again as it is, and what names the thing. */
function unmappedOf({ agent, connection, sessionId, fields }: AuditEvent): Readonly<Record<string, unknown>> {
  return {
    ...(agent === undefined ? {} : { agent }),
    ...(connection === undefined ? {} : { connection }),
    ...(sessionId === undefined ? {} : { session: sessionId }),
    ...fields,
  };
}
