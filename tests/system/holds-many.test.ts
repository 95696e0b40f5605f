/** Many held statements at once, and clients of several languages that wait as long as it takes. */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { ApprovalListing } from "../../src/control/approvals.ts";
import { answer, became, HELD, list, orders, waiting } from "./held.ts";
import { SteeredAgent, startWorld, type World } from "./world.ts";

const MANY = 200;
/** How long a client waits; a minute with SALLYPORT_HOLD_WAIT_S=60. */
const WAIT_MS = Number(process.env["SALLYPORT_HOLD_WAIT_S"] ?? 1) * 1_000;

let world: World;
before(async () => {
  const settings = { max_connections: String(MANY + 60) };
  world = await startWorld({ policies: { "held.yaml": HELD.replace("expires: 60s", "expires: 10m") }, settings });
  await world.postgres.query("INSERT INTO orders SELECT n, 1, 0, '' FROM generate_series(101, 1000) AS n");
});
after(() => world.stop());
beforeEach(() => world.postgres.query("UPDATE orders SET amount = 0"));

/** A shuffle that is another one each time, and the same for everybody who knows the seed. */
function shuffled<T>(things: readonly T[], seed: number): readonly T[] {
  let state = seed;
  const next = () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state / 2 ** 32;
  };
  return things
    .map((thing) => ({ thing, at: next() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ thing }) => thing);
}

/** The number in the statement that is held. */
function numberOf({ statements }: ApprovalListing): number {
  return Number(/id = (\d+)/.exec(statements[0]?.text ?? "")?.[1]);
}

/** Ten at a time: the API takes 128 clients at once. */
async function inTens<T>(things: readonly T[], act: (thing: T) => Promise<unknown>): Promise<void> {
  const left = [...things];
  const worker = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) await act(next);
  };
  await Promise.all(Array.from({ length: 10 }, worker));
}

test(`${MANY} held at once and answered in any order: each executed at most once, exactly as answered`, async (t) => {
  const seed = Date.now() % 1_000_000;
  t.diagnostic(`seed ${seed}`);
  const agent = new SteeredAgent(world.daemon);
  t.after(() => agent.leave());
  const names = Array.from({ length: MANY }, (_, index) => `c${index + 1}`);
  await inTens(names, (name) => agent.open(name, world.url));
  const answers = names.map((name, index) =>
    agent.ask(name, `UPDATE orders SET amount = amount + 1 WHERE id = ${index + 1} RETURNING id`),
  );
  let held: readonly ApprovalListing[] = [];
  for (let tries = 0; held.length < MANY && tries < 400; tries++) {
    await wait(50);
    held = (await list(world)).filter(({ state }) => state === "waiting");
  }
  assert.equal(held.length, MANY);
  const status = await world.daemon.json<{ waiting: number }>(["status"]);
  assert.equal(status.waiting, MANY);
  const order = shuffled(held, seed);
  const approved = new Set(order.filter((_, index) => index % 2 === 0).map(numberOf));
  await inTens(order, (one) => answer(world, approved.has(numberOf(one)) ? "approve" : "deny", one.id));
  for (const [index, said] of (await Promise.all(answers)).entries()) {
    const number = index + 1;
    if (approved.has(number)) assert.deepEqual(said.rows, [[number]]);
    else assert.equal(said.code, "42501", `${number}: ${said.message}`);
  }
  const expected = [...approved].toSorted((a, b) => a - b);
  assert.deepEqual(await orders(world, "amount = 1"), expected);
  assert.deepEqual(await orders(world, "amount > 1"), []);
  for (const one of held.slice(0, 5)) {
    assert.equal((await became(world, one.id)).state, approved.has(numberOf(one)) ? "executed" : "denied");
  }
});

test("clients that leave at the moment of the answer: the record says what the table holds", async (t) => {
  const agent = new SteeredAgent(world.daemon);
  t.after(() => agent.leave());
  const numbers = Array.from({ length: 40 }, (_, index) => index + 1);
  await inTens(numbers, (number) => agent.open(`c${number}`, world.url));
  const asked = numbers.map((number) =>
    agent.ask(`c${number}`, `UPDATE orders SET amount = amount + 1 WHERE id = ${number}`),
  );
  let held: readonly ApprovalListing[] = [];
  for (let tries = 0; held.length < numbers.length && tries < 400; tries++) {
    await wait(25);
    held = (await list(world)).filter(({ state }) => state === "waiting");
  }
  await inTens(held, async (one) => {
    const answered = answer(world, "approve", one.id).catch(() => {}); // it may have been given up already
    await wait(Math.random() * 12);
    await agent.drop(`c${numberOf(one)}`);
    await answered;
  });
  await Promise.all(asked);
  const states = await Promise.all(held.map((one) => became(world, one.id)));
  const done = new Set(await orders(world, "amount = 1"));
  assert.deepEqual(await orders(world, "amount > 1"), []);
  const counts: Record<string, number> = {};
  for (const one of states) {
    counts[one.state] = (counts[one.state] ?? 0) + 1;
    if (one.state === "executed") assert.ok(done.has(numberOf(one)), `${one.id} was not executed`);
    else if (one.state === "abandoned") assert.ok(!done.has(numberOf(one)), `${one.id} was executed`);
    else assert.equal(one.state, "unknown");
  }
  t.diagnostic(JSON.stringify(counts));
});

test("the same hold answered by many at once is answered once", async () => {
  const psql = world.psql("UPDATE orders SET amount = amount + 1 WHERE id = 1;\n");
  const { id } = await waiting(world);
  const hows = Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? "approve" : "deny"));
  const ended = await Promise.allSettled(hows.map((how) => answer(world, how as "approve" | "deny", id)));
  assert.equal(ended.filter(({ status }) => status === "fulfilled").length, 1);
  const { state } = await became(world, id);
  await psql;
  assert.equal((await orders(world, "amount = 1")).length, state === "executed" ? 1 : 0);
  assert.deepEqual(await orders(world, "amount > 1"), []);
});

describe(`clients wait through a hold of ${WAIT_MS / 1_000} s`, () => {
  const sql = "UPDATE orders SET amount = amount + 1 WHERE id = 7";
  const client = (name: string) => fileURLToPath(new URL(`../kit/clients/${name}`, import.meta.url));
  const jdbc = "/usr/share/java/postgresql.jar";
  const clients = [
    { name: "psycopg2", argv: ["/usr/bin/python3", client("held-client.py")] },
    { name: "node pg", argv: [process.execPath, client("held-client.mjs")] },
    { name: "JDBC", argv: ["java", "-cp", jdbc, client("HeldClient.java")] },
  ];
  for (const { name, argv } of clients) {
    test(name, async () => {
      const run = world.daemon.cli(["run", "--as", "ci", "--", ...argv, world.url, sql], {
        timeoutMs: WAIT_MS + 60_000,
      });
      const held = await waiting(world);
      await wait(WAIT_MS);
      await answer(world, "approve", held.id);
      const { stdout, stderr } = await run;
      assert.equal(stdout.trim(), "1", stderr);
      assert.deepEqual(await orders(world, "amount = 1"), [7]);
    });
  }
});
