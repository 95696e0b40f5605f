import { test } from "node:test";
import { UNSENT_BYTES_MAX } from "../../../src/base/limits.ts";
import { OpaqueSession } from "../../../src/protocols/opaque/session.ts";
import {
  allow,
  ask,
  close,
  deny,
  ended,
  forward,
  fromClient,
  fromServer,
  loggedIn,
  login,
  note,
  Playbook,
  start,
  stop,
  toClient,
} from "../../kit/playbook.ts";

const HELLO = Buffer.from("hello");
const begun = () => new Playbook(new OpaqueSession()).gets(start).does(ask(1, [["connect", "connect"]]));
const open = () => begun().gets(allow(1)).does(login(1, undefined)).gets(loggedIn(undefined));

test("nothing is dialled when the connect is refused", () => {
  begun().gets(deny(1, "nobody")).does(close("refused by policy")).rests();
});

test("bytes pass both ways once the connect is allowed, each with a permit", () => {
  open()
    .gets(fromClient(HELLO))
    .does(ask(2, [["", "bytes"]], HELLO))
    .gets(allow(2))
    .does(forward(2))
    .gets(fromServer(HELLO))
    .does(toClient(HELLO))
    .rests();
});

test("what the client sends before the server is reached waits, up to the limit", () => {
  begun()
    .gets(fromClient(HELLO), allow(1))
    .does(login(1, undefined))
    .gets(fromClient(HELLO), loggedIn(undefined))
    .does(ask(2, [["", "bytes"]], HELLO, HELLO))
    .rests();
  begun()
    .gets(fromClient(Buffer.alloc(UNSENT_BYTES_MAX + 1)))
    .does(close("Cannot hold what the client sends before it may be sent on", "UNREAD_BYTES"))
    .rests();
});

test("each side may end its half for itself, and what came back is noted at the end", () => {
  open()
    .gets(ended("client"))
    .does({ kind: "shut", side: "server" })
    .gets(fromServer(HELLO))
    .does(toClient(HELLO))
    .gets(ended("server"))
    .does(note(1, { bytes: 5 }), close("both sides have ended"))
    .rests();
});

test("a stop closes", () => {
  open().gets(stop("the grant has ended")).does(note(1), close("the grant has ended")).rests();
});
