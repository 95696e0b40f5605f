/** `kill -9` of the daemon around an approval: what was held is executed once or never, and the record says which. */
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { answer, became, HELD, orders, told, waiting } from "./held.ts";
import { startWorld, type World } from "./world.ts";

let world: World;
before(async () => {
  world = await startWorld({ policies: { "held.yaml": HELD } });
});
after(() => world.stop());
beforeEach(() => world.postgres.query("UPDATE orders SET amount = 0"));

/** Counts how often it was executed. */
const COUNTING = "UPDATE orders SET amount = amount + 1 WHERE id = 1;\n";

async function executions(): Promise<number> {
  const [row] = await world.postgres.query("SELECT amount FROM orders WHERE id = 1");
  return Number(row?.["amount"]);
}

const rows = [
  { when: "while it waits", at: undefined, state: "denied", reason: /ended while it waited/, event: "hold.denied" },
  {
    when: "between the approval and the forward",
    at: "approved",
    state: "abandoned",
    reason: /approved and not forwarded/,
    event: "hold.abandoned",
  },
  {
    when: "when it is about to be forwarded",
    at: "running",
    state: "unknown",
    reason: /before the answer was known/,
    event: "hold.result",
  },
] as const;

for (const { when, at, state, reason, event } of rows) {
  test(`killed ${when}: never executed, and ${state}`, async () => {
    if (at !== undefined) {
      await world.daemon.kill();
      await world.daemon.up({ SALLYPORT_TEST_KILL_WHEN_HOLD_IS: at });
    }
    const psql = world.psql(COUNTING);
    const held = await waiting(world);
    if (at === undefined) await world.daemon.kill();
    else {
      await assert.rejects(answer(world, "approve", held.id)); // the answer dies with the daemon
      await world.daemon.ended();
    }
    assert.match((await psql).stderr, /closed the connection|reset|EOF/i);
    await world.daemon.up();
    const ended = await became(world, held.id);
    assert.equal(ended.state, state);
    assert.match(ended.reason ?? "", reason);
    assert.ok((await told(world, held.id, event)).includes(event));
    await assert.rejects(answer(world, "approve", held.id), { code: "APPROVAL_ENDED" });
    assert.equal(await executions(), 0);
  });
}

test("killed while the backend works on it: executed once at most, and unknown", async () => {
  const psql = world.psql("UPDATE orders SET amount = amount + 1 WHERE id = 1 AND pg_sleep(2) IS NOT NULL;\n");
  const held = await waiting(world);
  assert.match(
    held.estimate ?? (await waiting(world, ({ estimate }) => estimate !== undefined)).estimate ?? "",
    /pg_sleep/,
  );
  await answer(world, "approve", held.id);
  await world.daemon.kill();
  await psql;
  await world.daemon.up();
  assert.equal((await became(world, held.id)).state, "unknown");
  const busy =
    "SELECT pid FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(2)%' AND pid <> pg_backend_pid()";
  for (let tries = 0; tries < 200 && (await world.postgres.query(busy)).length > 0; tries++) await wait(25);
  assert.ok((await executions()) <= 1);
});

test("control: without a crash the same statement is executed once", async () => {
  const psql = world.psql(COUNTING);
  await answer(world, "approve", (await waiting(world)).id);
  assert.equal((await psql).stdout, "UPDATE 1\n");
  assert.equal(await executions(), 1);
  assert.equal((await orders(world, "amount > 0")).length, 1);
});
