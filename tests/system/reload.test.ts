/** What runs is judged by what is in force now: a reload reaches sessions that are already open. */
import assert from "node:assert/strict";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { OPEN, startWorld, type World } from "./world.ts";

let world: World;
before(async () => {
  world = await startWorld({ policies: { "open.yaml": OPEN } });
});
after(() => world.stop());

/** One psql session that asks, waits while `change` happens, and asks again. */
async function across(change: () => Promise<void>) {
  const [ready, go] = [`${world.daemon.folder}/ready`, `${world.daemon.folder}/go`];
  for (const file of [ready, go]) rmSync(file, { force: true });
  const pause = `\\! touch ${ready}; for n in $(seq 400); do [ -e ${go} ] && break; sleep 0.05; done`;
  const session = world.psql(`SELECT 'before';\n${pause}\nSELECT 'after';\n`);
  for (let tries = 0; tries < 400 && !existsSync(ready); tries++) await wait(25);
  await change();
  writeFileSync(go, "");
  return session;
}

function policy(text: string): Promise<unknown> {
  writeFileSync(`${world.daemon.folder}/policies/open.yaml`, text);
  return world.daemon.cli(["reload"]);
}

test("control: a session goes on across a reload that changes nothing", async () => {
  const { stdout } = await across(async () => void (await policy(OPEN)));
  assert.equal(stdout, "before\nafter\n");
});

test("a session whose connection is not allowed any more ends with a farewell", async () => {
  const { stdout, stderr } = await across(async () => void (await policy("rules: []\n")));
  assert.equal(stdout, "before\n");
  assert.match(stderr, /57P01.*does not allow this connection any more/);
  await policy(OPEN);
});

test("a session's next statement is judged by the new rules", async () => {
  const rule = '  - name: no-more-reading\n    on: sql.read\n    deny: { message: "not any more" }\n';
  const { stdout, stderr } = await across(async () => void (await policy(OPEN + rule)));
  assert.equal(stdout, "before\n");
  assert.match(stderr, /42501.*not any more/);
  await policy(OPEN);
});

test("a broken policy leaves the one in force, also for running sessions", async () => {
  const { stdout } = await across(async () => void (await policy("rules: [{ name: x, on: sql.raed, allow: {} }]\n")));
  assert.equal(stdout, "before\nafter\n");
  await policy(OPEN);
});

test("an agent that the settings do not name is refused, and its command does not run", async () => {
  const { code, stdout, stderr } = await world.daemon.run("nobody-knows", ["echo", "ran"]);
  assert.equal(stdout, "");
  assert.equal(code, 125);
  assert.match(stderr, /AGENT_UNKNOWN.*nobody-knows[\s\S]*ci/);
});
