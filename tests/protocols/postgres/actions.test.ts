import assert from "node:assert/strict";
import { before, test } from "node:test";
import type { Fact, FactType } from "../../../src/model/operation.ts";
import { analyse, POSTGRES_ACTIONS, prepareAnalysis } from "../../../src/protocols/postgres/actions.ts";
import { LABEL_ATTACKS, LABEL_ORACLES, WHOLE_TABLE_AND_DDL } from "../../kit/attacks.ts";
import { CUSTOMER_CATALOG, CUSTOMER_LABELS } from "./analysis-scope.ts";

before(prepareAnalysis);

function isOf(fact: Fact | undefined, type: FactType): boolean {
  if (fact === undefined) return false;
  if (type === "string") return typeof fact === "string";
  if (type === "bool") return typeof fact === "boolean";
  if (type === "int") return Number.isSafeInteger(fact);
  if ("list" in type) return Array.isArray(fact) && fact.every((item) => isOf(item, type.list));
  if (typeof fact !== "object" || Array.isArray(fact)) return false;
  const fields = fact as { readonly [name: string]: Fact };
  if ("map" in type) return Object.values(fields).every((item) => isOf(item, type.map));
  const declared = Object.keys(type.fields).sort();
  const isComplete = declared.join() === Object.keys(fields).sort().join();
  return isComplete && Object.entries(type.fields).every(([name, inner]) => isOf(fields[name], inner));
}

test("every action that is asked for is declared, and its facts are total and of the declared types", () => {
  const declared = new Map(POSTGRES_ACTIONS.map((action) => [action.name, action]));
  const scope = { data: CUSTOMER_LABELS, catalog: CUSTOMER_CATALOG };
  for (const { sql } of [...WHOLE_TABLE_AND_DDL, ...LABEL_ATTACKS, ...LABEL_ORACLES]) {
    for (const { operation } of analyse(sql, scope).statements) {
      for (const { name, facts } of operation.actions) {
        const declaration = declared.get(name);
        assert.ok(declaration, name);
        assert.deepEqual(Object.keys(facts), Object.keys(declaration.facts));
        for (const [fact, type] of Object.entries(declaration.facts))
          assert.ok(isOf(facts[fact], type), `${name} ${sql}`);
      }
    }
  }
});

test("operations are frozen through and through", () => {
  const deep = (value: unknown): boolean =>
    typeof value !== "object" || value === null || (Object.isFrozen(value) && Object.values(value).every(deep));
  for (const sql of ["SELECT a FROM t WHERE b = 1", "BEGIN", "DELETE FROM t", "nonsense"]) {
    assert.ok(deep(analyse(sql, { data: {}, catalog: undefined }).statements[0]?.operation), sql);
  }
});
