/**
 * Two servers that are equal to the last OID: one is dialled as it is, before the other stands a real daemon with a
 * policy that allows all, without labels and without masks. Whatever is played, is played on both alike.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { capture, Daemon, type Outcome, upstreamTls } from "../kit/daemon.ts";
import { type Postgres, startPostgres } from "../kit/postgres.ts";
import { KIND_TABLES } from "./corpus/types.ts";
import { CONNECTIONS_MAX, SERVER_SETTINGS, TEMPLATE } from "./template.ts";
import type { Version } from "./wire/stage.ts";

/** Of the corpus, and of the clients' scripts; both sides have both. */
export const DATABASE = "corpus";
export const CLIENTS_DATABASE = "clients";
const PASSWORD = "correct-horse-battery-staple-7731";
const HOST = "localhost";
const ALLOW_ALL = `
rules:
  - name: reach-all
    on: connect
    allow: {}
  - name: all-sql
    on: sql
    allow: {}
`;

/** One way to a server. */
export interface Side {
  readonly name: "direct" | "guarded";
  readonly postgres: Postgres;
  readonly user: string;
  readonly password: string;
  /** A command that may dial it: as an agent, or as it is. */
  run(argv: readonly string[], options?: RunOptions): Promise<Outcome>;
}

export interface RunOptions {
  readonly input?: string;
  readonly timeoutMs?: number;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Sides {
  readonly version: Version;
  readonly direct: Side;
  readonly guarded: Side;
  /** The guarded side's server without the guard: what dumps are compared with. */
  readonly behind: Side;
  readonly folder: string;
  stop(): Promise<void>;
}

export async function startSides(version: Version): Promise<Sides> {
  const ends: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const end of ends.reverse()) await end();
  };
  try {
    const folder = mkdtempSync(join(tmpdir(), "sallyport-transparency-"));
    ends.push(async () => rmSync(folder, { recursive: true, force: true }));
    const started = await Promise.allSettled([startServer(version, "trust"), startServer(version, "scram-sha-256")]);
    for (const one of started) if (one.status === "fulfilled") ends.push(() => one.value.stop());
    const [alone, before] = started.map((one) => {
      if (one.status === "rejected") throw one.reason;
      return one.value;
    }) as [Postgres, Postgres];
    const daemon = await Daemon.start({
      settings: settingsFor(before),
      policies: { "open.yaml": ALLOW_ALL },
      secrets: { real: PASSWORD },
    });
    ends.push(() => daemon.stop());
    return {
      version,
      folder,
      direct: { name: "direct", postgres: alone, user: "postgres", password: PASSWORD, run: runDirectly },
      behind: { name: "direct", postgres: before, user: "postgres", password: PASSWORD, run: runDirectly },
      guarded: {
        name: "guarded",
        postgres: before,
        user: "postgres",
        password: "placeholder",
        run: (argv, options = {}) => runAsAgent(daemon, argv, options),
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startServer(version: Version, hbaMethod: "trust" | "scram-sha-256"): Promise<Postgres> {
  const tls = { names: [HOST, "127.0.0.1"] };
  const postgres = await startPostgres({ version, password: PASSWORD, hbaMethod, tls, settings: SERVER_SETTINGS });
  try {
    await postgres.query(`CREATE DATABASE ${DATABASE} TEMPLATE template0`);
    await postgres.query(TEMPLATE, DATABASE);
    await postgres.query(KIND_TABLES, DATABASE);
    await makeTemporarySchemas(postgres);
    await postgres.query(`CREATE DATABASE ${CLIENTS_DATABASE} TEMPLATE ${DATABASE}`);
    return postgres;
  } catch (error) {
    await postgres.stop();
    throw error;
  }
}

/**
 * The first temporary table of each of the server's places for a connection makes a schema, which takes OIDs. Which place a
 * connection gets depends on how soon another has left, so all of them are used once before anything is compared.
 */
async function makeTemporarySchemas({ socketFolder: host, port, superuser: user }: Postgres): Promise<void> {
  const places = Array.from({ length: CONNECTIONS_MAX }, () => new pg.Client({ host, port, user, database: DATABASE }));
  try {
    for (const place of places) await place.connect();
    for (const place of places) await place.query("CREATE TEMP TABLE place (); DROP TABLE place");
  } finally {
    for (const place of places) await place.end();
  }
}

function settingsFor({ port, caFile }: Postgres): string {
  return `
agents: [{ name: ci, groups: [ci] }]
connections:
  - name: corpus
    protocol: postgres
    addresses: ["${HOST}:${port}", "127.0.0.1:${port}", "[::1]:${port}"]
    credential: { user: postgres, password: { file: FOLDER/secrets/real } }
    tls: ${upstreamTls(`{ mode: verify-full, name: ${HOST}, ca: ${caFile} }`)}
`;
}

function runDirectly(argv: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const [file = "", ...args] = withEnvironment(argv, options.env);
  return capture(file, args, options);
}

function runAsAgent(daemon: Daemon, argv: readonly string[], { env, ...options }: RunOptions): Promise<Outcome> {
  return daemon.cli(["run", "--quiet", "--as", "ci", "--", ...withEnvironment(argv, env)], options);
}

/** By env(1), so that both sides get it in the same way. */
function withEnvironment(argv: readonly string[], env: Readonly<Record<string, string>> = {}): readonly string[] {
  return ["env", ...Object.entries(env).map(([name, value]) => `${name}=${value}`), ...argv];
}
