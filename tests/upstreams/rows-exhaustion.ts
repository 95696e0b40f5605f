/** Servers that are after what all sessions share: the daemon's one thread, its memory, its descriptors. Rows only. */
import { client, cstring, int32, message, server } from "../kit/wire.ts";
import type { Serve } from "./hostile.ts";
import {
  after,
  answering,
  apart,
  asked,
  behave,
  finishLogin,
  LOOKUP_TIME,
  NO_FACTS,
  quick,
  type Row,
  silence,
} from "./row.ts";

const MIB = 1024 * 1024;
const LIE = { kind: "fault", code: "COLUMNS", sqlState: "08P01" } as const;
const LOST = { kind: "fault", code: "LOOKUP_FAILED", sqlState: "57P01" } as const;
const UNTIMELY = { kind: "refused", sqlState: "08006", code: "UPSTREAM_PROTOCOL" } as const;
const CARD = Buffer.from("4111111111111111");
/** What PostgreSQL's own result can have (MaxTupleAttributeNumber), and what the message can say. */
const COLUMNS_HONEST = 1_664;
const COLUMNS_MOST = 65_535;
const RESULTS = 12;

function int16(value: number): Buffer {
  return Buffer.of((value >> 8) & 0xff, value & 0xff);
}

/** So many text columns with names of their own. */
function columns(count: number, prefix: string): Buffer {
  const rest = Buffer.concat([int32(0), int16(0), int32(25), int16(-1), int32(-1), int16(0)]);
  const all = Array.from({ length: count }, (_, at) => Buffer.concat([cstring(`${prefix}${at}`), rest]));
  return message("T", int16(count), Buffer.concat(all));
}

/** A row with a payment card in every column, which the policy has masked. */
function cards(count: number): Buffer {
  const value = Buffer.concat([int32(CARD.length), CARD]);
  return message("D", int16(count), Buffer.concat(Array<Buffer>(count).fill(value)));
}

/** Challenges of SCRAM, each of which costs a proof, in as few packets as they fit in. */
function challenges(iterations: number, count: number): Serve {
  return async (visit) => {
    await visit.startup();
    await visit.scramBegin();
    const challenge = server.saslContinue(visit.scramFirst({ iterations }));
    await visit.send(Buffer.concat(Array<Buffer>(count).fill(challenge)));
  };
}

/** Instead of the answer to a lookup; its session is let in as it should be. */
function toLookup(does: Serve): Serve {
  return apart(finishLogin, async (visit) => {
    await finishLogin(visit);
    await visit.hear("Q");
    await does(visit);
  });
}

/** One row in which a field is followed by a step back to it, again and again. */
function steppingBack(): Buffer {
  const [length, times] = [256 * 1024, 4_000];
  return message(
    "D",
    int16(times * 2),
    int32(length),
    Buffer.alloc(length, "a"),
    int32(-(length + 8)),
    Buffer.alloc(16),
  );
}

/** After the thread. */
export const THREAD_ROWS: readonly Row[] = quick([
  { name: "asks for the same dear proof 40 times in one packet", serve: challenges(1_000_000, 40), ends: UNTIMELY },
  { name: "asks for a cheap proof 8,000 times", serve: challenges(4_096, 8_000), ends: UNTIMELY },
  { name: "describes 65,535 columns and no more", serve: answering(columns(COLUMNS_MOST, "c")), ends: LIE },
  {
    name: "sends a card in each of 65,535 columns",
    serve: answering(columns(COLUMNS_MOST, "c"), cards(COLUMNS_MOST)),
    ends: LIE,
  },
  {
    name: `sends ${RESULTS} results with a card in each of 1,664 columns, whose names are new each time`,
    serve: asked(async (visit) => {
      const row = cards(COLUMNS_HONEST);
      for (let at = 0; at < RESULTS; at++)
        await visit.send(columns(COLUMNS_HONEST, `${at}_`), row, server.complete("SELECT 1"));
      await visit.send(server.ready());
      await behave(visit);
    }),
    ends: { kind: "answered", rows: RESULTS },
    withinMs: LOOKUP_TIME,
  },
  {
    name: "answers the lookup with a field that is read again and again",
    labelled: true,
    serve: toLookup((visit) => visit.send(steppingBack())),
    ends: { ...LOST, code: "FRAME_BODY" },
  },
]);

/** The dearest proof that is given at all, to be asked of many sessions at once. */
export const DEAR: Row = {
  name: "asks for a proof of a million iterations",
  serve: async (visit) => {
    await visit.startup();
    await visit.scram({ iterations: 1_000_000 });
    await visit.greet();
  },
  ends: { kind: "refused", sqlState: "28000", code: "UPSTREAM_SCRAM" },
  withinMs: LOOKUP_TIME,
};

const BIG = "x".repeat(32 * 1024);

/** Until LOOKUP_BYTES_MAX have come; without it, LOOKUP_WAIT_MS would be the end. */
const FULL_MS = 12_000;

/** After the memory, by lookups. */
export const LOOKUP_MEMORY_ROWS: readonly Row[] = [
  {
    name: "answers the lookup with relations without end",
    serve: toLookup(async (visit) => {
      await visit.send(NO_FACTS.subarray(0, NO_FACTS.readInt32BE(1) + 1));
      for (let oid = 20_000; ; oid++)
        await visit.send(server.row("derived", `${oid}`, BIG, `${oid}${BIG}`, "v", null, null));
    }),
  },
  {
    name: "answers the lookup with one message of 64 MiB",
    serve: toLookup(async (visit) => {
      const length = 64 * MIB - 8;
      await visit.send(Buffer.from("D"), int32(length), Buffer.alloc(length - 5));
    }),
  },
].map((row) => ({ ...row, labelled: true, ends: { ...LOST, orCode: "FRAME_LENGTH" }, withinMs: FULL_MS }));

/** Holds its session amid one long message, to be done to many sessions at once. */
export const HOARDER: Row = {
  name: "stops amid an error of 60 MiB",
  serve: asked(async (visit) => {
    const length = 60 * MIB;
    await visit.send(Buffer.from("E"), int32(length), Buffer.alloc(length - 64 * 1024, "x"));
  }),
  ends: { kind: "left" },
  withinMs: LOOKUP_TIME,
};

/** Every row of it is a KiB. */
export const ANSWER_BYTES: number = 1024 * MIB;
export const LARGE: Row = {
  name: "answers with 1 GiB",
  serve: asked(async (visit) => {
    const many = Buffer.concat(Array<Buffer>(256).fill(server.row("y".repeat(1_013))));
    await visit.send(server.columns({ name: "asked", type: 23 }));
    for (let sent = 0; sent < ANSWER_BYTES; sent += many.length) await visit.send(many);
    await visit.send(server.complete("SELECT"), server.ready());
    await behave(visit);
  }),
  call: { reads: "slowly" },
  ends: { kind: "answered", rows: ANSWER_BYTES / 1024 },
  withinMs: 60_000,
};

/** Never hangs up on who cancels. */
export const CANCELS = 300;
export const DEAF_TO_CANCELS: Row = {
  name: "never hangs up on cancels",
  serve: after(silence),
  call: { cancels: CANCELS, staysMs: 1_500 },
  ends: { kind: "left" },
  withinMs: LOOKUP_TIME,
};

/** Of a session that holds one whole row of this size. */
export const LARGE_ROW = client.query("SELECT repeat('x', 1048576)");
