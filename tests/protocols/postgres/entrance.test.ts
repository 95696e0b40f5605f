import assert from "node:assert/strict";
import { test } from "node:test";
import { connectAsked } from "../../../src/protocols/postgres/entrance.ts";

const namesIn = ([one]: ReturnType<typeof connectAsked>) => one?.operation.actions[0]?.facts;

test("two sessions that ask for the same connection ask the same, which nobody can change", () => {
  const asked = connectAsked("shop", "app");
  assert.equal(connectAsked("shop", "app"), asked);
  const [{ operation } = assert.fail()] = asked;
  for (const one of [asked, operation, operation.actions, operation.actions[0], namesIn(asked)]) {
    assert.ok(Object.isFrozen(one));
  }
});

test("names are told apart wherever one ends and the other begins", () => {
  for (const [database, user] of [
    ["shop", "app"],
    ["shopapp", ""],
    ["app", "shop"],
    ['shop","app', ""],
    ["shop", 'app"'],
  ] as const) {
    assert.deepEqual(namesIn(connectAsked(database, user)), { database, user });
  }
});
