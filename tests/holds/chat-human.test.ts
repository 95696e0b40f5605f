/** Whom an account of a chat stands for: groups only where they are theirs beyond doubt, and never who started the agent. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type ChatHumanParts, chatHuman } from "../../src/daemon/chat-human.ts";
import { bar } from "../../src/holds/entitled.ts";
import { requireFirstVote } from "../../src/holds/quorum.ts";
import type { HoldRecord, Vote } from "../../src/holds/record.ts";
import type { Person as Named } from "../../src/model/human.ts";
import type { Role } from "../../src/model/role.ts";
import { CALLERS, human, LOGINS, people, person, signedIn, user } from "./people.ts";

const UIDS: Readonly<Record<string, number>> = { ada: 2001, ops: 2003, toor: 0 };

async function given(
  t: TestContext,
  named: Partial<Named> & Pick<Named, "accounts">,
  role: Role = "reviewer",
  lends: (accounts: readonly string[]) => boolean = () => false,
) {
  const known = await people(t);
  const all = [{ name: "ada", groups: [], ...named }];
  known.configure(LOGINS, all);
  const parts: ChatHumanParts = {
    people: all,
    humans: {
      known: (account) => {
        const found = known.find(account);
        return found && { human: found, roles: new Set([role]) };
      },
    },
    humansOf: known.humansOf,
    uidOf: async (name) => UIDS[name],
    groupsOf: CALLERS.groupsOf,
    lentTo: async (accounts) => (lends(accounts) ? [LOAN] : []),
  };
  const by = async (account: string) => (await chatHuman(account, parts)) ?? assert.fail(`${account} is nobody`);
  const judging = { humansOf: known.humansOf, standing: () => undefined };
  return { known, parts, by, humansOf: known.humansOf, judging };
}

const LOAN = {
  ...{ delegation: "3f2a91c04d", group: "corp:sre", by: "ben", accounts: ["corp:ben"], through: [] },
  endsMs: Number.POSITIVE_INFINITY,
} as const;

const SLACK = "slack:T1/UADA";
const held = (startedBy: readonly string[], votes: readonly Vote[] = []) =>
  ({
    ...{ id: "h1", votes, origin: { startedBy } },
    demands: [{ rule: "r", approvers: ["sre", "corp:sre"], each: false, quorum: 1 }],
  }) as unknown as HoldRecord;

const sources: readonly (readonly [string, Partial<Named> & Pick<Named, "accounts">, readonly string[]])[] = [
  ["the settings", { accounts: [SLACK], groups: ["sre"] }, ["sre"]],
  ["the host, as the user whom nobody else is", { accounts: [SLACK, "unix:ada"] }, ["sre"]],
  ["the host, by number", { accounts: [SLACK, "unix:3001"] }, ["sre"]],
  ["the login that has seen them", { accounts: [SLACK, "corp:ada"] }, ["sre", "corp:sre"]],
  ["the login, of two accounts at once", { accounts: [SLACK, "webhook:w/a", "corp:ada"] }, ["sre", "corp:sre"]],
];
for (const [name, named, groups] of sources) {
  test(`groups are those of ${name}, and let them answer`, async (t) => {
    const { by, judging } = await given(t, named);
    const ada = await by(SLACK);
    assert.deepEqual(
      [[...ada.groups], ada.user, ada.uid, ada.reach, ada.sees],
      [groups, "ada", undefined, "own", "own"],
    );
    assert.equal(bar(held(["unix:9999"]), ada, judging), undefined);
  });
}

const nothing: readonly (readonly [string, Partial<Named> & Pick<Named, "accounts">, Role?])[] = [
  ["who never signed in and has nothing else", { accounts: [SLACK, "corp:nobody"] }],
  ["who has a chat and nothing else", { accounts: [SLACK] }],
  ["a user whom somebody else is as well", { accounts: [SLACK, "unix:ops"] }],
  ["a user whose groups call themselves a login's", { accounts: [SLACK, "unix:2009"] }],
  ["a user whom the host does not know", { accounts: [SLACK, "unix:gone"] }],
  ["a name of root", { accounts: [SLACK, "unix:toor"] }],
  ["whose login gives no role that answers", { accounts: [SLACK, "corp:ada"] }, "auditor"],
];
for (const [name, named, role] of nothing) {
  test(`no group is known of ${name}, and they are told so`, async (t) => {
    const { by } = await given(t, named, role);
    await assert.rejects(by(SLACK), { code: "NOTIFY_GROUPS", exitCode: 4, message: /no group of ada is known/ });
  });
}

test("an account of nobody is nobody's, whatever it begins with", async (t) => {
  const { parts } = await given(t, { accounts: [SLACK], groups: ["sre"] });
  for (const account of ["slack:T1/UAD", "slack:T1/UADAX", "unix:ada", "corp:ada", "__proto__", ""])
    assert.equal(await chatHuman(account, parts), undefined, account);
});

/** Who started the agent, as main.ts tells it. */
const starters = [
  ["as the user who is them", ["unix:2001"]],
  ["by a session of theirs", ["corp:ada"]],
  ["by another login of that issuer", ["desk:ada"]],
  ["by a token of theirs", ["https://corp.example ada"]],
  ["as a user as whom they have signed in", ["unix:2004"]],
  ["from that very account", [SLACK]],
] as const;
for (const [name, startedBy] of starters) {
  test(`who started the agent ${name} does not answer by the chat; somebody else's account does`, async (t) => {
    const { by, judging } = await given(t, { accounts: [SLACK, "corp:ada", "unix:ada"], groups: ["sre"] });
    assert.match(bar(held(startedBy), await by(SLACK), judging) ?? "", /whoever started the agent never answers/);
    const ben = await given(t, { name: "ben", accounts: ["slack:T1/UBEN", "corp:ben"], groups: ["sre"] });
    assert.equal(bar(held(startedBy), await ben.by("slack:T1/UBEN"), ben.judging), undefined);
  });
}

test("control: without the mapping the same account would be somebody else, who answers for their own", async (t) => {
  const { by, judging } = await given(t, { accounts: [SLACK], groups: ["sre"] });
  assert.equal(bar(held(["corp:ada"]), await by(SLACK), judging), undefined);
});

test("what a user whom they share started is not theirs to answer, though it gives them nothing", async (t) => {
  const { by, judging } = await given(t, { accounts: [SLACK, "corp:ada", "unix:ops"] }); // dora has signed in as ops
  const ada = await by(SLACK);
  assert.deepEqual([ada.accounts, ada.through], [[SLACK, "corp:ada"], ["unix:2003"]]);
  assert.match(bar(held(["unix:2003"]), ada, judging) ?? "", /whoever started the agent/);
  assert.equal(bar(held(["unix:9999"]), ada, judging), undefined);
});

test("one human is one vote by chat, session and user, also where the settings name them no more", async (t) => {
  const accounts = [SLACK, "corp:ada", "unix:ada"];
  const { by, judging, known } = await given(t, { accounts, groups: ["sre"] });
  const ada = await by(SLACK);
  const vote = { name: "ada", accounts: ada.accounts, reach: "own", groups: ["sre"], atMs: 1 } as const;
  const again = [ada, await person(signedIn(human("corp", "ada"))), await person(user(2001))];
  for (const other of again) {
    assert.throws(() => requireFirstVote(held([], [vote]), other, judging.humansOf), { code: "APPROVAL_TWICE" });
  }
  requireFirstVote(held([], [vote]), await person(signedIn(human("corp", "ben"))), judging.humansOf); // somebody else
  known.configure(LOGINS, []);
  for (const other of again) {
    assert.throws(() => requireFirstVote(held([], [vote]), other, judging.humansOf), { code: "APPROVAL_TWICE" });
  }
});

test("what was lent to one of their accounts is theirs in the chat as well, though they have no group", async (t) => {
  const lends = (accounts: readonly string[]) => accounts.includes("corp:nobody");
  const { by, judging } = await given(t, { accounts: [SLACK, "corp:nobody"] }, "reviewer", lends);
  const ada = await by(SLACK);
  const standing = () => LOAN;
  assert.deepEqual([[...ada.groups], ada.lent], [[], [LOAN]]);
  assert.equal(bar(held(["unix:9999"]), ada, { ...judging, standing }), undefined);
  assert.match(
    bar(held(["corp:ben"]), ada, { ...judging, standing }) ?? "",
    /whoever lent you their place started the agent/,
  );
});
