/**
 * One daemon for one state folder: two would declare each other's recordings interrupted and guard the same cgroups
 * twice. A lock that the kernel holds for us, so that it ends with the process however that ends.
 */
import { join } from "node:path";
import sqlite3 from "sqlite3";
import { codeOf, messageOf, UserError } from "../base/errors.ts";
import { preparePrivateFolder } from "./database.ts";

export interface StateLock {
  release(): Promise<void>;
}

/** A daemon that goes down may still hold it for a moment. */
const BUSY_MS = 1_000;

/** Takes `<stateDir>/daemon.lock`, an SQLite file that stays empty. Throws DAEMON_RUNNING, STORE_FOLDER_MODE, STORE_UNUSABLE. */
export async function lockState(stateDir: string): Promise<StateLock> {
  preparePrivateFolder(stateDir);
  try {
    const handle = await open(join(stateDir, "daemon.lock"));
    const release = () => new Promise<void>((resolve) => handle.close(() => resolve()));
    try {
      handle.configure("busyTimeout", BUSY_MS);
      await begin(handle);
    } catch (error) {
      await release();
      throw error;
    }
    return { release };
  } catch (cause) {
    throw codeOf(cause) === "SQLITE_BUSY"
      ? new UserError(
          "DAEMON_RUNNING",
          `Cannot use ${stateDir}: another daemon keeps its state there`,
          "Stop that one (sallyport --run ITS_FOLDER down), or name another folder with --state",
          { cause },
        )
      : new UserError(
          "STORE_UNUSABLE",
          `Cannot lock ${stateDir}: ${messageOf(cause)}`,
          "Check that the folder is writable for the daemon and that the disk has room",
          { cause },
        );
  }
}

function open(file: string): Promise<sqlite3.Database> {
  return new Promise((resolve, reject) => {
    const handle = new sqlite3.Database(file, (error) => (error === null ? resolve(handle) : reject(error)));
  });
}

function begin(handle: sqlite3.Database): Promise<void> {
  return new Promise((resolve, reject) => {
    handle.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE", (error) =>
      error === null ? resolve() : reject(error),
    );
  });
}
