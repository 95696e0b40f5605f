import assert from "node:assert/strict";
import { closeSync, readFileSync, statSync, symlinkSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { openSegment } from "../../src/store/segment.ts";
import { folder, fullDisk } from "./folder.ts";

const text = (file: string) => readFileSync(file, "latin1");

test("a segment appends, counts its bytes and is for the owner alone", (t) => {
  const file = join(folder(t), "a");
  const first = openSegment(file, "create");
  first.write(Buffer.from("one "));
  first.close();
  const second = openSegment(file, "append");
  second.write(Buffer.from("two"));
  assert.equal(second.size, 7);
  second.close();
  assert.equal(text(file), "one two");
  assert.equal(statSync(file).mode & 0o777, 0o600);
});

test("a file that is there already is not created, and a symbolic link is not followed", (t) => {
  const dir = folder(t);
  writeFileSync(join(dir, "there"), "");
  symlinkSync(join(dir, "there"), join(dir, "link"));
  assert.throws(() => openSegment(join(dir, "there"), "create"), { code: "EEXIST" });
  assert.throws(() => openSegment(join(dir, "link"), "append"), { code: "ELOOP" });
});

test("short writes and interrupted ones are gone on with", (t) => {
  const file = join(folder(t), "a");
  let calls = 0;
  const segment = openSegment(file, "create", (fd, bytes, offset, length) => {
    calls += 1;
    if (calls % 2 === 0) throw Object.assign(new Error("EINTR"), { code: "EINTR" });
    return writeSync(fd, bytes, offset, Math.min(length, 3));
  });
  segment.write(Buffer.from("0123456789"));
  segment.close();
  assert.equal(text(file), "0123456789");
  assert.equal(calls, 7);
});

test("a write that fails half way leaves nothing of itself, and the next one fits", (t) => {
  const file = join(folder(t), "a");
  const disk = fullDisk(writeSync);
  const segment = openSegment(file, "create", disk.write);
  segment.write(Buffer.from("whole "));
  disk.room = 3;
  assert.throws(() => segment.write(Buffer.from("broken")), { code: "ENOSPC" });
  assert.equal(text(file), "whole ");
  disk.room = 100;
  segment.write(Buffer.from("again"));
  segment.close();
  assert.equal(text(file), "whole again");
  assert.equal(segment.size, 11);
});

test("a segment whose torn tail cannot be cut off takes nothing more", (t) => {
  const file = join(folder(t), "a");
  let at: number | undefined;
  const segment = openSegment(file, "create", (fd) => {
    // The descriptor is gone when the tail is to be cut off: no ftruncate on it can work.
    closeSync(fd);
    at = fd;
    throw Object.assign(new Error("EIO"), { code: "EIO" });
  });
  assert.throws(() => segment.write(Buffer.from("x")), { code: "EIO" });
  assert.notEqual(at, undefined);
  assert.equal(segment.broken, true);
  assert.throws(() => segment.write(Buffer.from("y")), /left it torn/);
});

test("a real device that is full gives ENOSPC", () => {
  const segment = openSegment("/dev/full", "append");
  assert.throws(() => segment.write(Buffer.from("x")), { code: "ENOSPC" });
  segment.close();
});
