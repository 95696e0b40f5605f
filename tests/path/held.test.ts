/** A driver whose ask waits for a human, and what the judge of that moment makes of the answer. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { HELD_BYTES_MAX } from "../../src/base/limits.ts";
import type { Hold, HoldAnswer, HoldRequest } from "../../src/holds/hold.ts";
import type { Decision, HoldDecision, Verdict } from "../../src/model/decision.ts";
import { mintPermit } from "../../src/model/permit.ts";
import type { DriverPorts } from "../../src/path/driver.ts";
import { HeldAsks } from "../../src/path/held.ts";
import type { Judge } from "../../src/policy/decide.ts";
import { bytes, textOf, turns, until } from "./kit.ts";
import { isLoggedIn, start } from "./running.ts";

const HOLD: HoldDecision = {
  ...{ kind: "hold", rules: ["deletes"], message: "Deletes need a reviewer", policy: "p" },
  terms: { demands: [], expiresMs: 60_000, reuseMs: 0 },
};

/** A session whose client says "delete", which is held until the test answers. */
async function held(t: TestContext, changes: Partial<DriverPorts> = {}) {
  const world = await asking(t, changes);
  await until(() => world.session.events.includes("held"), "the hold");
  return world;
}

/** The same, as soon as it is said. */
async function asking(t: TestContext, changes: Partial<DriverPorts>) {
  const answer = Promise.withResolvers<Verdict>();
  const steps: string[] = [];
  let owned: Uint8Array = new Uint8Array();
  const denied = (message: string): Verdict => ({ kind: "deny", rules: ["deletes"], message, policy: "p" });
  const ports: Partial<DriverPorts> = {
    decide: (id, what, own): Decision =>
      what[0]?.text === "client delete"
        ? HOLD
        : { kind: "allow", permit: mintPermit("s1", id, own), rules: [], policy: "p" },
    hold: (_id, _asked, own) => {
      owned = own;
      return {
        ...{ id: "h1", notice: Promise.resolve("it waits"), verdict: answer.promise },
        abandon: (reason) => {
          steps.push(`abandon ${reason}`);
          answer.resolve(denied(reason));
        },
        withdraw: (reason) => {
          steps.push(`withdraw ${reason}`);
          return denied(reason);
        },
      };
    },
    recordAsked: (_id, what, decision, hold) =>
      void steps.push(`record ${decision.kind} ${what[0]?.text} ${hold ?? ""}`),
    recordDecided: (_id, { kind }) => void steps.push(`decided ${kind}`),
    flush: () => void (steps.at(-1) !== "flush" && steps.push("flush")),
    ...changes,
  };
  const world = await start(t, { ports });
  await until(() => isLoggedIn(world), "the login");
  steps.length = 0;
  world.client.write("delete");
  const approve = () => answer.resolve({ kind: "allow", permit: mintPermit("s1", 1, owned), rules: [], policy: "p" });
  return { ...world, steps, approve, deny: () => answer.resolve(denied("no")), owned: () => owned };
}

test("held: recorded with its id before anybody answers; approved: recorded again, then forwarded, once", async (t) => {
  const world = await held(t);
  assert.deepEqual(world.steps, ["record hold client delete h1", "flush"]);
  assert.equal(world.received.text(), "");
  world.server.on("data", () => world.steps.push("forwarded"));
  world.approve();
  await until(() => world.received.text() !== "", "the forwarded bytes");
  assert.deepEqual(world.steps.slice(2), ["decided allow", "flush", "forwarded"]);
  assert.equal(world.received.text(), "delete");
});

test("its bytes are its own: what is read meanwhile does not change them", async (t) => {
  const world = await held(t);
  world.client.write("XXXXXXXXXX");
  await until(() => world.session.events.some((event) => event.includes("XXXXX")), "the bytes behind it");
  assert.equal(textOf(world.owned()), "delete");
});

test("denied: nothing is forwarded", async (t) => {
  const world = await held(t);
  world.deny();
  await until(() => world.answer.text() === "no", "the answer");
  assert.equal(world.received.text(), "");
});

for (const [how, leave] of [
  ["leaves", (client: { end(): void }) => client.end()],
  ["resets", (client: { resetAndDestroy(): void }) => client.resetAndDestroy()],
] as const) {
  test(`a client that ${how} meanwhile gives it up, and the end is recorded before the session's`, async (t) => {
    const world = await held(t);
    leave(world.client);
    await world.done;
    assert.deepEqual(world.steps.slice(-2), ["abandon the client left", "decided deny"]);
    assert.equal(world.received.text(), "");
  });
}

test("a server that leaves gives it up", async (t) => {
  const world = await held(t);
  world.server.end();
  await world.done;
  assert.ok(world.steps.includes("abandon the server left"));
});

test("an approval that comes when the session has ended is taken back", async (t) => {
  const world = await held(t, {});
  // The approval is on its way in the same turn in which the session is stopped.
  world.approve();
  world.driver.stop("the policy does not allow it any more");
  await world.done;
  assert.ok(world.steps.includes("withdraw the policy does not allow it any more"));
  assert.equal(world.steps.at(-1), "decided deny");
  await turns(5);
  assert.equal(world.received.text(), "");
});

test("one that cannot be recorded is taken back and never forwarded", async (t) => {
  const world = await held(t, {
    recordDecided: () => {
      throw Object.assign(new Error("disk full"), { code: "RECORDING_FAILED" });
    },
  });
  world.approve();
  assert.equal(await world.done, "disk full");
  assert.ok(world.steps.includes("withdraw it could not be recorded"));
  assert.equal(world.received.text(), "");
});

test("one whose waiting cannot be recorded is given up with its session: nobody may approve it later", async (t) => {
  const world = await asking(t, {
    recordAsked: (_id, what) => {
      if (what[0]?.text === "client delete") throw Object.assign(new Error("disk full"), { code: "RECORDING_FAILED" });
    },
  });
  assert.equal(await world.done, "disk full");
  assert.ok(world.steps.includes("abandon disk full"), world.steps.join());
  assert.equal(world.received.text(), "");
});

test("a cancel reaches what waits, and nothing else", async (t) => {
  const world = await held(t);
  assert.equal(world.driver.cancelHeld("canceled"), true);
  await until(() => world.answer.text() === "no", "the answer");
  assert.equal(world.driver.cancelHeld("canceled"), false);
});

test("a client that floods what waits is read no further than the limit", async (t) => {
  const world = await held(t);
  world.client.write(Buffer.alloc(HELD_BYTES_MAX * 8, "x"));
  await turns(200);
  assert.ok(world.driver.bytesIn < HELD_BYTES_MAX * 3, `${world.driver.bytesIn} were read`);
  world.deny();
  await until(() => world.driver.bytesIn > HELD_BYTES_MAX * 8, "the rest");
});

/** Holds that the test answers, and a judge that it changes. */
function asks(judge: Partial<Judge> = {}, room: true | string = true) {
  const answer = Promise.withResolvers<HoldAnswer>();
  const told: string[] = [];
  const hold: Hold = {
    ...{
      id: "h1",
      notice: Promise.resolve(""),
      answer: answer.promise,
      abandon: (reason) => told.push(`abandon ${reason}`),
    },
    withdraw: (reason) => told.push(`withdraw ${reason}`),
    finished: (result) => told.push(`finished ${result}`),
  };
  const now = {
    policy: "p",
    decide: () => HOLD,
    again: () => HOLD,
    lift: (id: number, _asked: unknown, own: Uint8Array) => ({
      kind: "allow",
      permit: mintPermit("s1", id, own),
      rules: [],
      policy: "p",
    }),
    ...judge,
  } as unknown as Judge;
  const held = new HeldAsks(
    { open: () => hold },
    () => now,
    () => room,
  );
  const request = { askId: 3, asked: [], bytes: bytes("delete"), decision: HOLD } as unknown as HoldRequest;
  const { verdict } = held.open(request);
  const approve = () => answer.resolve({ kind: "approved", approval: { hold: "h1", by: ["ada"] } });
  return { held, verdict, approve, told };
}

test("what is approved while the audit trail is full is not let go", async () => {
  const { verdict, approve, told } = asks({}, "the disk is full");
  approve();
  const decision = await verdict;
  assert.equal(decision.kind, "deny");
  assert.match(told.join(), /^withdraw nothing may be done that cannot be told: the disk is full$/);
});

const entry = { askId: 3, rows: 1, bytes: 0, masks: [], outcome: "DELETE 1" };

test("what was let go is told its result, once, by its ask", async () => {
  const { held, verdict, approve, told } = asks();
  approve();
  assert.equal((await verdict).kind, "allow");
  held.answered({ ...entry, askId: 2 });
  held.answered(entry);
  held.answered(entry);
  held.end();
  assert.deepEqual(told, ["finished DELETE 1"]);
});

test("a failure is a result; a session that ends first leaves none", async () => {
  const failed = asks();
  failed.approve();
  await failed.verdict;
  failed.held.answered({ ...entry, error: { code: "23503", message: "x" } });
  const cut = asks();
  cut.approve();
  await cut.verdict;
  cut.held.end();
  assert.deepEqual([failed.told, cut.told], [["finished failed: 23503"], ["finished undefined"]]);
});

const changed = [
  { name: "another policy is in force", judge: { policy: "q" }, why: /policy has changed/ },
  { name: "it is denied by now", judge: { lift: () => ({ kind: "deny" }) }, why: /not allowed any more/ },
] as const;
for (const { name, judge, why } of changed) {
  test(`approved while ${name}: taken back`, async () => {
    const { verdict, approve, told } = asks(judge as unknown as Partial<Judge>);
    approve();
    const said = await verdict;
    assert.ok(said.kind === "deny" && why.test(said.message));
    assert.match(told.join(), /^withdraw /);
  });
}

const rejudged = [
  { name: "the same policy", judge: {}, outdated: undefined },
  { name: "another policy", judge: { policy: "q" }, outdated: /policy has changed/ },
  { name: "a denial by now", judge: { again: () => ({ kind: "deny" }) }, outdated: /not allowed/ },
] as const;
for (const { name, judge, outdated } of rejudged) {
  test(`judged again while it waits: ${name}`, async () => {
    const { held, verdict, approve } = asks(judge as unknown as Partial<Judge>);
    if (outdated === undefined) assert.equal(held.outdated, undefined);
    else assert.match(held.outdated ?? "", outdated);
    approve();
    await verdict;
    assert.equal(held.outdated, undefined, "nothing waits any more");
  });
}
