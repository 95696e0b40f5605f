/** How fast one may ask, what the one who asks too fast is told, and what the trail has of all calls. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import {
  API_CALLERS_MAX,
  API_FAILURE_BURST,
  API_NETWORKS_FAILURE_BURST,
  API_NETWORKS_SIGN_IN_BURST,
  API_RATE_BURST,
  API_RATE_PER_SECOND,
  API_RETRIES_MAX,
  API_ROOT_RATE_BURST,
  API_SIGN_IN_BURST,
} from "../../src/base/limits.ts";
import { RateFault, Rates } from "../../src/control/api/rates.ts";
import { ROUTES } from "../../src/control/api/routes.ts";
import { ApiClient } from "../../src/control/cli/client.ts";
import { ask } from "../kit/api/ask.ts";
import { type FakeDaemon, fakeDaemon, MEMBER, ROOT, STRANGER } from "./fake-daemon.ts";
import { callerCalled } from "./fake-humans.ts";

class StillClock {
  now = 1_700_000_000_000;
  nowMs = (): number => this.now;
}

const HUMAN = { authorization: "Bearer ann" };
const authenticate = async (bearer: string) => (bearer === "ann" ? callerCalled("ann", "auditor") : undefined);

async function still(t: TestContext): Promise<{ daemon: FakeDaemon; clock: StillClock }> {
  const clock = new StillClock();
  return { daemon: await fakeDaemon(t, () => ({ authenticate }), clock), clock };
}

async function times(many: number, once: () => Promise<{ readonly status: number }>): Promise<number[]> {
  const statuses: number[] = [];
  for (let index = 0; index < many; index++) statuses.push((await once()).status);
  return [...new Set(statuses)];
}

test("a user may ask so often at once, and then as often as time passes", async (t) => {
  const { daemon, clock } = await still(t);
  daemon.peer = MEMBER;
  assert.deepEqual(await times(API_RATE_BURST, () => ask(daemon, "/v1/policy")), [200]);
  const got = await ask(daemon, "/v1/policy");
  assert.deepEqual([got.status, got.code, got.headers["retry-after"]], [429, "API_RATE", "1"]);
  clock.now += 1_000;
  assert.deepEqual(await times(API_RATE_PER_SECOND, () => ask(daemon, "/v1/policy")), [200]);
  assert.equal((await ask(daemon, "/v1/policy")).status, 429);
});

test("who has been used up keeps nobody else from asking", async (t) => {
  const { daemon } = await still(t);
  daemon.peer = MEMBER;
  await times(API_RATE_BURST + 1, () => ask(daemon, "/v1/policy"));
  daemon.peer = { ...MEMBER, uid: MEMBER.uid + 1 };
  assert.equal((await ask(daemon, "/v1/policy")).status, 200);
  daemon.peer = ROOT;
  assert.equal((await ask(daemon, "/v1/policy")).status, 200);
});

test("a human is one caller, whatever user they ask from", async (t) => {
  const { daemon } = await still(t);
  daemon.peer = ROOT;
  await times(API_RATE_BURST, () => ask(daemon, "/v1/policy", { headers: HUMAN }));
  daemon.peer = STRANGER;
  assert.equal((await ask(daemon, "/v1/policy", { headers: HUMAN })).code, "API_RATE");
});

test("root is limited too, and far later", () => {
  const rates = new Rates(new StillClock());
  for (let index = 0; index < API_ROOT_RATE_BURST; index++) rates.ofUser(0);
  assert.throws(() => rates.ofUser(0), RateFault);
});

test("hooks of container runtimes and the end of the daemon are never limited, and nothing else is so", async (t) => {
  const { daemon } = await still(t);
  const unlimited = ROUTES.filter((route) => route.isUnlimited === true);
  assert.deepEqual(
    unlimited.map(({ path }) => path),
    ["/v1/hooks/oci", "/v1/shutdown"],
  );
  await times(API_ROOT_RATE_BURST + 1, () => ask(daemon, "/v1/nothing"));
  assert.equal((await ask(daemon, "/v1/status")).status, 429);
  const body = JSON.stringify({ id: "c", pid: 5, bundle: "/b" });
  assert.equal((await ask(daemon, "/v1/hooks/oci", { method: "POST", body })).status, 200);
  assert.equal((await ask(daemon, "/v1/shutdown", { method: "POST" })).status, 200);
});

test("only root asks without a limit: others, who are refused there, cannot fill the trail with it", async (t) => {
  const { daemon } = await still(t);
  daemon.peer = MEMBER;
  const call = () => ask(daemon, "/v1/shutdown", { method: "POST" });
  assert.deepEqual(await times(API_RATE_BURST, call), [403]);
  assert.equal((await call()).code, "API_RATE");
});

test("one who is nobody is told so only so often; what is valid from there is served all the same", async (t) => {
  const { daemon, clock } = await still(t);
  daemon.peer = STRANGER;
  const guess = () => ask(daemon, "/v1/policy", { headers: { authorization: "Bearer guess" } });
  assert.deepEqual(await times(API_FAILURE_BURST, guess), [401]);
  const got = await guess();
  assert.deepEqual([got.status, got.headers["retry-after"]], [429, "5"]);
  assert.equal((await ask(daemon, "/v1/policy")).status, 429);
  assert.equal((await ask(daemon, "/v1/policy", { headers: HUMAN })).status, 200);
  clock.now += 5_000;
  assert.equal((await guess()).status, 401);
});

test("an agent that tries as root uses up nothing of root's", async (t) => {
  const { daemon } = await still(t);
  daemon.peer = { ...ROOT, tagged: true };
  await times(API_FAILURE_BURST, () => ask(daemon, "/v1/policy"));
  assert.equal((await ask(daemon, "/v1/policy")).status, 429);
  daemon.peer = ROOT;
  assert.equal((await ask(daemon, "/v1/policy")).status, 200);
  assert.equal((await ask(daemon, "/v1/policy", { headers: { authorization: "Bearer guess" } })).status, 401);
});

test("of more callers than are kept, the one that asked longest ago is forgotten", () => {
  const rates = new Rates(new StillClock());
  const use = (uid: number) => rates.ofUser(uid);
  for (let index = 0; index < API_RATE_BURST; index++) use(1);
  for (let uid = 2; uid <= API_CALLERS_MAX; uid++) use(uid);
  assert.throws(() => use(1), RateFault); // and asked just now
  for (let uid = 2_000; uid < 2_000 + API_CALLERS_MAX; uid++) use(uid);
  use(1);
});

for (const [what, each, most, ask] of [
  ["guesses", API_FAILURE_BURST, API_NETWORKS_FAILURE_BURST, (rates: Rates, from: string) => rates.ofStranger(from)],
  [
    "sign-ins",
    API_SIGN_IN_BURST,
    API_NETWORKS_SIGN_IN_BURST,
    (rates: Rates, from: string) => faultIn(() => rates.ofSignIn(from)),
  ],
] as const) {
  test(`${what} from networks without end are told so often and no more; control: those of one are`, () => {
    /** Served ones, and the first of a row that are not, are in the trail. */
    const told = (rates: Rates, networks: number) => {
      const faults = Array.from({ length: networks * (each + 2) }, (_, index) =>
        ask(rates, `2001:db8:${(index % networks).toString(16)}::1`),
      );
      return faults.filter((fault) => fault === undefined || fault.isFirst).length;
    };
    assert.equal(told(new Rates(new StillClock()), 1), each + 1);
    assert.equal(told(new Rates(new StillClock()), 2 * API_CALLERS_MAX), most + 1);
  });
}

function faultIn(take: () => void): RateFault | undefined {
  try {
    take();
    return undefined;
  } catch (error) {
    if (error instanceof RateFault) return error;
    throw error;
  }
}

test("a clock that is set back gives nobody more", () => {
  const clock = new StillClock();
  const rates = new Rates(clock);
  for (let index = 0; index < API_RATE_BURST; index++) rates.ofUser(1);
  clock.now -= 3_600_000;
  assert.throws(() => rates.ofUser(1), RateFault);
});

test("the trail has one event for a row of requests that came too fast", async (t) => {
  const { daemon, clock } = await still(t);
  daemon.peer = MEMBER;
  await times(API_RATE_BURST + 20, () => ask(daemon, "/v1/policy"));
  const kinds = () => daemon.events.map(({ kind }) => kind);
  assert.deepEqual(kinds(), ["api.limited"]);
  assert.deepEqual(daemon.events[0]?.fields, { uid: MEMBER.uid, pid: MEMBER.pid });
  clock.now += 3_600_000;
  await times(API_RATE_BURST + 1, () => ask(daemon, "/v1/policy"));
  assert.deepEqual(kinds(), ["api.limited", "api.limited"]);
});

const POST = { method: "POST" } as const;
const tooLong = JSON.stringify({ reason: "x".repeat(501) });
const told: readonly (readonly [string, string, Parameters<typeof ask>[2], object])[] = [
  [
    "a change",
    "/v1/agents/ci/quarantine",
    { ...POST, body: '{"reason":"secret-4711"}' },
    { route: "/v1/agents/:name/quarantine", status: 200, code: "" },
  ],
  [
    "a change that is not understood",
    "/v1/agents/ci/quarantine",
    { ...POST, body: tooLong },
    { status: 400, code: "API_BODY_INVALID" },
  ],
  ["a change that fails", "/v1/approvals/gone/approve", POST, { status: 422, code: "APPROVAL_ENDED" }],
  ["a recording", "/v1/sessions/s1/entries", {}, { method: "GET", route: "/v1/sessions/:id/entries", status: 200 }],
  ["a recording that is not there", "/v1/sessions/none/entries", {}, { status: 404, code: "SESSION_UNKNOWN" }],
  ["a bundle", "/v1/sessions/s1/bundle", {}, { route: "/v1/sessions/:id/bundle" }],
  ["a search", "/v1/search?q=secret-4711", {}, { route: "/v1/search" }],
  ["a held action", "/v1/approvals/hold1", {}, { route: "/v1/approvals/:id" }],
  [
    "a bad session",
    "/v1/status",
    { headers: { authorization: "Bearer over" } },
    { route: "/v1/status", status: 401, roles: "" },
  ],
];
for (const [name, path, sent, fields] of told) {
  test(`the trail tells of ${name}: who, which route and what came of it, never what was asked`, async (t) => {
    const { daemon } = await still(t);
    await ask(daemon, path, sent);
    const [event, ...others] = daemon.events;
    assert.deepEqual([event?.kind, others], ["api.call", []]);
    const { uid, pid } = ROOT;
    const all = { method: "GET", roles: "admin", uid, pid, durationMs: 0, ...event?.fields };
    assert.deepEqual(event?.fields, {
      ...all,
      ...(sent?.method === undefined ? {} : { method: sent.method }),
      ...fields,
    });
    assert.doesNotMatch(JSON.stringify(event), /4711|s1|hold1/);
  });
}

const untold = ["/v1/status", "/v1/metrics", "/v1/approvals", "/v1/approvals/watch", "/v1/events/watch", "/v1/nothing"];
for (const path of untold) {
  test(`the trail has no event for ${path}, which people and machines poll`, async (t) => {
    const { daemon } = await still(t);
    await ask(daemon, path);
    assert.deepEqual(daemon.events, []);
  });
}

test("the trail tells who was refused for a role, and whose session it was", async (t) => {
  const { daemon } = await still(t);
  await ask(daemon, "/v1/settings/reload", { ...POST, headers: HUMAN });
  const { message, fields } = daemon.events[0] ?? {};
  assert.equal(message, "POST /v1/settings/reload by ann: API_NOT_PERMITTED");
  assert.deepEqual([fields?.["human"], fields?.["roles"], fields?.["status"]], ["corp:ann", "auditor", 403]);
});

test("the trail tells of an agent that asks, also for what there is not", async (t) => {
  const { daemon } = await still(t);
  daemon.peer = { ...ROOT, tagged: true };
  await ask(daemon, "/v1/secret-4711");
  const { message, fields } = daemon.events[0] ?? {};
  assert.equal(message, "GET of nothing by uid 0: API_PEER_TAGGED");
  assert.equal(fields?.["route"], "");
});

test("the event is told before the answer is given", async (t) => {
  const order: string[] = [];
  const daemon = await fakeDaemon(t, (ports) => ({
    emit: ({ kind }) => void order.push(kind),
    sessions: {
      ...ports.sessions,
      entries: async () =>
        (async function* () {
          order.push("read");
          yield { number: 1, offsetMs: 0, kind: "start", text: "" } as const;
        })(),
    },
  }));
  await ask(daemon, "/v1/sessions/s1/entries");
  assert.deepEqual(order, ["api.call", "read"]);
});

test("the command line waits as long as it is told, says so, and asks again", async (t) => {
  const { daemon, clock } = await still(t);
  daemon.peer = MEMBER;
  await times(API_RATE_BURST, () => ask(daemon, "/v1/policy"));
  const waited: number[] = [];
  const said: string[] = [];
  const api = new ApiClient(daemon.runDir, {
    say: (words) => void said.push(words),
    async wait(ms) {
      waited.push(ms);
      clock.now += ms;
    },
  });
  assert.equal((await api.get<{ rules: number }>("/v1/policy")).rules, 3);
  assert.deepEqual([waited, said.length], [[1_000], 1]);
  assert.match(said[0] ?? "", /asking again in 1 s$/);
});

test("the command line gives up after so many waits, with the daemon's own words", async (t) => {
  const { daemon } = await still(t);
  daemon.peer = MEMBER;
  await times(API_RATE_BURST, () => ask(daemon, "/v1/policy"));
  const waited: number[] = [];
  const api = new ApiClient(daemon.runDir, { wait: async (ms) => void waited.push(ms) });
  await assert.rejects(api.get("/v1/policy"), { code: "API_RATE", exitCode: 3 });
  assert.equal(waited.length, API_RETRIES_MAX);
});

test("a wait ends when the command is interrupted", async (t) => {
  const { daemon } = await still(t);
  daemon.peer = MEMBER;
  await times(API_RATE_BURST, () => ask(daemon, "/v1/policy"));
  const interrupt = new AbortController();
  const api = new ApiClient(daemon.runDir, { say: () => interrupt.abort() });
  await assert.rejects(api.get("/v1/policy", { signal: interrupt.signal }), { code: "INTERRUPTED" });
});
