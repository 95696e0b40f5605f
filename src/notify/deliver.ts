/** One try to tell one target: its secrets are read, used and forgotten. Shows no URL. */
import { createPoster, failureOf, unanswered } from "../audit/http-post.ts";
import type { Outcome } from "../audit/sink.ts";
import { UserError } from "../base/errors.ts";
import { NOTIFY_WAIT_MS } from "../base/limits.ts";
import type { NotifyTarget } from "../model/notify.ts";
import type { SecretRef } from "../model/sink.ts";
import { keyOf, messageOf } from "./kinds.ts";
import type { Notice } from "./notice.ts";
import { webhookHeaders } from "./webhook.ts";

export interface DeliveryWorld {
  readonly readSecret: (reference: SecretRef) => Promise<Buffer>;
  readonly nowMs: () => number;
  readonly version: string;
}

/** `id`: of the message, the same for every try. Never rejects. */
export async function deliver(
  target: NotifyTarget,
  id: string,
  notice: Notice,
  world: DeliveryWorld,
  signal: AbortSignal,
): Promise<Outcome> {
  try {
    const poster = createPoster(await urlOf(target, world), target.ca === undefined ? {} : { ca: target.ca });
    try {
      const body = Buffer.from(JSON.stringify(messageOf(target, notice)));
      const own = { "content-type": "application/json", "user-agent": `sallyport/${world.version}` };
      const headers = { ...own, ...(await signatureOf(target, id, body, world)) };
      const answer = await poster.post(headers, body, AbortSignal.any([signal, AbortSignal.timeout(NOTIFY_WAIT_MS)]));
      if (answer.status >= 200 && answer.status < 300) return { kind: "taken" };
      return failureOf(answer, (status) => status === 408 || status === 429 || status >= 500);
    } finally {
      poster.close();
    }
  } catch (error) {
    return unanswered(error);
  }
}

async function signatureOf(target: NotifyTarget, id: string, body: Buffer, world: DeliveryWorld) {
  if (target.kind !== "webhook" || target.secret === undefined) return {};
  const secret = await world.readSecret(target.secret);
  try {
    const key = keyOf(target, secret);
    const headers = webhookHeaders(id, key, world.nowMs(), body);
    key.fill(0);
    return headers;
  } finally {
    secret.fill(0);
  }
}

/** Read anew for each try: to change it, change the file. Throws NOTIFY_URL, which does not show it. */
async function urlOf({ name, url }: NotifyTarget, { readSecret }: DeliveryWorld): Promise<string> {
  const secret = await readSecret(url);
  const text = secret.toString("utf8");
  secret.fill(0);
  const parsed = URL.canParse(text) ? new URL(text) : undefined;
  if (parsed?.protocol === "https:" && parsed.username === "" && parsed.password === "") return text;
  const message = `Cannot tell ${name}: what its url refers to is no https URL without a login`;
  throw new UserError("NOTIFY_URL", message, "Write the URL as the receiver gave it into the file, in one line");
}
