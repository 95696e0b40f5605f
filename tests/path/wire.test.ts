import assert from "node:assert/strict";
import { createHash, type Hash } from "node:crypto";
import { once } from "node:events";
import { closeSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, type TestContext, test } from "node:test";
import { TLSSocket, connect as tlsConnect } from "node:tls";
import { Wire } from "../../src/path/wire.ts";
import { makeCertificate } from "../kit/certificate.ts";
import { accept, acceptedWire, backendOf, bytes, dialledWire, reader, textOf, turn, turns, until } from "./kit.ts";

const credentials = { cert: "", key: "", ca: "" };
before(() => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-test-"));
  const { caFile, certificateFile, keyFile } = makeCertificate(folder, ["db.example"]);
  credentials.cert = readFileSync(certificateFile, "utf8");
  credentials.key = readFileSync(keyFile, "utf8");
  credentials.ca = readFileSync(caFile, "utf8");
  rmSync(folder, { recursive: true });
});

function listen(wire: Wire) {
  const heard = { text: "", ends: 0, error: undefined as Error | undefined };
  wire.start({
    bytes: (view) => {
      heard.text += textOf(view);
    },
    ended: (error) => {
      heard.ends += 1;
      heard.error = error;
    },
    drained: () => {},
  });
  return heard;
}

test("an accepted wire hands over what the client sends, from the first byte on", async (t) => {
  const { client, wire } = await acceptedWire(t);
  client.write("early");
  await turns(5);
  const heard = listen(wire);
  await until(() => heard.text === "early", "the bytes sent before start");
  client.write(" late");
  await until(() => heard.text === "early late", "the bytes sent after start");
});

test("a dialled wire loses nothing of a server that speaks first", async (t) => {
  const port = await backendOf(t, (socket) => socket.write("220 ready"));
  const wire = await Wire.dial("127.0.0.1", port, AbortSignal.timeout(5_000));
  t.after(() => wire.destroy());
  await turns(50); // credentials may be fetched before anybody listens
  const heard = listen(wire);
  await until(() => heard.text === "220 ready", "the server's greeting");
});

test("what a wire hands over has the room before it that it tells of, and nothing else of the memory is said to be free", async (t) => {
  const { client, wire } = await acceptedWire(t);
  const told: { room: number; start: number; length: number; whole: number }[] = [];
  wire.start({
    bytes: (view, room) => {
      told.push({ room, start: view.byteOffset, length: view.length, whole: view.buffer.byteLength });
    },
    ended: () => {},
    drained: () => {},
  });
  client.write(Buffer.alloc(2_000_000));
  await until(() => told.reduce((sum, { length }) => sum + length, 0) === 2_000_000, "all of it");
  for (const { room, start, length, whole } of told) {
    assert.ok(room > 0 && room === start, "the view does not begin where the room ends");
    assert.ok(room + length <= whole);
  }
  assert.ok(told.some(({ room }) => room >= 4_096));
});

test("a paused wire hands over nothing until it is resumed", async (t) => {
  const { client, wire } = await acceptedWire(t);
  const heard = listen(wire);
  wire.pause();
  client.write("held");
  await turns(50);
  assert.equal(heard.text, "");
  wire.resume();
  await until(() => heard.text === "held", "the bytes after resume");
});

test("a wire tells once that its peer will send no more, and can still write", async (t) => {
  const { client, wire } = await acceptedWire(t);
  const heard = listen(wire);
  client.end("last");
  await until(() => heard.ends > 0, "the end");
  assert.equal(heard.text, "last");
  const answer = reader(client);
  wire.write(bytes("answer"));
  wire.end();
  await until(() => answer.ended(), "the client's end");
  await turns(5);
  assert.deepEqual([answer.text(), heard.ends, heard.error], ["answer", 1, undefined]);
});

test("a wire whose peer resets tells why, once", async (t) => {
  const { client, wire } = await acceptedWire(t);
  const heard = listen(wire);
  client.resetAndDestroy();
  await until(() => heard.ends > 0, "the end");
  await turns(5);
  assert.equal(heard.ends, 1);
  assert.match(String(heard.error), /ECONNRESET/);
});

test("whoever listens after the end is told so", async (t) => {
  const { server, wire } = await dialledWire(t);
  listen(wire);
  server.destroy();
  await turns(20);
  const heard = listen(wire);
  assert.equal(heard.ends, 1);
});

test("dialling a port that nobody has fails with the system's code", async (t) => {
  const port = await backendOf(t, () => {});
  const { wire } = await dialledWire(t);
  wire.destroy();
  await assert.rejects(Wire.dial("127.0.0.2", port, AbortSignal.timeout(5_000)), { code: "ECONNREFUSED" });
});

test("dialling is given up when its time is over", async (t) => {
  const port = await backendOf(t, () => {});
  await assert.rejects(Wire.dial("127.0.0.1", port, AbortSignal.abort()), /in time/);
});

const PATTERN_BYTES = 50 * 1024 * 1024;

/** Bytes that repeat with no period of a buffer's size, so that a buffer used again too early shows. */
function pattern(length: number): Buffer {
  const made = Buffer.allocUnsafe(length);
  for (let at = 0; at < length; at += 4) made.writeUInt32LE((Math.imul(at, 2_654_435_761) ^ (at >>> 7)) >>> 0, at);
  return made;
}

/** In pieces that fill no read buffer, so that reads go on while a part of the last one still waits to be written. */
async function send(socket: Socket, all: Buffer): Promise<void> {
  const piece = 30_011;
  for (let at = 0; at < all.length; at += piece) {
    if (!socket.write(all.subarray(at, at + piece))) await once(socket, "drain");
    await turn();
  }
  socket.end();
}

/** Reads a little, rests until `enough` waits for it, reads on. */
function hashSlowly(socket: Socket, enough: () => boolean): Promise<{ hash: string; length: number }> {
  const hash: Hash = createHash("sha256");
  let [length, next] = [0, 0];
  socket.on("data", (chunk: Buffer) => {
    hash.update(chunk);
    length += chunk.length;
    if (length < next) return;
    next = length + 3_000_000;
    socket.pause();
    void until(enough, "the wire is behind").then(() => socket.resume());
  });
  return once(socket, "end").then(() => ({ hash: hash.digest("hex"), length }));
}

/** Everything that `from` reads goes to `to`, as the driver does it: paused while `to` is behind. */
function relay(from: Wire, to: Wire): { reads: number; waits: number } {
  const counts = { reads: 0, waits: 0 };
  const busy = () => from.holdsViews || to.holdsViews;
  from.busyElsewhere = busy;
  to.busyElsewhere = busy;
  const relieve = () => {
    if (to.congested) {
      counts.waits += 1;
      from.pause();
    } else from.resume();
  };
  to.start({ bytes: () => {}, ended: () => {}, drained: relieve });
  from.start({
    bytes: (view) => {
      counts.reads += 1;
      to.write(view);
      relieve();
    },
    ended: () => to.end(),
    drained: () => {},
  });
  return counts;
}

async function comparesEqual(from: Wire, source: Socket, to: Wire, sink: Socket): Promise<void> {
  const all = pattern(PATTERN_BYTES);
  const expected = createHash("sha256").update(all).digest("hex");
  const counts = relay(from, to);
  let sent = false;
  const read = hashSlowly(sink, () => sent || to.congested);
  await send(source, all);
  sent = true;
  const { hash, length } = await read;
  assert.deepEqual({ hash, length }, { hash: expected, length: all.length });
  assert.ok(counts.waits > 5, `the reader must have been slow (${counts.waits} waits)`);
}

test("50 MB through two wires arrive unchanged at a slow reader", async (t) => {
  const { client, wire: to } = await acceptedWire(t);
  const { server, wire: from } = await dialledWire(t);
  await comparesEqual(from, server, to, client);
});

/** An accepted wire that is encrypted, and the client's side of it. */
async function securedPair(t: TestContext): Promise<{ wire: Wire; client: TLSSocket }> {
  const { client: raw, wire } = await acceptedWire(t);
  const client = tlsConnect({ socket: raw, ca: credentials.ca, servername: "db.example" });
  t.after(() => client.destroy());
  client.on("error", () => {});
  await Promise.all([wire.secureAsServer(credentials, new Uint8Array()), once(client, "secureConnect")]);
  return { wire, client };
}

/** A dialled wire that is encrypted, and the server's side of it. */
async function securedDial(t: TestContext): Promise<{ wire: Wire; server: TLSSocket; certificate: Uint8Array }> {
  const { server: raw, wire } = await dialledWire(t);
  const server = new TLSSocket(raw, { ...credentials, isServer: true });
  server.on("error", () => {});
  const certificate = await wire.secureAsClient({ ca: credentials.ca, servername: "db.example", host: "db.example" });
  return { wire, server, certificate };
}

test("50 MB through two encrypted wires arrive unchanged at a slow reader", async (t) => {
  const { wire: to, client } = await securedPair(t);
  const { wire: from, server } = await securedDial(t);
  await comparesEqual(from, server, to, client);
});

test("50 MB from a plain to an encrypted wire arrive unchanged at a slow reader", async (t) => {
  const { wire: to, client } = await securedPair(t);
  const { wire: from, server } = await dialledWire(t);
  await comparesEqual(from, server, to, client);
});

test("short messages that wait to be encrypted leave the buffer of the read to the next one; a long one keeps it", async (t) => {
  const { wire: to } = await securedPair(t);
  const { server, wire: from } = await dialledWire(t);
  const buffers: ArrayBufferLike[] = [];
  from.busyElsewhere = () => to.holdsViews;
  to.start({ bytes: () => {}, ended: () => {}, drained: () => {} });
  from.start({
    bytes: (view) => {
      buffers.push(view.buffer);
      to.write(Buffer.alloc(view.length === 1 ? 8_192 : 1)); // what is read says how much is written
    },
    ended: () => {},
    drained: () => {},
  });
  for (const piece of ["short", "short", "l", "last"]) {
    const reads = buffers.length;
    server.write(piece);
    await until(() => buffers.length > reads, "the read");
  }
  const [first, second, third, last] = buffers;
  assert.deepEqual([second === first, third === first, last === first], [true, true, false]);
});

test("a wire that cannot be watched has ended, with the reason, and nobody else is harmed", async (t) => {
  const { fd } = await accept(t);
  const wire = Wire.accepted(fd);
  closeSync(fd); // so that the kernel refuses
  const ends: (string | undefined)[] = [];
  wire.start({ bytes: () => assert.fail("bytes"), ended: (error) => ends.push(error?.message), drained: () => {} });
  wire.destroy();
  assert.equal(ends.length, 1);
  assert.match(String(ends[0]), /Cannot watch a socket/);
});

test("a wire becomes encrypted with handshake bytes that were already read", async (t) => {
  const { client: raw, fd } = await accept(t);
  const wire = Wire.accepted(fd);
  t.after(() => wire.destroy());
  const client = tlsConnect({ socket: raw, ca: credentials.ca, servername: "db.example" });
  const hello = await new Promise<Uint8Array>((resolve) => {
    wire.start({
      bytes: (view) => {
        wire.pause();
        resolve(view.slice());
      },
      ended: () => {},
      drained: () => {},
    });
  });
  await Promise.all([wire.secureAsServer(credentials, hello), once(client, "secureConnect")]);
  const heard = listen(wire);
  client.write("secret");
  await until(() => heard.text === "secret", "the decrypted bytes");
});

test("a client wire learns the certificate of its server", async (t) => {
  const { certificate } = await securedDial(t);
  assert.match(Buffer.from(certificate).toString("latin1"), /Test server/);
});

test("a client wire hears nothing before its handshake is over, and everything after", async (t) => {
  const { server: raw, wire } = await dialledWire(t);
  const heard = listen(wire);
  const server = new TLSSocket(raw, { ...credentials, isServer: true });
  server.write("right behind the handshake");
  await wire.secureAsClient({ ca: credentials.ca, servername: "db.example", host: "db.example" });
  assert.equal(heard.text, "");
  wire.resume();
  await until(() => heard.text === "right behind the handshake", "the server's first words");
});

test("a handshake with a peer that goes away fails, and the wire's end is told", async (t) => {
  const { client, wire } = await acceptedWire(t);
  const heard = listen(wire);
  const secured = wire.secureAsServer(credentials, new Uint8Array());
  client.destroy();
  await assert.rejects(secured);
  await until(() => heard.ends === 1, "the end");
});

test("a handshake with a peer that speaks no TLS fails", async (t) => {
  const { client, wire } = await acceptedWire(t);
  listen(wire);
  client.write("GET / HTTP/1.1\r\n\r\n");
  await assert.rejects(wire.secureAsServer(credentials, new Uint8Array()));
});

test("a wire that hangs up says what waits and is closed when its peer does not hang up in time", async (t) => {
  const { client, wire } = await acceptedWire(t);
  listen(wire);
  const answer = reader(client);
  wire.write(Buffer.from("farewell"));
  wire.hangUp(50);
  await until(() => answer.ended(), "the end of our side");
  assert.equal(answer.text(), "farewell");
  const talk = setInterval(() => client.write("I am still here"), 10); // a reset answers it once the wire is closed
  t.after(() => clearInterval(talk));
  await until(() => client.destroyed, "the end of the connection");
});

test("nothing is kept for a wire that has hung up and whose peer has too", async (t) => {
  const { client, wire } = await acceptedWire(t);
  listen(wire);
  const cleared = t.mock.method(globalThis, "clearTimeout");
  const set = t.mock.method(globalThis, "setTimeout");
  wire.hangUp(60_000);
  const timer = set.mock.calls.find(({ arguments: [, ms] }) => ms === 60_000)?.result;
  assert.ok(timer !== undefined, "control");
  const isCleared = () => cleared.mock.calls.some(({ arguments: [one] }) => one === timer);
  assert.equal(isCleared(), false, "control");
  client.end();
  await until(isCleared, "the end of the wait");
});
