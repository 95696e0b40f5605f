/**
 * No road by which a delegation makes somebody approve their own, two answers of one right, or anything after its end. Each is
 * walked twice: as an attack, after which the action still waits, and with what makes it one taken away, when it goes on.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Hold } from "../../src/holds/hold.ts";
import { answerOf, demand } from "./kit.ts";
import { ADA, BEN, DORA, EVE, FAY, GIL, humanOf, type Lending, lending, OMA, OPS, ROOT } from "./lending.ts";
import { human, signedIn, user } from "./people.ts";

interface Road {
  readonly name: string;
  readonly attack: (w: Lending) => Promise<Hold>;
  readonly control: (w: Lending) => Promise<Hold>;
}

const TWO = [demand({ quorum: 2 })];
const EACH = [demand({ approvers: ["sre", "dba"], each: true, quorum: 2 })];
const CORP = [demand({ approvers: ["corp:sre"] })];
const HOUR = 3_600_000;
/** Of sre, in no process of the host. */
const CYD = signedIn(human("corp", "cyd"));

/** Ben lends to eve, who answers; `startedBy`: whose agent it is. */
const lentByBen = (startedBy: Parameters<Lending["open"]>[0]) => async (w: Lending) => {
  await w.lend(BEN, "eve");
  const hold = w.open(startedBy);
  await w.vote(hold, EVE);
  return hold;
};
/** Eve answers in ben's place, as one of two; then something happens, and cyd answers. */
const oneOfTwo =
  (between: (w: Lending, id: string) => Promise<unknown>, demands = TWO) =>
  async (w: Lending) => {
    const { id } = await w.lend(BEN, "eve");
    const hold = w.open({ demands });
    assert.equal(await w.vote(hold, EVE), "waiting");
    await between(w, id);
    await w.vote(hold, CYD);
    return hold;
  };
const nothing = async () => {};

const roads: readonly Road[] = [
  {
    name: "the lender ran the agent",
    attack: lentByBen({ startedBy: BEN }),
    control: lentByBen({ startedBy: FAY }),
  },
  {
    name: "the lender's process connected",
    attack: lentByBen({ uid: 2002 }),
    control: lentByBen({ uid: 2006 }),
  },
  {
    name: "the lender ran the agent by sudo",
    attack: lentByBen({ startedBy: user(0, 902) }),
    control: lentByBen({ startedBy: user(0, 901) }),
  },
  {
    name: "the lender ran the agent by another account",
    attack: async (w) => {
      await w.lend(ADA, "eve");
      const hold = w.open({ startedBy: user(3001) });
      await w.vote(hold, EVE);
      return hold;
    },
    control: async (w) => {
      await w.lend(ADA, "eve");
      const hold = w.open({ startedBy: user(2009) });
      await w.vote(hold, EVE);
      return hold;
    },
  },
  {
    name: "the lender lent it in a process of who ran the agent",
    attack: async (w) => {
      await w.lend(signedIn(humanOf(DORA), { uid: 2009 }), "eve");
      const hold = w.open({ startedBy: user(2009) });
      await w.vote(hold, EVE);
      return hold;
    },
    control: async (w) => {
      await w.lend(signedIn(humanOf(DORA), { uid: 2010 }), "eve");
      const hold = w.open({ startedBy: user(2009) });
      await w.vote(hold, EVE);
      return hold;
    },
  },
  {
    name: "the borrower ran the agent",
    attack: lentByBen({ startedBy: EVE }),
    control: lentByBen({ startedBy: FAY }),
  },
  {
    name: "the borrower ran the agent by another account",
    attack: async (w) => {
      await w.daemon().humans.people.tie(EVE.uid, "corp:gil");
      await w.lend(BEN, "corp:gil");
      const hold = w.open({ startedBy: EVE });
      await w.vote(hold, GIL);
      return hold;
    },
    control: async (w) => {
      await w.lend(BEN, "corp:gil");
      const hold = w.open({ startedBy: EVE });
      await w.vote(hold, GIL);
      return hold;
    },
  },
  {
    name: "it turns out that the borrower ran the agent, after they have answered",
    attack: async (w) => {
      await w.lend(BEN, "corp:gil");
      const hold = w.open({ demands: TWO, startedBy: FAY });
      assert.equal(await w.vote(hold, GIL), "waiting");
      await w.daemon().humans.people.tie(FAY.uid, "corp:gil");
      await w.vote(hold, CYD);
      return hold;
    },
    control: async (w) => {
      await w.lend(BEN, "corp:gil");
      const hold = w.open({ demands: TWO, startedBy: FAY });
      assert.equal(await w.vote(hold, GIL), "waiting");
      await w.vote(hold, CYD);
      return hold;
    },
  },
  {
    name: "it turns out that the lender ran the agent, after the borrower has answered",
    attack: async (w) => {
      await w.lend(DORA, "eve");
      const hold = w.open({ demands: TWO, startedBy: FAY });
      assert.equal(await w.vote(hold, EVE), "waiting");
      await w.daemon().humans.people.tie(FAY.uid, "corp:dora");
      await w.vote(hold, CYD);
      return hold;
    },
    control: async (w) => {
      await w.lend(DORA, "eve");
      const hold = w.open({ demands: TWO, startedBy: FAY });
      assert.equal(await w.vote(hold, EVE), "waiting");
      await w.vote(hold, CYD);
      return hold;
    },
  },
  {
    name: "an admin lends to another account of theirs what they may not answer",
    attack: async (w) => {
      await w.daemon().humans.people.tie(FAY.uid, "corp:oma");
      await assert.rejects(w.lend(OMA, "fay"), { code: "DELEGATION_WHO", message: /you yourself/ });
      const hold = w.open();
      await w.vote(hold, FAY);
      return hold;
    },
    control: async (w) => {
      await w.lend(OMA, "fay");
      const hold = w.open();
      await w.vote(hold, FAY);
      return hold;
    },
  },
  {
    name: "the borrower turns out to be the lender by another account",
    attack: async (w) => {
      await w.lend(OMA, "fay");
      await w.daemon().humans.people.tie(FAY.uid, "corp:oma");
      const hold = w.open();
      await w.vote(hold, FAY);
      return hold;
    },
    control: async (w) => {
      await w.lend(OMA, "fay");
      await w.daemon().humans.people.tie(FAY.uid, "corp:gil");
      const hold = w.open();
      await w.vote(hold, FAY);
      return hold;
    },
  },
  {
    name: "an admin who ran the agent lends a group to somebody",
    attack: async (w) => {
      await w.lend(OMA, "eve");
      const hold = w.open({ startedBy: OMA });
      await w.vote(hold, EVE);
      return hold;
    },
    control: async (w) => {
      await w.lend(OMA, "eve");
      const hold = w.open({ startedBy: GIL });
      await w.vote(hold, EVE);
      return hold;
    },
  },
  {
    name: "what was lent is lent on",
    attack: async (w) => {
      await w.lend(BEN, "eve");
      await assert.rejects(w.lend(EVE, "fay"), { code: "DELEGATION_NOT_PERMITTED", exitCode: 4 });
      const hold = w.open();
      await w.vote(hold, FAY);
      return hold;
    },
    control: async (w) => {
      await w.lend(BEN, "fay");
      const hold = w.open();
      await w.vote(hold, FAY);
      return hold;
    },
  },
  {
    name: "by an API token of a member",
    attack: async (w) => {
      const byToken = signedIn(humanOf(DORA), { by: "token" });
      await assert.rejects(w.lend(byToken, "eve"), { code: "DELEGATION_NOT_PERMITTED", message: /API token/ });
      const hold = w.open();
      await w.vote(hold, EVE);
      return hold;
    },
    control: async (w) => {
      await w.lend(DORA, "eve");
      const hold = w.open();
      await w.vote(hold, EVE);
      return hold;
    },
  },
  {
    name: "by broken glass of who is no member",
    attack: async (w) => {
      const glass = signedIn(humanOf(GIL), { glass: true });
      await assert.rejects(w.lend({ ...glass, roles: new Set(["admin"]) }, "eve"), {
        code: "DELEGATION_NOT_PERMITTED",
      });
      const hold = w.open();
      await w.vote(hold, EVE);
      return hold;
    },
    control: async (w) => {
      await w.lend(signedIn(humanOf(DORA), { glass: true }), "eve");
      const hold = w.open();
      await w.vote(hold, EVE);
      return hold;
    },
  },
  {
    name: "another group than the rule's",
    attack: async (w) => {
      await w.lend(ROOT, "eve", { group: "dba" });
      const hold = w.open();
      assert.equal(await w.vote(hold, EVE), "APPROVAL_NOT_PERMITTED");
      return hold;
    },
    control: async (w) => {
      await w.lend(ROOT, "eve", { group: "dba" });
      const hold = w.open({ demands: [demand({ approvers: ["dba"] })] });
      await w.vote(hold, EVE);
      return hold;
    },
  },
  {
    name: "a rule for root alone",
    attack: async (w) => {
      await w.lend(ROOT, "eve");
      const hold = w.open({ demands: [demand({ approvers: [] })] });
      await w.vote(hold, EVE);
      return hold;
    },
    control: lentByBen({}),
  },
  {
    name: "an answer after its end",
    attack: async (w) => {
      await w.lend(BEN, "eve");
      w.pass(HOUR);
      const hold = w.open();
      assert.equal(await w.vote(hold, EVE), "APPROVAL_NOT_PERMITTED");
      return hold;
    },
    control: async (w) => {
      await w.lend(BEN, "eve");
      w.pass(HOUR - 1);
      const hold = w.open();
      await w.vote(hold, EVE);
      return hold;
    },
  },
  {
    name: "an answer after its end, with the wall clock set back",
    attack: async (w) => {
      await w.lend(BEN, "eve");
      w.pass(HOUR + 100);
      w.clock.advance(-HOUR);
      const hold = w.open();
      await w.vote(hold, EVE);
      return hold;
    },
    control: async (w) => {
      await w.lend(BEN, "eve");
      w.pass(HOUR - 100);
      w.clock.advance(-HOUR);
      const hold = w.open();
      await w.vote(hold, EVE);
      return hold;
    },
  },
  {
    name: "a quorum that is full after its end",
    attack: oneOfTwo(async (w) => w.pass(HOUR)),
    control: oneOfTwo(async (w) => w.pass(HOUR - 1)),
  },
  {
    name: "an answer after the lender has ended it",
    attack: async (w) => {
      const { id } = await w.lend(BEN, "eve");
      assert.equal((await w.end(id, BEN))?.state, "over");
      const hold = w.open();
      await w.vote(hold, EVE);
      return hold;
    },
    control: async (w) => {
      const { id } = await w.lend(BEN, "eve");
      assert.equal(await w.end(id, FAY), undefined, "it is none of hers");
      const hold = w.open();
      await w.vote(hold, EVE);
      return hold;
    },
  },
  {
    name: "a quorum that is full after the lender has ended it",
    attack: oneOfTwo((w, id) => w.end(id, BEN)),
    control: oneOfTwo((w, id) => w.end(id, FAY)),
  },
  {
    name: "a quorum that is full after the lender was revoked",
    attack: oneOfTwo((w) => w.daemon().humans.revoke("unix:2002", {})),
    control: oneOfTwo((w) => w.daemon().humans.revoke("unix:2006", {}).catch(nothing)),
  },
  {
    name: "a quorum that is full after the borrower was revoked",
    attack: oneOfTwo((w) => w.daemon().humans.revoke("unix:2005", {})),
    control: oneOfTwo((w) => w.daemon().humans.revoke("unix:2006", {}).catch(nothing)),
  },
  {
    name: "a quorum that is full after the lender has left the group",
    attack: oneOfTwo(async (w) => w.groups.set(2002, new Set(["users"]))),
    control: oneOfTwo(async (w) => w.groups.set(2002, new Set(["users", "sre"]))),
  },
  {
    name: "a lender who has left the group and came back",
    attack: oneOfTwo(async (w) => {
      w.groups.set(2002, new Set(["users"]));
      await w.daemon().humans.sweep();
      w.groups.set(2002, new Set(["sre"]));
    }),
    control: oneOfTwo((w) => w.daemon().humans.sweep()),
  },
  {
    name: "a lender whom the host knows no more",
    attack: oneOfTwo(async (w) => w.groups.delete(2002)),
    control: oneOfTwo(async (w) => {
      const sre = w.groups.get(2002) ?? new Set();
      w.groups.delete(2002); // a name service that does not answer ends nothing
      await w.daemon().humans.sweep();
      w.groups.set(2002, sre);
    }),
  },
  {
    name: "a lender who signs in anew without the group",
    attack: async (w) => {
      await w.lend(DORA, "eve", { group: "corp:sre" });
      await w.daemon().humans.people.met({ ...humanOf(DORA), groups: ["corp:sales"] });
      const hold = w.open({ demands: CORP });
      await w.vote(hold, EVE);
      return hold;
    },
    control: async (w) => {
      await w.lend(DORA, "eve", { group: "corp:sre" });
      await w.daemon().humans.people.met(humanOf(DORA));
      const hold = w.open({ demands: CORP });
      await w.vote(hold, EVE);
      return hold;
    },
  },
  {
    name: "an admin who lent a group and is no admin any more",
    attack: async (w) => {
      await w.lend(OMA, "eve");
      await w.daemon().humans.people.met({ ...humanOf(OMA), groups: ["corp:sre"] });
      const hold = w.open();
      await w.vote(hold, EVE);
      return hold;
    },
    control: async (w) => {
      await w.lend(OMA, "eve");
      await w.daemon().humans.people.met({ ...humanOf(OMA), groups: ["corp:ops", "corp:sre"] });
      const hold = w.open();
      await w.vote(hold, EVE);
      return hold;
    },
  },
  {
    name: "somebody else who was given the borrower's account",
    attack: async (w) => {
      await w.lend(BEN, "corp:gil");
      const other = { ...humanOf(GIL), sub: "gil-the-second" };
      await w.daemon().humans.people.met(other);
      const hold = w.open();
      await w.vote(hold, signedIn(other));
      return hold;
    },
    control: async (w) => {
      await w.lend(BEN, "corp:gil");
      const hold = w.open();
      await w.vote(hold, GIL);
      return hold;
    },
  },
  {
    name: "somebody else who was given the lender's account",
    attack: async (w) => {
      await w.lend(DORA, "eve", { group: "corp:sre" });
      await w.daemon().humans.people.met({ ...humanOf(DORA), sub: "dora-the-second" });
      const hold = w.open({ demands: CORP });
      await w.vote(hold, EVE);
      return hold;
    },
    control: async (w) => {
      await w.lend(DORA, "eve", { group: "corp:sre" });
      const hold = w.open({ demands: CORP });
      await w.vote(hold, EVE);
      return hold;
    },
  },
  {
    name: "a borrower's account that several people use by then",
    attack: async (w) => {
      await w.lend(BEN, "ops");
      for (const account of ["corp:gil", "corp:oma"]) await w.daemon().humans.people.tie(OPS.uid, account);
      const hold = w.open();
      for (const one of [OPS, GIL]) await w.vote(hold, one);
      return hold;
    },
    control: async (w) => {
      await w.lend(BEN, "ops");
      await w.daemon().humans.people.tie(OPS.uid, "corp:gil");
      const hold = w.open();
      await w.vote(hold, GIL);
      return hold;
    },
  },
  {
    name: "the lender and the borrower as two",
    attack: oneOfTwo(
      async (w) => {
        const [{ id = "" } = {}] = w.daemon().holds.list();
        assert.equal(await w.vote({ id } as Hold, BEN), "waiting");
      },
      [demand({ quorum: 3 })],
    ),
    control: oneOfTwo(
      async (w) => {
        const [{ id = "" } = {}] = w.daemon().holds.list();
        assert.equal(await w.vote({ id } as Hold, DORA), "waiting");
      },
      [demand({ quorum: 3 })],
    ),
  },
  {
    name: "the borrower after the lender, as two",
    attack: async (w) => {
      await w.lend(BEN, "eve");
      const hold = w.open({ demands: TWO });
      for (const one of [BEN, EVE]) assert.equal(await w.vote(hold, one), "waiting");
      return hold;
    },
    control: async (w) => {
      await w.lend(BEN, "eve");
      const hold = w.open({ demands: TWO });
      for (const one of [DORA, EVE]) await w.vote(hold, one);
      return hold;
    },
  },
  {
    name: "two to whom one lender lends, as two",
    attack: async (w) => {
      for (const to of ["eve", "fay"]) await w.lend(BEN, to);
      const hold = w.open({ demands: TWO });
      for (const one of [EVE, FAY]) assert.equal(await w.vote(hold, one), "waiting");
      return hold;
    },
    control: async (w) => {
      await w.lend(BEN, "eve");
      await w.lend(DORA, "fay");
      const hold = w.open({ demands: TWO });
      for (const one of [EVE, FAY]) await w.vote(hold, one);
      return hold;
    },
  },
  {
    name: "two to whom one admin lends a group of each, as two",
    attack: async (w) => {
      await w.lend(OMA, "eve");
      await w.lend(OMA, "fay", { group: "dba" });
      const hold = w.open({ demands: EACH });
      for (const one of [EVE, FAY]) assert.equal(await w.vote(hold, one), "waiting");
      return hold;
    },
    control: async (w) => {
      await w.lend(BEN, "eve");
      await w.lend(OMA, "fay", { group: "dba" });
      const hold = w.open({ demands: EACH });
      for (const one of [EVE, FAY]) await w.vote(hold, one);
      return hold;
    },
  },
  {
    name: "a borrower by two accounts, as two",
    attack: async (w) => {
      await w.daemon().humans.people.tie(FAY.uid, "corp:gil");
      await w.lend(BEN, "fay");
      const hold = w.open({ demands: TWO });
      assert.deepEqual([await w.vote(hold, GIL), await w.vote(hold, FAY)], ["waiting", "APPROVAL_TWICE"]);
      return hold;
    },
    control: async (w) => {
      await w.lend(BEN, "fay");
      await w.lend(DORA, "corp:gil");
      const hold = w.open({ demands: TWO });
      for (const one of [GIL, FAY]) await w.vote(hold, one);
      return hold;
    },
  },
  {
    name: "one that was ended comes back with the next daemon",
    attack: async (w) => {
      const { id } = await w.lend(BEN, "eve");
      await w.end(id, EVE); // given back
      await w.restart();
      const hold = w.open();
      await w.vote(hold, EVE);
      return hold;
    },
    control: async (w) => {
      await w.lend(BEN, "eve");
      await w.restart();
      const hold = w.open();
      await w.vote(hold, EVE);
      return hold;
    },
  },
  {
    name: "one that the sweep ended comes back with the next daemon",
    attack: async (w) => {
      await w.lend(BEN, "eve");
      w.groups.set(2002, new Set(["users"]));
      await w.daemon().humans.sweep();
      w.groups.set(2002, new Set(["sre"]));
      await w.restart();
      const hold = w.open();
      await w.vote(hold, EVE);
      return hold;
    },
    control: async (w) => {
      await w.lend(BEN, "eve");
      await w.daemon().humans.sweep();
      await w.restart();
      const hold = w.open();
      await w.vote(hold, EVE);
      return hold;
    },
  },
  {
    name: "one that expired while no daemon ran, with the wall clock set back",
    attack: async (w) => {
      await w.lend(BEN, "eve");
      w.pass(HOUR + 100);
      w.clock.advance(-2 * HOUR);
      await w.restart();
      const hold = w.open();
      await w.vote(hold, EVE);
      return hold;
    },
    control: async (w) => {
      await w.lend(BEN, "eve");
      w.pass(HOUR - 100);
      w.clock.advance(-2 * HOUR);
      await w.restart();
      const hold = w.open();
      await w.vote(hold, EVE);
      return hold;
    },
  },
  {
    name: "one whose host was started anew with its clock set back lasts no longer than once more",
    attack: async (w) => {
      await w.lend(BEN, "eve");
      w.clock.advance(-24 * HOUR);
      await w.restart("host");
      w.pass(HOUR + 100);
      const hold = w.open();
      await w.vote(hold, EVE);
      return hold;
    },
    control: async (w) => {
      await w.lend(BEN, "eve");
      await w.restart("host");
      w.pass(HOUR - 100);
      const hold = w.open();
      await w.vote(hold, EVE);
      return hold;
    },
  },
  {
    name: "an approval for a time, after the delegation was ended by which it was given",
    attack: async (w) => standing(w, true, FAY),
    control: async (w) => standing(w, false, FAY),
  },
  {
    name: "an approval for a time, for an agent that the lender has started",
    attack: async (w) => standing(w, false, BEN),
    control: async (w) => standing(w, false, FAY),
  },
];

/** Eve approves a shape in ben's place; what comes of the same one, started by somebody, once ben has ended it or not. */
async function standing(w: Lending, isEnded: boolean, startedBy: typeof BEN): Promise<Hold> {
  const { id } = await w.lend(BEN, "eve");
  const first = w.open({ reuseMs: 86_400_000, startedBy: FAY });
  assert.equal(await w.vote(first, EVE, "approve", 60_000), "running");
  if (isEnded) await w.end(id, BEN);
  const next = w.open({ reuseMs: 86_400_000, startedBy });
  await w.daemon().holds.all(1); // what is let go is kept first
  return next;
}

for (const { name, attack, control } of roads) {
  test(`no road: ${name}`, async (t) => {
    const attacked = await attack(await lending(t));
    assert.equal(await answerOf(attacked.answer), "waits");
  });
  test(`without it, it goes on: ${name}`, async (t) => {
    const went = await control(await lending(t));
    assert.equal(await answerOf(went.answer), "approved");
  });
}
