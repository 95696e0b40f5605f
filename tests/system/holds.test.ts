/** A statement that waits for a human on the wire: each of its ends, proven by what the table holds afterwards. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { ApiClient } from "../../src/control/cli/client.ts";
import type { SessionEntry } from "../../src/control/ports.ts";
import { SALLYPORT } from "../kit/daemon.ts";
import { answer, became, command, HELD, list, orders, told, waiting } from "./held.ts";
import { startWorld, type World } from "./world.ts";

let world: World;
before(async () => {
  world = await startWorld({ policies: { "held.yaml": HELD } });
});
after(() => world.stop());
beforeEach(() =>
  world.postgres.query(`
    DELETE FROM orders;
    INSERT INTO orders SELECT n, 1 + n % 3, n * 10, 'order ' || n FROM generate_series(1, 100) AS n;
    ANALYZE orders`),
);

/** A test that failed leaves nothing to the next one. */
afterEach(async () => {
  for (const { id, state } of await list(world)) if (state === "waiting") await answer(world, "deny", id);
});

const DELETE = "DELETE FROM orders WHERE id <= 5;\n";
const FIVE = [1, 2, 3, 4, 5];

function policy(text: string): Promise<unknown> {
  writeFileSync(`${world.daemon.folder}/policies/held.yaml`, text);
  return new ApiClient(world.daemon.runDir).post("/v1/settings/reload", {});
}

test("control: without a rule that holds, the statement is executed at once", async () => {
  await policy(HELD.slice(0, HELD.indexOf("  - name: changes")));
  assert.match((await world.psql(DELETE)).stdout, /^DELETE 5$/m);
  assert.deepEqual(await orders(world, "id <= 5"), []);
  await policy(HELD);
});

test("approved from another process, psql prints DELETE 5, once, and everything is told", async () => {
  const psql = world.psql(DELETE);
  const held = await waiting(world);
  assert.deepEqual(await orders(world, "id <= 5"), FIVE, "nothing is executed before the answer");
  assert.equal((await command(world, "approve", held.id, "--comment", "as discussed")).code, 0);
  const { stdout, stderr, code } = await psql;
  assert.equal(code, 0, stderr);
  assert.equal(stdout, "DELETE 5\n");
  assert.match(stderr, new RegExp(`NOTICE:.*${held.id} \\(rule changes: Changes need a reviewer\\)`));
  assert.match(stderr, /1 held/);
  assert.deepEqual(await orders(world, "id <= 6"), [6]);
  const ended = await became(world, held.id);
  assert.deepEqual([ended.state, ended.result], ["executed", "DELETE 5"]);
  assert.deepEqual(await told(world, held.id, "hold.result"), [
    "hold.waiting",
    "hold.approval",
    "hold.approved",
    "hold.result",
  ]);
  const { entries } = await world.daemon.json<{ entries: SessionEntry[] }>(["sessions", "show", held.sessionId]);
  const decisions = entries.filter(({ hold }) => hold?.id === held.id);
  assert.deepEqual(
    decisions.map(({ decision, hold }) => [decision, hold?.state, hold?.by]),
    [
      ["hold", "", []],
      ["allow", "approved", ["root"]],
    ],
  );
});

test("what is listed: statement, tables, processes, rule, who may answer, the planner's estimate", async () => {
  const psql = world.psql("DELETE FROM orders WHERE id <= 5 AND note <> '4111111111111111';\n");
  const held = await waiting(world, ({ estimate }) => estimate !== undefined);
  assert.equal(held.statements[0]?.text, "DELETE FROM orders WHERE id <= 5 AND note <> '[payment-card]';");
  assert.deepEqual(held.statements[0]?.actions, ["sql.delete"]);
  assert.deepEqual(
    held.tables.map(({ name, access }) => [name, access]),
    [["orders", "write"]],
  );
  assert.match(held.executable, /psql/);
  assert.ok(held.processes.length >= 1 && held.processes[0]?.pid === held.pid);
  assert.deepEqual([held.rules, held.approvers], [["changes"], ["1 of sre"]]);
  assert.match(held.estimate ?? "", /^about [3-6] rows$/);
  await answer(world, "deny", held.id);
  await psql;
});

test("denied, it is never executed, the client hears why, and its connection goes on", async () => {
  const psql = world.psql(`${DELETE}SELECT 'still here';\n`);
  const held = await waiting(world);
  await answer(world, "deny", held.id, { comment: "not on a Friday" });
  const { stdout, stderr } = await psql;
  assert.equal(stdout, "still here\n");
  assert.match(stderr, /42501.*Changes need a reviewer; denied by root: not on a Friday/);
  assert.deepEqual(await orders(world, "id <= 5"), FIVE);
  assert.equal((await became(world, held.id)).state, "denied");
  await assert.rejects(answer(world, "approve", held.id), { code: "APPROVAL_ENDED", message: /denied already/ });
  assert.deepEqual(await orders(world, "id <= 5"), FIVE);
});

test("in a transaction a denial fails it as a whole", async () => {
  const psql = world.psql(`BEGIN;\nINSERT INTO orders VALUES (101, 1, 1, '');\n${DELETE}COMMIT;\n`);
  await answer(world, "deny", (await waiting(world)).id);
  assert.match((await psql).stdout, /ROLLBACK/);
  assert.deepEqual(await orders(world, "id <= 5 OR id > 100"), FIVE);
});

test("expired, it is never executed", async () => {
  await policy(HELD.replace("expires: 60s", "expires: 1s"));
  const psql = world.psql(`${DELETE}SELECT 'still here';\n`);
  const held = await waiting(world);
  const { stdout, stderr } = await psql;
  assert.equal(stdout, "still here\n");
  assert.match(stderr, /57014.*nobody let it go within 1 s/);
  assert.deepEqual(await orders(world, "id <= 5"), FIVE);
  assert.equal((await became(world, held.id)).state, "expired");
  await policy(HELD);
});

test("Ctrl-C in psql gives it up, as the server itself would", async () => {
  const psql = world.psql(`${DELETE}SELECT 'still here';\n`);
  const held = await waiting(world);
  process.kill(held.pid, "SIGINT");
  const { stderr } = await psql;
  assert.match(stderr, /57014: *canceling statement due to user request/);
  const ended = await became(world, held.id);
  assert.deepEqual([ended.state, ended.reason], ["abandoned", "canceling statement due to user request"]);
  assert.deepEqual(await orders(world, "id <= 5"), FIVE);
});

describe("a client that leaves", () => {
  const RESET = `
import os, socket, struct, sys, threading, time, psycopg2
connection = psycopg2.connect(sys.argv[1])
end = socket.socket(fileno=os.dup(connection.fileno()))
end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
threading.Thread(target=lambda: connection.cursor().execute("DELETE FROM orders WHERE id <= 5"), daemon=True).start()
while not os.path.exists(sys.argv[2]): time.sleep(0.02)
os._exit(0)`;

  test("with a FIN gives it up", async () => {
    const psql = world.psql(DELETE);
    const held = await waiting(world);
    process.kill(held.pid, "SIGKILL");
    await psql;
    const ended = await became(world, held.id);
    assert.deepEqual([ended.state, ended.reason], ["abandoned", "the client has gone"]);
    await assert.rejects(answer(world, "approve", held.id), { code: "APPROVAL_ENDED" });
    assert.deepEqual(await orders(world, "id <= 5"), FIVE);
  });

  test("with a reset gives it up", async () => {
    const go = `${world.daemon.folder}/go`;
    const client = world.daemon.run("ci", ["/usr/bin/python3", "-c", RESET, `${world.url}?sslmode=disable`, go]);
    const held = await waiting(world);
    writeFileSync(go, "");
    await client;
    assert.equal((await became(world, held.id)).state, "abandoned");
    assert.deepEqual(await orders(world, "id <= 5"), FIVE);
  });
});

test("a server that ends the session gives it up", async () => {
  const psql = world.psql(DELETE);
  const held = await waiting(world);
  await world.postgres.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
  );
  assert.match((await psql).stderr, /terminating connection due to administrator command|server closed/);
  assert.equal((await became(world, held.id)).state, "abandoned");
  assert.deepEqual(await orders(world, "id <= 5"), FIVE);
});

test("a timeout of the server's ends the wait with its session", async () => {
  const psql = world.psql(`SET idle_in_transaction_session_timeout = '300ms';\nBEGIN;\n${DELETE}`);
  const held = await waiting(world);
  assert.match((await psql).stderr, /25P03|server closed/);
  assert.equal((await became(world, held.id)).state, "abandoned");
  assert.deepEqual(await orders(world, "id <= 5"), FIVE);
});

test("a quarantined agent's is given up at once", async () => {
  const psql = world.psql(DELETE);
  const held = await waiting(world);
  const api = new ApiClient(world.daemon.runDir);
  await api.post("/v1/agents/ci/quarantine", {});
  await psql;
  assert.equal((await became(world, held.id)).state, "abandoned");
  await api.delete("/v1/agents/ci/quarantine");
  assert.deepEqual(await orders(world, "id <= 5"), FIVE);
});

test("a connection can be held, too: let in it goes on, denied it is never made", async () => {
  await policy(HELD.replace("allow: {}", 'hold: { approvers: [], message: "A visit" }'));
  const visit = world.psql("SELECT 'inside';\n");
  const held = await waiting(world);
  assert.equal(held.statements[0]?.text, "connect to postgres");
  await answer(world, "approve", held.id);
  assert.equal((await visit).stdout, "inside\n");
  assert.equal((await became(world, held.id)).result, "connected");
  // With sslmode=prefer libpq would come again without TLS, and be held again.
  const refused = world.psql("SELECT 'inside';\n", [], `${world.url}?sslmode=disable`);
  await answer(world, "deny", (await waiting(world)).id);
  assert.match((await refused).stderr, /FATAL:.*A visit; denied by root/);
  await policy(HELD);
});

test("a reviewer's terminal: what waits appears, a key answers it, the result is seen, a key ends it", async () => {
  const screen = spawn("script", ["-qec", `${SALLYPORT} --run ${world.daemon.runDir} approvals watch`, "/dev/null"], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, TERM: "xterm" },
  });
  let seen = "";
  screen.stdout.on("data", (bytes) => {
    seen += String(bytes);
  });
  const sees = async (what: RegExp) => {
    for (let tries = 0; tries < 200 && !what.test(seen); tries++) await wait(25);
    assert.match(seen, what);
  };
  await sees(/nothing waits/);
  const psql = world.psql(DELETE);
  const { id } = await waiting(world);
  await sees(new RegExp(`> ${id} +waiting`));
  screen.stdin.write("a");
  assert.equal((await psql).stdout, "DELETE 5\n");
  await sees(new RegExp(`${id} +executed`));
  const ended = once(screen, "exit");
  screen.stdin.write("q");
  assert.deepEqual((await ended)[0], 0);
});

test("a changed policy gives it up within a second; a reload that changes nothing does not", async () => {
  const psql = world.psql(DELETE);
  const held = await waiting(world);
  await policy(HELD);
  assert.equal((await waiting(world)).id, held.id);
  const atMs = Date.now();
  await policy(`${HELD}  - name: more\n    on: sql.define\n    deny: {}\n`);
  const { stderr } = await psql;
  assert.ok(((await became(world, held.id)).endedMs ?? 0) - atMs < 1_000);
  assert.match(stderr, /57014.*the policy has changed while it waited/);
  assert.deepEqual(await orders(world, "id <= 5"), FIVE);
  await policy(HELD);
});

test("other connections of the agent stay usable meanwhile", async () => {
  const psql = world.psql(DELETE);
  const held = await waiting(world);
  assert.equal((await world.psql("SELECT count(*) FROM orders;\n")).stdout, "100\n");
  await answer(world, "approve", held.id);
  assert.equal((await psql).stdout, "DELETE 5\n");
});

test("several statements of one query are approved whole, by their digest", async () => {
  const psql = world.psql("", ["-c", "DELETE FROM orders WHERE id = 1; DELETE FROM orders WHERE id = 2"]);
  const held = await waiting(world);
  assert.equal(held.statements.length, 2);
  const other = await command(world, "approve", held.id, "--digest", "0".repeat(64));
  assert.match(other.stderr, /APPROVAL_DIGEST/);
  assert.deepEqual(await orders(world, "id <= 2"), [1, 2]);
  await answer(world, "approve", held.id, { digest: held.digest });
  await psql;
  assert.deepEqual(await orders(world, "id <= 2"), []);
});

test("an approval for a time lets the same shape pass again, and no other", async () => {
  const first = world.psql("DELETE FROM orders WHERE id = 1;\n");
  const held = await waiting(world);
  const tooLong = answer(world, "approve", held.id, { forMs: 3_600_000 });
  await assert.rejects(tooLong, { code: "APPROVAL_SCOPE", message: /300s at most/ });
  assert.match((await command(world, "approve", held.id, "--for", "2m")).stdout, /same shape passes for/);
  assert.equal((await first).stdout, "DELETE 1\n");
  const again = await world.psql("DELETE FROM orders WHERE id = 2;\n");
  assert.equal(again.stdout, "DELETE 1\n");
  assert.doesNotMatch(again.stderr, /NOTICE/);
  const other = world.psql("DELETE FROM orders WHERE customer = 2;\n");
  await answer(world, "deny", (await waiting(world)).id);
  assert.match((await other).stderr, /42501/);
  assert.match((await command(world, "deny", held.id)).stdout, /stands no longer/);
  const after = world.psql("DELETE FROM orders WHERE id = 3;\n");
  await answer(world, "deny", (await waiting(world)).id);
  assert.match((await after).stderr, /42501/);
  assert.deepEqual(await orders(world, "id <= 3"), [3]);
});

test("a daemon that goes down gives up what waits before it ends sessions", async () => {
  const psql = world.psql(DELETE);
  await waiting(world);
  const at = performance.now();
  await world.daemon.cli(["down"]);
  assert.ok(performance.now() - at < 8_000, "it does not wait for an answer");
  assert.match((await psql).stderr, /57014.*going down/);
  assert.deepEqual(await orders(world, "id <= 5"), FIVE);
  await world.daemon.up();
});
