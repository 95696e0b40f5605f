/**
 * What is compared: the server itself, PgBouncer, a bare relay of this runtime, Sallyport, Sallyport where each statement
 * is decided anew, and Sallyport without its short way. Each is started for real and lives for the whole run, so that rounds can be interleaved. Adding one is one more
 * entry in SUBJECTS.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificate } from "../kit/certificate.ts";
import { Daemon, type DaemonOptions, SALLYPORT } from "../kit/daemon.ts";
import { freePort } from "../kit/free-port.ts";
import type { Postgres } from "../kit/postgres.ts";
import { LABELS } from "./tables.ts";

export interface Running {
  readonly port: number;
  /** What the client shows; Sallyport's client holds a placeholder. */
  readonly password: string;
  /** The client's command as it is really started, e.g. inside a guarded cgroup. */
  command(argv: readonly string[]): readonly string[];
  /** Of the process that stands between; undefined where none does. */
  readonly pid: number | undefined;
  /** A guard's: it goes by another policy from now on. */
  judge?(policy: string): Promise<void>;
  stop(): Promise<void>;
}

export interface Subject {
  readonly name: string;
  start(server: Postgres): Promise<Running>;
}

export interface Sallyport extends Running {
  readonly pid: number;
  judge(policy: string): Promise<void>;
}

/** Without detectors; a policy that names one has every text searched, so that what is shown is told. */
export const UNSEARCHED = readFileSync(join(import.meta.dirname, "policy.yaml"), "utf8");
export const POLICY = `${UNSEARCHED}
  - name: hide-what-is-found
    on: reveal
    when: "detector in ['payment-card', 'us-ssn', 'secret']"
    mask: { style: partial }
`;

/** No permit stands under it: TypeScript decides on each statement by itself, and counts it. */
const COUNTING = `
  - name: count-all
    on: [sql.read, sql.insert, sql.update, sql.delete]
    limit: { statements: 1000000000, per: 1h }
`;

export const SUBJECTS: readonly Subject[] = [
  { name: "direct", start: startDirect },
  { name: "pgbouncer", start: startPgbouncer },
  { name: "relay", start: startRelay },
  { name: "sallyport", start: (server) => startSallyport(server) },
  { name: "counted", start: (server) => startSallyport(server, { rules: COUNTING }) },
  { name: "typescript", start: (server) => startSallyport(server, { relay: "off" }) },
];

async function startDirect(server: Postgres): Promise<Running> {
  const { port, password } = server;
  return { port, password, command: (argv) => argv, pid: undefined, stop: async () => {} };
}

async function startPgbouncer(server: Postgres): Promise<Running> {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-pgbouncer-"));
  const port = await freePort();
  const users = join(folder, "users.txt");
  const settings = join(folder, "pgbouncer.ini");
  const { certificateFile, keyFile } = makeCertificate(folder, ["127.0.0.1"]);
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
client_tls_sslmode = allow
client_tls_cert_file = ${certificateFile}
client_tls_key_file = ${keyFile}
server_tls_sslmode = disable
ignore_startup_parameters = extra_float_digits
`,
  );
  // It refuses to run as root.
  const [uid, gid] = ["-u", "-g"].map((flag) => Number(execFileSync("id", [flag, "nobody"], { encoding: "utf8" })));
  for (const path of [folder, users, settings, certificateFile, keyFile]) chownSync(path, uid ?? 0, gid ?? 0);
  const as = [`--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", "--pdeathsig=TERM"];
  const child = spawn("setpriv", [...as, "pgbouncer", settings], { cwd: "/", stdio: ["ignore", "ignore", "pipe"] });
  await said(child, child.stderr, /process up/);
  return {
    port,
    password: server.password,
    command: (argv) => argv,
    pid: child.pid,
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
    pid: child.pid,
    stop: () => end(child),
  };
}

export interface SallyportOptions extends Pick<DaemonOptions, "relay" | "wrapper"> {
  /** Further settings. */
  readonly more?: string;
  /** Further rules of every policy that it goes by. */
  readonly rules?: string;
}

/** Full policy and recording, whatever the environment says of the short way. */
export async function startSallyport(server: Postgres, options: SallyportOptions = {}): Promise<Sallyport> {
  const { more = "", rules = "", relay = "auto", wrapper = [] } = options;
  const start = {
    settings: `agents:
  - name: bench
connections:
  - name: bench
    protocol: postgres
    addresses: ["127.0.0.1:${server.port}"]
    credential: { user: ${server.superuser}, password: { file: FOLDER/secrets/bench } }
    tls: { mode: disable }
    data:
      ${LABELS}
${more}
`,
    relay,
    wrapper,
    policies: { "bench.yaml": POLICY + rules },
    secrets: { bench: server.password },
  };
  const daemon = await Daemon.start(start);
  let inForce = POLICY;
  const run = [SALLYPORT, "--run", daemon.runDir, "run", "--quiet", "--as", "bench", "--"];
  return {
    port: server.port,
    password: "placeholder",
    command: (argv) => [...run, ...argv],
    pid: daemon.pid,
    stop: () => daemon.stop(),
    judge: async (policy) => {
      if (policy === inForce) return;
      daemon.configure({ ...start, policies: { "bench.yaml": policy + rules } });
      const { code, stderr } = await daemon.cli(["reload"]);
      if (code !== 0) throw new Error(`Cannot load the policy: ${stderr}`);
      inForce = policy;
    },
  };
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
