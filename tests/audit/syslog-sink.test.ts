/** Syslog against receivers that a test scripts: frames, TLS, and connections that end. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { createServer as createSecureServer } from "node:tls";
import type { Message } from "../../src/audit/sink.ts";
import { frameOf } from "../../src/audit/syslog-message.ts";
import { createSyslogSink } from "../../src/audit/syslog-sink.ts";
import type { SyslogTarget } from "../../src/model/sink.ts";
import { makeCertificate } from "../kit/certificate.ts";
import { folder } from "../store/folder.ts";
import { event, until, WORLD } from "./kit.ts";

const NEVER = new AbortController().signal;
const AT = Date.UTC(2026, 0, 2, 3, 4, 5, 6);

function message(seq: number, more: Partial<Message["event"]> = {}): Message {
  return { seq, event: event(AT, { sessionId: "abc", connection: "orders", ...more }), text: `{"seq":${seq}}` };
}

test("a message has the header and the ids of RFC 5424, counted in octets", () => {
  const frame = frameOf(message(7), { hostName: "host.example", pid: 12 }).toString();
  const line =
    "<108>1 2026-01-02T03:04:05.006Z host.example sallyport 12 action.deny " +
    '[sallyport@32473 seq="7" kind="action.deny" session="abc" agent="ci" connection="orders"] {"seq":7}';
  assert.equal(frame, `${line.length} ${line}`);
});

test("octets are counted, not characters", () => {
  const frame = frameOf({ ...message(1), text: '{"m":"äöü€"}' }, { hostName: "h", pid: 1 });
  const space = frame.indexOf(0x20);
  assert.equal(Number(frame.subarray(0, space).toString()), frame.length - space - 1);
});

test("what could end a parameter or a header is escaped or left out", () => {
  const odd = message(1, { agent: 'a"b]c\\d', kind: "new kind\n" });
  const frame = frameOf(odd, { hostName: "my host", pid: 1 }).toString();
  assert.match(frame, /agent="a\\"b\\\]c\\\\d"/);
  assert.match(frame, / myhost sallyport 1 newkind \[/);
});

async function receiver(t: TestContext, make: (serve: (socket: Socket) => void) => Server) {
  const sockets: Socket[] = [];
  const heard: Buffer[] = [];
  const server = make((socket) => {
    sockets.push(socket);
    socket.on("data", (bytes: Buffer) => heard.push(bytes));
    socket.on("error", () => {});
  }).listen(0, "127.0.0.1");
  server.on("tlsClientError", () => {});
  await once(server, "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { sockets, text: () => Buffer.concat(heard).toString(), port: (server.address() as AddressInfo).port };
}

function sinkTo(t: TestContext, port: number, tls: SyslogTarget["tls"] = "disable") {
  const sink = createSyslogSink({ kind: "syslog", host: "127.0.0.1", port, tls, resendBytes: 1 }, WORLD);
  t.after(() => sink.close());
  return sink;
}

test("batches go over one connection, as frames", async (t) => {
  const { sockets, text, port } = await receiver(t, createServer);
  const sink = sinkTo(t, port);
  assert.deepEqual(await sink.deliver([message(1), message(2)], NEVER), { kind: "sent" });
  assert.deepEqual(await sink.deliver([message(3)], NEVER), { kind: "sent" });
  await until("all is there", () => text().includes('{"seq":3}'));
  assert.equal(sockets.length, 1);
  assert.equal(text().match(/\d+ <108>1 /g)?.length, 3);
});

test("a receiver that ends the connection is told of, and the next batch dials anew", async (t) => {
  const { sockets, port } = await receiver(t, createServer);
  const sink = sinkTo(t, port);
  const broken: string[] = [];
  sink.onBroken = (reason) => broken.push(reason);
  await sink.deliver([message(1)], NEVER);
  await until("it is connected", () => sockets.length === 1);
  sockets[0]?.destroy();
  await until("it is told", () => broken.length === 1);
  assert.deepEqual(await sink.deliver([message(2)], NEVER), { kind: "sent" });
  await until("it is connected again", () => sockets.length === 2);
});

test("a sink that is closed says nothing of a broken connection", async (t) => {
  const { port } = await receiver(t, createServer);
  const sink = sinkTo(t, port);
  sink.onBroken = () => assert.fail("it was closed in order");
  await sink.deliver([message(1)], NEVER);
  sink.close();
  await new Promise(setImmediate);
});

test("nobody at the port is a failure", async (t) => {
  assert.match(JSON.stringify(await sinkTo(t, 9).deliver([message(1)], NEVER)), /"failed".*ECONNREFUSED/);
});

test("a receiver over TLS is verified by name and root, and else gets nothing", async (t) => {
  const { caFile, certificateFile, keyFile } = makeCertificate(folder(t), ["siem.example"]);
  const files = { cert: readFileSync(certificateFile), key: readFileSync(keyFile) };
  const { text, port } = await receiver(t, (serve) => createSecureServer(files, serve));
  const good = await sinkTo(t, port, { ca: caFile, name: "siem.example" }).deliver([message(1)], NEVER);
  assert.deepEqual(good, { kind: "sent" });
  await until("it is there", () => text().includes('{"seq":1}'));
  for (const tls of [{ ca: caFile, name: "other.example" }, { ca: caFile }, { name: "siem.example" }]) {
    assert.equal((await sinkTo(t, port, tls).deliver([message(2)], NEVER)).kind, "failed");
  }
  assert.ok(!text().includes('{"seq":2}'));
});

test("a receiver that demands a certificate of ours gets the one of the settings", async (t) => {
  const server = makeCertificate(folder(t), ["siem.example"]);
  const client = makeCertificate(folder(t), ["client.example"]);
  const files = { cert: readFileSync(server.certificateFile), key: readFileSync(server.keyFile) };
  const demands = { ...files, ca: readFileSync(client.caFile), requestCert: true, rejectUnauthorized: true };
  const { text, port } = await receiver(t, (serve) => createSecureServer({ ...demands, maxVersion: "TLSv1.2" }, serve));
  const base = { ca: server.caFile, name: "siem.example" };
  assert.equal((await sinkTo(t, port, base).deliver([message(1)], NEVER)).kind, "failed");
  const own = { ...base, certificate: client.certificateFile, key: client.keyFile };
  assert.deepEqual(await sinkTo(t, port, own).deliver([message(2)], NEVER), { kind: "sent" });
  await until("it is there", () => text().includes('{"seq":2}'));
});
