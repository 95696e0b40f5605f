import assert from "node:assert/strict";
import { test } from "node:test";
import { GROUPS_KEPT_MS } from "../../src/base/limits.ts";
import { createGroupsOf } from "../../src/identity/groups.ts";
import { handClock } from "../store/folder.ts";

test("the host's own root belongs to its group; nobody knows a number that no user has", async () => {
  const groupsOf = createGroupsOf(handClock());
  assert.ok((await groupsOf(0)).has("root"));
  assert.deepEqual([...(await groupsOf(3_999_999_999))], []);
});

test("names are taken whole, also with spaces, and asked for once in a while", async () => {
  const clock = handClock();
  let asked = 0;
  const groupsOf = createGroupsOf(clock, async () => {
    asked += 1;
    return asked === 1 ? "sre\0domain users\0" : "";
  });
  assert.deepEqual([...(await groupsOf(5))], ["sre", "domain users"]);
  assert.deepEqual([...(await groupsOf(5))], ["sre", "domain users"]);
  assert.equal(asked, 1);
  clock.advance(GROUPS_KEPT_MS);
  assert.deepEqual([...(await groupsOf(5))], [], "who has left a group has left it");
});

test("a host that does not answer gives no groups", async () => {
  const groupsOf = createGroupsOf(handClock(), () => Promise.reject(new Error("timeout")));
  assert.equal((await groupsOf(5)).size, 0);
});
