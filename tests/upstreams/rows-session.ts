/** Servers that misbehave once a client is let in. Rows only. */
import { client, int32, message, server } from "../kit/wire.ts";
import type { Serve, Visit } from "./hostile.ts";
import {
  after,
  answering,
  asked,
  authentication,
  behave,
  COLUMN,
  LENGTHS,
  lying,
  type QuickRow,
  quick,
  RESULT,
  ROW,
  type Row,
  silence,
} from "./row.ts";

const LIE = { kind: "fault", code: "SERVER_MESSAGE", sqlState: "08P01" } as const;
const BROKEN_FRAME = { ...LIE, code: "FRAME_LENGTH" } as const;
const BROKEN_BODY = { ...LIE, code: "FRAME_BODY" } as const;
const BROKEN_ROW = { ...LIE, code: "ROW_SHAPE" } as const;
const GONE = { kind: "gone" } as const;
const LEFT = { kind: "left" } as const;
const ANSWERED = { kind: "answered" } as const;
/** Nothing bounds a query but its client: it leaves after this. */
const PATIENCE = { staysMs: 1_000 } as const;
/** The client is not owed a second answer by a server that has been caught, and does not ask to wait for it. */
const HALF_ROW = ROW.subarray(0, 8);

const HOLES: readonly QuickRow[] = [
  { name: "is silent once it is ready", serve: after(silence), call: PATIENCE, ends: LEFT },
  { name: "never answers the first query", serve: asked(silence), call: PATIENCE, ends: LEFT },
  { name: "is silent after it has described rows", serve: answering(COLUMN), call: PATIENCE, ends: LEFT },
  { name: "is silent amid a row", serve: answering(COLUMN, HALF_ROW), call: PATIENCE, ends: LEFT },
  { name: "is silent amid a header", serve: answering(COLUMN, ROW.subarray(0, 3)), call: PATIENCE, ends: LEFT },
  {
    name: "is silent before it is ready again",
    serve: answering(COLUMN, ROW, server.complete("SELECT 1")),
    call: PATIENCE,
    ends: LEFT,
  },
  {
    name: "promises a row of 2 GiB and sends none of it",
    serve: answering(COLUMN, lying("D", 0x7fff_ffff)),

    ends: { ...LIE, code: "FRAME_LENGTH" },
  },
  {
    name: "is slow: a byte each 2 ms",
    serve: asked(async (visit) => {
      await visit.drip(RESULT, 2);
      await behave(visit);
    }),
    ends: { kind: "answered", rows: 1 },
    withinMs: 10_000,
  },
];

const ENDS: readonly QuickRow[] = (
  [
    ["once it is ready", after],
    ["on the first query", asked],
    [
      "after it has described rows",
      (does: Serve) =>
        asked(async (visit) => {
          await visit.send(COLUMN);
          await does(visit);
        }),
    ],
    [
      "amid a row",
      (does: Serve) =>
        asked(async (visit) => {
          await visit.send(COLUMN, HALF_ROW);
          await does(visit);
        }),
    ],
  ] as const
).flatMap(([when, at]): readonly QuickRow[] => [
  { name: `sends FIN ${when} and reads on`, serve: at(async (visit) => visit.fin()), ends: GONE },
  { name: `sends RST ${when}`, serve: at(async (visit) => visit.reset()), ends: GONE },
]);

const LIES: readonly QuickRow[] = [
  ...LENGTHS.map(
    ([what, length]): QuickRow => ({
      name: `sends a message with a length ${what}`,
      serve: answering(lying("C", length, Buffer.alloc(16))),
      ends: BROKEN_FRAME,
    }),
  ),
  ...LENGTHS.slice(0, 4).map(
    ([what, length]): QuickRow => ({
      name: `sends a row with a length ${what}`,
      serve: answering(COLUMN, lying("D", length, Buffer.alloc(16))),
      ends: BROKEN_FRAME,
    }),
  ),
  { name: "sends an error of 64 MiB and more", serve: answering(lying("E", 64 * 1024 * 1024 + 5)), ends: BROKEN_FRAME },
  {
    name: "describes rows with a body that ends too early",
    serve: answering(lying("T", 12, COLUMN.subarray(5, 13))),
    ends: BROKEN_BODY,
  },
  {
    name: "describes rows with a body that goes on",
    serve: answering(message("T", COLUMN.subarray(5), Buffer.alloc(4))),
    ends: BROKEN_BODY,
  },
  {
    name: "sends a row that is shorter than its value",
    serve: answering(COLUMN, message("D", Buffer.of(0, 1), int32(99), Buffer.from("1"))),
    ends: BROKEN_ROW,
  },
  {
    name: "sends a row that goes on behind its values",
    serve: answering(COLUMN, message("D", ROW.subarray(5), Buffer.from("more"))),
    ends: BROKEN_ROW,
  },
  {
    name: "sends a row with a value of -2 bytes",
    serve: answering(COLUMN, message("D", Buffer.of(0, 1), int32(-2))),
    ends: BROKEN_ROW,
  },
  {
    name: "sends a row with more columns than described",
    serve: answering(COLUMN, server.row("1", "2")),
    ends: BROKEN_ROW,
  },
  { name: "sends a row with fewer columns than described", serve: answering(COLUMN, server.row()), ends: BROKEN_ROW },
  {
    name: "describes 65,535 columns and sends one",
    serve: answering(message("T", Buffer.of(255, 255), COLUMN.subarray(7))),
    ends: { ...BROKEN_BODY, orCode: "COLUMNS" },
  },
  {
    name: "sends an error without an end",
    serve: answering(message("E", Buffer.from("SERROR\0Mno"))),
    ends: BROKEN_BODY,
  },
  { name: "sends an error with nothing in it", serve: answering(message("E")), ends: BROKEN_BODY },
  {
    name: "sends a notice without an end",
    serve: answering(message("N", Buffer.from("SNOTICE\0M"))),
    ends: BROKEN_BODY,
  },
  {
    name: "sends a notification without an end",
    serve: answering(message("A", int32(1), Buffer.from("channel"))),
    ends: BROKEN_BODY,
  },
  { name: "completes a statement without saying which", serve: answering(COLUMN, message("C")), ends: BROKEN_BODY },
  {
    name: "reports a parameter without a value",
    serve: answering(message("S", Buffer.from("name\0"))),
    ends: BROKEN_BODY,
  },
  { name: "begins a copy out without its columns", serve: answering(message("H", Buffer.of(0))), ends: BROKEN_BODY },
  {
    name: "says what is not UTF-8",
    serve: answering(COLUMN, message("C", Buffer.from([0xc3, 0x28, 0]))),
    ends: { ...LIE, code: "TEXT_ENCODING" },
  },
  {
    name: "reads texts otherwise from now on",
    serve: answering(server.parameter("standard_conforming_strings", "off")),
    ends: { ...LIE, code: "PARAMETER_CHANGED" },
  },
];

/** What may come at any time, and what may not come unless it is asked for. */
const UNASKED: readonly QuickRow[] = [
  ...(
    [
      ["a row", ROW],
      ["a description of rows", COLUMN],
      ["the end of a statement", server.complete("DELETE 3")],
      ["that it is ready", server.ready()],
      ["an empty answer", server.empty()],
      ["the begin of a copy in", server.copyIn()],
      ["the begin of a copy out", server.copyOut()],
      ["the begin of a copy both ways", server.copyBoth()],
      ["data of a copy", server.copyData("1\t4111111111111111\n")],
      ["the end of a copy", server.copyDone()],
      ["that it has parsed", server.parsed()],
      ["that it has bound", server.bound()],
      ["that it has closed", server.closed()],
      ["a suspended portal", server.suspended()],
      ["no data", server.noData()],
      ["types of parameters", server.parameters(23)],
      ["the result of a function", message("V", int32(-1))],
      ["a key", server.keyData(Buffer.from("pid.key."))],
      ["a request for the password", server.cleartext()],
      ["a request for SCRAM", server.sasl("SCRAM-SHA-256")],
      ["an authentication that it invented", authentication(99)],
      ["another version", message("v", int32(0x0003_0000), int32(0))],
      ["a message of type 0", message("\0")],
      ["a message of type 255", message("\u00ff", int32(0)).subarray(1)],
      ["a message that clients send", client.query("SELECT 1")],
    ] as readonly (readonly [string, Buffer])[]
  ).map(
    ([what, bytes]): QuickRow => ({
      name: `says unasked ${what}`,
      serve: after((visit) => visit.send(bytes)),
      call: { says: "" },
      ends: LIE,
    }),
  ),
  {
    name: "says unasked what it may: notices, notifications, parameters",
    serve: after(async (visit) => {
      await visit.send(
        server.notice({ S: "NOTICE", M: "hello" }),
        server.notification("c", "p"),
        server.parameter("TimeZone", "UTC"),
      );
      await behave(visit);
    }),
    ends: { kind: "answered", rows: 1 },
  },
  { name: "sends a row that it has not described", serve: answering(ROW), ends: LIE },
  {
    name: "sends a row after the end of its statement",
    serve: answering(COLUMN, ROW, server.complete("SELECT 1"), ROW),
    ends: LIE,
  },
  {
    name: "is ready twice",
    serve: answering(RESULT, server.ready()),
    call: { says: client.query("SELECT 1 AS asked").toString("base64"), answers: 2 },
    ends: LIE,
  },
  { name: "sends data of a copy that has not begun", serve: answering(COLUMN, server.copyData("x")), ends: LIE },
  { name: "ends a copy that has not begun", serve: answering(server.copyDone()), ends: LIE },
  { name: "sends rows amid a copy", serve: answering(server.copyOut(), ROW), ends: LIE },
  { name: "parses a simple query", serve: answering(server.parsed()), ends: LIE },
  { name: "suspends a simple query", serve: answering(COLUMN, ROW, server.suspended()), ends: LIE },
  { name: "describes the parameters of a simple query", serve: answering(server.parameters(23)), ends: LIE },
  {
    name: "is ready in a state that there is not",
    serve: asked(async (visit) => {
      await visit.send(COLUMN, ROW, server.complete("SELECT 1"), server.ready("?"));
      await behave(visit);
    }),
    ends: ANSWERED,
  },
  {
    name: "answers one query with a thousand results",
    serve: asked(async (visit) => {
      for (let count = 0; count < 1_000; count++) await visit.send(COLUMN, ROW, server.complete("SELECT 1"));
      await visit.send(server.ready());
      await behave(visit);
    }),
    ends: { kind: "answered", rows: 1_000 },
  },
];

/** Endless, at a client that does not read: what is here must stay with the server. */
const endless = (...parts: readonly Uint8Array[]): Serve => {
  const [first, ...rest] = parts;
  return asked(async (visit: Visit) => {
    if (rest.length > 0) await visit.send(first as Uint8Array);
    const much = Buffer.concat(Array(100).fill(rest.at(-1) ?? first));
    for (;;) await visit.send(much);
  });
};
const UNREADING = { reads: "nothing", staysMs: 2_000 } as const;
const HALF_KIB = "x".repeat(512);

const NUMBER = server.columns({ name: "asked", type: 23 });

/** Values that no mask looks into pass as they come, whatever they promise. */
const UNSEEN: readonly QuickRow[] = [
  { name: "promises a number of 2 GiB", serve: answering(NUMBER, lying("D", 0x7fff_ffff)), call: PATIENCE, ends: LEFT },
  {
    name: "sends FIN amid a number",
    serve: asked(async (visit) => {
      await visit.send(NUMBER, HALF_ROW);
      visit.fin();
    }),
    ends: GONE,
  },
];

export const FLOODS: readonly Row[] = quick([
  {
    name: "sends rows without end to a client that does not read",
    serve: endless(COLUMN, server.row(HALF_KIB)),
    call: UNREADING,
    ends: LEFT,
  },
  {
    name: "copies without end to a client that does not read",
    serve: endless(server.copyOut(), server.copyData(`${HALF_KIB}\n`)),
    call: UNREADING,
    ends: LEFT,
  },
  {
    name: "sends notices without end to a client that does not read",
    serve: endless(server.notice({ S: "NOTICE", M: HALF_KIB })),
    call: UNREADING,
    ends: LEFT,
  },
  {
    name: "reports parameters without end to a client that does not read",
    serve: endless(server.parameter("TimeZone", "UTC")),
    call: UNREADING,
    ends: LEFT,
  },
  {
    name: "sends notices without end to a client that reads",
    serve: endless(server.notice({ S: "NOTICE", M: "x" })),
    call: { staysMs: 2_000 },
    ends: LEFT,
  },
  {
    name: "reports parameters without end to a client that reads",
    serve: endless(server.parameter("TimeZone", "UTC")),
    call: { staysMs: 2_000 },
    ends: LEFT,
  },
  {
    name: "completes statements without end",
    serve: endless(server.complete("SELECT 1")),
    call: { staysMs: 2_000 },
    ends: LEFT,
  },
]);

export const SESSION_ROWS: readonly Row[] = quick([...HOLES, ...ENDS, ...LIES, ...UNASKED, ...UNSEEN]);
