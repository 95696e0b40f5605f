/** Rows that are kept of an answer: what the client gets, after its masks, up to the caps; nothing where nobody asked for it. */
import { test } from "node:test";
import type { MaskFor } from "../../../src/model/mask.ts";
import type { OutputCaps, OutputValue } from "../../../src/model/session.ts";
import { PostgresSession } from "../../../src/protocols/postgres/session.ts";
import {
  allow,
  ask,
  close,
  type Expected,
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
import { client, join, server } from "../../kit/wire.ts";
import { analyseByFirstWord, CARD, fatalOf, GREETED, GREETING, maskPlainly, STARTUP, worldOf } from "./kit.ts";

const QUERY = client.query("select x");
const END = [server.complete("SELECT 1"), server.ready()] as const;

function reading(caps: OutputCaps | undefined, maskFor: MaskFor = () => undefined, query = QUERY, kind = "sql.read") {
  const world = { ...worldOf({ maskFor }), ...(caps === undefined ? {} : { output: caps }) };
  return new Playbook(new PostgresSession(world, analyseByFirstWord))
    .gets(start, fromClient(STARTUP))
    .does(ask(1, [["connect", "connect to shop"]]))
    .gets(allow(1))
    .does(login(1, { database: "shop", parameters: {} }))
    .gets(loggedIn(GREETING))
    .does(toClient(GREETED))
    .gets(fromClient(query))
    .does(ask(2, [[kind, query.toString("latin1", 5, query.length - 1)]], query))
    .gets(allow(2))
    .does(forward(2));
}

const output = (
  columns: readonly string[],
  rows: readonly (readonly OutputValue[])[],
  truncated = false,
): Expected => ({
  kind: "output",
  entry: { askId: 2, columns, rows, truncated },
});
const CAPS = { rows: 3, bytes: 200 };
const columns = server.columns({ name: "a" }, { name: "n", type: 23 });
const two = [server.row("x", "1"), server.row(null, "")] as const;

test("nothing is kept where the settings say nothing", () => {
  reading(undefined)
    .gets(fromServer(columns, ...two, ...END))
    .does(note(2, { rows: 2, bytes: join(...two).length, outcome: "SELECT 1" }), toClient(columns, ...two, ...END))
    .rests();
});

test("rows are kept as they are, NULL apart from the empty text", () => {
  reading(CAPS)
    .gets(fromServer(columns, ...two, ...END))
    .does(
      output(
        ["a", "n"],
        [
          ["x", "1"],
          [null, ""],
        ],
      ),
      note(2, { rows: 2, bytes: join(...two).length, outcome: "SELECT 1" }),
      toClient(columns, ...two, ...END),
    )
    .rests();
});

test("of a masked value the mask is kept, never the value", () => {
  const row = server.row(`card ${CARD}`, "1");
  reading(CAPS, maskPlainly)
    .gets(fromServer(columns, row, ...END))
    .does(
      output(["a", "n"], [["card [card]", "1"]]),
      note(2, {
        rows: 1,
        bytes: row.length,
        masks: [{ column: "a", by: "detector:payment-card", count: 1 }],
        outcome: "SELECT 1",
      }),
      toClient(columns, server.row("card [card]", "1"), ...END),
    )
    .rests();
});

test("rows beyond the cap pass and are said to be missing", () => {
  const rows = ["1", "2", "3", "4", "5"].map((n) => server.row(n, n));
  reading(CAPS)
    .gets(fromServer(columns, ...rows, ...END))
    .does(
      output(
        ["a", "n"],
        [
          ["1", "1"],
          ["2", "2"],
          ["3", "3"],
        ],
        true,
      ),
      note(2, { rows: 5, bytes: join(...rows).length, outcome: "SELECT 1" }),
      toClient(columns, ...rows, ...END),
    )
    .rests();
});

test("exactly as many rows as the cap are all of them", () => {
  const rows = ["1", "2", "3"].map((n) => server.row(n, n));
  reading(CAPS)
    .gets(fromServer(columns, ...rows, ...END))
    .does(
      output(
        ["a", "n"],
        [
          ["1", "1"],
          ["2", "2"],
          ["3", "3"],
        ],
      ),
      note(2, { rows: 3, bytes: join(...rows).length, outcome: "SELECT 1" }),
      toClient(columns, ...rows, ...END),
    )
    .rests();
});

test("a row that is longer than what is left is left out as a whole, and need not be here as a whole to pass", () => {
  const long = server.row("y".repeat(500), "1");
  reading(CAPS)
    .gets(fromServer(columns, two[0], long.subarray(0, 100)))
    .does(toClient(columns, two[0], long.subarray(0, 100)))
    .gets(fromServer(long.subarray(100), ...END))
    .does(
      output(["a", "n"], [["x", "1"]], true),
      note(2, { rows: 2, bytes: join(two[0], long).length, outcome: "SELECT 1" }),
      toClient(long.subarray(100), ...END),
    )
    .rests();
});

test("the next result of the same answer names its columns again", () => {
  const other = server.columns({ name: "b" });
  reading({ rows: 9, bytes: 900 }, () => undefined, client.query("select x"))
    .gets(fromServer(columns, two[0], server.complete("SELECT 1"), other, server.row("z"), ...END))
    .does(
      output(["a", "n"], [["x", "1"]]),
      output(["b"], [["z"]]),
      note(2, { rows: 2, bytes: join(two[0], server.row("z")).length, outcome: "SELECT 1; SELECT 1" }),
      toClient(columns, two[0], server.complete("SELECT 1"), other, server.row("z"), ...END),
    )
    .rests();
});

test("what is no text is kept as bytes", () => {
  const latin1 = server.row(Buffer.from([0xe4, 0x20]), "1");
  reading(CAPS)
    .gets(fromServer(columns, latin1, ...END))
    .does(
      output(["a", "n"], [[{ hex: "e420" }, "1"]]),
      note(2, { rows: 1, bytes: latin1.length, outcome: "SELECT 1" }),
      toClient(columns, latin1, ...END),
    )
    .rests();
});

const COPY = client.query("copy t to stdout");
test("lines of a copy are kept as the client gets them", () => {
  const [begin, data, done] = [server.copyOut(1), server.copyData(`1\n${CARD}\n`), server.copyDone()];
  const masked = server.copyData("1\n[card]\n");
  const end = [server.complete("COPY 2"), server.ready()] as const;
  reading(CAPS, maskPlainly, COPY, "sql.copy")
    .gets(fromServer(begin, data, done, ...end))
    .does(
      output(["copy"], [["1"], ["[card]"]]),
      note(2, {
        rows: 1,
        bytes: data.length,
        masks: [{ column: "copy", by: "detector:payment-card", count: 1 }],
        outcome: "COPY 2",
      }),
      toClient(begin, masked, done, ...end),
    )
    .rests();
});

test("an answer that the session's end cuts off is recorded as far as it came, and says so", () => {
  const reason = "the policy does not allow this connection any more";
  reading(CAPS)
    .gets(fromServer(columns, ...two))
    .does(toClient(columns, ...two))
    .gets(stop(reason))
    .does(
      toClient(fatalOf("57P01", reason)),
      output(
        ["a", "n"],
        [
          ["x", "1"],
          [null, ""],
        ],
        true,
      ),
      note(2, {
        rows: 2,
        bytes: join(...two).length,
        outcome: "",
        error: { code: "cut", message: "The session ended within the answer" },
      }),
      close(reason),
    )
    .rests();
});

/** Finds cards and shows them. */
const watchPlainly: MaskFor = ({ valueKind }) => {
  if (valueKind === "other") return undefined;
  const watch = (value: Uint8Array, saw?: (by: string) => void) => {
    if (Buffer.from(value).toString("latin1").includes(CARD)) saw?.("detector:payment-card");
    return undefined;
  };
  return Object.assign(watch, { onlyWatches: true } as const);
};

test("what a detector finds and the rules show is counted, and the row passes as it is", () => {
  const row = server.row(`card ${CARD}`, "1");
  reading(undefined, watchPlainly)
    .gets(fromServer(columns, row, ...END))
    .does(
      note(2, {
        rows: 1,
        bytes: row.length,
        shown: [{ column: "a", by: "detector:payment-card", count: 1 }],
        outcome: "SELECT 1",
      }),
      toClient(columns, row, ...END),
    )
    .rests();
});

test("a row that is too long to be watched counts its labelled columns as shown all the same", () => {
  const labelled: MaskFor = (column) =>
    Object.assign(() => undefined, {
      onlyWatches: true as const,
      ...(column.name === "a" ? { shownBy: "label:pii" } : {}),
    });
  const long = server.row("y".repeat(300_000), "1");
  reading(undefined, labelled)
    .gets(fromServer(columns, long.subarray(0, 1_000)))
    .does(toClient(columns, long.subarray(0, 1_000)))
    .gets(fromServer(long.subarray(1_000), ...END))
    .does(
      note(2, {
        rows: 1,
        bytes: long.length,
        shown: [
          { column: "(row)", by: "too-long", count: 1 },
          { column: "a", by: "label:pii", count: 1 },
        ],
        outcome: "SELECT 1",
      }),
      toClient(long.subarray(1_000), ...END),
    )
    .rests();
});

test("a row that is too long to be watched passes before all of it is here, and counts as shown unsearched", () => {
  const long = server.row("y".repeat(300_000), "1");
  reading(undefined, watchPlainly)
    .gets(fromServer(columns, long.subarray(0, 1_000)))
    .does(toClient(columns, long.subarray(0, 1_000)))
    .gets(fromServer(long.subarray(1_000), ...END))
    .does(
      note(2, {
        rows: 1,
        bytes: long.length,
        shown: [{ column: "(row)", by: "too-long", count: 1 }],
        outcome: "SELECT 1",
      }),
      toClient(long.subarray(1_000), ...END),
    )
    .rests();
});

for (const [name, binary] of [
  ["text", 0],
  ["binary", 1],
] as const) {
  test(`a copy in ${name} form that is only watched passes untouched`, () => {
    const [begin, data, done] = [server.copyOut(1, binary), server.copyData(`1\n${CARD}\n`), server.copyDone()];
    const end = [server.complete("COPY 2"), server.ready()] as const;
    const shown = [{ column: "copy", by: "detector:payment-card", count: 1 }];
    reading(undefined, watchPlainly, COPY, "sql.copy")
      .gets(fromServer(begin, data, done, ...end))
      .does(
        note(2, { rows: 1, bytes: data.length, ...(binary === 0 ? { shown } : {}), outcome: "COPY 2" }),
        toClient(begin, data, done, ...end),
      )
      .rests();
  });
}
