/**
 * pg_dump, pg_dumpall and pg_restore, which Debian has of version 15. A dump through Sallyport is compared with one of the
 * same database without it, byte by byte. Of a newer server they make none: then their words are compared.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Side, Sides } from "../sides.ts";
import { type Client, linesApart, runOn, sumOf } from "./client.ts";

/** Plain dumps hold a key drawn at random since 15.14; here it is the same each time. */
export const KEY = "--restrict-key=thesameeachtime";
const PLAIN: Readonly<Record<string, readonly string[]>> = {
  "schema only": ["--schema-only"],
  "as inserts": ["--data-only", "--inserts", "--rows-per-insert=50"],
  "as column inserts": ["--data-only", "--column-inserts", "--exclude-table=kind_*"],
  serializable: ["--serializable-deferrable", "--clean", "--if-exists", "--create"],
  "in SQL_ASCII": ["--encoding=SQL_ASCII", "--table=people"],
};

export const DUMP_CLIENTS: readonly Client[] = [
  {
    name: "pg_dump",
    what: "plain and custom; both equal to the direct dump byte for byte",
    packages: [],
    versions: [15],
    isQuick: true,
    differs: async (sides) => (await plainApart(sides, { plain: [] })) || (await customApart(sides)),
  },
  {
    name: "pg_dump, further ways",
    what: `${Object.keys(PLAIN).join(", ")}, in parallel; each equal to the direct dump byte for byte`,
    packages: [],
    versions: [15],
    isQuick: false,
    differs: async (sides) => (await plainApart(sides, PLAIN)) || (await foldersApart(sides)),
  },
  {
    name: "pg_dumpall",
    what: "roles, tablespaces and all databases; equal to the direct dump byte for byte",
    packages: [],
    versions: [15],
    isQuick: false,
    differs: ({ behind, guarded }) => apart(behind, guarded, ["pg_dumpall", KEY], 0),
  },
  {
    name: "pg_dump and pg_dumpall of a newer server",
    what: "both end with the same words and the same exit code",
    packages: [],
    versions: [18],
    isQuick: false,
    differs: async ({ behind, guarded }) =>
      (await apart(behind, guarded, ["pg_dump", KEY], 1)) || (await apart(behind, guarded, ["pg_dumpall", KEY], 1)),
  },
];

/** What differs in the words of a program; `code` is how it must end directly. */
async function apart(direct: Side, guarded: Side, argv: readonly string[], code: number): Promise<string> {
  const [one, other] = [await runOn(direct, argv), await runOn(guarded, argv)];
  if (one.code !== code) return `${argv.join(" ")}: ended directly with ${one.code}: ${one.stderr}`;
  const lines = linesApart(
    `${one.stdout}\n${one.stderr}\n${one.code}`,
    `${other.stdout}\n${other.stderr}\n${other.code}`,
  );
  return lines && `${argv.join(" ")}: ${lines}`;
}

async function plainApart(
  { behind, guarded }: Sides,
  ways: Readonly<Record<string, readonly string[]>>,
): Promise<string> {
  for (const options of Object.values(ways)) {
    const found = await apart(behind, guarded, ["pg_dump", KEY, ...options], 0);
    if (found !== "") return found;
  }
  return "";
}

async function customApart(sides: Sides): Promise<string> {
  const sums: string[] = [];
  for (const [at, side] of [sides.behind, sides.guarded].entries()) {
    const archive = join(sides.folder, `${at}.dump`);
    const { code, stderr } = await runOn(side, ["pg_dump", "--format=custom", `--file=${archive}`]);
    if (code !== 0) return `custom: ended with ${code}: ${stderr}`;
    sums.push(sumOf(withoutTime(readFileSync(archive))));
  }
  return sums[0] === sums[1] ? "" : "custom: the archives differ";
}

/**
 * The head of a custom archive says when it was made: "PGDMP", six bytes of version and sizes, five of compression, then
 * seven numbers of five bytes each for second, minute, hour, day, month, year and daylight saving.
 */
function withoutTime(archive: Buffer): Buffer {
  return Buffer.from(archive).fill(0, 16, 16 + 7 * 5);
}

async function foldersApart(sides: Sides): Promise<string> {
  const texts: string[] = [];
  for (const [at, side] of [sides.behind, sides.guarded].entries()) {
    const folder = join(sides.folder, `${at}.folder`);
    const made = await runOn(side, ["pg_dump", "--format=directory", "--jobs=2", `--file=${folder}`]);
    if (made.code !== 0) return `in parallel: ended with ${made.code}: ${made.stderr}`;
    const read = await runOn(sides.behind, ["pg_restore", KEY, "--file=-", folder]);
    texts.push(`${read.code}\n${read.stdout}`);
  }
  return linesApart(texts[0] ?? "", texts[1] ?? "");
}
