/**
 * `npm start`: a real daemon, a real PostgreSQL and unmodified agents; shows what happens and checks each fact
 * in this run. With `--once` it ends afterwards: 0 if every fact was observed, 1 otherwise, naming the fact.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import pc from "picocolors";
import { searchProcess } from "./demo/memory.ts";
import { SECRETS_OF_PEOPLE, startSample } from "./demo/sample.ts";

const SALLYPORT = path("../bin/sallyport");
const STATE = "/var/lib/sallyport-demo";
const RUN = "/run/sallyport-demo";
const COMMAND_MS_MAX = 60_000;
/** A signal that came while a child was waited for is heard by us only after the child's end. */
const SIGNAL_HEARD_MS = 50;
/** An abstract Unix socket: the kernel drops it however its holder ends. */
const LOCK = "\0sallyport-demo";

const facts: { readonly name: string; readonly seen: boolean }[] = [];
const closers: (() => void | Promise<void>)[] = [];

/** Ctrl-C, a supervisor, a terminal that was closed: whenever they come, what was made is removed. */
const stop = new AbortController();
const stopped = once(stop.signal, "abort").then(() => "interrupted" as const);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => stop.abort("interrupted"));

async function main(): Promise<{ readonly observed: boolean; readonly url: string }> {
  await lock();
  const password = randomBytes(18).toString("base64url");

  title("A sample PostgreSQL, and Sallyport in front of it");
  await forget(); // what an earlier run left behind after a crash
  const sample = await startSample(password);
  closers.push(() => sample.stop());
  writeSettings(sample.port, sample.caFile, password);
  await startDaemon();
  const url = `postgresql://agent:placeholder@127.0.0.1:${sample.port}/postgres`;
  say(`The database listens on 127.0.0.1:${sample.port}; only the vault knows its password.`);

  title("An agent runs psql: the ordinary address, a placeholder password");
  const statements = [
    "SELECT id, name, email, card, ssn FROM customers;",
    "DROP TABLE customers;",
    "DELETE FROM customers;",
    "SELECT count(*) AS still_there FROM customers;",
  ];
  const psql = await agent(["psql", "-X", "-e", url], statements.join("\n"));
  show(psql.stdout, psql.stderr);
  const clean = (text: string) => SECRETS_OF_PEOPLE.every((value) => !text.includes(value));
  fact(
    "rows come back with card number and SSN masked",
    psql.stdout.includes("Ada Lovelace") && psql.stdout.includes("9999") && clean(psql.stdout + psql.stderr),
  );
  fact("DROP TABLE customers is refused with the rule's message", psql.stderr.includes("Schema changes go through"));
  fact("DELETE FROM customers without WHERE is refused", psql.stderr.includes("need a WHERE that selects"));
  const [rowsLeft] = await sample.query("SELECT count(*)::int AS count FROM customers");
  const same = /still_there\s+-+\s+3\b/.test(psql.stdout) && psql.code === 0;
  fact("the same connection goes on and nothing was dropped or deleted", same && rowsLeft?.["count"] === 3);

  title("The same from a plain program (node-postgres)");
  const program = await agent([process.execPath, path("demo/agent.mjs"), url]);
  show(program.stdout, program.stderr);
  fact(
    "a plain pg script sees masked rows, a refusal, and goes on",
    program.code === 0 &&
      /Ada Lovelace/.test(program.stdout) &&
      clean(program.stdout) &&
      /42501/.test(program.stdout) &&
      program.stdout.includes('{"customers":3}'),
  );

  title("An address that nobody registered");
  const other = createServer((socket) => socket.end()).listen(0, "127.0.0.1");
  await new Promise((resolve) => other.once("listening", resolve));
  closers.push(() => void other.close());
  const address = other.address();
  const dial = ["bash", "-c", `exec 3<>/dev/tcp/127.0.0.1/${typeof address === "object" ? address?.port : 0}`];
  const refused = await agent(dial);
  const control = await capture(dial[0] ?? "", dial.slice(1));
  show("", refused.stderr);
  fact(
    "a connection to an unlisted address is refused (outside the agent it works)",
    refused.code !== 0 && control.code === 0,
  );

  title("Does a live psql hold the real password?");
  const guarded = await idlePsql(SALLYPORT, [
    "--run",
    RUN,
    "run",
    "--quiet",
    "--as",
    "demo",
    "--",
    "psql",
    "-X",
    "-At",
    url,
  ]);
  const inside = searchProcess(guarded, password);
  const direct = await idlePsql("psql", ["-X", "-At", url.replace("agent:placeholder", `postgres:${password}`)]);
  const outside = searchProcess(direct, password);
  say(`through Sallyport: ${inside.found ? "found" : "not found"} in ${mib(inside.bytes)} of memory and environment`);
  say(`logged in directly: ${outside.found ? "found" : "not found"} in ${mib(outside.bytes)}`);
  fact("the agent's memory and environment do not hold the real password", !inside.found && inside.bytes > 0);
  fact("the control run, which logs in directly, holds it", outside.found);

  title("The recording");
  const listed = JSON.parse((await sallyport(["--json", "sessions"])).stdout) as { id: string; denied: number }[];
  const session = listed.find(({ denied }) => denied >= 2);
  const replay =
    session === undefined ? undefined : await sallyport(["sessions", "replay", session.id, "--speed", "0"]);
  show(replay?.stdout ?? "", replay?.stderr ?? "");
  const replayed = replay?.stdout ?? "";
  fact(
    "the recording is replayed: statements, decisions, masks, and no secret",
    replay?.code === 0 &&
      replayed.includes("DROP TABLE customers") &&
      replayed.includes("no-ddl") &&
      clean(replayed) &&
      !replayed.includes(password),
  );

  const missing = facts.filter(({ seen }) => !seen);
  title(missing.length === 0 ? pc.green("Every fact was observed in this run") : pc.red("Not every fact was observed"));
  for (const { name, seen } of facts) say(`${seen ? pc.green("✓") : pc.red("✗")} ${name}`);
  for (const { name } of missing) process.stderr.write(`not observed: ${name}\n`);
  return { observed: missing.length === 0, url };
}

/** Two demos would share folders and a run folder: the second would remove the first one's. */
async function lock(): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", () => reject(new Error("another demo runs on this machine; end it with Ctrl-C first")));
    server.listen(LOCK, resolve);
  });
}

function writeSettings(port: number, caFile: string | undefined, password: string): void {
  mkdirSync(STATE, { recursive: true, mode: 0o700 });
  writeFileSync(`${STATE}/customers.password`, password, { mode: 0o600 });
  writeFileSync(
    `${STATE}/sallyport.yaml`,
    `agents:
  - name: demo
connections:
  - name: customers
    protocol: postgres
    addresses: ["127.0.0.1:${port}", "[::1]:${port}"]
    credential: { user: postgres, password: { file: ${STATE}/customers.password } }
    tls: { mode: verify-full, name: localhost, ca: ${caFile} }
    data:
      public.customers: { columns: { ssn: [pii], card: [pii, payment] } }
policies: ${path("demo/policies")}
`,
  );
}

async function startDaemon(): Promise<void> {
  const child = spawn(
    SALLYPORT,
    ["--run", RUN, "up", "--state", `${STATE}/state`, "--config", `${STATE}/sallyport.yaml`],
    { detached: true }, // Ctrl-C is for us
  );
  const ended = once(child, "exit");
  closers.push(async () => {
    child.kill(); // also one that is not yet ready to be told by `down`
    await ended;
    await forget();
  });
  let output = "";
  await new Promise<void>((resolve, reject) => {
    const hear = (bytes: Buffer) => {
      output += bytes;
      if (/^info +ready/m.test(output)) resolve();
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.once("exit", (code) => reject(new Error(`the daemon ended with ${code}:\n${output}`)));
  });
}

/** Ends the demo's daemon and removes all that it made. */
async function forget(): Promise<void> {
  await sallyport(["down", "--remove", "--state", `${STATE}/state`]);
  rmSync(STATE, { recursive: true, force: true });
}

/** A psql that has logged in, asked one thing and waits. Its own process id. */
async function idlePsql(file: string, args: readonly string[]): Promise<number> {
  const child: ChildProcess = spawn(file, args, { stdio: ["pipe", "pipe", "inherit"] });
  closers.push(() => {
    child.stdin?.end();
  });
  child.stdin?.write("SELECT 1;\n\\! echo pid $PPID\n");
  return new Promise((resolve, reject) => {
    let output = "";
    child.stdout?.on("data", (bytes: Buffer) => {
      output += bytes;
      const pid = /^pid (\d+)$/m.exec(output)?.[1];
      if (pid !== undefined) resolve(Number(pid));
    });
    child.once("exit", (code) => reject(new Error(`psql ended with ${code} before it was looked at`)));
  });
}

function tellNext(url: string): void {
  title("Sallyport stays up. Try, in another terminal:");
  const command = `sudo ${SALLYPORT} --run ${RUN}`;
  say(`${command} run --as demo -- psql ${url}`);
  say(`${command} sessions`);
  say(`${command} agents`);
  say(`${pc.dim("Policy:")} ${path("demo/policies/demo.yaml")} ${pc.dim("— change it, then:")} ${command} reload`);
  say(pc.dim("Ctrl-C ends it and removes everything that this demo made."));
}

function agent(argv: readonly string[], input = ""): Promise<Captured> {
  return sallyport(["run", "--as", "demo", "--", ...argv], input);
}

function sallyport(args: readonly string[], input = ""): Promise<Captured> {
  return capture(SALLYPORT, ["--run", RUN, ...args], input);
}

interface Captured {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function capture(file: string, args: readonly string[], input = ""): Promise<Captured> {
  return new Promise((resolve) => {
    const child = execFile(file, args, { encoding: "utf8", timeout: COMMAND_MS_MAX }, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode, stdout, stderr }),
    );
    closers.push(() => void child.kill());
    child.stdin?.on("error", () => {}); // a command that ends early leaves its input unread
    child.stdin?.end(input);
  });
}

function fact(name: string, seen: boolean): void {
  stop.signal.throwIfAborted(); // what is seen of a demo that is being removed is no fact
  facts.push({ name, seen });
  say(seen ? pc.green(`✓ ${name}`) : pc.red(`✗ ${name}`));
}

function title(text: string): void {
  process.stdout.write(`\n${pc.bold(text)}\n`);
}

function say(text: string): void {
  process.stdout.write(`  ${text}\n`);
}

function show(stdout: string, stderr: string): void {
  stop.signal.throwIfAborted();
  for (const line of stdout.split("\n").filter(Boolean)) say(line);
  for (const line of stderr.split("\n").filter(Boolean)) say(pc.yellow(line));
}

function mib(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

function path(relative: string): string {
  return fileURLToPath(new URL(relative, import.meta.url));
}

async function close(): Promise<void> {
  for (let closer = closers.pop(); closer !== undefined; closer = closers.pop()) await closer();
}

// A terminal that is gone must not keep us from removing what we made.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
process.exitCode = 1;
try {
  const outcome = await Promise.race([main(), stopped]);
  if (outcome === "interrupted") throw new Error(outcome);
  if (outcome.observed) process.exitCode = 0;
  if (outcome.observed && !process.argv.includes("--once")) {
    tellNext(outcome.url);
    await stopped;
  }
} catch (error) {
  const signalled = await Promise.race([stopped, wait(SIGNAL_HEARD_MS)]);
  if (signalled !== undefined) process.exitCode = 130;
  const why = signalled ?? (error instanceof Error ? error.message : error);
  process.stderr.write(`not observed: the demo ran to its end (${why})\n`);
} finally {
  await close();
}
process.exit();
