/** A write that carries one of our own masks is refused, whatever the rules say. Real statements of PostgreSQL. */
import assert from "node:assert/strict";
import { createSecretKey } from "node:crypto";
import { before, test } from "node:test";
import { createMasker } from "../../src/masking/mask.ts";
import { replaceText } from "../../src/masking/replace.ts";
import type { Connection } from "../../src/model/connection.ts";
import type { Asked } from "../../src/model/operation.ts";
import { maskWritten } from "../../src/path/write-back.ts";
import { postgres } from "../../src/protocols/postgres/index.ts";
import { COPY_ASKED } from "../../src/protocols/postgres/waiting.ts";
import { policyOf, subjectOf } from "../kit/policy.ts";

const KEY = new Uint8Array(32).fill(7);
const masker = createMasker(KEY);
const HASH = replaceText("219-09-9999", "hash", "", createSecretKey(KEY)) ?? "";
const CONNECTION: Connection = {
  ...{ name: "orders", protocol: "postgres", addresses: [], labels: {}, tls: { mode: "disable" }, data: {} },
};
const ALLOW_ALL = policyOf("rules: [{ name: all, on: sql, allow: {} }]", postgres.actions);

before(() => postgres.prepare());

function decide(text: string, parameters?: readonly (string | null)[], isObserved = false) {
  const judge = ALLOW_ALL.judge(
    subjectOf({
      maskIn: (asked, bytes) => maskWritten(asked, bytes, postgres, masker),
      isObserved: () => isObserved,
    }),
  );
  const asked = postgres.askedBy?.(text, CONNECTION) ?? [];
  const bound: readonly Asked[] = parameters === undefined ? asked : asked.map((one) => ({ ...one, parameters }));
  return judge.decide(1, bound, new Uint8Array());
}

const refused: readonly { name: string; text: string; parameters?: readonly (string | null)[] }[] = [
  { name: "an INSERT of a redacted text", text: "insert into t values (1, '[redacted]')" },
  { name: "an INSERT of a hash", text: `insert into t values ('${HASH}')` },
  { name: "an UPDATE with part of a card", text: "update t set card = '**** **** **** 1111' where id = 1" },
  { name: "an UPDATE with part of an address", text: "update t set mail = 'a***@example.org' where id = 1" },
  { name: "an INSERT of stars", text: "insert into t values ('********')" },
  { name: "a MERGE", text: "merge into t using s on t.id = s.id when matched then update set a = '[redacted]'" },
  { name: "an escape string", text: "insert into t values (E'\\x5bredacted]')" },
  { name: "a dollar-quoted text", text: "insert into t values ($$[redacted]$$)" },
  {
    name: "a change within a WITH",
    text: "with c as (insert into t values ('[redacted]') returning 1) select * from c",
  },
  { name: "the second of two statements", text: "select 1; insert into t values ('[redacted]')" },
  { name: "a parameter", text: "insert into t values ($1, $2)", parameters: [null, "***-**-9999"] },
  { name: "JSON in a parameter", text: "update t set j = $1 where id = 1", parameters: ['{"ssn":"[redacted]"}'] },
];
for (const { name, text, parameters } of refused) {
  test(`${name} is denied as built-in:masked-value, also of an observed agent`, () => {
    for (const isObserved of [false, true]) {
      const decision = decide(text, parameters, isObserved);
      assert.deepEqual([decision.kind, decision.rules], ["deny", ["built-in:masked-value"]]);
    }
  });
}

const allowed: readonly { name: string; text: string; parameters?: readonly (string | null)[] }[] = [
  { name: "a SELECT that looks for a mask", text: "select * from t where a = '[redacted]'" },
  { name: "an INSERT with stars in a comment", text: "insert into t values (1) /******** note ********/" },
  { name: "a column of that name", text: 'insert into t ("[redacted]") values (1)' },
  { name: "an INSERT of a hash that is not ours", text: "insert into t values ('h:0123456789abcdef0123')" },
  { name: "a parameter like any other", text: "insert into t values ($1)", parameters: ["219-09-9999"] },
  { name: "a DELETE", text: "delete from t where a = '********'" },
];
for (const { name, text, parameters } of allowed)
  test(`${name} is allowed`, () => assert.equal(decide(text, parameters).kind, "allow"));

for (const [data, kind] of [
  ["1\t[redacted]\n", "deny"],
  [`1\t${HASH}\n`, "deny"],
  ["1\tplain\n", "allow"],
] as const) {
  test(`data of a COPY: ${kind} for ${JSON.stringify(data).slice(0, 14)}`, () => {
    const judge = ALLOW_ALL.judge(subjectOf({ maskIn: (asked, bytes) => maskWritten(asked, bytes, postgres, masker) }));
    assert.equal(judge.decide(1, COPY_ASKED, Buffer.from(data)).kind, kind);
  });
}
