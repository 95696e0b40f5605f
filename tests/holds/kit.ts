/** Held actions over a real database in a folder of the test's own, with a clock and people that the test makes up. */
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Person } from "../../src/holds/entitled.ts";
import type { HoldAnswer, HoldRequest } from "../../src/holds/hold.ts";
import { type HoldsParts, LiveHolds } from "../../src/holds/holds.ts";
import type { AuditEvent } from "../../src/model/event.ts";
import type { Demand, HoldTerms } from "../../src/model/hold.ts";
import type { Asked, Facts } from "../../src/model/operation.ts";
import { openStore } from "../../src/store/store.ts";
import { SAMPLE_AGENT, SAMPLE_ORIGIN } from "../kit/policy.ts";
import { folder, handClock, quietLog } from "../store/folder.ts";

export const person = (uid: number, user: string, ...groups: string[]): Person => ({
  ...{ uid, user, groups: new Set(groups) },
  ...{ accounts: [`unix:${uid}`], through: [], lent: [], reach: "own", sees: "own" },
});
export const ROOT: Person = { ...person(0, "root"), reach: "every", sees: "every" };
export const ADA = person(2001, "ada", "sre", "staff");
export const BEN = person(2002, "ben", "sre");
export const CYD = person(2003, "cyd", "dba");
export const EVE = person(2004, "eve", "sales");
/** Whose process connected: SAMPLE_ORIGIN's uid. */
export const STARTER = person(SAMPLE_ORIGIN.uid, "runner", "sre", "dba");

export const demand = (changes: Partial<Demand> = {}): Demand => {
  return { rule: "deletes", approvers: ["sre"], each: false, quorum: 1, ...changes };
};

interface Asking {
  readonly texts?: readonly string[];
  readonly parameters?: readonly (string | null)[];
  readonly terms?: Partial<HoldTerms>;
  readonly changes?: Partial<HoldRequest>;
  readonly rules?: readonly string[];
  readonly policy?: string;
}

const FACTS: Facts = {
  statement: {
    tables: [{ schema: "public", name: "orders", access: "write", labels: ["core"], columnLabels: ["pii"] }],
  },
};

/** A DELETE that rule `deletes` holds for `sre`, for a minute. */
export function request(asking: Asking = {}): HoldRequest {
  const { texts = ["delete from orders where id = 1"], terms = {}, rules = ["deletes"], policy = "p1" } = asking;
  const operation = { actions: [{ name: "sql.delete", facts: FACTS }] };
  const asked: Asked[] = texts.map((text) => ({
    ...{ operation, text },
    ...(asking.parameters === undefined ? {} : { parameters: asking.parameters }),
  }));
  return {
    ...{ sessionId: "s1", askId: 3, agent: SAMPLE_AGENT, origin: SAMPLE_ORIGIN },
    connection: { name: "orders", protocol: "postgres" },
    ...{ asked, bytes: Buffer.from(texts.join(";")) },
    decision: {
      ...{ kind: "hold", rules, message: "Deletes need a reviewer", policy },
      terms: { demands: [demand()], expiresMs: 60_000, reuseMs: 0, ...terms },
    },
    shapeOf: (text) => (text.includes("shapeless") ? undefined : text.replaceAll(/\d+/g, "0")),
    ...asking.changes,
  };
}

export async function world(t: TestContext, changes: Partial<HoldsParts> = {}) {
  const dir = join(folder(t), "state");
  const store = await openStore(dir, quietLog());
  t.after(() => store.close());
  const clock = handClock();
  const events: AuditEvent[] = [];
  const log = quietLog();
  const parts: HoldsParts = {
    ...{ clock, log, store: store.holds, key: new Uint8Array(32).fill(7) },
    emit: (event) => events.push(event),
    scrub: (text) => text.replaceAll("4111", "[card]"),
    taggedBy: () => [],
    loginUidOf: () => undefined,
    humansOf: (accounts) => new Set(accounts),
    standing: () => undefined,
    lookAt: async () => {},
    isInside: () => false,
    voteNow: async (vote) => vote,
    ...changes,
  };
  const holds = new LiveHolds(parts);
  t.after(() => holds.close());
  const kinds = () => events.map(({ kind }) => kind);
  return { holds, parts, store: store.holds, clock, events, kinds, log };
}

/** What an answer is by now: "waits", "approved", or the state of its refusal. */
export async function answerOf(answer: Promise<HoldAnswer>): Promise<string> {
  const waits = new Promise<string>((resolve) => setImmediate(() => resolve("waits")));
  const told = answer.then((said) => (said.kind === "approved" ? "approved" : said.end.state));
  return Promise.race([told, waits]);
}
