/** The examples of docs/policy.md, compiled as the daemon does it and asked about real statements. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { before, test } from "node:test";
import { compilePolicy } from "../../src/daemon/configuration.ts";
import { DETECTOR_NAMES } from "../../src/masking/detectors.ts";
import type { Connection } from "../../src/model/connection.ts";
import type { Asked } from "../../src/model/operation.ts";
import { protocols } from "../../src/protocols/index.ts";
import { analyse, prepareAnalysis } from "../../src/protocols/postgres/actions.ts";
import { HARMLESS_SETTINGS } from "../../src/protocols/postgres/harmless.ts";
import { SAMPLE_AGENT, subjectOf } from "../kit/policy.ts";

const MANUAL = readFileSync(new URL("../../docs/policy.md", import.meta.url), "utf8");
const EXAMPLES = [...MANUAL.matchAll(/```yaml\n(.*?)```/gs)].map(([, text = ""]) => text);
const ORDERS: Connection = {
  ...{ name: "orders", protocol: "postgres", addresses: [], labels: {}, tls: { mode: "disable" } },
  data: { "public.customers": { labels: [], columns: { ssn: ["pii"] } } },
};
const NOBODY: Connection = { ...ORDERS, data: {} };

before(() => prepareAnalysis());

function policyOf(example: number) {
  return compilePolicy([{ name: `example ${example}`, text: EXAMPLES[example] ?? "" }], [ORDERS]);
}

function askOf(text: string): readonly Asked[] {
  if (text === "connect")
    return [{ operation: { actions: [{ name: "connect", facts: { database: "", user: "" } }] }, text }];
  return analyse(text, { data: NOBODY.data, catalog: undefined }).statements.map(({ operation }) => ({
    operation,
    text,
  }));
}

test("the manual has three examples, which load without a warning", () => {
  assert.equal(EXAMPLES.length, 3);
  for (const at of EXAMPLES.keys()) assert.deepEqual(policyOf(at).warnings, []);
});

const rows: readonly { example: number; text: string; rules: readonly string[]; kind: "allow" | "deny" }[] = [
  { example: 0, text: "connect", kind: "allow", rules: ["reach-orders"] },
  { example: 0, text: "select * from invoices", kind: "allow", rules: ["read-clean-tables"] },
  { example: 0, text: "select pg_read_file('x')", kind: "deny", rules: [] },
  { example: 0, text: "delete from invoices where id = 1", kind: "deny", rules: [] },
  { example: 1, text: "delete from invoices where id = 1", kind: "allow", rules: ["rows"] },
  { example: 1, text: "delete from invoices", kind: "deny", rules: ["whole-table-writes"] },
  { example: 1, text: "update invoices set paid = true where 1 = 1", kind: "deny", rules: ["whole-table-writes"] },
  { example: 1, text: "truncate invoices", kind: "deny", rules: ["whole-table-writes"] },
  { example: 1, text: "drop table invoices", kind: "deny", rules: ["no-ddl"] },
  {
    example: 1,
    text: "with d as (delete from invoices returning *) select * from d",
    kind: "deny",
    rules: ["whole-table-writes"],
  },
  { example: 1, text: "do $$ begin end $$", kind: "deny", rules: [] },
  { example: 1, text: "set standard_conforming_strings to off", kind: "deny", rules: ["built-in:statement-reading"] },
  { example: 1, text: "begin", kind: "allow", rules: [] },
  { example: 2, text: "insert into invoices values (1)", kind: "deny", rules: [] },
];
for (const { example, text, kind, rules } of rows) {
  test(`example ${example + 1} answers ${kind} to ${text}`, () => {
    const decision = policyOf(example).judge(subjectOf()).decide(1, askOf(text), new Uint8Array());
    assert.deepEqual([decision.kind, decision.rules], [kind, rules]);
  });
}

const reveals = [
  { groups: ["ci"], labels: ["pii"], detector: "", style: "redact" },
  { groups: ["support"], labels: ["pii"], detector: "", style: "partial" },
  { groups: ["support"], labels: [], detector: "payment-card", style: "partial" },
  { groups: ["support"], labels: ["pii"], detector: "secret", style: "null" },
  { groups: ["ci"], labels: [], detector: "", style: undefined },
] as const;
for (const { groups, labels, detector, style } of reveals) {
  test(`example 3 masks [${labels}] ${detector} for [${groups}] with ${style}`, () => {
    const judge = policyOf(2).judge(subjectOf({ agent: { ...SAMPLE_AGENT, groups } }));
    assert.equal(judge.reveal({ schema: "public", table: "customers", name: "ssn", labels }, detector), style);
  });
}

test("the manual names every action, every detector and every harmless setting", () => {
  const names = [...protocols.flatMap(({ actions }) => actions.map(({ name }) => name)), ...DETECTOR_NAMES];
  for (const name of [...names, ...HARMLESS_SETTINGS]) assert.match(MANUAL, new RegExp(`[\`\\s]${name}[\`\\s]`), name);
});
