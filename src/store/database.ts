/**
 * SQLite behind promises: one connection, one call at a time in the order of arrival, so that a
 * transaction never mixes with another caller's statements. Knows no table.
 */
import { chmodSync, closeSync, constants, fchmodSync, mkdirSync, openSync, statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import sqlite3 from "sqlite3";
import { codeOf, messageOf, UserError } from "../base/errors.ts";
import { DATABASE_WAITING_MAX, STORE_CHECKED_BYTES_MAX, STORE_ROOM_BYTES_MIN } from "../base/limits.ts";

export type SqlValue = string | number | Uint8Array | null;

/** What statements may be run with, inside or outside a transaction. */
export interface Statements {
  /** Runs one statement; returns the number of rows it changed. */
  run(sql: string, values?: readonly SqlValue[]): Promise<number>;
  /** The shape of a row is the caller's promise about its own SQL. */
  all<Row>(sql: string, values?: readonly SqlValue[]): Promise<Row[]>;
  one<Row>(sql: string, values?: readonly SqlValue[]): Promise<Row | undefined>;
  /** Several statements without values. */
  script(sql: string): Promise<void>;
}

export interface Database extends Statements {
  /** All or nothing: whatever `work` throws rolls back and is thrown again. */
  transaction<Result>(work: (inside: Statements) => Promise<Result>): Promise<Result>;
  /** Ends the call that runs now with SQLITE_INTERRUPT; those that wait go on. */
  interrupt(): void;
  /** Waits for what was asked before, then closes. */
  close(): Promise<void>;
}

/** How long another process (sqlite3 at the prompt, a backup) may hold the file. */
const BUSY_MS = 5_000;

/** Opens or makes `file` with mode 0600 in a folder made with mode 0700. */
export async function openDatabase(file: string): Promise<Database> {
  try {
    preparePrivateFile(file);
    requireRoom(file);
  } catch (cause) {
    throw cause instanceof UserError ? cause : unusable(file, cause);
  }
  const handle = await openHandle(file);
  const raw = statementsOf(handle, file);
  try {
    handle.configure("busyTimeout", BUSY_MS);
    await raw.script(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON",
    );
    await check(file, raw);
  } catch (cause) {
    await closeHandle(handle).catch(() => undefined);
    throw cause instanceof UserError ? cause : unusable(file, cause);
  }
  return queued(handle, raw);
}

/** A folder that others could write to would let them put their own database in our place. */
export function preparePrivateFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { mode, uid } = statSync(folder);
  if ((mode & 0o022) !== 0 || (uid !== process.getuid?.() && uid !== 0)) {
    throw new UserError(
      "STORE_FOLDER_MODE",
      `Cannot keep state in ${folder}: others may write there (mode ${(mode & 0o7777).toString(8)}, owner ${uid})`,
      `Make it private: chmod 0700 ${folder}, owned by the user of the daemon`,
    );
  }
}

function preparePrivateFile(file: string): void {
  preparePrivateFolder(dirname(file));
  // SQLite would make a new one of it without a word, and tags, quarantines and connections were gone.
  if (statSync(file, { throwIfNoEntry: false })?.size === 0)
    throw damaged(`Cannot open the database ${file}: it is empty`);
  const fd = openSync(file, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  try {
    fchmodSync(fd, 0o600);
  } finally {
    closeSync(fd);
  }
  // SQLite gives these the mode of the database; left-overs of a copy or a restore may differ.
  for (const side of [`${file}-wal`, `${file}-shm`]) {
    if (statSync(side, { throwIfNoEntry: false }) !== undefined) chmodSync(side, 0o600);
  }
}

function openHandle(file: string): Promise<sqlite3.Database> {
  return new Promise((resolve, reject) => {
    const handle = new sqlite3.Database(file, sqlite3.OPEN_READWRITE | sqlite3.OPEN_CREATE, (error) =>
      error === null ? resolve(handle) : reject(unusable(file, error)),
    );
  });
}

/** A page that is damaged would be met some day, in the middle of something; it is looked for before anything is begun. */
async function check(file: string, raw: Statements): Promise<void> {
  if (statSync(file).size > STORE_CHECKED_BYTES_MAX) return;
  const found = await raw.one<{ quick_check: string }>("PRAGMA quick_check(1)");
  if (found?.quick_check !== "ok") throw damaged(`Cannot use the database ${file}: ${found?.quick_check ?? ""}`);
}

function unusable(file: string, cause: unknown): UserError {
  return known(`Cannot open the database ${file}`, cause) ?? inaccessible(`Cannot open the database ${file}`, cause);
}

/** What a person can mend; undefined: something else. */
function known(what: string, cause: unknown): UserError | undefined {
  switch (codeOf(cause)) {
    case "SQLITE_NOTADB":
    case "SQLITE_CORRUPT":
      return damaged(`${what}: ${messageOf(cause)}`, cause);
    case "SQLITE_FULL":
      return new UserError("STORE_FULL", `${what}: ${messageOf(cause)}`, FULL_REMEDY, { cause });
    case "SQLITE_IOERR":
    case "SQLITE_READONLY":
      return inaccessible(what, cause);
    default:
      return undefined;
  }
}

/**
 * SQLite maps `<file>-shm` and writes to it as memory. Where the disk has no room for that, the kernel ends the process
 * by SIGBUS, which nobody can tell a person about: 2 of 51 starts on a full ext4 with blocks of 1 KiB.
 */
function requireRoom(file: string): void {
  const { bavail, bsize } = statfsSync(dirname(file));
  if (bavail * bsize >= STORE_ROOM_BYTES_MIN) return;
  const message = `Cannot open the database ${file}: the disk is full, ${bavail * bsize} bytes are left`;
  throw new UserError("STORE_FULL", message, FULL_REMEDY);
}

const FULL_REMEDY = "Make room on the disk of the state folder; what it holds already is not lost";

function damaged(message: string, cause?: unknown): UserError {
  return new UserError("STORE_DAMAGED", message, DAMAGE_REMEDY, { cause });
}

const DAMAGE_REMEDY =
  "Stop the daemon, restore the file from a backup or move it away with its -wal and -shm, and start again: recordings are whole, and the index of sessions is rebuilt from them; connections, tags and quarantines made by command must be made again";

function inaccessible(what: string, cause: unknown): UserError {
  const remedy = "Check that the file and its folder are writable for the daemon and that the disk has room";
  return new UserError("STORE_UNUSABLE", `${what}: ${messageOf(cause)}`, remedy, { cause });
}

function closeHandle(handle: sqlite3.Database): Promise<void> {
  return new Promise((resolve, reject) => handle.close((error) => (error === null ? resolve() : reject(error))));
}

function statementsOf(handle: sqlite3.Database, file: string): Statements {
  const failed = (error: Error) => known(`Cannot use the database ${file}`, error) ?? error;
  return {
    run: (sql, values = []) =>
      new Promise((resolve, reject) => {
        handle.run(sql, [...values], function (error) {
          if (error === null) resolve(this.changes);
          else reject(failed(error));
        });
      }),
    all: <Row>(sql: string, values: readonly SqlValue[] = []) =>
      new Promise<Row[]>((resolve, reject) => {
        handle.all<Row>(sql, [...values], (error, rows) => (error === null ? resolve(rows) : reject(failed(error))));
      }),
    one: <Row>(sql: string, values: readonly SqlValue[] = []) =>
      new Promise<Row | undefined>((resolve, reject) => {
        handle.get<Row | undefined>(sql, [...values], (error, row) =>
          error === null ? resolve(row) : reject(failed(error)),
        );
      }),
    script: (sql) =>
      new Promise((resolve, reject) => {
        handle.exec(sql, (error) => (error === null ? resolve() : reject(failed(error))));
      }),
  };
}

function queued(handle: sqlite3.Database, raw: Statements): Database {
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  let closing: Promise<void> | undefined;

  function inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    if (closing !== undefined) return Promise.reject(new Error("Cannot use the database: it is closed"));
    if (waiting >= DATABASE_WAITING_MAX) {
      return Promise.reject(
        new UserError("STORE_BUSY", "Cannot ask the database: too many calls wait for it", "Try again in a moment"),
      );
    }
    waiting += 1;
    const result = last.then(work).finally(() => {
      waiting -= 1;
    });
    last = result.catch(() => undefined);
    return result;
  }

  return {
    run: (sql, values) => inTurn(() => raw.run(sql, values)),
    all: <Row>(sql: string, values?: readonly SqlValue[]) => inTurn(() => raw.all<Row>(sql, values)),
    one: <Row>(sql: string, values?: readonly SqlValue[]) => inTurn(() => raw.one<Row>(sql, values)),
    script: (sql) => inTurn(() => raw.script(sql)),
    transaction: (work) =>
      inTurn(async () => {
        await raw.run("BEGIN IMMEDIATE");
        try {
          const result = await work(raw);
          await raw.run("COMMIT");
          return result;
        } catch (error) {
          // SQLite may have rolled back by itself (disk full); then this has nothing to do.
          await raw.run("ROLLBACK").catch(() => undefined);
          throw error;
        }
      }),
    interrupt: () => {
      if (waiting > 0 && closing === undefined) handle.interrupt();
    },
    close: () => {
      closing ??= last.then(() => closeHandle(handle));
      return closing;
    },
  };
}
