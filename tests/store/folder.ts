/** A folder of the test's own that goes with the test, and the world that parts of floor 3 and 4 are given. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Clock } from "../../src/base/clock.ts";
import type { Log } from "../../src/base/log.ts";

export function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "sallyport-test-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A log that keeps its lines. */
export function quietLog(): Log & { readonly lines: string[] } {
  const lines: string[] = [];
  const at = (level: string) => (message: string) => {
    lines.push(`${level} ${message}`);
  };
  return { lines, debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** A clock that moves when the test says so. */
export function handClock(nowMs = Date.UTC(2026, 0, 31, 12)): Clock & { nowMs(): number; advance(ms: number): void } {
  let now = nowMs;
  return {
    nowMs: () => now,
    advance: (ms) => {
      now += ms;
    },
  };
}

/** Takes bytes until `room` is used up, then refuses like a full disk: half of a buffer may have gone through. */
export function fullDisk(write: (fd: number, bytes: Uint8Array, offset: number, length: number) => number) {
  const disk = {
    room: Number.POSITIVE_INFINITY,
    writes: 0,
    write(fd: number, bytes: Uint8Array, offset: number, length: number): number {
      disk.writes += 1;
      const taken = Math.min(length, disk.room);
      if (taken === 0) throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
      disk.room -= taken;
      return write(fd, bytes, offset, taken);
    },
  };
  return disk;
}
