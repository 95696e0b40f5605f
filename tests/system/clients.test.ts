/** Unmodified clients in a tagged cgroup reach the backend with the vault's credential, whatever TLS they ask for. */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { capture } from "../kit/daemon.ts";
import { OPEN, PASSWORD, startWorld, type World } from "./world.ts";

const NODE_CLIENT = fileURLToPath(new URL("../kit/clients/pg-client.mjs", import.meta.url));
const PYTHON_CLIENT = fileURLToPath(new URL("../kit/clients/psycopg2-client.py", import.meta.url));
const WHO = "SELECT current_user, count(*) FROM customers;\n";

let world: World;
before(async () => {
  world = await startWorld({ policies: { "open.yaml": OPEN } });
});
after(() => world.stop());

for (const mode of ["none", "disable", "require", "verify-full"]) {
  const query = mode === "none" ? "" : `?sslmode=${mode}`;
  test(`psql logs in with a placeholder, sslmode ${mode}`, async () => {
    const { code, stdout, stderr } = await world.psql(WHO, [], world.url + query);
    assert.equal(stdout, "postgres|3\n", stderr);
    assert.equal(code, 0);
  });

  test(`psycopg2 logs in with a placeholder, sslmode ${mode}`, async () => {
    const { stdout, stderr } = await world.daemon.run("ci", ["/usr/bin/python3", PYTHON_CLIENT, world.url + query]);
    const { user, rows, peer } = JSON.parse(stdout || stderr) as Record<string, unknown>;
    assert.deepEqual({ user, rows }, { user: "postgres", rows: 3 });
    assert.deepEqual(peer, ["127.0.0.1", world.postgres.port]);
  });

  test(`node pg logs in with a placeholder, sslmode ${mode}`, async () => {
    const { stdout, stderr } = await world.daemon.run("ci", [process.execPath, NODE_CLIENT, world.url + query]);
    const { user, rows, peer } = JSON.parse(stdout || stderr) as Record<string, unknown>;
    assert.deepEqual({ user, rows }, { user: "postgres", rows: 3 });
    assert.deepEqual(peer, ["127.0.0.1", world.postgres.port]);
  });
}

test("without the placeholder being valid anywhere: the server itself refuses it", async () => {
  const { code, stderr } = await capture("psql", ["-X", "-c", "SELECT 1", world.url]);
  assert.notEqual(code, 0);
  assert.match(stderr, /authentication failed|no pg_hba/);
});

for (const host of ["127.0.0.1", "::1", "::ffff:127.0.0.1"]) {
  test(`a dial of ${host} is intercepted`, async () => {
    const { stdout, stderr } = await world.psql(
      WHO,
      ["-h", host],
      `postgresql://agent:x@/postgres?port=${world.postgres.port}`,
    );
    assert.equal(stdout, "postgres|3\n", stderr);
  });
}

for (const [name, script] of [
  ["a forked child", `psql -X -A -t -c "$0" "$1"; true`],
  ["a child in a session of its own", `setsid --wait psql -X -A -t -c "$0" "$1"`],
  [
    "a double-forked child",
    `((psql -X -A -t -c "$0" "$1" >"$2" 2>&1) & ); for n in $(seq 100); do [ -s "$2" ] && break; sleep 0.1; done; cat "$2"`,
  ],
] as const) {
  test(`${name} is guarded too`, async () => {
    const out = `${world.daemon.folder}/${name.replaceAll(" ", "-")}`;
    const { stdout, stderr } = await world.daemon.run("ci", ["bash", "-c", script, WHO.trim(), world.url, out]);
    assert.equal(stdout, "postgres|3\n", stderr);
  });
}

test("a process outside of the agent is not touched", async () => {
  const refusals = () => world.daemon.events().filter(({ kind }) => String(kind).startsWith("kernel.")).length;
  const before = refusals();
  const { stdout } = await world.direct("SELECT inet_client_port() > 0, current_user;");
  assert.equal(stdout, "t|postgres\n");
  const server = createServer((socket) => socket.end("mine")).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  const dialled = await capture("bash", ["-c", `cat </dev/tcp/127.0.0.1/${port}`]);
  server.close();
  assert.equal(dialled.stdout, "mine");
  assert.equal(refusals(), before);
});

test("an agent reaches a server of its own on loopback, and no other", async () => {
  const other = createServer((socket) => socket.end("foreign")).listen(0, "127.0.0.1");
  await new Promise((resolve) => other.once("listening", resolve));
  const { port } = other.address() as { port: number };
  const script = `
import socket, threading
s = socket.create_server(("127.0.0.1", 0)); threading.Thread(target=lambda: s.accept()[0].sendall(b"own"), daemon=True).start()
print(socket.create_connection(s.getsockname(), 5).recv(10).decode())
try:
    print(socket.create_connection(("127.0.0.1", ${port}), 5).recv(10).decode())
except PermissionError as e:
    print("refused")
`;
  const { stdout, stderr } = await world.daemon.run("ci", ["/usr/bin/python3", "-c", script]);
  other.close();
  assert.equal(stdout, "own\nrefused\n", stderr);
});

test("the real password is in no environment, no output and no recording of the agent", async () => {
  const { stdout, stderr } = await world.daemon.run("ci", ["env"]);
  assert.ok(stdout.includes("SALLYPORT_AGENT=ci"), stderr);
  assert.ok(!stdout.includes(PASSWORD));
  const grep = await capture("grep", ["-rl", PASSWORD, world.daemon.stateDir, world.daemon.runDir]);
  assert.equal(grep.stdout, "");
});

test("run ends with the command's own exit code", async () => {
  assert.equal((await world.daemon.run("ci", ["sh", "-c", "exit 7"])).code, 7);
  assert.equal((await world.daemon.run("ci", ["sh", "-c", "kill -TERM $$"])).code, 143);
  assert.equal((await world.daemon.run("ci", ["/no/such/program"])).code, 127);
});

test("an agent may not speak to the daemon's API, even as root", async () => {
  const { code, stderr } = await world.daemon.run("ci", [
    process.execPath,
    "-e",
    `
    require("net").connect("${world.daemon.runDir}/api.sock").on("data", (d) => { process.stdout.write(d); process.exit(9) })
      .on("error", () => process.exit(8)).on("close", () => process.exit(8))
      .write("GET /v1/status HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")`,
  ]);
  assert.ok(code === 8 || code === 9, stderr);
  const inside = await world.daemon.run("ci", [
    new URL("../../bin/sallyport", import.meta.url).pathname,
    "--run",
    world.daemon.runDir,
    "status",
  ]);
  assert.equal(inside.code, 4, inside.stderr);
});

test("Ctrl-C in psql reaches the right backend, and only that one", async () => {
  const script = `
    psql -X -A -t -c "SELECT 'other', pg_sleep(3)" "$0" & other=$!
    psql -X -c "SELECT pg_sleep(30)" "$0" & mine=$!
    sleep 1; kill -INT $mine; wait $mine; wait $other`;
  const { stdout, stderr } = await world.daemon.run("ci", ["bash", "-c", script, world.url]);
  assert.match(stderr, /canceling statement due to user request/);
  assert.equal(stdout, "other|\n");
});
