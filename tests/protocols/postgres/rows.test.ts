/**
 * Rows through a session as a wire brings them: in one memory for every read, cut anywhere, written over by the next. The quick
 * ways give the client, the counts and the recording what the mask of each value gives them.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createMasker } from "../../../src/masking/mask.ts";
import type { ColumnFacts, MaskFor, MaskStyle, ValueMask } from "../../../src/model/mask.ts";
import type { SessionCommand, SessionEvent } from "../../../src/model/session.ts";
import { PostgresSession } from "../../../src/protocols/postgres/session.ts";
import { allow, fromClient, loggedIn, start } from "../../kit/playbook.ts";
import { client, join, messagesIn, server } from "../../kit/wire.ts";
import { analyseByFirstWord, GREETING, STARTUP, worldOf } from "./kit.ts";

const masker = createMasker(new Uint8Array(32).fill(7));
/** Of a column, by its name's first letter: a row may have several of each. "s" is searched, "l" is shown and counted. */
const STYLES: Readonly<Record<string, MaskStyle>> = { p: "partial", r: "redact", n: "null", h: "hash" };
const WATCHED = new Set(["payment-card"]);

function quick(column: ColumnFacts): ValueMask | undefined {
  const letter = column.name.charAt(0);
  const style = (detector: string) =>
    detector === "" ? STYLES[letter] : letter === "s" && detector === "email" ? "redact" : undefined;
  const labels = "prnhl".includes(letter) ? ["pii"] : [];
  return masker.valueMask({ ...column, labels }, style, letter === "s" ? WATCHED : undefined);
}

/** The same without the quick ways. */
function slow(column: ColumnFacts): ValueMask | undefined {
  const mask = quick(column);
  if (mask === undefined) return undefined;
  const { shownBy, onlyWatches } = mask;
  return Object.assign(((value, saw) => mask(value, saw)) satisfies ValueMask, {
    ...(shownBy === undefined ? {} : { shownBy }),
    ...(onlyWatches === undefined ? {} : { onlyWatches }),
  });
}

interface Read {
  /** Bytes that the reads bring, over and over. */
  readonly cuts: readonly number[];
  readonly room: number;
}

const AT_ONCE: Read = { cuts: [1_000_000], room: 0 };

/** What a session makes of what a server says: the client's bytes, and all else that it tells. */
function heard(maskFor: MaskFor, said: Buffer, { cuts, room }: Read, keptRows: number) {
  const world = { ...worldOf({ maskFor }), output: { rows: keptRows, bytes: 100_000 } };
  const session = new PostgresSession(world, analyseByFirstWord);
  const sent: Buffer[] = [];
  const told: SessionCommand[] = [];
  const hear = (event: SessionEvent) => {
    for (const command of session.handle(event)) {
      if (command.kind === "toClient") sent.push(Buffer.from(command.bytes));
      else told.push(command);
    }
  };
  for (const event of [start, fromClient(STARTUP), allow(1), loggedIn(GREETING)]) hear(event);
  hear(fromClient(client.query("select 1")));
  hear(allow(2));
  sent.length = told.length = 0;
  const memory = Buffer.alloc(room + Math.max(...cuts));
  for (let at = 0, turn = 0; at < said.length; turn++) {
    const length = Math.min(cuts[turn % cuts.length] as number, said.length - at);
    memory.fill("@7");
    said.copy(memory, room, at, at + length);
    hear({ kind: "server", bytes: memory.subarray(room, room + length), room });
    at += length;
  }
  return { sent: join(...sent), told: told.map(inOrder) };
}

/** Counts of one note come in any order. */
function inOrder(command: SessionCommand): unknown {
  if (command.kind !== "note") return command;
  const { masks, shown = [], ...entry } = command.entry;
  const sorted = (counts: typeof masks) => counts.map(({ column, by, count }) => `${column} ${by} ${count}`).sort();
  return { ...entry, masks: sorted(masks), shown: sorted(shown) };
}

const CARD = "4111111111111111";
const value = fc.oneof(
  fc.constantFrom(null, "", "Bob", "Ann Lee", "anna lee", "219-10-0001", "4111 1111 1111 1111", CARD),
  fc.constantFrom("a@b.cd", "person1@example.com", "x, ann@example.com", "Jürgen Groß", `${CARD} bob@example.com`),
  fc.constantFrom("x".repeat(200), `${"long ".repeat(40)}ann@example.com`),
  fc.string({ unit: "binary", maxLength: 20 }).map((text) => text.toWellFormed()),
  fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes)),
);
const column = fc.record({
  name: fc.constantFrom("p1", "p2", "r", "n", "h", "s", "l", "x"),
  /** Texts, a number, JSON, and a record, whose binary form is no text. */
  type: fc.constantFrom(25, 25, 25, 1043, 23, 114, 3802, 2249),
  format: fc.constantFrom(0, 0, 1),
});
const answer = fc.array(column, { maxLength: 7 }).chain((columns) =>
  fc.record({
    columns: fc.constant(columns),
    rows: fc.array(fc.tuple(...columns.map(() => value)), { maxLength: 30 }),
  }),
);
const read = fc.record({
  cuts: fc.array(fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 2_000 })), {
    minLength: 1,
    maxLength: 5,
  }),
  room: fc.constantFrom(0, 1, 64, 4_096),
});
const keptRows = fc.constantFrom(0, 3, 1_000);

test("what the client gets, what is counted and what is kept is the same on every way", () => {
  let ways = 0;
  fc.assert(
    fc.property(answer, read, keptRows, ({ columns, rows }, how, kept) => {
      const said = join(
        server.columns(...columns),
        ...rows.map((row) => server.row(...row)),
        server.complete(`SELECT ${rows.length}`),
        server.ready(),
      );
      const expected = heard(slow, said, AT_ONCE, kept);
      const got = heard(quick, said, how, kept);
      assert.equal(got.sent.toString("latin1"), expected.sent.toString("latin1"));
      assert.deepEqual(got.told, expected.told);
      assert.equal(messagesIn(got.sent).length, rows.length + 3);
      ways += columns.some(({ name }) => name === "p1") ? 1 : 0;
    }),
    { numRuns: 1_500 },
  );
  assert.ok(ways > 150);
});

test("a large answer, in reads of a wire's size", () => {
  const columns = server.columns({ name: "id", type: 23 }, { name: "x" }, { name: "p1" }, { name: "p2" });
  const rows = Array.from({ length: 20_000 }, (_, at) =>
    server.row(
      `${at}`,
      `Person number ${at}`,
      `219-10-${String(at % 10_000).padStart(4, "0")}`,
      `person${at}@example.com`,
    ),
  );
  const said = join(columns, ...rows, server.complete("SELECT 20000"), server.ready());
  const { sent, told } = heard(quick, said, { cuts: [65_536], room: 4_096 }, 0);
  const shown = rows.map((_, at) =>
    server.row(`${at}`, `Person number ${at}`, `***-**-${String(at % 10_000).padStart(4, "0")}`, "p***@example.com"),
  );
  assert.ok(sent.equals(join(columns, ...shown, server.complete("SELECT 20000"), server.ready())));
  assert.deepEqual(told.at(-1), {
    askId: 2,
    rows: 20_000,
    bytes: join(...rows).length,
    outcome: "SELECT 20000",
    masks: ["p1 label:pii 20000", "p2 label:pii 20000"],
    shown: [],
  });
});
