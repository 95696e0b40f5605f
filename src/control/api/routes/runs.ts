/** Guarded commands: what `run` asks. */
import type { Run, RunBounds, RunRequest, RunSummary } from "../../runs.ts";
import { isChildOf, RUNNERS } from "../callers.ts";
import { ApiFault } from "../faults.ts";
import { found, json, type Route } from "../route.ts";
import { choice, list, map, named, optional, record, STRING } from "../schema.ts";
import { COUNT, NAME, PID, TOKEN } from "../shapes.ts";

const RUN = named<Run>("Run", {
  id: STRING,
  agent: STRING,
  cgroup: STRING,
  bounds: record<RunBounds>({
    unixSockets: choice("judged", "denied"),
    hidden: list(STRING),
    fixed: list(STRING),
  }),
});

const RUN_SUMMARY = named<RunSummary>("RunSummary", {
  id: STRING,
  agent: STRING,
  sessions: COUNT,
  allowed: COUNT,
  denied: COUNT,
  held: COUNT,
  masked: COUNT,
  refused: COUNT,
  unixRefused: COUNT,
});

export const RUN_ROUTES: readonly Route[] = [
  json({
    method: "GET",
    path: "/v1/runs/environment",
    summary: "What a command of an agent is to have in its environment",
    roles: RUNNERS,
    query: record<{ agent: string }>({ agent: NAME }),
    gives: record<{ environment: Readonly<Record<string, string>> }>({ environment: map(STRING) }),
    answer: async ({ query }, { runs }) => ({ environment: await runs.environment(query.agent) }),
  }),
  json({
    method: "POST",
    path: "/v1/runs",
    summary: "Guard a waiting child of the caller",
    roles: RUNNERS,
    body: record<RunRequest>({ agent: NAME, pid: PID, token: optional(TOKEN) }),
    gives: RUN,
    async answer({ body, caller }, { runs }) {
      if (isChildOf(body.pid, caller)) return runs.create(body, caller);
      const message = `Cannot guard process ${body.pid}: it is not a child of the caller, of the caller's user`;
      throw new ApiFault(403, "RUN_NOT_CHILD", message, "Start commands with `sallyport run`");
    },
  }),
  json({
    method: "GET",
    path: "/v1/runs/:id",
    summary: "What a run did, in counts",
    roles: RUNNERS,
    gives: RUN_SUMMARY,
    answer: async ({ path, caller }, { runs }) =>
      found(await runs.summary(path.id, caller), "RUN_UNKNOWN", "Cannot find that run", "sallyport agents"),
  }),
];
