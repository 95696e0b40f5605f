/** The schema for editors: as it is written in docs, and of one mind with the loader. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Ajv } from "ajv";
import { parse } from "yaml";
import { policySchema } from "../../src/policy/json-schema.ts";
import { protocols } from "../../src/protocols/index.ts";
import { BROKEN_POLICIES, rule } from "../kit/broken-policies.ts";

const FILE = new URL("../../docs/policy.schema.json", import.meta.url);
const SCHEMA = policySchema(protocols.flatMap(({ actions }) => actions));
const validate = new Ajv({ strict: true, strictRequired: false, allowUnionTypes: true }).compile(SCHEMA);

test("the schema in docs is the one that the code makes", () => {
  const made = JSON.parse(JSON.stringify(SCHEMA));
  assert.deepEqual(JSON.parse(readFileSync(FILE, "utf8")), made, `write it anew: ${FILE.pathname}`);
});

const good = [
  "rules: []",
  "rules:",
  rule("on: sql", "deny: {}"),
  rule("on: [connect, sql.read]", "when: agent.name == 'a'", "allow: {}"),
  rule("on: reveal", 'mask: { style: "null" }'),
  rule("on: sql", "hold: { approvers: [a, b], quorum: 2, expires: 10m, reuse: 1h, message: Wait }"),
  rule("on: sql", 'hold: { approvers: ["corp:sre"], escalate: { after: 5m, to: ["corp:leads"] } }'),
  rule("on: sql", "hold: { approvers: { each: [a, b] } }"),
  rule("on: sql", "limit: { rows: 5 }"),
  rule("on: sql", "shadow: true", "limit: { statements: 5, per: 1m }"),
];
for (const text of good)
  test(`an editor accepts ${JSON.stringify(text).slice(0, 70)}`, () => assert.equal(validate(parse(text)), true));

/** What is wrong in them is the shape. */
const SHAPELESS = [
  "an unknown key of the file",
  "an unknown key of a rule",
  "a rule without a name",
  "a name in capitals",
  "a rule without actions",
  "an empty list of actions",
  "an unknown action",
  "no outcome",
  "two outcomes",
  "an allow with content",
  "an allow without braces",
  "a hold without approvers",
  "approvers that are no list",
  "each of no group",
  "a quorum of nobody",
  "an escalation to nobody",
  "a time without a unit",
  "a limit of nothing",
  "a limit of no rows",
  "a limit of statements without a window",
  "a shadow that is neither",
  "a message of 501 characters",
  "an unknown style",
  "a mask without a style",
];
for (const name of SHAPELESS) {
  test(`an editor marks ${name}`, () => {
    const broken = BROKEN_POLICIES.find((one) => one.name === name);
    assert.ok(broken);
    assert.equal(validate(parse(broken.text)), false);
  });
}
