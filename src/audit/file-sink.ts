/** JSON lines to a file that a SIEM's agent reads: rotated by size, opened anew when somebody else rotates it. */
import { execFileSync } from "node:child_process";
import {
  chownSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { messageOf, UserError } from "../base/errors.ts";
import { EVENT_BYTES_MAX, USER_LOOKUP_WAIT_MS } from "../base/limits.ts";
import type { FileTarget } from "../model/sink.ts";
import { openSegment, type Segment, type WriteBytes } from "../store/segment.ts";
import type { Message, Outcome, Sink } from "./sink.ts";

/** Throws SINK_GROUP. */
export function createFileSink(target: FileTarget, writeBytes?: WriteBytes): Sink {
  const { path, bytesMax, keep, group } = target;
  const gid = group === undefined ? undefined : gidOf(group);
  let segment: Segment | undefined;
  let inode = 0;

  /** The file of that name, whoever made it. A line that a crash tore is cut off. */
  function open(): Segment {
    if (segment !== undefined && !segment.broken && inodeOf(path) === inode) return segment;
    segment?.close();
    segment = undefined;
    cutTorn(path);
    const opened = openSegment(path, "append", writeBytes);
    if (gid !== undefined && opened.size === 0) giveTo(path, gid);
    inode = inodeOf(path) ?? 0;
    segment = opened;
    return opened;
  }

  function rotate(): void {
    segment?.close();
    segment = undefined;
    rmSync(`${path}.${keep}`, { force: true });
    for (let number = keep - 1; number >= 1; number--) renameIfThere(`${path}.${number}`, `${path}.${number + 1}`);
    if (keep > 0) renameIfThere(path, `${path}.1`);
    else rmSync(path, { force: true });
  }

  return {
    async deliver(batch: readonly Message[]): Promise<Outcome> {
      try {
        const lines = Buffer.from(batch.map(({ text }) => `${text}\n`).join(""));
        const { size } = open();
        if (size > 0 && size + lines.length > bytesMax) rotate();
        open().write(lines);
        return { kind: "taken" };
      } catch (error) {
        return { kind: "failed", reason: messageOf(error) };
      }
    },
    close() {
      segment?.close();
      segment = undefined;
    },
  };

  /** Made here, so that it is never readable for others, and for the group where one is set. */
  function cutTorn(file: string): void {
    const { O_RDWR, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
    const fd = openSync(file, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
    try {
      const stat = fstatSync(fd);
      if (!stat.isFile()) throw new Error(`${file} is no regular file`);
      const { size } = stat;
      if (size === 0) fchmodSync(fd, gid === undefined ? 0o600 : 0o640);
      const tail = Buffer.alloc(Math.min(size, 4 * EVENT_BYTES_MAX));
      readSync(fd, tail, 0, tail.length, size - tail.length);
      const end = tail.lastIndexOf(0x0a) + 1;
      if (end > 0 && end < tail.length) ftruncateSync(fd, size - tail.length + end);
      if (end === 0 && tail.length === size) ftruncateSync(fd, 0);
    } finally {
      closeSync(fd);
    }
  }
}

/** The service lacks CAP_CHOWN on purpose: it may give files to its own groups only. */
function giveTo(path: string, gid: number): void {
  try {
    chownSync(path, -1, gid);
  } catch (cause) {
    const remedy = "where systemd runs the daemon, add SupplementaryGroups= of that group to its unit";
    throw new Error(`Cannot give ${path} to group ${gid}: ${messageOf(cause)}; ${remedy}`, { cause });
  }
}

function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}

function renameIfThere(from: string, to: string): void {
  if (inodeOf(from) !== undefined) renameSync(from, to);
}

/** By the host's name services. */
function gidOf(group: string): number {
  if (/^[0-9]+$/.test(group)) return Number(group);
  try {
    const row = execFileSync("getent", ["group", group], { encoding: "utf8", timeout: USER_LOOKUP_WAIT_MS });
    return Number(row.split(":")[2]);
  } catch (cause) {
    const remedy = "Make the group, or name another one";
    throw new UserError("SINK_GROUP", `Cannot find the group ${group} of a sink`, remedy, { cause });
  }
}
