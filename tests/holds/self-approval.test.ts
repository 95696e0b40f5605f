/** Nobody approves their own, by any road; somebody else may. One human of several accounts counts once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Caller } from "../../src/control/ports.ts";
import { SAMPLE_ORIGIN } from "../kit/policy.ts";
import { answerOf, demand, request, world } from "./kit.ts";
import { accounts, CALLERS, human, people, person, signedIn, tokenOf, user } from "./people.ts";

const ADA = human("corp", "ada");
const DORA = human("corp", "dora");
const BEN = human("corp", "ben");

interface Road {
  readonly name: string;
  /** Accounts of who made the agent. */
  readonly tagged?: readonly string[];
  /** Of the process that connected. */
  readonly process?: { readonly uid: number; readonly pid?: number };
  readonly by: Caller;
}

const roads: readonly Road[] = [
  { name: "the user whose process connected", process: { uid: 2002 }, by: user(2002) },
  { name: "the user who ran or tagged it", tagged: accounts(user(2002)), by: user(2002) },
  { name: "who ran it by sudo, as themselves", tagged: accounts(user(0, 902)), by: user(2002) },
  { name: "who ran it as themselves, by sudo", tagged: accounts(user(2002)), by: user(0, 902) },
  { name: "who ran and answers by sudo", tagged: accounts(user(0, 902)), by: user(0, 902) },
  { name: "who logged in before the process became another user's", process: { uid: 2009, pid: 902 }, by: user(2002) },
  { name: "the human whose session ran it", tagged: accounts(signedIn(DORA)), by: signedIn(DORA) },
  { name: "that human by an API token", tagged: accounts(signedIn(DORA)), by: signedIn(DORA, { by: "token" }) },
  {
    name: "who ran it by an API token, by a session",
    tagged: accounts(signedIn(DORA, { by: "token" })),
    by: signedIn(DORA),
  },
  {
    name: "that human by another login of the same issuer",
    tagged: accounts(signedIn(DORA)),
    by: signedIn(human("desk", "dora")),
  },
  { name: "that human by another issuer", tagged: accounts(signedIn(ADA)), by: signedIn(human("hub", "ada-at-hub")) },
  { name: "that human as the user they are by the settings", tagged: accounts(signedIn(ADA)), by: user(3001) },
  { name: "that human as the user whom the settings name", tagged: accounts(signedIn(ADA)), by: user(2001) },
  {
    name: "the user they are by the settings, signed in",
    tagged: accounts(user(3001)),
    by: signedIn(human("hub", "ada-at-hub")),
  },
  { name: "one of their users as another one", tagged: accounts(user(2001)), by: user(3001) },
  { name: "the user as whom they signed in, signed in elsewhere", tagged: accounts(user(2003)), by: signedIn(DORA) },
  {
    name: "that human without their session, as the user who signed in",
    tagged: accounts(signedIn(DORA)),
    by: user(2003),
  },
  { name: "the user as whom they signed in, as another of theirs", tagged: accounts(user(2004)), by: user(3001) },
  { name: "whom the agent's own token is about", tagged: tokenOf("corp", "dora"), by: signedIn(DORA) },
  { name: "whom a token of their other issuer is about", tagged: tokenOf("hub", "ada-at-hub"), by: signedIn(ADA) },
  { name: "that human with broken glass", tagged: accounts(signedIn(DORA)), by: signedIn(DORA, { glass: true }) },
  {
    name: "anybody's session in a process of who ran it",
    tagged: accounts(user(2002)),
    by: signedIn(BEN, { uid: 2002 }),
  },
  {
    name: "anybody's session in a process that came by their login",
    tagged: accounts(user(2002)),
    by: signedIn(BEN, { uid: 2009, pid: 902 }),
  },
  {
    name: "who tagged it first, after somebody else",
    tagged: [...accounts(user(2002)), ...accounts(user(2009))],
    by: user(2002),
  },
];

for (const { name, tagged = [], process = { uid: 0 }, by } of roads) {
  test(`${name} neither approves nor denies; somebody else approves`, async (t) => {
    const { humansOf } = await people(t);
    const { holds } = await world(t, { humansOf, taggedBy: () => tagged, loginUidOf: CALLERS.loginUidOf });
    const origin = { ...SAMPLE_ORIGIN, pid: 1, ...process };
    const hold = holds.open(request({ changes: { origin } }));
    const self = await person(by);
    for (const answer of [() => holds.approve(hold.id, {}, self), () => holds.deny(hold.id, {}, self)]) {
      await assert.rejects(answer, {
        code: "APPROVAL_NOT_PERMITTED",
        message: /whoever started the agent never answers/,
      });
    }
    assert.equal(await answerOf(hold.answer), "waits");
    await holds.approve(hold.id, {}, await person(signedIn(human("corp", "cyd"))));
    assert.equal(await answerOf(hold.answer), "approved");
  });
}

test("an approval that stands lets nothing through that its giver started by another account", async (t) => {
  const { humansOf } = await people(t);
  let tagged = accounts(user(2009));
  const { holds } = await world(t, { humansOf, taggedBy: () => tagged });
  const terms = { reuseMs: 3_600_000 };
  const first = holds.open(request({ terms }));
  await holds.approve(first.id, { forMs: 60_000 }, await person(signedIn(ADA)));
  assert.equal(await holds.open(request({ terms })).notice, "", "it stands for others");
  tagged = accounts(user(3001));
  assert.notEqual(await holds.open(request({ terms })).notice, "");
});

const one: readonly (readonly [string, Caller, Caller])[] = [
  ["two issuers", signedIn(ADA), signedIn(human("hub", "ada-at-hub"))],
  ["two logins of one issuer", signedIn(DORA), signedIn(human("desk", "dora"))],
  ["a session and an API token", signedIn(DORA), signedIn(DORA, { by: "token" })],
  ["a session and a user by the settings", signedIn(ADA), user(3001)],
  ["a session and the user as whom they signed in", signedIn(DORA), user(2003)],
  ["two users by the settings", user(2001), user(3001)],
  ["a user and sudo", user(2002), user(0, 902)],
  ["a session and sudo of a user by the settings", signedIn(ADA), user(0, 901)],
];
for (const [name, first, second] of one) {
  test(`one human by ${name} counts once where two are asked for; another one makes two`, async (t) => {
    const { humansOf } = await people(t);
    const { holds } = await world(t, { humansOf });
    const hold = holds.open(request({ terms: { demands: [demand({ quorum: 2 })] } }));
    await holds.approve(hold.id, {}, await person(first));
    await assert.rejects(holds.approve(hold.id, {}, await person(second)), { code: "APPROVAL_TWICE" });
    assert.equal(await answerOf(hold.answer), "waits");
    await holds.approve(hold.id, {}, await person(signedIn(BEN)));
    assert.equal(await answerOf(hold.answer), "approved");
  });
}

test("two who have voted and turn out to be one while a third is awaited count once", async (t) => {
  const found = await people(t);
  const { holds } = await world(t, { humansOf: found.humansOf });
  const hold = holds.open(request({ terms: { demands: [demand({ quorum: 3 })] } }));
  await holds.approve(hold.id, {}, await person(signedIn(BEN)));
  await holds.approve(hold.id, {}, await person(user(2002)));
  await found.tie(2002, "corp:ben");
  await holds.approve(hold.id, {}, await person(signedIn(DORA)));
  assert.equal(await answerOf(hold.answer), "waits");
});

test("two who sign in from one account are two, and without their session that account is nobody's", async (t) => {
  const found = await people(t);
  await found.tie(2002, "corp:ben");
  await found.tie(2002, "corp:dora");
  const { holds } = await world(t, { humansOf: found.humansOf });
  const hold = holds.open(request({ terms: { demands: [demand({ quorum: 2 })] } }));
  await assert.rejects(holds.approve(hold.id, {}, await person(user(2002))), {
    message: /several people use this account/,
  });
  await holds.approve(hold.id, {}, await person(signedIn(BEN, { uid: 2002 })));
  await holds.approve(hold.id, {}, await person(signedIn(DORA, { uid: 2002 })));
  assert.equal(await answerOf(hold.answer), "approved");
});

const groups: readonly (readonly [string, Caller, readonly string[], boolean])[] = [
  ["a Unix group, of a Unix user", user(2002), ["sre"], true],
  ["a login's group, of a human", signedIn(BEN), ["corp:sre"], true],
  ["a login's group, of a human of another login", signedIn(human("hub", "x")), ["corp:sre"], false],
  ["a login's group, of a Unix user whose name service calls one so", user(2009), ["corp:sre"], false],
  [
    "a Unix group, of a human whose process is that user's",
    signedIn({ ...BEN, groups: [] }, { uid: 2002 }),
    ["sre"],
    false,
  ],
];
for (const [name, caller, approvers, may] of groups) {
  test(`${name} ${may ? "answers" : "does not answer"} for the rule`, async (t) => {
    const { humansOf } = await people(t);
    const { holds } = await world(t, { humansOf });
    const hold = holds.open(request({ terms: { demands: [demand({ approvers })] } }));
    const asked = holds.approve(hold.id, {}, await person(caller));
    if (may) assert.equal((await asked).state, "running");
    else await assert.rejects(asked, { code: "APPROVAL_NOT_PERMITTED", message: /only root and members of/ });
  });
}

test("two humans of one display name are told apart, and no name says another's account", async (t) => {
  const { holds, events } = await world(t);
  const hold = holds.open(request({ terms: { demands: [demand({ approvers: ["corp:sre", "hub:sre"], quorum: 3 })] } }));
  const called = (login: string, sub: string, name: string) => person(signedIn({ ...human(login, sub), name }));
  await holds.approve(hold.id, {}, await called("corp", "ada", "Ada"));
  await holds.approve(hold.id, {}, await called("hub", "ada", "Ada"));
  const { votes } = await holds.approve(hold.id, {}, await called("corp", "eve", "Ada [corp:ada]"));
  const names = ["Ada [corp:ada] (corp:sre)", "Ada [hub:ada] (hub:sre)", "Ada corp:ada [corp:eve] (corp:sre)"];
  assert.deepEqual(
    votes.map(({ name }) => name),
    names,
  );
  assert.deepEqual((await hold.answer).kind === "approved" && events.at(-1)?.fields?.["by"], names.join(", "));
  assert.equal(events.at(-1)?.fields?.["account"], "corp:ada hub:ada corp:eve");
});

test("whoever is refused by sudo is told why, and what to do where nobody else is there", async (t) => {
  const { humansOf } = await people(t);
  const { holds } = await world(t, { humansOf, taggedBy: () => accounts(user(2002)) });
  const hold = holds.open(request());
  const refused = async (by: Caller) =>
    holds.approve(hold.id, {}, await person(by)).then(
      () => assert.fail("approved"),
      (error: { readonly message: string; readonly remedy: string }) => error,
    );
  const bySudo = await refused(user(0, 902));
  assert.match(bySudo.message, /never answers for it, also not by sudo: .* who logged in, root \(user2002\)$/);
  assert.match(bySudo.remedy, /with no login behind them.*docs\/approvals\.md, A host with one admin/);
  const asThemselves = await refused(user(2002));
  assert.match(asThemselves.message, /never answers for it$/);
  assert.doesNotMatch(asThemselves.remedy, /login/);
});
