/** Servers that are not asked to be harmless: each shows that a check of these suites can fail. Rows only. */
import { server } from "../kit/wire.ts";
import { DELAY_MAX_MS } from "./judge.ts";
import { after, behave, quick, type Row } from "./row.ts";

const ANSWER = Buffer.concat([
  server.columns({ name: "answer", type: 23 }),
  server.row("42"),
  server.complete("SELECT 1"),
  server.ready(),
]);

/** Somebody who talks to this one is delayed, and is to be found so. */
export const SLOW: Row = {
  name: "takes its time for each query",
  serve: after(async (visit) => {
    for (;;) {
      await visit.hear("Q");
      await visit.pause(DELAY_MAX_MS.ask + 200);
      await visit.send(ANSWER);
    }
  }),
  ends: { kind: "left" },
  withinMs: 0,
};

export const [PROVEN, TRUSTING] = quick([
  {
    name: "has proven itself by TLS and may have the password",
    tls: "verified",
    serve: async (visit) => {
      await visit.startup("granted");
      await visit.send(server.cleartext());
      await visit.hear("p");
      await visit.greet();
      await behave(visit);
    },
    ends: { kind: "answered", rows: 1 },
  },
  {
    name: "lets in whoever comes",
    serve: async (visit) => {
      await visit.startup();
      await visit.greet();
      await behave(visit);
    },
    ends: { kind: "answered", rows: 1 },
  },
]) as [Row, Row];
