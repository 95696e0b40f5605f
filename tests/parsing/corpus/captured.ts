/**
 * What PostgreSQL's own tools say to a server, taken from the log of a real one: psql with all its \d commands, pg_dump
 * in its forms, pg_restore, pgbench in its protocols, and the small maintenance tools.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Postgres } from "../../kit/postgres.ts";

const run = promisify(execFile);
const BIN = "/usr/lib/postgresql/15/bin";
const TOOL = "tool";

export interface Capture {
  readonly name: string;
  readonly database: string;
  readonly texts: readonly string[];
}

const DESCRIBE = String.raw`\d \dS \d+ \da \dA+ \dAc \dAf \dAo \dAp \db+ \dc+ \dC+ \dconfig \dd \dD+ \ddp \dE+ \des+ \det+ \deu+ \dew+ \df+ \dF+ \dFd \dFp \dFt \dg+ \di+ \dl \dL+ \dm+ \dn+ \do+ \dO+ \dp \dP+ \dPti \drds \dRp+ \dRs+ \ds+ \dt+ \dT+ \du+ \dv+ \dx+ \dX \dy+ \l+ \z \sf shop.note \sv shop.order_overview \ef shop.note \conninfo \encoding \dt shop.* \d shop.* \d+ ci.* \d cms.* \d+ analytics.* \df shop.* \dT+ shop.* \dp ci.* \dX shop.* \lo_list`;

/** Makes `${name}` of the template and lets the tools at it; the log has what they said. */
export async function capture(postgres: Postgres, template: string): Promise<readonly Capture[]> {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-parsing-"));
  const env = { ...process.env, PGHOST: "127.0.0.1", PGPORT: String(postgres.port), PGUSER: TOOL, PGPASSWORD: TOOL };
  const tool = async (name: string, args: readonly string[], database: string) => {
    await run(join(BIN, name), [...args], { env: { ...env, PGDATABASE: database }, maxBuffer: 256 * 1024 * 1024 });
  };
  await postgres.query(
    `CREATE ROLE ${TOOL} SUPERUSER LOGIN PASSWORD '${TOOL}'; ALTER ROLE ${TOOL} SET log_statement = 'all'`,
  );
  const captures: Capture[] = [];
  const taken = async (name: string, database: string, work: () => Promise<void>) => {
    const from = postgres.statements().length;
    await work();
    const texts = postgres
      .statements()
      .slice(from)
      .map(({ text }) => text);
    captures.push({ name, database, texts });
  };
  const fresh = async (name: string, from: string) => {
    await postgres.query(`CREATE DATABASE ${name} TEMPLATE ${from}`);
    return name;
  };
  const dump = join(folder, "dump");
  try {
    const described = await fresh("described", template);
    await taken("psql", described, async () => {
      const commands = DESCRIBE.split(/ (?=\\)/).flatMap((command) => ["-c", command]);
      await tool("psql", ["-X", "--no-psqlrc", ...commands], described).catch(() => undefined);
    });
    await taken("pg_dump", described, async () => {
      await tool("pg_dump", ["-Fc", "-f", dump], described);
      await tool("pg_dump", ["--inserts", "-f", `${dump}.inserts`], described);
      await tool("pg_dump", ["-s", "-f", `${dump}.schema`], described);
    });
    const restored = await fresh("restored", "template0");
    await taken("pg_restore", restored, () =>
      tool("pg_restore", ["-d", restored, "--no-owner", dump], restored).catch(() => undefined),
    );
    const benched = await fresh("benched", "template0");
    await taken("pgbench", benched, async () => {
      await tool("pgbench", ["-i", "-q", "--foreign-keys", "--partitions=2"], benched);
      for (const protocol of ["simple", "extended", "prepared"]) {
        for (const script of ["tpcb-like", "simple-update", "select-only"]) {
          await tool("pgbench", ["-n", "-M", protocol, "-b", script, "-t", "3"], benched);
        }
      }
    });
    const kept = await fresh("kept", template);
    await taken("vacuumdb, reindexdb, clusterdb", kept, async () => {
      await tool("vacuumdb", ["--analyze"], kept);
      await tool("vacuumdb", ["--full", "-t", "shop.orders"], kept);
      await tool("reindexdb", ["-t", "shop.orders"], kept);
      await tool("clusterdb", [], kept);
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return captures;
}
