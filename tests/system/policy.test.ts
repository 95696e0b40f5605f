/** The policy language and its tools on real traffic: suggest, replay, limits, shadow rules, masks written back. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import type { SessionEntry } from "../../src/control/ports.ts";
import type { Change, ReplaySummary } from "../../src/policy/replay.ts";
import { capture } from "../kit/daemon.ts";
import { HIDE, OPEN, SteeredAgent, startWorld, type World } from "./world.ts";

let world: World;
const tables = "pgbench_accounts";
before(async () => {
  world = await startWorld({ policies: { "policy.yaml": OPEN, "hide.yaml": HIDE }, labels: true });
  const { socketFolder, port, superuser } = world.postgres;
  const made = await capture("pgbench", [
    "-i",
    "-q",
    "-h",
    socketFolder,
    "-p",
    String(port),
    "-U",
    superuser,
    "postgres",
  ]);
  assert.equal(made.code, 0, made.stderr);
});
after(() => world.stop());

async function inForce(text: string): Promise<void> {
  writeFileSync(join(world.daemon.folder, "policies", "policy.yaml"), text);
  const { code, stderr } = await world.daemon.cli(["reload"]);
  assert.equal(code, 0, stderr);
}

const pgbench = () => world.daemon.run("ci", ["pgbench", "-n", "-t", "5", "-c", "2", "-M", "extended", world.url]);
const PERSON = "SELECT count(*) FROM orders;\nSELECT id, amount FROM orders WHERE id < 4 ORDER BY id;\n\\dt pgbench*\n";

/** A draft beside the daemon's own files. */
function draft(text: string): string {
  const file = join(world.daemon.folder, "draft.yaml");
  writeFileSync(file, text);
  return file;
}

test("rules suggested from an observed pgbench and psql let the same traffic pass and nothing else", async () => {
  await inForce("rules: [{ name: never, on: sql.server, deny: {} }]");
  const refused = await world.psql("SELECT 1");
  assert.notEqual(refused.code, 0);
  await world.daemon.cli(["observe", "ci", "--for", "1h"]);
  assert.equal((await pgbench()).code, 0);
  assert.equal((await world.psql(PERSON)).code, 0);
  await world.daemon.cli(["observe", "ci", "--off"]);

  const { code, stdout: text, stderr } = await world.daemon.cli(["policy", "suggest", "--agent", "ci"]);
  assert.equal(code, 0, stderr);
  await inForce(text);
  const bench = await pgbench();
  assert.equal(bench.code, 0, bench.stderr);
  const person = await world.psql(PERSON);
  assert.equal(person.code, 0, person.stderr);
  assert.match(person.stdout, /^100\n1\|10\n2\|20\n3\|30\n/);
  for (const other of [
    "SELECT * FROM customers",
    "DELETE FROM orders WHERE id = 1",
    `UPDATE ${tables} SET abalance = 0`,
    `DROP TABLE ${tables}`,
    `SELECT * FROM orders, ${tables}`,
    "SELECT pg_sleep(0)",
  ]) {
    assert.match((await world.psql(other)).stderr, /42501.*No rule allows/, other);
  }
});

test("replay of a stricter draft lists exactly the recorded statements that it decides otherwise", async () => {
  await inForce(OPEN);
  const statements = [
    "SELECT 1 AS replayed",
    "DELETE FROM orders WHERE id = 900",
    "SELECT 2 AS replayed",
    "UPDATE orders SET note = 'x' WHERE id = 901",
    "BEGIN",
    "COMMIT",
  ];
  assert.equal((await world.psql(`${statements.join(";\n")};\n`)).code, 0);
  const strict = draft(`${OPEN}
  - { name: no-delete, on: sql.delete, deny: { message: "No deletes" } }
  - { name: ask-first, on: sql.update, hold: { approvers: [] } }`);
  const { code, stdout, stderr } = await world.daemon.cli(["policy", "replay", strict, "--sessions", "1", "--json"]);
  assert.equal(code, 0, stderr);
  const lines = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Change | ReplaySummary);
  const changes = lines.slice(0, -1) as Change[];
  assert.deepEqual(
    changes.map(({ text, was, would }) => [text.replace(/;$/, ""), was.decision, would.decision, would.rules]),
    [
      [statements[1], "allow", "deny", ["no-delete"]],
      [statements[3], "allow", "hold", ["ask-first"]],
    ],
  );
  assert.deepEqual(lines.at(-1), { asks: 5, changes: 2, unknown: 0 }); // with its connect
  const [first] = changes;
  const explained = await world.daemon.cli([
    "policy",
    "explain",
    "--session",
    first?.session ?? "",
    "--entry",
    String(first?.number),
  ]);
  assert.match(explained.stdout, /^allow by all-sql\n\nDELETE FROM orders WHERE id = 900;?\n {2}sql\.delete/);
  const same = await world.daemon.cli(["policy", "replay", draft(OPEN), "--sessions", "1"]);
  assert.match(same.stdout, /^0 changes among 5 statements\n$/);
});

test("a typed-in statement is explained with every rule that covers it", async () => {
  await inForce(`${OPEN}  - { name: small, on: sql.delete, when: statement.where.present, deny: {} }\n`);
  const words = ["policy", "explain", "--agent", "ci", "--connection", "orders", "DELETE FROM t"];
  const { code, stdout } = await world.daemon.cli(words);
  assert.equal(code, 0);
  assert.match(stdout, /^allow by all-sql\n/);
  assert.match(stdout, /all-sql \(allow\) matched .*policy\.yaml:6/);
  assert.match(
    stdout,
    /small \(deny\) did not match .*\n +statement\.where\.present is false; statement\.where\.present = false/,
  );
});

test("a result that passes its limit while it streams is cut, and its session ends with a farewell", async () => {
  await inForce(`${OPEN}  - { name: no-dumps, on: sql.read, limit: { rows: 1000 } }\n`);
  const small = await world.psql("SELECT n FROM generate_series(1, 1000) n;\nSELECT 'after';\n");
  assert.match(small.stdout, /\n1000\nafter\n$/);
  const rows = 2_000_000;
  const script = `\\set FETCH_COUNT 0\nCOPY (SELECT repeat('x', 100) FROM generate_series(1, ${rows})) TO STDOUT;\nSELECT 'after';\n`;
  const { stdout, stderr } = await world.psql(script);
  const got = stdout.split("\n").length - 1;
  assert.match(stderr, /57P01.*The limit of rule no-dumps \(1000 rows an operation\) is passed/);
  assert.ok(got < 20_000, `${got} rows came`);
  assert.ok(!stdout.includes("after"));
});

test("statements beyond their limit are denied, and the agent is told when there is room again", async () => {
  await inForce(`${OPEN}  - { name: pace, on: sql.read, limit: { statements: 3, per: 1h, message: "Slowly" } }\n`);
  const { stdout, stderr } = await world.psql("SELECT 1;\nSELECT 2;\nSELECT 3;\nSELECT 4;\n");
  assert.equal(stdout, "1\n2\n3\n");
  assert.match(
    stderr,
    /42501.*Slowly: The limit of rule pace \(3 statements in 3600 s\) is reached; there is room again in \d+ s/,
  );
  assert.match((await world.psql("SELECT 5;\n")).stderr, /Slowly/, "another session of the agent");
  await inForce(`${OPEN}  - { name: pace, on: sql.read, limit: { statements: 3, per: 1h, message: "Still" } }\n`);
  assert.match((await world.psql("SELECT 6;\n")).stderr, /Still/, "a reload forgets nothing");
});

test("a rule in shadow stops nothing; events, recordings and the status tell what it would have done", async () => {
  await inForce(`${OPEN}  - { name: trial, shadow: true, on: sql.delete, deny: {} }\n`);
  const { code } = await world.psql("DELETE FROM orders WHERE id = 902;\nSELECT 1;\n");
  assert.equal(code, 0);
  let told: Record<string, unknown>[] = [];
  for (let tries = 0; tries < 400 && told.length === 0; tries++) {
    told = world.daemon.events().filter(({ kind }) => kind === "action.shadow");
    if (told.length === 0) await wait(25);
  }
  assert.deepEqual(
    told.map(({ fields }) => {
      const { rules, would, decision, protocol } = fields as Record<string, unknown>;
      return { rules, would, decision, protocol };
    }),
    [{ rules: "trial", would: "deny", decision: "allow", protocol: "postgres" }],
  );
  const [session] = await world.daemon.json<{ id: string }[]>(["sessions", "--limit", "1"]);
  const { entries } = await world.daemon.json<{ entries: SessionEntry[] }>(["sessions", "show", session?.id ?? ""]);
  const marked = entries.filter(({ shadow }) => shadow !== undefined);
  assert.deepEqual(
    marked.map(({ text, decision, shadow }) => [text.replace(/;$/, ""), decision, shadow]),
    [["DELETE FROM orders WHERE id = 902", "allow", [{ rule: "trial", would: "deny" }]]],
  );
  assert.match((await world.daemon.cli(["policy"])).stdout, /in shadow: trial would deny 1 time\n/);
});

test("a masked value that an agent read is not written back", async () => {
  await inForce(OPEN);
  const { stdout } = await world.psql("SELECT ssn FROM customers WHERE id = 1;\n");
  assert.equal(stdout, "***-**-9999\n");
  const masked = stdout.trim();
  const tries = [
    `UPDATE orders SET note = '${masked}' WHERE id = 1;\n`,
    `INSERT INTO orders VALUES (950, 1, 1, 'ssn ${masked}');\n`,
    `COPY orders FROM STDIN;\n951\t1\t1\t${masked}\n\\.\n`,
  ];
  for (const text of tries) assert.match((await world.psql(text)).stderr, /42501.*carries a mask of Sallyport/, text);
  const kept = await world.direct("SELECT count(*) FROM orders WHERE note LIKE '%*%' OR id > 900;\n");
  assert.equal(kept.stdout, "0\n");
  assert.equal((await world.psql("UPDATE orders SET note = 'plain' WHERE id = 1;\n")).code, 0);
});

test("a changed policy ends a running session within a second, with a farewell in its protocol", async () => {
  await inForce(OPEN);
  const agent = new SteeredAgent(world.daemon);
  try {
    assert.equal((await agent.open("one", world.url)).code, undefined);
    assert.equal((await agent.ask("one", "SELECT 1")).code, undefined);
    const gone = agent.gone("one");
    await inForce("rules: [{ name: read, on: sql.read, allow: {} }]");
    const { code, message } = await gone;
    assert.equal(code, "57P01", message);
    assert.match(message ?? "", /the policy does not allow this connection any more/);
  } finally {
    await agent.leave();
  }
  let [loaded, ended]: (number | undefined)[] = [];
  for (let tries = 0; tries < 400 && ended === undefined; tries++) {
    const events = world.daemon.events();
    const at = events.findLastIndex(({ kind }) => kind === "settings.load");
    loaded = events[at]?.["atMs"] as number;
    ended = events.findLast(({ kind, message }) => kind === "session.end" && /any more/.test(String(message)))?.[
      "atMs"
    ] as number;
    await wait(25);
  }
  const tookMs = Math.abs((ended ?? Number.NaN) - (loaded ?? Number.NaN));
  assert.ok(tookMs < 1_000, `it took ${tookMs} ms`);
});
