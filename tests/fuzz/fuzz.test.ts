/** A short campaign with the kept seed, the kept reproductions, and proof that each kind of fault is found. In full: `npm run fuzz`. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { prepareAnalysis } from "../../src/protocols/postgres/actions.ts";
import { campaign } from "./campaign.ts";
import { Counts } from "./counts.ts";
import { endure } from "./endurance.ts";
import { PLANTED } from "./planted.ts";
import { readRegressions, readReproduction, replay } from "./reproduction.ts";
import { realSession } from "./setting.ts";

const SEED = 20_261_129;
/** Short: a planted fault is not rare. */
const PLANTED_RUN = { messages: 4_000, seed: SEED, hangMs: 150, tries: 40 };
const folder = mkdtempSync(join(tmpdir(), "sallyport-fuzz-"));
before(() => prepareAnalysis());
after(() => rmSync(folder, { recursive: true }));

for (const { name, reproduction } of readRegressions()) {
  test(`fixed: ${name}`, () => assert.equal(replay(reproduction, realSession), undefined));
}

test("60,000 mutated messages, among as many again that are as recorded, bring no fault", async () => {
  const { counts, found } = await campaign({ messages: 60_000, seed: SEED, folder });
  assert.deepEqual(
    found.map(({ seed, fault }) => `seed ${seed}: ${fault.kind}: ${fault.message}`),
    [],
  );
  assert.ok(counts.mutated >= 60_000);
  assert.ok(
    (counts.byEnd.get("still open") ?? 0) > counts.sessions / 5,
    "most mutations must not end the session at once",
  );
  assert.ok(counts.forwards > 1_000 && counts.denials > 1_000);
});

for (const { name, finds, says, make } of PLANTED) {
  test(`a session that ${name} is found, and its reproduction shows it again`, async () => {
    const own = join(folder, name.replaceAll(" ", "-"));
    const { found } = await campaign({ ...PLANTED_RUN, foundMax: finds === "hang" ? 1 : 2, folder: own, make });
    const hit = found.find(({ fault }) => fault.kind === finds && says.test(fault.message));
    assert.ok(hit, `${finds} is not among ${found.map(({ fault }) => `${fault.kind}: ${fault.message}`)}`);
    if (finds === "hang") return;
    const reproduction = readReproduction(readFileSync(hit.path, "utf8"));
    assert.equal(replay(reproduction, make)?.kind, finds);
    assert.equal(replay(reproduction, realSession), undefined);
  });
}

test("a session that goes on and on keeps no more than its limits", async () => {
  const endured = await endure(256 * 1024, new Counts(), realSession);
  assert.equal(endured.length, 8);
});

test("a session that keeps all it reads is found", async () => {
  const kept: Buffer[] = [];
  const hoarding: typeof realSession = (world, budget) => {
    const real = realSession(world, budget);
    return {
      handle: (event) => {
        if (event.kind === "server") kept.push(Buffer.from(event.bytes));
        return real.handle(event);
      },
    };
  };
  const course = "notices, parameters and notifications";
  await assert.rejects(endure(16 * 1024 * 1024, new Counts(), hoarding, course), /bytes are kept/);
});
