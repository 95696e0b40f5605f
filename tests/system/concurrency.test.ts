/** Many at once: nobody waits for somebody else's backend, client or answer, and memory stays bounded. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { SALLYPORT } from "../kit/daemon.ts";
import { OPEN, SteeredAgent, startWorld, type World } from "./world.ts";

const CONNECTIONS = 100;
/** Of the large answer, and how much of it the daemon may ever hold. */
const ANSWER_BYTES = 200 * 1024 * 1024;
const GROWTH_BYTES_MAX = 64 * 1024 * 1024;
const SLOW_CLIENT = fileURLToPath(new URL("../kit/clients/slow-client.ts", import.meta.url));

let world: World;
before(async () => {
  world = await startWorld({ policies: { "open.yaml": OPEN }, settings: { max_connections: "300" } });
});
after(() => world.stop());

async function openSessions(): Promise<number> {
  return (await world.daemon.json<{ openSessions: number }>(["status"])).openSessions;
}

async function eventually(isSo: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const end = Date.now() + 15_000; !(await isSo()); await new Promise((resolve) => setTimeout(resolve, 20))) {
    assert.ok(Date.now() < end, what);
  }
}

test(`${CONNECTIONS} connections of one agent at once each get their own answers`, async (t) => {
  const agent = new SteeredAgent(world.daemon);
  t.after(() => agent.leave());
  const names = Array.from({ length: CONNECTIONS }, (_, at) => `c${at}`);
  const opened = await Promise.all(names.map((name) => agent.open(name, world.url)));
  assert.deepEqual(
    opened.filter(({ code }) => code !== undefined),
    [],
  );
  assert.ok((await openSessions()) >= CONNECTIONS);
  const answers = await Promise.all(
    names.flatMap((name, at) => [
      agent.ask(name, "SELECT $1::int, pg_backend_pid()", [at]),
      agent.ask(name, "SELECT $1::int + count(*)::int, pg_backend_pid() FROM customers", [at]),
    ]),
  );
  for (const [at] of names.entries()) {
    const [first, second] = [answers[at * 2]?.rows?.[0], answers[at * 2 + 1]?.rows?.[0]];
    assert.deepEqual([first?.[0], second?.[0]], [at, at + 3]);
    assert.equal(first?.[1], second?.[1], "both from one backend");
  }
  assert.equal(new Set(answers.map(({ rows }) => rows?.[0]?.[1])).size, CONNECTIONS);
  await agent.leave();
  await eventually(async () => (await openSessions()) === 0, "the sessions end with their clients");
});

test("a backend that never answers delays nobody else", async (t) => {
  const held: Socket[] = [];
  const hole = createServer((socket) => {
    held.push(socket.on("error", () => {}));
  }).listen(0, "127.0.0.1");
  await once(hole, "listening");
  const agent = new SteeredAgent(world.daemon);
  t.after(async () => {
    await agent.leave();
    for (const socket of held) socket.destroy();
    hole.close();
  });
  const { port } = hole.address() as { port: number };
  const settings = readFileSync(world.daemon.configFile, "utf8");
  const entry = `  - { name: hole, protocol: postgres, addresses: ["127.0.0.1:${port}"], credential: { user: x }, tls: { mode: require } }\n`;
  writeFileSync(world.daemon.configFile, settings.replace("connections:\n", `connections:\n${entry}`));
  const reload = await world.daemon.cli(["reload"]);
  assert.equal(reload.code, 0, reload.stderr);

  const order: string[] = [];
  const stuck = Array.from({ length: 20 }, (_, at) =>
    agent.open(`stuck${at}`, `postgresql://a:b@127.0.0.1:${port}/postgres`).then((answer) => {
      order.push("stuck");
      return answer;
    }),
  );
  await eventually(() => held.length === stuck.length, "all of them have reached the black hole");
  assert.deepEqual(await agent.open("quick", world.url), {});
  assert.deepEqual((await agent.ask("quick", "SELECT count(*)::int FROM customers")).rows, [[3]]);
  order.push("quick");
  assert.deepEqual(order, ["quick"]);
  for (const socket of held) socket.destroy();
  for (const { code, message } of await Promise.all(stuck)) assert.equal(code, "08006", message);
});

test("a client that goes away amid its query ends its session and cancels nothing else", async (t) => {
  const agent = new SteeredAgent(world.daemon);
  t.after(() => agent.leave());
  assert.deepEqual(await agent.open("other", world.url), {});
  const other = agent.ask("other", "SELECT 'unharmed' FROM pg_sleep(2)");
  const args = [
    "run",
    "--quiet",
    "--as",
    "ci",
    "--",
    "psql",
    "-X",
    "-c",
    "SELECT 'doomed' FROM pg_sleep(60)",
    world.url,
  ];
  const run = spawn(SALLYPORT, ["--run", world.daemon.runDir, ...args], { stdio: "ignore" });
  const sleeping = async () =>
    (
      await world.postgres.query(
        "SELECT pid FROM pg_stat_activity WHERE query LIKE '%doomed%' AND pid <> pg_backend_pid() AND state = 'active'",
      )
    ).length;
  await eventually(async () => (await sleeping()) === 1, "the query runs");
  assert.equal(await openSessions(), 2);
  const ended = once(run, "exit");
  process.kill(psqlBelow(run.pid ?? 0), "SIGKILL");
  await ended;
  await eventually(async () => (await openSessions()) === 1, "its session ends");
  assert.deepEqual((await other).rows, [["unharmed"]]);
  assert.deepEqual((await agent.ask("other", "SELECT 1")).rows, [[1]]);
});

/** `run` starts a shell that becomes psql. */
function psqlBelow(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
  const found = children.find((child) => readFileSync(`/proc/${child}/comm`, "utf8").trim() === "psql");
  assert.ok(found !== undefined, `no psql below ${pid}`);
  return found;
}

test("a large answer to a slow client is not kept in the daemon's memory", async () => {
  const rows = ANSWER_BYTES / 1024;
  const sql = `SELECT repeat(md5(n::text), 32) FROM generate_series(1, ${rows}) AS n`;
  const args = [
    process.execPath,
    "--disable-warning=ExperimentalWarning",
    SLOW_CLIENT,
    "127.0.0.1",
    `${world.postgres.port}`,
  ];
  const resident = () =>
    Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${world.daemon.pid}/status`, "utf8"))?.[1]) * 1024;
  const small = await world.daemon.run("ci", [...args, "SELECT 1", "0"]);
  assert.equal(small.code, 0, small.stderr);
  const before = resident();
  let most = before;
  const sampling = setInterval(() => {
    most = Math.max(most, resident());
  }, 20);
  const { stdout, stderr } = await world.daemon.run("ci", [...args, sql, "1000"]);
  clearInterval(sampling);
  assert.ok(Number(stdout) >= ANSWER_BYTES, stdout + stderr);
  const grown = most - before;
  assert.ok(grown < GROWTH_BYTES_MAX, `grew by ${Math.round(grown / 1024 / 1024)} MiB`);
});
