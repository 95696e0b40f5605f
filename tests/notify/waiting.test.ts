/** Whose message is next, and whose is given up: one agent's many are nobody else's delay or loss. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { NOTIFY_QUEUED_MAX } from "../../src/base/limits.ts";
import { noticeOf } from "../../src/notify/notice.ts";
import { type Message, Waiting } from "../../src/notify/waiting.ts";
import { JUDGING, NOW, record } from "./kit.ts";

function message(id: string, agent: string): Message {
  const held = record({ agent });
  return { id, notice: noticeOf(held, "held", NOW, "ids", JUDGING), demands: held.demands, queuedMs: NOW };
}

function holding(...all: readonly (readonly [id: string, agent: string])[]): Waiting {
  const waiting = new Waiting();
  for (const [id, agent] of all) assert.ok(waiting.add(message(id, agent)));
  return waiting;
}

test("agents are told of by turns, and what one waits for in its order", () => {
  const waiting = holding(["b1", "bot"], ["b2", "bot"], ["b3", "bot"], ["c1", "ci"], ["c2", "ci"], ["d1", "dev"]);
  const told: (string | undefined)[] = [];
  while (waiting.length > 0) {
    told.push(waiting.next()?.id);
    waiting.done();
  }
  assert.deepEqual(told, ["b1", "c1", "d1", "b2", "c2", "b3"]);
  assert.equal(waiting.next(), undefined);
});

test("one that was not taken stays the first of its agent, and the others are tried meanwhile", () => {
  const waiting = holding(["b1", "bot"], ["b2", "bot"], ["c1", "ci"]);
  const tried = [waiting.next()?.id, waiting.next()?.id, waiting.next()?.id];
  assert.deepEqual(tried, ["b1", "c1", "b1"]);
  waiting.done();
  assert.deepEqual(
    waiting.all().map(({ id }) => id),
    ["c1", "b2"],
  );
});

test("where there is no room, the agent that has most loses its oldest, and not the one on its way", () => {
  const waiting = holding(["c1", "ci"], ["b0", "bot"], ["b1", "bot"]);
  assert.equal(waiting.next()?.id, "c1");
  waiting.done();
  assert.equal(waiting.next()?.id, "b0");
  waiting.add(message("c2", "ci"));
  for (let many = 2; waiting.length < NOTIFY_QUEUED_MAX; many++) assert.ok(waiting.add(message(`b${many}`, "bot")));
  assert.equal(waiting.add(message("c3", "ci")), false);
  assert.equal(waiting.add(message("last", "bot")), false);
  const left = waiting.all().map(({ id }) => id);
  assert.equal(left.length, NOTIFY_QUEUED_MAX);
  assert.deepEqual([left[0], left.includes("b1"), left.includes("b2"), left.at(-1)], ["b0", false, false, "last"]);
  assert.deepEqual([left.includes("c2"), left.includes("c3")], [true, true]);
});
