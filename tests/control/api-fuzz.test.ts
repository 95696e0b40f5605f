/** Requests made from the OpenAPI document, asked of the real server over ports that remember, as every kind of caller. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ROLES } from "../../src/model/role.ts";
import { ask, type Got } from "../kit/api/ask.ts";
import { OPERATIONS } from "../kit/api/document.ts";
import { judgeAnswer } from "../kit/api/judge.ts";
import { type Request, Requests } from "../kit/api/requests.ts";
import { type FakeDaemon, fakeDaemon, STRANGER } from "./fake-daemon.ts";

const SEED = 20_261_129;
/** For each operation. */
const RUNS = { allowed: 12, almost: 20, hostile: 12 } as const;

const requests = new Requests({
  id: ["s1", "t1", "r1", "hold1", "gone", "none"],
  name: ["ci", "orders"],
  agent: ["ci"],
  session: ["s1", "spoilt"],
  q: ["nothing"],
});

const CALLERS = ["nobody", "guarded", "over", ...ROLES] as const;
type Who = (typeof CALLERS)[number];

for (const [kind, numRuns] of Object.entries(RUNS) as [keyof typeof RUNS, number][]) {
  test(`${numRuns} requests of each operation, ${kind} (seed ${SEED}): no 500, nothing undeclared, nothing without a role`, async (t) => {
    const daemon = await fakeDaemon(t, (ports) => ({
      daemon: { ...ports.daemon, leave: () => {} },
      authenticate: async (role) =>
        ROLES.some((one) => one === role)
          ? { roles: new Set([role as (typeof ROLES)[number]]), pid: 0, uid: 0 }
          : undefined,
    }));
    const seen = new Set<number>();
    for (const operation of OPERATIONS) {
      const caller = fc.constantFrom<Who>(...CALLERS, "admin", "admin");
      const property = fc.asyncProperty(requests[kind](operation), caller, async (request, who) => {
        const before = daemon.calls.length;
        const got = await askAs(daemon, who, request);
        seen.add(got.status);
        judge(request, who, got);
        if (got.status === 401 || got.status === 403) assert.equal(daemon.calls.length, before, "a port was called");
      });
      await fc.assert(property, { seed: SEED, numRuns });
    }
    const expected = {
      allowed: [200, 401, 403],
      almost: [200, 400, 401, 403, 415],
      hostile: [400, 401, 403, 404, 405],
    }[kind];
    for (const status of expected) assert.ok(seen.has(status), `${status} never came`);
  });
}

function askAs(daemon: FakeDaemon, who: Who, { path, sent }: Request): Promise<Got> {
  daemon.peer = { ...STRANGER, tagged: who === "guarded" };
  const bearer = who === "guarded" ? "admin" : who;
  const shown = who === "nobody" ? {} : { authorization: `Bearer ${bearer}` };
  return ask(daemon, path, { ...sent, headers: { ...sent.headers, ...shown } });
}

function judge(request: Request, who: Who, got: Got): void {
  const refusal = { over: "API_TOKEN_INVALID", guarded: "API_PEER_TAGGED", nobody: "API_NOT_PERMITTED" }[String(who)];
  if (refusal === undefined) judgeAnswer(request, got, who);
  else assert.equal(got.code, refusal);
}
