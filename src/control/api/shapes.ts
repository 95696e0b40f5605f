/** What requests may hold: a schema for each body. Only checks; routes.ts says what is done with it. */
import {
  API_LIST_MAX,
  EVIDENCE_REASON_MAX,
  HOLD_COMMENT_MAX,
  QUARANTINE_REASON_MAX,
  REUSE_MS_MAX,
  SAML_BYTES_MAX,
  STATEMENT_BYTES_MAX,
} from "../../base/limits.ts";
import type { ExplainRequest, PolicyFile, RecordedQuery } from "../policy-ports.ts";
import type { NewConnection, TagTarget } from "../ports.ts";
import type { RunRequest } from "../runs.ts";
import { bodyOf } from "./bodies.ts";
import { ApiFault } from "./faults.ts";

export const NAME = { type: "string", pattern: "^[a-z0-9][a-z0-9-]{0,62}$" } as const;
const TEXT = { type: "string", minLength: 1, maxLength: 4096 } as const;
const SECRET = { type: "string", minLength: 1, maxLength: 65_536 } as const;
const PID = { type: "integer", minimum: 2, maximum: 4_194_304 } as const; // PID_MAX_LIMIT; 1 is never an agent

const TOKEN = { type: "string", minLength: 1, maxLength: SAML_BYTES_MAX } as const;

export const runBody = bodyOf<RunRequest>(object({ agent: NAME, pid: PID, token: TOKEN }, ["agent", "pid"]));

interface Targets {
  readonly cgroup?: string;
  readonly pid?: number;
  readonly container?: string;
  readonly unit?: string;
}

const TARGETS = { cgroup: TEXT, pid: PID, container: TEXT, unit: TEXT } as const;
export const tagBody = bodyOf<Targets & { agent: string; token?: string; keepConnections?: boolean }>(
  object({ agent: NAME, token: TOKEN, keepConnections: { type: "boolean" }, ...TARGETS }, ["agent"]),
);
export const untagBody = bodyOf<Targets>(object(TARGETS, []));

/** What an OCI runtime hands to its hooks; it may say more. */
export const ociStateBody = bodyOf<{ id: string; pid: number; bundle: string }>({
  type: "object",
  properties: { id: TEXT, pid: PID, bundle: TEXT },
  required: ["id", "pid", "bundle"],
});

/** Exactly one must be named. */
export function targetOf({ cgroup, pid, container, unit }: Targets): TagTarget {
  const named: TagTarget[] = [];
  if (cgroup !== undefined) named.push({ kind: "cgroup", path: cgroup });
  if (pid !== undefined) named.push({ kind: "pid", pid });
  if (container !== undefined) named.push({ kind: "container", name: container });
  if (unit !== undefined) named.push({ kind: "unit", name: unit });
  const [only] = named;
  if (only !== undefined && named.length === 1) return only;
  const message = "Cannot tell what is meant: name one of cgroup, pid, container and unit";
  throw new ApiFault(400, "API_BODY_INVALID", message, "Send exactly one of them");
}

/** As a message names it. */
export function targetWords(target: TagTarget): string {
  switch (target.kind) {
    case "cgroup":
      return target.path;
    case "pid":
      return `the cgroup of process ${target.pid}`;
    case "container":
    case "unit":
      return `${target.kind} ${target.name}`;
    default:
      return target satisfies never;
  }
}

export const quarantineBody = bodyOf<{ reason?: string }>(
  object({ reason: { type: "string", maxLength: QUARANTINE_REASON_MAX } }, []),
);
/** Of what is kept, or destroyed, for good. */
export const reasonBody = bodyOf<{ reason: string }>(
  object({ reason: { type: "string", minLength: 1, maxLength: EVIDENCE_REASON_MAX } }, ["reason"]),
);
/** One of both; `untilMs` is a moment, `forMs` a time from now. */
export const observeBody = bodyOf<{ forMs?: number; untilMs?: number }>(
  object({ forMs: { type: "integer", minimum: 1 }, untilMs: { type: "integer", minimum: 1 } }, []),
);

/** The moment at which an observation ends. */
export function endOf({ forMs, untilMs }: { forMs?: number; untilMs?: number }, nowMs: number): number {
  if (untilMs !== undefined && forMs === undefined) return untilMs;
  if (forMs !== undefined && untilMs === undefined) return nowMs + forMs;
  const message = "Cannot observe without an end: name one of forMs and untilMs";
  throw new ApiFault(400, "API_BODY_INVALID", message, "Send exactly one of them");
}

const ANSWER = {
  comment: { type: "string", maxLength: HOLD_COMMENT_MAX },
  digest: { type: "string", maxLength: 64 },
} as const;
export const approveBody = bodyOf<{ forMs?: number; comment?: string; digest?: string }>(
  object({ ...ANSWER, forMs: { type: "integer", minimum: 1_000, maximum: REUSE_MS_MAX } }, []),
);
export const denyBody = bodyOf<{ comment?: string; digest?: string }>(object(ANSWER, []));

interface AddedParts {
  readonly password?: string;
  readonly tls?: NewConnection["tls"];
  readonly labels?: NewConnection["labels"];
}

export const addBody = bodyOf<Omit<NewConnection, "password" | "tls" | "labels"> & AddedParts>(
  object(
    {
      name: NAME,
      protocol: NAME,
      addresses: { type: "array", minItems: 1, maxItems: 64, items: TEXT },
      user: TEXT,
      password: SECRET,
      tls: object({ mode: TEXT, name: TEXT, ca: { type: "string", maxLength: 524_288 } }, []),
      labels: { type: "object", maxProperties: 64, additionalProperties: { type: "string", maxLength: 255 } },
    },
    ["name", "protocol", "addresses"],
  ),
);
export const passwordBody = bodyOf<{ password: string }>(object({ password: SECRET }, ["password"]));
const FILES = {
  type: "array",
  maxItems: 1_000,
  items: object({ path: TEXT, text: { type: "string" } }, ["path", "text"]),
} as const;
export const policyBody = bodyOf<{ files: PolicyFile[] }>(object({ files: FILES }, ["files"]));

const COUNT = { type: "integer", minimum: 1, maximum: API_LIST_MAX } as const;
const MOMENT = { type: "integer", minimum: 0 } as const;
const QUERY = { agent: NAME, sinceMs: MOMENT, sessions: COUNT } as const;
export const suggestBody = bodyOf<RecordedQuery>(object(QUERY, []));
export const replayBody = bodyOf<RecordedQuery & { files: PolicyFile[] }>(
  object({ ...QUERY, files: FILES }, ["files"]),
);

const typedBody = bodyOf<ExplainRequest>(
  object(
    {
      ...{ agent: NAME, connection: NAME, text: { type: "string", maxLength: STATEMENT_BYTES_MAX } },
      ...{ user: { type: "string", maxLength: 255 }, executable: TEXT, atMs: MOMENT },
    },
    ["agent", "connection", "text"],
  ),
);
const recordedBody = bodyOf<{ session: string; entry: number }>(
  object({ session: TEXT, entry: { type: "integer", minimum: 1 } }, ["session", "entry"]),
);

/** A text that somebody types in, or an entry of a recording. */
export function explainBody(body: unknown): ExplainRequest | { readonly session: string; readonly entry: number } {
  const isRecorded = typeof body === "object" && body !== null && "session" in body;
  return isRecorded ? recordedBody(body) : typedBody(body);
}

export const removeBody = bodyOf<{ remove?: boolean }>(object({ remove: { type: "boolean" } }, []));

export function object(properties: object, required: readonly string[]) {
  return { type: "object", additionalProperties: false, properties, required } as const;
}
