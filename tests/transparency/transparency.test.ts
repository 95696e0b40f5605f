/** The suite in its quick form on one version, what the corpus is made of, and that the comparison can fail. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { capture } from "../kit/daemon.ts";
import { CLIENTS } from "./clients/all.ts";
import { SHUTDOWN } from "./clients/shutdown.ts";
import { apartFromStated, differencesOf, misstated, play } from "./compare.ts";
import { plant } from "./control.ts";
import { MODES } from "./corpus/case.ts";
import { chaptersOf } from "./corpus/corpus.ts";
import { KINDS, kindsIn } from "./corpus/kinds.ts";
import { type Sides, startSides } from "./sides.ts";

const VERSION = 15;
const SEED = 1;
const ONE_IN = 20;
const SAMPLED_MIN = 300;
const CORPUS_MIN = 2_000;

let sides: Sides;
before(async () => {
  sides = await startSides(VERSION);
});
after(() => sides.stop());

test("a sample of the corpus, over all modes, gives the same bytes directly and as agent; what is stated differs just so", async () => {
  const sample = { version: VERSION, seed: SEED, oneIn: ONE_IN } as const;
  const options = { ...sample, parts: ["corpus", "stated"], folder: sides.folder } as const;
  const [direct, guarded] = await Promise.all([play(sides.direct, options), play(sides.guarded, options)]);
  const [[one, statedOfOne], [other, statedOfOther]] = [apartFromStated(direct), apartFromStated(guarded)];
  assert.deepEqual(differencesOf(one, other), [], `seed ${SEED}`);
  assert.deepEqual(misstated(statedOfOne, statedOfOther), []);
  const sampled = chaptersOf(sample).flatMap(({ cases }) => cases);
  assert.equal(one.length, sampled.length);
  assert.ok(new Set(sampled.flatMap(({ statements }) => statements)).size >= SAMPLED_MIN);
  assert.deepEqual(new Set(sampled.map(({ mode }) => mode)), new Set([...MODES, "conversation"]));
});

for (const { name, isQuick, differs } of CLIENTS) {
  if (isQuick) test(`${name} gives the same results as agent`, async () => assert.equal(await differs(sides), ""));
}

test("one planted byte is found where it is, and nowhere else", async () => {
  assert.equal(await plant(sides), undefined);
});

// The servers are gone from here on.
test(`${SHUTDOWN.name} says the same to clients on both sides`, async () =>
  assert.equal(await SHUTDOWN.differs(sides), ""));

test("the corpus holds every kind of statement of the grammar, and enough of them", async () => {
  const texts = new Set(
    chaptersOf({ version: VERSION, seed: SEED, oneIn: 1 }).flatMap(({ cases }) =>
      cases.flatMap((one) => one.statements),
    ),
  );
  assert.ok(texts.size >= CORPUS_MIN, `${texts.size} statements`);
  const found = await kindsIn(texts);
  assert.deepEqual(
    KINDS.filter((kind) => !found.has(kind)),
    [],
  );
});

test("wrong words end with 2 and name the way out", async () => {
  const main = join(import.meta.dirname, "main.ts");
  const { code, stderr } = await capture(process.execPath, [main, "--version", "14"]);
  assert.equal(code, 2);
  assert.match(stderr, /--help/);
});
