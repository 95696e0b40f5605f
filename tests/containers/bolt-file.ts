/** Writes bbolt files page by page, as podman's database looks to a reader; also wrong ones. */
import { writeFileSync } from "node:fs";

export const PAGE = 4096;

type Entry = { readonly key: string; readonly value: Buffer; readonly bucket?: true };

/** Two meta pages, then the pages given, from number 2 on. */
export function writeBolt(
  file: string,
  pages: readonly Buffer[],
  metas: readonly { readonly root: bigint; readonly commit: bigint; readonly checksum?: bigint }[],
): void {
  writeFileSync(file, Buffer.concat([...metas.map((meta, at) => metaPage(BigInt(at), meta)), ...pages]));
}

export function leaf(id: number, entries: readonly Entry[], size = PAGE): Buffer {
  const page = Buffer.alloc(size);
  page.writeBigUInt64LE(BigInt(id), 0);
  page.writeUInt16LE(0x02, 8);
  page.writeUInt16LE(entries.length, 10);
  page.writeUInt32LE(size / PAGE - 1, 12);
  let data = 16 + entries.length * 16;
  for (const [index, { key, value, bucket }] of entries.entries()) {
    const at = 16 + index * 16;
    page.writeUInt32LE(bucket === true ? 1 : 0, at);
    page.writeUInt32LE(data - at, at + 4);
    page.writeUInt32LE(key.length, at + 8);
    page.writeUInt32LE(value.length, at + 12);
    page.write(key, data);
    value.copy(page, data + key.length);
    data += key.length + value.length;
  }
  return page;
}

export function branch(id: number, children: readonly { readonly key: string; readonly page: number }[]): Buffer {
  const page = Buffer.alloc(PAGE);
  page.writeBigUInt64LE(BigInt(id), 0);
  page.writeUInt16LE(0x01, 8);
  page.writeUInt16LE(children.length, 10);
  let data = 16 + children.length * 16;
  for (const [index, child] of children.entries()) {
    const at = 16 + index * 16;
    page.writeUInt32LE(data - at, at);
    page.writeUInt32LE(child.key.length, at + 4);
    page.writeBigUInt64LE(BigInt(child.page), at + 8);
    page.write(child.key, data);
    data += child.key.length;
  }
  return page;
}

/** A bucket's value: the page of its root, or 0 and its only page right behind. */
export function bucket(root: number, inline: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(16);
  head.writeBigUInt64LE(BigInt(root), 0);
  return Buffer.concat([head, inline]);
}

/** As small as an inline page is. */
export function inlineLeaf(entries: readonly Entry[]): Buffer {
  const bytes = 16 + entries.reduce((sum, { key, value }) => sum + 16 + key.length + value.length, 0);
  return leaf(0, entries, PAGE).subarray(0, bytes);
}

function metaPage(id: bigint, { root, commit, checksum }: { root: bigint; commit: bigint; checksum?: bigint }): Buffer {
  const page = Buffer.alloc(PAGE);
  page.writeBigUInt64LE(id, 0);
  page.writeUInt16LE(0x04, 8);
  const meta = page.subarray(16);
  for (const [at, value] of [0xed0cdaed, 2, PAGE, 0].entries()) meta.writeUInt32LE(value, at * 4);
  for (const [at, value] of [root, 0n, 0n, 99n, commit].entries()) meta.writeBigUInt64LE(value, 16 + at * 8);
  let hash = 0xcbf29ce484222325n;
  for (const byte of meta.subarray(0, 56)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  meta.writeBigUInt64LE(checksum ?? hash, 56);
  return page;
}
