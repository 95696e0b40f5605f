/** Answers over real holds: who counts, what counts once, what is told of both, and what the sender gets to know. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { NOTIFY_REFUSALS_TOLD_MAX, NOTIFY_REPLAYS_MAX, NOTIFY_SKEW_MS, NOTIFY_TOLD_MS } from "../../src/base/limits.ts";
import type { Person } from "../../src/holds/entitled.ts";
import type { HoldRequest } from "../../src/holds/hold.ts";
import type { NotifyTarget } from "../../src/model/notify.ts";
import { Answers } from "../../src/notify/answers.ts";
import { keyOf, verify } from "../../src/notify/kinds.ts";
import { Replays } from "../../src/notify/replays.ts";
import type { Incoming } from "../../src/notify/signed.ts";
import { ADA, answerOf, BEN, CYD, demand, EVE, world as holdsWorld, ROOT, request, STARTER } from "../holds/kit.ts";
import { readSecret, SECRETS, slackPress, target, teamsPost, turned, webhookPost } from "./kit.ts";

const PEOPLE: Readonly<Record<string, Person>> = {
  ada: ADA,
  ben: BEN,
  cyd: CYD,
  eve: EVE,
  starter: STARTER,
  root: ROOT,
};
/** As the daemon makes them of the settings' humans (daemon/chat-human.ts). */
const HUMANS: Readonly<Record<string, Person>> = {
  "slack:T1/HADA": { ...ADA, uid: undefined, user: "ada", accounts: ["slack:T1/HADA"] },
};
const SLACK = Object.fromEntries(Object.keys(PEOPLE).map((name) => [`slack:T1/${name.toUpperCase()}`, name]));

async function given(
  t: TestContext,
  targets: readonly NotifyTarget[] = [target({ answers: { ...SLACK, "slack:T1/GONE": "gone" } })],
) {
  const { holds, clock, events } = await holdsWorld(t);
  const replies: (readonly [string, string, string])[] = [];
  const answers = new Answers({
    ...{ clock, holds, readSecret, targets: () => targets, emit: (event) => events.push(event) },
    humanOf: async (account, { answers: users }) => PEOPLE[users[account] ?? ""] ?? HUMANS[account],
    tellSender: async ({ name }, url, text) => void replies.push([name, url, text]),
  });
  const nowMs = () => clock.nowMs();
  const open = async (asked: HoldRequest = request()) => {
    const opened = holds.open(asked);
    await opened.notice;
    const record = await holds.get(opened.id);
    return { ...opened, digest: record?.digest ?? "" };
  };
  const told = (kind: string) => events.filter((event) => event.kind === kind).map(({ fields }) => fields);
  const codeOf = async (name: string, incoming: Incoming) => {
    const { status, body } = await answers.take(name, incoming);
    return [status, (body as { error?: { code: string } }).error?.code];
  };
  return { holds, answers, clock, events, nowMs, open, told, codeOf, replies };
}

test("a signed approval of one who may answer lets it go, and the trail says by which account", async (t) => {
  const { answers, open, nowMs, told, holds } = await given(t);
  const { id, digest, answer } = await open();
  const reply = await answers.take("ops", slackPress({ atMs: nowMs(), hold: id, digest, user: "ADA" }));
  assert.deepEqual(reply, { status: 200, body: { hold: id, state: "running" } });
  assert.equal(await answerOf(answer), "approved");
  const fields = { target: "ops", account: "slack:T1/ADA", hold: id, answer: "approve", user: "ada", uid: ADA.uid };
  assert.deepEqual(told("notify.answered"), [fields]);
  assert.deepEqual(
    (await holds.get(id))?.votes.map(({ name }) => name),
    ["ada (sre)"],
  );
});

test("a signed denial ends it, with its comment", async (t) => {
  const { answers, open, nowMs, holds } = await given(t, [
    target({ kind: "webhook", answers: { "webhook:ops/ada": "ada" } }),
  ]);
  const { id, digest, answer } = await open();
  const body = JSON.stringify({
    type: "answer",
    hold: id,
    digest,
    answer: "deny",
    user: "ada",
    comment: "not today",
  });
  assert.equal((await answers.take("ops", webhookPost({ atMs: nowMs() }, body))).status, 200);
  assert.equal(await answerOf(answer), "denied");
  assert.equal((await holds.get(id))?.denied?.comment, "not today");
});

const refused: readonly (readonly [string, object, string, number])[] = [
  ["an account that the settings do not list", { user: "UNKNOWN" }, "NOTIFY_ACCOUNT", 403],
  ["an account of a user whom this host does not know", { user: "GONE" }, "NOTIFY_ACCOUNT", 403],
  ["an account that stands for root", { user: "ROOT" }, "NOTIFY_ACCOUNT", 403],
  ["one of no group of the rule", { user: "EVE" }, "APPROVAL_NOT_PERMITTED", 403],
  ["whoever started the agent, though a member", { user: "STARTER" }, "APPROVAL_NOT_PERMITTED", 403],
  ["a digest that is none's", { digest: "ffffffffffff" }, "APPROVAL_DIGEST", 422],
  ["a hold that is none", { hold: "zzzzzzzzzz" }, "APPROVAL_UNKNOWN", 422],
  ["another target's secret", { secret: SECRETS["other-slack"] }, "NOTIFY_SIGNATURE", 401],
  ["what was signed long ago", { atMs: 0 }, "NOTIFY_TIME", 401],
];
for (const answer of ["approve", "deny"] as const) {
  for (const [name, changes, code, status] of refused) {
    test(`${answer}: ${name} is refused, it waits on, and the next good one counts`, async (t) => {
      const { open, nowMs, told, codeOf } = await given(t);
      const opened = await open();
      const good = { atMs: nowMs(), hold: opened.id, digest: opened.digest.slice(0, 12), user: "ADA", answer };
      assert.deepEqual(await codeOf("ops", slackPress({ ...good, ...changes })), [status, code]);
      assert.equal(await answerOf(opened.answer), "waits");
      assert.deepEqual(
        told("notify.refused").map((fields) => fields?.["code"]),
        [code],
      );
      assert.deepEqual(await codeOf("ops", slackPress(good)), [200, undefined]);
      assert.equal(await answerOf(opened.answer), answer === "approve" ? "approved" : "denied");
    });
  }
}

for (const [kind, send] of [
  ["slack", slackPress],
  ["teams", teamsPost],
  ["webhook", webhookPost],
] as const) {
  test(`${kind}: the same answer again is refused, also from another connection and a while later`, async (t) => {
    const { open, nowMs, clock, answers, told } = await given(t, [target({ kind })]);
    const opened = await open(request({ terms: { demands: [demand({ quorum: 2 })] } }));
    const sent = send({ atMs: nowMs(), hold: opened.id, digest: opened.digest });
    await answers.take("ops", sent);
    for (const ms of [0, 1_000, NOTIFY_SKEW_MS - 2_000]) {
      clock.advance(ms);
      await answers.take("ops", sent);
      assert.equal(told("notify.refused").at(-1)?.["code"], "NOTIFY_REPLAYED");
    }
    clock.advance(10_000);
    await answers.take("ops", sent);
    assert.equal(told("notify.refused").at(-1)?.["code"], "NOTIFY_TIME");
    assert.equal(told("notify.refused").filter((fields) => fields?.["code"] === "NOTIFY_REPLAYED").length, 3);
  });
}

test("the digest of one hold lets no other go", async (t) => {
  const { open, nowMs, codeOf } = await given(t);
  const one = await open();
  const other = await open(request({ texts: ["delete from orders where id = 2"] }));
  const press = (digest: string) =>
    slackPress({ atMs: nowMs(), hold: one.id, digest: digest.slice(0, 12), user: "ADA" });
  assert.deepEqual(await codeOf("ops", press(other.digest)), [422, "APPROVAL_DIGEST"]);
  assert.deepEqual([await answerOf(one.answer), await answerOf(other.answer)], ["waits", "waits"]);
  assert.deepEqual(await codeOf("ops", press(one.digest)), [200, undefined]);
  assert.deepEqual([await answerOf(one.answer), await answerOf(other.answer)], ["approved", "waits"]);
});

test("two of the same answer at once count once", async (t) => {
  const { open, nowMs, codeOf } = await given(t);
  const { id, digest } = await open(request({ terms: { demands: [demand({ quorum: 2 })] } }));
  const sent = slackPress({ atMs: nowMs(), hold: id, digest, user: "ADA" });
  const both = await Promise.all([codeOf("ops", sent), codeOf("ops", sent)]);
  assert.deepEqual(both.sort(), [
    [200, undefined],
    [409, "NOTIFY_REPLAYED"],
  ]);
});

test("one human by two accounts counts once, two humans as two", async (t) => {
  const answers = { "slack:T1/ADA": "ada", "slack:T1/ADA2": "ada", "slack:T1/BEN": "ben" };
  const { open, nowMs, codeOf } = await given(t, [target({ answers })]);
  const opened = await open(request({ terms: { demands: [demand({ quorum: 2 })] } }));
  const press = (user: string) => slackPress({ atMs: nowMs(), hold: opened.id, digest: opened.digest, user });
  assert.deepEqual(await codeOf("ops", press("ADA")), [200, undefined]);
  assert.deepEqual(await codeOf("ops", press("ADA2")), [422, "APPROVAL_TWICE"]);
  assert.equal(await answerOf(opened.answer), "waits");
  assert.deepEqual(await codeOf("ops", press("BEN")), [200, undefined]);
  assert.equal(await answerOf(opened.answer), "approved");
});

test("an answer by a target that is not told of the hold is refused", async (t) => {
  const { open, nowMs, codeOf } = await given(t, [
    target({ groups: ["dba"], answers: SLACK }),
    target({ name: "all", answers: SLACK, secret: { env: "other-slack" } }),
  ]);
  const { id, digest } = await open();
  const press = (secret: string) =>
    slackPress({ atMs: nowMs(), hold: id, digest, user: "ADA", secret: SECRETS[secret] ?? "" });
  assert.deepEqual(await codeOf("ops", press("slack")), [422, "APPROVAL_UNKNOWN"]);
  assert.deepEqual(await codeOf("all", press("other-slack")), [200, undefined]);
});

for (const [kind, send, same] of [
  ["slack", slackPress, SECRETS["slack"]],
  ["teams", teamsPost, SECRETS["teams"]],
  ["webhook", webhookPost, SECRETS["webhook"]],
] as const) {
  test(`${kind}: what one target's users have answered does not count at another target`, async (t) => {
    const ops = target({ kind, groups: ["dba"] });
    const [[account = ""] = []] = Object.entries(ops.answers);
    const elsewhere = account.replace("webhook:ops/", "webhook:all/");
    const all = (secret: string) =>
      target({ name: "all", kind, secret: { env: secret }, answers: { [elsewhere]: "ada" } });
    const targets = [ops, all(`other-${kind}`)];
    const { open, nowMs, codeOf, told, answers } = await given(t, targets);
    const { id, digest, answer } = await open();
    const sent = () => send({ atMs: nowMs(), hold: id, digest });
    // control: nothing in what is signed says for which target it is, so that with one secret the signature is good at both
    for (const [at, env] of [
      [ops, kind],
      [all(kind), kind],
    ] as const) {
      const key = keyOf({ kind }, await readSecret({ env }));
      assert.equal(verify(at, sent(), key, nowMs()).read().hold, id);
    }
    assert.deepEqual(await codeOf("all", sent()), [401, "NOTIFY_SIGNATURE"]);
    targets[1] = all(same ?? ""); // another file with the same in it
    assert.deepEqual(await answers.take("all", sent()), { status: 503, body: {} });
    assert.equal(told("notify.refused").at(-1)?.["code"], "NOTIFY_SECRET_SHARED");
    assert.equal(await answerOf(answer), "waits");
    targets.shift();
    assert.equal((await answers.take("all", sent())).status, 200); // alone it is its own
    assert.equal(await answerOf(answer), "approved");
  });
}

test("one secret for a Slack and for a webhook is one secret, however each reads it", async (t) => {
  const twin = target({ name: "hook", kind: "webhook", secret: { env: "webhook" }, answers: {} });
  const { open, nowMs, answers, told } = await given(t, [target({ secret: { env: "webhook" }, answers: SLACK }), twin]);
  const { id, digest } = await open();
  const press = slackPress({ atMs: nowMs(), hold: id, digest, user: "ADA", secret: SECRETS["webhook"] ?? "" });
  assert.equal((await answers.take("ops", press)).status, 503);
  assert.equal(told("notify.refused").at(-1)?.["code"], "NOTIFY_SECRET_SHARED");
});

test("a human whom the settings name answers by their account, and by no other target's", async (t) => {
  const humans = ["slack:T1/HADA"];
  const targets = [
    target({ answers: {}, humans }),
    target({ name: "all", answers: SLACK, secret: { env: "other-slack" } }),
  ];
  const { open, nowMs, codeOf, told, holds } = await given(t, targets);
  const { id, digest, answer } = await open();
  const press = (secret: string) =>
    slackPress({ atMs: nowMs(), hold: id, digest, user: "HADA", secret: SECRETS[secret] ?? "" });
  assert.deepEqual(await codeOf("all", press("other-slack")), [403, "NOTIFY_ACCOUNT"]);
  assert.equal(await answerOf(answer), "waits");
  assert.deepEqual(await codeOf("ops", press("slack")), [200, undefined]);
  assert.equal(await answerOf(answer), "approved");
  const [fields] = told("notify.answered");
  assert.deepEqual([fields?.["account"], fields?.["user"], fields?.["uid"]], ["slack:T1/HADA", "ada", undefined]);
  assert.deepEqual((await holds.get(id))?.votes[0]?.accounts, ["slack:T1/HADA"]);
});

test("who pressed a button in Slack is told there why it did not count, and strangers are told nothing", async (t) => {
  const { open, nowMs, codeOf, replies } = await given(t);
  const { id, digest } = await open();
  const good = { atMs: nowMs(), hold: id, digest };
  await codeOf("ops", slackPress({ ...good, user: "NOBODY" }));
  await codeOf("ops", turned(slackPress({ ...good, user: "EVE" })));
  await codeOf("ops", slackPress({ ...good, user: "ADA" }));
  const [[target, url, text] = assert.fail("nobody was told"), second] = replies;
  assert.deepEqual([target, url, second], ["ops", "https://hooks.slack.com/actions/T1/2/3", undefined]);
  assert.match(text, /^Cannot take the answer: slack:T1\/NOBODY is nobody who may answer here\. Let an administrator/);
});

test("a target that takes no answers, and one that is none, are the same to whoever asks", async (t) => {
  const { codeOf, nowMs } = await given(t, [target({ answers: {} })]);
  for (const name of ["ops", "none"]) {
    assert.deepEqual(await codeOf(name, slackPress({ atMs: nowMs() })), [404, "NOTIFY_TARGET"]);
  }
});

test("Teams is told in the chat why an answer of its user was not taken, and strangers get a status", async (t) => {
  const { answers, open, nowMs } = await given(t, [target({ kind: "teams" })]);
  const { id, digest } = await open();
  const reply = await answers.take("ops", teamsPost({ atMs: nowMs(), hold: id, digest }));
  assert.equal(reply.status, 200);
  assert.match(JSON.stringify(reply.body), /"type":"message","text":"Cannot take the answer: teams:.* is nobody/);
  const forged = await answers.take("ops", turned(teamsPost({ atMs: nowMs(), hold: id, digest })));
  assert.equal(forged.status, 401);
});

test("where the secret cannot be used, strangers get to know neither that nor its place", async (t) => {
  const { answers, told, nowMs } = await given(t, [target({ kind: "teams", secret: { env: "not-base64!" } })]);
  assert.deepEqual(await answers.take("ops", teamsPost({ atMs: nowMs() })), { status: 503, body: {} });
  assert.deepEqual(told("notify.refused"), [{ target: "ops", code: "NOTIFY_SECRET" }]);
});

test("no digest, secret or body is in what is answered and told of a refusal", async (t) => {
  const { answers, open, nowMs, events } = await given(t);
  const { id, digest } = await open();
  const before = events.length;
  const sent = [{ digest: "ffffffffffff" }, { secret: "x" }, { user: "UNKNOWN" }, { hold: "zzzzzzzzzz" }];
  const replies = [];
  for (const changes of sent) {
    replies.push(
      await answers.take(
        "ops",
        slackPress({ atMs: nowMs(), hold: id, digest: digest.slice(0, 12), user: "ADA", ...changes }),
      ),
    );
  }
  const text = JSON.stringify([replies, events.slice(before)]);
  for (const word of [digest.slice(12, 24), SECRETS["slack"] ?? "", "trigger_id"])
    assert.ok(!text.includes(word), text);
});

test("a flood of forged answers is told in part and counted, and neither locks a human out nor hides one", async (t) => {
  const { open, nowMs, clock, answers, told, codeOf } = await given(t);
  const { id, digest } = await open(request({ terms: { expiresMs: 600_000 } }));
  const statuses = [];
  for (let many = 0; many < NOTIFY_REFUSALS_TOLD_MAX + 7; many++) {
    statuses.push((await answers.take("ops", turned(slackPress({ atMs: nowMs(), hold: id, digest })))).status);
  }
  assert.deepEqual(
    [statuses.filter((status) => status === 401).length, statuses.at(-1)],
    [NOTIFY_REFUSALS_TOLD_MAX, 429],
  );
  assert.deepEqual(await codeOf("ops", slackPress({ atMs: nowMs(), hold: id, digest, user: "EVE" })), [
    403,
    "APPROVAL_NOT_PERMITTED",
  ]);
  assert.equal(told("notify.refused").length, NOTIFY_REFUSALS_TOLD_MAX + 1);
  assert.equal(told("notify.refused").at(-1)?.["account"], "slack:T1/EVE");
  clock.advance(NOTIFY_TOLD_MS);
  answers.tend();
  answers.tend();
  assert.deepEqual(told("refusals.untold"), [{ untold: 7 }]);
  assert.deepEqual(await codeOf("ops", slackPress({ atMs: nowMs(), hold: id, digest, user: "ADA" })), [200, undefined]);
});

test("the memory of answers has a maximum, refuses beyond it, and is free again when their time is over", () => {
  const replays = new Replays();
  for (let many = 0; many < NOTIFY_REPLAYS_MAX; many++) replays.require("ops", String(many), 1_000);
  assert.throws(() => replays.require("ops", "one more", 1_000), { code: "NOTIFY_BUSY" });
  assert.throws(() => replays.require("ops", "0", 1_000 + 2 * NOTIFY_SKEW_MS), { code: "NOTIFY_REPLAYED" });
  replays.require("ops", "one more", 1_001 + 2 * NOTIFY_SKEW_MS);
  replays.require("dev", "one more", 1_001 + 2 * NOTIFY_SKEW_MS); // another target has another key
});
