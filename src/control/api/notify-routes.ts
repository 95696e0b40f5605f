/** The routes about who is told of held actions. Answers of theirs come in elsewhere (notify/door.ts). */
import { ADMINS, AUDITORS } from "./callers.ts";
import type { Route } from "./routes.ts";

export const NOTIFY_ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: "/v1/notify",
    roles: AUDITORS,
    answer: async (_, { notify }) => ({ kind: "json", value: await notify.list() }),
  },
  {
    method: "POST",
    path: "/v1/notify/:name/test",
    roles: ADMINS,
    answer: async ({ path, caller }, { notify }) => ({
      kind: "json",
      value: await notify.test(path["name"] ?? "", caller),
    }),
  },
];
