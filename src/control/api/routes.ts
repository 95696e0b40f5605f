/** Every route of the API: who may use it and which port answers. Knows no sockets. */
import { API_LIST_MAX } from "../../base/limits.ts";
import { EXPOSITION_TYPE } from "../../metrics/exposition.ts";
import { ROLES, type Role } from "../../model/role.ts";
import type { SearchRequest } from "../../model/search.ts";
import type { Caller, ControlPorts, ReplayFrom, SessionEntry } from "../ports.ts";
import { ADMINS, ANSWERERS, AUDITORS, isChildOf, RUNNERS } from "./callers.ts";
import { EVIDENCE_ROUTES } from "./evidence-routes.ts";
import { ApiFault, unknownThing } from "./faults.ts";
import { HUMAN_ROUTES } from "./human-routes.ts";
import { RETENTION_ROUTES } from "./retention-routes.ts";
import {
  addBody,
  approveBody,
  denyBody,
  endOf,
  explainBody,
  observeBody,
  ociStateBody,
  passwordBody,
  policyBody,
  quarantineBody,
  removeBody,
  replayBody,
  runBody,
  suggestBody,
  tagBody,
  targetOf,
  targetWords,
  untagBody,
} from "./shapes.ts";

export interface Asked {
  readonly caller: Caller;
  /** What the ":name" parts of the path were, decoded. */
  readonly path: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly body: unknown;
  /** Ends when the client has gone, or has got everything. */
  readonly gone: AbortSignal;
}

/** What a route answers; `afterwards` runs once it was sent. */
export type Answer =
  | { readonly kind: "json"; readonly value: unknown; readonly afterwards?: () => void }
  | { readonly kind: "text"; readonly text: string; readonly type: string }
  /** One JSON object a line, as fast as the client reads. */
  | { readonly kind: "lines"; readonly lines: AsyncIterable<unknown> }
  | { readonly kind: "bytes"; readonly type: string; readonly bytes: AsyncIterable<Uint8Array> }
  /** Server-sent events until the client leaves. */
  | { readonly kind: "events"; readonly watch: (onEvent: (event: { readonly kind: string }) => void) => () => void };

export interface Route {
  readonly method: "GET" | "POST" | "DELETE";
  /** "/v1/sessions/:id" */
  readonly path: string;
  /** Any of them does. */
  readonly roles: readonly Role[];
  answer(asked: Asked, ports: ControlPorts): Promise<Answer>;
}

export const ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: "/v1/runs/environment",
    roles: RUNNERS,
    answer: async ({ query }, { runs }) => json({ environment: await runs.environment(query.get("agent") ?? "") }),
  },
  {
    method: "POST",
    path: "/v1/runs",
    roles: RUNNERS,
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
    roles: RUNNERS,
    answer: async ({ path, caller }, { runs }) =>
      found(await runs.summary(path["id"] ?? "", caller), "RUN_UNKNOWN", "Cannot find that run", "sallyport agents"),
  },
  { method: "GET", path: "/v1/agents", roles: ROLES, answer: async (_, { agents }) => json(await agents.list()) },
  {
    method: "POST",
    path: "/v1/tags",
    roles: ADMINS,
    async answer({ body, caller }, { agents }) {
      const { agent, token, keepConnections = false, ...target } = tagBody(body);
      const connections = keepConnections ? "report" : "end";
      return json(
        await agents.tag(
          { agent, target: targetOf(target), connections, ...(token === undefined ? {} : { token }) },
          caller,
        ),
      );
    },
  },
  {
    method: "POST",
    path: "/v1/tags/remove",
    roles: ADMINS,
    async answer({ body, caller }, { agents }) {
      const target = targetOf(untagBody(body));
      const message = `Cannot untag ${targetWords(target)}: it is not tagged`;
      return found(await agents.untag(target, caller), "TAG_UNKNOWN", message, "See what is: sallyport agents");
    },
  },
  {
    method: "POST",
    path: "/v1/agents/:name/quarantine",
    roles: ADMINS,
    answer: async ({ path, body, caller }, { agents }) =>
      json(await agents.quarantine(path["name"] ?? "", quarantineBody(body).reason ?? "", caller)),
  },
  {
    method: "DELETE",
    path: "/v1/agents/:name/quarantine",
    roles: ADMINS,
    answer: async ({ path, caller }, { agents }) => json(await agents.release(path["name"] ?? "", caller)),
  },
  {
    method: "POST",
    path: "/v1/agents/:name/observe",
    roles: ADMINS,
    answer: async ({ path, body, caller }, { agents }) =>
      json(await agents.observe(path["name"] ?? "", endOf(observeBody(body), Date.now()), caller)),
  },
  {
    method: "DELETE",
    path: "/v1/agents/:name/observe",
    roles: ADMINS,
    answer: async ({ path, caller }, { agents }) => json(await agents.endObservation(path["name"] ?? "", caller)),
  },
  {
    method: "GET",
    path: "/v1/approvals",
    roles: ROLES,
    answer: async ({ query, caller }, { approvals }) =>
      json(await approvals.list({ all: query.has("all"), limit: limitOf(query) }, caller)),
  },
  {
    method: "GET",
    path: "/v1/approvals/watch",
    roles: ROLES,
    answer: async ({ caller }, { approvals }) => ({
      kind: "events",
      watch: (onEvent) => approvals.watch(caller, onEvent),
    }),
  },
  {
    method: "GET",
    path: "/v1/approvals/:id",
    roles: ROLES,
    answer: async ({ path, caller }, { approvals }) =>
      found(await approvals.show(path["id"] ?? "", caller), ...NO_APPROVAL),
  },
  {
    method: "POST",
    path: "/v1/approvals/:id/approve",
    roles: ANSWERERS,
    answer: async ({ path, body, caller }, { approvals }) =>
      json(await approvals.approve(path["id"] ?? "", approveBody(body), caller)),
  },
  {
    method: "POST",
    path: "/v1/approvals/:id/deny",
    roles: ANSWERERS,
    answer: async ({ path, body, caller }, { approvals }) =>
      json(await approvals.deny(path["id"] ?? "", denyBody(body), caller)),
  },
  {
    method: "GET",
    path: "/v1/connections",
    roles: ROLES,
    answer: async (_, { connections }) => json(await connections.list()),
  },
  {
    method: "POST",
    path: "/v1/connections",
    roles: ADMINS,
    async answer({ body, caller }, { connections }) {
      const { password, tls = {}, labels = {}, ...rest } = addBody(body);
      const secret = password === undefined ? {} : { password: Buffer.from(password) };
      return json(await connections.add({ ...rest, ...secret, tls, labels }, caller));
    },
  },
  {
    method: "POST",
    path: "/v1/connections/:name/rotate",
    roles: ADMINS,
    async answer({ path, body, caller }, { connections }) {
      await connections.rotate(path["name"] ?? "", Buffer.from(passwordBody(body).password), caller);
      return json({});
    },
  },
  {
    method: "POST",
    path: "/v1/connections/:name/test",
    roles: ADMINS,
    answer: async ({ path }, { connections }) => json(await connections.test(path["name"] ?? "")),
  },
  {
    method: "DELETE",
    path: "/v1/connections/:name",
    roles: ADMINS,
    async answer({ path, caller }, { connections }) {
      await connections.remove(path["name"] ?? "", caller);
      return json({});
    },
  },
  {
    method: "GET",
    path: "/v1/sessions",
    roles: ROLES,
    async answer({ query }, { sessions }) {
      const agent = query.get("agent");
      return json(await sessions.list({ limit: limitOf(query), ...(agent === null ? {} : { agent }) }));
    },
  },
  {
    method: "POST",
    path: "/v1/sessions/reindex",
    roles: ADMINS,
    answer: async ({ caller }, { sessions }) => json(await sessions.reindex(caller)),
  },
  // What an agent asked and got is more than that it was there.
  {
    method: "GET",
    path: "/v1/sessions/:id",
    roles: AUDITORS,
    answer: async ({ path }, { sessions }) => found(await sessions.show(path["id"] ?? ""), ...NO_SESSION),
  },
  {
    method: "GET",
    path: "/v1/sessions/:id/entries",
    roles: AUDITORS,
    async answer({ path, query, gone }, { sessions }) {
      const from = fromOf(query);
      const how = { ...(from === undefined ? {} : { from }), ...(query.has("follow") ? { follow: gone } : {}) };
      const lines: AsyncIterable<SessionEntry> | undefined = await sessions.entries(path["id"] ?? "", how);
      if (lines === undefined) throw unknownThing(...NO_SESSION);
      return { kind: "lines", lines };
    },
  },
  ...EVIDENCE_ROUTES,
  ...RETENTION_ROUTES,
  ...HUMAN_ROUTES,
  {
    method: "GET",
    path: "/v1/search",
    roles: AUDITORS,
    answer: async ({ query }, { search }) => json(await search.search(searchOf(query))),
  },
  {
    method: "POST",
    path: "/v1/search/reindex",
    roles: ADMINS,
    async answer(_, { search }) {
      await search.reindex();
      return json({});
    },
  },
  {
    method: "POST",
    path: "/v1/policy/check",
    roles: ADMINS,
    answer: async ({ body }, { policy }) => json(await policy.check(policyBody(body).files)),
  },
  {
    method: "POST",
    path: "/v1/policy/explain",
    roles: AUDITORS,
    async answer({ body }, { policy }) {
      const request = explainBody(body);
      return json(
        "session" in request
          ? await policy.explainRecorded({ session: request.session, number: request.entry })
          : await policy.explain(request),
      );
    },
  },
  {
    method: "POST",
    path: "/v1/policy/replay",
    roles: AUDITORS,
    async answer({ body }, { policy }) {
      const { files, ...query } = replayBody(body);
      return { kind: "lines", lines: await policy.replay(files, query) };
    },
  },
  {
    method: "POST",
    path: "/v1/policy/suggest",
    roles: ADMINS,
    answer: async ({ body }, { policy }) => json(await policy.suggest(suggestBody(body))),
  },
  { method: "GET", path: "/v1/policy", roles: ROLES, answer: async (_, { policy }) => json(await policy.status()) },
  { method: "GET", path: "/v1/trust", roles: ROLES, answer: async (_, { trust }) => json(await trust.export()) },
  { method: "GET", path: "/v1/status", roles: ROLES, answer: async (_, { daemon }) => json(await daemon.status()) },
  {
    method: "GET",
    path: "/v1/metrics",
    roles: ROLES,
    answer: async (_, ports) => ({ kind: "text", text: ports.metrics(), type: EXPOSITION_TYPE }),
  },
  { method: "GET", path: "/v1/doctor", roles: ROLES, answer: async (_, { daemon }) => json(await daemon.doctor()) },
  {
    method: "POST",
    path: "/v1/settings/reload",
    roles: ADMINS,
    answer: async ({ caller }, { daemon }) => json(await daemon.reload(caller)),
  },
  {
    method: "POST",
    path: "/v1/shutdown",
    roles: ADMINS,
    async answer({ body, caller }, { daemon }) {
      const value = await daemon.shutdown({ remove: removeBody(body).remove ?? false }, caller);
      return { kind: "json", value, afterwards: () => daemon.leave() };
    },
  },
  {
    method: "POST",
    path: "/v1/hooks/oci",
    roles: ADMINS,
    answer: async ({ body }, { hooks }) => json(await hooks.oci(ociStateBody(body))),
  },
  { method: "GET", path: "/v1/events/sinks", roles: AUDITORS, answer: async (_, ports) => json(await ports.sinks()) },
  {
    method: "GET",
    path: "/v1/events/watch",
    roles: AUDITORS,
    answer: async (_, { watchEvents }) => ({ kind: "events", watch: watchEvents }),
  },
];

const NO_APPROVAL = [
  "APPROVAL_UNKNOWN",
  "Cannot find that: nothing was held by that id",
  "sallyport approvals --all",
] as const;
const NO_SESSION = ["SESSION_UNKNOWN", "Cannot find that session", "List them: sallyport sessions"] as const;

function json(value: unknown): Answer {
  return { kind: "json", value };
}

function found(value: unknown, code: string, message: string, remedy: string): Answer {
  if (value === undefined) throw unknownThing(code, message, remedy);
  return json(value);
}

/** "90000ms" since the session began, or the number of an entry. */
function fromOf(query: URLSearchParams): ReplayFrom | undefined {
  const text = query.get("from");
  if (text === null) return undefined;
  const match = /^(\d{1,15})(ms)?$/.exec(text);
  if (match === null) {
    const message = "Cannot begin there: from must be the number of an entry, or milliseconds as 90000ms";
    throw new ApiFault(400, "API_QUERY_INVALID", message, "Send one of them");
  }
  const value = Number(match[1]);
  return match[2] === undefined ? { kind: "entry", number: value } : { kind: "ms", ms: value };
}

function searchOf(query: URLSearchParams): SearchRequest {
  const by = query.get("by");
  if (by !== null && by !== "sessions" && by !== "entries") {
    throw new ApiFault(
      400,
      "API_QUERY_INVALID",
      "Cannot group by that: by must be sessions or entries",
      "Send one of them",
    );
  }
  const cursor = query.get("cursor");
  return {
    query: query.get("q") ?? "",
    limit: limitOf(query),
    ...(by === null ? {} : { by }),
    ...(cursor === null ? {} : { cursor }),
  };
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
