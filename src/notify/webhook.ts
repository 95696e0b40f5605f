/** Webhooks of any receiver, both ways signed as Standard Webhooks 1.0 says. Source: standardwebhooks.com, "Specification". */
import { UserError } from "../base/errors.ts";
import { NOTIFY_SIGNATURES_MAX } from "../base/limits.ts";
import {
  COMMENT_FORM,
  DIGEST_FORM,
  forged,
  formRefused,
  HOLD_FORM,
  headerOf,
  hmac,
  type Incoming,
  objectOf,
  requireFresh,
  requireSignature,
  type Said,
  type Signed,
  secondsOf,
  textOf,
} from "./signed.ts";

/** Without a full stop: what is signed is ID.TIME.BODY, and must not be read with its seams elsewhere. */
const ID_FORM = /^[A-Za-z0-9_-]{1,128}$/;
const SIGNATURE_FORM = /^v1,([A-Za-z0-9+/]{43}=)$/;
const USER_FORM = /^[A-Za-z0-9._@+-]{1,128}$/;
const KEYS: ReadonlySet<string> = new Set(["type", "hold", "digest", "answer", "user", "comment"]);

/** `id`: of the message, the same for every try. */
export function webhookHeaders(
  id: string,
  key: Uint8Array,
  nowMs: number,
  body: Buffer,
): Readonly<Record<string, string>> {
  const timestamp = String(Math.floor(nowMs / 1_000));
  const signature = hmac(key, `${id}.${timestamp}.`, body).toString("base64");
  return { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": `v1,${signature}` };
}

/**
 * One answer. Of several signatures one must be good: a sender that changes its key signs with both.
 * Throws NOTIFY_SIGNATURE, NOTIFY_TIME.
 */
export function verifyWebhook(incoming: Incoming, key: Uint8Array, nowMs: number, name: string): Signed {
  const { body } = incoming;
  const id = headerOf(incoming, "webhook-id");
  const timestamp = headerOf(incoming, "webhook-timestamp");
  const atMs = secondsOf(timestamp);
  const given = headerOf(incoming, "webhook-signature").split(" ");
  if (!ID_FORM.test(id) || given.length > NOTIFY_SIGNATURES_MAX) throw forged();
  const signatures = given.map((one) => Buffer.from(SIGNATURE_FORM.exec(one)?.[1] ?? "", "base64"));
  requireSignature(hmac(key, `${id}.${timestamp}.`, body), signatures);
  requireFresh(atMs, nowMs);
  return { proof: id, read: () => readAnswer(body, name) };
}

/** "whsec_" and 24 to 64 bytes in base64. Throws NOTIFY_SECRET. */
export function webhookKey(secret: Buffer): Buffer {
  const text = secret.toString("latin1");
  const encoded = text.startsWith("whsec_") ? text.slice("whsec_".length) : "";
  const key = Buffer.from(encoded, "base64");
  if (key.length >= 24 && key.length <= 64 && key.toString("base64") === encoded) return key;
  const message = "Cannot use the secret of a webhook target: it is not whsec_ with 24 to 64 bytes in base64";
  throw new UserError("NOTIFY_SECRET", message, 'Make one: printf "whsec_%s" "$(openssl rand -base64 32)"');
}

function readAnswer(body: Buffer, name: string): Said {
  const said = objectOf(body);
  const unknown = Object.keys(said).find((key) => !KEYS.has(key));
  if (unknown !== undefined || said["type"] !== "answer") throw formRefused("it is no answer, or says more than one");
  const { answer, comment } = said;
  if (answer !== "approve" && answer !== "deny") throw formRefused("its answer is neither approve nor deny");
  return {
    account: `webhook:${name}/${textOf(said["user"], USER_FORM, "its user")}`,
    ...{ answer, hold: textOf(said["hold"], HOLD_FORM, "its hold") },
    digest: textOf(said["digest"], DIGEST_FORM, "its digest"),
    ...(comment === undefined ? {} : { comment: textOf(comment, COMMENT_FORM, "its comment") }),
  };
}
