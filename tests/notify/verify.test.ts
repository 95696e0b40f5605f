/** Each kind of answer beside every way to forge, change, delay or repeat it: the good one passes, the rest is refused by its code. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { NOTIFY_SIGNATURES_MAX, NOTIFY_SKEW_MS } from "../../src/base/limits.ts";
import type { NotifyKind } from "../../src/model/notify.ts";
import { keyOf, verify } from "../../src/notify/kinds.ts";
import type { Incoming, Said } from "../../src/notify/signed.ts";
import {
  DIGEST,
  HOLD,
  NOW,
  OBJECT,
  SECRETS,
  slackBody,
  slackPayload,
  slackPress,
  TENANT,
  target,
  teamsActivity,
  teamsBody,
  teamsPost,
  turned,
  webhookAnswer,
  webhookBody,
  webhookPost,
  withHeaders,
} from "./kit.ts";

function read(kind: NotifyKind, incoming: Incoming, nowMs = NOW): Said {
  const key = keyOf({ kind }, Buffer.from(SECRETS[kind] ?? ""));
  return verify(target({ kind }), incoming, key, nowMs).read();
}

type Sending = NonNullable<Parameters<typeof slackPress>[0]>;
const kinds = [
  { kind: "slack", send: slackPress, bodyOf: slackBody, account: "slack:T1/U456" },
  { kind: "teams", send: teamsPost, bodyOf: teamsBody, account: `teams:${TENANT}/${OBJECT}` },
  { kind: "webhook", send: webhookPost, bodyOf: webhookBody, account: "webhook:ops/anna" },
] as const;

for (const { kind, send, bodyOf, account } of kinds) {
  for (const answer of ["approve", "deny"] as const) {
    test(`${kind}: a signed ${answer} is read`, () => {
      const { replyUrl, ...said } = read(kind, send({ answer }));
      assert.deepEqual(said, { account, hold: HOLD, digest: DIGEST, answer });
      assert.equal(replyUrl, kind === "slack" ? "https://hooks.slack.com/actions/T1/2/3" : undefined);
    });
  }

  test(`${kind}: a digest may be longer than what was shown, and not shorter`, () => {
    const digest = "0123456789abcdef".repeat(4);
    assert.equal(read(kind, send({ digest })).digest, digest);
    for (const short of [DIGEST.slice(1), "", "0123456789aZ", `${digest}0`]) {
      assert.throws(() => read(kind, send({ digest: short })), { code: "NOTIFY_FORM" }, short);
    }
  });

  test(`${kind}: what was signed within 5 minutes counts, to the second`, () => {
    for (const atMs of [NOW - NOTIFY_SKEW_MS, NOW + NOTIFY_SKEW_MS])
      assert.equal(read(kind, send({ atMs })).hold, HOLD);
    for (const atMs of [NOW - NOTIFY_SKEW_MS - 1_000, NOW + NOTIFY_SKEW_MS + 1_000, 0]) {
      assert.throws(() => read(kind, send({ atMs })), { code: "NOTIFY_TIME" });
    }
  });

  test(`${kind}: every byte of the body counts`, () => {
    const good = send();
    assert.equal(read(kind, good).hold, HOLD);
    for (const at of [0, Math.floor(good.body.length / 2), good.body.length - 1]) {
      assert.throws(() => read(kind, turned(good, at)), { code: "NOTIFY_SIGNATURE" });
    }
    const longer = { ...good, body: Buffer.concat([good.body, Buffer.from(" ")]) };
    assert.throws(() => read(kind, longer), { code: "NOTIFY_SIGNATURE" });
  });

  test(`${kind}: another target's secret is none`, () => {
    assert.throws(() => read(kind, send({ secret: SECRETS[`other-${kind}`] ?? "" })), { code: "NOTIFY_SIGNATURE" });
  });

  test(`${kind}: each header must be there, and once`, () => {
    const good = send();
    for (const [name, values] of Object.entries(good.headers)) {
      const wrong = [undefined, [], [""], [...(values ?? []), ...(values ?? [])], [`${values?.[0]}x`]];
      for (const value of wrong) {
        const incoming = withHeaders(good, { [name]: value });
        assert.throws(() => read(kind, incoming), { code: "NOTIFY_SIGNATURE" }, `${name}: ${String(value)}`);
      }
    }
  });

  test(`${kind}: a body that nobody signed is not even parsed`, () => {
    const forged = { ...send(), body: Buffer.from("{".repeat(60_000)) };
    assert.throws(() => read(kind, forged), { code: "NOTIFY_SIGNATURE" });
  });

  const forms: readonly (readonly [string, Sending | string])[] = [
    ["another answer", { answer: "approved" }],
    ["a hold of another form", { hold: "../../etc" }],
    ["no hold", { hold: "" }],
    ["a user of another form", { user: "U456/../U1" }],
    ["no user", { user: "" }],
    ["an empty body", ""],
    ["a body that is no JSON", kind === "slack" ? "payload=%7B" : "{"],
    ["a body that is a list", kind === "slack" ? "payload=%5B%5D" : "[]"],
    ["bytes that are no UTF-8", kind === "slack" ? "payload=%ff" : "\ud800"],
  ];
  for (const [name, what] of forms) {
    test(`${kind}: ${name} is refused, though it is signed`, () => {
      const incoming = typeof what === "string" ? send({}, what) : send(what);
      assert.throws(() => read(kind, incoming), { code: "NOTIFY_FORM" });
      assert.equal(read(kind, send({}, bodyOf({}))).hold, HOLD); // the same sender, as it should be
    });
  }

  test(`${kind}: JSON that says something twice is refused, though it is signed`, () => {
    const twice = (json: string, key: string) => json.replace(`{"${key}"`, `{"${key}":"x","${key}"`);
    const bodies = {
      slack: () => `payload=${encodeURIComponent(twice(JSON.stringify(slackPayload()), "type"))}`,
      teams: () => twice(teamsBody(), "type"),
      webhook: () => twice(webhookBody(), "type"),
    };
    const body = bodies[kind]();
    assert.notEqual(body, bodyOf({}));
    assert.throws(() => read(kind, send({}, body)), { code: "NOTIFY_FORM", message: /says something twice/ });
  });
}

test("slack: one form field of the name payload, and nothing beside it", () => {
  const bodies = [
    `${slackBody()}&payload=%7B%7D`,
    `${slackBody()}&x=1`,
    `x=1&${slackBody()}`,
    slackBody().replace("payload", "p"),
  ];
  for (const body of bodies) assert.throws(() => read("slack", slackPress({}, body)), { code: "NOTIFY_FORM" }, body);
});

const pressed = (changes: object) => `payload=${encodeURIComponent(JSON.stringify({ ...slackPayload(), ...changes }))}`;
const button = (slackPayload()["actions"] as object[])[0];
const presses: readonly (readonly [string, object])[] = [
  ["another kind of interaction", { type: "view_submission" }],
  ["no button", { actions: [] }],
  ["two buttons", { actions: [button, button] }],
  ["a button of another block", { actions: [{ ...button, block_id: "x" }] }],
  ["a button with more in its value", { actions: [{ ...button, value: `${HOLD} ${DIGEST} 1h` }] }],
  ["a button without value", { actions: [{ ...button, value: undefined }] }],
  ["no user", { user: undefined }],
  ["a user of no team", { user: { id: "U456" }, team: null }],
];
for (const [name, changes] of presses) {
  test(`slack: ${name} is refused, though it is signed`, () => {
    assert.throws(() => read("slack", slackPress({}, pressed(changes))), { code: "NOTIFY_FORM" });
  });
}

test("slack: a user of another team of a shared channel is another account", () => {
  const foreign = { user: { id: "U456", team_id: "T2" } };
  assert.equal(read("slack", slackPress({}, pressed(foreign))).account, "slack:T2/U456");
});

test("slack: the time that was signed cannot be moved by the header", () => {
  const late = String(NOW / 1_000 + 60);
  const moved = withHeaders(slackPress(), { "x-slack-request-timestamp": [late] });
  assert.throws(() => read("slack", moved), { code: "NOTIFY_SIGNATURE" });
});

const wrote = (text: string) => JSON.stringify({ ...teamsActivity(), text });
test("teams: what people write is understood as they write it", () => {
  const texts: readonly (readonly [string, string | undefined])[] = [
    [`<at>Sallyport</at> approve ${HOLD} ${DIGEST}`, undefined],
    [`<p><at id="0">Sallyport</at>&nbsp;Approve ${HOLD}  ${DIGEST}</p>`, undefined],
    [`<at>Sallyport</at> approve ${HOLD} ${DIGEST} ticket 4711, fine`, "ticket 4711, fine"],
  ];
  for (const [text, comment] of texts) {
    const said = read("teams", teamsPost({}, wrote(text)));
    assert.deepEqual([said.answer, said.hold, said.digest, said.comment], ["approve", HOLD, DIGEST, comment], text);
  }
});

test("teams: what is nearly an order is none", () => {
  const texts = [
    `approve ${HOLD}`,
    `approve ${DIGEST} ${HOLD}`,
    `please approve ${HOLD} ${DIGEST}`,
    "",
    `approve${HOLD}`,
  ];
  for (const text of texts) {
    assert.throws(() => read("teams", teamsPost({}, wrote(text))), { code: "NOTIFY_FORM" }, text);
  }
});

const activities: readonly (readonly [string, object])[] = [
  ["another tenant", { channelData: { tenant: { id: OBJECT } }, conversation: { tenantId: OBJECT } }],
  ["another tenant in one of two places", { conversation: { tenantId: OBJECT } }],
  ["no tenant", { channelData: {}, conversation: {} }],
  ["no user of the directory", { from: { id: "29:1X", name: "Anna" } }],
  ["what is no message", { type: "messageReaction" }],
  ["no time", { timestamp: undefined }],
  ["a time without zone", { timestamp: "2026-01-31T12:00:00" }],
];
for (const [name, changes] of activities) {
  test(`teams: ${name} is refused, though it is signed`, () => {
    const body = JSON.stringify({ ...teamsActivity(), ...changes });
    assert.throws(() => read("teams", teamsPost({}, body)), { code: "NOTIFY_FORM" });
  });
}

test("teams: a time with seven digits behind the second is read", () => {
  const body = JSON.stringify({ ...teamsActivity(), timestamp: "2026-01-31T12:00:00.1234567Z" });
  assert.equal(read("teams", teamsPost({}, body)).hold, HOLD);
});

test("webhook: of two signatures one must be good, of too many none counts", () => {
  const good = webhookPost();
  const [own = ""] = good.headers["webhook-signature"] ?? [];
  const [other = ""] = webhookPost({ secret: SECRETS["other-webhook"] ?? "" }).headers["webhook-signature"] ?? [];
  const signed = (...all: string[]) => withHeaders(good, { "webhook-signature": [all.join(" ")] });
  assert.equal(read("webhook", signed(other, own)).hold, HOLD);
  assert.equal(read("webhook", signed("v1a,AAAA", own)).hold, HOLD);
  const wrong = [signed(other, other), signed(own.replace("v1,", "v2,")), signed(own.replace("v1,", ""))];
  const many = signed(own, ...Array.from({ length: NOTIFY_SIGNATURES_MAX }, () => other));
  for (const incoming of [...wrong, many]) assert.throws(() => read("webhook", incoming), { code: "NOTIFY_SIGNATURE" });
});

test("webhook: neither id nor time can be another than was signed, nor the seams between them", () => {
  const good = webhookPost({ id: "msg_1" });
  const [time = ""] = good.headers["webhook-timestamp"] ?? [];
  const wrong = [
    { "webhook-id": ["msg_2"] },
    { "webhook-timestamp": [String(Number(time) + 1)] },
    { "webhook-timestamp": [` ${time}`] },
  ];
  for (const headers of wrong) {
    assert.throws(() => read("webhook", withHeaders(good, headers)), { code: "NOTIFY_SIGNATURE" });
  }
  assert.throws(() => read("webhook", webhookPost({ id: `msg.${time}` })), { code: "NOTIFY_SIGNATURE" });
});

test("webhook: keys that are not known, and comments that drive terminals, are refused", () => {
  const posted = (changes: object) => webhookPost({}, JSON.stringify({ ...webhookAnswer(), ...changes }));
  assert.equal(read("webhook", posted({ comment: "ticket 4711" })).comment, "ticket 4711");
  const wrong = [
    { forMs: 60_000 },
    { type: "notice.held" },
    { comment: "\u001b[2J" },
    { comment: "x".repeat(501) },
    { comment: 1 },
  ];
  for (const changes of wrong) assert.throws(() => read("webhook", posted(changes)), { code: "NOTIFY_FORM" });
});

const secrets: readonly (readonly [NotifyKind, string])[] = [
  ["slack", "changeme"],
  ["slack", `${SECRETS["slack"]}\n${SECRETS["slack"]}`],
  ["teams", "not base64!"],
  ["teams", "c2hvcnQ="],
  ["webhook", Buffer.alloc(32).toString("base64")],
  ["webhook", "whsec_"],
  ["webhook", `whsec_${Buffer.alloc(23).toString("base64")}`],
  ["webhook", `whsec_${Buffer.alloc(65).toString("base64")}`],
  ["webhook", `whsec_${Buffer.alloc(32).toString("base64")}\n`],
];
for (const [kind, secret] of secrets) {
  test(`${kind}: a secret of another form is refused and not shown: ${JSON.stringify(secret).slice(0, 20)}`, () => {
    assert.throws(
      () => keyOf({ kind }, Buffer.from(secret)),
      ({ code, message }: Error & { code?: string }) =>
        code === "NOTIFY_SECRET" && !message.includes(`${secret}=`.slice(0, 12)),
    );
  });
}
