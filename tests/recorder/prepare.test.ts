/** That texts which differ in short numbers alone are searched once, and every other one each time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { standAlone } from "../../src/masking/lone.ts";
import { scrub } from "../../src/masking/scrub.ts";
import { createPrepare } from "../../src/recorder/prepare.ts";
import { Random } from "../fuzz/random.ts";

/** Prepares texts of one operation; `searched` are those that were looked through. */
function world(alone = standAlone) {
  const searched: string[] = [];
  const prepare = createPrepare((text, quotedIn) => {
    searched.push(text);
    return scrub(text, quotedIn);
  }, alone);
  const operation = Object.freeze({ actions: [] });
  return { searched, shown: (text: string) => prepare({ operation, text }).text };
}

const STATEMENT = "SELECT n FROM t WHERE id = ";

test("texts that differ in a short number are searched until it is known that nothing is ever found", () => {
  const { searched, shown } = world();
  for (let id = 1; id < 100; id++) assert.equal(shown(`${STATEMENT}${id}`), `${STATEMENT}${id}`);
  assert.deepEqual(searched, [`${STATEMENT}1`]);
});

const STRANGERS = [
  `${STATEMENT}4111111111111111`,
  `${STATEMENT}1234567890`,
  `${STATEMENT}12; -- a@example.com`,
  `a@example.com ${STATEMENT}12`,
  `${STATEMENT}'219-09-9999'`,
  `${STATEMENT}219-09-9999`,
  `${STATEMENT}\u06613`,
];
for (const text of STRANGERS) {
  test(`another text is searched: ${text}`, () => {
    const { searched, shown } = world();
    for (const id of [1, 2, 3]) shown(`${STATEMENT}${id}`);
    assert.equal(shown(text), scrub(text));
    assert.equal(searched.at(-1), text);
  });
}

test("where numbers beside each other could be something, every text is searched", () => {
  const { searched, shown } = world();
  const texts = Array.from({ length: 20 }, (_, n) => `INSERT INTO people VALUES ('ssn', ${n})`);
  for (const text of texts) shown(text);
  assert.deepEqual(searched, texts);
});

test("control: without the judgement of what stands alone every text is searched", () => {
  const { searched, shown } = world(() => false);
  for (let id = 1; id < 100; id++) shown(`${STATEMENT}${id}`);
  assert.equal(searched.length, 99);
});

test("what is shown is always what a search would show", () => {
  const random = new Random(7);
  const PIECES = [
    "SELECT ",
    " FROM t WHERE id = ",
    "'",
    " AND ssn = ",
    "219-09-",
    ", ",
    " phone ",
    "de89",
    "@",
    "x",
    " ",
  ];
  let kept = 0;
  for (let turn = 0; turn < 3_000; turn++) {
    const { searched, shown } = world();
    const parts = Array.from({ length: 1 + random.below(3) }, () =>
      Array.from({ length: 1 + random.below(3) }, () => random.pick(PIECES)).join(""),
    );
    const number = () => String(random.below(10 ** (1 + random.below(9))));
    const texts = Array.from({ length: 6 }, () => parts.join("\0").replaceAll("\0", number) + number());
    for (const text of texts) assert.equal(shown(text), scrub(text));
    kept += searched.length < new Set(texts).size ? 1 : 0;
  }
  assert.ok(kept > 300, `${kept} kept a frame`);
});
