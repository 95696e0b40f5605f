/** An append-only file written in whole buffers. Knows nothing of what the bytes mean. */
import { closeSync, constants, fdatasync, fstatSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { open as openFile } from "node:fs/promises";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { codeOf } from "../base/errors.ts";

export interface Segment {
  readonly file: string;
  /** Bytes in the file. */
  readonly size: number;
  /**
   * Appends all of `bytes` before it returns (to the page cache: survives the death of the process, not
   * of the machine). Throws on any error (ENOSPC, EIO) with nothing of `bytes` left in the file, or, if
   * even that fails, with the segment `broken`.
   */
  write(bytes: Uint8Array): void;
  /** A torn tail could not be cut off: nothing may be appended any more. */
  readonly broken: boolean;
  /** For whoever appends while it is lent; it says `appended` then. */
  readonly fd: number;
  /** Somebody else has appended up to `size`; `isTorn`: and could not cut off what went wrong behind. */
  appended(size: number, isTorn: boolean): void;
  /** Resolves when all that was written before is on the disk, with the file's name. Rejects with errno errors. */
  sync(): Promise<void>;
  /** A sync that runs is waited for by itself. */
  close(): void;
}

const syncData = promisify(fdatasync);

/** How bytes reach a descriptor; tests put a failing one here. */
export type WriteBytes = (fd: number, bytes: Uint8Array, offset: number, length: number) => number;

/** Opens `file` for appending with mode 0600; `create` demands that it is new. Throws errno errors. */
export function openSegment(file: string, how: "create" | "append", writeBytes: WriteBytes = writeSync): Segment {
  const { O_WRONLY, O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const fd = openSync(file, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | (how === "create" ? O_EXCL : 0), 0o600);
  let size = how === "create" ? 0 : fstatSync(fd).size;
  let broken = false;
  let open = true;
  let syncing = 0;
  let isNamed = how === "append";

  function release(): void {
    if (!open && syncing === 0) closeSync(fd);
  }

  return {
    file,
    get size() {
      return size;
    },
    get broken() {
      return broken;
    },
    write(bytes) {
      if (broken) throw new Error(`Cannot append to ${file}: an earlier write left it torn`);
      try {
        writeAll(fd, bytes, writeBytes);
      } catch (error) {
        // Part of it may be there. Whatever follows a torn record could not be read: cut it off.
        try {
          ftruncateSync(fd, size);
        } catch {
          broken = true;
        }
        throw error;
      }
      size += bytes.length;
    },
    fd,
    appended(now, isTorn) {
      size = now;
      broken ||= isTorn;
    },
    async sync() {
      if (!open) throw new Error(`Cannot sync ${file}: it is closed`);
      syncing += 1;
      try {
        await syncData(fd);
        if (!isNamed) await syncFolder(dirname(file));
        isNamed = true;
      } finally {
        syncing -= 1;
        release();
      }
    },
    close() {
      if (!open) return;
      open = false;
      release();
    },
  };
}

/** A file's name is its folder's data. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await openFile(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function writeAll(fd: number, bytes: Uint8Array, writeBytes: WriteBytes): void {
  let done = 0;
  while (done < bytes.length) {
    try {
      const written = writeBytes(fd, bytes, done, bytes.length - done);
      if (written === 0) throw new Error("Cannot append: the file accepts no bytes");
      done += written;
    } catch (error) {
      if (codeOf(error) !== "EINTR") throw error;
    }
  }
}
