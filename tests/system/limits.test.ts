/** Limits on a connection without labels, where FETCH asks for no action of its own. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { ApiClient } from "../../src/control/cli/client.ts";
import { OPEN, startWorld, type World } from "./world.ts";

let world: World;
before(async () => {
  world = await startWorld({ policies: { "open.yaml": OPEN } });
});
after(() => world.stop());

const WAYS = {
  cursor: "BEGIN;\nDECLARE c CURSOR FOR SELECT id FROM orders;\nFETCH 40 FROM c;\nFETCH 40 FROM c;\nFETCH 5 FROM c;\n",
  prepared: "PREPARE q AS SELECT id FROM orders LIMIT 40;\nEXECUTE q;\nEXECUTE q;\nEXECUTE q;\n",
};

for (const [name, text] of Object.entries(WAYS)) {
  test(`rows that come by a ${name} statement count towards the limit of what they are read from`, async () => {
    const limit = `  - { name: ${name}, on: sql.read, limit: { rows: 50, per: 10m } }\n`;
    writeFileSync(`${world.daemon.folder}/policies/open.yaml`, OPEN + limit);
    await new ApiClient(world.daemon.runDir).post("/v1/settings/reload", {});
    const { stdout, stderr } = await world.psql(text);
    assert.match(stderr, new RegExp(`42501.*The limit of rule ${name} .50 rows in 600 s. is reached`));
    assert.equal(stdout.split("\n").filter((line) => /^\d+$/.test(line)).length, 80);
  });
}
