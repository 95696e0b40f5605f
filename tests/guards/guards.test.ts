/** A sample of the guard suite, spread over all its groups, and that the suite can fail. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { text } from "./attack.ts";
import { ATTACKS } from "./attacks/index.ts";
import { runAttacks } from "./attacks-run.ts";
import { GuardedWorld } from "./guarded-world.ts";
import { HARMLESS } from "./harmless/index.ts";
import { runHarmless } from "./harmless-run.ts";
import { isClosedByCatalog, LIMITS } from "./limits.ts";
import { countsOf, faultsOf, LIMITS_TITLE, runSuite } from "./suite.ts";

const ATTACKS_MIN = 200;
const HARMLESS_MIN = 200;
/** One row of so many. */
const STRIDE = 23;

const titles = new Set([...ATTACKS, ...HARMLESS].map(({ title }) => title));

test(`the suite has at least ${ATTACKS_MIN} attacks and ${HARMLESS_MIN} harmless statements, of different names`, () => {
  const attacks = ATTACKS.flatMap(({ policy, title, attacks }) =>
    attacks.map(({ name }) => `${policy} ${title} ${name}`),
  );
  const harmless = HARMLESS.flatMap(({ title, statements }) => statements.map(({ name }) => `${title} ${name}`));
  assert.ok(attacks.length >= ATTACKS_MIN);
  assert.ok(harmless.length >= HARMLESS_MIN);
  assert.equal(new Set(attacks).size, attacks.length);
  assert.equal(new Set(harmless).size, harmless.length);
  assert.ok(!titles.has(LIMITS_TITLE));
});

let guarded: GuardedWorld;
before(async () => {
  guarded = await GuardedWorld.start(15);
});
after(() => guarded.stop());

test("a sample of attacks is refused and a sample of harmless statements is not", async () => {
  const result = await runSuite(guarded, { only: titles, stride: STRIDE, tell: () => {} });
  assert.deepEqual(faultsOf(result), []);
  const { attacks, harmless } = countsOf(result);
  assert.ok(attacks >= ATTACKS.length && harmless >= HARMLESS.length, `${attacks} attacks, ${harmless} harmless`);
});

test("calls that look like columns are refused where the settings name a table of the connection", async () => {
  await guarded.knowCatalog(true);
  for (const policy of ["no-whole-table", "only-select"] as const) {
    await guarded.enforce(policy);
    const rows = LIMITS.filter((limit) => limit.policy === policy && isClosedByCatalog(limit));
    const results = await runAttacks(guarded, rows, { policy, prefix: `known_${policy === "only-select" ? 1 : 0}` });
    assert.ok(results.length >= 3);
    assert.deepEqual(
      results.filter(({ verdict }) => verdict !== "closed"),
      [],
    );
  }
  await guarded.knowCatalog(false);
});

test("an attack that passes, one that does no harm, and a statement that is refused are told", async () => {
  await guarded.enforce("only-select");
  const rows = [
    text("an allowed read", "SELECT 'yes-' || 'indeed' FROM orders LIMIT 1", { arrives: "yes-indeed" }),
    text("a read of nothing", "SELECT value FROM secrets WHERE false", { arrives: "yes-indeed" }),
  ];
  const verdicts = await runAttacks(guarded, rows, { policy: "only-select", prefix: "told" });
  assert.deepEqual(
    verdicts.map(({ verdict }) => verdict),
    ["passed", "weak"],
  );
  const [refused] = await runHarmless(guarded, [text("a read of another table", "SELECT 1 FROM secrets")]);
  assert.equal(refused?.verdict, "refused");
});
