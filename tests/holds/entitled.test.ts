import assert from "node:assert/strict";
import { test } from "node:test";
import { bar, type Judging, maySee, type Person, requireEntitled } from "../../src/holds/entitled.ts";
import { demandWords, missing } from "../../src/holds/quorum.ts";
import type { HoldRecord, Vote } from "../../src/holds/record.ts";
import { userFields } from "../../src/model/event.ts";
import type { Demand } from "../../src/model/hold.ts";
import { ADA, BEN, CYD, demand, EVE, ROOT, STARTER } from "./kit.ts";

const record = (demands: readonly Demand[], votes: readonly Vote[] = []) =>
  ({ id: "h1", demands, votes, origin: { startedBy: STARTER.accounts } }) as unknown as HoldRecord;
const vote = ({ uid, user, groups, accounts, reach }: Person): Vote => ({
  ...userFields(uid),
  ...{ name: user, groups: [...groups], accounts, reach, atMs: 1 },
});
/** Nobody has two accounts. */
const apart: Judging = { humansOf: (accounts) => new Set(accounts), standing: () => undefined };

const who = [
  { name: "root", person: ROOT, sees: true, may: true },
  { name: "a member of the group", person: ADA, sees: true, may: true },
  { name: "a member of another group", person: CYD, sees: false, may: false },
  { name: "a member of none", person: EVE, sees: false, may: false },
  { name: "who started the agent, though a member", person: STARTER, sees: true, may: false },
] as const;
for (const { name, person, sees, may } of who) {
  test(`${name} ${sees ? "sees it" : "does not see it"} and ${may ? "may" : "may not"} answer`, () => {
    assert.equal(maySee(record([demand()]), person), sees);
    assert.equal(bar(record([demand()]), person, apart) === undefined, may);
    if (!may)
      assert.throws(() => requireEntitled(record([demand()]), person, apart), {
        code: "APPROVAL_NOT_PERMITTED",
        exitCode: 4,
      });
  });
}

test("a rule without groups is for root alone", () => {
  const nobody = record([demand({ approvers: [] })]);
  assert.match(bar(nobody, ADA, apart) ?? "", /only root/);
  assert.equal(bar(nobody, ROOT, apart), undefined);
});

const enough = [
  { name: "one of any group", demands: [demand({ approvers: ["sre", "dba"] })], by: [CYD] },
  { name: "root alone", demands: [demand()], by: [ROOT] },
  { name: "two of one group", demands: [demand({ quorum: 2 })], by: [ADA, BEN] },
  {
    name: "one of each group",
    demands: [demand({ approvers: ["sre", "dba"], each: true, quorum: 2 })],
    by: [ADA, CYD],
  },
  {
    name: "root in the place of a group",
    demands: [demand({ approvers: ["sre", "dba"], each: true, quorum: 2 })],
    by: [ADA, ROOT],
  },
  {
    name: "two rules, one person in both",
    demands: [demand(), demand({ rule: "b", approvers: ["staff"] })],
    by: [ADA],
  },
] as const;
for (const { name, demands, by } of enough) {
  test(`enough: ${name}`, () => assert.equal(missing(record(demands, by.map(vote)), apart), undefined));
}

const lacking = [
  { name: "nobody yet", demands: [demand()], by: [], needs: "1 more of sre (rule deletes)" },
  { name: "one of two", demands: [demand({ quorum: 2 })], by: [ADA], needs: "1 more of sre (rule deletes)" },
  { name: "one person twice", demands: [demand({ quorum: 2 })], by: [ADA, ADA], needs: "1 more of sre (rule deletes)" },
  {
    name: "two of the same group where each is asked for",
    demands: [demand({ approvers: ["sre", "dba"], each: true, quorum: 2 })],
    by: [ADA, BEN],
    needs: "1 more, among them of dba (rule deletes)",
  },
  {
    name: "one of two rules",
    demands: [demand(), demand({ rule: "b", approvers: ["dba"] })],
    by: [ADA],
    needs: "1 more of dba (rule b)",
  },
  {
    name: "root alone where two humans are asked for",
    demands: [demand({ quorum: 2 })],
    by: [ROOT],
    needs: "1 more of sre (rule deletes)",
  },
] as const;
for (const { name, demands, by, needs } of lacking) {
  test(`not enough: ${name}`, () => assert.equal(missing(record(demands, by.map(vote)), apart), needs));
}

test("what a rule asks for is said as a person reads it", () => {
  const words = [
    demand({ quorum: 2 }),
    demand({ approvers: [] }),
    demand({ approvers: ["a", "b"], each: true, quorum: 2 }),
  ];
  assert.deepEqual(words.map(demandWords), ["2 of sre", "root", "2, at least one of each of a, b"]);
});
