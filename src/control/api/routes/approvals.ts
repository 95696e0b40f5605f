/** What waits for a human, and the answers to it. */
import { HOLD_COMMENT_MAX, REUSE_MS_MAX } from "../../../base/limits.ts";
import { ROLES } from "../../../model/role.ts";
import type {
  ApprovalAnswer,
  ApprovalChange,
  ApprovalListing,
  ApprovalVote,
  SimilarApproval,
} from "../../approvals.ts";
import { ANSWERERS } from "../callers.ts";
import { events, found, json, type Route } from "../route.ts";
import {
  BOOLEAN,
  choice,
  integer,
  type Keys,
  list,
  NULL,
  named,
  optional,
  record,
  STRING,
  text,
  union,
} from "../schema.ts";
import { COUNT, FLAG, LIMIT, LISTED, MOMENT } from "../shapes.ts";

const STATE = choice(
  ...(["waiting", "approved", "running", "executed", "denied", "expired", "abandoned", "unknown"] as const),
);

const VOTE = named<ApprovalVote>("Vote", {
  name: STRING,
  account: STRING,
  atMs: MOMENT,
  forMs: optional(COUNT),
  comment: optional(STRING),
  delegations: optional(list(STRING)),
  counts: optional(BOOLEAN),
});

const APPROVAL = named<ApprovalListing>("Approval", {
  id: STRING,
  state: STATE,
  sessionId: STRING,
  agent: STRING,
  connection: STRING,
  protocol: STRING,
  entrance: optional(STRING),
  statements: list(
    record<ApprovalListing["statements"][number]>({
      text: STRING,
      parameters: list(union(STRING, NULL)),
      actions: list(STRING),
    }),
  ),
  tables: list(
    record<ApprovalListing["tables"][number]>({
      name: STRING,
      access: STRING,
      labels: list(STRING),
      columnLabels: list(STRING),
    }),
  ),
  pid: COUNT,
  user: STRING,
  executable: STRING,
  processes: list(record<ApprovalListing["processes"][number]>({ pid: COUNT, comm: STRING, executable: STRING })),
  rules: list(STRING),
  message: STRING,
  digest: STRING,
  openedMs: MOMENT,
  expiresMs: MOMENT,
  endedMs: optional(MOMENT),
  approvers: list(STRING),
  missing: optional(STRING),
  answers: list(VOTE),
  denied: optional(VOTE),
  reuseMs: COUNT,
  standsUntilMs: optional(MOMENT),
  reuses: optional(STRING),
  estimate: optional(STRING),
  reason: optional(STRING),
  result: optional(STRING),
  barred: optional(STRING),
  similar: optional(
    list(
      record<SimilarApproval>({
        id: STRING,
        agent: STRING,
        openedMs: MOMENT,
        state: STATE,
        by: list(STRING),
        result: optional(STRING),
      }),
    ),
  ),
});

const ANSWER_KEYS: Keys<Omit<ApprovalAnswer, "forMs">> = {
  comment: optional(text({ maxLength: HOLD_COMMENT_MAX })),
  digest: optional(text({ maxLength: 64 })),
};

export const APPROVAL_ROUTES: readonly Route[] = [
  json({
    method: "GET",
    path: "/v1/approvals",
    summary: "What waits, oldest first; all: also what ended, newest first",
    roles: ROLES,
    query: record<{ all?: "1"; limit?: number }>({ all: optional(FLAG), limit: optional(LIMIT) }),
    gives: list(APPROVAL),
    answer: ({ query: { all, limit = LISTED }, caller }, { approvals }) =>
      approvals.list({ all: all !== undefined, limit }, caller),
  }),
  events({
    method: "GET",
    path: "/v1/approvals/watch",
    summary: "What waits, then every change of it",
    roles: ROLES,
    gives: named<ApprovalChange>("ApprovalChange", { kind: choice("approval"), approval: APPROVAL }),
    answer:
      async ({ caller }, { approvals }) =>
      (onEvent) =>
        approvals.watch(caller, onEvent),
  }),
  json({
    method: "GET",
    path: "/v1/approvals/:id",
    summary: "One of them whole",
    roles: ROLES,
    showsRecordings: true,
    gives: APPROVAL,
    async answer({ path, caller }, { approvals }) {
      const message = "Cannot find that: nothing was held by that id";
      return found(await approvals.show(path.id, caller), "APPROVAL_UNKNOWN", message, "sallyport approvals --all");
    },
  }),
  json({
    method: "POST",
    path: "/v1/approvals/:id/approve",
    summary: "Let it go, exactly as it is; for a time, where its rule allows that",
    roles: ANSWERERS,
    body: record<ApprovalAnswer>({ ...ANSWER_KEYS, forMs: optional(integer(1_000, REUSE_MS_MAX)) }),
    gives: APPROVAL,
    answer: ({ path, body, caller }, { approvals }) => approvals.approve(path.id, body, caller),
  }),
  json({
    method: "POST",
    path: "/v1/approvals/:id/deny",
    summary: "Refuse it, or end an approval that stands",
    roles: ANSWERERS,
    body: record<Omit<ApprovalAnswer, "forMs">>(ANSWER_KEYS),
    gives: APPROVAL,
    answer: ({ path, body, caller }, { approvals }) => approvals.deny(path.id, body, caller),
  }),
];
