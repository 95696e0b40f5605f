/** What is decided has to survive a loss of power: nothing leaves, and nothing else happens, before it does. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { SessionCommand, SessionEvent } from "../../src/model/session.ts";
import type { DriverPorts } from "../../src/path/driver.ts";
import { bytes, relayScript, turns, until } from "./kit.ts";
import { isLoggedIn, loggedIn, start } from "./running.ts";

/** A disk that settles when the test says so. */
function disk() {
  const waiting: PromiseWithResolvers<void>[] = [];
  let isManual = false;
  const settle: DriverPorts["settle"] = () => {
    if (!isManual) return undefined;
    const one = Promise.withResolvers<void>();
    waiting.push(one);
    return one.promise;
  };
  const byHand = () => {
    isManual = true;
  };
  return { settle, waiting, byHand };
}

/** A session whose decisions settle by hand from here on. */
async function loggedInOn(t: TestContext, script = relayScript) {
  const slow = disk();
  const world = await start(t, { ports: { settle: slow.settle }, script });
  await until(() => isLoggedIn(world), "the login");
  slow.byHand();
  return { world, slow };
}

test("an allowed statement leaves once its decision has settled, and not before", async (t) => {
  const { world, slow } = await loggedInOn(t);
  world.client.write("select 1");
  await until(() => slow.waiting.length === 1, "a decision to settle");
  await turns(20);
  assert.equal(world.received.text(), "");
  slow.waiting[0]?.resolve();
  await until(() => world.received.text() === "select 1", "the statement");
});

test("the login begins once the decision to connect has settled", async (t) => {
  const slow = disk();
  slow.byHand();
  let logins = 0;
  const login = async (wire: Parameters<typeof loggedIn>[0]) => {
    logins += 1;
    return loggedIn(wire);
  };
  const world = await start(t, { ports: { settle: slow.settle }, login });
  await until(() => slow.waiting.length === 1, "the decision to connect");
  await turns(20);
  assert.equal(logins, 0);
  slow.waiting[0]?.resolve();
  await until(() => isLoggedIn(world), "the login");
  assert.equal(logins, 1);
});

test("what comes meanwhile waits its turn: order is kept, and the server's answers lose nothing", async (t) => {
  const { world, slow } = await loggedInOn(t);
  world.client.write("first ");
  await until(() => slow.waiting.length === 1, "the first decision");
  world.client.write("second");
  world.server.write("an answer");
  await turns(20);
  assert.deepEqual([world.received.text(), world.answer.text()], ["", ""]);
  slow.waiting[0]?.resolve();
  await until(() => slow.waiting.length === 2, "the second decision");
  assert.equal(world.received.text(), "first ");
  slow.waiting[1]?.resolve();
  await until(() => world.received.text() === "first second", "both");
  await until(() => world.answer.text() === "an answer", "the answer");
});

test("commands that follow one that settles are obeyed after it, in their order", async (t) => {
  const slow = disk();
  const script = (event: SessionEvent): readonly SessionCommand[] => {
    if (event.kind === "verdict" && event.id > 0 && event.decision.kind === "allow") {
      return [
        { kind: "forward", id: event.id, permit: event.decision.permit },
        { kind: "shut", side: "server" },
        { kind: "toClient", bytes: bytes("said last") },
      ];
    }
    return relayScript(event);
  };
  const world = await start(t, { ports: { settle: slow.settle }, script });
  await until(() => isLoggedIn(world), "the login");
  slow.byHand();
  world.client.write("terminate");
  await until(() => slow.waiting.length === 1, "the decision");
  await turns(20);
  assert.equal(world.received.ended(), false);
  assert.equal(world.answer.text(), "");
  slow.waiting[0]?.resolve();
  await until(() => world.received.ended() && world.answer.text() !== "", "the end and what follows it");
  assert.deepEqual([world.received.text(), world.answer.text()], ["terminate", "said last"]);
});

test("a disk that fails forwards nothing, and the client gets the session's farewell", async (t) => {
  const { world, slow } = await loggedInOn(t);
  world.client.write("delete from t");
  await until(() => slow.waiting.length === 1, "the decision");
  slow.waiting[0]?.reject(Object.assign(new Error("disk broken"), { code: "RECORDING_FAILED" }));
  assert.equal(await world.done, "disk broken");
  await until(() => world.answer.ended() && world.received.ended(), "both ends");
  assert.deepEqual([world.received.text(), world.answer.text()], ["", "bye"]);
  assert.deepEqual(world.faults, [{ code: "RECORDING_FAILED", message: "disk broken" }]);
});

test("a session that is cut while its decision settles forwards nothing", async (t) => {
  const { world, slow } = await loggedInOn(t);
  world.client.write("delete from t");
  await until(() => slow.waiting.length === 1, "the decision");
  world.driver.cut("quarantined");
  assert.equal(await world.done, "quarantined");
  slow.waiting[0]?.resolve();
  await turns(20);
  assert.equal(world.received.text(), "");
});

test("a stop that comes while a decision settles still says the farewell", async (t) => {
  const { world, slow } = await loggedInOn(t);
  world.client.write("select 1");
  await until(() => slow.waiting.length === 1, "the decision");
  world.driver.stop("its grant ended");
  slow.waiting[0]?.resolve();
  assert.equal(await world.done, "its grant ended");
  await until(() => world.answer.ended(), "the end");
  assert.equal(world.answer.text(), "bye");
});
