/** Credentials reach logins and nothing else: added, rotated, referenced, and never shown to a server that nobody verified. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { capture, Daemon, type Outcome } from "../kit/daemon.ts";
import { type Postgres, startPostgres } from "../kit/postgres.ts";
import { OPEN, SteeredAgent } from "./world.ts";

const SUPER = "superuser-password-5103";
const FIRST = "first-secret-of-app-8841";
const SECOND = "second-secret-of-app-2297";
const SECRETS = [SUPER, FIRST, SECOND] as const;

/** One address of loopback for each connection, one server behind all of them. */
const HOSTS = {
  referenced: "127.0.0.2",
  added: "127.0.0.3",
  fromFile: "127.0.0.4",
  wrongName: "127.0.0.5",
  unknownCa: "127.0.0.6",
  md5Unverified: "127.0.0.7",
  md5Verified: "127.0.0.8",
  plainUnverified: "127.0.0.9",
  plainVerified: "127.0.0.10",
  trustUnverified: "127.0.0.11",
  scramWithoutTls: "127.0.0.12",
  plainWithoutTls: "127.0.0.13",
} as const;
type Host = keyof typeof HOSTS;

let postgres: Postgres;
let daemon: Daemon;
let agent: SteeredAgent;

const url = (host: Host) => `postgresql://agent:placeholder@${HOSTS[host]}:${postgres.port}/postgres`;
const psql = (host: Host): Promise<Outcome> =>
  daemon.run("ci", ["psql", "-X", "-A", "-t", "-v", "VERBOSITY=verbose", "-c", "SELECT current_user", url(host)]);

before(async () => {
  postgres = await startPostgres({ version: 15, password: SUPER, tls: {}, addresses: Object.values(HOSTS) });
  for (const role of ["app", "app_file", "app_reference", "plain_user", "trust_user"]) {
    await postgres.query(`CREATE ROLE ${role} LOGIN PASSWORD '${FIRST}'`);
  }
  await postgres.query(`SET password_encryption = 'md5'; CREATE ROLE md5_user LOGIN PASSWORD '${FIRST}'`);
  const hba = join(postgres.socketFolder, "data", "pg_hba.conf");
  const methods = "host all md5_user all md5\nhost all plain_user all password\nhost all trust_user all trust\n";
  writeFileSync(hba, methods + readFileSync(hba, "utf8"));
  await postgres.query("SELECT pg_reload_conf()");

  const verified = `{ mode: verify-full, name: localhost, ca: ${postgres.caFile} }`;
  const connection = (host: Host, user: string, tls: string) =>
    `  - { name: ${host.toLowerCase()}, protocol: postgres, addresses: ["${HOSTS[host]}:${postgres.port}"],
      credential: { user: ${user}, password: { file: FOLDER/secrets/app } }, tls: ${tls} }\n`;
  daemon = await Daemon.start({
    settings: `
agents: [{ name: ci, groups: [ci] }]
connections:
${connection("referenced", "app_reference", verified)}
${connection("wrongName", "app", verified.replace("localhost", "other.example"))}
${connection("unknownCa", "app", "{ mode: verify-full, name: localhost }")}
${connection("md5Unverified", "md5_user", "{ mode: require }")}
${connection("md5Verified", "md5_user", verified)}
${connection("plainUnverified", "plain_user", "{ mode: require }")}
${connection("plainVerified", "plain_user", verified)}
${connection("plainWithoutTls", "plain_user", "{ mode: disable }")}
${connection("scramWithoutTls", "app", "{ mode: disable }")}
${connection("trustUnverified", "trust_user", "{ mode: require }")}
  - { name: opaque, protocol: opaque, addresses: ["127.0.0.14:9"] }
`,
    policies: { "open.yaml": OPEN },
    secrets: { app: `${FIRST}\n` },
  });
  agent = new SteeredAgent(daemon);
});
after(async () => {
  await agent?.leave();
  await daemon?.stop();
  await postgres?.stop();
});

/** An error in the protocol's own form, without a secret, a path or a word of the server's about the login. */
function assertRefused({ code, stdout, stderr }: Outcome): void {
  assert.equal(code, 2, stderr);
  assert.equal(stdout, "");
  assert.match(stderr, /FATAL/);
  for (const secret of [...SECRETS, "/secrets/"]) assert.ok(!stderr.includes(secret), stderr);
}

/** The code of the failure stands in the audit trail, which is written behind. */
async function assertAudited(connection: string, code: string): Promise<void> {
  const told = () =>
    daemon.events().filter((event) => event["kind"] === "upstream.failed" && event["connection"] === connection);
  for (const end = Date.now() + 10_000; told().length === 0; ) {
    assert.ok(Date.now() < end, "the audit trail tells of it");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.deepEqual(
    told().map(({ fields }) => (fields as { code: string }).code),
    told().map(() => code),
  );
}

async function assertNowhereInTheClear(): Promise<void> {
  for (const secret of SECRETS) {
    for (const form of [secret, Buffer.from(secret).toString("base64"), Buffer.from(secret).toString("hex")]) {
      const found = await capture("grep", ["-rlaF", form, daemon.stateDir, daemon.runDir]);
      assert.equal(found.stdout, "");
    }
    assert.ok(!daemon.output.includes(secret));
  }
}

const add = (host: Host, user: string, password: readonly string[], input?: string) =>
  daemon.cli(
    [
      ...["connections", "add", host.toLowerCase(), "--protocol", "postgres"],
      ...["--address", `${HOSTS[host]}:${postgres.port}`, "--user", user, ...password],
      ...["--tls-name", "localhost", "--tls-ca", postgres.caFile ?? ""],
    ],
    input === undefined ? {} : { input },
  );

describe("sealed by command", () => {
  test("control: before it is added, its address is refused", async () => {
    assert.match((await psql("added")).stderr, /Operation not permitted/);
  });

  test("connections add takes a password from stdin, and an agent logs in with it at once", async () => {
    const added = await add("added", "app", ["--password-stdin"], `${FIRST}\n`);
    assert.equal(added.code, 0, added.stderr);
    const { stdout, stderr } = await psql("added");
    assert.equal(stdout, "app\n", stderr);
  });

  test("connections add takes a password from a file", async () => {
    const file = join(daemon.folder, "secrets", "given");
    writeFileSync(file, `${FIRST}\n`, { mode: 0o600 });
    const added = await add("fromFile", "app_file", ["--password-file", file]);
    assert.equal(added.code, 0, added.stderr);
    assert.equal((await psql("fromFile")).stdout, "app_file\n");
  });

  test("a name that is taken, by command or by settings, is not added again", async () => {
    for (const host of ["added", "referenced"] as const) {
      const { code, stderr } = await add(host, "app", ["--password-stdin"], FIRST);
      assert.equal(code, 1);
      assert.match(stderr, /VAULT_NAME_TAKEN/);
    }
  });

  test("what cannot be put into force is not kept: the next start would fail on it", async () => {
    const file = join(daemon.folder, "secrets", "app");
    const address = ["--protocol", "postgres", "--address", "127.0.0.15:5432", "--user", "app"];
    const twin = await daemon.cli(["connections", "add", "opaque", ...address, "--password-file", file]);
    assert.equal(twin.code, 1);
    assert.match(twin.stderr, /CONNECTION_NAMES/);
    const reloaded = await daemon.cli(["reload"]);
    assert.equal(reloaded.code, 0, reloaded.stderr);
    const bare = await daemon.cli(["connections", "add", "bare", ...address]);
    assert.match(bare.stderr, /SECRET_EMPTY/);
  });

  test("no password is taken from the command line", async () => {
    const { code, stderr } = await add("added", "app", ["--password", FIRST]);
    assert.equal(code, 2);
    assert.match(stderr, /USAGE/);
  });

  test("connections and its listing show no secret", async () => {
    const { stdout } = await daemon.cli(["--json", "connections"]);
    assert.match(stdout, /"added"/);
    for (const secret of SECRETS) assert.ok(!stdout.includes(secret));
  });

  test("rotate reaches the next login without touching agents; control: without it the login fails", async () => {
    assert.deepEqual(await agent.open("open", url("added")), {});
    await postgres.query(`ALTER ROLE app PASSWORD '${SECOND}'`);
    assertRefused(await psql("added"));
    const rotated = await daemon.cli(["connections", "rotate", "added", "--password-stdin"], { input: `${SECOND}\n` });
    assert.equal(rotated.code, 0, rotated.stderr);
    assert.equal((await psql("added")).stdout, "app\n");
    assert.deepEqual(
      (await agent.ask("open", "SELECT current_user::text")).rows,
      [["app"]],
      "the open session lives on",
    );
    assert.deepEqual(await agent.open("next", url("added")), {}, "the same program's next connection");
  });

  test("the secrets are nowhere in the clear, and the seal outlives a restart", async () => {
    await assertNowhereInTheClear();
    await agent.leave();
    await daemon.kill();
    await daemon.up();
    agent = new SteeredAgent(daemon);
    assert.equal((await psql("added")).stdout, "app\n");
    await assertNowhereInTheClear();
  });

  test("connections remove ends its sessions and forgets the secret", async () => {
    assert.deepEqual(await agent.open("doomed", url("fromFile")), {});
    const gone = agent.gone("doomed");
    assert.equal((await daemon.cli(["connections", "remove", "fromfile"])).code, 0);
    assert.equal((await gone).code, "57P01");
    assert.match((await psql("fromFile")).stderr, /Operation not permitted/);
  });
});

describe("referenced in the settings", () => {
  test("a changed file is what the next login uses, without a reload", async () => {
    assert.equal((await psql("referenced")).stdout, "app_reference\n");
    await postgres.query(`ALTER ROLE app_reference PASSWORD '${SECOND}'`);
    assertRefused(await psql("referenced"));
    const file = join(daemon.folder, "secrets", "app");
    writeFileSync(file, `${SECOND}\n`);
    assert.equal((await psql("referenced")).stdout, "app_reference\n");
    writeFileSync(file, `${FIRST}\n`);
    await postgres.query(`ALTER ROLE app_reference PASSWORD '${FIRST}'`);
  });

  test("rotate and remove say that it is a reference, and what to do instead", async () => {
    const rotated = await daemon.cli(["connections", "rotate", "referenced", "--password-stdin"], { input: SECOND });
    assert.equal(rotated.code, 1);
    assert.match(rotated.stderr, /VAULT_ROTATE_REFERENCE/);
    assert.match(rotated.stderr, /remedy: .*secrets\/app/);
    assert.match((await daemon.cli(["connections", "remove", "referenced"])).stderr, /VAULT_REMOVE_REFERENCE/);
    assert.equal((await psql("referenced")).stdout, "app_reference\n");
  });
});

describe("the server must be who it should be before it sees a login", () => {
  const refused: readonly (readonly [string, Host, string])[] = [
    ["a certificate of another name", "wrongName", "UPSTREAM_TLS"],
    ["a certificate of an unknown authority", "unknownCa", "UPSTREAM_TLS"],
    ["md5 without a verified server", "md5Unverified", "UPSTREAM_AUTH_WEAK"],
    ["a password in the clear without a verified server", "plainUnverified", "UPSTREAM_AUTH_WEAK"],
    ["a password in the clear without TLS", "plainWithoutTls", "UPSTREAM_AUTH_WEAK"],
  ];
  for (const [name, host, code] of refused) {
    test(`refused: ${name}`, async () => {
      assertRefused(await psql(host));
      await assertAudited(host.toLowerCase(), code);
      const tested = await daemon.cli(["connections", "test", host.toLowerCase()]);
      assert.equal(tested.code, 1);
      assert.match(tested.stdout + tested.stderr, new RegExp(`${code}:`));
    });
  }

  const accepted: readonly (readonly [string, Host, string])[] = [
    ["md5 of a verified server", "md5Verified", "md5_user"],
    ["a password in the clear to a verified server", "plainVerified", "plain_user"],
    ["a server that trusts, which learns nothing", "trustUnverified", "trust_user"],
    ["SCRAM without TLS, which the settings ask for", "scramWithoutTls", "app"],
  ];
  for (const [name, host, user] of accepted) {
    test(`accepted: ${name}`, async () => {
      if (user === "app") await postgres.query(`ALTER ROLE app PASSWORD '${FIRST}'`);
      const { stdout, stderr } = await psql(host);
      assert.equal(stdout, `${user}\n`, stderr);
      assert.equal((await daemon.cli(["connections", "test", host.toLowerCase()])).code, 0);
    });
  }

  test("a rogue server behind the address hears no secret, whatever it asks for", async () => {
    const questions = { cleartext: [0, 0, 0, 3], md5: [0, 0, 0, 5, 1, 2, 3, 4] } as const;
    const heard: Buffer[] = [];
    const rogue: Server = createServer((socket) => {
      socket.on("error", () => {});
      socket.on("data", (bytes) => {
        heard.push(bytes);
        // SSLRequest is declined; a startup message is answered by asking for the password
        if (bytes.length === 8) return socket.write("N");
        for (const body of Object.values(questions)) {
          const head = Buffer.from([0x52, 0, 0, 0, body.length + 4]);
          socket.write(Buffer.concat([head, Buffer.from(body)]));
        }
        return undefined;
      });
    }).listen(0, "127.0.0.40");
    await new Promise((resolve) => rogue.once("listening", resolve));
    const { port } = rogue.address() as { port: number };
    const settings = readFileSync(daemon.configFile, "utf8");
    const entry = (name: string, address: string, tls: string) =>
      `  - { name: ${name}, protocol: postgres, addresses: ["${address}:${port}"],
      credential: { user: app, password: { file: ${daemon.folder}/secrets/app } }, tls: ${tls} }\n`;
    for (const mode of ["verify-full, name: localhost", "require", "disable"]) {
      const now = entry("rogue", "127.0.0.40", `{ mode: ${mode} }`);
      writeFileSync(daemon.configFile, settings.replace("connections:\n", `connections:\n${now}`));
      assert.equal((await daemon.cli(["reload"])).code, 0);
      heard.length = 0;
      const dialled = `postgresql://agent:placeholder@127.0.0.40:${port}/postgres`;
      assertRefused(await daemon.run("ci", ["psql", "-X", "-c", "SELECT 1", dialled]));
      assert.ok(heard.length > 0, "control: it was asked");
      const all = Buffer.concat(heard).toString("latin1");
      for (const secret of SECRETS) assert.ok(!all.includes(secret));
      assert.doesNotMatch(all, /md5[0-9a-f]{32}/);
    }
    rogue.close();
    writeFileSync(daemon.configFile, settings);
    await daemon.cli(["reload"]);
  });

  test("no secret is left in the state folder by all this", assertNowhereInTheClear);
});
