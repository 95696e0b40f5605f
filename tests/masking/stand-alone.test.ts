/** Of which texts a recording needs to search one only. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { standAlone } from "../../src/masking/lone.ts";
import { scrub } from "../../src/masking/scrub.ts";
import { Random } from "../fuzz/random.ts";
import { digits, SQL, TELLING } from "./pieces.ts";

const PIECES = [
  ...SQL,
  ...[
    "219-09-",
    "(212) 555-",
    "+44 ",
    "no12ab - ",
    "de89 ",
    " mt84malt - ",
    "0123 ",
    "ssn = ",
    "phone: ",
    "4111 1111 1111 ",
  ],
  ...["hotel", "excellent AND ", "0 social ", " x ssn", "ssnx "],
  ...["SET a = a + ", " WHERE b = ", " OR c IN (", "x", "", "1", " tel ", "col1 = ", " = ", "@", "example.com"],
];

test("where numbers stand alone nothing is found, whatever their digits are", () => {
  const random = new Random(2);
  let alone = 0;
  for (let turn = 0; turn < 60_000; turn++) {
    const parts = Array.from({ length: 2 + random.below(3) }, () => {
      return Array.from({ length: random.below(4) }, () => random.pick(PIECES)).join("");
    });
    if (!standAlone(parts)) continue;
    alone++;
    const telling = TELLING.filter((value) => value.length <= 9);
    const number = () => (random.below(3) === 0 ? random.pick(telling) : digits(random, 9));
    const text = parts.reduce((made, part) => `${made}${number()}${part}`);
    assert.equal(scrub(text), text);
  }
  assert.ok(alone > 2_000, `${alone} texts had numbers that stand alone`);
});

const rows: readonly (readonly [parts: readonly string[], isAlone: boolean])[] = [
  [["SELECT abalance FROM pgbench_accounts WHERE aid = ", ";"], true],
  [["UPDATE t SET n = 5 WHERE id = ", ""], true],
  [["UPDATE t SET n = n + ", " WHERE id = ", ";"], false],
  [["INSERT INTO t VALUES (", ", ", ")"], false],
  [["SELECT n FROM t WHERE ssn = ", ""], false],
  [["SELECT n FROM people WHERE phone_number = ", ""], false],
  [["SELECT n FROM excellent WHERE id = ", ""], false],
  [["SELECT 219-09-", ""], false],
  [["SELECT ", "-09-9999"], false],
  [["SELECT no12ab - ", ""], false],
  [["SELECT 4111111111111111 WHERE id = ", ""], false],
];
for (const [parts, isAlone] of rows) {
  test(`${parts.join("N")}: ${isAlone ? "alone" : "not alone"}`, () => assert.equal(standAlone(parts), isAlone));
}
