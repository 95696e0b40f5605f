/** Delegations of approvals: who answers in whose place, until when. */
import { DELEGATION_REASON_MAX } from "../../../base/limits.ts";
import { ROLES } from "../../../model/role.ts";
import { GROUP } from "../../../policy/outcomes.ts";
import type { DelegationListing, DelegationRequest } from "../../delegation-ports.ts";
import { ANSWERERS } from "../callers.ts";
import { found, json, type Route } from "../route.ts";
import { choice, exactlyOne, integer, list, named, optional, pattern, record, STRING, text } from "../schema.ts";
import { FLAG, MOMENT } from "../shapes.ts";

const DELEGATION = named<DelegationListing>("Delegation", {
  id: STRING,
  group: STRING,
  from: STRING,
  fromAccount: STRING,
  as: choice("member", "admin"),
  to: STRING,
  toAccount: STRING,
  sinceMs: MOMENT,
  untilMs: MOMENT,
  state: choice("in force", "suspended", "over"),
  why: optional(STRING),
  reason: STRING,
});

export const DELEGATION_ROUTES: readonly Route[] = [
  json({
    method: "GET",
    path: "/v1/delegations",
    summary: "Delegations that the caller lends or borrows, of auditors and admins all; all: also what is over",
    roles: ROLES,
    query: record<{ all?: "1" }>({ all: optional(FLAG) }),
    gives: list(DELEGATION),
    answer: ({ query, caller }, { delegations }) => delegations.list({ all: query.all !== undefined }, caller),
  }),
  json({
    method: "POST",
    path: "/v1/delegations",
    summary: "Let somebody answer for a group of the caller's, of admins any, until a moment or for a time from now",
    roles: ANSWERERS,
    body: exactlyOne(
      ["forMs", "untilMs"],
      record<DelegationRequest>({
        group: pattern(GROUP.source, "the name of a group"),
        to: text({ minLength: 1, maxLength: 1_024 }),
        forMs: optional(integer(1)),
        untilMs: optional(integer(1)),
        reason: optional(text({ maxLength: DELEGATION_REASON_MAX })),
      }),
    ),
    gives: DELEGATION,
    answer: ({ body, caller }, { delegations }) => delegations.make(body, caller),
  }),
  json({
    method: "DELETE",
    path: "/v1/delegations/:id",
    summary: "End one that the caller lends or borrows; of admins any",
    roles: ANSWERERS,
    gives: DELEGATION,
    async answer({ path, caller }, { delegations }) {
      const message = "Cannot end that delegation: none of yours by that id stands";
      const remedy = "List them: sallyport approvals delegations";
      return found(await delegations.end(path.id, caller), "DELEGATION_UNKNOWN", message, remedy);
    },
  }),
];
