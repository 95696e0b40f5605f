/**
 * The real server that says what statements do: two template databases, one of each under observation, and files that
 * show whether a statement got at the server's disk.
 */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Postgres, startPostgres } from "../../kit/postgres.ts";
import type { Statement } from "../corpus/statement.ts";
import { PEOPLE_DDL } from "../people.ts";
import { ROLES, schemaDdl } from "../schemas.ts";
import { Apart } from "./apart.ts";
import type { Effects } from "./effects.ts";
import { FOLDER, MARK, MARKED_FILE } from "./marks.ts";
import { type Files, NEEDS_NO_TRANSACTION, ObservedDatabase } from "./observed.ts";
import { Session, type SessionOptions } from "./session.ts";

const SEARCH_PATHS = { truth: "public,shop,ci,cms,analytics", people: "public,plain" } as const;

export type World = Awaited<ReturnType<typeof makeWorld>>;

export async function makeWorld(version: 15 | 18) {
  const postgres = await startPostgres({
    version,
    password: "unused",
    settings: {
      autovacuum: "off",
      jit: "off",
      log_statement: "none",
      log_min_messages: "log",
      log_min_error_statement: "panic",
      max_prepared_transactions: "4",
      max_wal_size: "4GB",
      wal_level: "logical",
      // Its settings are there from the start then, not when the first function runs.
      shared_preload_libraries: "plpgsql",
    },
  });
  const folder = join(postgres.socketFolder, "writable");
  const optionsOf = (database: string, searchPath: string, name = "subject"): SessionOptions => {
    return { host: postgres.socketFolder, port: postgres.port, database, mark: MARK, name, searchPath };
  };
  const admin = await Session.open(optionsOf("postgres", "public", "admin"));
  const files = filesOf(postgres, folder);
  const observed = new Map<string, ObservedDatabase>();
  const apart = new Map<string, Apart>();
  try {
    await admin.rows(`COPY (SELECT 1) TO PROGRAM 'mkdir -p ${folder}/space'`);
    for (const place of [folder, `${postgres.socketFolder}/data`]) {
      await admin.rows(`COPY (SELECT '${MARK}') TO '${place}/${MARKED_FILE}'`);
      await admin.rows(`COPY (SELECT 1) TO '${place}/${MARK}'`);
    }
    for (const role of ROLES.split(";")) await admin.run(role);
    const schemas = {
      truth: schemaDdl({ file: `${folder}/${MARKED_FILE}`, host: postgres.socketFolder, port: postgres.port }),
      people: PEOPLE_DDL,
    };
    for (const database of ["truth", "people"] as const) {
      const searchPath = SEARCH_PATHS[database];
      const template = `${database}_template`;
      await admin.rows(`CREATE DATABASE ${template}`);
      const maker = await Session.open(optionsOf(template, searchPath));
      const made = await maker.run(schemas[database]);
      await maker.close();
      if (made.error !== undefined) throw new Error(`Cannot make the database ${database}: ${made.error.message}`);
      await admin.rows(`CREATE DATABASE ${database} TEMPLATE ${template}`);
      const options = optionsOf(database, searchPath);
      observed.set(database, await ObservedDatabase.open(options, files));
      apart.set(database, new Apart(admin, { ...options, template }, files));
    }
  } catch (error) {
    await postgres.stop();
    throw error;
  }
  const databaseOf = (name: string) => {
    const database = observed.get(name);
    if (database === undefined) throw new Error(`There is no database ${name}`);
    return database;
  };
  return {
    postgres,
    textOf: (text: string) => text.replaceAll(FOLDER, folder),
    optionsOf: (database: "truth" | "people") => optionsOf(database, SEARCH_PATHS[database]),
    sessionOf: (database: "truth" | "people") => Session.open(optionsOf(database, SEARCH_PATHS[database], "corpus")),
    catalogOf: (name: string) => databaseOf(name).catalog,
    /** What it does when it is run for real. */
    async truthOf(statement: Statement): Promise<Effects> {
      const inPlace = (text: string) => text.replaceAll(FOLDER, folder);
      const { text, before } = statement;
      const own = { ...statement, text: inPlace(text), ...(before ? { before: before.map(inPlace) } : {}) };
      const alone = apart.get(own.database);
      if (own.apart && alone !== undefined) return alone.observe(own);
      const effects = await databaseOf(own.database).observe({
        text: own.text,
        values: own.values,
        isCode: own.source === "every function" || own.source === "every setting",
      });
      const needsNone = effects.outcome === "failed" && NEEDS_NO_TRANSACTION.has(effects.error?.code ?? "");
      return needsNone && alone !== undefined ? alone.observe(own) : effects;
    },
    /** A database of captured statements, which are run one after the other for good. */
    follow: (database: string) => ObservedDatabase.open(optionsOf(database, "public"), files),
    async stop(): Promise<void> {
      for (const database of observed.values()) await database.close();
      await admin.close();
      await postgres.stop();
    },
  };
}

function filesOf({ socketFolder }: Postgres, folder: string): Files {
  const configuration = join(socketFolder, "data/postgresql.auto.conf");
  const state = (file: string) => {
    const { mtimeMs, size, ino } = statSync(file);
    return `${file} ${ino} ${size} ${mtimeMs}`;
  };
  return {
    digest: () => [configuration, ...readdirSync(folder).map((name) => join(folder, name))].map(state).join("\n"),
  };
}
