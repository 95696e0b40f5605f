/**
 * Reads one value of a bbolt database while its owner may be writing, without its lock: podman holds locks while it
 * starts a container, and our hook is a part of that start. Pages in use are never overwritten before the second
 * commit after them, so what was read under one and the same newest commit is whole. Never writes.
 * Source: go.etcd.io/bbolt, page.go, node.go, bucket.go, db.go (format version 2).
 */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { BOLT_STEPS_MAX, BOLT_TRIES_MAX, CONTAINER_FILE_BYTES_MAX } from "../base/limits.ts";

const MAGIC = 0xed0cdaed;
const VERSION = 2;
const PAGE_HEADER = 16;
const ELEMENT = 16;
const BRANCH = 0x01;
const LEAF = 0x02;
const IS_BUCKET = 0x01;

/** What lies at `path` (buckets, then a key); undefined where there is none. Throws on damage, or when it never rests. */
export function readBolt(file: string, path: readonly string[]): Buffer | undefined {
  const fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    for (let round = 0; round < BOLT_TRIES_MAX; round++) {
      const before = newestMeta(fd);
      let value: Buffer | undefined;
      let problem: unknown;
      try {
        value = lookUp(new Pages(fd, before.pageBytes), before.root, path);
      } catch (error) {
        problem = error; // torn, perhaps
      }
      if (newestMeta(fd).commit !== before.commit) continue;
      if (problem !== undefined) throw problem;
      return value;
    }
    throw new Error(`Cannot read ${file}: it is written all the time`);
  } finally {
    closeSync(fd);
  }
}

interface Meta {
  readonly pageBytes: number;
  readonly root: bigint;
  readonly commit: bigint;
}

/** Two meta pages are written in turn; the one with a true checksum and the higher number counts. */
function newestMeta(fd: number): Meta {
  const first = metaAt(fd, 0);
  const pageBytes = first?.pageBytes ?? 4096;
  const second = metaAt(fd, pageBytes);
  const newest = first === undefined || (second !== undefined && second.commit > first.commit) ? second : first;
  if (newest === undefined) throw new Error("Cannot read the database: no valid meta page");
  return newest;
}

/** magic, version, page size, flags (u32) | root page, root sequence, freelist, page count, commit, checksum (u64) */
function metaAt(fd: number, at: number): Meta | undefined {
  const bytes = Buffer.alloc(PAGE_HEADER + 64);
  if (readSync(fd, bytes, 0, bytes.length, at) !== bytes.length) return undefined;
  const meta = bytes.subarray(PAGE_HEADER);
  if (meta.readUInt32LE(0) !== MAGIC || meta.readUInt32LE(4) !== VERSION) return undefined;
  if (meta.readBigUInt64LE(56) !== fnv1a(meta.subarray(0, 56))) return undefined;
  const pageBytes = meta.readUInt32LE(8);
  if (pageBytes < 512 || pageBytes > 65_536) return undefined;
  return { pageBytes, root: meta.readBigUInt64LE(16), commit: meta.readBigUInt64LE(48) };
}

/** 64-bit FNV-1a. */
function fnv1a(bytes: Uint8Array): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash;
}

class Pages {
  readonly #fd: number;
  readonly #pageBytes: number;
  readonly #fileBytes: number;
  #steps = 0;

  constructor(fd: number, pageBytes: number) {
    this.#fd = fd;
    this.#pageBytes = pageBytes;
    this.#fileBytes = fstatSync(fd).size;
  }

  read(id: bigint): Buffer {
    if (++this.#steps > BOLT_STEPS_MAX) throw new Error("Cannot read the database: its pages lead too far");
    const at = Number(id) * this.#pageBytes;
    const head = this.#bytes(at, PAGE_HEADER);
    const bytes = (head.readUInt32LE(12) + 1) * this.#pageBytes; // overflow pages follow
    return this.#bytes(at, bytes);
  }

  #bytes(at: number, length: number): Buffer {
    if (length > CONTAINER_FILE_BYTES_MAX || at + length > this.#fileBytes)
      throw new Error("Cannot read a page: bounds");
    const bytes = Buffer.alloc(length);
    if (readSync(this.#fd, bytes, 0, length, at) !== length) throw new Error("Cannot read a page: it ends early");
    return bytes;
  }
}

function lookUp(pages: Pages, root: bigint, path: readonly string[]): Buffer | undefined {
  let page = pages.read(root);
  for (const [index, part] of path.entries()) {
    const found = find(pages, page, Buffer.from(part));
    const last = index === path.length - 1;
    if (found === undefined || found.isBucket === last) return undefined;
    if (last) return found.value;
    const inner = found.value.readBigUInt64LE(0);
    page = inner === 0n ? found.value.subarray(PAGE_HEADER) : pages.read(inner); // a small bucket is inline
  }
  return undefined;
}

/** header: id (u64), flags, count (u16), overflow (u32); then elements of 16 bytes, which point behind themselves. */
function find(pages: Pages, start: Buffer, key: Buffer): { isBucket: boolean; value: Buffer } | undefined {
  let page = start;
  for (;;) {
    const flags = page.readUInt16LE(8);
    const count = page.readUInt16LE(10);
    if ((flags & LEAF) !== 0) return findInLeaf(page, count, key);
    if ((flags & BRANCH) === 0) throw new Error("Cannot read a page: neither leaf nor branch");
    let next: bigint | undefined;
    for (let index = 0; index < count; index++) {
      const at = PAGE_HEADER + index * ELEMENT; // position, key length (u32), page (u64)
      const from = at + page.readUInt32LE(at);
      const childKey = page.subarray(from, from + page.readUInt32LE(at + 4));
      if (next !== undefined && Buffer.compare(childKey, key) > 0) break;
      next = page.readBigUInt64LE(at + 8);
    }
    if (next === undefined) return undefined;
    page = pages.read(next);
  }
}

function findInLeaf(page: Buffer, count: number, key: Buffer): { isBucket: boolean; value: Buffer } | undefined {
  for (let index = 0; index < count; index++) {
    const at = PAGE_HEADER + index * ELEMENT; // flags, position, key length, value length (u32)
    const from = at + page.readUInt32LE(at + 4);
    const keyEnd = from + page.readUInt32LE(at + 8);
    if (!page.subarray(from, keyEnd).equals(key)) continue;
    const end = keyEnd + page.readUInt32LE(at + 12);
    if (end > page.length) throw new Error("Cannot read a page: a value lies outside of it");
    return { isBucket: (page.readUInt32LE(at) & IS_BUCKET) !== 0, value: page.subarray(keyEnd, end) };
  }
  return undefined;
}
