/**
 * Tells who pressed a button of Slack why that did not count: Slack shows nothing of what its request is answered with.
 * Speaks only to where the target's messages go to as well, whatever a press names. Never rejects and keeps nobody waiting.
 */
import { createPoster } from "../audit/http-post.ts";
import { codeOf } from "../base/errors.ts";
import { NOTIFY_REPLIES_MAX, NOTIFY_WAIT_MS } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { NotifyTarget } from "../model/notify.ts";
import type { SecretRef } from "../model/sink.ts";
import { slackReply } from "./slack.ts";

export interface TellerParts {
  readonly readSecret: (reference: SecretRef) => Promise<Buffer>;
  readonly version: string;
  readonly log: Log;
}

/** `replyUrl`: as the press says. */
export type TellSender = (target: NotifyTarget, replyUrl: string, text: string) => Promise<void>;

export function createTeller({ readSecret, version, log }: TellerParts): TellSender {
  let going = 0;
  const tell: TellSender = async (target, replyUrl, text) => {
    const secret = await readSecret(target.url);
    const [own, named] = [originOf(secret.toString("utf8")), originOf(replyUrl)];
    secret.fill(0);
    if (own === undefined || own !== named)
      return log.warn("A press of a button names another place to be answered at", { target: target.name });
    const poster = createPoster(replyUrl, target.ca === undefined ? {} : { ca: target.ca });
    try {
      const headers = { "content-type": "application/json", "user-agent": `sallyport/${version}` };
      const body = Buffer.from(JSON.stringify(slackReply(text)));
      await poster.post(headers, body, AbortSignal.timeout(NOTIFY_WAIT_MS));
    } finally {
      poster.close();
    }
  };
  return async (target, replyUrl, text) => {
    if (going >= NOTIFY_REPLIES_MAX) return;
    going += 1;
    try {
      await tell(target, replyUrl, text);
    } catch (error) {
      log.warn("Cannot tell who answered what came of it", { target: target.name, code: codeOf(error) });
    } finally {
      going -= 1;
    }
  };
}

/** Undefined: it is no https URL, which is nobody's. */
function originOf(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url?.protocol === "https:" && url.username === "" && url.password === "" ? url.origin : undefined;
}
