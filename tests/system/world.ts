/** What most system tests need: a real PostgreSQL with invented people, a real daemon before it, and ways to ask both. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parse } from "libpg-query";
import type { RowJob, RowReport, RowsJob } from "../kit/clients/rows-client.ts";
import { capture, Daemon, type Outcome, SALLYPORT, upstreamTls } from "../kit/daemon.ts";
import { type Postgres, startPostgres } from "../kit/postgres.ts";

export const PASSWORD = "correct-horse-battery-staple-7731";
export const SSN = "219-09-9999";
export const CARD = "4111111111111111";

export const PEOPLE = `
  CREATE TABLE customers (id int PRIMARY KEY, name text, email text, card text, ssn text);
  INSERT INTO customers VALUES
    (1, 'Ada Lovelace', 'ada@example.com', '${CARD}', '${SSN}'),
    (2, 'Grace Hopper', 'grace@example.com', '5555555555554444', '457-55-5462'),
    (3, 'Alan Turing', 'alan@example.com', '378282246310005', '856-45-6789');
  CREATE TABLE orders (id int PRIMARY KEY, customer int, amount int, note text);
  INSERT INTO orders SELECT n, 1 + n % 3, n * 10, 'order ' || n FROM generate_series(1, 100) AS n;
`;

/** Everything is allowed that no other rule denies. */
export const OPEN = `
rules:
  - name: reach-all
    on: connect
    allow: {}
  - name: all-sql
    on: sql
    allow: {}
`;

export const HIDE = `
rules:
  - name: hide-pii
    on: reveal
    when: "'pii' in column.labels || detector in ['payment-card', 'us-ssn', 'secret']"
    mask: { style: partial }
`;

/** The two rules of the guard suite: "no DDL, no whole-table writes", and reading and writing rows. */
export const GUARDED = `
rules:
  - name: reach-all
    on: connect
    allow: {}
  - name: rows
    on: [sql.read, sql.insert, sql.update, sql.delete]
    allow: {}
  - name: no-ddl
    on: [sql.define, sql.administer]
    deny: { message: "Schema changes go through migrations, not agents" }
  - name: whole-table-writes
    on: [sql.delete, sql.update]
    when: "!statement.where.present || statement.where.tautology"
    deny: { message: "DELETE and UPDATE need a WHERE that selects" }
`;

export interface World {
  readonly postgres: Postgres;
  readonly daemon: Daemon;
  /** What the agent dials: placeholder user and password, the ordinary address. */
  readonly url: string;
  /** As agent `ci`. */
  psql(sql: string, options?: readonly string[], url?: string): Promise<Outcome>;
  /** Outside of any agent, with the real password: the control run. */
  direct(sql: string, options?: readonly string[]): Promise<Outcome>;
  stop(): Promise<void>;
}

export interface WorldOptions {
  readonly policies: Readonly<Record<string, string>>;
  /** Labels ssn and card of public.customers. */
  readonly labels?: boolean;
  readonly version?: 15 | 18;
  /** Names beside `ci`, in no group. */
  readonly agents?: readonly string[];
  readonly settings?: Readonly<Record<string, string>>;
  /** Further settings, as YAML. */
  readonly more?: string;
  /** See DaemonOptions. */
  readonly wrapper?: readonly string[];
  readonly stateDir?: string;
  /** Where it is said, neither leg has TLS. */
  readonly relay?: "auto" | "off" | "always";
}

export async function startWorld(options: WorldOptions): Promise<World> {
  const {
    policies,
    labels = false,
    version = 15,
    settings,
    wrapper,
    more = "",
    stateDir,
    agents = [],
    relay,
  } = options;
  const postgres = await startPostgres({
    version,
    password: PASSWORD,
    tls: { names: ["localhost", "127.0.0.1", "::1"] },
    addresses: ["127.0.0.1", "::1"],
    ...(settings === undefined ? {} : { settings }),
  });
  try {
    await postgres.query(PEOPLE);
    const data = labels ? "data: { public.customers: { columns: { ssn: [pii], card: [pii, payment] } } }" : "";
    const verified = `{ mode: verify-full, name: localhost, ca: ${postgres.caFile} }`;
    const daemon = await Daemon.start({
      settings: `
agents: [${["{ name: ci, groups: [ci] }", ...agents.map((name) => `{ name: ${name} }`)].join(", ")}]
connections:
  - name: orders
    protocol: postgres
    addresses: ["127.0.0.1:${postgres.port}", "[::1]:${postgres.port}"]
    credential: { user: postgres, password: { file: FOLDER/secrets/orders } }
    tls: ${relay === undefined ? upstreamTls(verified) : "{ mode: disable }"}
    ${data}
${more}
`,
      policies,
      secrets: { orders: PASSWORD },
      ...(wrapper === undefined ? {} : { wrapper }),
      ...(stateDir === undefined ? {} : { stateDir }),
      ...(relay === undefined ? {} : { relay }),
    });
    const url = `postgresql://agent:placeholder@127.0.0.1:${postgres.port}/postgres`;
    const directUrl = `postgresql://postgres:${PASSWORD}@127.0.0.1:${postgres.port}/postgres`;
    const flags = ["-X", "-A", "-t", "-v", "VERBOSITY=verbose"];
    return {
      postgres,
      daemon,
      url,
      psql: (sql, options = [], to = url) => daemon.run("ci", ["psql", ...flags, ...options, to], { input: sql }),
      direct: (sql, options = []) => capture("psql", [...flags, ...options, directUrl], { input: sql }),
      async stop() {
        await daemon.stop();
        await postgres.stop();
      },
    };
  } catch (error) {
    await postgres.stop();
    throw error;
  }
}

/** Each row spoken byte by byte, as agent `ci`, in one process. */
export async function rowsAsAgent(world: World, rows: readonly RowJob[]): Promise<readonly RowReport[]> {
  const job: RowsJob = { host: "127.0.0.1", port: world.postgres.port, user: "agent", rows };
  const input = JSON.stringify(job);
  return reported(rows, await world.daemon.run("ci", [...ROWS_CLIENT], { input }));
}

/** The same at the server itself, as its superuser: the control run. */
export async function rowsDirect(world: World, rows: readonly RowJob[]): Promise<readonly RowReport[]> {
  const { socketFolder: host, port } = world.postgres;
  const [node = "", ...args] = ROWS_CLIENT;
  return reported(rows, await capture(node, args, { input: JSON.stringify({ host, port, user: "postgres", rows }) }));
}

const ROWS_CLIENT = [
  process.execPath,
  "--disable-warning=ExperimentalWarning",
  fileURLToPath(new URL("../kit/clients/rows-client.ts", import.meta.url)),
];

function reported(rows: readonly RowJob[], { stdout, stderr }: Outcome): readonly RowReport[] {
  const reports = JSON.parse(stdout || "[]") as RowReport[];
  if (reports.length !== rows.length) throw new Error(`${reports.length} of ${rows.length} rows came back: ${stderr}`);
  return reports;
}

/** The statements of a text, apart, for the extended protocol; read by PostgreSQL's own grammar. */
export async function statementsOf(sql: string): Promise<readonly string[]> {
  const bytes = Buffer.from(sql);
  const { stmts } = (await parse(sql)) as { stmts: readonly { stmt_location?: number; stmt_len?: number }[] };
  return stmts.map(({ stmt_location: at = 0, stmt_len: length = bytes.length - at }) =>
    bytes
      .subarray(at, at + length)
      .toString()
      .trim(),
  );
}

export interface Answer {
  readonly rows?: readonly (readonly unknown[])[];
  /** SQLSTATE or errno, when it failed. */
  readonly code?: string;
  readonly message?: string;
  readonly severity?: string;
  readonly detail?: string;
  readonly hint?: string;
}

/** An agent's program that stays, with connections that stay open. */
export class SteeredAgent {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #last = 0;

  /** `options`: further ones of `run`. */
  constructor(daemon: Daemon, as = "ci", options: readonly string[] = []) {
    const program = fileURLToPath(new URL("../kit/clients/steered-client.mjs", import.meta.url));
    const run = ["--run", daemon.runDir, "run", "--quiet", "--as", as, ...options, "--", process.execPath, program];
    const child = spawn(SALLYPORT, run, { stdio: ["pipe", "pipe", "inherit"] });
    this.#child = child;
    createInterface({ input: child.stdout }).on("line", (line) => {
      const { id, ...answer } = JSON.parse(line) as Answer & { id: number };
      this.#waiting.get(id)?.(answer);
      this.#waiting.delete(id);
    });
    child.once("exit", (code) => {
      for (const waiting of this.#waiting.values()) waiting({ code: "AGENT_GONE", message: `It ended with ${code}` });
    });
  }

  open(name: string, url: string): Promise<Answer> {
    return this.#do("open", { name, url });
  }

  ask(name: string, sql: string, values?: readonly unknown[]): Promise<Answer> {
    return this.#do("ask", { name, sql, values });
  }

  /** By a named statement that is prepared the first time. */
  askAgain(name: string, sql: string, values: readonly unknown[]): Promise<Answer> {
    return this.#do("again", { name, sql, values });
  }

  /** All of them in one write: with a Sync behind each, or one behind all, so as one transaction. The first error. */
  pipeline(name: string, texts: readonly string[], syncs: "each" | "one"): Promise<Answer> {
    return this.#do("pipeline", { name, texts, syncs });
  }

  /** Resolves when the connection has ended, with the error that ended it. */
  gone(name: string): Promise<Answer> {
    return this.#do("gone", { name });
  }

  close(name: string): Promise<Answer> {
    return this.#do("close", { name });
  }

  /** Closes its socket without a word. */
  drop(name: string): Promise<Answer> {
    return this.#do("drop", { name });
  }

  async leave(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.stdin?.end();
    await ended;
  }

  #do(act: string, what: object): Promise<Answer> {
    const id = ++this.#last;
    const isGone = this.#child.exitCode !== null || this.#child.stdin?.writable !== true;
    if (isGone) return Promise.resolve({ code: "AGENT_GONE", message: "It has ended, or was told to" });
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#child.stdin?.write(`${JSON.stringify({ id, act, ...what })}\n`);
    });
  }
}
