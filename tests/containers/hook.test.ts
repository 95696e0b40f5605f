import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createRaw, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { capture } from "../kit/daemon.ts";
import { folder } from "../store/folder.ts";

const BUILT = fileURLToPath(new URL("../../native/build/sallyport-hook", import.meta.url));
const STATE = JSON.stringify({ ociVersion: "1.0.2", id: "c1", status: "creating", pid: 4711, bundle: "/b" });

function world(t: TestContext) {
  const base = folder(t);
  const [socket, undecided, program] = ["api.sock", "undecided", "sallyport-hook"].map((name) => join(base, name));
  writeFileSync(program ?? "", readFileSync(BUILT), { mode: 0o755 });
  const configure = (text: string) => writeFileSync(join(base, "hook.conf"), text, { mode: 0o644 });
  const runtime = join(base, "runc");
  configure(`socket=${socket}\nundecided=${undecided}\nruntime=${runtime}\n`);
  return {
    base,
    program: program ?? "",
    socket: socket ?? "",
    runtime,
    configure,
    decide: (script: string, mode = 0o700) => {
      writeFileSync(undecided ?? "", `#!/bin/sh\n${script}\n`);
      chmodSync(undecided ?? "", mode);
    },
    hook: (state = STATE) => capture(program ?? "", [], { input: state }),
  };
}

/** A daemon that answers every request alike; what it was asked. */
async function answering(t: TestContext, socket: string, status: number, answer: unknown): Promise<string[]> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => {
      body += text;
    });
    request.on("end", () => {
      asked.push(`${request.method} ${request.url} ${body}`);
      const text = `${JSON.stringify(answer)}\n`;
      response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
      response.end(text);
    });
  });
  await listening(t, server, socket);
  return asked;
}

async function listening(t: TestContext, server: Server, socket: string): Promise<void> {
  server.listen(socket);
  await once(server, "listening");
  t.after(() => {
    server.close();
  });
}

test("the hook hands the runtime's state to the daemon as it is, and lets the container start", async (t) => {
  const { socket, hook } = world(t);
  const asked = await answering(t, socket, 200, { agent: "ci" });
  const { code, stderr } = await hook();
  assert.deepEqual([code, stderr, asked], [0, "", [`POST /v1/hooks/oci ${STATE}`]]);
});

test("a container that the daemon refuses does not start, and the runtime is told why", async (t) => {
  const { socket, hook } = world(t);
  await answering(t, socket, 409, { error: { code: "X", message: 'Cannot guard "c1"', remedy: "Do this" } });
  const { code, stderr } = await hook();
  assert.deepEqual([code, stderr], [1, 'sallyport: Cannot guard "c1". Do this\n']);
});

test("a rootless container is its user's: it starts without a question, which that user may not even put", async (t) => {
  const { base, program, decide, hook } = world(t);
  chmodSync(base, 0o755);
  decide("exit 3");
  assert.equal((await hook()).code, 1, "the control: root's container is decided on");
  for (const user of [
    ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"],
    ["unshare", "--user", "--map-root-user", "setpriv", "--bounding-set", "-all"],
  ]) {
    const { code, stderr } = await capture(user[0] ?? "", [...user.slice(1), program], { input: STATE });
    assert.deepEqual([code, stderr], [0, ""], user[0]);
  }
});

test("without a daemon and without matchers of containers, every container starts", async (t) => {
  assert.equal((await world(t).hook()).code, 0);
});

const decisions = [
  { name: "lets a bystander start", script: "exit 0", code: 0, words: "" },
  {
    name: "refuses an agent with the sentence it is given",
    script: "echo It is guarded; exit 3",
    code: 1,
    words: "sallyport: It is guarded\n",
  },
  { name: "refuses what cannot be told", script: "exit 1", code: 1, words: /cannot tell/ },
  { name: "refuses when the deciding program is killed", script: "kill -9 $$", code: 1, words: /cannot tell/ },
  { name: "gives it the state", script: `test "$(cat)" = '${STATE}' || exit 1`, code: 0, words: "" },
] as const;
for (const { name, script, code, words } of decisions) {
  test(`without a daemon, the hook ${name}`, async (t) => {
    const { decide, hook } = world(t);
    decide(script);
    const outcome = await hook();
    assert.equal(outcome.code, code);
    if (typeof words === "string") assert.equal(outcome.stderr, words);
    else assert.match(outcome.stderr, words);
  });
}

test("a deciding program that others may write is not run", async (t) => {
  const { base, decide, hook } = world(t);
  decide(`touch ${base}/ran; exit 0`, 0o722);
  assert.equal((await hook()).code, 1);
  assert.throws(() => readFileSync(join(base, "ran")), { code: "ENOENT" });
});

const garbage = [
  { name: "says nothing and closes", speak: (socket: Socket) => socket.end() },
  { name: "says something else", speak: (socket: Socket) => socket.end("SSH-2.0-OpenSSH\r\n") },
  { name: "stops inside of its answer", speak: (socket: Socket) => socket.end("HTTP/1.1 200 OK\r\n\r\n{") },
  {
    name: "talks without an end",
    speak: (socket: Socket) => socket.end(`HTTP/1.1 200 OK\r\n\r\n${"x".repeat(200_000)}`),
  },
] as const;
for (const { name, speak } of garbage) {
  test(`a daemon that ${name} counts as none: what was left behind decides`, async (t) => {
    const { socket, decide, hook } = world(t);
    decide("echo It is guarded; exit 3");
    const server = createRaw((connection) => {
      connection.on("error", () => {});
      connection.once("data", () => speak(connection));
    });
    await listening(t, server, socket);
    const { code, stderr } = await hook();
    assert.deepEqual([code, stderr], [1, "sallyport: It is guarded\n"]);
  });
}

for (const [name, state] of [
  ["no state", ""],
  ["a state without an end", "x".repeat(600 * 1024)],
] as const) {
  test(`the hook refuses ${name}`, async (t) => {
    const { socket, hook } = world(t);
    await answering(t, socket, 200, {});
    assert.equal((await hook(state)).code, 1);
  });
}

for (const text of [
  "",
  "socket=relative\nundecided=/a\nruntime=/b\n",
  "socket=/a\n",
  `socket=/${"a".repeat(5_000)}\n`,
]) {
  test(`the hook refuses every container while its settings are ${JSON.stringify(text.slice(0, 20))}`, async (t) => {
    const { configure, hook } = world(t);
    configure(text);
    const { code, stderr } = await hook();
    assert.equal(code, 1);
    assert.match(stderr, /Cannot understand .*hook\.conf/);
  });
}

/** A runc that writes down how it was called, and knows the state of what it created. */
async function standIn(t: TestContext) {
  const parts = world(t);
  const { base, runtime } = parts;
  mkdirSync(join(base, "logs"));
  const calls = join(base, "calls");
  writeFileSync(
    runtime,
    `#!/bin/sh\necho "$*" >> ${calls}\ncase "$*" in *' state '*) echo '${STATE}';; *fail*) exit 7;; esac\n`,
    {
      mode: 0o755,
    },
  );
  symlinkSync("sallyport-hook", join(base, "sallyport-runc"));
  return {
    ...parts,
    run: (...args: readonly string[]) => capture(join(base, "sallyport-runc"), args),
    calls: () => readFileSync(calls, "utf8").split("\n").filter(Boolean),
    log: join(base, "log.json"),
  };
}

test("in place of runc, every call but create is runc's own", async (t) => {
  const { run, calls } = await standIn(t);
  for (const call of [
    ["--version"],
    ["--root", "/r", "start", "c1"],
    ["features"],
    ["--root=/r", "delete", "create"],
  ]) {
    assert.equal((await run(...call)).code, 0);
  }
  assert.deepEqual(calls(), ["--version", "--root /r start c1", "features", "--root=/r delete create"]);
});

test("in place of runc, create asks the daemon before it returns", async (t) => {
  const { run, calls, socket, log } = await standIn(t);
  const asked = await answering(t, socket, 200, {});
  const create = [
    "--root",
    "/r",
    "--log",
    log,
    "--log-format",
    "json",
    "create",
    "--bundle",
    "/b",
    "--pid-file",
    "/p",
    "c1",
  ];
  assert.equal((await run(...create)).code, 0);
  assert.deepEqual(asked, [`POST /v1/hooks/oci ${STATE}\n`]);
  const globals = `--root /r --log ${log} --log-format json`;
  assert.deepEqual(calls(), [create.join(" "), `${globals} state c1`]);
});

test("in place of runc, a container that the daemon refuses is deleted and the log says why", async (t) => {
  const { run, calls, socket, log } = await standIn(t);
  await answering(t, socket, 409, { error: { code: "X", message: 'Cannot guard "c1"', remedy: "Do this" } });
  const { code, stderr } = await run("--log", log, "create", "--bundle", "/b", "c1");
  assert.equal(code, 1);
  assert.match(stderr, /Cannot guard/);
  assert.equal(calls().at(-1), `--log ${log} delete --force c1`);
  assert.deepEqual(JSON.parse(readFileSync(log, "utf8")), {
    level: "error",
    msg: 'sallyport: Cannot guard "c1". Do this',
  });
});

test("in place of runc, a create that fails asks nobody and keeps runc's exit code", async (t) => {
  const { run, socket } = await standIn(t);
  const asked = await answering(t, socket, 200, {});
  assert.equal((await run("create", "fail")).code, 7);
  assert.deepEqual(asked, []);
});
