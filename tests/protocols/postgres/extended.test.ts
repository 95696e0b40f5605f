import { test } from "node:test";
import { allow, ask, close, deny, forward, fromClient, fromServer, note, toClient } from "../../kit/playbook.ts";
import { client, hex, join, server } from "../../kit/wire.ts";
import {
  CARD,
  FAILING_ASKED,
  FAILING_PART,
  FAILING_SERIES,
  fatalOf,
  maskPlainly,
  opened,
  refusalOf,
  SYNTAX_ERROR,
} from "./kit.ts";

const parse = client.parse("", "select $1", [23]);
const bind = client.bind("", "", { values: ["7"] });
const describe = client.describe("P", "");
const execute = client.execute("");
const sync = client.sync();
const SERIES = join(parse, bind, describe, execute, sync);
const ANSWER = join(
  server.parsed(),
  server.bound(),
  server.columns({ name: "a", type: 23 }),
  server.row("7"),
  server.complete("SELECT 1"),
  server.ready(),
);
const ROW_BYTES = server.row("7").length;
const error = (code: string) => server.error({ S: "ERROR", V: "ERROR", C: code, M: "failed" });

test("a whole series is one ask with the client's own bytes and one forward", () => {
  opened()
    .gets(fromClient(SERIES))
    .does(ask(2, [["sql.read", "select $1", ["7"]]], SERIES))
    .gets(allow(2))
    .does(forward(2))
    .gets(fromServer(ANSWER))
    .does(note(2, { rows: 1, bytes: ROW_BYTES, outcome: "SELECT 1" }), toClient(ANSWER))
    .rests();
});

test("nothing is asked before the Sync or Flush that would make the server answer", () => {
  opened()
    .gets(fromClient(parse, bind))
    .rests()
    .gets(fromClient(describe, execute))
    .rests()
    .gets(fromClient(sync))
    .does(ask(2, [["sql.read", "select $1", ["7"]]], SERIES))
    .rests();
});

test("a statement that is only prepared is judged, and again at each Execute with its parameters", () => {
  const prepare = join(client.parse("s", "insert $1"), client.describe("S", "s"), sync);
  const run = join(client.bind("", "s", { values: ["a"] }), execute, sync);
  opened()
    .gets(fromClient(prepare))
    .does(ask(2, [["sql.insert", "insert $1"]], prepare))
    .gets(allow(2))
    .does(forward(2))
    .gets(fromServer(server.parsed(), server.parameters(25), server.noData(), server.ready()))
    .does(note(2), toClient(server.parsed(), server.parameters(25), server.noData(), server.ready()))
    .gets(fromClient(run))
    .does(ask(3, [["sql.insert", "insert $1", ["a"]]], run))
    .rests();
});

const decoded = [
  { name: "int4", type: 23, value: hex("ffffffff"), text: "-1" },
  { name: "int8", type: 20, value: hex("0000000100000000"), text: "4294967296" },
  { name: "int2", type: 21, value: hex("0007"), text: "7" },
  { name: "bool", type: 16, value: hex("01"), text: "t" },
  { name: "float8", type: 701, value: hex("3ff8000000000000"), text: "1.5" },
  { name: "text", type: 25, value: Buffer.from("né"), text: "né" },
  {
    name: "uuid",
    type: 2950,
    value: hex("00112233445566778899aabbccddeeff"),
    text: "00112233-4455-6677-8899-aabbccddeeff",
  },
  { name: "date", type: 1082, value: hex("00000001"), text: "2000-01-02" },
  { name: "timestamp", type: 1114, value: hex("00000000000f4240"), text: "2000-01-01T00:00:01.000Z" },
  { name: "jsonb", type: 3802, value: hex("017b7d"), text: "{}" },
  { name: "a type that nobody knows", type: 600, value: hex("0102"), text: "binary type 600: \\x0102" },
  { name: "an int4 of the wrong size", type: 23, value: hex("01"), text: "binary type 23: \\x01" },
] as const;
for (const { name, type, value, text } of decoded) {
  test(`a binary parameter of ${name} is told as a person reads it`, () => {
    const bytes = join(
      client.parse("", "insert $1", [type]),
      client.bind("", "", { formats: [1], values: [value] }),
      describe,
      execute,
      sync,
    );
    opened()
      .gets(fromClient(bytes))
      .does(ask(2, [["sql.insert", "insert $1", [text]]], bytes))
      .rests();
  });
}

test("NULL is told apart from text", () => {
  const bytes = join(
    client.parse("", "insert $1"),
    client.bind("", "", { values: [null, "NULL"] }),
    describe,
    execute,
    sync,
  );
  opened()
    .gets(fromClient(bytes))
    .does(ask(2, [["sql.insert", "insert $1", [null, "NULL"]]], bytes))
    .rests();
});

test("a refused series is replaced by a Parse that fails under a reserved name, and its Sync", () => {
  const bytes = join(client.parse("", "drop x"), bind, describe, execute, sync);
  opened()
    .gets(fromClient(bytes))
    .does(ask(2, [["sql.define", "drop x", ["7"]]], bytes))
    .gets(deny(2, "no-ddl"))
    .does(ask(3, FAILING_ASKED, FAILING_SERIES))
    .gets(allow(3))
    .does(forward(3))
    .gets(fromServer(SYNTAX_ERROR, server.ready()))
    .does(toClient(refusalOf("no-ddl"), server.ready()))
    .gets(fromClient(SERIES))
    .does(ask(4, [["sql.read", "select $1", ["7"]]], SERIES))
    .rests();
});

test("a refusal after a Flush drops everything until the Sync, which is forwarded", () => {
  const first = join(client.parse("", "insert 1"), client.bind("", ""), describe, execute, client.flush());
  const second = join(client.parse("", "drop x"), client.bind("", ""), describe, execute, client.flush());
  const dropped = join(client.parse("", "insert 2"), client.bind("", ""), execute);
  opened()
    .gets(fromClient(first))
    .does(ask(2, [["sql.insert", "insert 1"]], first))
    .gets(allow(2))
    .does(forward(2))
    .gets(fromClient(second, dropped))
    .does(ask(3, [["sql.define", "drop x"]], second))
    .gets(deny(3, "no-ddl"))
    .does(ask(4, FAILING_ASKED, FAILING_PART))
    .gets(allow(4))
    .does(forward(4))
    .gets(fromClient(client.flush(), sync))
    .does(ask(5, [["", "Sync"]], sync))
    .gets(allow(5))
    .does(forward(5))
    .gets(
      fromServer(
        server.parsed(),
        server.bound(),
        server.noData(),
        server.complete("INSERT 0 1"),
        SYNTAX_ERROR,
        server.ready(),
      ),
    )
    .does(
      note(2, { outcome: "INSERT 0 1" }),
      toClient(
        server.parsed(),
        server.bound(),
        server.noData(),
        server.complete("INSERT 0 1"),
        refusalOf("no-ddl"),
        server.ready(),
      ),
    )
    .rests();
});

test("an Execute that nobody described is preceded by a Describe whose answer the client does not see", () => {
  const sent = join(parse, bind, execute, sync);
  const forwarded = join(parse, bind, describe, execute, sync);
  opened()
    .gets(fromClient(sent))
    .does(ask(2, [["sql.read", "select $1", ["7"]]], forwarded))
    .gets(allow(2))
    .does(forward(2))
    .gets(fromServer(ANSWER))
    .does(
      note(2, { rows: 1, bytes: ROW_BYTES, outcome: "SELECT 1" }),
      toClient(server.parsed(), server.bound(), server.row("7"), server.complete("SELECT 1"), server.ready()),
    )
    .rests();
});

test("a described statement needs no Describe again, and its rows are masked in the formats of the Bind", () => {
  const prepare = join(client.parse("s", "select x"), client.describe("S", "s"), sync);
  const described = [server.parsed(), server.parameters(), server.columns({ name: "x", type: 3802 }), server.ready()];
  const run = join(client.bind("", "s", { results: [1] }), execute, sync);
  const row = server.row(join(hex("01"), Buffer.from(`"${CARD}"`)));
  opened({ maskFor: (column) => (column.format === "binary" ? maskPlainly(column) : undefined) })
    .gets(fromClient(prepare))
    .does(ask(2, [["sql.read", "select x"]], prepare))
    .gets(allow(2))
    .does(forward(2))
    .gets(fromServer(...described))
    .does(note(2), toClient(...described))
    .gets(fromClient(run))
    .does(ask(3, [["sql.read", "select x"]], run))
    .gets(allow(3))
    .does(forward(3))
    .gets(fromServer(server.bound(), row, server.complete("SELECT 1"), server.ready()))
    .does(
      note(3, {
        rows: 1,
        bytes: row.length,
        outcome: "SELECT 1",
        masks: [{ column: "x", by: "detector:payment-card", count: 1 }],
      }),
      toClient(
        server.bound(),
        server.row(join(hex("01"), Buffer.from('"[card]"'))),
        server.complete("SELECT 1"),
        server.ready(),
      ),
    )
    .rests();
});

test("code that runs may give a described statement's name to another, in words that nobody sees: it is described anew", () => {
  const prepare = join(client.parse("s", "select n"), client.describe("S", "s"), sync);
  const described = [server.parsed(), server.parameters(), server.columns({ name: "n", type: 23 }), server.ready()];
  const bound = client.bind("", "s");
  const run = join(bound, execute, sync);
  const code = client.query("execute f");
  const done = join(server.complete("DO"), server.ready());
  const columns = server.columns({ name: "card" });
  const row = server.row(CARD);
  opened({ maskFor: maskPlainly })
    .gets(fromClient(prepare))
    .does(ask(2, [["sql.read", "select n"]], prepare))
    .gets(allow(2))
    .does(forward(2))
    .gets(fromServer(...described))
    .does(note(2), toClient(...described))
    .gets(fromClient(code))
    .does(ask(3, [["sql.call", "execute f"]], code))
    .gets(allow(3))
    .does(forward(3))
    .gets(fromServer(done))
    .does(note(3, { outcome: "DO" }), toClient(done))
    .gets(fromClient(run))
    .does(ask(4, [["sql.read", "select n"]], join(bound, describe, execute, sync)))
    .gets(allow(4))
    .does(forward(4))
    .gets(fromServer(server.bound(), columns, row, server.complete("SELECT 1"), server.ready()))
    .does(
      note(4, {
        rows: 1,
        bytes: row.length,
        outcome: "SELECT 1",
        masks: [{ column: "card", by: "detector:payment-card", count: 1 }],
      }),
      toClient(server.bound(), server.row("[card]"), server.complete("SELECT 1"), server.ready()),
    )
    .rests();
});

test("a portal that is suspended goes on in the next series", () => {
  const first = join(parse, bind, describe, client.execute("", 1), client.flush());
  const again = join(client.execute("", 1), sync);
  opened()
    .gets(fromClient(first))
    .does(ask(2, [["sql.read", "select $1", ["7"]]], first))
    .gets(allow(2))
    .does(forward(2))
    .gets(
      fromServer(
        server.parsed(),
        server.bound(),
        server.columns({ name: "a", type: 23 }),
        server.row("1"),
        server.suspended(),
      ),
    )
    .does(
      note(2, { rows: 1, bytes: ROW_BYTES }),
      toClient(
        server.parsed(),
        server.bound(),
        server.columns({ name: "a", type: 23 }),
        server.row("1"),
        server.suspended(),
      ),
    )
    .gets(fromClient(again))
    .does(ask(3, [["sql.read", "select $1", ["7"]]], again))
    .gets(allow(3))
    .does(forward(3))
    .gets(fromServer(server.row("2"), server.complete("SELECT 1"), server.ready()))
    .does(
      note(3, { rows: 1, bytes: ROW_BYTES, outcome: "SELECT 1" }),
      toClient(server.row("2"), server.complete("SELECT 1"), server.ready()),
    )
    .rests();
});

test("after an error of the server the rest of the series is not waited for", () => {
  const next = join(client.parse("", "insert 1"), client.bind("", ""), describe, execute, sync);
  opened()
    .gets(fromClient(SERIES, next))
    .does(ask(2, [["sql.read", "select $1", ["7"]]], SERIES))
    .gets(allow(2))
    .does(forward(2), ask(3, [["sql.insert", "insert 1"]], next))
    .gets(allow(3))
    .does(forward(3))
    .gets(fromServer(server.parsed(), error("22012"), server.ready()))
    .does(
      note(2, { error: { code: "22012", message: "failed" } }),
      toClient(server.parsed(), error("22012"), server.ready()),
    )
    .gets(fromServer(server.parsed(), server.bound(), server.noData(), server.complete("INSERT 0 1"), server.ready()))
    .does(
      note(3, { outcome: "INSERT 0 1" }),
      toClient(server.parsed(), server.bound(), server.noData(), server.complete("INSERT 0 1"), server.ready()),
    )
    .rests();
});

test("an error before the Sync is sent makes the server skip what follows, so it is not even asked for", () => {
  const first = join(client.parse("", "select 1"), client.flush());
  const rest = join(client.bind("", ""), describe, execute, sync);
  opened()
    .gets(fromClient(first))
    .does(ask(2, [["sql.read", "select 1"]], first))
    .gets(allow(2))
    .does(forward(2))
    .gets(fromServer(error("42601")))
    .does(note(2, { error: { code: "42601", message: "failed" } }), toClient(error("42601")))
    .gets(fromClient(rest))
    .does(ask(3, [["", "Sync"]], sync))
    .gets(allow(3))
    .does(forward(3))
    .gets(fromServer(server.ready()))
    .does(toClient(server.ready()))
    .rests();
});

const inSql = [
  {
    name: "a Bind of a statement",
    bytes: join(client.bind("", 'made "by" sql'), client.execute(""), sync),
    sent: join(client.bind("", 'made "by" sql'), describe, client.execute(""), sync),
    text: 'EXECUTE "made ""by"" sql"',
    action: "sql.call",
  },
  {
    name: "a Describe of a statement",
    bytes: join(client.describe("S", "s"), sync),
    sent: join(client.describe("S", "s"), sync),
    text: 'EXECUTE "s"',
    action: "sql.call",
  },
  {
    name: "a Bind alone of a statement",
    bytes: join(client.bind("p", "s"), sync),
    sent: join(client.bind("p", "s"), sync),
    text: 'EXECUTE "s"',
    action: "sql.call",
  },
  {
    name: "an Execute of a portal",
    bytes: join(client.execute("c"), sync),
    sent: join(client.describe("P", "c"), client.execute("c"), sync),
    text: 'FETCH ALL FROM "c"',
    action: "",
  },
  {
    name: "a Describe of a portal",
    bytes: join(client.describe("P", "c"), sync),
    sent: join(client.describe("P", "c"), sync),
    text: 'FETCH ALL FROM "c"',
    action: "",
  },
] as const;
for (const { name, bytes, sent, text, action } of inSql) {
  test(`${name} that was not made through the protocol is judged as the SQL that does the same, and described`, () => {
    opened()
      .gets(fromClient(bytes))
      .does(ask(2, [[action, text]], sent))
      .rests();
  });
}

test("rows of a cursor that SQL has declared are shown as its description says", () => {
  const run = join(client.execute("c"), sync);
  const columns = server.columns({ name: "n" });
  const rows = join(server.row("1"), server.complete("FETCH 1"), server.ready("T"));
  opened()
    .gets(fromClient(run))
    .does(ask(2, [["", 'FETCH ALL FROM "c"']], join(client.describe("P", "c"), run)))
    .gets(allow(2))
    .does(forward(2))
    .gets(fromServer(columns, rows))
    .does(note(2, { rows: 1, bytes: server.row("1").length, outcome: "FETCH 1" }), toClient(rows))
    .rests();
});

test("of a name that nobody has made, the server's own error is shown", () => {
  const run = join(client.bind("", "none"), client.execute(""), sync);
  const failed = join(server.error({ C: "26000", M: "none" }), server.ready());
  opened()
    .gets(fromClient(run))
    .does(ask(2, [["sql.call", 'EXECUTE "none"']], join(client.bind("", "none"), describe, client.execute(""), sync)))
    .gets(allow(2))
    .does(forward(2))
    .gets(fromServer(failed))
    .does(note(2, { error: { code: "26000", message: "none" } }), toClient(failed))
    .rests();
});

test("a portal that a cursor of its name may have replaced is refused until its transaction has ended", () => {
  const made = join(client.parse("", "delete"), client.bind("p", ""), sync);
  const bound = join(server.parsed(), server.bound(), server.ready("T"));
  const declare = client.query("declare p cursor for select 1");
  const failed = (status: string) => join(error("42P03"), server.ready(status));
  const run = join(client.execute("p"), sync);
  const declared = (status: string) =>
    opened()
      .gets(fromClient(made))
      .does(ask(2, [["sql.delete", "delete"]], made))
      .gets(allow(2))
      .does(forward(2))
      .gets(fromServer(bound))
      .does(note(2), toClient(bound))
      .gets(fromClient(declare))
      .does(ask(3, [["", "declare p cursor for select 1"]], declare))
      .gets(allow(3))
      .does(forward(3))
      .gets(fromServer(failed(status)))
      .does(note(3, { error: { code: "42P03", message: "failed" } }), toClient(failed(status)))
      .gets(fromClient(run));
  declared("E")
    .does(ask(4, [["built-in:unknown-name", ""]], run))
    .rests();
  declared("I")
    .does(ask(4, [["", 'FETCH ALL FROM "p"']], join(client.describe("P", "p"), run)))
    .rests();
});

const unknown = [
  { name: "the unnamed statement", bytes: join(client.bind("", ""), sync) },
  { name: "the unnamed portal", bytes: join(client.execute(""), sync) },
  { name: "a name that SQL would cut off", bytes: join(client.execute("é".repeat(32)), sync) },
] as const;
for (const { name, bytes } of unknown) {
  test(`${name} that was not made through the protocol is refused`, () => {
    opened()
      .gets(fromClient(bytes))
      .does(ask(2, [["built-in:unknown-name", ""]], bytes))
      .rests();
  });
}

test("a name that begins as Sallyport's own is refused", () => {
  const bytes = join(client.parse("sallyport.refused", "select 1"), sync);
  opened()
    .gets(fromClient(bytes))
    .does(ask(2, [["built-in:reserved-name", "select 1"]], bytes))
    .rests();
});

test("a name that is prepared twice is judged as what the server kept", () => {
  const first = join(client.parse("s", "delete 1"), sync);
  const second = join(client.parse("s", "select 1"), sync);
  const run = join(client.bind("", "s"), describe, execute, sync);
  opened()
    .gets(fromClient(first, second, run))
    .does(ask(2, [["sql.delete", "delete 1"]], first))
    .gets(allow(2))
    .does(forward(2), ask(3, [["sql.read", "select 1"]], second))
    .gets(allow(3))
    // Nothing is answered yet: it may be either of them, so whoever uses it waits.
    .does(forward(3))
    .gets(fromServer(server.parsed(), server.ready()))
    .does(note(2), toClient(server.parsed(), server.ready()))
    .gets(fromServer(error("42P05"), server.ready()))
    .does(
      note(3, { error: { code: "42P05", message: "failed" } }),
      toClient(error("42P05"), server.ready()),
      ask(4, [["sql.delete", "delete 1"]], run),
    )
    .gets(deny(4, "no-delete"))
    .does(ask(5, FAILING_ASKED, FAILING_SERIES))
    .rests();
});

test("a statement behind a Close that the server skipped is judged as itself, not as what was to follow it", () => {
  const prepare = join(client.parse("s", "delete 1"), sync);
  const failing = join(client.parse("", "select wrong"), client.close("S", "s"), sync);
  const again = join(client.parse("s", "select 1"), sync);
  const run = join(client.bind("", "s"), describe, execute, sync);
  opened()
    .gets(fromClient(prepare))
    .does(ask(2, [["sql.delete", "delete 1"]], prepare))
    .gets(allow(2))
    .does(forward(2))
    .gets(fromServer(server.parsed(), server.ready()))
    .does(note(2), toClient(server.parsed(), server.ready()))
    .gets(fromClient(failing, again, run))
    .does(ask(3, [["sql.read", "select wrong"]], failing))
    .gets(allow(3))
    .does(forward(3), ask(4, [["sql.read", "select 1"]], again))
    .gets(allow(4))
    .does(forward(4))
    .gets(fromServer(error("42601"), server.ready(), error("42P05"), server.ready()))
    .does(
      note(3, { error: { code: "42601", message: "failed" } }),
      note(4, { error: { code: "42P05", message: "failed" } }),
      toClient(error("42601"), server.ready(), error("42P05"), server.ready()),
      ask(5, [["sql.delete", "delete 1"]], run),
    )
    .rests();
});

test("a name that SQL text takes away and gives anew is unknown, also where that text was prepared earlier", () => {
  const texts = join(client.parse("take", "deallocate s"), client.parse("give", "prepare s as delete 1"), sync);
  const prepare = join(client.parse("s", "select 1"), sync);
  const swap = join(client.bind("", "take"), execute, client.bind("", "give"), execute, sync);
  const run = join(client.bind("p", "s"), sync);
  const answers = join(server.parsed(), server.ready());
  opened()
    .gets(fromClient(texts))
    .does(
      ask(
        2,
        [
          ["", "deallocate s"],
          ["", "prepare s as delete 1"],
        ],
        texts,
      ),
    )
    .gets(allow(2))
    .does(forward(2))
    .gets(fromServer(server.parsed(), answers))
    .does(note(2), toClient(server.parsed(), answers))
    .gets(fromClient(prepare))
    .does(ask(3, [["sql.read", "select 1"]], prepare))
    .gets(allow(3))
    .does(forward(3))
    .gets(fromServer(answers))
    .does(note(3), toClient(answers))
    .gets(fromClient(swap))
    .does(
      ask(
        4,
        [
          ["", "deallocate s"],
          ["", "prepare s as delete 1"],
        ],
        join(...[client.bind("", "take"), describe, execute], ...[client.bind("", "give"), describe, execute, sync]),
      ),
    )
    .gets(allow(4))
    .does(forward(4))
    .gets(fromClient(run))
    .does(ask(5, [["sql.call", 'EXECUTE "s"']], run))
    .rests();
});

test("a portal is described anew when another one has run since: CLOSE and DECLARE can have swapped what it reads", () => {
  const begin = join(client.parse("f", "select 1"), client.bind("p", "f"), client.describe("P", "p"));
  const swap = join(client.parse("", "select 2"), client.bind("", ""), describe, execute);
  const run = client.execute("p");
  opened()
    .gets(fromClient(begin, swap, run, sync))
    .does(
      ask(
        2,
        [
          ["sql.read", "select 2"],
          ["sql.read", "select 1"],
        ],
        join(begin, swap, client.describe("P", "p"), run, sync),
      ),
    )
    .rests();
});

test("statements that would keep too much memory together are refused", () => {
  const text = `select ${"x".repeat(250_000)}`;
  const prepares = Array.from({ length: 70 }, (_, number) => join(client.parse(`s${number}`, text), sync));
  const play = opened();
  for (let number = 0; number < 67; number++) {
    const prepare = prepares[number] as Buffer;
    const answer = join(server.parsed(), server.ready());
    play
      .gets(fromClient(prepare))
      .does(ask(number + 2, [["sql.read", text]], prepare))
      .gets(allow(number + 2))
      .does(forward(number + 2))
      .gets(fromServer(answer))
      .does(note(number + 2), toClient(answer));
  }
  const refused = prepares[67] as Buffer;
  play
    .gets(fromClient(refused))
    .does(ask(69, [["built-in:too-many-names", text]], refused))
    .rests();
});

test("a closed statement is unknown from then on; who uses it waits until the server has closed it, or has not", () => {
  const prepare = join(client.parse("s", "select 1"), sync);
  const closing = join(client.parse("t", "select 2"), client.close("S", "s"), sync);
  const run = join(client.bind("", "s"), describe, execute, sync);
  const prepared = join(server.parsed(), server.ready());
  const asked = () =>
    opened()
      .gets(fromClient(prepare))
      .does(ask(2, [["sql.read", "select 1"]], prepare))
      .gets(allow(2))
      .does(forward(2))
      .gets(fromServer(prepared))
      .does(note(2), toClient(prepared))
      .gets(fromClient(closing, run))
      .does(ask(3, [["sql.read", "select 2"]], closing))
      .gets(allow(3))
      .does(forward(3));
  const done = join(server.parsed(), server.closed(), server.ready());
  asked()
    .gets(fromServer(done))
    .does(note(3), toClient(done), ask(4, [["sql.call", 'EXECUTE "s"']], run))
    .rests();
  const failed = join(error("42601"), server.ready());
  asked()
    .gets(fromServer(failed))
    .does(
      note(3, { error: { code: "42601", message: "failed" } }),
      toClient(failed),
      ask(4, [["sql.read", "select 1"]], run),
    )
    .rests();
});

test("a name that a failed Parse gave anew and a skipped Close took away stands for what it did", () => {
  const prepare = join(client.parse("s", "select 1"), client.parse("s", "select 2"), client.close("S", "s"), sync);
  const run = join(client.bind("", "s"), describe, execute, sync);
  const failed = join(server.parsed(), error("42P05"), server.ready());
  opened()
    .gets(fromClient(prepare))
    .does(
      ask(
        2,
        [
          ["sql.read", "select 1"],
          ["sql.read", "select 2"],
        ],
        prepare,
      ),
    )
    .gets(allow(2))
    .does(forward(2))
    .gets(fromServer(failed))
    .does(note(2, { error: { code: "42P05", message: "failed" } }), toClient(failed))
    .gets(fromClient(run))
    .does(ask(3, [["sql.read", "select 1"]], run))
    .rests();
});

test("a Sync with a body ends the session: what follows a refusal is forwarded as it is", () => {
  const text = "Cannot read a message: it has a body, where it must have none";
  opened()
    .gets(fromClient(Buffer.from("53000000095100000020", "hex")))
    .does(toClient(fatalOf("08P01", text)), close(text, "FRAME_BODY"))
    .rests();
});

test("a name that SQL took away and gave anew is unknown", () => {
  const prepare = join(client.parse("s", "select 1"), sync);
  const swap = client.query("deallocate s; prepare s as delete");
  const run = join(client.bind("", "s"), describe, execute, sync);
  opened()
    .gets(fromClient(prepare, swap, run))
    .does(ask(2, [["sql.read", "select 1"]], prepare))
    .gets(allow(2))
    .does(
      forward(2),
      ask(
        3,
        [
          ["", "deallocate s"],
          ["", "prepare s as delete"],
        ],
        swap,
      ),
    )
    .gets(allow(3))
    .does(forward(3), ask(4, [["sql.call", 'EXECUTE "s"']], run));
});

test("a server that sends rows for an Execute without describing them ends the session", () => {
  const text = "Cannot go on: the server sent a message with a row that was not described";
  opened()
    .gets(fromClient(SERIES))
    .does(ask(2, [["sql.read", "select $1", ["7"]]], SERIES))
    .gets(allow(2))
    .does(forward(2))
    .gets(fromServer(server.parsed(), server.bound(), server.noData(), server.row("7")))
    .does(toClient(fatalOf("08P01", text)), close(text, "SERVER_MESSAGE"))
    .rests();
});
