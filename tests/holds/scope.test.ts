/** Approvals that stand for a time, and digests: what an approval is bound to. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf, shapeDigestOf } from "../../src/holds/describe.ts";
import type { Agent } from "../../src/model/identity.ts";
import { SAMPLE_AGENT } from "../kit/policy.ts";
import { ADA, answerOf, BEN, demand, EVE, request, world } from "./kit.ts";

const KEY = new Uint8Array(32).fill(1);
const REUSE = { reuseMs: 900_000 };

function job(repository: string): Agent {
  const identity = { state: "valid", issuer: "forge", subject: "repo:acme" } as const;
  return { ...SAMPLE_AGENT, claims: { repository }, identity };
}

const others = [
  { name: "another text", it: request({ texts: ["delete from orders where id = 2"] }), sameShape: true },
  { name: "another parameter", it: request({ parameters: ["5"] }), sameShape: true },
  { name: "other bytes", it: request({ changes: { bytes: Buffer.from("something else") } }), sameShape: true },
  {
    name: "one statement more",
    it: request({ texts: ["delete from orders where id = 1", "delete from t"] }),
    sameShape: false,
  },
  { name: "another shape", it: request({ texts: ["delete from orders where customer = 1"] }), sameShape: false },
  { name: "another agent", it: request({ changes: { agent: { ...SAMPLE_AGENT, name: "bot" } } }), sameShape: false },
  { name: "another job of the agent", it: request({ changes: { agent: job("acme/other") } }), sameShape: false },
  {
    name: "another connection",
    it: request({ changes: { connection: { name: "x", protocol: "postgres" } } }),
    sameShape: false,
  },
  {
    name: "another database",
    it: request({ changes: { entrance: { operation: { actions: [] }, text: "connect to other" } } }),
    sameShape: false,
  },
  { name: "another policy", it: request({ policy: "p2" }), sameShape: false },
] as const;
for (const { name, it, sameShape } of others) {
  test(`${name} is another digest, and ${sameShape ? "the same" : "another"} shape`, () => {
    assert.notEqual(digestOf(it, KEY), digestOf(request(), KEY));
    assert.equal(shapeDigestOf(it, KEY) === shapeDigestOf(request(), KEY), sameShape);
  });
}

test("what one job was approved stands for the same job, and for no other by one issuer and subject", () => {
  const of = (repository: string) => shapeDigestOf(request({ changes: { agent: job(repository) } }), KEY);
  assert.equal(of("acme/shop"), of("acme/shop"));
  assert.notEqual(of("acme/shop"), of("acme/other"));
});

test("the same again is the same digest; under another key it is not", () => {
  assert.equal(digestOf(request(), KEY), digestOf(request(), KEY));
  assert.notEqual(digestOf(request(), KEY), digestOf(request(), new Uint8Array(32)));
  assert.equal(shapeDigestOf(request({ texts: ["shapeless"] }), KEY), "");
});

test("for a time: the same shape passes without a question, is kept as its own, and names who let it", async (t) => {
  const { holds, kinds, store } = await world(t);
  const first = holds.open(request({ terms: REUSE }));
  await holds.approve(first.id, { forMs: 60_000 }, ADA);
  const again = holds.open(request({ terms: REUSE, texts: ["delete from orders where id = 77"] }));
  assert.equal(await again.notice, "", "nobody is waited for");
  assert.deepEqual(await again.answer, { kind: "approved", approval: { hold: again.id, by: ["ada (sre)"] } });
  assert.equal((await store.get(again.id))?.state, "running");
  assert.equal((await holds.get(again.id))?.reuses, first.id);
  assert.equal(kinds().filter((kind) => kind === "hold.waiting").length, 1);
});

test("it stands no longer than was said, and for no other shape, agent or policy", async (t) => {
  const { holds, clock } = await world(t);
  const first = holds.open(request({ terms: REUSE }));
  await holds.approve(first.id, { forMs: 60_000 }, ADA);
  for (const { it, sameShape } of others) {
    const terms = { ...it.decision.terms, ...REUSE };
    const hold = holds.open({ ...it, decision: { ...it.decision, terms } });
    assert.equal((await hold.notice) === "", sameShape);
  }
  clock.advance(60_000);
  assert.equal(await answerOf(holds.open(request({ terms: REUSE })).answer), "waits");
});

test("nobody's approval stands for an agent that they started themselves", async (t) => {
  let starter = EVE.accounts;
  const { holds } = await world(t, { taggedBy: () => starter });
  const first = holds.open(request({ terms: REUSE }));
  await holds.approve(first.id, { forMs: 60_000 }, ADA);
  starter = ADA.accounts;
  const own = holds.open(request({ terms: REUSE }));
  assert.notEqual(await own.notice, "", "it waits for somebody else");
  assert.equal((await holds.get(own.id))?.reuses, undefined);
  starter = EVE.accounts;
  assert.equal(await holds.open(request({ terms: REUSE })).notice, "");
});

test("what stood for settings or a policy that were replaced stands no more, also where they come back", async (t) => {
  const { holds } = await world(t);
  const first = holds.open(request({ terms: REUSE }));
  await holds.approve(first.id, { forMs: 60_000 }, ADA);
  holds.endStanding();
  assert.notEqual(await holds.open(request({ terms: REUSE })).notice, "");
});

test("of several who approve, the shortest time counts, and once means once", async (t) => {
  for (const [times, stands] of [
    [[60_000, 30_000], 30_000],
    [[60_000, undefined], undefined],
  ] as const) {
    const { holds, clock } = await world(t);
    const terms = { ...REUSE, demands: [demand({ quorum: 2 })] };
    const hold = holds.open(request({ terms }));
    for (const [index, forMs] of times.entries()) {
      await holds.approve(hold.id, forMs === undefined ? {} : { forMs }, index === 0 ? ADA : BEN);
    }
    const until = (await holds.get(hold.id))?.standsUntilMs;
    assert.equal(until === undefined ? undefined : until - clock.nowMs(), stands);
  }
});

test("whoever may answer may end an approval that stands", async (t) => {
  const { holds, kinds } = await world(t);
  const first = holds.open(request({ terms: REUSE }));
  await holds.approve(first.id, { forMs: 60_000 }, ADA);
  first.finished("DELETE 1");
  await assert.rejects(holds.deny(first.id, {}, EVE), { code: "APPROVAL_NOT_PERMITTED" });
  const ended = await holds.deny(first.id, {}, BEN);
  assert.deepEqual([ended.state, ended.standsUntilMs], ["executed", undefined]);
  assert.equal(kinds().at(-1), "hold.revoked");
  assert.equal(await answerOf(holds.open(request({ terms: REUSE })).answer), "waits");
  await assert.rejects(holds.deny(first.id, {}, BEN), { code: "APPROVAL_ENDED" });
});

const scopes = [
  { name: "longer than the rule allows", terms: { reuseMs: 30_000 }, texts: ["delete from t"], message: /30s at most/ },
  { name: "where the rule allows once", terms: {}, texts: ["delete from t"], message: /once only/ },
  { name: "of a text without a shape", terms: REUSE, texts: ["shapeless"], message: /no shape/ },
] as const;
for (const { name, terms, texts, message } of scopes) {
  test(`no approval for a time ${name}`, async (t) => {
    const { holds } = await world(t);
    const hold = holds.open(request({ terms, texts }));
    await assert.rejects(holds.approve(hold.id, { forMs: 60_000 }, ADA), { code: "APPROVAL_SCOPE", message });
    assert.equal(await answerOf(hold.answer), "waits");
  });
}

test("earlier ones are found whoever sent them and whatever the policy was", async (t) => {
  const { holds } = await world(t);
  const first = holds.open(
    request({ policy: "p0", rules: ["older"], changes: { agent: { ...SAMPLE_AGENT, name: "bot" } } }),
  );
  const now = holds.open(request({ texts: ["delete from orders where id = 9"] }));
  await Promise.all([first.notice, now.notice]);
  const record = await holds.get(now.id);
  assert.ok(record !== undefined);
  assert.deepEqual(
    (await holds.similar(record)).map(({ id, agent }) => [id, agent]),
    [[first.id, "bot"]],
  );
});

test("earlier ones of the same shape are found, newest first, and itself is not among them", async (t) => {
  const { holds, clock } = await world(t);
  const ids: string[] = [];
  for (const id of [1, 2, 3]) {
    clock.advance(1_000);
    ids.unshift(holds.open(request({ texts: [`delete from orders where id = ${id}`] })).id);
  }
  holds.open(request({ texts: ["delete from other"] }));
  await holds.all(1);
  const record = await holds.get(ids[0] ?? "");
  assert.ok(record !== undefined);
  assert.deepEqual(
    (await holds.similar(record)).map(({ id }) => id),
    ids.slice(1),
  );
});
