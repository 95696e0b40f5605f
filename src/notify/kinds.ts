/** The kinds of targets, each with how it speaks and how its answers are known. */
import type { NotifyTarget } from "../model/notify.ts";
import type { Notice } from "./notice.ts";
import type { Incoming, Signed } from "./signed.ts";
import { slackKey, slackMessage, verifySlack } from "./slack.ts";
import { teamsKey, teamsMessage, verifyTeams } from "./teams.ts";
import { verifyWebhook, webhookKey } from "./webhook.ts";

export function messageOf({ kind }: Pick<NotifyTarget, "kind">, notice: Notice): object {
  switch (kind) {
    case "slack":
      return slackMessage(notice);
    case "teams":
      return teamsMessage(notice);
    case "webhook":
      return notice;
    default:
      return kind satisfies never;
  }
}

/** What the secret's text stands for; in a buffer of its own. Throws NOTIFY_SECRET. */
export function keyOf({ kind }: Pick<NotifyTarget, "kind">, secret: Buffer): Buffer {
  switch (kind) {
    case "slack":
      return slackKey(secret);
    case "teams":
      return teamsKey(secret);
    case "webhook":
      return webhookKey(secret);
    default:
      return kind satisfies never;
  }
}

/** Throws NOTIFY_SIGNATURE, NOTIFY_TIME, and of Teams NOTIFY_FORM. */
export function verify(target: NotifyTarget, incoming: Incoming, key: Uint8Array, nowMs: number): Signed {
  switch (target.kind) {
    case "slack":
      return verifySlack(incoming, key, nowMs);
    case "teams":
      return verifyTeams(incoming, key, nowMs, target.tenant ?? "");
    case "webhook":
      return verifyWebhook(incoming, key, nowMs, target.name);
    default:
      return target.kind satisfies never;
  }
}
