/** What an agent did, as the OCSF class of its protocol: data stores, APIs, HTTP, SSH, and plain connections. */
import type { AuditEvent } from "../model/event.ts";
import type { OcsfBody } from "./ocsf.ts";
import { actorOf, destinationOf, sourceOf } from "./ocsf-objects.ts";

/** By the first of what follows in its actions; the gravest first. */
const DATASTORE: readonly (readonly [action: string, activity: number])[] = [
  ["sql.define", 6],
  ["sql.delete", 7],
  ["sql.update", 2],
  ["sql.insert", 5],
  ["sql.copy", 5],
  ["sql.read", 1],
  ["connect", 3],
];
const RELATIONAL: ReadonlySet<string> = new Set(["postgres", "mysql"]);
const HTTP_METHOD = {
  connect: 1,
  delete: 2,
  get: 3,
  head: 4,
  options: 5,
  post: 6,
  put: 7,
  trace: 8,
  patch: 9,
} as const;

export function actionClass(event: AuditEvent, hostName: string): OcsfBody {
  const { connection = "unknown", fields = {} } = event;
  const actions = String(fields["actions"] ?? "").split(" ");
  const protocol = String(fields["protocol"] ?? "");
  const endpoints = { src_endpoint: sourceOf(event, hostName), ...destinationOf(event) };
  const common = { ...actorOf(event), ...endpoints, ...disposition(event.kind) };
  const has = (family: string) => protocol === family || actions.some((action) => action.startsWith(`${family}.`));
  if (has("kubernetes") || has("mcp")) {
    const operation = actions.find((action) => action !== "connect") ?? "connect";
    const attributes = { ...common, actor: actorFor(event), api: { operation, service: { name: connection } } };
    return { class: 6003, activity: 99, attributes };
  }
  if (has("ssh")) return { class: 4007, activity: event.kind === "action.deny" ? 5 : 6, attributes: common };
  if (has("http")) {
    const method = String(fields["method"] ?? "").toLowerCase();
    const activity = method in HTTP_METHOD ? HTTP_METHOD[method as keyof typeof HTTP_METHOD] : 99;
    return { class: 4002, activity, attributes: { ...common, http_request: requestOf(event) } };
  }
  if (protocol === "opaque") return { class: 4001, activity: event.kind === "action.deny" ? 5 : 1, attributes: common };
  const activity = DATASTORE.find(([action]) => actions.includes(action))?.[1] ?? 4;
  const database = { name: connection, type_id: RELATIONAL.has(protocol) ? 1 : 0 };
  return { class: 6005, activity, attributes: { ...common, actor: actorFor(event), database, type_id: 1 } };
}

/** These classes demand one. */
function actorFor(event: AuditEvent): Readonly<Record<string, unknown>> {
  return actorOf(event).actor ?? { user: { name: "unknown" } };
}

function requestOf({ fields = {} }: AuditEvent) {
  const { method, host, path } = fields;
  const url = {
    ...(typeof host === "string" ? { hostname: host } : {}),
    path: typeof path === "string" ? path : "/",
  };
  return { ...(typeof method === "string" ? { http_method: method.toUpperCase() } : {}), url };
}

/** By the profile `security_control`. */
function disposition(kind: string) {
  switch (kind) {
    case "action.deny":
      return { action_id: 2, disposition_id: 2 };
    case "action.observed":
      return { action_id: 3, disposition_id: 15 };
    case "action.allow":
      return { action_id: 1, disposition_id: 1 };
    default:
      return {};
  }
}
