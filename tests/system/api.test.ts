/** Requests made from the OpenAPI document, asked of a real daemon as root: no 500, and nothing that is not declared. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { ask } from "../kit/api/ask.ts";
import { OPERATIONS } from "../kit/api/document.ts";
import { bodyOf, judgeAnswer } from "../kit/api/judge.ts";
import { Requests } from "../kit/api/requests.ts";
import { makeCertificate } from "../kit/certificate.ts";
import { capture } from "../kit/daemon.ts";
import { freePort } from "../kit/free-port.ts";
import { HIDE, OPEN, startWorld, type World } from "./world.ts";

const SEED = 20_261_129;
/** For each operation. */
const RUNS = { allowed: 3, almost: 3, hostile: 2 } as const;
/** Well-formed ones would guard processes of this host, or end the daemon. */
const DANGEROUS = new Set(["POST /v1/tags", "POST /v1/hooks/oci", "POST /v1/shutdown"]);

let world: World;
let requests: Requests;
before(async () => {
  world = await startWorld({ policies: { "open.yaml": OPEN, "hide.yaml": HIDE }, labels: true });
  await world.psql("SELECT name, ssn FROM customers; SELECT 1/0");
  const sessions = await world.daemon.json<{ id: string }[]>(["sessions"]);
  const ids = sessions.map(({ id }) => id);
  assert.notEqual(ids.length, 0);
  requests = new Requests({
    ...{ id: ids, session: ids, agent: ["ci"], connection: ["orders"], name: ["ci", "orders"] },
    ...{ text: ["SELECT ssn FROM customers", "rules: []"], q: ["agent:ci", "label:pii", "select"], from: ["1", "5ms"] },
  });
});
after(() => world.stop());

for (const [kind, numRuns] of Object.entries(RUNS) as [keyof typeof RUNS, number][]) {
  test(`${numRuns} requests of each operation, ${kind} (seed ${SEED}), are answered as it is declared`, async () => {
    const door = { socketPath: join(world.daemon.runDir, "api.sock") };
    for (const operation of OPERATIONS) {
      const isDangerous = DANGEROUS.has(operation.name);
      if (isDangerous && kind === "allowed") continue;
      const property = fc.asyncProperty(requests[kind](operation), async (request) => {
        fc.pre(!isDangerous || !operation.takes(bodyOf(request.sent) ?? {}));
        judgeAnswer(request, await ask(door, request.path, request.sent), "admin");
      });
      await fc.assert(property, { seed: SEED, numRuns });
    }
  });
}

test("an agent reaches the API's port by no address, though egress opens all of loopback to it", async () => {
  const { daemon } = world;
  const { certificateFile, keyFile } = makeCertificate(daemon.folder, ["127.0.0.1"]);
  const port = await freePort();
  const key = `{ file: ${keyFile} }`;
  const api = `api: { listen: "127.0.0.1:${port}", certificate: ${certificateFile}, key: ${key} }\n`;
  const egress = `egress: { allow: ["127.0.0.0/8:*", "[::1]:*"] }\n`;
  writeFileSync(daemon.configFile, `${readFileSync(daemon.configFile, "utf8")}${api}${egress}`);
  const reloaded = await daemon.cli(["reload"]);
  assert.equal(reloaded.code, 0, reloaded.stderr);
  const dial = (host: string) => [
    process.execPath,
    "-e",
    `require("tls").connect({ host: ${JSON.stringify(host)}, port: ${port}, rejectUnauthorized: false })
      .on("secureConnect", () => { console.log("reached"); process.exit() }).on("error", (e) => console.log(e.code))`,
  ];
  const [program = "", ...args] = dial("127.0.0.1");
  assert.equal((await capture(program, args)).stdout, "reached\n"); // outside of any agent
  assert.equal((await daemon.run("ci", dial("127.0.0.1"))).stdout, "EPERM\n");
  assert.equal((await daemon.run("ci", dial("::ffff:127.0.0.1"))).stdout, "EPERM\n");
});

test("after all of it the daemon guards as before", async () => {
  await world.daemon.cli(["release", "ci"]);
  await world.daemon.cli(["observe", "ci", "--off"]);
  const { stdout, stderr } = await world.psql("SELECT ssn FROM customers WHERE id = 1");
  assert.match(stdout, /\*-9999/, stderr);
});
