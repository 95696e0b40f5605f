/** Policies: what is loaded, what a draft would do, why a rule matched. */
import { API_LIST_MAX, STATEMENT_BYTES_MAX } from "../../../base/limits.ts";
import type { Facts } from "../../../model/operation.ts";
import { ROLES } from "../../../model/role.ts";
import type { Cause } from "../../../policy/causes.ts";
import type {
  ExplainedAction,
  ExplainedGrant,
  ExplainedOperation,
  ExplainedRule,
  Explanation,
} from "../../../policy/explanation.ts";
import type { Problem } from "../../../policy/problem.ts";
import type { Change, Judged, ReplaySummary } from "../../../policy/replay.ts";
import type { Suggestion } from "../../../policy/suggest.ts";
import type { ExplainRequest, PolicyCheck, PolicyFile, PolicyStatus, RecordedQuery } from "../../policy-ports.ts";
import { ADMINS, AUDITORS } from "../callers.ts";
import { json, lines, type Route } from "../route.ts";
import {
  BOOLEAN,
  choice,
  integer,
  type Keys,
  list,
  map,
  named,
  optional,
  record,
  type Schema,
  STRING,
  text,
  union,
} from "../schema.ts";
import { COUNT, MOMENT, NAME, TEXT } from "../shapes.ts";

const FILES = list(record<PolicyFile>({ path: TEXT, text: STRING }), { maxItems: 1_000 });
const RECORDED: Keys<RecordedQuery> = {
  agent: optional(NAME),
  sinceMs: optional(MOMENT),
  sessions: optional(integer(1, API_LIST_MAX)),
};

const PROBLEM = named<Problem>("Problem", {
  file: STRING,
  line: COUNT,
  column: COUNT,
  rule: STRING,
  message: STRING,
  remedy: STRING,
});

export const POLICY_STATUS = named<PolicyStatus>("PolicyStatus", {
  hash: STRING,
  rules: COUNT,
  files: list(STRING),
  loadedMs: MOMENT,
  shadow: list(record<PolicyStatus["shadow"][number]>({ rule: STRING, would: map(COUNT) })),
});

interface ExplainEntry {
  readonly session: string;
  readonly entry: number;
}

const TYPED = record<ExplainRequest>({
  agent: NAME,
  connection: NAME,
  text: text({ maxLength: STATEMENT_BYTES_MAX }),
  user: optional(text({ maxLength: 255 })),
  executable: optional(TEXT),
  atMs: optional(MOMENT),
});

/** Something typed in, or an entry of a recording; the key `session` tells which, so that an error is about the one meant. */
const EXPLAINED: Schema<ExplainRequest | ExplainEntry> = {
  type: "object",
  if: { type: "object", required: ["session"] },
  // biome-ignore lint/suspicious/noThenProperty: the keyword of JSON Schema
  then: record<ExplainEntry>({ session: TEXT, entry: integer(1) }),
  else: TYPED,
};

const DECISION = choice("allow", "deny", "hold");
/** Plain data by name. */
const FACTS: Schema<Facts> = { type: "object" };

const EXPLANATION = named<Explanation>("Explanation", {
  grant: optional(record<ExplainedGrant>({ by: list(STRING), not: list(STRING), known: choice("settings", "all") })),
  decision: DECISION,
  rules: list(STRING),
  message: STRING,
  shadow: list(record<Explanation["shadow"][number]>({ rule: STRING, would: STRING })),
  policy: STRING,
  subject: FACTS,
  operations: list(
    named<ExplainedOperation>("ExplainedOperation", {
      text: STRING,
      forbidden: optional(
        record<Exclude<ExplainedOperation["forbidden"], undefined>>({ rule: STRING, message: STRING }),
      ),
      actions: list(
        record<ExplainedAction>({
          name: STRING,
          facts: FACTS,
          rules: list(
            named<ExplainedRule>("ExplainedRule", {
              name: STRING,
              file: STRING,
              line: COUNT,
              outcome: choice("allow", "deny", "hold", "mask", "limit"),
              shadow: BOOLEAN,
              matched: BOOLEAN,
              failure: optional(STRING),
              because: list(record<Cause>({ text: STRING, failure: optional(STRING), facts: FACTS })),
            }),
          ),
        }),
      ),
    }),
  ),
});

const JUDGED: Keys<Judged> = { decision: DECISION, rules: list(STRING) };

const REPLAYED = union(
  named<Change>("Change", {
    session: STRING,
    number: COUNT,
    atMs: MOMENT,
    agent: STRING,
    connection: STRING,
    text: STRING,
    was: record<Judged>(JUDGED),
    would: record<Change["would"]>({ ...JUDGED, message: STRING }),
  }),
  named<ReplaySummary>("ReplaySummary", { asks: COUNT, changes: COUNT, unknown: COUNT }),
);

export const POLICY_ROUTES: readonly Route[] = [
  json({
    method: "GET",
    path: "/v1/policy",
    summary: "What is loaded",
    roles: ROLES,
    gives: POLICY_STATUS,
    answer: (_, { policy }) => policy.status(),
  }),
  json({
    method: "POST",
    path: "/v1/policy/check",
    summary: "Whether files could be loaded",
    roles: ADMINS,
    body: record<{ files: readonly PolicyFile[] }>({ files: FILES }),
    gives: named<PolicyCheck>("PolicyCheck", { rules: COUNT, problems: list(PROBLEM), warnings: list(PROBLEM) }),
    answer: ({ body }, { policy }) => policy.check(body.files),
  }),
  json({
    method: "POST",
    path: "/v1/policy/explain",
    summary: "Every rule that covers a statement, and why it matched or not",
    roles: AUDITORS,
    body: EXPLAINED,
    gives: EXPLANATION,
    answer: ({ body }, { policy }) =>
      "session" in body ? policy.explainRecorded({ session: body.session, number: body.entry }) : policy.explain(body),
  }),
  lines({
    method: "POST",
    path: "/v1/policy/replay",
    summary: "Recorded statements that a draft would decide otherwise, and a summary last",
    roles: AUDITORS,
    body: record<RecordedQuery & { readonly files: readonly PolicyFile[] }>({ ...RECORDED, files: FILES }),
    gives: REPLAYED,
    answer: ({ body: { files, ...query } }, { policy }) => policy.replay(files, query),
  }),
  json({
    method: "POST",
    path: "/v1/policy/suggest",
    summary: "The smallest rules under which recorded statements pass",
    roles: ADMINS,
    body: record<RecordedQuery>(RECORDED),
    gives: record<Suggestion>({ text: STRING, rules: COUNT, asks: COUNT, left: COUNT }),
    answer: ({ body }, { policy }) => policy.suggest(body),
  }),
];
