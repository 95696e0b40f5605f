/** Every route of the API: who may use it and which port answers. Knows no sockets. */
import { API_LIST_MAX } from "../../base/limits.ts";
import type { AuditEvent } from "../../model/event.ts";
import type { Caller, ControlPorts, NewConnection, PolicyFile, SessionEntry, TagTarget } from "../ports.ts";
import { bodyOf } from "./bodies.ts";
import { isChildOf } from "./callers.ts";
import { ApiFault, unknownThing } from "./faults.ts";

export interface Asked {
  readonly caller: Caller;
  /** What the ":name" parts of the path were, decoded. */
  readonly path: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly body: unknown;
}

/** What a route answers; `afterwards` runs once it was sent. */
export type Answer =
  | { readonly kind: "json"; readonly value: unknown; readonly afterwards?: () => void }
  /** One JSON object a line, as fast as the client reads. */
  | { readonly kind: "lines"; readonly lines: AsyncIterable<unknown> }
  /** Server-sent events until the client leaves. */
  | { readonly kind: "events"; readonly watch: (onEvent: (event: AuditEvent) => void) => () => void };

export interface Route {
  readonly method: "GET" | "POST" | "DELETE";
  /** "/v1/sessions/:id" */
  readonly path: string;
  /** `member` includes admins. */
  readonly role: Caller["role"];
  answer(asked: Asked, ports: ControlPorts): Promise<Answer>;
}

const NAME = { type: "string", pattern: "^[a-z0-9][a-z0-9-]{0,62}$" } as const;
const TEXT = { type: "string", minLength: 1, maxLength: 4096 } as const;
const SECRET = { type: "string", minLength: 1, maxLength: 65_536 } as const;
const PID = { type: "integer", minimum: 2, maximum: 4_194_304 } as const; // PID_MAX_LIMIT; 1 is never an agent

const runBody = bodyOf<{ agent: string; pid: number }>(object({ agent: NAME, pid: PID }, ["agent", "pid"]));
const tagBody = bodyOf<{ agent: string; cgroup?: string; pid?: number }>(
  object({ agent: NAME, cgroup: TEXT, pid: PID }, ["agent"]),
);
const untagBody = bodyOf<{ cgroup?: string; pid?: number }>(object({ cgroup: TEXT, pid: PID }, []));
const addBody = bodyOf<Omit<NewConnection, "password" | "tls" | "labels"> & AddedParts>(
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
const passwordBody = bodyOf<{ password: string }>(object({ password: SECRET }, ["password"]));
const policyBody = bodyOf<{ files: PolicyFile[] }>(
  object(
    {
      files: {
        type: "array",
        maxItems: 1_000,
        items: object({ path: TEXT, text: { type: "string" } }, ["path", "text"]),
      },
    },
    ["files"],
  ),
);
const removeBody = bodyOf<{ remove?: boolean }>(object({ remove: { type: "boolean" } }, []));

interface AddedParts {
  readonly password?: string;
  readonly tls?: NewConnection["tls"];
  readonly labels?: NewConnection["labels"];
}

export const ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: "/v1/runs/environment",
    role: "member",
    answer: async ({ query }, { runs }) => json({ environment: await runs.environment(query.get("agent") ?? "") }),
  },
  {
    method: "POST",
    path: "/v1/runs",
    role: "member",
    async answer({ body, caller }, { runs }) {
      const request = runBody(body);
      if (!isChildOf(request.pid, caller)) {
        const message = `Cannot guard process ${request.pid}: it is not a child of the caller, of the caller's user`;
        throw new ApiFault(403, "RUN_NOT_CHILD", message, "Start commands with `sallyport run`");
      }
      return json(await runs.create(request, caller));
    },
  },
  {
    method: "GET",
    path: "/v1/runs/:id",
    role: "member",
    answer: async ({ path, caller }, { runs }) =>
      found(await runs.summary(path["id"] ?? "", caller), "RUN_UNKNOWN", "Cannot find that run", "sallyport agents"),
  },
  { method: "GET", path: "/v1/agents", role: "member", answer: async (_, { agents }) => json(await agents.list()) },
  {
    method: "POST",
    path: "/v1/tags",
    role: "admin",
    async answer({ body, caller }, { agents }) {
      const { agent, ...target } = tagBody(body);
      return json(await agents.tag({ agent, target: targetOf(target) }, caller));
    },
  },
  {
    method: "POST",
    path: "/v1/tags/remove",
    role: "admin",
    answer: async ({ body, caller }, { agents }) =>
      found(
        await agents.untag(targetOf(untagBody(body)), caller),
        "TAG_UNKNOWN",
        "Cannot untag: it is not tagged",
        "sallyport agents",
      ),
  },
  {
    method: "GET",
    path: "/v1/connections",
    role: "member",
    answer: async (_, { connections }) => json(await connections.list()),
  },
  {
    method: "POST",
    path: "/v1/connections",
    role: "admin",
    async answer({ body, caller }, { connections }) {
      const { password, tls = {}, labels = {}, ...rest } = addBody(body);
      const secret = password === undefined ? {} : { password: Buffer.from(password) };
      return json(await connections.add({ ...rest, ...secret, tls, labels }, caller));
    },
  },
  {
    method: "POST",
    path: "/v1/connections/:name/rotate",
    role: "admin",
    async answer({ path, body, caller }, { connections }) {
      await connections.rotate(path["name"] ?? "", Buffer.from(passwordBody(body).password), caller);
      return json({});
    },
  },
  {
    method: "POST",
    path: "/v1/connections/:name/test",
    role: "admin",
    answer: async ({ path }, { connections }) => json(await connections.test(path["name"] ?? "")),
  },
  {
    method: "DELETE",
    path: "/v1/connections/:name",
    role: "admin",
    async answer({ path, caller }, { connections }) {
      await connections.remove(path["name"] ?? "", caller);
      return json({});
    },
  },
  {
    method: "GET",
    path: "/v1/sessions",
    role: "member",
    async answer({ query }, { sessions }) {
      const agent = query.get("agent");
      return json(await sessions.list({ limit: limitOf(query), ...(agent === null ? {} : { agent }) }));
    },
  },
  // What an agent asked and got is more than that it was there: recordings are for admins until roles exist.
  {
    method: "GET",
    path: "/v1/sessions/:id",
    role: "admin",
    answer: async ({ path }, { sessions }) => found(await sessions.show(path["id"] ?? ""), ...NO_SESSION),
  },
  {
    method: "GET",
    path: "/v1/sessions/:id/entries",
    role: "admin",
    async answer({ path }, { sessions }) {
      const lines: AsyncIterable<SessionEntry> | undefined = await sessions.entries(path["id"] ?? "");
      if (lines === undefined) throw unknownThing(...NO_SESSION);
      return { kind: "lines", lines };
    },
  },
  {
    method: "POST",
    path: "/v1/policy/check",
    role: "admin",
    answer: async ({ body }, { policy }) => json(await policy.check(policyBody(body).files)),
  },
  { method: "GET", path: "/v1/policy", role: "member", answer: async (_, { policy }) => json(await policy.status()) },
  { method: "GET", path: "/v1/trust", role: "member", answer: async (_, { trust }) => json(await trust.export()) },
  { method: "GET", path: "/v1/status", role: "member", answer: async (_, { daemon }) => json(await daemon.status()) },
  { method: "GET", path: "/v1/doctor", role: "member", answer: async (_, { daemon }) => json(await daemon.doctor()) },
  {
    method: "POST",
    path: "/v1/settings/reload",
    role: "admin",
    answer: async ({ caller }, { daemon }) => json(await daemon.reload(caller)),
  },
  {
    method: "POST",
    path: "/v1/shutdown",
    role: "admin",
    async answer({ body, caller }, { daemon }) {
      const value = await daemon.shutdown({ remove: removeBody(body).remove ?? false }, caller);
      return { kind: "json", value, afterwards: () => daemon.leave() };
    },
  },
  {
    method: "GET",
    path: "/v1/events/watch",
    role: "admin",
    answer: async (_, { watchEvents }) => ({ kind: "events", watch: watchEvents }),
  },
];

const NO_SESSION = ["SESSION_UNKNOWN", "Cannot find that session", "List them: sallyport sessions"] as const;

function json(value: unknown): Answer {
  return { kind: "json", value };
}

function found(value: unknown, code: string, message: string, remedy: string): Answer {
  if (value === undefined) throw unknownThing(code, message, remedy);
  return json(value);
}

function object(properties: object, required: readonly string[]) {
  return { type: "object", additionalProperties: false, properties, required } as const;
}

function targetOf({ cgroup, pid }: { readonly cgroup?: string; readonly pid?: number }): TagTarget {
  if (cgroup !== undefined && pid === undefined) return { kind: "cgroup", path: cgroup };
  if (pid !== undefined && cgroup === undefined) return { kind: "pid", pid };
  throw new ApiFault(400, "API_BODY_INVALID", "Cannot tell what is meant: name a cgroup or a pid", "Send one of both");
}

function limitOf(query: URLSearchParams): number {
  const text = query.get("limit") ?? "100";
  const limit = /^[0-9]{1,6}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > API_LIST_MAX) {
    const message = `Cannot list that many: limit must be between 1 and ${API_LIST_MAX}`;
    throw new ApiFault(400, "API_QUERY_INVALID", message, "Ask for fewer");
  }
  return limit;
}
