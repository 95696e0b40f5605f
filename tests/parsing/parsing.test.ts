/**
 * The quick version of `npm run parsing`: some 1,500 statements of the fixed seed. What the server did with each is
 * observed once; then the analysis is held to it, and so are analyses with a planted fault, which must be found out.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Analysis, analyse, prepareAnalysis } from "../../src/protocols/postgres/actions.ts";
import { Analyser } from "../../src/protocols/postgres/analysis/analyse.ts";
import { volatilityOf } from "../../src/protocols/postgres/analysis/volatility.ts";
import { grammarTexts, makeCorpus, type Sizes } from "./corpus/corpus.ts";
import { Coverage } from "./coverage.ts";
import { type Analyse, judge, misremembered, type Observation, observeCorpus, tallyOf } from "./run.ts";
import { makeWorld, type World } from "./truth/world.ts";

const SEED = 1;
const SIZES: Sizes = {
  queries: 450,
  changes: 250,
  conditions: 250,
  definitions: 1,
  apart: 0,
  functions: 1,
  settings: 1,
  forms: 1,
  smith: 0,
  thinning: 12,
};
/** Texts of the generated grammar that hold each type of node, at least. */
const TEXTS_MIN = 3;
const SCOPE = { data: {}, catalog: undefined };
const real: Analyse = (text) => analyse(text, SCOPE);

let world: World;
let observations: readonly Observation[];
before(async () => {
  await prepareAnalysis();
  world = await makeWorld(18);
  observations = await observeCorpus(world, await makeCorpus(world, SEED, SIZES));
});
after(() => world.stop());

test("what the analysis says covers what the server does", () => {
  const results = judge(observations, real);
  const wrong = results.filter(({ verdict }) => verdict.wrong.length > 0 || verdict.isMislabelled);
  assert.deepEqual(
    wrong.map(({ statement, verdict }) => `${verdict.wrong.join("; ")}: ${statement.text}`),
    [],
  );
  const { statements, understood } = tallyOf(results);
  assert.ok(statements > 1_200, `${statements} statements were compared`);
  assert.ok(understood > 0.95 * statements, `${understood} of ${statements} were understood`);
});

test("no text is answered with what was found for another one of its shape", async () => {
  const afresh = new Analyser(0);
  await afresh.prepare();
  assert.deepEqual(
    misremembered(observations, real, (text) => afresh.analyse(text, SCOPE)).map(({ text }) => text),
    [],
  );
});

test("no function of the server is more volatile than policy is told", async () => {
  const rows = await world.postgres.query(
    "SELECT DISTINCT proname AS name, provolatile AS mark FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace",
  );
  const told = { i: 0, s: 1, v: 2 } as const;
  const rank = { immutable: 0, stable: 1, volatile: 2, unknown: 3 } as const;
  const wrong = rows.filter(
    ({ name, mark }) => rank[volatilityOf(undefined, String(name))] < told[mark as keyof typeof told],
  );
  assert.ok(rows.length > 2_000);
  assert.deepEqual(
    wrong.map(({ name, mark }) => `${name} ${mark}`),
    [],
  );
});

/** The analysis with something of every action, or every action of a name, changed or left out. */
function faulty(change: (action: Action) => Action | undefined): Analyse {
  return (text) => {
    const { statements } = real(text);
    const changed = statements.map((statement) => {
      const actions = statement.operation.actions.flatMap((action) => change(action) ?? []);
      return { ...statement, operation: { ...statement.operation, actions } };
    });
    return { statements: changed };
  };
}

type Action = Analysis["statements"][number]["operation"]["actions"][number];
type Facts = Readonly<Record<string, unknown>> & { readonly tables: readonly { readonly name: string }[] };

function withFacts(action: Action, change: (facts: Facts) => object): Action {
  const facts = action.facts["statement"] as unknown as Facts;
  return { ...action, facts: { statement: { ...facts, ...change(facts) } as never } };
}

const without = (name: string) => faulty((action) => (action.name === name ? undefined : action));

const FAULTS: readonly (readonly [fault: string, analyse: Analyse, found: RegExp])[] = [
  ["drops sql.delete", without("sql.delete"), /^deletes from /],
  ["drops sql.update", without("sql.update"), /^updates /],
  ["drops sql.insert", without("sql.insert"), /^inserts into /],
  ["drops sql.read", without("sql.read"), /^reads /],
  ["drops sql.define", without("sql.define"), /^changes the catalog/],
  ["drops sql.administer", without("sql.administer"), /^changes who may use something/],
  ["drops sql.session", without("sql.session"), /^changes \w+/],
  ["drops sql.server", without("sql.server"), /^(reads|writes) a file of the server/],
  [
    "takes every WHERE for one that selects",
    faulty((action) => withFacts(action, () => ({ where: { present: true, tautology: false } }))),
    /passes for one that selects/,
  ],
  [
    "forgets the last table of each action",
    faulty((action) => withFacts(action, ({ tables }) => ({ tables: tables.slice(0, -1) }))),
    /^reads /,
  ],
  [
    "says that nothing is forbidden",
    (text) => ({
      statements: real(text).statements.map((statement) => {
        const { actions } = statement.operation;
        return { ...statement, operation: { actions } };
      }),
    }),
    /is not refused$/,
  ],
  [
    "expects no copy",
    (text) => ({
      statements: real(text).statements.map((statement) => ({
        ...statement,
        effects: { ...statement.effects, copy: "none" },
      })),
    }),
    /^copies (in|out)/,
  ],
];

for (const [fault, faultyAnalyse, found] of FAULTS)
  test(`control: an analysis that ${fault} is wrong in the unsafe direction`, () => {
    const reasons = judge(observations, faultyAnalyse).flatMap(({ verdict }) => verdict.wrong);
    assert.ok(
      reasons.some((reason) => found.test(reason)),
      `${reasons.length} other reasons`,
    );
  });

test("the generated corpus holds every type of node that the grammar can make", async () => {
  const coverage = await Coverage.load();
  for (const text of grammarTexts(SEED)) coverage.add(text);
  assert.deepEqual(
    coverage.counts().filter(([, texts]) => texts < TEXTS_MIN),
    [],
  );
});
