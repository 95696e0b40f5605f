/** What is wrong is said once, clearly, with a remedy and an exit code; what was in force stays in force. */
import assert from "node:assert/strict";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { capture, type Outcome, SALLYPORT } from "../kit/daemon.ts";
import { GUARDED, PASSWORD, SteeredAgent, startWorld, type World } from "./world.ts";

/** Waits until the audit trail has such an event; it is written behind. */
async function audited(world: World, wanted: (event: Record<string, unknown>) => boolean): Promise<void> {
  for (const end = Date.now() + 10_000; !world.daemon.events().some(wanted); ) {
    assert.ok(Date.now() < end, "the audit trail tells of it");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** One error line, one remedy, the code, and no trace of a stack. */
function assertSaid({ code, stderr, stdout }: Outcome, expected: string, exitCode = 1): void {
  const said = stderr + stdout;
  assert.deepEqual(
    [...said.matchAll(/^sallyport: (\w+):/gm)].map(([, name]) => name),
    [expected],
    said,
  );
  assert.equal([...said.matchAll(/^remedy: \S/gm)].length, 1, said);
  assert.doesNotMatch(said, /^\s+at .*:\d+:\d+/m);
  assert.equal(code, exitCode, said);
}

describe("up", () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "sallyport-settings-"));
    mkdirSync(join(folder, "policies"));
    mkdirSync(join(folder, "state"), { mode: 0o700 });
  });
  after(async () => {
    await capture(SALLYPORT, ["--run", join(folder, "run"), "down", "--remove", "--state", join(folder, "state")]);
    rmSync(folder, { recursive: true, force: true });
  });

  /** It must end by itself: one that starts after all is killed and has no exit code. */
  function up(settings: string, ...flags: string[]): Promise<Outcome> {
    const file = join(folder, "sallyport.yaml");
    writeFileSync(file, settings.replaceAll("FOLDER", folder));
    const args = ["--run", join(folder, "run"), "up", "--config", file, "--state", join(folder, "state"), ...flags];
    return capture(SALLYPORT, args, { timeoutMs: 20_000 });
  }

  const connection = (more: string) =>
    `connections: [{ name: db, protocol: postgres, addresses: ["192.0.2.1:5432"], ${more} }]\n`;
  const rows = [
    {
      name: "an unknown key",
      settings: "connektions: []\n",
      code: "SETTINGS_INVALID",
      names: /connektions.*connections/s,
    },
    { name: "a wrong type", settings: "agents: ci\n", code: "SETTINGS_INVALID", names: /agents/ },
    { name: "YAML that is none", settings: "agents: [\n", code: "SETTINGS_INVALID", names: /sallyport\.yaml:\d/ },
    {
      name: "a key given twice",
      settings: "agents: []\nagents: []\n",
      code: "SETTINGS_INVALID",
      names: /sallyport\.yaml:2:1: .*twice/,
    },
    {
      name: "a password in the settings",
      settings: connection(`credential: { user: u, password: ${PASSWORD} }`),
      code: "SETTINGS_INVALID",
      names: /password/,
    },
    {
      name: "a network without a name to verify",
      settings: `connections: [{ name: db, protocol: postgres, addresses: ["10.0.0.0/8:5432"], credential: { user: u } }]\n`,
      code: "SETTINGS_INVALID",
      names: /tls/,
    },
    {
      name: "an unknown protocol",
      settings: `connections: [{ name: db, protocol: postgress, addresses: ["192.0.2.1:5432"] }]\n`,
      code: "SETTINGS_INVALID",
      names: /protocol/,
    },
    {
      name: "an egress rule for a resolver's port",
      settings: 'egress: { allow: ["10.0.0.53:53/udp"] }\n',
      code: "SETTINGS_INVALID",
      names: /names\.servers/,
    },
    {
      name: "a CA file that is missing",
      settings: connection("credential: { user: u }, tls: { mode: verify-full, name: db, ca: FOLDER/no-ca.pem }"),
      code: "CA_UNREADABLE",
      names: /no-ca\.pem/,
    },
    {
      name: "a policies folder that is missing",
      settings: "policies: FOLDER/none\n",
      code: "POLICY_UNREADABLE",
      names: /none/,
    },
    {
      name: "a missing kernel feature: no cgroup2 where the settings say",
      settings: "interception: { cgroupRoot: FOLDER }\n",
      code: "CGROUP2_MISSING",
      names: /cgroup/,
    },
  ];
  for (const { name, settings, code, names } of rows) {
    test(`is refused for ${name}`, async () => {
      const outcome = await up(settings);
      assertSaid(outcome, code);
      assert.match(outcome.stderr, names);
      assert.ok(!outcome.stderr.includes(PASSWORD));
    });
  }

  test("is refused for a settings file that is missing", async () => {
    const state = join(folder, "state");
    const args = ["--run", join(folder, "run"), "up", "--config", join(folder, "none.yaml"), "--state", state];
    assertSaid(await capture(SALLYPORT, args, { timeoutMs: 20_000 }), "SETTINGS_UNREADABLE");
  });

  test("is refused for a broken policy, which names file and line", async () => {
    writeFileSync(join(folder, "policies", "bad.yaml"), "rules:\n  - name: x\n    on: sql.reed\n    allow: {}\n");
    const outcome = await up("policies: FOLDER/policies\n");
    assertSaid(outcome, "POLICY_INVALID");
    assert.match(outcome.stderr, /bad\.yaml:3.*sql\.read/s);
  });

  test("is refused for a port in use", async () => {
    const server = createServer().listen(0, "::");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as { port: number };
    const outcome = await up("{}\n", "--port", String(port));
    server.close();
    assertSaid(outcome, "PORT_IN_USE");
    assert.match(outcome.stderr, new RegExp(String(port)));
  });

  test("is refused for a state folder that others may write to", async () => {
    chmodSync(join(folder, "state"), 0o777);
    assertSaid(await up("{}\n"), "STORE_FOLDER_MODE");
    chmodSync(join(folder, "state"), 0o700);
  });

  test("is refused without the privilege", async () => {
    chmodSync(folder, 0o755);
    const own = join(folder, "nobody");
    mkdirSync(own);
    chownSync(own, 65_534, 65_534);
    const as = ["--reuid=65534", "--regid=65534", "--clear-groups", SALLYPORT];
    const line = (run: string, state: string) => ["--run", run, "up", "--state", state];
    for (const args of [
      line(join(own, "run"), join(own, "state")),
      line(join(own, "run"), join(folder, "not-ours")),
      line(join(folder, "not-ours"), join(own, "state")),
    ]) {
      assertSaid(await capture("setpriv", [...as, ...args], { timeoutMs: 20_000 }), "PRIVILEGE");
    }
    const taken = line(join(own, "run"), join(folder, "state"));
    assertSaid(await capture("setpriv", [...as, ...taken], { timeoutMs: 20_000 }), "STORE_UNUSABLE");
  });

  test("is wrong usage with a flag that it does not know", async () => {
    assertSaid(await up("{}\n", "--prot", "1"), "USAGE", 2);
  });
});

describe("reload", () => {
  let world: World;
  let agent: SteeredAgent;
  let settings: string;
  before(async () => {
    world = await startWorld({ policies: { "guarded.yaml": GUARDED } });
    settings = readFileSync(world.daemon.configFile, "utf8");
    agent = new SteeredAgent(world.daemon);
    assert.deepEqual(await agent.open("kept", world.url), {});
  });
  after(async () => {
    await agent.leave();
    await world.stop();
  });

  const policy = (text: string) => writeFileSync(join(world.daemon.folder, "policies", "guarded.yaml"), text);
  afterEach(async () => {
    policy(GUARDED);
    writeFileSync(world.daemon.configFile, settings);
    await world.daemon.cli(["reload"]);
  });

  /** How often the audit trail says that a reload was rejected; waits until that is as wanted. */
  async function rejections(wanted: (count: number) => boolean): Promise<number> {
    for (const end = Date.now() + 10_000; ; await new Promise((resolve) => setTimeout(resolve, 20))) {
      const count = world.daemon.events().filter(({ kind }) => kind === "settings.rejected").length;
      if (wanted(count)) return count;
      assert.ok(Date.now() < end, "the audit trail tells of the rejection");
    }
  }

  async function judgesAsBefore(): Promise<void> {
    for (const name of ["kept", "fresh"]) {
      if (name === "fresh") assert.deepEqual(await agent.open(name, world.url), {});
      assert.deepEqual((await agent.ask(name, "SELECT amount FROM orders WHERE id = 1")).rows, [[10]]);
      const refused = await agent.ask(name, "DROP TABLE orders");
      assert.equal(refused.code, "42501");
      assert.match(refused.message ?? "", /Schema changes go through migrations/);
    }
    await agent.close("fresh");
  }

  test("control: reads are allowed and DDL is refused", judgesAsBefore);

  const broken = [
    {
      name: "YAML that is none",
      code: "SETTINGS_INVALID",
      make: () => writeFileSync(world.daemon.configFile, "agents: [\n"),
    },
    {
      name: "an unknown key",
      code: "SETTINGS_INVALID",
      make: () => writeFileSync(world.daemon.configFile, `${settings}egres: {}\n`),
    },
    { name: "a settings file that is gone", code: "SETTINGS_UNREADABLE", make: () => rmSync(world.daemon.configFile) },
    { name: "a policy that is none", code: "POLICY_INVALID", make: () => policy("rules: 7\n") },
    {
      name: "a condition of the wrong type",
      code: "POLICY_INVALID",
      make: () => policy("rules: [{ name: all, on: sql, when: statement.kind, allow: {} }]\n"),
    },
    {
      name: "a rule of a kind that is not known",
      code: "POLICY_INVALID",
      make: () => policy("rules: [{ name: all, on: sql, allow: {} }, { name: x, on: sql, permit: {} }]\n"),
    },
  ];
  for (const { name, code, make } of broken) {
    test(`with ${name} says so and leaves settings and policy in force`, async () => {
      const before = await rejections(() => true);
      make();
      assertSaid(await world.daemon.cli(["reload"]), code);
      await judgesAsBefore();
      await rejections((count) => count > before);
    });
  }

  test("SIGHUP with a bad policy leaves the daemon up and the policy in force", async () => {
    const before = await rejections(() => true);
    policy("rules: 7\n");
    process.kill(world.daemon.pid, "SIGHUP");
    await rejections((count) => count > before);
    await judgesAsBefore();
  });

  test("a good policy judges the next statement of a running session, a prepared one too", async () => {
    const prepared = "SELECT amount FROM orders WHERE id = $1";
    assert.deepEqual((await agent.askAgain("kept", prepared, [2])).rows, [[20]]);
    policy(
      `${GUARDED}  - name: no-orders\n    on: sql.read\n    when: statement.tables.exists(t, t.name == "orders")\n    deny: { message: closed today }\n`,
    );
    const { code, stderr } = await world.daemon.cli(["reload"]);
    assert.equal(code, 0, stderr);
    assert.match((await agent.ask("kept", "SELECT amount FROM orders WHERE id = 1")).message ?? "", /closed today/);
    assert.match((await agent.askAgain("kept", prepared, [2])).message ?? "", /closed today/);
    assert.deepEqual((await agent.ask("kept", "SELECT name FROM customers WHERE id = 1")).rows, [["Ada Lovelace"]]);
  });

  test("a connection that was removed ends its sessions with 57P01 and is refused from then on", async () => {
    await agent.open("doomed", world.url);
    const gone = agent.gone("doomed");
    const kept = agent.gone("kept");
    writeFileSync(world.daemon.configFile, settings.replace(/connections:[\s\S]*?(?=policies:)/, ""));
    const { code, stderr } = await world.daemon.cli(["reload"]);
    assert.equal(code, 0, stderr);
    for (const end of [await gone, await kept]) {
      assert.equal(end.code, "57P01", end.message);
      assert.equal(end.severity, "FATAL");
    }
    const again = await agent.open("again", world.url);
    assert.match(`${again.code} ${again.message}`, /EPERM|ECONNREFUSED/);
  });
});

test("a second daemon on the same run or state folder is refused and does not disturb the first", async () => {
  const world = await startWorld({ policies: { "guarded.yaml": GUARDED } });
  try {
    const { runDir, configFile, stateDir, folder } = world.daemon;
    const others = { run: join(folder, "other-run"), state: join(folder, "other-state") };
    for (const [run, state, ...flags] of [
      [runDir, stateDir],
      [runDir, stateDir, "--port", "64999"],
      [runDir, others.state, "--port", "64999"],
      [others.run, stateDir, "--port", "64999"],
    ] as const) {
      const args = ["--run", run, "up", "--config", configFile, "--state", state, ...flags];
      assertSaid(await capture(SALLYPORT, args, { timeoutMs: 20_000 }), "DAEMON_RUNNING");
    }
    assert.equal((await world.psql("SELECT count(*) FROM customers;\n")).stdout, "3\n");
  } finally {
    await world.stop();
  }
});

test("a secret that cannot be read is named to the operator, and to the agent only that it failed", async () => {
  const world = await startWorld({ policies: { "guarded.yaml": GUARDED } });
  const secret = join(world.daemon.folder, "secrets", "orders");
  try {
    for (const [code, spoil] of [
      ["VAULT_SECRET_MODE", () => chmodSync(secret, 0o644)],
      ["VAULT_SECRET_UNREADABLE", () => [chmodSync(secret, 0o600), writeFileSync(secret, "")]],
      ["VAULT_SECRET_UNREADABLE", () => rmSync(secret)],
    ] as const) {
      spoil();
      const tested = await world.daemon.cli(["connections", "test", "orders"]);
      assert.match(tested.stdout + tested.stderr, new RegExp(code));
      assert.equal(tested.code, 1);
      const { stderr } = await world.psql("SELECT 1;\n");
      assert.match(stderr, /FATAL/);
      assert.ok(!stderr.includes("secrets"), stderr);
      await audited(
        world,
        ({ kind, fields }) => kind === "upstream.failed" && (fields as Record<string, unknown>)["code"] === code,
      );
    }
    writeFileSync(secret, `${PASSWORD}\n`, { mode: 0o600 });
    assert.equal((await world.psql("SELECT count(*) FROM customers;\n")).stdout, "3\n", "mended without a restart");
  } finally {
    await world.stop();
  }
});
