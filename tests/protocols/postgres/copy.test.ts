import { test } from "node:test";
import {
  allow,
  ask,
  close,
  deny,
  forward,
  fromClient,
  fromServer,
  note,
  type Playbook,
  toClient,
} from "../../kit/playbook.ts";
import { client, join, server } from "../../kit/wire.ts";
import { CARD, FAILING_ASKED, FAILING_QUERY, fatalOf, maskPlainly, opened } from "./kit.ts";

const IN = client.query("copy t from stdin");
const OUT = client.query("copy t to stdout");
const DATA = [["", "CopyData"]];

function copying(played: Playbook, statement: Buffer, text: string): Playbook {
  return played
    .gets(fromClient(statement))
    .does(ask(2, [["sql.copy", text]], statement))
    .gets(allow(2))
    .does(forward(2));
}

const copyingIn = () =>
  copying(opened(), IN, "copy t from stdin").gets(fromServer(server.copyIn())).does(toClient(server.copyIn()));

test("the data of a copy goes to the server, as much at once as there is", () => {
  const first = join(client.copyData("1\n"), client.copyData("2\n"));
  const last = join(client.copyData("3\n"), client.copyDone());
  const end = [server.complete("COPY 3"), server.ready()] as const;
  copyingIn()
    .gets(fromClient(first))
    .does(ask(3, DATA, first))
    .gets(allow(3))
    .does(forward(3))
    .gets(fromClient(last))
    .does(ask(4, DATA, last))
    .gets(allow(4))
    .does(forward(4))
    .gets(fromServer(...end))
    .does(note(2, { outcome: "COPY 3" }), toClient(...end))
    .rests();
});

test("data that is sent ahead waits until the server wants it", () => {
  const data = join(client.copyData("1\n"), client.copyFail("no more"));
  opened()
    .gets(fromClient(IN, data))
    .does(ask(2, [["sql.copy", "copy t from stdin"]], IN))
    .gets(allow(2))
    .does(forward(2))
    .gets(fromServer(server.copyIn()))
    .does(toClient(server.copyIn()), ask(3, DATA, data))
    .rests();
});

test("data that comes after the server gave up is dropped, as the server would", () => {
  const error = server.error({ S: "ERROR", V: "ERROR", C: "22P02", M: "bad" });
  copyingIn()
    .gets(fromServer(error, server.ready()))
    .does(note(2, { error: { code: "22P02", message: "bad" } }), toClient(error, server.ready()))
    .gets(fromClient(client.copyData("9\n"), client.copyDone()))
    .rests();
});

test("data of a second copy in one Query waits until the server asks for it", () => {
  const both = client.query("copy t from stdin; copy u from stdin");
  const first = join(client.copyData("1\n"), client.copyDone());
  const second = join(client.copyData("2\n"), client.copyDone());
  const texts = [
    ["sql.copy", "copy t from stdin"],
    ["sql.copy", "copy u from stdin"],
  ] as const;
  const next = join(server.complete("COPY 1"), server.copyIn());
  const end = join(server.complete("COPY 1"), server.ready());
  opened()
    .gets(fromClient(both, first, second))
    .does(ask(2, texts, both))
    .gets(allow(2))
    .does(forward(2))
    .gets(fromServer(server.copyIn()))
    .does(toClient(server.copyIn()), ask(3, DATA, first))
    .gets(allow(3))
    .does(forward(3))
    .gets(fromServer(next))
    .does(toClient(next), ask(4, DATA, second))
    .gets(allow(4))
    .does(forward(4))
    .gets(fromServer(end))
    .does(note(2, { outcome: "COPY 1; COPY 1" }), toClient(end))
    .rests();
});

test("data of a second copy is dropped where the first one fails behind its end", () => {
  const both = client.query("copy t from stdin; copy u from stdin");
  const first = join(client.copyData("x\n"), client.copyDone());
  const second = join(client.copyData("2\n"), client.copyDone());
  const failed = join(server.error({ S: "ERROR", V: "ERROR", C: "22P02", M: "bad" }), server.ready());
  const texts = [
    ["sql.copy", "copy t from stdin"],
    ["sql.copy", "copy u from stdin"],
  ] as const;
  opened()
    .gets(fromClient(both, first, second))
    .does(ask(2, texts, both))
    .gets(allow(2))
    .does(forward(2))
    .gets(fromServer(server.copyIn()))
    .does(toClient(server.copyIn()), ask(3, DATA, first))
    .gets(allow(3))
    .does(forward(3))
    .gets(fromServer(failed))
    .does(note(2, { error: { code: "22P02", message: "bad" } }), toClient(failed))
    .rests();
});

test("data without a copy is dropped", () => {
  opened()
    .gets(fromClient(client.copyData("1\n")))
    .rests();
});

test("a Sync that was sent ahead of a copy is not waited for", () => {
  const series = join(
    client.parse("", "copy t from stdin"),
    client.bind("", ""),
    client.describe("P", ""),
    client.execute(""),
    client.sync(),
  );
  const begin = [server.parsed(), server.bound(), server.noData(), server.copyIn()] as const;
  const data = join(client.copyData("1\n"), client.copyDone());
  opened()
    .gets(fromClient(series))
    .does(ask(2, [["sql.copy", "copy t from stdin"]], series))
    .gets(allow(2))
    .does(forward(2))
    .gets(fromServer(...begin))
    .does(toClient(...begin))
    .gets(fromClient(client.sync(), data, client.sync()))
    .does(ask(3, DATA, data))
    .gets(allow(3))
    .does(forward(3), ask(4, [["", "Sync"]], client.sync()))
    .gets(allow(4))
    .does(forward(4))
    .gets(fromServer(server.complete("COPY 1"), server.ready()))
    .does(note(2, { outcome: "COPY 1" }), note(4), toClient(server.complete("COPY 1"), server.ready()))
    .rests();
});

test("a statement amid a copy ends the session", () => {
  copyingIn()
    .gets(fromClient(client.query("select 1")))
    .does(
      toClient(fatalOf("08P01", "Cannot go on: a copy is under way")),
      close("Cannot go on: a copy is under way", "COPY_MESSAGE"),
    )
    .rests();
});

function copiedOut(
  name: string,
  columns: number,
  sent: readonly string[],
  shown: readonly string[],
  masks: number,
): void {
  test(name, () => {
    const messages = sent.map((line) => server.copyData(line));
    const end = [server.copyDone(), server.complete("COPY 1"), server.ready()] as const;
    copying(opened({ maskFor: maskPlainly }), OUT, "copy t to stdout")
      .gets(fromServer(server.copyOut(columns), ...messages, ...end))
      .does(
        note(2, {
          rows: sent.length,
          bytes: messages.reduce((sum, message) => sum + message.length, 0),
          masks: masks === 0 ? [] : [{ column: "copy", by: "detector:payment-card", count: masks }],
          outcome: "COPY 1",
        }),
        toClient(server.copyOut(columns), ...shown.map((line) => server.copyData(line)), ...end),
      )
      .rests();
  });
}

copiedOut("lines of a copy without findings pass", 2, ["1\tx\n", "2\t\\N\n"], ["1\tx\n", "2\t\\N\n"], 0);
copiedOut(
  "a finding in a line of a copy is masked, and the line stays a line",
  2,
  [`1\t${CARD}\n`],
  ["1\t[card]\n"],
  1,
);
copiedOut(
  "a finding behind an escape is masked, and the field is escaped again",
  2,
  [`1\ta\\t${CARD}\n`],
  ["1\ta\\t[card]\n"],
  1,
);
copiedOut("a csv line is masked as a whole", 2, [`1,"${CARD}"\n`], ['1,"[card]"\n'], 1);
copiedOut(
  "a line in several messages is put together first",
  1,
  ["x 41111111", "11111111\n", "y\n"],
  ["x [card]\n", "y\n"],
  1,
);
copiedOut("a line without its end is masked too", 1, [CARD], ["[card]"], 1);

test("a copy in binary form is refused where text may have to be masked", () => {
  const statement = client.query("copy t to stdout (format BINARY)");
  opened({ maskFor: maskPlainly })
    .gets(fromClient(statement))
    .does(
      ask(
        2,
        [
          ["sql.copy", "copy t to stdout (format BINARY)"],
          ["built-in:binary-copy", "copy t to stdout (format BINARY)"],
        ],
        statement,
      ),
    )
    .gets(deny(2, "built-in:binary-copy"))
    .does(ask(3, FAILING_ASKED, FAILING_QUERY))
    .rests();
});

test("a server that copies out in binary form all the same ends the session", () => {
  const text = "Cannot go on: a copy in binary form cannot be masked";
  copying(opened({ maskFor: maskPlainly }), OUT, "copy t to stdout")
    .gets(fromServer(server.copyOut(1, 1)))
    .does(toClient(fatalOf("08P01", text)), close(text, "COPY_BINARY"))
    .rests();
});

test("what one copy message holds beyond what a thread can bear becomes NULL", () => {
  const long = "x".repeat(1_100_000);
  const line = server.copyData(`a\t${long}\tb\n`);
  const shown = server.copyData("a\t\\N\t\\N\n");
  copying(opened({ maskFor: maskPlainly }), OUT, "copy t to stdout")
    .gets(fromServer(server.copyOut(3), line))
    .does(toClient(server.copyOut(3), shown))
    .rests();
});
