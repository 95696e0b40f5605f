/** What whoever pressed a button is told, over real TLS: only where the target's messages go as well, bounded, and inert. */
import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { type TestContext, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { NOTIFY_REPLIES_MAX } from "../../src/base/limits.ts";
import { createTeller } from "../../src/notify/slack-reply.ts";
import { quietLog } from "../store/folder.ts";
import { receiver, target } from "./kit.ts";

async function given(t: TestContext, hold?: (response: ServerResponse) => void) {
  const slack = await receiver(t, (_request, response) => (hold ?? ((one) => one.end("ok")))(response));
  const log = quietLog();
  const tell = createTeller({ readSecret: async () => Buffer.from(slack.url), version: "1.2.3", log });
  return { slack, log, tell, ops: target({ ca: slack.ca }) };
}

test("the reason is told to the one who pressed, with no link or mention in it", async (t) => {
  const { slack, tell, ops, log } = await given(t);
  await tell(ops, slack.url.replace("/hook/hunter2", "/actions/1"), "Cannot <!channel> & so on");
  const [{ path, body } = assert.fail("nothing came")] = slack.heard;
  assert.deepEqual(
    [path, JSON.parse(body)],
    [
      "/actions/1",
      { response_type: "ephemeral", replace_original: false, text: "Cannot &lt;!channel&gt; &amp; so on" },
    ],
  );
  assert.deepEqual(log.lines, []);
});

test("another place than that of the target's messages is not spoken to, whoever signs it", async (t) => {
  const { slack, tell, ops, log } = await given(t);
  const other = await receiver(t, (_request, response) => response.end("ok"));
  const own = new URL(slack.url);
  const places = [
    other.url,
    slack.url.replace("https:", "http:"),
    `https://evil@${own.host}/`,
    `https://127.0.0.1:${own.port}1/`,
    "file:///etc/passwd",
    "x",
  ];
  for (const place of places) await tell(ops, place, "hello");
  assert.deepEqual([slack.heard, other.heard], [[], []]);
  assert.equal(log.lines.length, places.length);
  // control: the very same is told where the target's messages go there
  const ofOther = createTeller({ readSecret: async () => Buffer.from(other.url), version: "1", log });
  await ofOther({ ...ops, ca: other.ca }, other.url, "hello");
  assert.equal(other.heard.length, 1);
});

test("where the target has no https URL, nothing is told, and nothing thrown", async (t) => {
  const { log, ops } = await given(t);
  const tell = createTeller({ readSecret: async () => Buffer.from("x"), version: "1", log });
  await tell(ops, "y", "hello");
  await createTeller({ readSecret: () => Promise.reject(new Error("gone")), version: "1", log })(ops, "y", "hello");
  assert.equal(log.lines.length, 2);
});

test("as many are being told as there may be, and no more", async (t) => {
  const held: ServerResponse[] = [];
  const { slack, tell, ops } = await given(t, (response) => void held.push(response));
  const all = Array.from({ length: NOTIFY_REPLIES_MAX + 5 }, () => tell(ops, slack.url, "hello"));
  for (let tries = 0; held.length < NOTIFY_REPLIES_MAX && tries < 400; tries++) await wait(10);
  assert.equal(held.length, NOTIFY_REPLIES_MAX);
  for (const response of held) response.end("ok");
  await Promise.all(all);
  assert.equal(slack.heard.length, NOTIFY_REPLIES_MAX);
  const last = tell(ops, slack.url, "hello");
  for (let tries = 0; held.length === NOTIFY_REPLIES_MAX && tries < 400; tries++) await wait(10);
  held.at(-1)?.end("ok");
  await last;
  assert.equal(slack.heard.length, NOTIFY_REPLIES_MAX + 1);
});
