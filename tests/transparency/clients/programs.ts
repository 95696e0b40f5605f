/** Clients that are one program with a script: psql and drivers of several languages. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { capture } from "../../kit/daemon.ts";
import type { Side, Sides } from "../sides.ts";
import { type Client, PROGRAMS, program } from "./client.ts";

const PSQL_DATA = "1\tone\n2\ttwo\n\\.\n";
const JDBC = "/usr/share/java/postgresql.jar";
/** Compilers are given time on a busy machine. */
const COMPILE_LIMIT_MS = 300_000;

export const PROGRAM_CLIENTS: readonly Client[] = [
  program(
    {
      name: "psql",
      what: "a script of 90 lines: descriptions, \\gset, \\gexec, \\gdesc, \\copy, FETCH_COUNT, ON_ERROR_ROLLBACK, formats, errors",
      packages: [],
      isQuick: true,
    },
    () => ["psql", "-X", "-f", join(PROGRAMS, "script.sql")],
    {
      input: PSQL_DATA,
      // psql shows which process has sent a notification.
      alike: (text) => text.replaceAll(/(received from server process with PID) \d+/g, "$1 N"),
    },
  ),
  program(
    {
      name: "node pg",
      what: "parameters of many types, named statements, binary results, queued queries, a pool, notifications",
      packages: [],
      isQuick: true,
    },
    () => [process.execPath, "--no-deprecation", join(PROGRAMS, "node-pg.mjs")],
  ),
  program(
    {
      name: "psycopg2",
      what: "executemany, execute_values, named and scrolling cursors, copies, asynchronous, two-phase commit, cancel",
      packages: [],
      isQuick: true,
    },
    () => ["/usr/bin/python3", join(PROGRAMS, "psycopg2-client.py")],
  ),
  program(
    {
      name: "psycopg 3",
      what: "pipelines, prepared statements by threshold, binary values and copies, server-side cursors, asyncio, cancel",
      packages: ["python3-psycopg"],
      isQuick: false,
    },
    () => ["/usr/bin/python3", join(PROGRAMS, "psycopg3-client.py")],
  ),
  program(
    {
      name: "JDBC",
      what: "DefaultJavaSSLFactory and verify-full; four query modes, batches, fetch sizes, copies, metadata, updatable results",
      packages: ["default-jdk-headless", "libpostgresql-jdbc-java"],
      isQuick: false,
    },
    async (sides, side) => [
      "java",
      ...(await trustOf(sides, side)),
      "-cp",
      `${await compiledJava(sides)}:${JDBC}`,
      "JdbcClient",
    ],
    { stderr: "ignored" },
  ),
  program(
    {
      name: "Go lib/pq",
      what: "text and binary parameters, database/sql with transactions, CopyIn, contexts that end, 40 goroutines, a listener",
      packages: ["golang", "golang-github-lib-pq-dev"],
      isQuick: false,
    },
    async (sides) => [await compiledGo(sides)],
  ),
  program(
    {
      name: "PHP PDO and pgsql",
      what: "real and emulated prepares, scrolling cursors, large values, copies from arrays, asynchronous results",
      packages: ["php-cli", "php-pgsql"],
      isQuick: false,
    },
    () => ["php", join(PROGRAMS, "php-client.php")],
  ),
  program(
    {
      name: "Ruby pg",
      what: "typed results, single rows, pipeline mode, copies, cancel, notifications",
      packages: ["ruby", "ruby-pg"],
      isQuick: false,
    },
    () => ["ruby", join(PROGRAMS, "ruby-client.rb")],
  ),
];

/** Direct runs trust the server's own authority by a store that keytool makes; agents have what `run` gives them. */
async function trustOf(sides: Sides, side: Side): Promise<readonly string[]> {
  if (side.name !== "direct") return [];
  const store = join(sides.folder, "trusted.p12");
  const words = ["-keystore", store, "-storepass", "changeit", "-file", side.postgres.caFile ?? ""];
  if (!existsSync(store)) await must("keytool", ["-importcert", "-noprompt", "-alias", "ca", ...words]);
  return [`-Djavax.net.ssl.trustStore=${store}`, "-Djavax.net.ssl.trustStorePassword=changeit"];
}

async function compiledJava({ folder }: Sides): Promise<string> {
  const classes = join(folder, "classes");
  if (!existsSync(classes)) await must("javac", ["-cp", JDBC, "-d", classes, join(PROGRAMS, "JdbcClient.java")]);
  return classes;
}

async function compiledGo({ folder }: Sides): Promise<string> {
  const file = join(folder, "go-client");
  const env = { ...process.env, GO111MODULE: "off", GOPATH: "/usr/share/gocode", GOCACHE: join(folder, "go-cache") };
  if (!existsSync(file)) await must("go", ["build", "-o", file, join(PROGRAMS, "go-client.go")], env);
  return file;
}

async function must(file: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<void> {
  const { code, stderr } = await capture(file, args, { timeoutMs: COMPILE_LIMIT_MS, env });
  if (code !== 0) throw new Error(`${file} ended with ${code}: ${stderr}`);
}
