/**
 * No road by which a delegation makes somebody approve their own, two answers of one right, or anything after its end. Each is
 * walked twice: as an attack, after which the action still waits, and with what makes it one taken away, when it goes on.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Caller } from "../../src/control/ports.ts";
import type { Hold } from "../../src/holds/hold.ts";
import type { Human } from "../../src/model/human.ts";
import { answerOf, demand } from "./kit.ts";
import { ADA, BEN, CYD, DORA, EVE, FAY, GIL, humanOf, type Lending, lending, OMA, OPS, ROOT } from "./lending.ts";
import { signedIn, user } from "./people.ts";

interface Road {
  readonly name: string;
  readonly attack: Walk;
  readonly control: Walk;
}

type Walk = (w: Lending) => Promise<Hold>;
type Step = (w: Lending, delegation: string) => unknown;

interface Steps {
  /** Ben to eve, unless told. */
  readonly by?: Caller;
  readonly to?: string;
  readonly group?: string;
  /** Before it is lent; between that and the hold. */
  readonly before?: Step;
  readonly meanwhile?: Step;
  readonly asking?: Parameters<Lending["open"]>[0];
  /** Eve alone, unless told. */
  readonly votes?: readonly Caller[];
}

const HOUR = 3_600_000;
const TWO = { demands: [demand({ quorum: 2 })] };
const THREE = { demands: [demand({ quorum: 3 })] };
const EACH = { demands: [demand({ approvers: ["sre", "dba"], each: true, quorum: 2 })] };
const CORP = { demands: [demand({ approvers: ["corp:sre"] })] };

/** One lends, an action is held, some answer; whether they may is seen by what comes of it. */
function walk(steps: Steps): Walk {
  const { by = BEN, to = "eve", group = "sre", before, meanwhile, asking, votes = [EVE] } = steps;
  return async (w) => {
    await before?.(w, "");
    const { id } = await w.lend(by, to, { group });
    await meanwhile?.(w, id);
    const hold = w.open(asking);
    for (const one of votes) await w.vote(hold, one);
    return hold;
  };
}

/** The loan is refused; the one who would have borrowed answers all the same. */
const refused =
  (by: Caller, to: string, code: string, vote: Caller, before?: Step): Walk =>
  async (w) => {
    await before?.(w, "");
    await assert.rejects(w.lend(by, to), { code });
    const hold = w.open();
    await w.vote(hold, vote);
    return hold;
  };

/** Eve answers in ben's place, as one of several; then something happens, and cyd answers. */
const oneOf =
  (asking: Steps["asking"], between: Step): Walk =>
  async (w) => {
    const { id } = await w.lend(BEN, "eve");
    const hold = w.open(asking);
    assert.equal(await w.vote(hold, EVE), "waiting");
    await between(w, id);
    await w.vote(hold, CYD);
    return hold;
  };
/** The same where gil or eve answers as one of two of an agent that fay runs, and it turns out who fay is. */
const foundOut =
  (by: Caller, to: string, vote: Caller, fayIs: string): Walk =>
  async (w) => {
    await w.lend(by, to);
    const hold = w.open({ ...TWO, startedBy: FAY });
    assert.equal(await w.vote(hold, vote), "waiting");
    await w.daemon().humans.people.tie(Number(FAY.uid), fayIs);
    await w.vote(hold, CYD);
    return hold;
  };

const tie =
  (user: Caller, ...accounts: readonly string[]): Step =>
  async (w) => {
    for (const account of accounts) await w.daemon().humans.people.tie(Number(user.uid), account);
  };
const met =
  (who: Caller, changes: Partial<Human> = {}): Step =>
  (w) =>
    w.daemon().humans.people.met({ ...humanOf(who), ...changes });
const inGroups =
  (uid: number, ...names: readonly string[]): Step =>
  (w) =>
    w.groups.set(uid, new Set(names));
const sweep: Step = (w) => w.daemon().humans.sweep();
const revoke =
  (account: string): Step =>
  (w) =>
    w
      .daemon()
      .humans.revoke(account, {})
      .catch(() => {});
const restart: Step = (w) => w.restart();
const all =
  (...steps: readonly Step[]): Step =>
  async (w, id) => {
    for (const step of steps) await step(w, id);
  };
const answers =
  (who: Caller): Step =>
  async (w) => {
    const [{ id = "" } = {}] = w.daemon().holds.list();
    assert.equal(await w.vote({ id } as Hold, who), "waiting");
  };
const pass =
  (ms: number, wallClockMs = 0): Step =>
  (w) => {
    w.pass(ms);
    w.clock.advance(wallClockMs);
  };

const glass = { ...signedIn(humanOf(GIL), { glass: true }), roles: new Set(["admin"] as const) };
const second = signedIn({ ...humanOf(GIL), sub: "gil-the-second" });

const roads: readonly Road[] = [
  {
    name: "the lender ran the agent",
    attack: walk({ asking: { startedBy: BEN } }),
    control: walk({ asking: { startedBy: FAY } }),
  },
  {
    name: "the lender's process connected",
    attack: walk({ asking: { uid: 2002 } }),
    control: walk({ asking: { uid: 2006 } }),
  },
  {
    name: "the lender ran the agent by sudo",
    attack: walk({ asking: { startedBy: user(0, 902) } }),
    control: walk({ asking: { startedBy: user(0, 901) } }),
  },
  {
    name: "the lender ran the agent by another account",
    attack: walk({ by: ADA, asking: { startedBy: user(3001) } }),
    control: walk({ by: ADA, asking: { startedBy: user(2009) } }),
  },
  {
    name: "the lender lent it in a process of who ran the agent",
    attack: walk({ by: signedIn(humanOf(DORA), { uid: 2009 }), asking: { startedBy: user(2009) } }),
    control: walk({ by: signedIn(humanOf(DORA), { uid: 2010 }), asking: { startedBy: user(2009) } }),
  },
  {
    name: "the borrower ran the agent",
    attack: walk({ asking: { startedBy: EVE } }),
    control: walk({ asking: { startedBy: FAY } }),
  },
  {
    name: "the borrower ran the agent by another account",
    attack: walk({ before: tie(EVE, "corp:gil"), to: "corp:gil", asking: { startedBy: EVE }, votes: [GIL] }),
    control: walk({ to: "corp:gil", asking: { startedBy: EVE }, votes: [GIL] }),
  },
  {
    name: "it turns out that the borrower ran the agent, after they have answered",
    attack: foundOut(BEN, "corp:gil", GIL, "corp:gil"),
    control: foundOut(BEN, "corp:gil", GIL, "corp:oma"),
  },
  {
    name: "it turns out that the lender ran the agent, after the borrower has answered",
    attack: foundOut(DORA, "eve", EVE, "corp:dora"),
    control: foundOut(DORA, "eve", EVE, "corp:oma"),
  },
  {
    name: "an admin lends to another account of theirs what they may not answer",
    attack: refused(OMA, "fay", "DELEGATION_WHO", FAY, tie(FAY, "corp:oma")),
    control: walk({ by: OMA, to: "fay", votes: [FAY] }),
  },
  {
    name: "the borrower turns out to be the lender by another account",
    attack: walk({ by: OMA, to: "fay", meanwhile: tie(FAY, "corp:oma"), votes: [FAY] }),
    control: walk({ by: OMA, to: "fay", meanwhile: tie(FAY, "corp:gil"), votes: [FAY] }),
  },
  {
    name: "an admin who ran the agent lends a group to somebody",
    attack: walk({ by: OMA, asking: { startedBy: OMA } }),
    control: walk({ by: OMA, asking: { startedBy: GIL } }),
  },
  {
    name: "what was lent is lent on",
    attack: refused(EVE, "fay", "DELEGATION_NOT_PERMITTED", FAY, (w) => w.lend(BEN, "eve")),
    control: walk({ to: "fay", votes: [FAY] }),
  },
  {
    name: "an API token of a member lends it",
    attack: refused(signedIn(humanOf(DORA), { by: "token" }), "eve", "DELEGATION_NOT_PERMITTED", EVE),
    control: walk({ by: DORA }),
  },
  {
    name: "broken glass of who is no member lends it",
    attack: refused(glass, "eve", "DELEGATION_NOT_PERMITTED", EVE),
    control: walk({ by: signedIn(humanOf(DORA), { glass: true }) }),
  },
  {
    name: "another group than the rule's",
    attack: walk({ by: ROOT, group: "dba" }),
    control: walk({ by: ROOT, group: "dba", asking: { demands: [demand({ approvers: ["dba"] })] } }),
  },
  {
    name: "a rule for root alone",
    attack: walk({ by: ROOT, asking: { demands: [demand({ approvers: [] })] } }),
    control: walk({ by: ROOT }),
  },
  {
    name: "an answer after its end",
    attack: walk({ meanwhile: pass(HOUR) }),
    control: walk({ meanwhile: pass(HOUR - 1) }),
  },
  {
    name: "an answer after its end, with the wall clock set back",
    attack: walk({ meanwhile: pass(HOUR + 100, -HOUR) }),
    control: walk({ meanwhile: pass(HOUR - 100, -HOUR) }),
  },
  {
    name: "a quorum that is full after its end",
    attack: oneOf(TWO, pass(HOUR)),
    control: oneOf(TWO, pass(HOUR - 1)),
  },
  {
    name: "an answer after the lender has ended it",
    attack: walk({ meanwhile: (w, id) => w.end(id, BEN) }),
    control: walk({ meanwhile: (w, id) => w.end(id, FAY) }),
  },
  {
    name: "a quorum that is full after the lender has ended it",
    attack: oneOf(TWO, (w, id) => w.end(id, BEN)),
    control: oneOf(TWO, (w, id) => w.end(id, FAY)),
  },
  {
    name: "a quorum that is full after the lender was revoked",
    attack: oneOf(TWO, revoke("unix:2002")),
    control: oneOf(TWO, revoke("unix:2006")),
  },
  {
    name: "a quorum that is full after the borrower was revoked",
    attack: oneOf(TWO, revoke("unix:2005")),
    control: oneOf(TWO, revoke("unix:2006")),
  },
  {
    name: "a quorum that is full after the lender has left the group",
    attack: oneOf(TWO, inGroups(2002, "users")),
    control: oneOf(TWO, inGroups(2002, "users", "sre")),
  },
  {
    name: "a lender who has left the group and came back",
    attack: oneOf(TWO, all(inGroups(2002, "users"), sweep, inGroups(2002, "sre"))),
    control: oneOf(TWO, all(inGroups(2002, "sre"), sweep)),
  },
  {
    name: "a lender whom the host does not know at the moment, which ends nothing",
    attack: oneOf(TWO, inGroups(2002)),
    control: oneOf(TWO, all(inGroups(2002), sweep, inGroups(2002, "sre"))),
  },
  {
    name: "a lender who signs in anew without the group",
    attack: walk({ by: DORA, group: "corp:sre", meanwhile: met(DORA, { groups: ["corp:sales"] }), asking: CORP }),
    control: walk({ by: DORA, group: "corp:sre", meanwhile: met(DORA), asking: CORP }),
  },
  {
    name: "a lender whose groups do not let them answer any more",
    attack: walk({ by: DORA, meanwhile: met(DORA, { groups: ["sre"] }) }),
    control: walk({ by: DORA, meanwhile: met(DORA, { groups: ["sre", "corp:sre"] }) }),
  },
  {
    name: "an admin who lent a group and is no admin any more",
    attack: walk({ by: OMA, meanwhile: met(OMA, { groups: ["corp:sre"] }) }),
    control: walk({ by: OMA, meanwhile: met(OMA, { groups: ["corp:ops", "corp:sre"] }) }),
  },
  {
    name: "somebody else who was given the borrower's account",
    attack: walk({ to: "corp:gil", meanwhile: met(second), votes: [second] }),
    control: walk({ to: "corp:gil", votes: [GIL] }),
  },
  {
    name: "somebody else who was given the lender's account",
    attack: walk({ by: DORA, group: "corp:sre", meanwhile: met(DORA, { sub: "dora-the-second" }), asking: CORP }),
    control: walk({ by: DORA, group: "corp:sre", meanwhile: met(DORA), asking: CORP }),
  },
  {
    name: "a borrower's account that several people use by then",
    attack: walk({ to: "ops", meanwhile: tie(OPS, "corp:gil", "corp:oma"), votes: [OPS, GIL] }),
    control: walk({ to: "ops", meanwhile: tie(OPS, "corp:gil"), votes: [GIL] }),
  },
  {
    name: "the lender after the borrower, as two",
    attack: oneOf(THREE, answers(BEN)),
    control: oneOf(THREE, answers(DORA)),
  },
  {
    name: "the borrower after the lender, as two",
    attack: walk({ asking: TWO, votes: [BEN, EVE] }),
    control: walk({ asking: TWO, votes: [DORA, EVE] }),
  },
  {
    name: "two to whom one lender lends, as two",
    attack: walk({ meanwhile: (w) => w.lend(BEN, "fay"), asking: TWO, votes: [EVE, FAY] }),
    control: walk({ meanwhile: (w) => w.lend(DORA, "fay"), asking: TWO, votes: [EVE, FAY] }),
  },
  {
    name: "two to whom one admin lends a group of each, as two",
    attack: walk({ by: OMA, meanwhile: (w) => w.lend(OMA, "fay", { group: "dba" }), asking: EACH, votes: [EVE, FAY] }),
    control: walk({ meanwhile: (w) => w.lend(OMA, "fay", { group: "dba" }), asking: EACH, votes: [EVE, FAY] }),
  },
  {
    name: "a borrower by two accounts, as two",
    attack: walk({ before: tie(FAY, "corp:gil"), to: "fay", asking: TWO, votes: [GIL, FAY] }),
    control: walk({ to: "fay", meanwhile: (w) => w.lend(DORA, "corp:gil"), asking: TWO, votes: [GIL, FAY] }),
  },
  {
    name: "one that was given back stands again with the next daemon",
    attack: walk({ meanwhile: all((w, id) => w.end(id, EVE), restart) }),
    control: walk({ meanwhile: restart }),
  },
  {
    name: "one whose lender had left the group stands again with the next daemon",
    attack: walk({ meanwhile: all(inGroups(2002, "users"), sweep, inGroups(2002, "sre"), restart) }),
    control: walk({ meanwhile: all(sweep, restart) }),
  },
  {
    name: "one that expired while no daemon ran, with the wall clock set back",
    attack: walk({ meanwhile: all(pass(HOUR + 100, -2 * HOUR), restart) }),
    control: walk({ meanwhile: all(pass(HOUR - 100, -2 * HOUR), restart) }),
  },
  {
    name: "one lasts longer than its whole time once more, where its host was started anew with its clock set back",
    attack: walk({ meanwhile: all(pass(0, -24 * HOUR), (w) => w.restart("host"), pass(HOUR + 100)) }),
    control: walk({ meanwhile: all(pass(0, -24 * HOUR), (w) => w.restart("host"), pass(HOUR - 100)) }),
  },
  {
    name: "an approval for a time, after the delegation was ended by which it was given",
    attack: (w) => standing(w, BEN, FAY),
    control: (w) => standing(w, FAY, FAY),
  },
  {
    name: "an approval for a time, for an agent that the lender has started",
    attack: (w) => standing(w, FAY, BEN),
    control: (w) => standing(w, FAY, FAY),
  },
];

/** Eve approves a shape in ben's place, and somebody tries to end that; what comes of the same shape, started by somebody. */
async function standing(w: Lending, endedBy: Caller, startedBy: Caller): Promise<Hold> {
  const { id } = await w.lend(BEN, "eve");
  const first = w.open({ reuseMs: 86_400_000, startedBy: FAY });
  assert.equal(await w.vote(first, EVE, "approve", 60_000), "running");
  await w.end(id, endedBy);
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
