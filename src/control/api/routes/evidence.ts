/** Evidence: proofs of trail and recordings, and how long recordings are kept. */
import { CHECKPOINT_LINE_MAX } from "../../../base/limits.ts";
import { ROLES } from "../../../model/role.ts";
import type {
  DataKeyListing,
  EvidenceLine,
  EvidenceSummary,
  HostKeyListing,
  VerifyAsked,
} from "../../evidence-ports.ts";
import type { DeletionListing, LegalHoldListing } from "../../retention-ports.ts";
import { ADMINS, AUDITORS } from "../callers.ts";
import { bytes, found, json, lines, type Route } from "../route.ts";
import { BOOLEAN, choice, list, named, optional, record, type Schema, STRING, text, union } from "../schema.ts";
import { COUNT, MOMENT, NOTHING, REASON } from "../shapes.ts";
import { NO_SESSION } from "./sessions.ts";

type Line<K extends EvidenceLine["kind"]> = Extract<EvidenceLine, { readonly kind: K }>;

const LINE: Schema<EvidenceLine> = union(
  named<Line<"progress">>("EvidenceProgress", { kind: choice("progress"), sessions: COUNT, records: COUNT }),
  named<Line<"finding">>("EvidenceFinding", {
    kind: choice("finding"),
    verdict: choice("tampered", "unproved"),
    what: STRING,
    where: STRING,
    message: STRING,
  }),
  named<Line<"summary">>("EvidenceSummary", {
    kind: choice("summary"),
    events: COUNT,
    checkpoints: COUNT,
    last: optional(record<Exclude<EvidenceSummary["last"], undefined>>({ number: COUNT, atMs: MOMENT })),
    sessions: COUNT,
    records: COUNT,
    tampered: COUNT,
    unproved: COUNT,
  }),
);

const DELETION = named<DeletionListing>("Deletion", {
  id: STRING,
  agent: STRING,
  connection: STRING,
  endedMs: MOMENT,
  bytes: COUNT,
  why: choice("age", "size"),
  rule: COUNT,
});

export const EVIDENCE_ROUTES: readonly Route[] = [
  lines({
    method: "POST",
    path: "/v1/audit/verify",
    summary: "Prove the trail and all recordings, or one of them",
    roles: AUDITORS,
    body: record<VerifyAsked>({
      session: optional(text({ minLength: 1, maxLength: 64 })),
      anchor: optional(text({ minLength: 2, maxLength: CHECKPOINT_LINE_MAX })),
    }),
    gives: LINE,
    answer: ({ body }, { evidence }) => evidence.verify(body),
  }),
  json({
    method: "GET",
    path: "/v1/audit/key",
    summary: "The public key of the host's checkpoints",
    roles: ROLES,
    gives: record<HostKeyListing>({ id: STRING, publicKey: STRING }),
    answer: (_, { evidence }) => evidence.key(),
  }),
  json({
    method: "POST",
    path: "/v1/audit/checkpoint",
    summary: "The newest checkpoint, as the line that sinks get",
    roles: AUDITORS,
    gives: { type: "object" } as Schema<object>,
    answer: async (_, { evidence }) => (await evidence.checkpoint()) ?? {},
  }),
  bytes({
    method: "GET",
    path: "/v1/sessions/:id/bundle",
    summary: "A session and what proves it, as a tar file",
    roles: AUDITORS,
    showsRecordings: true,
    gives: "application/x-tar",
    answer: async ({ path }, { evidence }) => found(await evidence.bundle(path.id), ...NO_SESSION),
  }),
  json({
    method: "GET",
    path: "/v1/data-keys",
    summary: "The data keys of sealed recordings, without the keys",
    roles: AUDITORS,
    gives: list(
      named<DataKeyListing>("DataKey", {
        id: STRING,
        createdMs: MOMENT,
        isCurrent: BOOLEAN,
        destroyedMs: optional(MOMENT),
        reason: optional(STRING),
      }),
    ),
    answer: (_, { evidence }) => evidence.dataKeys(),
  }),
  json({
    method: "POST",
    path: "/v1/data-keys/:id/destroy",
    summary: "Destroy one: what was sealed with it can never be read again",
    roles: ADMINS,
    body: REASON,
    gives: NOTHING,
    async answer({ path, body, caller }, { evidence }) {
      await evidence.destroyDataKey(path.id, body.reason, caller);
      return {};
    },
  }),
  json({
    method: "GET",
    path: "/v1/retention",
    summary: "Recordings that would be deleted now, oldest first",
    roles: AUDITORS,
    gives: list(DELETION),
    answer: (_, { retention }) => retention.plan(),
  }),
  json({
    method: "POST",
    path: "/v1/retention/run",
    summary: "Delete them",
    roles: ADMINS,
    gives: list(DELETION),
    answer: ({ caller }, { retention }) => retention.run(caller),
  }),
  json({
    method: "GET",
    path: "/v1/legal-holds",
    summary: "Recordings that are kept whatever the settings say",
    roles: AUDITORS,
    gives: list(
      named<LegalHoldListing>("LegalHold", {
        ...{ sessionId: STRING, reason: STRING, uid: optional(COUNT), sinceMs: MOMENT },
        ...{ human: optional(STRING), humanName: optional(STRING) },
      }),
    ),
    answer: (_, { retention }) => retention.holds(),
  }),
  json({
    method: "POST",
    path: "/v1/sessions/:id/hold",
    summary: "Keep a recording",
    roles: ADMINS,
    body: REASON,
    gives: NOTHING,
    async answer({ path, body, caller }, { retention }) {
      await retention.hold(path.id, body.reason, caller);
      return {};
    },
  }),
  json({
    method: "DELETE",
    path: "/v1/sessions/:id/hold",
    summary: "Keep it no longer than the settings say",
    roles: ADMINS,
    gives: NOTHING,
    async answer({ path, caller }, { retention }) {
      await retention.unhold(path.id, caller);
      return {};
    },
  }),
];
