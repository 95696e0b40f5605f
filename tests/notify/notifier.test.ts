/** Messages on their way: to receivers that take them, hang, fail, ask for a pause, lead elsewhere or are gone. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import type { RequestListener } from "node:http";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { type TestContext, test } from "node:test";
import { NOTIFY_KEPT_MS, NOTIFY_QUEUED_MAX, NOTIFY_TOLD_MS } from "../../src/base/limits.ts";
import type { NotifyTarget } from "../../src/model/notify.ts";
import { Notifier } from "../../src/notify/notifier.ts";
import { until as eventually } from "../audit/kit.ts";
import { ADA, answerOf, world as holdsWorld, request } from "../holds/kit.ts";
import { quietLog } from "../store/folder.ts";
import { JUDGING, receiver, SECRETS, target } from "./kit.ts";

/** Handshakes of a busy machine take their time. */
const until = (what: string, holds: () => boolean) => eventually(what, holds, 20_000);
const QUICK = { firstMs: 1, maxMs: 2 };
const SLACK_URL = "https://hooks.slack.example/services/T0/B0/hunter2";

/** Real holds, and a notifier for these targets; `url` of each is the name of its reference. */
async function given(t: TestContext, targets: readonly NotifyTarget[], urls: Readonly<Record<string, string>>) {
  const { holds, clock, events } = await holdsWorld(t);
  const log = quietLog();
  const readSecret = async (reference: object) => {
    const name = Object.values(reference).join("");
    return Buffer.from(urls[name] ?? SECRETS[name] ?? name);
  };
  const world = { readSecret, nowMs: () => clock.nowMs(), version: "0.1.0" };
  const emit = (event: (typeof events)[number]) => void events.push(event);
  const notifier = new Notifier({ clock, log, emit, world, holds, ...JUDGING, backOff: QUICK });
  t.after(() => notifier.close());
  notifier.prepare({ targets })();
  const open = async (asked = request()) => {
    const hold = holds.open(asked);
    await hold.notice;
    return hold;
  };
  const told = (kind: string) => events.filter((event) => event.kind === kind);
  const status = (name = "ops") => notifier.status().find((one) => one.name === name);
  const everything = () => JSON.stringify([events, log.lines, notifier.status()]);
  return { holds, clock, notifier, open, told, status, everything };
}

/** `ca`: undefined for a receiver that nobody can trust. */
const to = (name: string, ca: string | undefined, changes: Partial<NotifyTarget> = {}) => {
  const roots = ca === undefined ? {} : { ca };
  return target({ name, kind: "webhook", url: { env: name }, answers: {}, ...roots, ...changes });
};
const ok: RequestListener = (_request, response) => void response.writeHead(200).end("ok");
const typesOf = (heard: readonly { readonly body: string }[]) =>
  heard.map(({ body }) => (JSON.parse(body) as { type: string }).type);

test("what waits and how it ended is told, signed so that the receiver can verify it", async (t) => {
  const { heard, url, ca } = await receiver(t, ok);
  const { open, holds, status, clock } = await given(t, [to("ops", ca)], { ops: url });
  const { id } = await open();
  await until("it was told", () => heard.length === 1);
  await holds.deny(id, {}, ADA);
  await until("its end was told", () => heard.length === 2);
  assert.deepEqual(typesOf(heard), ["notice.held", "notice.ended"]);
  const [first] = heard;
  assert.equal(first?.path, "/hook/hunter2");
  const { "webhook-id": messageId, "webhook-timestamp": time, "webhook-signature": signature } = first?.headers ?? {};
  assert.equal(Number(time), Math.floor(clock.nowMs() / 1_000));
  const key = Buffer.alloc(32, 5);
  const wanted = createHmac("sha256", key).update(`${messageId}.${time}.${first?.body}`).digest("base64");
  assert.equal(signature, `v1,${wanted}`);
  assert.notEqual(messageId, heard[1]?.headers["webhook-id"]);
  await until("it is counted", () => status()?.sent === 2);
  assert.deepEqual(status(), {
    ...{ name: "ops", kind: "webhook", state: "current", takesAnswers: false, queued: 0, sent: 2, retried: 0, lost: 0 },
  });
});

test("who is told of each approval and of ends by time hears these, in their order", async (t) => {
  const { heard, url, ca } = await receiver(t, ok);
  const { open, holds } = await given(t, [to("ops", ca, { on: ["answered"] })], { ops: url });
  const hold = await open();
  await holds.approve(hold.id, {}, ADA);
  hold.finished("DELETE 1");
  await until("it was told", () => heard.length > 0);
  assert.deepEqual(typesOf(heard), ["notice.answered"]);
});

test("what was let go by an approval that stands, or had no room to wait, is not told", async (t) => {
  const { heard, url, ca } = await receiver(t, ok);
  const { open, holds } = await given(t, [to("ops", ca)], { ops: url });
  const reuse = { terms: { reuseMs: 60_000 } };
  const first = await open(request(reuse));
  await holds.approve(first.id, { forMs: 60_000 }, ADA);
  first.finished("DELETE 1");
  (await open(request({ ...reuse, texts: ["delete from orders where id = 2"] }))).finished("DELETE 1");
  await open(request({ texts: ["x".repeat(100_000)] }));
  const last = await open(request({ texts: ["delete from customers"] }));
  await until("the last was told", () => heard.some(({ body }) => body.includes(last.id)));
  assert.deepEqual(typesOf(heard), ["notice.held", "notice.ended", "notice.held"]);
});

test("each target hears of what its groups may answer", async (t) => {
  const { heard, url, ca } = await receiver(t, ok);
  const targets = [to("sre", ca, { groups: ["sre"] }), to("dba", ca, { groups: ["dba"] })];
  const { open, status } = await given(t, targets, { sre: `${url}/sre`, dba: `${url}/dba` });
  await open();
  await until("it was told", () => heard.length === 1);
  assert.equal(heard[0]?.path, "/hook/hunter2/sre");
  assert.deepEqual([status("dba")?.queued, status("dba")?.sent], [0, 0]);
});

const failures: readonly (readonly [string, number, Readonly<Record<string, string>>])[] = [
  ["fails", 500, {}],
  ["is busy", 503, {}],
  ["asks for a pause", 429, { "retry-after": "0" }],
  ["has lost its address", 404, {}],
];
for (const [name, code, headers] of failures) {
  test(`a receiver that ${name} is tried again with the same id, told of once, and gets it when it is well again`, async (t) => {
    let isWell = false;
    const { heard, url, ca } = await receiver(t, (request, response) => {
      if (isWell) return ok(request, response);
      response.writeHead(code, headers).end();
    });
    const { open, status, told, everything } = await given(t, [to("ops", ca)], { ops: url });
    await open();
    await until("it was tried again", () => heard.length >= 3);
    assert.equal(status()?.state, "failing");
    assert.match(status()?.lastError?.message ?? "", new RegExp(`status ${code}`));
    isWell = true;
    await until("it was taken", () => status()?.sent === 1);
    assert.equal(new Set(heard.map(({ headers: { "webhook-id": id } }) => id)).size, 1);
    assert.deepEqual([told("notify.failed").length, told("notify.lost").length, status()?.state], [1, 0, "current"]);
    assert.ok(!everything().includes("hunter2"), everything());
  });
}

test("a receiver that asks for a long pause gets it, while another is tried again and again", async (t) => {
  const patient = await receiver(t, (_request, response) => {
    response.writeHead(429, { "retry-after": "200" }).end();
  });
  const hurried = await receiver(t, (_request, response) => void response.writeHead(500).end());
  const targets = [to("ops", patient.ca), to("dev", hurried.ca)];
  const { open, status } = await given(t, targets, { ops: patient.url, dev: hurried.url });
  await open();
  await until("the one was tried", () => status()?.retried === 1);
  const before = hurried.heard.length;
  await until("the other was tried again", () => hurried.heard.length >= before + 5);
  assert.equal(patient.heard.length, 1);
});

test("a receiver that leads elsewhere is not followed", async (t) => {
  const elsewhere = await receiver(t, ok);
  let isWell = false;
  const { heard, url, ca } = await receiver(t, (request, response) => {
    if (isWell) return ok(request, response);
    response.writeHead(307, { location: elsewhere.url }).end();
  });
  const { open, status } = await given(t, [to("ops", ca)], { ops: url });
  await open();
  await until("it was tried again", () => heard.length >= 2);
  assert.match(status()?.lastError?.message ?? "", /status 307/);
  isWell = true;
  await until("it was taken", () => status()?.sent === 1);
  assert.equal(elsewhere.heard.length, 0);
});

test("what a receiver will not have at all is lost, told, and in nobody's way", async (t) => {
  let first = true;
  const { url, ca } = await receiver(t, (request, response) => {
    if (!first) return ok(request, response);
    first = false;
    response.writeHead(400).end();
  });
  const { open, status, told, notifier, clock } = await given(t, [to("ops", ca)], { ops: url });
  await open();
  await until("it was lost", () => status()?.lost === 1);
  await open();
  await until("the next was taken", () => status()?.sent === 1);
  notifier.tend();
  notifier.tend();
  const fields = { target: "ops", messages: 1, reason: "it answered with status 400" };
  assert.deepEqual(
    told("notify.lost").map((event) => event.fields),
    [fields],
  );
  clock.advance(NOTIFY_TOLD_MS);
  notifier.tend();
  assert.equal(told("notify.lost").length, 1); // there is nothing new to tell
});

test("a receiver that refuses everything is told of once", async (t) => {
  const { url, ca } = await receiver(t, (_request, response) => void response.writeHead(400).end());
  const { open, holds, status, told } = await given(t, [to("ops", ca)], { ops: url });
  const { id } = await open();
  await until("it was lost", () => status()?.lost === 1);
  await holds.deny(id, {}, ADA);
  await until("its end was lost", () => status()?.lost === 2);
  assert.deepEqual([told("notify.failed").length, status()?.state, status()?.queued], [1, "failing", 0]);
});

test("a receiver that hangs delays no hold and no other target", async (t) => {
  const silent = createTcpServer(() => {}).listen(0, "127.0.0.1");
  await once(silent, "listening");
  t.after(() => void silent.close());
  const { heard, url, ca } = await receiver(t, ok);
  const hanging = `https://127.0.0.1:${(silent.address() as AddressInfo).port}/`;
  const { open, holds, status } = await given(t, [to("slow", ca), to("ops", ca)], { slow: hanging, ops: url });
  const hold = await open();
  await until("the other was told", () => heard.length === 1);
  await holds.approve(hold.id, {}, ADA);
  assert.equal(await answerOf(hold.answer), "approved");
  assert.deepEqual([status("slow")?.queued, status("slow")?.sent], [1, 0]);
});

test("a receiver that is gone is a failure, and what is no news any more is given up", async (t) => {
  const { open, holds, status, told, notifier, clock } = await given(t, [to("ops", undefined)], {
    ops: "https://127.0.0.1:9/hunter2",
  });
  const { id } = await open();
  await until("it was tried", () => (status()?.retried ?? 0) > 2);
  assert.match(status()?.lastError?.message ?? "", /ECONNREFUSED/);
  await holds.deny(id, {}, ADA);
  await until("the first is no news", () => status()?.queued === 1); // its end is
  assert.equal(status()?.lost, 0);
  clock.advance(NOTIFY_KEPT_MS);
  await until("the end is no news either", () => status()?.queued === 0);
  assert.equal(status()?.lost, 1);
  notifier.tend();
  assert.equal(told("notify.lost").length, 1);
});

test("a queue that is full gives up its oldest", async (t) => {
  const { open, holds, status } = await given(t, [to("ops", undefined)], { ops: "https://127.0.0.1:9/" });
  for (let many = 0; many < NOTIFY_QUEUED_MAX / 2 + 10; many++) {
    const { id } = await open();
    await holds.deny(id, {}, ADA);
  }
  const { queued = 0, lost = 0 } = status() ?? {};
  assert.ok(queued <= NOTIFY_QUEUED_MAX && lost > 0, `${queued} wait, ${lost} are lost`);
});

test("a server whose certificate is not trusted gets nothing", async (t) => {
  const { heard, url } = await receiver(t, ok);
  const { open, status } = await given(t, [to("ops", undefined)], { ops: url });
  await open();
  await until("it was tried", () => (status()?.retried ?? 0) > 1);
  assert.match(status()?.lastError?.message ?? "", /certificate/);
  assert.equal(heard.length, 0);
});

const wrongUrls = ["http://127.0.0.1:9/hunter2", "https://user:hunter2@127.0.0.1:9/", "hunter2", "file:///etc/passwd"];
for (const wrong of wrongUrls) {
  test(`a url that is ${wrong.split("hunter2")[0] || "none"}… is not used, and not shown`, async (t) => {
    const plain = createServer(() => assert.fail("somebody asked")).listen(0, "127.0.0.1");
    await once(plain, "listening");
    t.after(() => void plain.close());
    const { port } = plain.address() as AddressInfo;
    const { open, status, everything } = await given(t, [to("ops", undefined)], {
      ops: wrong.replace(":9/", `:${port}/`),
    });
    await open();
    await until("it was tried", () => (status()?.retried ?? 0) > 1);
    assert.match(status()?.lastError?.message ?? "", /what its url refers to is no https URL/);
    assert.ok(!everything().includes("hunter2"), everything());
  });
}

test("a changed target keeps what waits for it, a new one is told of what is held already, a removed one of nothing", async (t) => {
  const { heard, url, ca } = await receiver(t, ok);
  const { open, notifier, status } = await given(t, [to("ops", undefined)], {
    ops: "https://127.0.0.1:9/",
    good: url,
    dev: `${url}/dev`,
  });
  const { id } = await open();
  await until("it was tried", () => (status()?.retried ?? 0) > 1);
  notifier.prepare({ targets: [to("ops", ca, { url: { env: "good" } }), to("dev", ca)] })();
  await until("both were told", () => heard.length === 2);
  for (const { body } of heard) assert.ok(body.includes(id));
  notifier.prepare({ targets: [to("ops", ca, { url: { env: "good" } })] })();
  await open();
  await until("one was told", () => status()?.sent === 2);
  assert.deepEqual([notifier.status().length, heard.length], [1, 3]);
});

test("what waits for a target that is to be told less is told so, or not at all", async (t) => {
  const { heard, url, ca } = await receiver(t, ok);
  const down = (name: string, changes: Partial<NotifyTarget> = {}) =>
    to(name, ca, { url: { env: "down" }, show: "statements", ...changes });
  const targets = [down("ids"), down("groups"), down("ends"), down("all")];
  const { open, notifier, status } = await given(t, targets, { down: "https://127.0.0.1:9/", up: url });
  await open();
  await until("they were tried", () => targets.every(({ name }) => (status(name)?.retried ?? 0) > 0));
  const up = { url: { env: "up" } };
  const less = [down("ids", { ...up, show: "ids" }), down("groups", { ...up, groups: ["dba"] })];
  notifier.prepare({ targets: [...less, down("ends", { ...up, on: ["ended"] }), down("all", up)] })();
  await until("two were told", () => heard.length === 2);
  const told = heard.map(({ body }) => body.includes("statements"));
  assert.deepEqual(told.sort(), [false, true]);
  assert.deepEqual([status("groups")?.queued, status("ends")?.queued], [0, 0]);
});

test("roots that cannot be read are refused before anything is changed", async (t) => {
  const { notifier } = await given(t, [to("ops", undefined)], { ops: SLACK_URL });
  assert.throws(() => notifier.prepare({ targets: [to("dev", "/no/such.pem")] }), { code: "SINK_TLS" });
  assert.deepEqual(
    notifier.status().map(({ name }) => name),
    ["ops"],
  );
});

test("a test message says at once whether it was taken", async (t) => {
  const { heard, url, ca } = await receiver(t, ok);
  const { notifier } = await given(t, [to("ops", ca), to("bad", undefined)], { ops: url, bad: url });
  assert.equal(await notifier.test("ops"), undefined);
  assert.deepEqual(typesOf(heard), ["notice.test"]);
  assert.match((await notifier.test("bad")) ?? "", /certificate/);
  await assert.rejects(notifier.test("none"), { code: "NOTIFY_TARGET" });
});
