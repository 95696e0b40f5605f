/**
 * Slack: messages with buttons for an incoming webhook, and presses of them as its interactivity sends them. Texts go out
 * as plain text, in which Slack reads no markup and no mention. Source: docs.slack.dev, "Verifying requests from Slack",
 * "block_actions payload".
 */
import { UserError } from "../base/errors.ts";
import type { Notice } from "./notice.ts";
import {
  asObject,
  DIGEST_FORM,
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
import { speak } from "./words.ts";

const ID_FORM = /^[A-Z0-9]{2,32}$/;
const BLOCK = "sallyport";

/** The body of the message. Buttons carry the hold and the digest that they stand under. */
export function slackMessage(notice: Notice): object {
  const { title, facts, statements, answerable, note } = speak(notice);
  const fields = facts.map(({ name, value }) => plain(`${name}\n${value}`));
  return {
    text: inert(title),
    blocks: [
      { type: "section", text: plain(title) },
      ...(fields.length === 0 ? [] : [{ type: "section", fields }]),
      ...(statements.length === 0 ? [] : [preformatted(statements.join("\n"))]),
      ...(answerable === undefined ? [] : [buttonsFor(`${answerable.hold} ${answerable.digest}`)]),
      ...(note === undefined ? [] : [{ type: "section", text: plain(note) }]),
    ],
  };
}

/** For whoever pressed a button, and nobody else. Source: docs.slack.dev, "Handling user interaction", response_url. */
export function slackReply(text: string): object {
  return { response_type: "ephemeral", replace_original: false, text: inert(text) };
}

/** One press of one of our buttons. Throws NOTIFY_SIGNATURE, NOTIFY_TIME. */
export function verifySlack(incoming: Incoming, key: Uint8Array, nowMs: number): Signed {
  const { body } = incoming;
  const timestamp = headerOf(incoming, "x-slack-request-timestamp");
  const atMs = secondsOf(timestamp);
  const given = /^v0=([0-9a-f]{64})$/.exec(headerOf(incoming, "x-slack-signature"))?.[1] ?? "";
  const wanted = hmac(key, `v0:${timestamp}:`, body);
  requireSignature(wanted, [Buffer.from(given, "hex")]);
  requireFresh(atMs, nowMs);
  return { proof: wanted.toString("hex"), read: () => readPress(body) };
}

/** Slack's are of 32 characters; a key that could be guessed lets anybody approve. Throws NOTIFY_SECRET. */
export function slackKey(secret: Buffer): Buffer {
  if (/^[!-~]{16,128}$/.test(secret.toString("latin1"))) return Buffer.from(secret);
  const message = "Cannot use the secret of a Slack target: it is no signing secret";
  throw new UserError("NOTIFY_SECRET", message, "Write the Signing Secret of the app, in one line, into the file");
}

function readPress(body: Buffer): Said {
  const payload = objectOf(Buffer.from(payloadOf(body)));
  if (payload["type"] !== "block_actions") throw formRefused("it is no press of a button");
  const user = asObject(payload["user"]);
  const team = user?.["team_id"] ?? asObject(payload["team"])?.["id"];
  const account = `slack:${textOf(team, ID_FORM, "its team")}/${textOf(user?.["id"], ID_FORM, "its user")}`;
  const actions = payload["actions"];
  const [action, second] = Array.isArray(actions) ? actions.map(asObject) : [];
  if (action === undefined || second !== undefined || action["block_id"] !== BLOCK) {
    throw formRefused("it is not the press of one button of ours");
  }
  const answer = action["action_id"];
  if (answer !== "approve" && answer !== "deny") throw formRefused("its button is none of ours");
  const [hold, digest, more] = typeof action["value"] === "string" ? action["value"].split(" ") : [];
  if (more !== undefined) throw formRefused("its button is none of ours");
  const replyUrl = payload["response_url"];
  return {
    ...{ account, answer, hold: textOf(hold, HOLD_FORM, "its hold") },
    digest: textOf(digest, DIGEST_FORM, "its digest"),
    ...(typeof replyUrl === "string" ? { replyUrl } : {}),
  };
}

/** `payload=` and nothing beside it, in application/x-www-form-urlencoded. */
function payloadOf(body: Buffer): string {
  const fields = [...new URLSearchParams(body.toString("latin1"))];
  const [[name, payload] = ["", ""], second] = fields;
  if (name !== "payload" || second !== undefined) throw formRefused("it is not one form field of the name payload");
  return payload;
}

function buttonsFor(value: string): object {
  const button = (action: Said["answer"], text: string, style: string) => {
    return { type: "button", action_id: action, style, text: plain(text), value };
  };
  return {
    ...{ type: "actions", block_id: BLOCK },
    elements: [button("approve", "Approve", "primary"), button("deny", "Deny", "danger")],
  };
}

/** Text in which Slack reads no link and no mention. */
function inert(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function plain(text: string): object {
  return { type: "plain_text", text, emoji: false };
}

function preformatted(text: string): object {
  const lines = { type: "rich_text_preformatted", elements: [{ type: "text", text }] };
  return { type: "rich_text", elements: [lines] };
}
