/**
 * Microsoft Teams: adaptive cards for a Workflows webhook, and what people write to its outgoing webhook. Cards are made of
 * text runs, in which Teams reads no markup. Source: learn.microsoft.com, "Create Outgoing Webhooks", "Create incoming
 * webhooks with Workflows".
 */
import { UserError } from "../base/errors.ts";
import type { Notice } from "./notice.ts";
import {
  asObject,
  COMMENT_FORM,
  formRefused,
  headerOf,
  hmac,
  type Incoming,
  objectOf,
  requireFresh,
  requireSignature,
  type Said,
  type Signed,
  textOf,
} from "./signed.ts";
import { speak } from "./words.ts";

const UUID_FORM = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const TIME_FORM = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,7})?Z$/;
const ORDER_FORM = /^(approve|deny) ([a-z2-9]{10}) ([0-9a-f]{12,64})(?: (.+))?$/;

/** The body of the message; without buttons, which an outgoing webhook knows nothing of. */
export function teamsMessage(notice: Notice): object {
  const { title, facts, statements, answerable, note } = speak(notice);
  const order = answerable === undefined ? "" : `${answerable.hold} ${answerable.digest}`;
  const how = order === "" ? note : `To answer: @Sallyport approve ${order}, or: @Sallyport deny ${order}`;
  const body = [
    runs({ text: title, weight: "Bolder" }),
    ...facts.map(({ name, value }) => runs({ text: `${name}: `, isSubtle: true }, { text: value })),
    ...statements.flatMap((text) => text.split("\n").map((line) => runs({ text: line, fontType: "Monospace" }))),
    ...(how === undefined ? [] : [runs({ text: how })]),
  ];
  const content = {
    $schema: "http://adaptivecards.io/schemas/adaptive-card.json",
    type: "AdaptiveCard",
    version: "1.4",
    body,
  };
  return {
    type: "message",
    attachments: [{ contentType: "application/vnd.microsoft.card.adaptive", contentUrl: null, content }],
  };
}

/**
 * One message to the outgoing webhook, of a user of that tenant. Its time stands in what is signed.
 * Throws NOTIFY_SIGNATURE, NOTIFY_TIME, NOTIFY_FORM.
 */
export function verifyTeams(incoming: Incoming, key: Uint8Array, nowMs: number, tenant: string): Signed {
  const { body } = incoming;
  const given = /^HMAC ([A-Za-z0-9+/]{43}=)$/.exec(headerOf(incoming, "authorization"))?.[1] ?? "";
  const wanted = hmac(key, body);
  requireSignature(wanted, [Buffer.from(given, "base64")]);
  const activity = objectOf(body);
  requireFresh(Date.parse(textOf(activity["timestamp"], TIME_FORM, "its time")), nowMs);
  return { proof: wanted.toString("hex"), read: () => readOrder(activity, tenant) };
}

/** Teams shows its security token in base64. Throws NOTIFY_SECRET. */
export function teamsKey(secret: Buffer): Buffer {
  const text = secret.toString("latin1");
  const key = Buffer.from(text, "base64");
  if (key.length >= 16 && key.toString("base64") === text) return key;
  const message = "Cannot use the secret of a Teams target: it is no security token of an outgoing webhook";
  throw new UserError(
    "NOTIFY_SECRET",
    message,
    "Write the token as Teams has shown it, base64 in one line, into the file",
  );
}

function readOrder(activity: Readonly<Record<string, unknown>>, tenant: string): Said {
  if (activity["type"] !== "message") throw formRefused("it is no message");
  const tenants = [
    asObject(asObject(activity["channelData"])?.["tenant"])?.["id"],
    asObject(activity["conversation"])?.["tenantId"],
  ].filter((one) => one !== undefined);
  if (tenants.length === 0 || tenants.some((one) => String(one).toLowerCase() !== tenant)) {
    throw formRefused("it does not come from the tenant that the settings name");
  }
  const user = textOf(asObject(activity["from"])?.["aadObjectId"], UUID_FORM, "its user").toLowerCase();
  const [, answer, hold, digest, comment = ""] = ORDER_FORM.exec(orderOf(activity["text"])) ?? [];
  if ((answer !== "approve" && answer !== "deny") || hold === undefined || digest === undefined) {
    throw formRefused('it does not say "approve ID DIGEST" or "deny ID DIGEST"');
  }
  const why = comment === "" ? {} : { comment: textOf(comment, COMMENT_FORM, "its comment") };
  return { account: `teams:${tenant}/${user}`, answer, hold, digest, ...why };
}

/** Without the mention of ourselves and the spaces that Teams writes as markup; the first word as a telephone capitalises it. */
function orderOf(text: unknown): string {
  if (typeof text !== "string") return "";
  const said = text.replace(/<at[^<>]*>[^<]*<\/at>/, " ").replaceAll(/&nbsp;|<\/?p>|<br ?\/?>|\s/g, " ");
  const [first = "", ...rest] = said.split(" ").filter(Boolean);
  return [first.toLowerCase(), ...rest].join(" ");
}

function runs(...all: readonly ({ readonly text: string } & Readonly<Record<string, string | boolean>>)[]): object {
  return { type: "RichTextBlock", inlines: all.map((run) => ({ type: "TextRun", ...run })) };
}
