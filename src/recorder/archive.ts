/**
 * Compresses segments that are closed, one after the other, beside the data path. A recording is complete at any
 * instant: the raw file goes once the compressed one has its name.
 */
import { constants } from "node:fs";
import { open, readFile, rename, unlink } from "node:fs/promises";
import { promisify } from "node:util";
import { zstdCompress } from "node:zlib";
import { codeOf, messageOf } from "../base/errors.ts";
import { ARCHIVE_WAITING_MAX } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import { compressedName, freshName, skippableFrame } from "./files.ts";
import { beginningOf } from "./segment.ts";

export interface Archive {
  /** Queued; one that does not fit stays raw, which readers know as well. */
  add(file: string): void;
  readonly waiting: number;
  /** What was added before is compressed, or was told to the log. */
  settled(): Promise<void>;
}

const compress = promisify(zstdCompress);

export function createArchive(log: Log): Archive {
  const queue: string[] = [];
  let running: Promise<void> | undefined;

  async function drain(): Promise<void> {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      await archive(file).catch((error: unknown) =>
        log.warn("Cannot compress a segment; it stays as it is", { file: String(file), error: messageOf(error) }),
      );
    }
  }

  return {
    add(file) {
      if (queue.length >= ARCHIVE_WAITING_MAX) return;
      queue.push(file);
      running ??= drain().finally(() => {
        running = undefined;
      });
    },
    get waiting() {
      return queue.length + (running === undefined ? 0 : 1);
    },
    async settled() {
      while (running !== undefined) await running;
    },
  };
}

async function archive(file: string): Promise<void> {
  const raw = await readFile(file);
  const compressed = await compress(raw);
  const fresh = freshName(file);
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;
  const handle = await open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o600);
  try {
    await handle.writeFile(Buffer.concat([skippableFrame(beginningOf(raw)), compressed]));
    await handle.sync();
  } catch (error) {
    await unlink(fresh).catch(() => undefined);
    throw error;
  } finally {
    await handle.close();
  }
  await rename(fresh, compressedName(file));
  await unlink(file).catch(async (error: unknown) => {
    if (codeOf(error) !== "ENOENT") throw error;
    await unlink(compressedName(file)); // the recording was deleted meanwhile, and must not come back
  });
}
