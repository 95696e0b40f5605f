import { test } from "node:test";
import {
  allow,
  ask,
  close,
  deny,
  ended,
  facts,
  fromClient,
  fromServer,
  loggedIn,
  login,
  look,
  Playbook,
  start,
  stop,
  toClient,
} from "../../kit/playbook.ts";
import { client, hex, int32, join, message, server } from "../../kit/wire.ts";
import {
  CANCEL_KEY,
  CANCEL_SECRET,
  catalogOf,
  fatalOf,
  GREETED,
  GREETING,
  LABELS,
  opened,
  refusalOf,
  STARTUP,
  sessionOf,
} from "./kit.ts";

const begun = () => new Playbook(sessionOf()).gets(start).does();
const secure = { kind: "secure", side: "client", unread: "" };

test("a client is greeted after its connect was allowed and the login upstream is done", () => {
  opened().rests();
});

test("nothing is dialled when the connect is refused", () => {
  begun()
    .gets(fromClient(STARTUP))
    .does(ask(1, [["connect", "connect to shop"]]))
    .gets(deny(1, "nobody"))
    .does(toClient(refusalOf("nobody", "FATAL")), close("refused by policy"))
    .rests();
});

test("SSLRequest is answered with S and TLS, then the startup comes encrypted", () => {
  begun()
    .gets(fromClient(client.sslRequest()))
    .does(toClient(Buffer.from("S")), secure)
    .gets({ kind: "secured" }, fromClient(STARTUP))
    .does(ask(1, [["connect", "connect to shop"]]))
    .rests();
});

test("a TLS handshake without SSLRequest is handed on with the protocol's ALPN", () => {
  begun()
    .gets(fromClient(hex("16 0301 0200 01")))
    .does({ ...secure, unread: hex("160301020001").toString("latin1"), alpn: "postgresql" })
    .rests();
});

test("GSSENCRequest is answered with N and the client may go on in the clear", () => {
  begun()
    .gets(fromClient(client.gssRequest()))
    .does(toClient(Buffer.from("N")))
    .gets(fromClient(STARTUP))
    .does(ask(1, [["connect", "connect to shop"]]))
    .rests();
});

test("GSSENCRequest and SSLRequest may follow each other", () => {
  begun()
    .gets(fromClient(client.gssRequest(), client.sslRequest()))
    .does(toClient(Buffer.from("NS")), secure)
    .rests();
});

test("the database defaults to the user's name", () => {
  begun()
    .gets(fromClient(client.startup({ user: "agent" })))
    .does(ask(1, [["connect", "connect to agent"]]))
    .rests();
});

test("harmless settings go upstream with the login", () => {
  const parameters = { application_name: "psql", DateStyle: "ISO", client_encoding: "utf-8" };
  begun()
    .gets(fromClient(client.startup({ user: "agent", ...parameters, options: "", replication: "false" })))
    .does(ask(1, [["connect", "connect to agent"]]))
    .gets(allow(1))
    .does(login(1, { database: "agent", parameters }))
    .rests();
});

const asked = [
  { asks: 2, option: "1", speaks: 2, told: [int32(0x0003_0002), int32(1), Buffer.from("_pq_.magic\0")] },
  { asks: 2, option: "", speaks: 0, told: [int32(0x0003_0000), int32(0)] },
  { asks: 9, option: "", speaks: 2, told: [int32(0x0003_0002), int32(0)] },
  { asks: 2, option: "", speaks: 2, told: undefined },
] as const;
for (const { asks, option, speaks, told } of asked) {
  test(`a client that asks for protocol 3.${asks}${option && " with an option"} hears what the server speaks: 3.${speaks}`, () => {
    const startup = { user: "agent", ...(option === "" ? {} : { "_pq_.magic": option }) };
    begun()
      .gets(fromClient(client.startup(startup, 0x0003_0000 + asks)))
      .does(ask(1, [["connect", "connect to agent"]]))
      .gets(allow(1))
      .does(login(1, { database: "agent", parameters: {}, minor: asks }))
      .gets(loggedIn({ ...GREETING, minor: speaks }))
      .does(...(told === undefined ? [] : [toClient(message("v", ...told))]), toClient(GREETED))
      .rests();
  });
}

test("a cancel key has as many bytes as the server's own, with its process and another secret", () => {
  const said = [server.keyData(join(hex("01020304"), Buffer.alloc(5)))];
  begun()
    .gets(fromClient(STARTUP))
    .does(ask(1, [["connect", "connect to shop"]]))
    .gets(allow(1))
    .does(login(1, { database: "shop", parameters: {} }))
    .gets(loggedIn({ ...GREETING, said }))
    .does(
      toClient(join(server.authenticationOk(), server.keyData(join(hex("01020304"), CANCEL_SECRET)), server.ready())),
    )
    .rests();
});

const keyData = server.keyData(CANCEL_KEY);
const told = [
  { name: "as it is", data: {}, shown: 'key "x" is there' },
  { name: "without values where columns are labelled", data: LABELS, shown: 'key "…" is there' },
];
for (const { name, data, shown } of told) {
  test(`what the server says at the login reaches the client in its order, ${name}`, () => {
    const notice = (text: string) => server.notice({ S: "NOTICE", V: "NOTICE", C: "00000", M: text });
    const saying = (text: string) => [...GREETING.said, notice(text), server.parameter("TimeZone", "UTC")];
    const played = new Playbook(sessionOf({ data }))
      .gets(start, fromClient(STARTUP))
      .does(ask(1, [["connect", "connect to shop"]]))
      .gets(allow(1))
      .does(login(1, { database: "shop", parameters: {} }))
      .gets(loggedIn({ ...GREETING, said: saying('key "x" is there') }));
    if (data === LABELS) played.does(look(2, { kind: "catalog", labels: data })).gets(facts(2, catalogOf()));
    const heard = saying(shown).map((message) => (message === GREETING.said.at(-1) ? keyData : message));
    played.does(toClient(join(server.authenticationOk(), ...heard, server.ready()))).rests();
  });
}

const keys = [
  { name: "of 4 bytes", key: hex("00000001 0a0b0c0d") },
  { name: "of 32 bytes", key: join(int32(1), Buffer.alloc(32, 7)) },
] as const;
for (const { name, key } of keys) {
  test(`a cancel request with a secret ${name} becomes a cancel and nothing else`, () => {
    begun()
      .gets(fromClient(client.cancelRequest(key)))
      .does({ kind: "cancel", key: key.toString("latin1") }, close("a cancel request"))
      .rests();
  });
}

const refused = [
  { name: "protocol 2", bytes: client.startup({ user: "a" }, 0x0002_0000), code: "0A000" },
  { name: "no user", bytes: client.startup({ database: "a" }), code: "28000" },
  { name: "replication", bytes: client.startup({ user: "a", replication: "database" }), code: "42501" },
  { name: "options", bytes: client.startup({ user: "a", options: "-c search_path=x" }), code: "42501" },
  { name: "LATIN1", bytes: client.startup({ user: "a", client_encoding: "LATIN1" }), code: "22023" },
  { name: "search_path", bytes: client.startup({ user: "a", search_path: "x" }), code: "42501" },
  { name: "role", bytes: client.startup({ user: "a", ROLE: "x" }), code: "42501" },
  {
    name: "standard_conforming_strings",
    bytes: client.startup({ user: "a", standard_conforming_strings: "off" }),
    code: "42501",
  },
] as const;
const MESSAGES: Readonly<Record<string, string>> = {
  "protocol 2": "Only version 3 of the frontend protocol is supported",
  "no user": "The startup packet names no user",
  replication: "Replication connections are not permitted",
  options: 'The startup parameter "options" is not permitted',
  LATIN1: "Only the client encodings UTF8 and SQL_ASCII are supported",
  search_path: 'The startup parameter "search_path" is not permitted',
  role: 'The startup parameter "ROLE" is not permitted',
  standard_conforming_strings: 'The startup parameter "standard_conforming_strings" is not permitted',
};
for (const { name, bytes, code } of refused) {
  test(`a startup with ${name} is refused before anything is asked`, () => {
    const message = MESSAGES[name] ?? "";
    begun()
      .gets(fromClient(bytes))
      .does(toClient(fatalOf(code, message)), close(message))
      .rests();
  });
}

const stuffed = "Cannot go on: unencrypted data followed the request for TLS";
test("bytes that follow an SSLRequest in the clear end the connection", () => {
  begun()
    .gets(fromClient(client.sslRequest(), STARTUP))
    .does(toClient(fatalOf("08P01", stuffed)), close(stuffed, "UNENCRYPTED"))
    .rests();
  begun()
    .gets(fromClient(client.sslRequest()))
    .does(toClient(Buffer.from("S")), secure)
    .gets(fromClient(STARTUP))
    .does(close(stuffed, "UNENCRYPTED"))
    .rests();
});

const broken = [
  { name: "a first packet of 4 bytes", bytes: "00000004", code: "STARTUP_LENGTH" },
  { name: "a first packet of 10 MB", bytes: "00a00000", code: "STARTUP_LENGTH" },
  { name: "an HTTP request", bytes: Buffer.from("GET / HTTP/1.1\r\n").toString("hex"), code: "STARTUP_LENGTH" },
  { name: "a startup without its terminator", bytes: "0000000d 00030000 7573657200", code: "FRAME_BODY" },
  { name: "a cancel request without a secret", bytes: "0000000c 04d2162e 00000001", code: "CANCEL_LENGTH" },
] as const;
for (const { name, bytes, code } of broken) {
  test(`${name} is a fault of the client`, () => {
    const session = sessionOf();
    session.handle(start);
    const last = session.handle(fromClient(hex(bytes))).at(-1);
    if (last?.kind !== "close" || last.fault !== code) throw new Error(`got ${JSON.stringify(last)}`);
  });
}

const greetings = [
  {
    name: "standard_conforming_strings off",
    parameters: [
      ["client_encoding", "UTF8"],
      ["standard_conforming_strings", "off"],
    ],
  },
  {
    name: "another client_encoding",
    parameters: [
      ["client_encoding", "SJIS"],
      ["standard_conforming_strings", "on"],
    ],
  },
  { name: "nothing", parameters: [] },
] as const;
for (const { name, parameters } of greetings) {
  test(`a server that reports ${name} at login gets no session`, () => {
    const session = sessionOf();
    session.handle(start);
    session.handle(fromClient(STARTUP));
    session.handle(allow(1));
    const done = session.handle(loggedIn({ parameters, status: "I" }));
    const kinds = done.map(({ kind }) => kind).join(" ");
    if (kinds !== "toClient close") throw new Error(`got ${kinds}`);
  });
}

test("a server that changes how it reads strings ends the session", () => {
  const message = "Cannot go on: the server has changed standard_conforming_strings";
  opened()
    .gets(fromServer(server.parameter("standard_conforming_strings", "off")))
    .does(toClient(fatalOf("08P01", message)), close(message, "PARAMETER_CHANGED"))
    .rests();
});

test("other settings that the server reports pass", () => {
  const bytes = server.parameter("TimeZone", "UTC");
  opened().gets(fromServer(bytes)).does(toClient(bytes)).rests();
});

test("a failed login is told in the protocol, with the server's SQLSTATE where it has one", () => {
  const dialled = () =>
    begun()
      .gets(fromClient(STARTUP))
      .does(ask(1, [["connect", "connect to shop"]]))
      .gets(allow(1))
      .does(login(1, { database: "shop", parameters: {} }));
  dialled()
    .gets({ kind: "loginFailed", code: "3D000", message: "no such database" })
    .does(toClient(fatalOf("3D000", "no such database")), close("no such database"));
  dialled()
    .gets({ kind: "loginFailed", code: "UPSTREAM_UNREACHABLE", message: "cannot reach it" })
    .does(toClient(fatalOf("08006", "cannot reach it")), close("cannot reach it"));
});

test("what the client sends ahead of its greeting waits for it", () => {
  new Playbook(sessionOf())
    .gets(start, fromClient(STARTUP, client.query("select 1")))
    .does(ask(1, [["connect", "connect to shop"]]))
    .gets(allow(1))
    .does(login(1, { database: "shop", parameters: {} }))
    .gets(loggedIn(GREETING))
    .does(toClient(GREETED), ask(2, [["sql.read", "select 1"]], client.query("select 1")))
    .rests();
});

test("a stop says 57P01 and closes", () => {
  opened()
    .gets(stop("the grant has ended"))
    .does(toClient(fatalOf("57P01", "the grant has ended")), close("the grant has ended"));
});

test("the end of a side closes the session, and nothing is said after it", () => {
  opened().gets(ended("client")).does(close("the client has gone")).gets(fromServer(server.ready())).rests();
  opened().gets(ended("server")).does(close("the server has gone")).rests();
});
