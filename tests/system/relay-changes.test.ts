/**
 * What changes is in force for the very next statement of a session whose statements go the short way, and what a crash, a
 * full disk or a reader of the recordings meets there is what it would meet without it. Each test has seen before that
 * statements do go that way.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { join as path } from "node:path";
import { after, before, beforeEach, describe, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ApiClient } from "../../src/control/cli/client.ts";
import type { TalkJob, TalkReport } from "../kit/clients/talk-client.ts";
import { SmallDisk } from "../kit/small-disk.ts";
import { join, client as say } from "../kit/wire.ts";
import { until } from "../path/kit.ts";
import { plain, relayed, relays, Steady } from "./steady.ts";
import { CARD, HIDE, OPEN, SteeredAgent, startWorld, type World } from "./world.ts";

const TALK_CLIENT = fileURLToPath(new URL("../kit/clients/talk-client.ts", import.meta.url));

function steered(t: TestContext, world: World, as = "ci"): SteeredAgent {
  const agent = new SteeredAgent(world.daemon, as);
  t.after(() => agent.leave());
  return agent;
}

async function started(t: TestContext, world: World): Promise<Steady> {
  const steady = await Steady.start(world, steered(t, world));
  t.after(() => steady.stop());
  return steady;
}

/** What came of each that is asked from now on, each once: "a number", "null", or the code of its error. */
async function outcomes(steady: Steady, count?: number): Promise<readonly string[]> {
  const asked = await steady.next(count);
  const said = asked.map(({ answer: { code, rows } }) => code ?? String(rows?.[0]?.[0]).replace(/^\d+$/, "a number"));
  return [...new Set(said)];
}

async function eventually(holds: () => Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + 15_000;
  while (!(await holds())) {
    assert.ok(performance.now() < end, what);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

interface Listed {
  readonly id: string;
  readonly state: string;
  readonly statements: number;
}

const api = (world: World) => new ApiClient(world.daemon.runDir);
const sessions = (world: World) => api(world).get<Listed[]>("/v1/sessions?limit=1000");

/** Of the texts that only we ask, those that the server ran and no recording has. */
async function unrecorded(world: World): Promise<readonly string[]> {
  const recorded = new Set<string>();
  for (const { id } of await sessions(world))
    for await (const { text } of api(world).lines<{ text: string }>(`/v1/sessions/${id}/entries`)) recorded.add(text);
  const ran = world.postgres
    .statements()
    .flatMap(({ text }) => /SELECT amount FROM orders WHERE id <> \d+ LIMIT 1/.exec(text)?.[0] ?? []);
  assert.ok(ran.length > 50, `${ran.length} were run`);
  return ran.filter((text) => !recorded.has(text));
}

describe("a reload", () => {
  let world: World;
  let settings = "";

  before(async () => {
    world = await startWorld({ policies: { "open.yaml": OPEN }, relay: "always" });
    settings = readFileSync(world.daemon.configFile, "utf8");
  });
  after(() => world.stop());
  beforeEach(async () => {
    rmSync(path(world.daemon.folder, "policies", "more.yaml"), { force: true });
    await reload(settings);
  });

  async function reload(text: string): Promise<void> {
    writeFileSync(world.daemon.configFile, text);
    const { code, stderr } = await world.daemon.cli(["reload"]);
    assert.equal(code, 0, stderr);
  }

  async function rule(text: string): Promise<void> {
    writeFileSync(path(world.daemon.folder, "policies", "more.yaml"), `rules:\n  - ${text}\n`);
    await reload(settings);
  }

  test("control: one that changes nothing leaves the answers and the short way", async (t) => {
    const steady = await started(t, world);
    await reload(settings);
    assert.deepEqual(await outcomes(steady), ["a number"]);
    await relays(world);
  });

  test("that denies is in force for the next statement, and so is the one that takes the denial back", async (t) => {
    const steady = await started(t, world);
    for (let turn = 0; turn < 3; turn++) {
      await rule('{ name: no-more, on: sql.read, deny: { message: "not any more" } }');
      assert.deepEqual(await outcomes(steady), ["42501"]);
      rmSync(path(world.daemon.folder, "policies", "more.yaml"));
      await reload(settings);
      assert.deepEqual(await outcomes(steady), ["a number"]);
      await relays(world); // forms of the first policy are no good for the third, though they are equal
    }
  });

  test("that masks a column of numbers is in force for the next row", async (t) => {
    const steady = await started(t, world);
    for (let turn = 0; turn < 3; turn++) {
      await rule(`{ name: hide, on: reveal, when: "column.name == 'amount'", mask: { style: "null" } }`);
      assert.deepEqual(await outcomes(steady), ["null"]);
      rmSync(path(world.daemon.folder, "policies", "more.yaml"));
      await reload(settings);
      assert.deepEqual(await outcomes(steady), ["a number"]);
      await relays(world);
    }
  });

  test("that adds a limit counts every statement from then on", async (t) => {
    const steady = await started(t, world);
    await rule("{ name: few, on: sql.read, limit: { statements: 15, per: 10m } }");
    const allowed = (await steady.next(60)).filter(({ answer }) => answer.code === undefined);
    assert.ok(allowed.length <= 15, `${allowed.length} were allowed`);
    assert.deepEqual(await outcomes(steady), ["42501"]);
  });

  test("that counts statements leaves the short way, on which exactly as many go as the limit has", async (t) => {
    await rule("{ name: four-hundred, on: sql.read, limit: { statements: 400, per: 10m } }");
    const steady = await started(t, world); // which has seen that they go that way
    await eventually(
      async () => steady.answered.some(({ answer }) => answer.code !== undefined),
      "the limit is reached",
    );
    assert.deepEqual(await outcomes(steady), ["42501"]);
    assert.equal(steady.answered.filter(({ answer }) => answer.code === undefined).length, 400);
  });

  test("that reads the time leaves the short way", async (t) => {
    await rule('{ name: late, on: sql.read, when: time.hour > 24, deny: { message: "no such hour" } }');
    assert.deepEqual(await outcomes(await started(t, world)), ["a number"]);
  });

  test("that counts rows ends it", async (t) => {
    const steady = await started(t, world);
    await rule("{ name: rows, on: sql.read, limit: { rows: 1000000, per: 10m } }");
    const before = await relayed(world);
    assert.deepEqual(await outcomes(steady, 60), ["a number"]);
    assert.equal(await relayed(world), before);
  });

  test("that wants every decision told gets them told", async (t) => {
    const steady = await started(t, world);
    const folder = path(world.daemon.stateDir, "events");
    const count = () => {
      const text = readdirSync(folder).map((file) => readFileSync(path(folder, file), "utf8"));
      return text.join("").split('"kind":"action.allow"').length - 1; // the last line may be being written
    };
    assert.equal(count(), 0, "control: so far they are not");
    await reload(`${settings}events: { decisions: all }\n`);
    await steady.next();
    await until(() => count() >= 20, "what was allowed is told");
    const before = count();
    const from = steady.answered.length;
    await steady.next(50);
    await until(() => count() >= before + 50, "each of them");
    assert.ok(count() <= before + steady.answered.length - from + 21, "and once");
  });

  test("that ends the short way ends it, and nothing else", async (t) => {
    const steady = await started(t, world);
    await reload(settings.replace("relay: always", "relay: off"));
    await steady.next();
    const before = await relayed(world);
    assert.deepEqual(await outcomes(steady, 200), ["a number"]);
    assert.equal(await relayed(world), before);
  });

  test("that asks for an approval of reads holds the next one", async (t) => {
    const steady = await started(t, world);
    await rule("{ name: ask, on: sql.read, hold: { approvers: [sre], expires: 10m } }");
    const waiting = () => api(world).get<{ id: string }[]>("/v1/approvals");
    await eventually(async () => (await waiting()).length === 1, "it waits");
    const { length } = steady.answered;
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.equal(steady.answered.length, length, "nothing goes past what is held");
    await world.daemon.cli(["deny", (await waiting())[0]?.id ?? "", "--reason", "test"]);
  });
});

for (const relay of ["off", "always"] as const)
  test(`code that gives a prepared name to another statement shows nothing unmasked, with the relay ${relay}`, async () => {
    const world = await startWorld({ policies: { "open.yaml": OPEN, "hide.yaml": HIDE }, relay });
    const prepare = join(
      say.parse("kept", "SELECT amount FROM orders WHERE id = $1"),
      say.describe("S", "kept"),
      say.sync(),
    );
    const run = join(say.bind("", "kept", { values: ["1"] }), say.execute(""), say.sync());
    const anew = say.query(
      "DO $$ BEGIN EXECUTE 'DEALLO' || 'CATE kept'; EXECUTE 'PREP' || 'ARE kept (int) AS SELECT card FROM customers WHERE id = $1'; END $$",
    );
    const turns = [prepare, run, run, run, anew, run, run, run].map((bytes) => ({
      pieces: [bytes.toString("base64")],
      readies: 1,
    }));
    const job: TalkJob = { host: "127.0.0.1", port: world.postgres.port, user: "agent", database: "postgres", turns };
    const input = JSON.stringify(job);
    const { stdout } = await world.daemon.run("ci", [process.execPath, TALK_CLIENT], { input });
    const heard = Buffer.from((JSON.parse(stdout) as TalkReport).heard, "base64").toString("latin1");
    const ran = (await relayed(world)) > 0;
    await world.stop();
    assert.equal(ran, relay === "always", "control: it went past before");
    assert.equal(heard.split("************1111").length, 4, "control: the server runs the other statement");
    assert.ok(!heard.includes(CARD));
  });

describe("a session that is", () => {
  let world: World;

  before(async () => {
    const more = "grants:\n  - { name: long, agents: [ci], connections: [orders], for: 1h }\n";
    world = await startWorld({ policies: { "open.yaml": OPEN }, relay: "always", more, agents: ["ops", "bad"] });
  });
  after(() => world.stop());

  test("quarantined ends at once, whatever goes past it", async (t) => {
    const agent = steered(t, world, "ci");
    const steady = await Steady.start(world, agent);
    assert.equal((await world.daemon.cli(["quarantine", "ci", "--reason", "test"])).code, 0);
    await steady.done;
    const ran = world.postgres.statements().length;
    assert.match(JSON.stringify(await agent.open("again", world.url)), /code/);
    assert.equal(world.postgres.statements().length, ran);
    await world.daemon.cli(["release", "ci"]);
  });

  test("shown while it runs is whole: listed with its counts, verified, replayed, and in a checkpoint", async (t) => {
    const steady = await started(t, world);
    const open = async () => (await sessions(world)).find(({ state }) => state === "open");
    const { id, statements } = (await open()) ?? assert.fail("it is open");
    const { stdout: checkpoint, code } = await world.daemon.cli(["audit", "checkpoint"]);
    assert.equal(code, 0);
    assert.match(checkpoint, new RegExp(id));
    const text = plain();
    await until(() => steady.answered.length > 200, "it goes on", 20_000);
    const seen = steady.answered[100]?.text ?? text;
    for (const command of [
      ["audit", "verify"],
      ["sessions", "verify", id],
    ]) {
      const { code: verified, stdout } = await world.daemon.cli(command);
      assert.equal(verified, 0, stdout);
      assert.doesNotMatch(stdout, /TAMPERED/);
    }
    assert.ok((await world.daemon.cli(["sessions", "show", id])).stdout.includes(seen));
    assert.ok((await world.daemon.cli(["sessions", "replay", id, "--speed", "0"])).stdout.includes(seen));
    await eventually(async () => ((await open())?.statements ?? 0) > statements, "its counts follow");
    await relays(world);
  });

  test("left by its client, or by its server, ends and leaves no descriptor behind", async (t) => {
    const agent = steered(t, world);
    /** Connections of agents and files of recordings; what commands and the database have open is not ours. */
    const open = () => {
      const folder = `/proc/${world.daemon.pid}/fd`;
      const links = readdirSync(folder).flatMap((fd) => {
        try {
          return [readlinkSync(path(folder, fd))];
        } catch {
          return []; // closed meanwhile
        }
      });
      return links.filter((link) => /^socket:|\.rec$/.test(link)).length;
    };
    const isOver = async () => !(await sessions(world)).some(({ state }) => state === "open");
    assert.deepEqual(await agent.open("first", world.url), {}); // the agent is there
    await agent.close("first");
    await eventually(isOver, "nobody is there");
    const before = open();
    const ends: readonly ((name: string) => Promise<unknown>)[] = [
      (name) => agent.drop(name),
      () =>
        world.postgres.query(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT amount%' AND pid <> pg_backend_pid()",
        ),
    ];
    for (let turn = 0; turn < 6; turn++) {
      const name = `leaving-${turn}`;
      const steady = await Steady.start(world, agent, name);
      assert.ok(open() > before, "control: they are counted");
      await ends[turn % ends.length]?.(name);
      await steady.done;
      await eventually(isOver, "it has ended");
    }
    await eventually(async () => open() <= before, "its sockets and its file are closed");
  });

  test("told to go amid a transaction finishes it, and goes then", async (t) => {
    const agent = steered(t, world);
    assert.deepEqual(await agent.open("tx", world.url), {});
    for (let turn = 0; turn < 20; turn++) {
      assert.deepEqual(await agent.ask("tx", "BEGIN"), { rows: [] });
      assert.equal((await agent.ask("tx", "UPDATE orders SET note = 'x' WHERE id = 7")).code, undefined);
      if (turn < 19) assert.deepEqual(await agent.ask("tx", "COMMIT"), { rows: [] });
    }
    await eventually(async () => (await relayed(world)) > 20, "control: it goes the short way");
    const down = world.daemon.cli(["down"]);
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.equal((await agent.ask("tx", "UPDATE orders SET note = 'last' WHERE id = 7")).code, undefined);
    assert.deepEqual(await agent.ask("tx", "COMMIT"), { rows: [] });
    assert.match((await agent.gone("tx")).code ?? "", /57P01/);
    assert.equal((await down).code, 0);
    await world.daemon.ended();
    assert.deepEqual(await world.postgres.query("SELECT note FROM orders WHERE id = 7"), [{ note: "last" }]);
    await world.daemon.up();
  });

  test("cut by a crash of the daemon is recorded up to the last statement that the server ran", async (t) => {
    const agent = steered(t, world);
    const steady = await Steady.start(world, agent);
    await world.daemon.kill();
    await steady.done;
    await world.daemon.up();
    assert.deepEqual(await unrecorded(world), []);
    const { code, stdout } = await world.daemon.cli(["audit", "verify"]);
    assert.equal(code, 0, stdout);
    assert.doesNotMatch(stdout, /TAMPERED/);
  });
});

/** Rows of the fifth power of `below`, up to 100: done at once, or not within minutes. */
const joined = (below: number) =>
  `SELECT count(*) FROM orders a, orders b, orders c, orders d, orders e WHERE ${[..."abcde"].map((name) => `${name}.id < ${below}`).join(" AND ")}`;

describe("the end of a grant", () => {
  let world: World;

  before(async () => {
    const more = "grants:\n  - { name: brief, agents: [ci], connections: [orders], for: 9s }\n";
    world = await startWorld({ policies: { "open.yaml": OPEN }, relay: "always", more });
  });
  after(() => world.stop());

  test("ends sessions that go the short way: one that repeats, one that is idle, and one with a statement in flight", async (t) => {
    const agent = steered(t, world);
    for (const name of ["idle", "busy"]) {
      assert.deepEqual(await agent.open(name, world.url), {});
      for (let turn = 0; turn < 20; turn++) await agent.ask(name, joined(0));
    }
    await eventually(async () => (await relayed(world)) > 20, "control: it goes the short way");
    const steady = await Steady.start(world, agent);
    const before = await relayed(world);
    const running = agent.ask("busy", joined(900));
    for (const ended of [await agent.gone("idle"), await running]) {
      assert.deepEqual([ended.code, ended.severity], ["57P01", "FATAL"]);
      assert.match(ended.message ?? "", /its grant brief has ended/);
    }
    await steady.done;
    assert.ok((await relayed(world)) > before);
    const atWork =
      "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT count(*) FROM orders a%'";
    await eventually(async () => (await world.postgres.query(atWork)).length === 0, "it is cancelled");
  });
});

describe("a disk that is full", () => {
  let disk: SmallDisk;
  let world: World;

  before(async () => {
    disk = new SmallDisk(32 * 1024 * 1024);
    world = await startWorld({
      policies: { "open.yaml": OPEN },
      relay: "always",
      stateDir: path(disk.folder, "state"),
    });
  });
  after(async () => {
    disk.empty();
    await world.stop();
    disk.remove();
  });

  test("ends the session with its refusal, and the server has run nothing that is not recorded", async (t) => {
    const agent = steered(t, world);
    const steady = await Steady.start(world, agent);
    disk.fill();
    await steady.done;
    const last = steady.answered.at(-1)?.answer;
    assert.deepEqual([last?.code, last?.severity], ["53100", "FATAL"]);
    disk.empty();
    assert.deepEqual(await unrecorded(world), []);
    const { stdout } = await world.daemon.cli(["sessions", "verify"]);
    assert.doesNotMatch(stdout.replaceAll(/TAMPERED changed +index: .*/g, ""), /TAMPERED/); // counts of what the disk did not take
    await (await Steady.start(world, agent, "again")).stop();
  });
});
