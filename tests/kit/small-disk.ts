/**
 * A real file system of a few MiB that a test can fill to the byte and empty again: ext4 on a loop device, or, where
 * loop devices cannot be had, a tmpfs. Gone after `remove`, and when the test process ends.
 */
import { spawnSync } from "node:child_process";
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Of its files' sizes: a record that fits into the rest of a block needs no room. */
export const BLOCK_BYTES = 1_024;

export class SmallDisk {
  /** Where it is mounted. */
  readonly folder: string;
  /** What it is, and why. */
  readonly kind: string;
  readonly #base: string;
  readonly #filler: string;

  constructor(bytes: number) {
    this.#base = mkdtempSync(join(tmpdir(), "sallyport-disk-"));
    this.folder = join(this.#base, "mounted");
    this.#filler = join(this.folder, "filler");
    mkdirSync(this.folder);
    process.once("exit", this.remove);
    const problem = mountLoop(join(this.#base, "image"), this.folder, bytes);
    if (problem === undefined) {
      this.kind = "ext4 on a loop device";
      return;
    }
    const memory = run("mount", ["-t", "tmpfs", "-o", `size=${bytes},mode=0755`, "sallyport-test", this.folder]);
    if (memory !== undefined) throw new Error(`Cannot mount a small file system: ${problem}; ${memory}`);
    this.kind = `tmpfs, since ext4 on a loop device failed: ${problem}`;
  }

  /** Takes all the room but for `leaveBytes`. */
  fill(leaveBytes = 0): void {
    this.empty();
    const fd = openSync(this.#filler, "ax");
    let size = 0;
    for (const length of [64 * BLOCK_BYTES, BLOCK_BYTES]) size += fillWith(fd, Buffer.alloc(length, "x"));
    ftruncateSync(fd, Math.max(0, size - leaveBytes));
    closeSync(fd);
  }

  /** Gives the room back. */
  empty(): void {
    rmSync(this.#filler, { force: true });
  }

  readonly remove = (): void => {
    process.off("exit", this.remove);
    spawnSync("umount", [this.folder]);
    rmSync(this.#base, { recursive: true, force: true });
  };
}

function mountLoop(image: string, folder: string, bytes: number): string | undefined {
  writeFileSync(image, "");
  truncateSync(image, bytes);
  // Without a reserve for root, or the daemon would not see it full.
  const made = run("mkfs.ext4", ["-q", "-F", "-m", "0", "-b", String(BLOCK_BYTES), "-N", "512", image]);
  return made ?? run("mount", ["-o", "loop", image, folder]);
}

function run(program: string, args: readonly string[]): string | undefined {
  const { status, stderr, error } = spawnSync(program, args, { encoding: "utf8" });
  return status === 0 ? undefined : `${program}: ${error?.message ?? stderr.trim()}`;
}

/** Appends until the disk takes no more; how much it took. */
function fillWith(fd: number, chunk: Buffer): number {
  for (let size = 0; ; ) {
    try {
      const written = writeSync(fd, chunk);
      size += written;
      if (written < chunk.length) return size;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOSPC") return size;
      throw error;
    }
  }
}
