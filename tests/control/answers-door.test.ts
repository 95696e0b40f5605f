/** Where answers come in: one route, exact bytes, bounded, and nothing else. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { type TestContext, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { NOTIFY_BODY_BYTES_MAX, NOTIFY_CONNECTIONS_MAX } from "../../src/base/limits.ts";
import { AnswersDoor } from "../../src/control/doors/answers.ts";
import type { Incoming } from "../../src/notify/signed.ts";
import { freePort } from "../kit/free-port.ts";
import { quietLog } from "../store/folder.ts";

async function given(
  t: TestContext,
  take = async (): Promise<{ status: number; body: object }> => ({ status: 200, body: { ok: 1 } }),
) {
  const got: { name: string; incoming: Incoming }[] = [];
  const log = quietLog();
  const door = new AnswersDoor(
    {
      take: (name, incoming) => {
        got.push({ name, incoming });
        return take();
      },
    },
    log,
  );
  t.after(() => door.close());
  const port = await freePort();
  await door.change({ address: "127.0.0.1", port });
  const post = async (path: string, body: string | Buffer = "x", init: RequestInit = {}) => {
    const options = { method: "POST", body, redirect: "manual", ...init } as RequestInit;
    const response = await fetch(`http://127.0.0.1:${port}${path}`, options);
    return { status: response.status, text: await response.text() };
  };
  return { door, port, got, log, post };
}

const ROUTE = "/v1/notify/ops/answers";

test("an answer comes in by its target's name, with its exact bytes, and headers of any case by their lower one", async (t) => {
  const { got, post } = await given(t);
  const body = Buffer.from([0, 255, 10, 13, 10, 123]);
  const headers = { "X-SLACK-Signature": "v0=aa", "Webhook-ID": "msg_1" };
  assert.deepEqual(await post(ROUTE, body, { headers }), { status: 200, text: '{"ok":1}' });
  const [{ name, incoming } = assert.fail("nothing came")] = got;
  assert.deepEqual([name, incoming.body.equals(body)], ["ops", true]);
  assert.deepEqual([incoming.headers["x-slack-signature"], incoming.headers["webhook-id"]], [["v0=aa"], ["msg_1"]]);
});

test("a header that stands twice is seen twice, Authorization too", async (t) => {
  const { port, got } = await given(t);
  const socket = connect(port, "127.0.0.1");
  socket.write(
    `POST ${ROUTE} HTTP/1.1\r\nhost: a\r\nauthorization: one\r\nAuthorization: two\r\ncontent-length: 0\r\n\r\n`,
  );
  await once(socket, "data");
  socket.destroy();
  assert.deepEqual(got[0]?.incoming.headers["authorization"], ["one", "two"]);
});

const nowhere: readonly (readonly [string, string])[] = [
  ["GET", ROUTE],
  ["PUT", ROUTE],
  ["OPTIONS", ROUTE],
  ["POST", "/"],
  ["POST", "/v1/status"],
  ["POST", "/v1/approvals/x/approve"],
  ["POST", `${ROUTE}/`],
  ["POST", `${ROUTE}?x=1`],
  ["POST", "/v1/notify/OPS/answers"],
  ["POST", "/v1/notify/..%2fops/answers"],
  ["POST", "/v1/notify/a/b/answers"],
];
for (const [method, path] of nowhere) {
  test(`${method} ${path} is nowhere`, async (t) => {
    const { post, got } = await given(t);
    const init = method === "GET" ? { method, body: null } : { method };
    assert.deepEqual(await post(path, "x", init), { status: 404, text: "{}" });
    assert.equal(got.length, 0);
    assert.equal((await post(ROUTE)).status, 200);
  });
}

test("a body may be as large as the maximum, and not a byte larger, whether it says so before or not", async (t) => {
  const { post, got, port } = await given(t);
  assert.equal((await post(ROUTE, Buffer.alloc(NOTIFY_BODY_BYTES_MAX))).status, 200);
  assert.equal((await post(ROUTE, Buffer.alloc(NOTIFY_BODY_BYTES_MAX + 1))).status, 413);
  const socket = connect(port, "127.0.0.1").on("error", () => {});
  socket.write(`POST ${ROUTE} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n`);
  socket.write(`${(NOTIFY_BODY_BYTES_MAX + 1).toString(16)}\r\n${"x".repeat(NOTIFY_BODY_BYTES_MAX + 1)}\r\n0\r\n\r\n`);
  const [answer] = await once(socket, "data");
  socket.destroy();
  assert.match(String(answer), /^HTTP\/1\.1 413 /);
  assert.deepEqual(
    got.map(({ incoming }) => incoming.body.length),
    [NOTIFY_BODY_BYTES_MAX],
  );
});

test("a fault of ours is a status without words, and is logged", async (t) => {
  const { post, log } = await given(t, async () => {
    throw new Error("secret words");
  });
  assert.deepEqual(await post(ROUTE), { status: 500, text: "{}" });
  assert.deepEqual(log.lines, ["error Cannot take an answer"]);
});

test("whoever goes away amid a request is no fault", async (t) => {
  const { port, log, post, got } = await given(t);
  const socket = connect(port, "127.0.0.1");
  socket.write(`POST ${ROUTE} HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc`);
  await once(socket, "connect");
  socket.resetAndDestroy();
  assert.equal((await post(ROUTE)).status, 200);
  assert.deepEqual([log.lines, got.length], [[], 1]);
});

test("of more connections than there may be, the oldest that says nothing gives way, and none that waits for its reply", async (t) => {
  const { promise: judged, resolve: judge } = Promise.withResolvers<{ status: number; body: object }>();
  const replies = [judged, Promise.resolve({ status: 200, body: {} })];
  const { port, post, got } = await given(t, () => replies.shift() ?? assert.fail());
  const early = post(ROUTE);
  while (got.length === 0) await turn();
  const closed: number[] = [];
  const sockets = Array.from({ length: NOTIFY_CONNECTIONS_MAX }, (_, at) =>
    connect(port, "127.0.0.1").on("close", () => closed.push(at)),
  );
  await Promise.all(sockets.map((socket) => once(socket, "connect")));
  assert.equal((await post(ROUTE)).status, 200);
  judge({ status: 200, body: { early: true } });
  assert.deepEqual(await early, { status: 200, text: '{"early":true}' });
  while (closed.length < 2) await turn();
  assert.deepEqual(closed, [0, 1]);
  for (const socket of sockets) socket.destroy();
});

test("where the new address is taken, it stays where it was", async (t) => {
  const { door, post } = await given(t);
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  t.after(() => void other.close());
  const { port } = other.address() as AddressInfo;
  await assert.rejects(door.change({ address: "127.0.0.1", port }), { code: "NOTIFY_LISTEN", message: /EADDRINUSE/ });
  assert.equal((await post(ROUTE)).status, 200);
  await door.change(undefined);
  await assert.rejects(post(ROUTE));
});
