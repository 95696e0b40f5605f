/** The leak suite in its quick form: a sample over all groups, and some random statements. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ALL, GROUPS } from "./attacks.ts";
import { isWeak, leaked, wordsOf } from "./document.ts";
import { runProperty } from "./property.ts";
import { attacksOn, sample } from "./sample.ts";
import { runTrials } from "./trial.ts";
import { type LeakWorld, makeWorld } from "./world.ts";

const SEED = 1;
const EACH = 2;
const RANDOM = 60;
const ATTACKS_MIN = 150;
/** Of random statements: a generator that gives little away directly proves little. */
const TELLING_MIN = 0.6;

test("no attack is there twice", () => {
  const keys = ALL.map(({ group, attack }) => `${group}: ${attack.name}`);
  assert.deepEqual(
    keys.filter((key, at) => keys.indexOf(key) !== at),
    [],
  );
  const said = ALL.flatMap(({ attack: { sql, before: made = "" } }) => (sql === undefined ? [] : [`${sql} ${made}`]));
  assert.deepEqual(
    said.filter((sql, at) => said.indexOf(sql) !== at),
    [],
  );
  assert.ok(ALL.length >= ATTACKS_MIN && GROUPS.length > 20);
});

describe("masked values", () => {
  let world: LeakWorld;
  before(async () => {
    world = await makeWorld([15]);
  });
  after(() => world.stop());

  test(`no attack of a sample leaks, and each gives a value away directly (seed ${SEED})`, async () => {
    const attacks = sample(attacksOn(ALL, 15, undefined), EACH, SEED);
    const trials = await runTrials(world, attacks, { version: 15, oneWay: true, tell: () => {} });
    const line = ({ group, attack, outcomes }: (typeof trials)[number]) =>
      `${group} / ${attack.name}: ${wordsOf(outcomes)}`;
    assert.deepEqual(trials.filter(leaked).map(line), []);
    assert.deepEqual(trials.filter(isWeak).map(line), []);
    assert.ok(trials.length > GROUPS.length);
  });

  test(`random statements give nothing away (seed ${SEED})`, async () => {
    const report = await runProperty(world, { version: 15, seed: SEED, from: 0, count: RANDOM, tell: () => {} });
    const shown = (list: typeof report.leaks) => list.map(({ number, composed }) => `${number}: ${composed.sql}`);
    assert.deepEqual(shown(report.leaks), []);
    assert.deepEqual(shown(report.failed), []);
    assert.ok(report.telling >= TELLING_MIN * RANDOM, `${report.telling} of ${RANDOM} tell directly`);
  });
});
