/** What a search finds, and a session with a terminal: values that the fake daemon answers with. */

import type { SessionEntry } from "../../src/control/ports.ts";
import type { FoundSession, SearchAnswer, SearchLag } from "../../src/model/search.ts";

const AT = Date.UTC(2026, 10, 1, 12);
const LAG: SearchLag = { sessions: 0, segments: 0, events: 0, oldestMs: 0, indexedUpToMs: AT };

export const NOTHING_FOUND: SearchAnswer = {
  ...{ by: "sessions", sessions: [], entries: [], looked: [], interrupted: 0, unread: 0, lag: LAG },
  totals: { sessions: 0, masked: 0, shown: 0 },
};

const SESSION: FoundSession = {
  ...{ id: "s1", agent: "ci", connection: "orders", user: "root", executable: "/usr/bin/psql", pid: 42 },
  ...{ startedMs: AT, state: "ended", entries: 2, firstMs: AT, lastMs: AT },
  findings: [
    { column: "customers.card", by: "detector:payment-card", masked: 5, shown: 0 },
    { column: "notes.body\u001b[2J", by: "detector:payment-card", masked: 0, shown: 2 },
  ],
};

export const FOUND_SESSIONS: SearchAnswer = {
  ...{
    by: "sessions",
    sessions: [SESSION],
    entries: [],
    totals: { sessions: 1, masked: 5, shown: 2 },
    interrupted: 1,
    unread: 2,
  },
  looked: [
    {
      ...{ detector: "payment-card", sessions: 9, notLooked: 3, partly: 1, examples: ["s7"] },
      ...{ notLookedFromMs: AT - 86_400_000, notLookedToMs: AT },
    },
    { detector: "email", sessions: 9, notLooked: 0, partly: 0, examples: [] },
  ],
  ...{ lag: { ...LAG, sessions: 2, segments: 3, events: 0, oldestMs: 90_000 }, next: "17" },
};

export const FOUND_ENTRIES: SearchAnswer = {
  ...{ by: "entries", sessions: [], looked: [], interrupted: 0, unread: 0, lag: LAG },
  entries: [
    {
      ...{
        kind: "operation",
        atMs: AT,
        lastMs: AT,
        count: 3,
        session: "s1",
        number: 4,
        agent: "ci",
        connection: "orders",
      },
      ...{ decision: "deny", rules: ["no-ddl"], text: "drop table c -- \u001b[2J", message: "No DDL", folded: true },
      findings: [],
    },
  ],
};

const base64 = (bytes: Buffer) => bytes.toString("base64");
const EURO = Buffer.from("€");

/** A character is cut in two between records. */
export const TERMINAL: readonly SessionEntry[] = [
  { number: 2, offsetMs: 0, kind: "terminal", text: "", terminal: { stream: "resize", columns: 120, rows: 40 } },
  {
    number: 3,
    offsetMs: 500,
    kind: "terminal",
    text: "",
    terminal: { stream: "output", data: base64(Buffer.concat([Buffer.from("$ "), EURO.subarray(0, 1)])) },
  },
  {
    number: 4,
    offsetMs: 750,
    kind: "terminal",
    text: "",
    terminal: { stream: "output", data: base64(EURO.subarray(1)) },
  },
  {
    number: 5,
    offsetMs: 900,
    kind: "terminal",
    text: "",
    terminal: { stream: "input", data: base64(Buffer.from("q")) },
  },
  { number: 6, offsetMs: 950, kind: "terminal", text: "", terminal: { stream: "resize", columns: 80, rows: 24 } },
  { number: 7, offsetMs: 999, kind: "terminal", text: "", terminal: { stream: "exit", status: 0 } },
];
