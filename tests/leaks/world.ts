/**
 * Real servers with two sets of values that must not arrive, and a real daemon before them: all SQL is allowed, and
 * what carries the label pii is redacted. Databases are made from templates to which nobody connects.
 */
import { fileURLToPath } from "node:url";
import { capture, Daemon, upstreamTls } from "../kit/daemon.ts";
import { type Postgres, startPostgres } from "../kit/postgres.ts";
import { OPEN, PASSWORD } from "../system/world.ts";
import { SETS, type SetName, tables, VAULT_COLUMNS } from "./canaries.ts";
import type { SpeakerJob, Talk, TalkReport } from "./speaker.ts";

export type Version = 15 | 18;

export interface LeakWorld {
  readonly daemon: Daemon;
  readonly servers: ReadonlyMap<Version, Postgres>;
  server(version: Version): Postgres;
  /** What the agent dials. */
  url(version: Version, database: string): string;
  stop(): Promise<void>;
}

/** No character of a labelled value stays. */
const REDACT = `
rules:
  - name: hide-pii
    on: reveal
    when: "'pii' in column.labels"
    mask: { style: redact }
`;

/** The agent who may not test labelled values either. */
export const STRICT = "strict";

const NO_ORACLES = `
rules:
  - name: no-oracles
    on: sql
    when: "agent.name == '${STRICT}' && 'pii' in statement.oracles"
    deny: { message: "Personal data may not decide which rows come back" }
`;

const LABELS = {
  "public.customers": { columns: { ssn: ["pii"], card: ["pii", "payment"] } },
  "public.vault": { columns: Object.fromEntries(VAULT_COLUMNS.map((column) => [column, ["pii"]])) },
  "public.tickets": { columns: { code: ["pii"] } },
};

export async function makeWorld(versions: readonly Version[]): Promise<LeakWorld> {
  const started: Postgres[] = [];
  try {
    for (const version of versions) started.push(await makeServer(version));
    const daemon = await Daemon.start({
      settings: settingsOf(started),
      policies: { "open.yaml": OPEN, "hide.yaml": REDACT, "no-oracles.yaml": NO_ORACLES },
      secrets: { owner: PASSWORD },
    });
    const servers = new Map(started.map((server) => [server.version, server]));
    const server = (version: Version): Postgres => {
      const found = servers.get(version);
      if (found === undefined) throw new Error(`Cannot ask PostgreSQL ${version}: it was not started`);
      return found;
    };
    return {
      daemon,
      servers,
      server,
      url: (version, database) => `postgresql://agent:placeholder@127.0.0.1:${server(version).port}/${database}`,
      async stop() {
        await daemon.stop();
        for (const one of started) await one.stop();
      },
    };
  } catch (error) {
    for (const one of started) await one.stop();
    throw error;
  }
}

async function makeServer(version: Version): Promise<Postgres> {
  const server = await startPostgres({
    version,
    password: PASSWORD,
    tls: { names: ["localhost", "127.0.0.1"] },
    addresses: ["127.0.0.1"],
    settings: {
      wal_level: "logical",
      max_prepared_transactions: "50",
      shared_preload_libraries: "pg_stat_statements",
      // so that no statistics appear by themselves between two runs
      autovacuum: "off",
      log_statement: "none",
    },
  });
  try {
    for (const set of SETS) {
      await server.query(`CREATE DATABASE ${templateOf(set)}`);
      await server.query(tables(set), templateOf(set));
      await makeDatabase(server, sharedOf(set), set);
    }
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

function settingsOf(servers: readonly Postgres[]): string {
  const connections = servers.map(
    ({ version, port, caFile }) => `
  - name: owner-${version}
    protocol: postgres
    addresses: ["127.0.0.1:${port}"]
    credential: { user: postgres, password: { file: FOLDER/secrets/owner } }
    tls: ${upstreamTls(`{ mode: verify-full, name: localhost, ca: ${caFile} }`)}
    data: ${JSON.stringify(LABELS)}`,
  );
  return `agents: [{ name: ci, groups: [ci] }, { name: ${STRICT}, groups: [ci] }]\nconnections:${connections.join("")}\n`;
}

function templateOf(set: SetName): string {
  return `template_${set}`;
}

/** For whatever leaves nothing behind. */
export function sharedOf(set: SetName): string {
  return `shared_${set}`;
}

export async function makeDatabase(server: Postgres, name: string, set: SetName): Promise<void> {
  await server.query(`CREATE DATABASE ${name} TEMPLATE ${templateOf(set)} STRATEGY file_copy`);
}

export async function dropDatabase(server: Postgres, name: string): Promise<void> {
  await server.query(`DROP DATABASE ${name} WITH (FORCE)`);
}

const SPEAKER = [
  process.execPath,
  "--disable-warning=ExperimentalWarning",
  fileURLToPath(new URL("./speaker.ts", import.meta.url)),
];
const SPEAKER_MS = 300_000;

/** As an agent, through the daemon. */
export async function speakAsAgent(
  world: LeakWorld,
  version: Version,
  talks: readonly Talk[],
  agent = "ci",
): Promise<readonly TalkReport[]> {
  const { port } = world.server(version);
  const input = JSON.stringify({ host: "127.0.0.1", port, user: "agent", talks } satisfies SpeakerJob);
  const words = ["run", "--quiet", "--as", agent, "--", ...SPEAKER];
  return reported(talks, await world.daemon.cli(words, { input, timeoutMs: SPEAKER_MS }));
}

/** At the server itself, as its superuser: the control. */
export async function speakDirect(
  world: LeakWorld,
  version: Version,
  talks: readonly Talk[],
): Promise<readonly TalkReport[]> {
  const { socketFolder: host, port } = world.server(version);
  const input = JSON.stringify({ host, port, user: "postgres", talks } satisfies SpeakerJob);
  const [node = "", ...args] = SPEAKER;
  return reported(talks, await capture(node, args, { input, timeoutMs: SPEAKER_MS }));
}

function reported(
  talks: readonly Talk[],
  { stdout, stderr }: { readonly stdout: string; readonly stderr: string },
): readonly TalkReport[] {
  const reports = JSON.parse(stdout || "[]") as TalkReport[];
  if (reports.length !== talks.length)
    throw new Error(`${reports.length} of ${talks.length} talks came back: ${stderr}`);
  return reports;
}
