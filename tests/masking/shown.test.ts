/** What the rules show although a label or a detector names it is told, and is left as it is. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createMasker, detectorsNamed } from "../../src/masking/mask.ts";
import type { ColumnFacts, MaskStyle } from "../../src/model/mask.ts";

const CARD = "4111111111111111";
const MAIL = "ann@example.com";
const column: ColumnFacts = { schema: "", table: "", name: "note", labels: [], valueKind: "text", format: "text" };
const masker = createMasker(Buffer.alloc(32, 7));

function tried(
  value: string,
  styles: Record<string, MaskStyle>,
  watched: readonly string[],
  more: Partial<ColumnFacts> = {},
) {
  const mask = masker.valueMask({ ...column, ...more }, (name) => styles[name], detectorsNamed(watched));
  const saw: string[] = [];
  const bytes = Buffer.from(value);
  const isClear = mask?.isClear?.(bytes, 0, bytes.length);
  const masked = mask?.(Buffer.from(value), (by) => saw.push(by));
  const text = masked === undefined ? undefined : masked.value === null ? null : Buffer.from(masked.value).toString();
  return { mask, isClear, saw, text, by: masked?.by };
}

const rows: readonly (readonly [
  name: string,
  value: string,
  styles: Record<string, MaskStyle>,
  watched: readonly string[],
  saw: readonly string[],
  text: string | undefined,
])[] = [
  ["a card that is watched", `paid ${CARD}`, {}, ["payment-card"], ["detector:payment-card"], undefined],
  ["two of the same are one", `${MAIL} ${MAIL.replace("ann", "bob")}`, {}, ["email"], ["detector:email"], undefined],
  [
    "what two detectors find in one place",
    `${CARD}@example.com`,
    {},
    ["*"],
    ["detector:payment-card", "detector:email"],
    undefined,
  ],
  ["nothing", "nothing at all", {}, ["*"], [], undefined],
  ["what nobody watches", `paid ${CARD}`, {}, ["email"], [], undefined],
  [
    "a card masked, a mail shown",
    `${CARD} ${MAIL}`,
    { "payment-card": "redact" },
    ["email", "payment-card"],
    ["detector:email"],
    `[REDACTED] ${MAIL}`,
  ],
  ["json", `{"m":"${MAIL}"}`, {}, ["email"], ["detector:email"], undefined],
  ["an array", `{${MAIL},x}`, {}, ["email"], ["detector:email"], undefined],
];
const KINDS = { json: "json", "an array": "text-array" } as const;
for (const [name, value, styles, watched, saw, text] of rows) {
  test(`${name} is told where it is shown, and only there`, () => {
    const kind = KINDS[name as keyof typeof KINDS];
    const got = tried(value, styles, watched, kind === undefined ? {} : { valueKind: kind });
    assert.deepEqual(got.saw, saw);
    if (saw.length > 0 || text !== undefined) assert.equal(got.isClear, false);
    if (text === undefined) assert.equal(got.text, undefined);
    else assert.ok(got.text?.endsWith(MAIL) && !got.text.includes(CARD), got.text ?? "null");
  });
}

test("a labelled column that is shown counts by all of its labels; one that is masked does not count as shown", () => {
  const labels = ["pii", "payment"];
  assert.equal(tried("x", {}, [], { labels }).mask?.shownBy, "label:pii,payment");
  assert.equal(tried("x", {}, [], { labels }).mask?.onlyWatches, true);
  const masked = tried("x", { "": "redact" }, [], { labels });
  assert.deepEqual([masked.mask?.shownBy, masked.by], [undefined, "label:pii,payment"]);
});

test("without label, style and watch a column is not looked at", () => {
  assert.equal(tried("x", {}, []).mask, undefined);
  assert.equal(tried("1", {}, ["*"], { valueKind: "other" }).mask, undefined);
});

test("names of rules are detectors: secret is several, a star is all", () => {
  assert.deepEqual([...detectorsNamed(["secret"])], ["private-key", "jwt", "aws-key", "github-token"]);
  assert.equal(detectorsNamed(["*"]).size, 9);
  assert.deepEqual([...detectorsNamed(["email", "no such"])], ["email"]);
});
