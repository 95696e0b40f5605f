/** Servers that let the session in and misbehave where Sallyport asks for the catalog on its own login. Rows only. */
import { int32, message, server } from "../kit/wire.ts";
import type { Serve } from "./hostile.ts";
import {
  apart,
  behave,
  finishLogin,
  LENGTHS,
  LOOKUP_TIME,
  lying,
  NO_FACTS,
  type QuickRow,
  quick,
  type Row,
  silence,
} from "./row.ts";

/** The client hears no cause: it is ours to deal with, and told in the trail. */
const LOST = { kind: "fault", code: "LOOKUP_FAILED", sqlState: "57P01" } as const;

/** The login of the lookup is right, its question is heard, and this follows. */
const asking = (does: Serve): Serve =>
  apart(finishLogin, async (visit) => {
    await finishLogin(visit);
    await visit.hear("Q");
    await does(visit);
  });
const answering = (...parts: readonly Uint8Array[]): Serve => asking((visit) => visit.send(Buffer.concat(parts)));
/** In a table that the catalog has said nothing of, so that it is asked again. */
const OF_A_TABLE = server.columns({ name: "asked", table: 99_999, attnum: 1 });

/** The first lookup is right; when rows of an unknown table come, the second one is served by this. */
function again(does: Serve): Serve {
  let lookups = 0;
  return apart(
    async (visit) => {
      await finishLogin(visit);
      await visit.hear("Q");
      await visit.send(OF_A_TABLE, server.row("1"), server.complete("SELECT 1"), server.ready());
      await behave(visit);
    },
    async (visit) => {
      await finishLogin(visit);
      await visit.hear("Q");
      await (++lookups <= LOOKUPS_BEFORE_ROWS ? visit.send(NO_FACTS) : does(visit));
    },
  );
}
/** For the greeting; the client's first statement follows within the age of its answer. */
const LOOKUPS_BEFORE_ROWS = 1;

/** LOOKUP_WAIT_MS ends these, and LOGIN_WAIT_MS before it; they are waited for together. */
const HOLES: readonly QuickRow[] = [
  { name: "never logs the lookup in", serve: apart(finishLogin, silence), ends: { ...LOST, code: "UPSTREAM_TIMEOUT" } },
  { name: "never answers the lookup", serve: asking(silence), ends: LOST },
  { name: "is silent amid the answer to the lookup", serve: answering(NO_FACTS.subarray(0, 40)), ends: LOST },
  { name: "drips the answer to the lookup", serve: asking((visit) => visit.drip(NO_FACTS, 500)), ends: LOST },
  {
    name: "sends notices without end to the lookup",
    serve: asking(async (visit) => {
      for (;;) {
        await visit.send(server.notice({ S: "NOTICE", M: "x".repeat(1_000) }));
        await visit.pause(5);
      }
    }),
    ends: LOST,
  },
  { name: "never answers the lookup for a table of a row", serve: again(silence), ends: LOST },
];
export const LOOKUP_HOLES: readonly Row[] = HOLES.map((row) => ({ ...row, labelled: true, withinMs: LOOKUP_TIME }));

const LIES: readonly QuickRow[] = [
  {
    name: "refuses the lookup's login",
    serve: apart(finishLogin, (visit) => visit.send(server.error({ S: "FATAL", C: "28P01", M: "no" }))),
    ends: { ...LOST, code: "28P01" },
  },
  {
    name: "closes instead of logging the lookup in",
    serve: apart(finishLogin, async (visit) => visit.fin()),
    ends: { ...LOST, code: "UPSTREAM_CLOSED" },
  },
  {
    name: "asks the lookup for the password",
    serve: apart(finishLogin, (visit) => visit.send(server.cleartext())),
    ends: { ...LOST, code: "UPSTREAM_AUTH_WEAK" },
  },
  { name: "closes instead of answering the lookup", serve: asking(async (visit) => visit.fin()), ends: LOST },
  { name: "resets instead of answering the lookup", serve: asking(async (visit) => visit.reset()), ends: LOST },
  {
    name: "answers the lookup with an error",
    serve: answering(server.error({ S: "ERROR", C: "42501", M: "no" })),
    ends: LOST,
  },
  {
    name: "answers the lookup with an error without an end",
    serve: answering(message("E", Buffer.from("SERROR"))),
    ends: { ...LOST, code: "FRAME_BODY" },
  },
  { name: "answers the lookup with a message of an unknown type", serve: answering(message("!")), ends: LOST },
  ...LENGTHS.map(([what, length]) => ({
    name: `answers the lookup with a length ${what}`,
    serve: answering(lying("D", length, Buffer.alloc(8))),
    ends: { ...LOST, code: "FRAME_LENGTH" },
  })),
  {
    name: "answers the lookup with null for the names of columns",
    serve: answering(server.row("labelled", "1", "public", "customers", "r", "0", "null")),
    ends: LOST,
  },
  {
    name: "answers the lookup with names that are no JSON",
    serve: answering(server.row("labelled", "1", "public", "customers", "r", "0", "{")),
    ends: LOST,
  },
  {
    name: "answers the lookup with a row of -1 columns",
    serve: answering(message("D", Buffer.of(255, 255))),
    ends: { ...LOST, code: "FRAME_BODY" },
  },
  {
    name: "answers the lookup with a row that ends too early",
    serve: answering(message("D", Buffer.of(0, 7), int32(4))),
    ends: { ...LOST, code: "FRAME_BODY" },
  },
  {
    name: "closes instead of answering for a table of a row",
    serve: again(async (visit) => visit.fin()),
    ends: LOST,
  },
  {
    name: "knows nothing of a table that it sends rows of",
    serve: again((visit) => visit.send(NO_FACTS)),
    ends: { kind: "answered", rows: 1 },
  },
];

export const LOOKUP_ROWS: readonly Row[] = quick(LIES.map((row) => ({ ...row, labelled: true })));
