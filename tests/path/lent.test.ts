/** When a driver lends its session's wires, and what it hears when they are back. The relay is the test's own. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { SessionCommand, SessionEvent } from "../../src/model/session.ts";
import type { SessionRelay, TakenBack } from "../../src/path/relay.ts";
import type { Wire } from "../../src/path/wire.ts";
import { bytes, relayScript, textOf, until } from "./kit.ts";
import { isLoggedIn, start } from "./running.ts";

/** At rest after every read of the server; what the client says is half of something unless it ends with "." */
const resting = (event: SessionEvent): readonly SessionCommand[] => {
  if (event.kind === "client" && !textOf(event.bytes).endsWith(".")) return [];
  const commands = relayScript(event);
  return event.kind === "server" ? [...commands, { kind: "rest", lastId: 1, forms: [] }] : commands;
};

/** A relay that takes every loan; `back`: what comes with the next one that is taken back. */
function lentTo(back: Partial<TakenBack> = {}) {
  const none = new Uint8Array();
  const relayed = { asks: 0, inFlight: [], left: undefined, passing: 0, status: 0, wasIdle: false };
  const bytesBack = { fromClient: none, fromServer: none, toClient: none, toServer: none };
  const state = { isLent: false, loans: 0, giveBack: () => {} };
  const relay = {
    ...{ bytesIn: 0, bytesOut: 0 },
    get isLent() {
      return state.isLent;
    },
    lend: (client: Wire, server: Wire, _rest: unknown, giveBack: () => void) => {
      client.lend();
      server.lend();
      Object.assign(state, { isLent: true, loans: state.loans + 1, giveBack });
      return true;
    },
    take: (): TakenBack => {
      state.isLent = false;
      return { relayed, ...bytesBack, bytesIn: 0, bytesOut: 0, ...back };
    },
  };
  return { state, ports: { relay: relay as unknown as SessionRelay } };
}

test("a flow is lent when its session comes to rest, and taken back before any other event", async (t) => {
  const { state, ports } = lentTo();
  const world = await start(t, { script: resting, ports });
  await until(() => isLoggedIn(world), "the login");
  world.server.write("first");
  await until(() => state.loans === 1, "the loan");
  world.driver.changed();
  assert.equal(state.isLent, false);
  assert.deepEqual(world.session.events.slice(-2), ["relayed", "changed"]);
  assert.equal(state.loans, 1, "not again before the server has spoken");
});

for (const [name, half, loans] of [
  ["half of what the client says comes back with the last answer: the session has to hear the rest", "half of", 1],
  ["control: only the last answer comes back, and the flow is lent again", "", 2],
] as const)
  test(name, async (t) => {
    const { state, ports } = lentTo({ fromServer: bytes("an answer"), fromClient: bytes(half) });
    const world = await start(t, { script: resting, ports });
    await until(() => isLoggedIn(world), "the login");
    world.server.write("first");
    await until(() => state.loans === 1, "the loan");
    state.giveBack();
    assert.equal(state.loans, loans);
    if (half === "") return;
    world.client.write(" it.");
    await until(() => world.session.events.at(-1) === "allow 1", "the session hears the rest of it");
  });

test("a change that comes with the last word of the server lends nothing before the session rests again", async (t) => {
  const { state, ports } = lentTo({ fromServer: bytes("an answer") });
  const world = await start(t, { script: resting, ports });
  await until(() => isLoggedIn(world), "the login");
  world.server.write("first");
  await until(() => state.loans === 1, "the loan");
  world.driver.changed();
  assert.deepEqual(world.session.events.slice(-3), ["relayed", "server an answer", "changed"]);
  assert.equal(state.loans, 1, "what it rested upon is of before the change");
});
