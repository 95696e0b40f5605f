/** What a judge stands by until the policy changes, and what it will not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Asked, Operation } from "../../src/model/operation.ts";
import { demandStandingPermit } from "../../src/model/permit.ts";
import type { Subject } from "../../src/policy/decide.ts";
import { operationOf, policyOf, statementOf, subjectOf } from "../kit/policy.ts";

const READ = Object.freeze(operationOf({ name: "sql.read", facts: statementOf({}) }));
const ALLOW = "  - { name: read, on: sql.read, allow: {} }";
const asked: Asked = { operation: READ, text: "select" };

interface Row {
  readonly name: string;
  readonly rules?: string;
  readonly asked?: Partial<Asked>;
  readonly subject?: Partial<Subject>;
}

const standing = (rules: string, ask: Asked, subject: Partial<Subject> = {}) =>
  policyOf(`rules:\n${rules}\n`)
    .judge({ ...subjectOf(), ...subject })
    .standing(ask);

const stands: readonly Row[] = [
  { name: "an operation that a rule allows" },
  { name: "one that an observed agent may do anyway", subject: { isObserved: () => true } },
  { name: "beside rules of other operations", rules: `${ALLOW}\n  - { name: no, on: sql.delete, deny: {} }` },
  {
    name: "beside a mask that does not read the time",
    rules: `${ALLOW}\n  - { name: m, on: reveal, mask: { style: hash } }`,
  },
];
for (const { name, rules = ALLOW, subject } of stands)
  test(`a judge stands by ${name}`, () => {
    const found = standing(rules, asked, subject);
    assert.ok(found?.kind === "permitted");
    assert.deepEqual(found.rules, ["read"]);
    demandStandingPermit(found.permit, subjectOf().sessionId, READ);
  });

const each: readonly Row[] = [
  {
    name: "of which statements are counted",
    rules: `${ALLOW}\n  - { name: few, on: sql.read, limit: { statements: 9, per: 10m } }`,
  },
  {
    name: "that is counted in shadow",
    rules: `${ALLOW}\n  - { name: few, on: sql.read, shadow: true, limit: { statements: 9, per: 10m } }`,
  },
  {
    name: "that depends on the time",
    rules: `${ALLOW}\n  - { name: night, on: sql.read, when: time.hour > 25, deny: {} }`,
  },
];
for (const { name, rules = ALLOW } of each)
  test(`a judge wants to be asked each time about an operation ${name}`, () => {
    assert.deepEqual(standing(rules, asked), {
      kind: "asked",
      rules: ["read"],
      policy: policyOf(`rules:\n${rules}\n`).version,
    });
  });

const not: readonly Row[] = [
  { name: "what no rule allows", rules: "  - { name: other, on: sql.delete, allow: {} }" },
  {
    name: "what only observing lets in",
    rules: "  - { name: no, on: sql.read, deny: {} }",
    subject: { isObserved: () => true },
  },
  {
    name: "what a rule holds",
    rules: `${ALLOW}\n  - { name: ask, on: sql.read, hold: { approvers: [sre], expires: 10m } }`,
  },
  { name: "whose rows are counted", rules: `${ALLOW}\n  - { name: few, on: sql.read, limit: { rows: 9, per: 10m } }` },
  { name: "whose bytes are counted", rules: `${ALLOW}\n  - { name: few, on: sql.read, limit: { bytes: 9000 } }` },
  {
    name: "what a rule in shadow would deny",
    rules: `${ALLOW}\n  - { name: no, on: sql.read, shadow: true, deny: {} }`,
  },
  {
    name: "what the time forbids now",
    rules: `${ALLOW}\n  - { name: night, on: sql.read, when: time.hour < 25, deny: {} }`,
  },
  {
    name: "anything while what is revealed depends on the time",
    rules: `${ALLOW}\n  - { name: m, on: reveal, when: time.hour > 25, mask: { style: hash } }`,
  },
  { name: "what is only made ready", asked: { prepared: true } },
  { name: "what goes on", asked: { continues: true } },
  { name: "data", asked: { isData: true } },
  { name: "an operation that may still change", asked: { operation: { ...READ } as Operation } },
];
for (const { name, rules = ALLOW, asked: more, subject } of not)
  test(`a judge does not stand by ${name}`, () => {
    assert.equal(standing(rules, { ...asked, ...more }, subject), undefined);
  });

test("a standing permit is worth nothing for another session, another operation, or as a copy", () => {
  const found = standing(ALLOW, asked);
  assert.ok(found?.kind === "permitted");
  const { permit } = found;
  const { sessionId } = subjectOf();
  for (const act of [
    () => demandStandingPermit(permit, "another", READ),
    () => demandStandingPermit(permit, sessionId, { ...READ }),
    () => demandStandingPermit({ ...permit } as typeof permit, sessionId, READ),
    () => demandStandingPermit(new Proxy(permit, {}), sessionId, READ),
  ])
    assert.throws(act, /Cannot relay by a standing permit/);
});
