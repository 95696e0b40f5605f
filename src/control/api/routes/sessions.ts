/** Sessions and their recordings. What an agent asked and got is more than that it was there. */
import { ROLES } from "../../../model/role.ts";
import type { Reindexed, ReplayFrom, SessionEntry, SessionListing } from "../../ports.ts";
import { ADMINS, AUDITORS } from "../callers.ts";
import { found, json, lines, type Route } from "../route.ts";
import { BOOLEAN, choice, list, NULL, named, optional, pattern, record, STRING, union } from "../schema.ts";
import { COUNT, FLAG, LIMIT, LISTED, MOMENT, TEXT } from "../shapes.ts";

const SESSION = named<SessionListing>("Session", {
  id: STRING,
  agent: STRING,
  connection: STRING,
  protocol: STRING,
  user: STRING,
  executable: STRING,
  address: STRING,
  startedMs: MOMENT,
  endedMs: optional(MOMENT),
  state: choice("open", "ended", "interrupted"),
  statements: COUNT,
  denied: COUNT,
  masked: COUNT,
  rows: COUNT,
});

type Part<K extends keyof SessionEntry> = Exclude<SessionEntry[K], undefined>;

const DECISION = choice("allow", "deny", "hold");
const MASKS = list(record<Part<"masks">[number]>({ column: STRING, by: STRING, count: COUNT }));
const ENTRY = named<SessionEntry>("SessionEntry", {
  number: COUNT,
  offsetMs: COUNT,
  kind: choice("start", "decision", "answer", "rows", "terminal", "note", "end"),
  text: STRING,
  decision: optional(DECISION),
  rules: optional(list(STRING)),
  observed: optional(record<Part<"observed">>({ rules: list(STRING), message: STRING })),
  hold: optional(record<Part<"hold">>({ id: STRING, by: list(STRING), state: STRING })),
  shadow: optional(list(record<Part<"shadow">[number]>({ rule: STRING, would: DECISION }))),
  message: optional(STRING),
  rows: optional(COUNT),
  bytes: optional(COUNT),
  masks: optional(MASKS),
  shown: optional(MASKS),
  output: optional(
    record<Part<"output">>({
      columns: list(STRING),
      values: list(list(union(STRING, NULL, record<{ readonly hex: string }>({ hex: STRING })))),
      truncated: BOOLEAN,
    }),
  ),
  terminal: optional(
    union(
      record<{ readonly stream: "output" | "input"; readonly data: string }>({
        stream: choice("output", "input"),
        data: STRING,
      }),
      record<{ readonly stream: "resize"; readonly columns: number; readonly rows: number }>({
        stream: choice("resize"),
        columns: COUNT,
        rows: COUNT,
      }),
      record<{ readonly stream: "exit"; readonly status: number }>({ stream: choice("exit"), status: COUNT }),
    ),
  ),
});

const FROM = pattern("^[0-9]{1,15}(ms)?$", "the number of an entry, or milliseconds since the start as 90000ms");

export const SESSION_ROUTES: readonly Route[] = [
  json({
    method: "GET",
    path: "/v1/sessions",
    summary: "Sessions, newest first",
    roles: ROLES,
    query: record<{ limit?: number; agent?: string }>({ limit: optional(LIMIT), agent: optional(TEXT) }),
    gives: list(SESSION),
    answer: ({ query: { limit = LISTED, agent } }, { sessions }) =>
      sessions.list({ limit, ...(agent === undefined ? {} : { agent }) }),
  }),
  json({
    method: "POST",
    path: "/v1/sessions/reindex",
    summary: "Build the index of sessions anew from the recordings",
    roles: ADMINS,
    gives: record<Reindexed>({ sessions: COUNT }),
    answer: ({ caller }, { sessions }) => sessions.reindex(caller),
  }),
  json({
    method: "GET",
    path: "/v1/sessions/:id",
    summary: "One session",
    roles: AUDITORS,
    gives: SESSION,
    answer: async ({ path }, { sessions }) => found(await sessions.show(path.id), ...NO_SESSION),
  }),
  lines({
    method: "GET",
    path: "/v1/sessions/:id/entries",
    summary: "Its recording from the start or a place in it; follow: goes on while the session runs",
    roles: AUDITORS,
    query: record<{ from?: string; follow?: "1" }>({ from: optional(FROM), follow: optional(FLAG) }),
    showsRecordings: true,
    gives: ENTRY,
    async answer({ path, query: { from, follow }, gone }, { sessions }) {
      const how = { ...(from === undefined ? {} : { from: placeOf(from) }), ...(follow && { follow: gone }) };
      return found(await sessions.entries(path.id, how), ...NO_SESSION);
    },
  }),
];

export const NO_SESSION = ["SESSION_UNKNOWN", "Cannot find that session", "List them: sallyport sessions"] as const;

function placeOf(from: string): ReplayFrom {
  const value = Number.parseInt(from, 10);
  return from.endsWith("ms") ? { kind: "ms", ms: value } : { kind: "entry", number: value };
}
