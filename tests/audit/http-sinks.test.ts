/** Webhooks and OTLP against servers that a test scripts: what is sent, what each answer means, who is trusted. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { createOtlpSink } from "../../src/audit/otlp-sink.ts";
import type { Sink } from "../../src/audit/sink.ts";
import { createWebhookSink } from "../../src/audit/webhook-sink.ts";
import { makeCertificate } from "../kit/certificate.ts";
import { decodeLogs, encodeAnswer } from "../kit/otlp.ts";
import { folder } from "../store/folder.ts";
import { event, WORLD } from "./kit.ts";

const NEVER = new AbortController().signal;
const BATCH = [1, 2, 3].map((seq) => ({ seq, event: event(1_767_225_600_000 + seq), text: `{"seq":${seq}}` }));

interface Heard {
  readonly request: IncomingMessage;
  readonly body: Buffer;
}

interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

async function server(
  t: TestContext,
  reply: Reply,
  tls?: { readonly certificateFile: string; readonly keyFile: string },
) {
  const heard: Heard[] = [];
  const listener: RequestListener = (request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      heard.push({ request, body: Buffer.concat(parts) });
      response.writeHead(reply.status, { ...reply.headers }).end(reply.body);
    });
  };
  const files = tls === undefined ? {} : { cert: readFileSync(tls.certificateFile), key: readFileSync(tls.keyFile) };
  const listening = (tls === undefined ? createServer(listener) : createSecureServer(files, listener)).listen(
    0,
    "127.0.0.1",
  );
  await once(listening, "listening");
  t.after(() => {
    listening.closeAllConnections();
    listening.close();
  });
  const { port } = listening.address() as AddressInfo;
  return { heard, url: `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}/v1/logs` };
}

const webhook = (url: string, tls = {}) =>
  createWebhookSink({ kind: "webhook", url, key: { env: "the-key" }, tls }, WORLD);
const otlp = (url: string, encoding: "protobuf" | "json" = "protobuf") =>
  createOtlpSink(
    { kind: "otlp", url, encoding, headers: [{ name: "authorization", value: { env: "Bearer abc" } }], tls: {} },
    WORLD,
  );

function closing(t: TestContext, sink: Sink): Sink {
  t.after(() => sink.close());
  return sink;
}

test("a webhook gets the events in one body, signed over the moment and the body", async (t) => {
  const { heard, url } = await server(t, { status: 204 });
  assert.deepEqual(await closing(t, webhook(url)).deliver(BATCH, NEVER), { kind: "taken" });
  const [{ request, body } = assert.fail("nothing was heard")] = heard;
  assert.deepEqual(JSON.parse(body.toString()), { events: [{ seq: 1 }, { seq: 2 }, { seq: 3 }] });
  const { headers } = request;
  const signed = createHmac("sha256", "the-key").update(`${headers["sallyport-timestamp"]}.${body}`).digest("hex");
  assert.equal(headers["sallyport-signature"], `v1=${signed}`);
  assert.ok(Math.abs(Number(headers["sallyport-timestamp"]) - Date.now() / 1_000) < 60);
  assert.equal(headers["sallyport-sequence"], "1-3");
});

for (const encoding of ["protobuf", "json"] as const) {
  test(`an OTLP collector gets log records by the specification's names, as ${encoding}`, async (t) => {
    const { heard, url } = await server(t, { status: 200, headers: { "content-type": "application/x-protobuf" } });
    assert.deepEqual(await closing(t, otlp(url, encoding)).deliver(BATCH, NEVER), { kind: "taken" });
    const [{ request, body } = assert.fail("nothing was heard")] = heard;
    assert.equal(request.headers["content-encoding"], "gzip");
    assert.equal(request.headers.authorization, "Bearer abc");
    assert.equal(request.headers["content-type"], encoding === "json" ? "application/json" : "application/x-protobuf");
    const { resource, records } = decodeLogs(gunzipSync(body), encoding);
    assert.deepEqual(resource, {
      "service.name": "sallyport",
      "service.version": "0.1.0",
      "host.name": "host.example",
    });
    assert.equal(records.length, 3);
    assert.deepEqual(records[0], {
      timeUnixNano: "1767225600001000000",
      severityNumber: 13,
      severityText: "WARNING",
      body: '{"seq":1}',
      eventName: "action.deny",
      attributes: { "sallyport.seq": "1", "sallyport.kind": "action.deny", "sallyport.agent": "ci" },
    });
  });
}

for (const encoding of ["protobuf", "json"] as const) {
  test(`a collector that takes a part is heard: the rest is rejected, as ${encoding}`, async (t) => {
    const { body, contentType } = encodeAnswer(encoding, { rejected: 2, message: "too old" });
    const { url } = await server(t, { status: 200, headers: { "content-type": contentType }, body });
    const outcome = await closing(t, otlp(url)).deliver(BATCH, NEVER);
    assert.deepEqual(outcome, { kind: "taken", rejected: { count: 2, reason: "too old" } });
  });
}

test("a collector that only warns has taken all", async (t) => {
  const { body, contentType } = encodeAnswer("protobuf", { rejected: 0, message: "be quick" });
  const { url } = await server(t, { status: 200, headers: { "content-type": contentType }, body });
  assert.deepEqual(await closing(t, otlp(url)).deliver(BATCH, NEVER), { kind: "taken" });
});

test("an answer that is none of OTLP's is a failure, since nobody knows what was taken", async (t) => {
  const { url } = await server(t, {
    status: 200,
    headers: { "content-type": "application/json" },
    body: Buffer.from("<"),
  });
  assert.equal((await closing(t, otlp(url)).deliver(BATCH, NEVER)).kind, "failed");
});

const meanings = [
  { status: 200, webhook: "taken", otlp: "taken" },
  { status: 202, webhook: "taken", otlp: "taken" },
  { status: 301, webhook: "failed", otlp: "failed" },
  { status: 400, webhook: "refused", otlp: "refused" },
  { status: 401, webhook: "failed", otlp: "failed" },
  { status: 403, webhook: "failed", otlp: "failed" },
  { status: 404, webhook: "failed", otlp: "failed" },
  { status: 408, webhook: "failed", otlp: "refused" },
  { status: 413, webhook: "refused", otlp: "refused" },
  { status: 422, webhook: "refused", otlp: "refused" },
  { status: 429, webhook: "failed", otlp: "failed" },
  { status: 500, webhook: "failed", otlp: "refused" },
  { status: 502, webhook: "failed", otlp: "failed" },
  { status: 503, webhook: "failed", otlp: "failed" },
  { status: 504, webhook: "failed", otlp: "failed" },
] as const;
for (const { status, ...means } of meanings) {
  test(`status ${status} means ${means.webhook} to a webhook and ${means.otlp} to OTLP`, async (t) => {
    const { url } = await server(t, { status });
    assert.equal((await closing(t, webhook(url)).deliver(BATCH, NEVER)).kind, means.webhook);
    assert.equal((await closing(t, otlp(url)).deliver(BATCH, NEVER)).kind, means.otlp);
  });
}

test("a receiver that asks for a pause gets it", async (t) => {
  const { url } = await server(t, { status: 429, headers: { "retry-after": "7" } });
  const outcome = await closing(t, webhook(url)).deliver(BATCH, NEVER);
  assert.deepEqual(outcome, { kind: "failed", reason: "it answered with status 429", afterMs: 7_000 });
});

test("nobody at the port is a failure", async (t) => {
  const outcome = await closing(t, webhook("http://127.0.0.1:9/")).deliver(BATCH, NEVER);
  assert.match(outcome.kind === "failed" ? outcome.reason : "", /ECONNREFUSED/);
});

test("what is given up ends at once", async (t) => {
  const silent = createServer(() => {}).listen(0, "127.0.0.1");
  await once(silent, "listening");
  t.after(() => {
    silent.closeAllConnections();
    silent.close();
  });
  const stop = new AbortController();
  const { port } = silent.address() as AddressInfo;
  const outcome = closing(t, webhook(`http://127.0.0.1:${port}/`)).deliver(BATCH, stop.signal);
  stop.abort();
  assert.equal((await outcome).kind, "failed");
});

test("a receiver over TLS is verified by name and root, and else gets nothing", async (t) => {
  const files = makeCertificate(folder(t), ["receiver.example"]);
  const { heard, url } = await server(t, { status: 200 }, files);
  const { caFile } = files;
  const trusted = await closing(t, webhook(url, { ca: caFile, name: "receiver.example" })).deliver(BATCH, NEVER);
  assert.deepEqual([trusted.kind, heard.length], ["taken", 1]);
  const wrong = [{ ca: caFile, name: "other.example" }, { ca: caFile }, { name: "receiver.example" }];
  for (const tls of wrong) assert.equal((await closing(t, webhook(url, tls)).deliver(BATCH, NEVER)).kind, "failed");
  assert.equal(heard.length, 1);
});

test("an answer without an end is not read to its end, and counts by its status", { timeout: 10_000 }, async (t) => {
  let sent = 0;
  const listening = createServer((request, response) => {
    request.resume();
    response.writeHead(200);
    const more = () => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536))) sent += 65_536;
    };
    response.on("drain", more);
    more();
  }).listen(0, "127.0.0.1");
  await once(listening, "listening");
  t.after(() => {
    listening.closeAllConnections();
    listening.close();
  });
  const url = `http://127.0.0.1:${(listening.address() as AddressInfo).port}/`;
  assert.deepEqual(await closing(t, webhook(url)).deliver(BATCH, NEVER), { kind: "taken" });
  assert.ok(sent < 64 * 1024 * 1024, `${sent} bytes`);
});
