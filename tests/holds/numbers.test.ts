/** Users of the host by name in `humans`: who is renumbered or deleted while the daemon runs approves nothing of their own. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { HUMAN_SEEN_MS, USER_NUMBERS_MAX } from "../../src/base/limits.ts";
import { haveCommon } from "../../src/model/human.ts";
import { handClock } from "../store/folder.ts";
import { answerOf, demand, request, world } from "./kit.ts";
import { human, people, person, signedIn } from "./people.ts";

/** The host's users, as they are now. */
async function host(t: Parameters<typeof people>[0]) {
  const passwd = new Map([["ada", 2101]]);
  const clock = handClock();
  const users = { first: (name: string) => passwd.get(name), now: async (name: string) => passwd.get(name) };
  const known = await people(t, users, clock);
  /** Whether a process of that user may be ada's. */
  const isAda = (uid: number) => haveCommon(known.humansOf([`unix:${uid}`]), known.humansOf(["corp:ada"]));
  return { passwd, clock, known, isAda };
}

test("a user who was given another number is the same human by both", async (t) => {
  const { passwd, known, isAda } = await host(t);
  assert.deepEqual([isAda(2101), isAda(2102)], [true, false]);
  passwd.set("ada", 2102);
  await known.renumber();
  assert.deepEqual([isAda(2101), isAda(2102)], [true, true]);
});

test("a user who was deleted stays who they were, for a month after they were seen last", async (t) => {
  const { passwd, clock, known, isAda } = await host(t);
  passwd.delete("ada");
  await known.renumber();
  assert.equal(isAda(2101), true, "what they started may run on");
  passwd.set("ada", 2102);
  clock.advance(HUMAN_SEEN_MS + 1);
  await known.renumber();
  assert.deepEqual([isAda(2101), isAda(2102)], [false, true]);
});

test("a reload does not forget what was seen, and a user who comes later is found", async (t) => {
  const { passwd, known, isAda } = await host(t);
  passwd.set("ada", 2102);
  await known.renumber();
  const named = (accounts: readonly string[]) => known.configure([], [{ name: "ada", accounts }]);
  named(["corp:ada", "unix:ada", "unix:late"]);
  assert.deepEqual([isAda(2101), isAda(2102), isAda(2103)], [true, true, false]);
  passwd.set("late", 2103);
  await known.renumber();
  assert.equal(isAda(2103), true);
  named(["corp:ada"]);
  named(["corp:ada", "unix:ada"]);
  assert.deepEqual([isAda(2101), isAda(2102)], [false, true], "what nobody names is forgotten");
});

test("only so many numbers of one user are kept, the newest", async (t) => {
  const { passwd, known, isAda } = await host(t);
  for (let index = 1; index <= USER_NUMBERS_MAX; index++) {
    passwd.set("ada", 2101 + index);
    await known.renumber();
  }
  assert.deepEqual([isAda(2101), isAda(2102), isAda(2101 + USER_NUMBERS_MAX)], [false, true, true]);
});

for (const isLookedUp of [true, false]) {
  test(`what ada's new number started ${isLookedUp ? "she does not approve" : "she would approve, if nobody looked"}`, async (t) => {
    const { passwd, known } = await host(t);
    passwd.set("ada", 2102);
    if (isLookedUp) await known.renumber();
    const { holds } = await world(t, { humansOf: known.humansOf, taggedBy: () => ["unix:2102"] });
    const hold = holds.open(request({ terms: { demands: [demand({ approvers: ["corp:sre"] })] } }));
    const approving = holds.approve(hold.id, {}, await person(signedIn(human("corp", "ada"))));
    if (isLookedUp) await assert.rejects(approving, { code: "APPROVAL_NOT_PERMITTED" });
    else await approving;
    assert.equal(await answerOf(hold.answer), isLookedUp ? "waits" : "approved");
  });
}
