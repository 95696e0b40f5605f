/** The command line as a child process against the real API over ports that only remember. */
import assert from "node:assert/strict";
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Readable } from "node:stream";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { UserError } from "../../src/base/errors.ts";
import { API_REQUEST_WAIT_MS } from "../../src/base/limits.ts";
import { runCommandLine } from "../../src/control/cli/program.ts";
import type { DaemonModule, DaemonOptions } from "../../src/control/ports.ts";
import { DOCUMENT } from "../kit/api/document.ts";
import { type FakeDaemon, fakeDaemon, MEMBER, ROOT } from "./fake-daemon.ts";

const SALLYPORT = fileURLToPath(new URL("../../bin/sallyport", import.meta.url));

const ESCAPE = "\u001b";

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

interface Options {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Called once the process lives. */
  readonly started?: (child: ChildProcess) => void;
  readonly stdio?: SpawnOptions["stdio"];
}

/** Runs it to its end; as the daemon's peer, when there is one. */
async function sallyport(daemon: FakeDaemon | string, args: readonly string[], options: Options = {}): Promise<Ended> {
  const runDir = typeof daemon === "string" ? daemon : daemon.runDir;
  const child = spawn(SALLYPORT, ["--run", runDir, ...args], {
    env: { PATH: process.env["PATH"] ?? "", ...options.env },
    stdio: options.stdio ?? "pipe",
  });
  await once(child, "spawn");
  if (typeof daemon !== "string" && daemon.peer !== undefined) {
    daemon.peer = { ...daemon.peer, pid: child.pid ?? 0 };
    // `run` hands over its own child, which has this user's id.
    if (args.includes("run")) daemon.peer = { ...daemon.peer, uid: process.getuid?.() ?? 0, gid: MEMBER.gid };
  }
  options.started?.(child);
  child.stdin?.on("error", () => {}).end(options.input);
  let [out, err] = ["", ""];
  child.stdout?.on("data", (chunk) => (out += String(chunk)));
  child.stderr?.on("data", (chunk) => (err += String(chunk)));
  const [code] = await once(child, "close");
  return { code, out, err };
}

interface Inside {
  readonly isTTY?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  readonly main?: Partial<DaemonModule>;
}

/** The same without a process of its own: for what needs none. */
async function inProcess(daemon: FakeDaemon | string, args: readonly string[], inside: Inside = {}): Promise<Ended> {
  let [out, err] = ["", ""];
  const isTTY = inside.isTTY ?? false;
  const code = await runCommandLine({
    argv: ["--run", typeof daemon === "string" ? daemon : daemon.runDir, ...args],
    env: inside.env ?? {},
    stdin: Readable.from([]),
    stdout: { isTTY, write: (text) => (out += text) },
    stderr: { isTTY, write: (text) => (err += text) },
    loadDaemon: async () => {
      if (inside.main === undefined) throw new Error("main.ts is not needed here");
      return inside.main as DaemonModule;
    },
  });
  return { code, out, err };
}

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "sallyport-cli-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function file(t: TestContext, text: string): string {
  const path = join(folder(t), "file");
  writeFileSync(path, text);
  return path;
}

const needingDaemon = [
  ["status"],
  ["metrics"],
  ["reload"],
  ["down"],
  ["agents"],
  ["tag", "--as", "ci", "--pid", "5"],
  ["untag", "--cgroup", "/a"],
  ["agents", "revoke", "ci"],
  ["grants"],
  ["grants", "give", "ci", "orders", "--for", "1h"],
  ["connections"],
  ["connections", "test", "orders"],
  ["connections", "remove", "orders"],
  ["sessions"],
  ["sessions", "show", "s1"],
  ["sessions", "replay", "s1"],
  ["sessions", "reindex"],
  ["policy"],
  ["policy", "explain", "--session", "s1", "--entry", "4"],
  ["policy", "replay", "/dev/null"],
  ["policy", "suggest"],
  ["trust", "export"],
  ["trust", "env"],
  ["trust", "install", "--target", "/nowhere"],
];
for (const args of needingDaemon) {
  test(`without a daemon, \`${args.join(" ")}\` ends with 3 and says how to start it`, async (t) => {
    const { code, out, err } = await inProcess(folder(t), args);
    assert.deepEqual([code, out], [3, ""]);
    assert.match(err, /^sallyport: DAEMON_UNREACHABLE: .*\nremedy: .*sallyport up/);
  });
}

const wrong = [
  [[], /Name a command/],
  [["runn"], /Did you mean run/],
  [["status", "--nope"], /unknown option/],
  [["status", "extra"], /too many arguments/],
  [["run", "--as", "ci"], /Name the command/],
  [["run", "--as", "ci", "true"], /Put "--" before/],
  [["run", "--", "-x"], /begins with -/],
  [["run", "--", ""], /Name the command/],
  [["run", "--token-file", "-", "--", "true"], /the token from stdin/],
  [["tag", "--as", "ci", "--pid", "5", "--token-file", "-"], /the token from stdin/],
  [["tag", "--as", "ci"], /exactly one of --cgroup, --pid, --container and --unit/],
  [["tag", "--as", "ci", "--pid", "5", "--cgroup", "/a"], /exactly one/],
  [["tag", "--pid", "5"], /--as/],
  [["tag", "--as", "ci", "--container", "a", "--unit", "b.service"], /exactly one/],
  [["observe", "ci"], /exactly one of --for, --until and --off/],
  [["observe", "ci", "--for", "2h", "--off"], /exactly one/],
  [["observe", "ci", "--for", "2"], /like 30m, 2h/],
  [["observe", "ci", "--for", "0h"], /longer than nothing/],
  [["observe", "ci", "--until", "25:00"], /no such time/],
  [["observe", "ci", "--until", "tomorrow"], /like 18:30/],
  [["quarantine"], /missing required argument/],
  [["release"], /missing required argument/],
  [["tag", "--as", "ci", "--pid", "1"], /Process 1 starts everything/],
  [["tag", "--as", "ci", "--pid", "x"], /id of a process/],
  [["connections", "add", "a"], /--protocol/],
  [["connections", "add", "a", "--protocol", "p", "--address", "a:1", "--password", "x"], /unknown option/],
  [["connections", "add", "a", "--protocol", "p", "--address", "a:1", "--tls", "prefer"], /verify-full/],
  [["connections", "add", "a", "--protocol", "p", "--address", "a:1", "--label", "x"], /key=value/],
  [["connections", "rotate", "a"], /--password-file and --password-stdin/],
  [["connections", "rotate", "a", "--password-stdin", "--password-file", "x"], /cannot be used with/],
  [["sessions", "--limit", "0"], /between 1 and/],
  [["sessions", "replay", "s1", "--speed", "-1"], /argument|between 0/],
  [["up", "--port", "99999"], /between 1 and 65535/],
  [["trust"], /Name a command/],
  [["completion", "fish"], /unknown command/],
] as const;
for (const [args, says] of wrong) {
  test(`wrong usage \`${args.join(" ")}\` ends with 2 before anything is asked`, async (t) => {
    const { code, out, err } = await inProcess(folder(t), args);
    assert.deepEqual([code, out], [2, ""]);
    assert.match(err, /sallyport: USAGE: .*\n(.*\n)?remedy: /);
    assert.match(err, says);
  });
}

const helps = [
  [["tag"], "sallyport tag --help"],
  [["hooks", "install", "--nope"], "sallyport hooks install --help"],
  [["events"], "sallyport events --help"],
  [["nonsense"], "sallyport --help"],
] as const;
for (const [args, help] of helps)
  test(`wrong usage \`${args.join(" ")}\` points at \`${help}\``, async (t) => {
    const { err } = await inProcess(folder(t), args);
    assert.ok(err.endsWith(`remedy: See: ${help}\n`), err);
  });

test("an error in --json mode is one JSON object on stderr", async (t) => {
  const cases: readonly (readonly [readonly string[], string, number])[] = [
    [["--json", "status"], "DAEMON_UNREACHABLE", 3],
    [["status", "--json"], "DAEMON_UNREACHABLE", 3],
    [["status", "--json", "--nope"], "USAGE", 2],
    [["events", "--json"], "USAGE", 2], // its help is for persons
  ];
  for (const [args, code, exitCode] of cases) {
    const got = await sallyport(folder(t), args);
    assert.equal(got.code, exitCode);
    assert.equal(JSON.parse(got.err).error.code, code);
    assert.deepEqual(Object.keys(JSON.parse(got.err).error), ["code", "message", "remedy"]);
  }
});

test("a refused peer ends with 4, tagged or not in the group", async (t) => {
  const daemon = await fakeDaemon(t);
  daemon.peer = { ...ROOT, tagged: true };
  const tagged = await sallyport(daemon, ["status"]);
  assert.equal(tagged.code, 4);
  assert.match(tagged.err, /API_PEER_TAGGED/);
  daemon.peer = { ...MEMBER, gid: 1 };
  const stranger = await sallyport(daemon, ["status"]);
  assert.equal(stranger.code, 4);
  assert.match(stranger.err, /API_NOT_PERMITTED/);
  daemon.peer = MEMBER;
  assert.equal((await sallyport(daemon, ["sessions"])).code, 0);
  assert.equal((await sallyport(daemon, ["sessions", "show", "s1"])).code, 4);
});

test("what the daemon refuses ends with 1 and its own words", async (t) => {
  const { code, err } = await sallyport(await fakeDaemon(t), ["sessions", "show", "zz"]);
  assert.equal(code, 1);
  assert.equal(err, "sallyport: SESSION_UNKNOWN: Cannot find that session\nremedy: List them: sallyport sessions\n");
});

test("an answer that is not the daemon's is refused, not shown", async (t) => {
  const runDir = folder(t);
  const server = createServer((socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"));
  server.listen(join(runDir, "api.sock"));
  t.after(() => server.close());
  await once(server, "listening");
  const { code, err } = await sallyport(runDir, ["status"]);
  assert.equal(code, 1);
  assert.match(err, /ANSWER_BROKEN/);
});

const listings = [
  ["status"],
  ["metrics"],
  ["agents"],
  ["connections"],
  ["connections", "test", "orders"],
  ["connections", "remove", "orders"],
  ["sessions"],
  ["sessions", "show", "s1"],
  ["sessions", "reindex"],
  ["policy"],
  ["policy", "explain", "--agent", "ci", "--connection", "orders", "DROP TABLE t"],
  ["policy", "explain", "--session", "s1", "--entry", "4"],
  ["policy", "suggest"],
  ["policy", "packs"],
  ["policy", "packs", "show", "pii"],
  ["doctor"],
  ["reload"],
  ["trust", "export"],
  ["trust", "env"],
  ["tag", "--as", "ci", "--pid", "5"],
  ["tag", "--as", "ci", "--container", "build-1"],
  ["untag", "--pid", "5"],
  ["quarantine", "ci", "--reason", "odd queries"],
  ["release", "ci"],
  ["observe", "ci", "--for", "2h"],
  ["observe", "ci", "--off"],
  ["grants"],
  ["grants", "give", "ci", "orders", "--for", "1h"],
  ["grants", "end", "0123456789"],
  ["agents", "revoke", "ci"],
  ["agents", "reinstate", "ci"],
  ["down", "--remove"],
];
for (const args of listings) {
  test(`\`${args.join(" ")} --json\` prints one JSON value, and text without the flag`, async (t) => {
    const json = await inProcess(await fakeDaemon(t), [...args, "--json"]);
    assert.deepEqual([json.code, json.err], [0, ""]);
    assert.equal(typeof JSON.parse(json.out), "object");
    const text = await inProcess(await fakeDaemon(t), args);
    assert.equal(text.code, 0);
    assert.notEqual(text.out, "");
    assert.throws(() => JSON.parse(text.out));
  });
}

test("a replay with --json prints one JSON object a line", async (t) => {
  const { out } = await sallyport(await fakeDaemon(t), ["sessions", "replay", "s1", "--json"]);
  assert.deepEqual(
    out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).kind),
    ["start", "decision", "answer", "decision"],
  );
});

test("what an agent wrote cannot drive the reader's terminal or pretend to be a line of ours", async (t) => {
  for (const verb of ["show", "replay"]) {
    const { out } = await sallyport(await fakeDaemon(t), ["sessions", verb, "s1"]);
    assert.equal(out.includes(ESCAPE) || out.includes("\u202e"), false);
    assert.match(out, /\\u\{1b\}\[2J\\u\{202e\}/);
    assert.match(out, /^ {18}from c --/m);
    assert.match(out, /deny {3}drop table c\n {18}entry 4, rules: no-ddl\n {18}No DDL\n/);
  }
});

test("colour is shown on a terminal only, and not when NO_COLOR is set or the terminal is dumb", async (t) => {
  const daemon = await fakeDaemon(t);
  const coloured = async (inside: Inside) => {
    const listing = await inProcess(daemon, ["agents"], inside);
    const failing = await inProcess(daemon, ["sessions", "show", "zz"], inside);
    return [listing.out.includes(ESCAPE), failing.err.includes(ESCAPE)];
  };
  assert.deepEqual(await coloured({ isTTY: true }), [true, true]);
  assert.deepEqual(await coloured({ isTTY: false, env: { FORCE_COLOR: "1" } }), [false, false]);
  assert.deepEqual(await coloured({ isTTY: true, env: { NO_COLOR: "1" } }), [false, false]);
  assert.deepEqual(await coloured({ isTTY: true, env: { TERM: "dumb" } }), [false, false]);
});

test("up hands its options to the daemon, and ends with it", async (t) => {
  const runDir = folder(t);
  const started: DaemonOptions[] = [];
  const startDaemon: DaemonModule["startDaemon"] = async (options) => {
    started.push(options);
    options.log.info("ready");
    return { stopped: Promise.resolve(), stop: async () => {}, reload: () => Promise.reject(new Error("not here")) };
  };
  const args = ["up", "--config", "mine.yaml", "--state", "/state", "--port", "6000"];
  const { code, err } = await inProcess(runDir, args, { main: { startDaemon } });
  assert.equal(code, 0);
  assert.match(err, /ready/);
  const [{ log, ...options } = { log: undefined }] = started;
  assert.deepEqual(options, { configFile: resolve("mine.yaml"), stateDir: "/state", runDir, port: 6000 });
  assert.notEqual(log, undefined);
});

test("up without options leaves the settings file to the daemon", async (t) => {
  const started: DaemonOptions[] = [];
  const startDaemon: DaemonModule["startDaemon"] = async (options) => {
    started.push(options);
    return { stopped: Promise.resolve(), stop: async () => {}, reload: () => Promise.reject(new Error("not here")) };
  };
  await inProcess(folder(t), ["up"], { main: { startDaemon } });
  assert.deepEqual(Object.keys(started[0] ?? {}).sort(), ["log", "runDir", "stateDir"]);
  assert.equal(started[0]?.stateDir, "/var/lib/sallyport");
});

test("up says why the daemon did not start, with its remedy", async (t) => {
  const startDaemon = () => Promise.reject(new UserError("PORT_IN_USE", "Cannot listen", "Choose another with --port"));
  const { code, err } = await inProcess(folder(t), ["up"], { main: { startDaemon } });
  assert.equal(code, 1);
  assert.equal(err, "sallyport: PORT_IN_USE: Cannot listen\nremedy: Choose another with --port\n");
});

test("SIGTERM stops the daemon in order", async (t) => {
  const ended = Promise.withResolvers<void>();
  const startDaemon: DaemonModule["startDaemon"] = async () => {
    setImmediate(() => process.emit("SIGTERM"));
    const stop = async () => ended.resolve();
    return { stopped: ended.promise, stop, reload: () => Promise.reject(new Error("not here")) };
  };
  const { code } = await inProcess(folder(t), ["up"], { main: { startDaemon } });
  assert.equal(code, 0);
  assert.equal(process.listenerCount("SIGTERM"), 0);
});

test("down --remove removes everything also when no daemon runs", async (t) => {
  const runDir = folder(t);
  const removeEverything = async (folders: object) => [JSON.stringify(folders)];
  const { code, out } = await inProcess(runDir, ["down", "--remove", "--state", "/s"], { main: { removeEverything } });
  assert.equal(code, 0);
  assert.equal(out, `removed ${JSON.stringify({ stateDir: "/s", runDir })}\n`);
});

test("policy check works without a daemon and for those whom the daemon refuses", async (t) => {
  const path = file(t, "rules: []");
  const checkPolicyFiles: DaemonModule["checkPolicyFiles"] = async (paths, settingsFile) => {
    assert.equal(settingsFile, undefined);
    return { rules: paths.length, problems: [], warnings: [] };
  };
  const main = { checkPolicyFiles };
  const offline = await inProcess(folder(t), ["policy", "check", path], { main });
  assert.deepEqual(offline, { code: 0, out: "ok: 1 rule\n", err: "" });
  const daemon = await fakeDaemon(t);
  daemon.peer = MEMBER;
  assert.deepEqual(await inProcess(daemon, ["policy", "check", path], { main }), offline);
});

test("policy check without files goes by the settings of the daemon that runs", async (t) => {
  const checkPolicyFiles: DaemonModule["checkPolicyFiles"] = async (paths, settingsFile) => {
    assert.deepEqual([paths, settingsFile], [[], "/etc/s.yaml"]);
    return { rules: 2, problems: [], warnings: [] };
  };
  const { code, out } = await inProcess(await fakeDaemon(t), ["policy", "check"], { main: { checkPolicyFiles } });
  assert.deepEqual([code, out], [0, "ok: 2 rules\n"]);
});

test("policy check names a file that it cannot read", async (t) => {
  const { code, err } = await inProcess(folder(t), ["policy", "check", "/none/a.yaml"]);
  assert.equal(code, 1);
  assert.match(err, /FILE_UNREADABLE: Cannot read \/none\/a\.yaml: ENOENT/);
});

test("policy check of a folder without policies is an error, not a check of something else", async (t) => {
  const checkPolicyFiles = async () => ({ rules: 9, problems: [], warnings: [] });
  const { code, err } = await inProcess(folder(t), ["policy", "check", folder(t)], { main: { checkPolicyFiles } });
  assert.equal(code, 1);
  assert.match(err, /Cannot find a policy file/);
});

test("doctor looks for itself without a daemon, and ends with 1 when something failed", async (t) => {
  const check = { name: "BTF", verdict: "failed", found: "no", remedy: "Boot a kernel with BTF" } as const;
  const doctorReport = async () => ({ checks: [check] });
  const { code, out } = await inProcess(folder(t), ["doctor"], { main: { doctorReport } });
  assert.equal(code, 1);
  assert.match(out, /failed BTF: Boot a kernel with BTF/);
});

test("a table is aligned under its titles", async (t) => {
  const { out } = await inProcess(await fakeDaemon(t), ["connections"]);
  const [head = "", row = ""] = out.split("\n");
  assert.equal(head.indexOf("CREDENTIAL"), row.indexOf("sealed"));
  assert.equal(head.indexOf("LABELS"), row.indexOf("environment=prod"));
});

test("sessions passes its filters on", async (t) => {
  const daemon = await fakeDaemon(t);
  await sallyport(daemon, ["sessions", "--limit", "7", "--agent", "a&limit=9"]);
  assert.deepEqual(daemon.calls, [["sessions.list", { limit: 7, agent: "a&limit=9" }]]);
});

test("api lists the routes with who may use them, and with --json their document", async (t) => {
  const daemon = await fakeDaemon(t);
  const { out } = await inProcess(daemon, ["api"]);
  assert.match(out, /^POST +\/v1\/runs +member admin +Guard a waiting child of the caller$/m);
  assert.deepEqual(JSON.parse((await inProcess(daemon, ["--json", "api"])).out), DOCUMENT);
});

const secretWays: readonly (readonly [string, (t: TestContext) => { args: string[]; input?: string }, string])[] = [
  ["a file", (t) => ({ args: ["--password-file", file(t, "hunter2\n")] }), "hunter2"],
  [
    "a file with spaces that belong to it",
    (t) => ({ args: ["--password-file", file(t, " hunter2 \n\n")] }),
    " hunter2 \n",
  ],
  ["stdin", () => ({ args: ["--password-stdin"], input: "hunter2\r\n" }), "hunter2"],
];
for (const [name, way, expected] of secretWays) {
  test(`a password from ${name} reaches the daemon and never argv, environment or output`, async (t) => {
    const daemon = await fakeDaemon(t);
    const { args, input } = way(t);
    const seen: string[] = [];
    const base = ["--protocol", "postgres", "--address", "a:1", "b:1", "--user", "u", "--label", "x=1", "y=2"];
    const commands = [
      ["connections", "add", "orders", ...base, ...args],
      ["connections", "rotate", "orders", ...args],
    ];
    for (const command of commands) {
      const started = ({ pid }: ChildProcess) =>
        void seen.push(readFileSync(`/proc/${pid}/cmdline`, "utf8"), readFileSync(`/proc/${pid}/environ`, "utf8"));
      const { code, out, err } = await sallyport(daemon, command, {
        started,
        ...(input === undefined ? {} : { input }),
      });
      assert.equal(code, 0, err);
      seen.push(out, err);
    }
    const added = {
      name: "orders",
      protocol: "postgres",
      addresses: ["a:1", "b:1"],
      user: "u",
      tls: {},
      labels: { x: "1", y: "2" },
    };
    assert.deepEqual(daemon.calls, [
      ["connections.add", added, expected],
      ["connections.rotate", "orders", expected],
    ]);
    assert.match(seen.join("\n"), /connections\0/);
    assert.doesNotMatch(seen.join("\n"), /hunter2/);
  });
}

const badSecrets = [
  ["an empty password", "", "SECRET_EMPTY"],
  ["a line break alone", "\n", "SECRET_EMPTY"],
  ["a password above the limit", "x".repeat(70_000), "FILE_TOO_LARGE"],
] as const;
for (const [name, input, code] of badSecrets) {
  test(`${name} is refused before the daemon is asked`, async (t) => {
    const daemon = await fakeDaemon(t);
    const ended = await sallyport(daemon, ["connections", "rotate", "orders", "--password-stdin"], { input });
    assert.equal(ended.code, 1);
    assert.match(ended.err, new RegExp(code));
    assert.deepEqual(daemon.calls, []);
  });
}

test("roots to trust are sent as text", async (t) => {
  const daemon = await fakeDaemon(t);
  const args = [
    "connections",
    "add",
    "o",
    "--protocol",
    "postgres",
    "--address",
    "10.0.0.0/8:1",
    "--tls",
    "verify-full",
  ];
  await sallyport(daemon, [...args, "--tls-name", "db", "--tls-ca", file(t, "PEM")]);
  const [[, request] = []] = daemon.calls;
  assert.deepEqual((request as { tls: unknown }).tls, { mode: "verify-full", name: "db", ca: "PEM" });
});

test("a failed connection test ends with 1 and says at which step", async (t) => {
  const { code, out } = await sallyport(await fakeDaemon(t), ["connections", "test", "broken"]);
  assert.equal(code, 1);
  assert.match(out, /^failed {2}dial/);
});

test("policy check ends with 1 and names every line, and with 0 when all is well", async (t) => {
  const path = folder(t);
  writeFileSync(join(path, "a.yaml"), "good");
  const good = await sallyport(await fakeDaemon(t), ["policy", "check", path]);
  assert.deepEqual([good.code, good.out], [0, "ok: 1 rule\n"]);
  writeFileSync(join(path, "a.yaml"), "good and doubtful");
  const doubtful = await sallyport(await fakeDaemon(t), ["policy", "check", path]);
  assert.deepEqual([doubtful.code, doubtful.out], [0, `warning ${join(path, "a.yaml")}:3:1: never true\nok: 1 rule\n`]);
  writeFileSync(join(path, "a.yaml"), "good");
  writeFileSync(join(path, "b.yml"), "bad");
  const bad = await sallyport(await fakeDaemon(t), ["policy", "check", path]);
  assert.equal(bad.code, 1);
  assert.equal(bad.out, `${join(path, "b.yml")}:2:5 rule r: is bad mend it\nfailed: 1 problem\n`);
});

test("trust env is quoted for a shell", async (t) => {
  const { out } = await sallyport(await fakeDaemon(t), ["trust", "env"]);
  const child = spawn("/bin/sh", ["-c", `${out}\nprintf %s "$SSL_CERT_FILE"`]);
  const [chunk] = await once(child.stdout, "data");
  assert.equal(String(chunk), "/it's/bundle.pem");
});

test("trust install copies the certificate into a folder", async (t) => {
  const target = join(folder(t), "certs");
  const { code } = await sallyport(await fakeDaemon(t), ["trust", "install", "--target", target]);
  assert.equal(code, 0);
  assert.match(readFileSync(join(target, "sallyport.crt"), "utf8"), /^-----BEGIN CERTIFICATE-----/);
});

test("down waits until the daemon is gone and says what was removed", async (t) => {
  const daemon = await fakeDaemon(t);
  const { code, out } = await sallyport(daemon, ["down", "--remove"]);
  assert.deepEqual([code, out], [0, "removed link connect4\n"]);
  assert.deepEqual(daemon.calls, [["daemon.shutdown", { remove: true }], ["daemon.leave"]]);
  assert.equal(existsSync(daemon.socketPath), false);
});

test("down of one who is refused ends with the refusal, and waits for no end of the daemon", async (t) => {
  const daemon = await fakeDaemon(t);
  daemon.peer = MEMBER;
  const down = sallyport(daemon, ["down"]);
  // the daemon would end a connection that asks nothing after API_REQUEST_WAIT_MS
  const late = AbortSignal.timeout(API_REQUEST_WAIT_MS / 2);
  const { code, err } = await Promise.race([down, once(late, "abort").then(() => assert.fail("it waits"))]);
  assert.equal(code, 4);
  assert.match(err, /API_NOT_PERMITTED/);
  assert.deepEqual(daemon.calls, []);
});

test("help of every command has an example", async (t) => {
  const commands = [
    "up",
    "down",
    "reload",
    "status",
    "metrics",
    "doctor",
    "run",
    "agents",
    "tag",
    "untag",
    "quarantine",
    "release",
    "observe",
    "events",
    "notify",
    "connections",
    "sessions",
    "policy",
    "trust",
    "completion",
    "man",
  ];
  for (const command of commands) {
    const { code, out } = await inProcess(folder(t), [command, "--help"]);
    assert.equal(code, 0);
    assert.match(out, /Examples?:\n {2}/, command);
  }
});

test("--version prints the project's version", async (t) => {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  assert.deepEqual(await sallyport(folder(t), ["--version"]), { code: 0, out: `${version}\n`, err: "" });
});

test("the completion script is one that bash reads and knows every command", async (t) => {
  const { out } = await inProcess(folder(t), ["completion", "bash"]);
  const script = `${out}\nCOMP_WORDS=(sallyport sessions rep); COMP_CWORD=2; _sallyport; echo "\${COMPREPLY[*]}"`;
  const child = spawn("bash", ["-c", script]);
  const [chunk] = await once(child.stdout, "data");
  assert.equal(String(chunk).trim(), "replay");
});

test("the manual page names every command and escapes hyphens", async (t) => {
  const { out } = await inProcess(folder(t), ["man"]);
  assert.match(out, /^\.TH SALLYPORT 1/);
  assert.match(out, /\.SS "connections rotate/);
  assert.match(out, /\\-\\-password\\-file/);
});

const exits: readonly (readonly [string, readonly string[], number])[] = [
  ["0", ["true"], 0],
  ["7", ["sh", "-c", "exit 7"], 7],
  ["125 of the command itself", ["sh", "-c", "exit 125"], 125],
  ["128+15 for a command that a signal ended", ["sh", "-c", "kill -TERM $$"], 143],
  ["128+9", ["sh", "-c", "kill -KILL $$"], 137],
  ["127 for what is not found", ["sallyport-has-no-such-command"], 127],
  ["126 for what cannot be executed", ["/etc/passwd"], 126],
];
for (const [name, words, expected] of exits) {
  test(`run ends with ${name}`, async (t) => {
    const { code, err } = await sallyport(await fakeDaemon(t), ["run", "--as", "ci", "--", ...words]);
    assert.equal(code, expected, err);
    assert.match(
      err,
      /sallyport: ci \(run r1\): 2 sessions, 14 allowed, 1 denied, 0 held, 3 values masked, 1 connection refused/,
    );
  });
}

test("run gives the command its own arguments, unchanged", async (t) => {
  const words = ["a b", "$HOME", "", "--json", "--quiet", "*", "`id`"];
  const { out } = await sallyport(await fakeDaemon(t), ["run", "--as", "ci", "--", "printf", "[%s]", ...words]);
  assert.equal(out, words.map((word) => `[${word}]`).join(""));
});

test("run gives the command its own stdin and stdout", async (t) => {
  const { out } = await sallyport(await fakeDaemon(t), ["run", "--quiet", "--as", "ci", "--", "cat"], {
    input: "hello",
  });
  assert.equal(out, "hello");
});

test("run sets the trust variables and the run's id, passes the user's own, and keeps ours", async (t) => {
  const ours = { SALLYPORT_RUN_DIR: "/somewhere", SALLYPORT_X: "1" };
  const env = { ...ours, MINE: "kept", PGSSLROOTCERT: "/users/own.pem", JAVA_TOOL_OPTIONS: "-Xmx64m" };
  const { out } = await sallyport(await fakeDaemon(t), ["run", "--as", "ci", "--", "env"], { env });
  const lines = out.split("\n");
  for (const line of [
    "SALLYPORT_AGENT=ci",
    "SALLYPORT_RUN=r1",
    "PGSSLROOTCERT=/ca.pem",
    "MINE=kept",
    "JAVA_TOOL_OPTIONS=-Xmx64m -Dours=1",
  ]) {
    assert.ok(lines.includes(line), line);
  }
  assert.doesNotMatch(out, /SALLYPORT_RUN_DIR|SALLYPORT_X/);
});

test("run leaves no descriptor of ours open in the command", async (t) => {
  const { out } = await sallyport(await fakeDaemon(t), ["run", "--as", "ci", "--", "sh", "-c", "ls /proc/$$/fd"]);
  assert.deepEqual(
    out
      .trim()
      .split(/\s+/)
      .filter((fd) => Number(fd) <= 9),
    ["0", "1", "2"],
  );
});

test("run hands over the waiting process that then becomes the command", async (t) => {
  const daemon = await fakeDaemon(t);
  const { out } = await sallyport(daemon, ["run", "--as", "ci", "--", "sh", "-c", "echo $$"]);
  assert.deepEqual(daemon.calls, [["runs.create", "ci", Number(out), process.getuid?.() ?? 0]]);
});

test("run is quiet with --quiet, and says its summary as JSON with --json", async (t) => {
  const quiet = await sallyport(await fakeDaemon(t), ["run", "--quiet", "--as", "ci", "--", "true"]);
  assert.equal(quiet.err, "");
  const json = await sallyport(await fakeDaemon(t), ["run", "--json", "--as", "ci", "--", "true"]);
  assert.equal(JSON.parse(json.err).run.denied, 1);
});

const failures: readonly (readonly [string, (t: TestContext) => Promise<FakeDaemon | string>, number, RegExp])[] = [
  ["125 without a daemon", async (t) => folder(t), 125, /DAEMON_UNREACHABLE/],
  [
    "125 when the daemon cannot tag",
    (t) => fakeDaemon(t, ({ runs }) => ({ runs: { ...runs, create: () => Promise.reject(new Error("full")) } })),
    125,
    /INTERNAL/,
  ],
  [
    "125 when the agent's environment cannot be had",
    (t) => fakeDaemon(t, ({ runs }) => ({ runs: { ...runs, environment: () => Promise.reject(new Error("no CA")) } })),
    125,
    /INTERNAL/,
  ],
  [
    "125 when the daemon names the run with a line of its own",
    (t) =>
      fakeDaemon(t, ({ runs }) => ({
        runs: {
          ...runs,
          create: async (request, caller) => ({ ...(await runs.create(request, caller)), id: "r1\nx" }),
        },
      })),
    125,
    /ANSWER_BROKEN/,
  ],
  [
    "4 from inside a tagged cgroup",
    async (t) => Object.assign(await fakeDaemon(t), { peer: { ...ROOT, tagged: true } }),
    4,
    /API_PEER_TAGGED/,
  ],
];
for (const [name, start, expected, says] of failures) {
  test(`run ends with ${name}, and the command never ran`, async (t) => {
    const mark = join(folder(t), "ran");
    const { code, err } = await sallyport(await start(t), ["run", "--as", "ci", "--", "touch", mark]);
    assert.equal(code, expected, err);
    assert.match(err, says);
    assert.equal(existsSync(mark), false);
  });
}

for (const [name, expected] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const) {
  test(`${name} before the process is tagged ends run, and the command never runs`, async (t) => {
    const mark = join(folder(t), "ran");
    const asked = Promise.withResolvers<void>();
    const daemon = await fakeDaemon(t, ({ runs }) => ({
      runs: {
        ...runs,
        create: () => {
          asked.resolve();
          return new Promise(() => {}); // the daemon takes its time
        },
      },
    }));
    const started = (child: ChildProcess) => void asked.promise.then(() => child.kill(name));
    const { code } = await sallyport(daemon, ["run", "--as", "ci", "--", "touch", mark], { started });
    assert.equal(code, expected);
    assert.equal(existsSync(mark), false);
  });

  test(`${name} reaches the running command, whose own answer to it counts`, async (t) => {
    const script = `trap 'echo caught; exit 9' ${name.slice(3)}; echo ready; while :; do read -r line || exit 3; done`;
    const ready = Promise.withResolvers<void>();
    const started = (child: ChildProcess) => {
      child.stdout?.once("data", () => ready.resolve());
      void ready.promise.then(() => child.kill(name));
    };
    const { code, out } = await heldOpen(
      await fakeDaemon(t),
      ["run", "--quiet", "--as", "ci", "--", "sh", "-c", script],
      started,
    );
    assert.match(out, /caught/);
    assert.equal(code, 9);
  });
}

/** Runs a program on a terminal of its own once a line came, types Ctrl-C when it says ready, then a line when it says caught. */
const TERMINAL = `
import os, pty, sys
wait, go = os.pipe()
pid, terminal = pty.fork()
if pid == 0:
    os.read(wait, 1)
    os.execv(sys.argv[1], sys.argv[1:])
os.write(1, b"%d\\n" % pid)
sys.stdin.readline()
os.write(go, b"x")
seen, typed = b"", 0
while True:
    try: data = os.read(terminal, 4096)
    except OSError: break
    if not data: break
    seen += data
    if typed == 0 and b"ready" in seen: os.write(terminal, b"\\x03"); typed = 1
    if typed == 1 and b"caught" in seen: os.write(terminal, b"line\\n"); typed = 2
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), repr(seen), flush=True)
`;

test("run gives the command the caller's limit of open files and the signals that it ignores", async (t) => {
  const daemon = await fakeDaemon(t);
  const command = "ulimit -S -n; grep SigIgn /proc/self/status";
  const run = [SALLYPORT, "--run", daemon.runDir, "run", "--quiet", "--as", "ci", "--", "sh", "-c", command];
  const child = spawn("sh", ["-c", 'ulimit -S -n 321; trap "" HUP USR1; exec "$@"', "sh", ...run]);
  await once(child, "spawn");
  daemon.peer = { ...ROOT, pid: child.pid ?? 0 };
  let out = "";
  child.stdout.on("data", (chunk) => (out += String(chunk)));
  await once(child, "close");
  assert.match(out, /^321\nSigIgn:\s+0*201\n$/);
});

test("Ctrl-C on a terminal reaches the command once, and run outlives it", async (t) => {
  const daemon = await fakeDaemon(t);
  const script = "trap 'echo caught' INT; echo ready; until read -r line; do :; done; echo got; exit 5";
  const args = ["--run", daemon.runDir, "run", "--as", "ci", "--", "sh", "-c", script];
  const child = spawn("/usr/bin/python3", ["-I", "-c", TERMINAL, SALLYPORT, ...args], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const [pid] = await once(child.stdout, "data");
  daemon.peer = { ...ROOT, pid: Number(pid), uid: process.getuid?.() ?? 0, gid: MEMBER.gid };
  let out = "";
  child.stdout.on("data", (chunk) => (out += String(chunk)));
  child.stdin.write("go\n");
  await once(child, "close");
  assert.match(out, /^5 b/m);
  assert.match(out, /got[\s\S]*sallyport: ci \(run r1\)/);
  assert.equal(out.match(/caught/g)?.length, 1, out);
});

test("when run is killed before the process is tagged, the waiting launcher ends without the command", async (t) => {
  const mark = join(folder(t), "ran");
  const asked = Promise.withResolvers<number>();
  const daemon = await fakeDaemon(t, ({ runs }) => ({
    runs: {
      ...runs,
      create: ({ pid }) => {
        asked.resolve(pid);
        return new Promise(() => {});
      },
    },
  }));
  const started = (child: ChildProcess) => void asked.promise.then(() => child.kill("SIGKILL"));
  // Its streams close only when the waiting launcher, which shares them, has ended too.
  await sallyport(daemon, ["run", "--as", "ci", "--", "touch", mark], { started });
  assert.equal(existsSync(mark), false);
});

/** Becomes the command line with `kind` of socket as `fd`. */
const WITH_SOCKET = `
import os, socket, sys
kind, fd = sys.argv[1], int(sys.argv[2])
server = socket.create_server(("127.0.0.1", 0))
tcp = socket.create_connection(server.getsockname())
pair, other = socket.socketpair()
datagrams, other2 = socket.socketpair(type=socket.SOCK_DGRAM)
os.dup2({"tcp": tcp, "listener": server, "pair": pair, "datagrams": datagrams}[kind].fileno(), fd)
os.set_inheritable(fd, True)
os.execv(sys.argv[3], sys.argv[3:])
`;

async function runWithSocket(t: TestContext, kind: string, fd: number, words: readonly string[]): Promise<Ended> {
  const daemon = await fakeDaemon(t);
  const run = [SALLYPORT, "--run", daemon.runDir, "run", "--quiet", "--as", "ci", "--", ...words];
  const child = spawn("/usr/bin/python3", ["-I", "-c", WITH_SOCKET, kind, String(fd), ...run]);
  await once(child, "spawn");
  daemon.peer = { ...ROOT, pid: child.pid ?? 0 };
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk) => (out += String(chunk)));
  child.stderr.on("data", (chunk) => (err += String(chunk)));
  const [code] = await once(child, "close");
  return { code, out, err };
}

for (const [kind, fd] of [
  ["tcp", 0],
  ["listener", 0],
  ["datagrams", 0],
  ["tcp", 1],
] as const) {
  test(`run refuses to give the command a ${kind} socket as descriptor ${fd}`, async (t) => {
    const mark = join(folder(t), "ran");
    const { code, err } = await runWithSocket(t, kind, fd, ["touch", mark]);
    assert.equal(code, 125, err);
    assert.match(err, /RUN_STDIO_REFUSED: .*(stdin|stdout) is a socket/);
    assert.doesNotMatch(err, /INTERRUPTED/);
    assert.equal(existsSync(mark), false);
  });
}

test("run gives the command one end of a socket pair as its stdin", async (t) => {
  const { code, out, err } = await runWithSocket(t, "pair", 0, ["sh", "-c", "readlink /proc/$$/fd/0"]);
  assert.equal(code, 0, err);
  assert.match(out, /^socket:/);
});

test("an open socket beside stdin, stdout and stderr is closed", async (t) => {
  // Above the numbers that Node closes by itself.
  const { code, out, err } = await runWithSocket(t, "tcp", 100, ["sh", "-c", "ls /proc/$$/fd"]);
  assert.equal(code, 0, err);
  assert.ok(!out.split("\n").includes("100"), out);
});

test("the launcher works through a link, and says what to do when the runtime is missing", async (t) => {
  const path = folder(t);
  symlinkSync(SALLYPORT, join(path, "linked"));
  const linked = spawn(join(path, "linked"), ["--version"]);
  assert.deepEqual(await once(linked, "close"), [0, null]);
  mkdirSync(join(path, "bin"));
  cpSync(SALLYPORT, join(path, "bin", "sallyport"));
  chmodSync(join(path, "bin", "sallyport"), 0o755);
  const bare = spawn(join(path, "bin", "sallyport"), ["--version"]);
  let err = "";
  bare.stderr.on("data", (chunk) => (err += String(chunk)));
  assert.deepEqual(await once(bare, "close"), [1, null]);
  assert.match(err, /^sallyport: RUNTIME_MISSING: .*\nremedy: Run 'npm install'/);
});

/** Like `sallyport`, but stdin stays open until the process ends. */
async function heldOpen(
  daemon: FakeDaemon,
  args: readonly string[],
  started: (child: ChildProcess) => void,
): Promise<Ended> {
  const child = spawn(SALLYPORT, ["--run", daemon.runDir, ...args], { stdio: "pipe" });
  await once(child, "spawn");
  daemon.peer = { ...ROOT, pid: child.pid ?? 0, uid: process.getuid?.() ?? 0, gid: MEMBER.gid };
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk) => (out += String(chunk)));
  child.stderr.on("data", (chunk) => (err += String(chunk)));
  started(child);
  const [code] = await once(child, "close");
  return { code, out, err };
}

test("metrics are printed as they are, for a Prometheus file or a pipe", async (t) => {
  const daemon = await fakeDaemon(t);
  const { code, out } = await sallyport(daemon, ["metrics"]);
  assert.deepEqual([code, out], [0, 'sallyport_rows_total{connection="orders"} 7\n']);
});
