import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, type TestContext, test } from "node:test";
import { TLSSocket } from "node:tls";
import type { UpstreamTls } from "../../src/model/connection.ts";
import { type Backend, cancelUpstream, logIn, lookUp } from "../../src/path/upstream.ts";
import { makeCertificate } from "../kit/certificate.ts";
import { backendOf, reader, textOf, until } from "./kit.ts";
import { backendAt, lineLookup, protocolOf, vaultOf } from "./world.ts";

const server = { cert: "", key: "", ca: "" };
before(() => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-test-"));
  const files = makeCertificate(folder, ["127.0.0.1"]);
  server.cert = readFileSync(files.certificateFile, "utf8");
  server.key = readFileSync(files.keyFile, "utf8");
  server.ca = readFileSync(files.caFile, "utf8");
  rmSync(folder, { recursive: true });
});

/** A backend that answers its first words. */
async function answering(t: TestContext, answer: string, tls?: UpstreamTls) {
  const sockets: Socket[] = [];
  const heard: string[] = [];
  const port = await backendOf(t, (socket) => {
    sockets.push(socket);
    socket.once("data", (said: Buffer) => {
      heard.push(said.toString());
      socket.write(answer);
    });
  });
  return { backend: backendAt(port, tls === undefined ? {} : { tls }), heard, sockets };
}

test("a login says the vault's words and hands over the wire, the greeting and what came behind it", async (t) => {
  const { backend, heard } = await answering(t, "ok welcome\nbehind");
  const { held, credentialOf } = vaultOf();
  const { wire, greeting, unread, cancel } = await logIn(backend, undefined, credentialOf);
  t.after(() => wire.destroy());
  assert.deepEqual(heard, ["app hunter2\n"]);
  assert.deepEqual(
    [greeting, textOf(unread), textOf(cancel ?? new Uint8Array())],
    ["welcome", "behind", "upstream key"],
  );
  assert.deepEqual(
    held.map(({ wiped }) => wiped),
    [true],
  );
});

test("a protocol that has nothing to say gets the wire as it is, and no credential is fetched", async (t) => {
  const port = await backendOf(t, (socket) => socket.write("220 ready"));
  const quiet = protocolOf(() => assert.fail(), { needsCredential: false, login: () => undefined });
  const { wire } = await logIn(backendAt(port, {}, quiet), undefined, () => assert.fail("fetched"));
  t.after(() => wire.destroy());
  let heard = "";
  const bytes = (view: Uint8Array) => {
    heard += textOf(view);
  };
  wire.start({ bytes, ended: () => {}, drained: () => {} });
  await until(() => heard === "220 ready", "the server's first words");
});

const failures: readonly { name: string; serve: (socket: Socket) => void; code: string; waitMs?: number }[] = [
  { name: "the backend refuses", serve: (socket) => socket.write("no BAD_PASSWORD\n"), code: "BAD_PASSWORD" },
  { name: "the backend hangs up", serve: (socket) => socket.end(), code: "UPSTREAM_CLOSED" },
  {
    name: "the backend resets",
    serve: (socket) => socket.once("data", () => socket.resetAndDestroy()),
    code: "UPSTREAM_CLOSED",
  },
  {
    name: "the backend says nothing in time",
    serve: () => {},
    code: "UPSTREAM_TIMEOUT",
    waitMs: 20,
  },
];
for (const { name, serve, code, waitMs } of failures) {
  test(`when ${name}, the login fails with ${code}, the wire is closed and the credential wiped`, async (t) => {
    const sockets: Socket[] = [];
    const port = await backendOf(t, (socket) => {
      sockets.push(socket);
      serve(socket);
    });
    const { held, credentialOf } = vaultOf();
    const login = logIn(backendAt(port), undefined, credentialOf, waitMs);
    await assert.rejects(login, (error: Error) => {
      assert.equal((error as Error & { code: string }).code, code);
      assert.equal(error.name, "ProtocolError");
      assert.doesNotMatch(error.message, /hunter2/);
      return true;
    });
    assert.deepEqual(
      held.map(({ wiped, password }) => [wiped, textOf(password)]),
      [[true, "\0".repeat(7)]],
    );
    const [socket] = sockets;
    assert.ok(socket !== undefined);
    const { ended } = reader(socket);
    await until(() => ended() || socket.destroyed, "the end of the wire");
  });
}

test("a backend that nobody serves is unreachable, and no credential is fetched", async (t) => {
  const port = await backendOf(t, () => {});
  const backend: Backend = { ...backendAt(port), address: "127.0.0.2" };
  await assert.rejects(
    logIn(backend, undefined, () => assert.fail("fetched")),
    { code: "UPSTREAM_UNREACHABLE" },
  );
});

test("a vault that fails ends the login and closes the wire", async (t) => {
  const { backend, sockets } = await answering(t, "");
  const credentialOf = () => Promise.reject(Object.assign(new Error("no such file"), { code: "VAULT_SECRET_FILE" }));
  await assert.rejects(logIn(backend, undefined, credentialOf), { code: "VAULT_SECRET_FILE", name: "ProtocolError" });
  await until(() => sockets[0] !== undefined, "the connection");
  const { ended } = reader(sockets[0] as Socket);
  await until(ended, "the end of the wire");
});

/** A backend that agrees to TLS and then answers the words. */
function encrypted(t: TestContext, heard: string[]): Promise<number> {
  return backendOf(t, (raw) => {
    raw.once("data", () => {
      raw.write("S");
      const socket = new TLSSocket(raw, { cert: server.cert, key: server.key, isServer: true });
      socket.on("error", () => {});
      socket.once("data", (said: Buffer) => {
        heard.push(said.toString());
        socket.write("ok encrypted\n");
      });
    });
  });
}

const trusted: readonly { name: string; tls: () => UpstreamTls }[] = [
  { name: "verify-full with the right root", tls: () => ({ mode: "verify-full", ca: server.ca }) },
  { name: "require, which verifies nothing", tls: () => ({ mode: "require" }) },
];
for (const { name, tls } of trusted) {
  test(`a login goes through TLS with ${name}`, async (t) => {
    const heard: string[] = [];
    const backend = backendAt(await encrypted(t, heard), { tls: tls() });
    const { wire, greeting } = await logIn(backend, undefined, vaultOf().credentialOf);
    t.after(() => wire.destroy());
    assert.deepEqual([greeting, heard], ["encrypted", ["app hunter2\n"]]);
  });
}

test("a backend that cannot prove its name never hears the credential", async (t) => {
  const heard: string[] = [];
  const backend = backendAt(await encrypted(t, heard), {
    tls: { mode: "verify-full", ca: server.ca, name: "x.example" },
  });
  const { held, credentialOf } = vaultOf();
  await assert.rejects(logIn(backend, undefined, credentialOf), { code: "UPSTREAM_TLS" });
  assert.deepEqual([heard, held[0]?.wiped], [[], true]);
});

test("a backend that refuses TLS never hears the credential", async (t) => {
  const { backend, heard } = await answering(t, "N", { mode: "require" });
  await assert.rejects(logIn(backend, undefined, vaultOf().credentialOf), { code: "UPSTREAM_TLS_REFUSED" });
  assert.deepEqual(heard, ["tls?\n"]);
});

/** Logs anybody in, then answers each line. */
function oracle(t: TestContext, answer: string, leaves: { count: number } = { count: 0 }): Promise<number> {
  return backendOf(t, (socket) => {
    socket.on("close", () => void leaves.count++);
    socket.once("data", () => {
      socket.write("ok there\n");
      socket.once("data", () => (answer === "" ? socket.end() : socket.write(answer)));
    });
    socket.on("end", () => socket.end());
  });
}

test("a lookup logs in, asks, and leaves", async (t) => {
  const leaves = { count: 0 };
  const backend = backendAt(await oracle(t, "42\n", leaves));
  const { held, credentialOf } = vaultOf();
  assert.equal(await lookUp(backend, {}, lineLookup({ ask: "oid?" }), credentialOf), "42");
  await until(() => leaves.count === 1, "the end of the lookup's own connection");
  assert.equal(held[0]?.wiped, true);
});

for (const { name, answer, fault } of [
  { name: "hangs up", answer: "", fault: { code: "LOOKUP_FAILED" } },
  { name: "answers nonsense", answer: "!\n", fault: /not a line/ },
]) {
  test(`a lookup fails when the backend ${name}`, async (t) => {
    const leaves = { count: 0 };
    const backend = backendAt(await oracle(t, answer, leaves));
    await assert.rejects(lookUp(backend, {}, lineLookup({ ask: "oid?" }), vaultOf().credentialOf), fault);
    await until(() => leaves.count === 1, "the end of the lookup's own connection");
  });
}

test("a cancel is said to the backend, which answers by hanging up", async (t) => {
  const heard: string[] = [];
  const port = await backendOf(t, (socket) => {
    socket.once("data", (said: Buffer) => {
      heard.push(said.toString());
      socket.end();
    });
  });
  await cancelUpstream(backendAt(port), Buffer.from("cancel key"));
  assert.deepEqual(heard, ["cancel key"]);
});
