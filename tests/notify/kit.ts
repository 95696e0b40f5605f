/** Senders of answers as Slack, Teams and a webhook's receiver sign them, and receivers over TLS that a test scripts. */
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { IncomingHttpHeaders, RequestListener } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import type { Judging } from "../../src/holds/entitled.ts";
import type { HoldRecord } from "../../src/holds/record.ts";
import type { NotifyTarget } from "../../src/model/notify.ts";
import type { SecretRef } from "../../src/model/sink.ts";
import type { Incoming } from "../../src/notify/signed.ts";
import { makeCertificate } from "../kit/certificate.ts";
import { folder } from "../store/folder.ts";

export const NOW = Date.UTC(2026, 0, 31, 12);
export const HOLD = "abcdefghij";
export const DIGEST = "0123456789ab";
export const TENANT = "0a1b2c3d-0000-4000-8000-00000000000a";
export const OBJECT = "5e6f7a8b-0000-4000-8000-00000000000b";

/** What stands behind a reference of these names, as the receiver would have given it. */
export const SECRETS: Readonly<Record<string, string>> = {
  slack: "8f742231b10e8888abcd99yyyzzz85a5",
  teams: Buffer.alloc(32, 3).toString("base64"),
  webhook: `whsec_${Buffer.alloc(32, 5).toString("base64")}`,
  "other-slack": "00000000000000000000000000000000",
  "other-teams": Buffer.alloc(32, 4).toString("base64"),
  "other-webhook": `whsec_${Buffer.alloc(32, 6).toString("base64")}`,
};

export async function readSecret(reference: SecretRef): Promise<Buffer> {
  const name = Object.values(reference).join("");
  return Buffer.from(SECRETS[name] ?? name);
}

export function target(changes: Partial<NotifyTarget> = {}): NotifyTarget {
  const { kind = "slack" } = changes;
  const accounts = { slack: "slack:T1/U456", teams: `teams:${TENANT}/${OBJECT}`, webhook: "webhook:ops/anna" };
  return {
    ...{
      name: "ops",
      kind,
      url: { env: "url" },
      secret: { env: kind },
      on: ["held", "ended"],
      groups: [],
      show: "ids",
    },
    ...(kind === "teams" ? { tenant: TENANT } : {}),
    answers: { [accounts[kind]]: "anna" },
    humans: [],
    ...changes,
  };
}

interface Sending {
  readonly atMs?: number;
  readonly secret?: string;
  readonly hold?: string;
  readonly digest?: string;
  readonly answer?: string;
  readonly user?: string;
  readonly replyUrl?: string;
}

/** The press of a button, as Slack posts it: the body has more than we need, and escapes slashes and other alphabets. */
export function slackPress(sending: Sending = {}, body = slackBody(sending)): Incoming {
  const { atMs = NOW, secret = SECRETS["slack"] ?? "" } = sending;
  const timestamp = String(Math.floor(atMs / 1_000));
  const signature = createHmac("sha256", secret).update(`v0:${timestamp}:${body}`).digest("hex");
  const headers = { "x-slack-request-timestamp": [timestamp], "x-slack-signature": [`v0=${signature}`] };
  return { headers, body: Buffer.from(body) };
}

export function slackPayload(sending: Sending = {}): Readonly<Record<string, unknown>> {
  const { hold = HOLD, digest = DIGEST, answer = "approve", user = "U456" } = sending;
  const { replyUrl = "https://hooks.slack.com/actions/T1/2/3" } = sending;
  const text = { type: "plain_text", text: "Approve", emoji: false };
  return {
    type: "block_actions",
    user: { id: user, username: "anna", name: "anna", team_id: "T1" },
    ...{ api_app_id: "A1", token: "x", container: { type: "message", message_ts: "1", channel_id: "C1" } },
    ...{ trigger_id: "1.2.3", team: { id: "T1", domain: "acme" }, enterprise: null, is_enterprise_install: false },
    message: { type: "message", text: "Held: \u{1f512} ünsafe </x>\ttab", blocks: [{ type: "section", text }] },
    response_url: replyUrl,
    actions: [{ action_id: answer, block_id: "sallyport", text, value: `${hold} ${digest}`, type: "button" }],
  };
}

export function slackBody(sending: Sending = {}): string {
  const json = JSON.stringify(slackPayload(sending))
    .replaceAll("/", "\\/")
    .replaceAll(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return `payload=${encodeURIComponent(json).replaceAll("%20", "+")}`;
}

export function teamsPost(sending: Sending = {}, body = teamsBody(sending)): Incoming {
  const secret = sending.secret ?? SECRETS["teams"] ?? "";
  const signature = createHmac("sha256", Buffer.from(secret, "base64")).update(body).digest("base64");
  return { headers: { authorization: [`HMAC ${signature}`] }, body: Buffer.from(body) };
}

export function teamsActivity(sending: Sending = {}): Readonly<Record<string, unknown>> {
  const { atMs = NOW, hold = HOLD, digest = DIGEST, answer = "approve", user = OBJECT } = sending;
  return {
    ...{ type: "message", id: "1485983408511", timestamp: new Date(atMs).toISOString(), channelId: "msteams" },
    ...{ serviceUrl: "https://smba.trafficmanager.net/amer/", from: { id: "29:1X", name: "Anna", aadObjectId: user } },
    conversation: { isGroup: true, id: "19:2@thread.skype;messageid=1", tenantId: TENANT },
    text: `<at>Sallyport</at>&nbsp;${answer} ${hold} ${digest}\n`,
    channelData: { teamsChannelId: "19:2@thread.skype", tenant: { id: TENANT } },
  };
}

export function teamsBody(sending: Sending = {}): string {
  return JSON.stringify(teamsActivity(sending));
}

export function webhookPost(sending: Sending & { readonly id?: string } = {}, body = webhookBody(sending)): Incoming {
  const { atMs = NOW, secret = SECRETS["webhook"] ?? "", id = "msg_1" } = sending;
  const timestamp = String(Math.floor(atMs / 1_000));
  const key = Buffer.from(secret.slice("whsec_".length), "base64");
  const signature = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
  const headers = { "webhook-id": [id], "webhook-timestamp": [timestamp], "webhook-signature": [`v1,${signature}`] };
  return { headers, body: Buffer.from(body) };
}

export function webhookAnswer(sending: Sending = {}): Readonly<Record<string, unknown>> {
  const { hold = HOLD, digest = DIGEST, answer = "approve", user = "anna" } = sending;
  return { type: "answer", hold, digest, answer, user };
}

export function webhookBody(sending: Sending = {}): string {
  return JSON.stringify(webhookAnswer(sending));
}

/** With other headers; undefined takes one away. */
export function withHeaders(incoming: Incoming, headers: Incoming["headers"]): Incoming {
  return { ...incoming, headers: { ...incoming.headers, ...headers } };
}

/** The same request with one byte of its body turned. */
export function turned(incoming: Incoming, at = incoming.body.length - 1): Incoming {
  const body = Buffer.from(incoming.body);
  body[at] = (body[at] ?? 0) ^ 1;
  return { ...incoming, body };
}

/** Everybody has one account, and nobody lends anything. */
export const JUDGING: Judging = { humansOf: (accounts) => new Set(accounts), standing: () => undefined };

export function record(changes: Partial<HoldRecord> = {}): HoldRecord {
  return {
    ...{ id: HOLD, sessionId: "s1", agent: "ci", connection: "orders", protocol: "postgres" },
    statements: [{ text: "delete from orders where id = $1", parameters: ["1", null], actions: ["sql.delete"] }],
    tables: [{ name: "public.orders", access: "write", labels: [], columnLabels: [] }],
    origin: { pid: 1, uid: 2, user: "runner", executable: "/usr/bin/psql", processes: [], startedBy: [] },
    ...{ rules: ["deletes"], message: "Deletes need a reviewer", policy: "p1", reuseMs: 0, votes: [] },
    demands: [{ rule: "deletes", approvers: ["sre"], each: false, quorum: 1 }],
    ...{ digest: `${DIGEST}cdef`.repeat(4), shape: "", likeness: "", openedMs: NOW, expiresMs: NOW + 600_000 },
    state: "waiting",
    ...changes,
  };
}

export interface Heard {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A receiver over TLS with a certificate of its own: what it hears, where it is, and whose roots to trust. */
export async function receiver(t: TestContext, answer: RequestListener) {
  const files = makeCertificate(folder(t), ["127.0.0.1"]);
  const heard: Heard[] = [];
  const options = { cert: readFileSync(files.certificateFile), key: readFileSync(files.keyFile) };
  const server = createServer(options, (request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      heard.push({ path: request.url ?? "", headers: request.headers, body: Buffer.concat(parts).toString() });
      answer(request, response);
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { heard, url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/hook/hunter2`, ca: files.caFile };
}
