/** When a session's flow is lent, under what, and what is made of it when it comes back. The relay is the test's own. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RELAY_NEEDED_MAX, RELAY_SHORT } from "../../src/base/limits.ts";
import type { Lender, RelayReturned, Relays } from "../../src/kernel/relays.ts";
import { REDACTED } from "../../src/masking/marks.ts";
import { createMasker } from "../../src/masking/mask.ts";
import type { RelayedTally, SessionMeter } from "../../src/metrics/meter.ts";
import type { Form, RelayMode } from "../../src/model/form.ts";
import type { Asked } from "../../src/model/operation.ts";
import { mintPermit, mintStandingPermit } from "../../src/model/permit.ts";
import { type RelayParts, SessionRelay } from "../../src/path/relay.ts";
import type { Wire } from "../../src/path/wire.ts";
import type { Judge, Standing } from "../../src/policy/decide.ts";
import type { Recording, RecordingLoan } from "../../src/recorder/recording.ts";
import { asked, bytes } from "./kit.ts";

const [ASKED = assert.fail()] = asked("SELECT n FROM t WHERE n = 1");
const FORM: Form = {
  request: [{ type: 0x51, parts: [bytes("SELECT n FROM t WHERE n = "), "integer", bytes("\0")] }],
  ...{ answer: [], hasRows: true, asked: ASKED, isTextOpen: true, leaves: false },
};
const BOUND: Form = { ...FORM, isTextOpen: false, asked: { ...ASKED, text: "UPDATE t SET n = $1" } };
const TAIL = { fd: 9, size: 100, sizeMax: 1_000, sequence: 4, link: "l".repeat(32), forMs: 60_000 };
const NONE = Buffer.alloc(0);
const TOOK = Array.from({ length: 32 }, () => 0);
const NO_TOTALS = { bytesIn: 0, bytesOut: 0, asks: 0, rows: 0, asked: [0], took: TOOK };
const BACK: RelayReturned = {
  ...{ tail: { ...TAIL, isBroken: false }, totals: NO_TOTALS, inFlight: [], answers: [], passing: 0, status: 0 },
  ...{ wasIdle: false, left: undefined, fromClient: NONE, fromServer: NONE, toClient: NONE, toServer: NONE },
};

interface Making {
  readonly mode?: RelayMode;
  readonly mayRelay?: boolean;
  readonly standing?: (policy: string) => Standing | undefined;
  readonly believedMs?: number;
  /** Of those that are asked for. */
  readonly decision?: object;
  readonly wires?: readonly [client: number | undefined, server: number | undefined];
  readonly isRecordingLent?: boolean;
  readonly lend?: () => void;
}

function stand(making: Making = {}) {
  const allowed = (policy: string): Standing => ({
    kind: "permitted",
    permit: mintStandingPermit("s1", ASKED.operation),
    rules: ["read"],
    policy,
  });
  const { standing = allowed, wires = [3, 4], isRecordingLent = true, believedMs = 5_000 } = making;
  const world = {
    ...{ policy: "p1", mode: making.mode ?? ("always" as RelayMode), mayRelay: making.mayRelay ?? true },
    ...{ back: BACK, totals: BACK.totals, permits: 0, givenBack: 0 },
    loans: [] as { readonly forMs: number; readonly lastAskId: number }[],
    lender: undefined as Lender | undefined,
    recordingLoan: undefined as RecordingLoan | undefined,
    recordingTook: [] as Parameters<Recording["take"]>[0][],
    metered: [] as RelayedTally[],
    decided: [] as number[],
    took: [] as string[],
    specs: [] as { readonly isAsked?: boolean }[],
  };
  const flow = {
    take: () => world.back,
    settle: () => {},
    get tail() {
      return { ...TAIL, isBroken: false };
    },
    get totals() {
      return world.totals;
    },
  };
  const relays = {
    get mode() {
      return world.mode;
    },
    permit: (spec: { readonly isAsked?: boolean }) => {
      world.permits++;
      world.specs.push(spec);
      return {};
    },
    lend: (loan: (typeof world.loans)[number], lender: Lender) => {
      making.lend?.();
      world.loans.push(loan);
      world.lender = lender;
      return flow;
    },
  };
  const recording: Partial<Recording> = {
    standing: ({ text }) => ({ text, action: NONE, decision: NONE, isStatement: true }),
    lend: (loan) => {
      if (!isRecordingLent) return undefined;
      world.recordingLoan = loan;
      return TAIL;
    },
    take: (back) => void world.recordingTook.push(back),
  };
  const parts: RelayParts = {
    relays: relays as unknown as Relays,
    sessionId: "s1",
    recording: recording as Recording,
    judge: () =>
      ({
        policy: world.policy,
        standing: () => standing(world.policy),
        decide: (id: number, asked: readonly Asked[], bytes: Uint8Array) => {
          assert.deepEqual(asked, [ASKED]);
          const allowed = { kind: "allow", rules: ["read"], policy: world.policy };
          return { ...allowed, permit: mintPermit("s1", id, bytes), ...making.decision };
        },
      }) as unknown as Judge,
    decided: (id) => void world.decided.push(id),
    masker: createMasker(Buffer.alloc(32, 1)),
    meter: {
      relayed: (tally) => void world.metered.push(tally),
      took: (phase) => void world.took.push(phase),
    } as Partial<SessionMeter> as SessionMeter,
    mayRelay: () => world.mayRelay,
    believedMs: () => believedMs,
  };
  const relay = new SessionRelay(parts);
  const [client, server] = wires.map((fd) => ({ lend: () => fd }) as Partial<Wire> as Wire) as [Wire, Wire];
  const lend = (forms: readonly Form[] = [FORM], facts?: object) =>
    relay.lend(client, server, { kind: "rest", lastId: 7, forms, ...(facts === undefined ? {} : { facts }) }, () => {
      world.givenBack++;
    });
  return { relay, world, lend };
}

test("a flow at rest is lent behind the session's last ask, for as long as its segment and its facts may be used", () => {
  const { relay, world, lend } = stand({ believedMs: 1_234.5 });
  assert.equal(lend([FORM], {}), true);
  assert.equal(relay.isLent, true);
  const [{ forMs, lastAskId } = assert.fail()] = world.loans;
  assert.deepEqual([forMs, lastAskId], [1_234, 7]);
});

const not: readonly (Making & { readonly name: string; readonly forms?: readonly Form[] })[] = [
  { name: "the settings say so", mode: "off" },
  { name: "every operation is to be told, or nothing may be done", mayRelay: false },
  { name: "it has no form", forms: [] },
  { name: "the judge stands by none of its forms", standing: () => undefined },
  { name: "its facts are too old", believedMs: 0 },
  { name: "the client is behind TLS, or has bytes that wait", wires: [undefined, 4] },
  { name: "the server is, or has", wires: [3, undefined] },
  { name: "its recording cannot be lent", isRecordingLent: false },
  { name: "its text may hold a finding", forms: [{ ...FORM, asked: { ...ASKED, text: "SELECT 'a@b.example', 1" } }] },
  { name: "its text may hold a mask", forms: [{ ...FORM, asked: { ...ASKED, text: `SELECT '${REDACTED}', 1` } }] },
  { name: "its text has escapes", forms: [{ ...FORM, asked: { ...ASKED, text: "SELECT '\\x41', 1" } }] },
];
for (const { name, forms, ...making } of not)
  test(`it is not lent where ${name}`, () => {
    const { relay, world, lend } = stand(making);
    assert.equal(lend(forms, {}), false);
    assert.deepEqual([relay.isLent, world.loans.length], [false, 0]);
  });

test("a permit of another operation, or a forged one, makes the session end rather than be relayed", () => {
  for (const permit of [mintStandingPermit("s1", { actions: [] }), mintStandingPermit("s2", ASKED.operation), {}])
    assert.throws(
      () =>
        stand({
          standing: (policy) => ({ kind: "permitted", permit, rules: [], policy }) as unknown as Standing,
        }).lend(),
      /Cannot relay by a standing permit/,
    );
});

const each = (policy: string): Standing => ({ kind: "asked", rules: ["read"], policy });

test("what the judge wants to be asked about each time is asked, counted, and goes under its own permit", () => {
  const { world, lend } = stand({ standing: each });
  assert.equal(lend(), true);
  assert.equal(world.specs[0]?.isAsked, true);
  assert.equal(world.lender?.decide(0, 8, Buffer.from("group")), true);
  assert.deepEqual([world.decided, world.took], [[8], ["judge"]]);
});

test("control: what the judge stands by is not asked about", () => {
  const { world, lend } = stand();
  lend();
  assert.equal(world.specs[0]?.isAsked, false);
});

const refused: readonly (readonly [why: string, decision: object])[] = [
  ["is denied", { kind: "deny", message: "no", permit: undefined }],
  ["is held", { kind: "hold", message: "ask", permit: undefined }],
  ["other rules allow", { rules: ["another"] }],
  ["more rules allow", { rules: ["read", "another"] }],
  ["another policy allows", { policy: "p2" }],
  ["is allowed only because its agent is observed", { observed: { rules: ["no"], message: "no" } }],
  ["a rule in shadow would deny", { shadow: [{ rule: "dark", would: "deny" }] }],
  ["a human has approved", { approval: { hold: "h1", by: [] } }],
];
for (const [why, decision] of refused)
  test(`what ${why} is the session's, and counts for nothing here`, () => {
    const { world, lend } = stand({ standing: each, decision });
    lend();
    assert.equal(world.lender?.decide(0, 8, Buffer.from("group")), false);
    assert.deepEqual(world.decided, []);
  });

test("once nothing new may be done, what is asked about is the session's, without waiting for the flow to come back", () => {
  const { world, lend } = stand({ standing: each });
  lend();
  world.mayRelay = false; // the audit trail is full
  assert.equal(world.lender?.decide(0, 8, Buffer.from("group")), false);
  assert.deepEqual([world.decided, world.took], [[], []]);
});

test("a permit of another ask, or a forged one, lets nothing go", () => {
  for (const permit of [mintPermit("s1", 9, Buffer.alloc(1)), mintPermit("s2", 8, Buffer.alloc(1)), {}]) {
    const { world, lend } = stand({ standing: each, decision: { permit } });
    lend();
    assert.throws(() => world.lender?.decide(0, 8, Buffer.from("group")), /Cannot redeem a permit/);
    assert.deepEqual(world.decided, []);
  }
});

test("a relay that cannot take a flow leaves the recording to the session", () => {
  const { relay, world, lend } = stand({
    lend: () => {
      throw Object.assign(new Error("Cannot watch a socket"), { code: "ENOSPC" });
    },
  });
  assert.throws(() => lend(), { code: "ENOSPC" });
  assert.equal(relay.isLent, false);
  assert.deepEqual(world.recordingTook, [{ tail: { ...TAIL, isBroken: false }, statements: 0, rows: 0, answers: [] }]);
});

test("a permit is made once for a policy, and anew for another", () => {
  const { relay, world, lend } = stand();
  for (const policy of ["p1", "p1", "p2", "p1"]) {
    world.policy = policy;
    lend();
    relay.take();
  }
  assert.equal(world.permits, 3);
});

test("coming and going for little doubles the rests before the next try, up to a limit, and a long stay ends that", () => {
  const { relay, world, lend } = stand({ mode: "auto" });
  const restsUntilLent = () => {
    for (let rests = 1; ; rests++) if (lend()) return rests;
  };
  const waited: number[] = [];
  for (let turn = 0; turn < 14; turn++) {
    waited.push(restsUntilLent());
    relay.take();
  }
  assert.deepEqual(waited.slice(0, 4), [1, 2, 4, 8]);
  assert.equal(waited.at(-1), RELAY_NEEDED_MAX);
  restsUntilLent();
  world.back = { ...BACK, totals: { ...NO_TOTALS, asks: RELAY_SHORT, asked: [RELAY_SHORT] } };
  relay.take();
  assert.equal(restsUntilLent(), 1);
});

test("a form more than there were is tried at once, until that brings no more than before", () => {
  const { relay, lend } = stand({ mode: "auto" });
  const other = { ...FORM };
  for (const forms of [[FORM], [FORM, other]]) {
    const tried = [0, 1, 2].map(() => {
      const isLent = lend(forms);
      if (isLent) relay.take();
      return isLent;
    });
    assert.deepEqual(tried, [true, false, true]);
  }
  assert.equal(lend([FORM, { ...FORM }]), false, "another in its place is no news");
});

test("what is left behind names its form", () => {
  const { relay, world, lend } = stand();
  lend([FORM, BOUND]);
  world.back = { ...BACK, left: 1 };
  assert.equal(relay.take().relayed.left, BOUND);
});

test("metrics hear of each group once, while the flow is away and when it is back", () => {
  const { relay, world, lend } = stand();
  lend();
  const took = TOOK.with(3, 5);
  world.totals = { ...NO_TOTALS, asks: 5, rows: 10, asked: [5], took };
  world.recordingLoan?.settle();
  world.back = { ...BACK, totals: { ...NO_TOTALS, asks: 7, rows: 12, asked: [7], took: took.with(4, 2) }, answers: [] };
  relay.take();
  const told = world.metered.map(({ asked: [rule], rows, took: times }) => [rule?.count, rows, times[3], times[4]]);
  assert.deepEqual(told, [
    [5, 10, 5, 0],
    [2, 2, 0, 2],
  ]);
});

test("a flow that carried nothing since it was last looked at is given back", () => {
  const { world, lend } = stand();
  lend();
  world.totals = { ...NO_TOTALS, asks: 1, asked: [1] };
  world.recordingLoan?.settle();
  assert.equal(world.givenBack, 0);
  world.recordingLoan?.settle();
  assert.equal(world.givenBack, 1);
});

test("what comes back counts in the recording and names the form of what is in flight", () => {
  const { relay, world, lend } = stand();
  lend([FORM, BOUND]);
  const one = { ...{ permit: 1, askId: 9, bytes: NONE, step: 0, rows: 3, rowBytes: 30 }, outcome: "" };
  const totals = { ...NO_TOTALS, asks: 4, rows: 2, asked: [1, 3], bytesIn: 50, bytesOut: 60 };
  world.totals = totals;
  const answers = [{ askId: 8, rows: 1, bytes: 10, outcome: "SELECT 1" }];
  world.back = { ...BACK, totals, inFlight: [{ ...one, isComplete: false }], answers };
  assert.deepEqual([relay.bytesIn, relay.bytesOut], [50, 60]);
  const { relayed, bytesIn } = relay.take();
  assert.deepEqual([relay.isLent, relay.bytesIn, bytesIn], [false, 0, 50]);
  assert.deepEqual(relayed.inFlight[0]?.form, BOUND);
  assert.equal(relayed.inFlight[0]?.outcome, undefined);
  const [{ statements, rows, answers: left } = assert.fail()] = world.recordingTook;
  assert.deepEqual([statements, rows, left], [4, 2, answers.map((answer) => ({ ...answer, masks: [] }))]);
  assert.throws(() => relay.take(), /Cannot take back what was not lent/);
});

const vouched: readonly { readonly at: number; readonly text: string; readonly is: boolean }[] = [
  { at: 0, text: "SELECT n FROM t WHERE n = 12345678", is: true },
  { at: 1, text: "2026-11-30 12:00:00", is: true },
  { at: 1, text: "4111111111111111", is: false },
  { at: 1, text: "someone@example.com", is: false },
  { at: 1, text: REDACTED, is: false },
  { at: 1, text: "********", is: false },
  { at: 2, text: "of no permit", is: false },
];
for (const { at, text, is } of vouched)
  test(`"${text}" ${is ? "may" : "may not"} be recorded as it is`, () => {
    const { world, lend } = stand();
    lend([FORM, BOUND]);
    assert.equal(world.lender?.vouch(at, text), is);
  });
