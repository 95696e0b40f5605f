import assert from "node:assert/strict";
import { createHash, createHmac, pbkdf2Sync, randomBytes, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { after, test } from "node:test";
import type { UpstreamTls } from "../../../src/model/connection.ts";
import type { LoginCommand } from "../../../src/model/upstream.ts";
import type { Greeting } from "../../../src/protocols/postgres/greeting.ts";
import { PostgresLogin } from "../../../src/protocols/postgres/login.ts";
import { preparedPassword, Scram } from "../../../src/protocols/postgres/scram.ts";
import type { LoginRequest } from "../../../src/protocols/postgres/startup.ts";
import { makeCertificate } from "../../kit/certificate.ts";
import { client, int32, join, message, messagesIn, server } from "../../kit/wire.ts";

const PASSWORD = "pencil and paper";
const REQUEST = { database: "shop", parameters: { application_name: "psql" } };
const KEY = randomBytes(36);
const folder = mkdtempSync(joinPath(tmpdir(), "sallyport-login-"));
after(() => rmSync(folder, { recursive: true }));
const certificate = new X509Certificate(readFileSync(makeCertificate(folder, ["localhost"]).certificateFile)).raw;

function loginOf(
  mode: UpstreamTls["mode"],
  password: string | undefined = PASSWORD,
  more: Partial<LoginRequest> = {},
): PostgresLogin {
  const credential = password === undefined ? { user: "app" } : { user: "app", password: Buffer.from(password) };
  return new PostgresLogin({ ...REQUEST, ...more }, { credential, tls: { mode }, nonce: Buffer.alloc(18, 9) });
}

/** Bytes of the only command, which must go to the server. */
function sent(commands: readonly LoginCommand[]): Buffer {
  const [command, ...rest] = commands;
  assert.ok(command?.kind === "toServer" && rest.length === 0, JSON.stringify(commands));
  return Buffer.from(command.bytes);
}

/** The same after a derivation, which is done as it is asked for. */
function proven(login: PostgresLogin, commands: readonly LoginCommand[]): Buffer {
  const [command, ...rest] = commands;
  assert.ok(command?.kind === "derive" && rest.length === 0, JSON.stringify(commands));
  const { password, salt, iterations } = command;
  return sent(login.handle({ kind: "derived", key: pbkdf2Sync(password, salt, iterations, 32, "sha256") }));
}

function failed(commands: readonly LoginCommand[]): string {
  const last = commands.at(-1);
  assert.ok(last?.kind === "failed", JSON.stringify(commands));
  assert.ok(!last.message.includes(PASSWORD));
  return last.code;
}

const fromServer = (...bytes: readonly Uint8Array[]) => ({ kind: "server", bytes: Buffer.concat(bytes) }) as const;
const secured = { kind: "secured", certificate } as const;

/** The server's half of SCRAM-SHA-256, with faults to order. */
class ScramServer {
  readonly #salt = randomBytes(16);
  readonly #password: string;
  readonly #iterations: number;
  #bare = "";
  #first = "";
  gs2 = "";

  constructor(password = PASSWORD, iterations = 4096) {
    this.#password = password;
    this.#iterations = iterations;
  }

  first(initial: Buffer, nonceOf = (nonce: string) => `${nonce}server`): string {
    const [, gs2 = "", bare = ""] = /^((?:n|y|p=[\w-]+),,)(n=,r=.+)$/.exec(initial.toString()) ?? [];
    this.gs2 = gs2;
    this.#bare = bare;
    this.#first = `r=${nonceOf(bare.slice(5))},s=${this.#salt.toString("base64")},i=${this.#iterations}`;
    return this.#first;
  }

  /** Throws when the client does not prove the password or is bound to another channel. */
  final(message: string, binding: Uint8Array = Buffer.alloc(0)): string {
    const [without = "", proof = ""] = message.split(",p=");
    const channel = Buffer.from(/c=([^,]+)/.exec(without)?.[1] ?? "", "base64");
    assert.deepEqual(channel, Buffer.concat([Buffer.from(this.gs2), binding]));
    const salted = pbkdf2Sync(this.#password, this.#salt, this.#iterations, 32, "sha256");
    const clientKey = createHmac("sha256", salted).update("Client Key").digest();
    const stored = createHash("sha256").update(clientKey).digest();
    const text = `${this.#bare},${this.#first},${without}`;
    const signature = createHmac("sha256", stored).update(text).digest();
    const given = Buffer.from(proof, "base64").map((byte, at) => byte ^ (signature[at] ?? 0));
    assert.deepEqual(createHash("sha256").update(given).digest(), stored);
    const serverKey = createHmac("sha256", salted).update("Server Key").digest();
    return `v=${createHmac("sha256", serverKey).update(text).digest("base64")}`;
  }
}

/** Mechanism and data of a SASLInitialResponse. */
function initialOf(bytes: Buffer): { mechanism: string; data: Buffer } {
  const body = messagesIn(bytes)[0]?.body ?? Buffer.alloc(0);
  const stop = body.indexOf(0);
  return { mechanism: body.toString("utf8", 0, stop), data: body.subarray(stop + 5) };
}

const bodyOf = (bytes: Buffer) => messagesIn(bytes)[0]?.body.toString() ?? "";

const END = [
  server.authenticationOk(),
  server.parameter("client_encoding", "UTF8"),
  server.parameter("standard_conforming_strings", "on"),
  server.keyData(KEY),
  server.ready(),
] as const;

test("SCRAM-SHA-256 logs in, and what the server says afterwards is handed on", () => {
  const login = loginOf("disable");
  const startup = client.startup({ user: "app", database: "shop", application_name: "psql", client_encoding: "UTF8" });
  assert.deepEqual(sent(login.handle({ kind: "start" })), startup);
  const scram = new ScramServer();
  const initial = initialOf(sent(login.handle(fromServer(server.sasl("SCRAM-SHA-256")))));
  assert.equal(initial.mechanism, "SCRAM-SHA-256");
  const final = proven(login, login.handle(fromServer(server.saslContinue(scram.first(initial.data)))));
  assert.equal(scram.gs2, "n,,");
  const notice = server.notice({ S: "NOTICE", M: "hello" });
  const done = login.handle(fromServer(server.saslFinal(scram.final(bodyOf(final))), ...END, notice));
  assert.deepEqual(done, [
    {
      kind: "done",
      greeting: {
        parameters: [
          ["client_encoding", "UTF8"],
          ["standard_conforming_strings", "on"],
        ],
        status: "I",
        said: [
          server.parameter("client_encoding", "UTF8"),
          server.parameter("standard_conforming_strings", "on"),
          server.keyData(join(KEY.subarray(0, 4), Buffer.alloc(KEY.length - 4))),
        ],
        minor: 0,
      },
      unread: notice,
      cancel: KEY,
    },
  ]);
});

const VERSION_BYTES = 4;
const negotiated = (minor: number, ...more: readonly Uint8Array[]) =>
  message("v", int32(0x0003_0000 + minor), ...(more.length === 0 ? [int32(0)] : more));
const spoken = [
  { asks: 0, sent: 0, says: [], speaks: 0 },
  { asks: 2, sent: 2, says: [], speaks: 2 },
  { asks: 9, sent: 2, says: [], speaks: 2 },
  { asks: 2, sent: 2, says: [negotiated(0)], speaks: 0 },
] as const;
for (const { asks, sent: minor, says, speaks } of spoken) {
  test(`asked for protocol 3.${asks}, a login asks for 3.${minor} and speaks 3.${speaks} after ${says.length} answers`, () => {
    const login = loginOf("disable", undefined, { minor: asks });
    const startup = sent(login.handle({ kind: "start" }));
    assert.equal(startup.readInt32BE(VERSION_BYTES), 0x0003_0000 + minor);
    const [done] = login.handle(fromServer(...says, ...END));
    assert.equal(done?.kind === "done" && (done.greeting as Greeting).minor, speaks);
  });
}

const misspoken = [
  { name: "more than was asked for", says: [negotiated(3)] },
  { name: "as much as was asked for", says: [negotiated(2)] },
  { name: "another major version", says: [message("v", int32(0x0002_0000), int32(0))] },
  { name: "options that nobody asked for", says: [negotiated(0, int32(1), Buffer.from("_pq_.x\0"))] },
  { name: "a version twice", says: [negotiated(1), negotiated(0)] },
  { name: "a version behind the login", says: [server.authenticationOk(), negotiated(0)] },
] as const;
for (const { name, says } of misspoken) {
  test(`a server that negotiates ${name} is not logged in to`, () => {
    const login = loginOf("disable", undefined, { minor: 2 });
    login.handle({ kind: "start" });
    const [failed] = login.handle(fromServer(...says));
    assert.equal(failed?.kind === "failed" && failed.code, "UPSTREAM_PROTOCOL");
  });
}

test("a login works byte by byte", () => {
  const login = loginOf("disable", undefined);
  login.handle({ kind: "start" });
  const done = [...join(...END)].flatMap((byte) => login.handle(fromServer(Buffer.of(byte))));
  assert.deepEqual(
    done.map(({ kind }) => kind),
    ["done"],
  );
});

test("over TLS the channel is bound where the server offers it", () => {
  const login = loginOf("verify-full");
  assert.deepEqual(sent(login.handle({ kind: "start" })), client.sslRequest());
  assert.deepEqual(login.handle(fromServer(Buffer.from("S"))), [{ kind: "secure" }]);
  sent(login.handle(secured));
  const scram = new ScramServer();
  const initial = initialOf(sent(login.handle(fromServer(server.sasl("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256")))));
  assert.equal(initial.mechanism, "SCRAM-SHA-256-PLUS");
  const final = bodyOf(proven(login, login.handle(fromServer(server.saslContinue(scram.first(initial.data))))));
  assert.equal(scram.gs2, "p=tls-server-end-point,,");
  scram.final(final, createHash("sha256").update(certificate).digest());
});

test("over TLS a server that does not offer binding is told that it could have, so that a removed offer shows", () => {
  const login = loginOf("require");
  login.handle({ kind: "start" });
  login.handle(fromServer(Buffer.from("S")));
  login.handle(secured);
  const scram = new ScramServer();
  const initial = initialOf(sent(login.handle(fromServer(server.sasl("SCRAM-SHA-256")))));
  scram.first(initial.data);
  assert.equal(scram.gs2, "y,,");
});

function scramStarted(scram: ScramServer, nonceOf?: (nonce: string) => string) {
  const login = loginOf("disable");
  login.handle({ kind: "start" });
  const initial = initialOf(sent(login.handle(fromServer(server.sasl("SCRAM-SHA-256")))));
  return { login, answer: login.handle(fromServer(server.saslContinue(scram.first(initial.data, nonceOf)))) };
}

test("SCRAM with few iterations is refused before anything is proven", () => {
  assert.equal(failed(scramStarted(new ScramServer(PASSWORD, 4095)).answer), "UPSTREAM_SCRAM_WEAK");
});

test("SCRAM with iterations that would stop the daemon is refused", () => {
  assert.equal(failed(scramStarted(new ScramServer(PASSWORD, 2_000_000_000)).answer), "UPSTREAM_SCRAM");
});

test("a server nonce that does not continue ours is refused", () => {
  assert.equal(failed(scramStarted(new ScramServer(), () => "other").answer), "UPSTREAM_SCRAM");
  assert.equal(failed(scramStarted(new ScramServer(), (nonce) => nonce).answer), "UPSTREAM_SCRAM");
});

test("a server that does not know the password is refused", () => {
  const { login, answer } = scramStarted(new ScramServer("guess"));
  proven(login, answer);
  const signature = randomBytes(32).toString("base64");
  assert.equal(failed(login.handle(fromServer(server.saslFinal(`v=${signature}`), ...END))), "UPSTREAM_SCRAM");
});

test("a server that breaks off the proof is refused", () => {
  const { login, answer } = scramStarted(new ScramServer());
  proven(login, answer);
  assert.equal(failed(login.handle(fromServer(...END))), "UPSTREAM_SCRAM");
});

test("a server that goes on while the key is derived, or asks for it again, is refused", () => {
  const early = scramStarted(new ScramServer());
  assert.equal(failed(early.login.handle(fromServer(server.saslFinal("v=")))), "UPSTREAM_PROTOCOL");
  const again = scramStarted(new ScramServer());
  proven(again.login, again.answer);
  assert.equal(failed(again.login.handle(fromServer(server.saslContinue("r=x,s=AAAA,i=4096")))), "UPSTREAM_SCRAM");
});

const weak = [
  { name: "cleartext", bytes: server.cleartext() },
  { name: "md5", bytes: server.md5(Buffer.from("salt")) },
] as const;
for (const { name, bytes } of weak) {
  for (const mode of ["disable", "require"] as const) {
    test(`${name} is refused with tls ${mode}`, () => {
      const login = loginOf(mode);
      login.handle({ kind: "start" });
      if (mode === "require") {
        login.handle(fromServer(Buffer.from("S")));
        login.handle(secured);
      }
      assert.equal(failed(login.handle(fromServer(bytes))), "UPSTREAM_AUTH_WEAK");
    });
  }
}

test("cleartext and md5 are answered over verified TLS", () => {
  for (const { name, bytes } of weak) {
    const login = loginOf("verify-full");
    login.handle({ kind: "start" });
    login.handle(fromServer(Buffer.from("S")));
    login.handle(secured);
    const inner = createHash("md5").update(`${PASSWORD}app`).digest("hex");
    const md5 = `md5${createHash("md5").update(`${inner}salt`).digest("hex")}\0`;
    assert.equal(bodyOf(sent(login.handle(fromServer(bytes)))), name === "md5" ? md5 : `${PASSWORD}\0`);
  }
});

test("a downgrade to cleartext after SCRAM began is refused", () => {
  const { login } = scramStarted(new ScramServer());
  assert.equal(failed(login.handle(fromServer(server.cleartext()))), "UPSTREAM_PROTOCOL");
});

const talkers = [
  { name: "refuses TLS", bytes: Buffer.from("N") },
  { name: "is older than TLS", bytes: server.error({ S: "FATAL", C: "08P01", M: "no" }) },
  { name: "speaks in the clear behind its S", bytes: join(Buffer.from("S"), server.authenticationOk()) },
] as const;
for (const { name, bytes } of talkers) {
  test(`a server that ${name} gets no login`, () => {
    const login = loginOf("verify-full");
    login.handle({ kind: "start" });
    assert.equal(failed(login.handle(fromServer(bytes))), "UPSTREAM_TLS_REFUSED");
  });
}

test("a server's own error is told with its SQLSTATE", () => {
  const login = loginOf("disable");
  login.handle({ kind: "start" });
  const error = server.error({ S: "FATAL", C: "28P01", M: 'password authentication failed for user "app"' });
  assert.equal(failed(login.handle(fromServer(error))), "28P01");
});

const nonsense = [
  { name: "ReadyForQuery before a login", bytes: server.ready(), code: "UPSTREAM_PROTOCOL" },
  { name: "a row", bytes: server.row("1"), code: "UPSTREAM_PROTOCOL" },
  { name: "GSSAPI", bytes: join(Buffer.from("R"), Buffer.from("0000000800000007", "hex")), code: "UPSTREAM_PROTOCOL" },
  { name: "a message without an end", bytes: Buffer.from("45000000065341", "hex"), code: "FRAME_BODY" },
] as const;
for (const { name, bytes, code } of nonsense) {
  test(`${name} fails the login`, () => {
    const login = loginOf("disable");
    login.handle({ kind: "start" });
    assert.equal(failed(login.handle(fromServer(bytes))), code);
    assert.deepEqual(login.handle(fromServer(...END)), []);
  });
}

test("a message longer than any login's is not collected", () => {
  const login = loginOf("disable");
  login.handle({ kind: "start" });
  assert.equal(failed(login.handle(fromServer(Buffer.from("5300100000", "hex")))), "FRAME_LENGTH");
});

const passwords = [
  { name: "ASCII stays", from: "a b", to: "a b" },
  { name: "compatibility forms are composed", from: "\u2168", to: "IX" },
  { name: "odd spaces become spaces", from: "a\u00a0b", to: "a b" },
  { name: "soft hyphens vanish", from: "I\u00adX", to: "IX" },
] as const;
for (const { name, from, to } of passwords) {
  test(`SASLprep: ${name}`, () => assert.equal(preparedPassword(Buffer.from(from)).toString(), to));
}

test("SASLprep leaves alone what is not text", () => {
  assert.deepEqual(preparedPassword(Buffer.of(0xff, 0x61)), Buffer.of(0xff, 0x61));
});

test("a server that talks without end before the login is done is given up", () => {
  const login = loginOf("disable");
  login.handle({ kind: "start" });
  const parameter = server.parameter("x", "y".repeat(50_000));
  assert.deepEqual(login.handle(fromServer(server.authenticationOk())), []);
  for (let count = 0; count < 20; count++) assert.deepEqual(login.handle(fromServer(parameter)), []);
  assert.equal(failed(login.handle(fromServer(parameter))), "UPSTREAM_PROTOCOL");
});

test("the copy of the password that SCRAM works with is wiped when its proof is made", () => {
  const password = preparedPassword(Buffer.from(PASSWORD));
  const choice = { mechanism: "SCRAM-SHA-256", gs2Header: "n,,", binding: new Uint8Array() } as const;
  const scram = new Scram(choice, password, Buffer.alloc(18, 9));
  const [, nonce = ""] = scram.first().split("r=");
  const { salt } = scram.challenge(`r=${nonce}server,s=${Buffer.from("salt").toString("base64")},i=4096`);
  scram.final(pbkdf2Sync(password, salt, 4_096, 32, "sha256"));
  assert.ok(password.every((byte) => byte === 0));
});
