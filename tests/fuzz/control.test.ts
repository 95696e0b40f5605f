/**
 * Control: what is not changed passes. The recorded conversations get the recorded answers through a session, the model of
 * the server answers as the recorded one did, logins log in and the lookup finds; so what the fuzzer ends, its changes end.
 */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { prepareAnalysis } from "../../src/protocols/postgres/actions.ts";
import { ANSWERS, CONVERSATIONS, STARTUP, turnsOf } from "./material.ts";
import { type MakeSession, realSession, type Setting } from "./setting.ts";
import { EXCHANGES, ToldLogin } from "./told-login.ts";
import { lookupAnswer, ToldLookup } from "./told-lookup.ts";
import { Trial } from "./trial.ts";
import { WORLDS } from "./worlds.ts";

before(() => prepareAnalysis());

/** Refused by the product itself, recorded in several ways, or answered by the model in words of its own. */
const OTHERWISE = new Set([
  ...["function-call", "syntax", "sql-prepared", "cursor-as-portal"],
  ...["in", "in-failed", "in-wrong", "in-extended"],
  ...["failing", "failing-amid", "names", "freed", "limits", "failed-transaction"],
]);

function settingOf(world: Setting["world"]): Setting {
  return { world, seed: 1, server: "model", denied: 0, late: 0, failing: 0, chatty: 0, unlucky: 0 };
}

/** All that the client got after its greeting. */
function answersTo(conversation: (typeof CONVERSATIONS)[number], world: Setting["world"]): Buffer {
  const shown: Buffer[] = [];
  const make: MakeSession = (own, budget) => {
    const real = realSession(own, budget);
    return {
      handle: (event) => {
        const commands = real.handle(event);
        for (const command of commands) if (command.kind === "toClient") shown.push(Buffer.from(command.bytes));
        return commands;
      },
    };
  };
  const trial = new Trial(settingOf(world), ANSWERS, make);
  trial.give({ kind: "client", bytes: STARTUP });
  trial.give({ kind: "settle" });
  shown.length = 0;
  for (const turn of turnsOf(conversation)) {
    trial.give({ kind: "client", bytes: Buffer.concat(turn) });
    trial.give({ kind: "deliver", count: 1 << 24 });
  }
  trial.finish();
  assert.equal(trial.isClosed, false, `${conversation.name}: ${trial.reason}`);
  return Buffer.concat(shown);
}

const [OPEN] = WORLDS;

for (const conversation of CONVERSATIONS) {
  if (OTHERWISE.has(conversation.name)) continue;
  test(`as recorded: ${conversation.topic} ${conversation.name}`, () => {
    const recorded = conversation.messages.filter(({ from }) => from === "server").map(({ bytes }) => bytes);
    assert.equal(
      answersTo(conversation, OPEN as Setting["world"]).toString("latin1"),
      Buffer.concat(recorded).toString("latin1"),
    );
  });
}

test("in no world does an unchanged conversation end its session or show what is hidden", () => {
  for (const world of WORLDS) for (const conversation of CONVERSATIONS) answersTo(conversation, world);
});

for (const { name, tls, says } of EXCHANGES) {
  test(`unchanged, the login "${name}" comes to its end`, () => {
    const login = new ToldLogin(tls);
    for (const messages of says) login.tell(Buffer.concat(messages));
    assert.equal(login.isOver, true);
    assert.equal(login.isDone, !["an error", "TLS refused", "scram inside TLS", "clear without TLS"].includes(name));
  });
}

test("unchanged, the lookup finds its facts", () => {
  const lookup = new ToldLookup();
  lookup.tell(Buffer.concat(lookupAnswer()));
  assert.equal(lookup.isDone, true);
});
