/** Search over recordings and events. */
import type {
  FoundEntry,
  FoundSession,
  FoundValue,
  Looked,
  SearchAnswer,
  SearchLag,
  SearchRequest,
} from "../../../model/search.ts";
import { ADMINS, AUDITORS } from "../callers.ts";
import { json, type Route } from "../route.ts";
import { BOOLEAN, choice, list, named, optional, record, STRING } from "../schema.ts";
import { COUNT, LIMIT, LISTED, MOMENT, NOTHING } from "../shapes.ts";

const BY = choice("sessions", "entries");
const FINDINGS = list(record<FoundValue>({ column: STRING, by: STRING, masked: COUNT, shown: COUNT }));

const ANSWER = named<SearchAnswer>("SearchAnswer", {
  by: BY,
  sessions: list(
    named<FoundSession>("FoundSession", {
      id: STRING,
      agent: STRING,
      connection: STRING,
      user: STRING,
      executable: STRING,
      pid: COUNT,
      startedMs: MOMENT,
      endedMs: optional(MOMENT),
      state: STRING,
      entries: COUNT,
      firstMs: MOMENT,
      lastMs: MOMENT,
      findings: FINDINGS,
    }),
  ),
  entries: list(
    named<FoundEntry>("FoundEntry", {
      kind: STRING,
      atMs: MOMENT,
      lastMs: MOMENT,
      count: COUNT,
      session: optional(STRING),
      number: optional(COUNT),
      agent: STRING,
      connection: STRING,
      decision: optional(STRING),
      rules: list(STRING),
      text: STRING,
      message: STRING,
      folded: BOOLEAN,
      findings: FINDINGS,
    }),
  ),
  totals: optional(
    record<Exclude<SearchAnswer["totals"], undefined>>({ sessions: COUNT, masked: COUNT, shown: COUNT }),
  ),
  looked: list(
    record<Looked>({
      detector: STRING,
      sessions: COUNT,
      notLooked: COUNT,
      notLookedFromMs: optional(MOMENT),
      notLookedToMs: optional(MOMENT),
      examples: list(STRING),
      partly: COUNT,
    }),
  ),
  interrupted: COUNT,
  unread: COUNT,
  lag: record<SearchLag>({ sessions: COUNT, segments: COUNT, events: COUNT, oldestMs: COUNT, indexedUpToMs: COUNT }),
  next: optional(STRING),
});

interface Query extends Omit<SearchRequest, "query" | "limit"> {
  readonly q?: string;
  readonly limit?: number;
}

export const SEARCH_ROUTES: readonly Route[] = [
  json({
    method: "GET",
    path: "/v1/search",
    summary: "Statements, sessions and events by words and facts",
    roles: AUDITORS,
    query: record<Query>({ q: optional(STRING), limit: optional(LIMIT), by: optional(BY), cursor: optional(STRING) }),
    showsRecordings: true,
    gives: ANSWER,
    answer: ({ query: { q = "", limit = LISTED, ...rest }, caller }, { search }) =>
      search.search({ query: q, limit, ...rest }, caller),
  }),
  json({
    method: "POST",
    path: "/v1/search/reindex",
    summary: "Build the index of search anew",
    roles: ADMINS,
    gives: NOTHING,
    async answer(_, { search }) {
      await search.reindex();
      return {};
    },
  }),
];
