/** Objects that many OCSF classes have, from the fields of an event. */
import type { AuditEvent } from "../model/event.ts";

/** Who did it: the agent as user, with the process that connected. Nothing where neither is known. */
export function actorOf(event: AuditEvent): { readonly actor?: Readonly<Record<string, unknown>> } {
  const { agent, sessionId, fields = {} } = event;
  const process = processOf(fields);
  const groups = String(fields["groups"] ?? "")
    .split(" ")
    .filter(Boolean)
    .map((name) => ({ name }));
  const user =
    agent === undefined ? {} : { user: { name: agent, type_id: 4, ...(groups.length > 0 ? { groups } : {}) } };
  const session = sessionId === undefined ? {} : { session: { uid: sessionId } };
  const actor = { ...user, ...session, ...(process === undefined ? {} : { process }) };
  return Object.keys(actor).length === 0 ? {} : { actor };
}

/** A person or script that asks the daemon: by its session where it has shown one, else by its user. */
export function callerOf({ fields = {} }: AuditEvent): Readonly<Record<string, unknown>> {
  const { human, uid = "unknown", credential } = fields;
  const process = processOf(fields);
  const shown = credential === undefined ? {} : { credential_uid: String(credential) };
  const user = { uid: String(human ?? uid), type_id: human === undefined && uid === 0 ? 2 : 1, ...shown };
  return { user, ...(process === undefined ? {} : { process }) };
}

function processOf(fields: NonNullable<AuditEvent["fields"]>): Readonly<Record<string, unknown>> | undefined {
  const { pid, comm, executable, uid, user } = fields;
  if (typeof pid !== "number") return undefined;
  const path = typeof executable === "string" && executable !== "" ? executable : undefined;
  const file = path === undefined ? {} : { file: { name: path.slice(path.lastIndexOf("/") + 1), path, type_id: 1 } };
  const name = typeof comm === "string" && comm !== "" ? { name: comm } : {};
  const isNamed = typeof user === "string" && user !== "";
  const owner = uid === undefined ? {} : { user: { uid: String(uid), ...(isNamed ? { name: user } : {}) } };
  return { pid, ...name, ...file, ...owner };
}

/** Where it came from: this host, whatever else is known. */
export function sourceOf({ fields = {} }: AuditEvent, hostName: string): Readonly<Record<string, unknown>> {
  const { source = fields["sourceAddress"], sourcePort } = fields;
  return {
    hostname: hostName,
    ...(typeof source === "string" && source !== "" ? { ip: source } : {}),
    ...(typeof sourcePort === "number" ? { port: sourcePort } : {}),
  };
}

/** Where it was going, as far as that is known. */
export function destinationOf({ connection, fields = {} }: AuditEvent): {
  readonly dst_endpoint?: Readonly<Record<string, unknown>>;
} {
  const { address, port } = fields;
  const endpoint = {
    ...(connection === undefined ? {} : { svc_name: connection }),
    ...(typeof address === "string" && address !== "" ? { ip: address } : {}),
  };
  if (Object.keys(endpoint).length === 0) return {};
  return { dst_endpoint: { ...endpoint, ...(typeof port === "number" ? { port } : {}) } };
}
