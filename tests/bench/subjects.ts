/**
 * What is compared: the server itself, PgBouncer, a bare relay of this runtime, Sallyport. Each is started for real
 * and lives for the whole run, so that rounds can be interleaved. Adding one is one more entry in SUBJECTS.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Daemon, SALLYPORT } from "../kit/daemon.ts";
import { freePort } from "../kit/free-port.ts";
import type { Postgres } from "../kit/postgres.ts";

export interface Running {
  readonly port: number;
  /** What the client shows; Sallyport's client holds a placeholder. */
  readonly password: string;
  /** The client's command as it is really started, e.g. inside a guarded cgroup. */
  command(argv: readonly string[]): readonly string[];
  /** Highest resident memory so far, in bytes; undefined where nobody asks. */
  peakRssBytes(): number | undefined;
  stop(): Promise<void>;
}

export interface Subject {
  readonly name: string;
  start(server: Postgres): Promise<Running>;
}

export const SUBJECTS: readonly Subject[] = [
  { name: "direct", start: startDirect },
  { name: "pgbouncer", start: startPgbouncer },
  { name: "relay", start: startRelay },
  { name: "sallyport", start: (server) => startSallyport(server) },
];

async function startDirect(server: Postgres): Promise<Running> {
  const { port, password } = server;
  return { port, password, command: (argv) => argv, peakRssBytes: () => undefined, stop: async () => {} };
}

async function startPgbouncer(server: Postgres): Promise<Running> {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-pgbouncer-"));
  const port = await freePort();
  const users = join(folder, "users.txt");
  const settings = join(folder, "pgbouncer.ini");
  writeFileSync(users, `"${server.superuser}" "${server.password}"\n`);
  writeFileSync(
    settings,
    `[databases]
* = host=127.0.0.1 port=${server.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = trust
auth_file = ${users}
pool_mode = session
default_pool_size = 50
ignore_startup_parameters = extra_float_digits
`,
  );
  // It refuses to run as root.
  const [uid, gid] = ["-u", "-g"].map((flag) => Number(execFileSync("id", [flag, "nobody"], { encoding: "utf8" })));
  for (const path of [folder, users, settings]) chownSync(path, uid ?? 0, gid ?? 0);
  const as = [`--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", "--pdeathsig=TERM"];
  const child = spawn("setpriv", [...as, "pgbouncer", settings], { cwd: "/", stdio: ["ignore", "ignore", "pipe"] });
  await said(child, child.stderr, /process up/);
  return {
    port,
    password: server.password,
    command: (argv) => argv,
    peakRssBytes: () => peakRssBytes(child.pid),
    stop: async () => {
      await end(child);
      rmSync(folder, { recursive: true });
    },
  };
}

async function startRelay(server: Postgres): Promise<Running> {
  const file = join(import.meta.dirname, "relay.ts");
  const child = spawn(process.execPath, [...process.execArgv, file, String(server.port)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const port = Number(await said(child, child.stdout, /\d+\n/));
  return {
    port,
    password: server.password,
    command: (argv) => argv,
    peakRssBytes: () => peakRssBytes(child.pid),
    stop: () => end(child),
  };
}

/** Full policy and recording; one column is labelled and masked, the others are searched by detectors. */
export async function startSallyport(
  server: Postgres,
  { more = "", wrapper = [] }: { readonly more?: string; readonly wrapper?: readonly string[] } = {},
): Promise<Running> {
  const daemon = await Daemon.start({
    settings: `agents:
  - name: bench
connections:
  - name: bench
    protocol: postgres
    addresses: ["127.0.0.1:${server.port}"]
    credential: { user: ${server.superuser}, password: { file: FOLDER/secrets/bench } }
    tls: { mode: disable }
    data:
      public.people: { columns: { ssn: [pii] } }
${more}
`,
    wrapper,
    policies: { "bench.yaml": readFileSync(join(import.meta.dirname, "policy.yaml"), "utf8") },
    secrets: { bench: server.password },
  });
  const run = [SALLYPORT, "--run", daemon.runDir, "run", "--quiet", "--as", "bench", "--"];
  return {
    port: server.port,
    password: "placeholder",
    command: (argv) => [...run, ...argv],
    peakRssBytes: () => peakRssBytes(daemon.pid),
    stop: () => daemon.stop(),
  };
}

function peakRssBytes(pid: number | undefined): number | undefined {
  const match = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return match?.[1] === undefined ? undefined : Number(match[1]) * 1024;
}

/** The text of `stream` up to what `form` finds; rejects when the child ends without saying it. */
function said(child: ChildProcess, stream: NodeJS.ReadableStream, form: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    stream.on("data", (bytes: Buffer) => {
      text += bytes;
      if (form.test(text)) resolve(text);
    });
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`Ended with ${code}: ${text}`)));
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  await ended;
}
