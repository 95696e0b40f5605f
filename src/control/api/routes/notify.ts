/** Who is told of held actions. Answers of theirs come in elsewhere (doors/answers.ts). */
import type { NotifyStatus } from "../../../model/notify.ts";
import type { NotifyTest } from "../../notify-ports.ts";
import { ADMINS, AUDITORS } from "../callers.ts";
import { json, type Route } from "../route.ts";
import { BOOLEAN, choice, list, named, optional, record, STRING } from "../schema.ts";
import { COUNT, MOMENT } from "../shapes.ts";

export const NOTIFY_ROUTES: readonly Route[] = [
  json({
    method: "GET",
    path: "/v1/notify",
    summary: "Who is told of held actions, and how far each has come",
    roles: AUDITORS,
    gives: list(
      named<NotifyStatus>("NotifyTarget", {
        name: STRING,
        kind: choice("slack", "teams", "webhook"),
        state: choice("current", "failing"),
        takesAnswers: BOOLEAN,
        queued: COUNT,
        sent: COUNT,
        retried: COUNT,
        lost: COUNT,
        lastError: optional(record<Exclude<NotifyStatus["lastError"], undefined>>({ atMs: MOMENT, message: STRING })),
      }),
    ),
    answer: (_, { notify }) => notify.list(),
  }),
  json({
    method: "POST",
    path: "/v1/notify/:name/test",
    summary: "Send one of them a message that nobody can answer",
    roles: ADMINS,
    gives: record<NotifyTest>({ ok: BOOLEAN, detail: STRING }),
    answer: ({ path, caller }, { notify }) => notify.test(path.name, caller),
  }),
];
