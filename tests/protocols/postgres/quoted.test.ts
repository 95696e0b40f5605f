/** Which parts of a text are code: a detector may take none of them away from recordings and reviewers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { scrub } from "../../../src/masking/scrub.ts";
import { quotedIn } from "../../../src/protocols/postgres/analysis/quoted.ts";

const parts = (text: string) => quotedIn(text).map(({ start, end }) => text.slice(start, end));

const rows: readonly (readonly [text: string, ...quoted: string[]])[] = [
  ["select 1"],
  ["select 'a''b', \"c\"\"d\"", "a''b", 'c""d'],
  ["select 'a\\', b, 'c'", "a\\", "c"],
  ["select e'a\\'b', 1", "a\\'b"],
  ["select e'a'\n 'b\\'c', d", "a", "b\\'c"],
  ["select date'2000-01-01', named'x\\'", "2000-01-01", "x\\"],
  ["select $$a'b$$, $x$c$$d$x$, $1", "a'b", "c$$d"],
  ["select a$b$c, 'd$b$'", "d$b$"],
  ["select 1 -- a ' b\n + 2 /* c /* d */ e */ + 3", " a ' b", " c /* d */ e "],
  ["select 'open", "open"],
  ["select ''", ...[]],
];
for (const [text, ...quoted] of rows) {
  test(`quoted in: ${text}`, () => assert.deepEqual(parts(text), quoted));
}

const BEGIN = "-----BEGIN PRIVATE KEY-----";
const hidden: readonly (readonly [text: string, shown: string])[] = [
  [`delete from t where id = 5 /*${BEGIN}*/ or id > 50`, "delete from t where id = 5 /*[private-key]*/ or id > 50"],
  [
    `delete from t where id = 5 -${BEGIN}\nor paid -----END PRIVATE KEY-----`,
    "delete from t where id = 5 --[private-key]\nor paid --[private-key]",
  ],
  [
    `delete from t where "${BEGIN}" = 5; drop table "t"`,
    'delete from t where "[private-key]" = 5; drop table "[private-key]"',
  ],
  [
    `insert into t values ('${BEGIN}\nMIIE\n-----END PRIVATE KEY-----', 4111111111111111)`,
    "insert into t values ('[private-key]', [payment-card])",
  ],
  [
    `insert into t values ('${BEGIN}' || 'MIIE', now())`,
    "insert into t values ('[private-key]' || '[private-key]', now())",
  ],
];
for (const [text, shown] of hidden) {
  test(`nothing that is executed is hidden: ${text}`, () => {
    assert.equal(scrub(text, quotedIn), shown);
    assert.equal(scrub(shown, quotedIn), shown);
  });
}

test("it is linear: a megabyte of openings takes no time", () => {
  for (const piece of ["'", "/*", "--", "$a$", '"', "e'\\", "'\n"]) {
    const from = performance.now();
    quotedIn(piece.repeat(1_000_000 / piece.length));
    assert.ok(performance.now() - from < 2_000, piece);
  }
});
