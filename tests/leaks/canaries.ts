/**
 * The values that must not arrive, and the tables that hold them: customers as in the system tests, and vault with
 * labelled columns of many types. There are two sets of values of the same shape, length and order. An answer that
 * differs between them tells of a value even where no piece of it can be recognised.
 */

import { CARD, PEOPLE, SSN } from "../system/world.ts";
import { APP } from "./app.ts";

export const SETS = ["a", "b"] as const;
export type SetName = (typeof SETS)[number];

/** What a run of characters or bytes in an answer is compared with. */
export interface Canary {
  /** Searched in pieces and in many forms. */
  readonly text: string;
  /** A piece of this many characters is enough. */
  readonly piece: number;
  /** Its binary form on the wire, searched whole, also in hex. */
  readonly binary?: readonly Buffer[];
}

interface VaultRow {
  readonly n: number;
  readonly big: string;
  readonly num: string;
  readonly dbl: string;
  readonly born: string;
  readonly seen: string;
  readonly pin: string;
  readonly doc: string;
  readonly raw: string;
  readonly tags: readonly [string, string];
  readonly nums: number;
  readonly blob: string;
  readonly key: string;
  readonly code: string;
  readonly no: number;
  readonly kind: string;
  readonly short: string;
  readonly fixed: string;
  readonly plate: string;
  readonly addr: string;
  readonly mark: string;
  readonly span: number;
  readonly words: string;
  readonly bits: string;
}

const ROWS: Readonly<Record<SetName, readonly [VaultRow, VaultRow]>> = {
  a: [
    {
      ...{ n: 1424692590, big: "3960761639254756", num: "31496484016592.7953", dbl: "383412496721.25" },
      ...{ born: "1937-04-29", seen: "1952-08-17 13:47:29.364795+00", pin: "4093130652", doc: "35932781" },
      ...{ raw: "49841287", tags: ["46107348", "32654074"], nums: 1539474519, blob: "3081282572" },
      ...{ key: "3c7f9e5a-2d84-4b16-a0e7-5f81c6d932b4", code: "37485045", no: 404171648, kind: "vermilionquokka" },
      ...{ short: "38146845", fixed: "46238906", plate: "31741652", addr: "83.217.141.176", mark: "34609739" },
      ...{ span: 1506596756, words: "42768601", bits: "10110011100011110000101101011101" },
    },
    {
      ...{ n: 1683237418, big: "8652893179546903", num: "85908392694957.0426", dbl: "721372595087.75" },
      ...{ born: "1971-11-23", seen: "1986-12-05 21:38:56.725410+00", pin: "8023767084", doc: "74151728" },
      ...{ raw: "87360101", tags: ["72860535", "86593467"], nums: 1692674839, blob: "7837696093" },
      ...{ key: "8e2b6d1f-94c7-4a53-b8f0-16e7d3a9c52d", code: "79863410", no: 759381385, kind: "ochrewallabies" },
      ...{ short: "79804863", fixed: "75360893", plate: "81368204", addr: "91.184.239.153", mark: "75716504" },
      ...{ span: 1860878297, words: "71804378", bits: "11010111001001101110001010110001" },
    },
  ],
  b: [
    {
      ...{ n: 1742569583, big: "3621850828623478", num: "49278245417898.3486", dbl: "352970979463.25" },
      ...{ born: "1938-05-27", seen: "1953-09-18 14:52:36.415630+00", pin: "3580412340", doc: "36108253" },
      ...{ raw: "49156741", tags: ["37457948", "35236869"], nums: 1538761296, blob: "3450605260" },
      ...{ key: "4d8a1f6b-3e95-4c27-b1f8-6a92d7e043c5", code: "38514257", no: 479712954, kind: "ceruleanwombats" },
      ...{ short: "31858369", fixed: "32857505", plate: "41038270", addr: "84.218.142.177", mark: "30174809" },
      ...{ span: 1213164741, words: "35318206", bits: "10100110010111000110110111010101" },
    },
    {
      ...{ n: 1879350184, big: "8585258954958082", num: "83738375625734.3708", dbl: "785863968492.75" },
      ...{ born: "1972-10-26", seen: "1987-11-06 22:49:47.706198+00", pin: "7034252160", doc: "79363294" },
      ...{ raw: "87101590", tags: ["89493187", "79409531"], nums: 1598735736, blob: "8232570504" },
      ...{ key: "9f3c7e2a-85d6-4b64-a9e1-27f8c4b8d63e", code: "71315940", no: 715267674, kind: "magentadingoes" },
      ...{ short: "81258483", fixed: "81896564", plate: "78936079", addr: "92.185.241.154", mark: "84139507" },
      ...{ span: 1481527960, words: "75693764", bits: "11101001011001001010111000111011" },
    },
  ],
};

/** Of customers: [in the one set, in the other]. */
const PERSONAL = [
  [CARD, "4242424242424242"],
  ["5555555555554444", "5105105105105100"],
  ["378282246310005", "371449635398431"],
  [SSN, "238-07-4305"],
  ["457-55-5462", "461-72-9073"],
  ["856-45-6789", "873-29-0146"],
] as const;

/** Columns of vault that are labelled; `id` and `note` are not. */
export const VAULT_COLUMNS = [
  ...["n", "big", "num", "dbl", "born", "seen", "doc", "raw", "tags", "nums", "blob", "key", "pair", "pairs", "kind"],
  ...["short", "fixed", "plate", "addr", "mark", "span", "words", "bits"],
] as const;

const TICKETS: Readonly<Record<SetName, string>> = { a: "60493817", b: "61527409" };

/** All tables with the values of a set. */
export function tables(set: SetName): string {
  const people = PERSONAL.reduce((sql, [a, b]) => (set === "a" ? sql : sql.replaceAll(a, b)), PEOPLE);
  const vault = ROWS[set].map((row, at) => insertOf(row, at + 1));
  return [people, VAULT, ...vault, APP.replaceAll("TICKET", TICKETS[set])].join("\n");
}

const VAULT = `
  CREATE TYPE pass AS (code text, no int);
  CREATE TYPE metal AS ENUM ('plain', 'vermilionquokka', 'ceruleanwombats', 'ochrewallabies', 'magentadingoes');
  CREATE DOMAIN plate AS text;
  CREATE TABLE vault (
    id int PRIMARY KEY, note text, n int, big bigint, num numeric, dbl float8, born date, seen timestamptz, doc jsonb,
    raw json, tags text[], nums int[], blob bytea, key uuid, pair pass, pairs pass[], kind metal, short varchar(40),
    fixed char(24), plate plate, addr inet, mark xml, span int4range, words tsvector, bits bit varying
  );
`;

function insertOf(row: VaultRow, id: number): string {
  const { n, big, num, dbl, born, seen, pin, doc, raw, tags, nums, blob, key, code, no, kind, short, fixed } = row;
  return `INSERT INTO vault VALUES (${id}, 'note ${id}', ${n}, ${big}, ${num}, ${dbl}, '${born}', '${seen}',
    '{"pin": ${pin}, "deep": ["${doc}"]}', '{"raw": "${raw}"}', '{${tags.join(",")}}', '{7,${nums}}', '${blob}'::bytea,
    '${key}', '(${code},${no})', ARRAY['(${code},${no})'::pass], '${kind}', '${short}', '${fixed}', '${row.plate}',
    '${row.addr}', '<a>${row.mark}</a>', int4range(${row.span}, ${row.span + 9}), '${row.words}'::tsvector, B'${row.bits}');`;
}

/** What to look for in answers of a database with this set. */
export function canaries(set: SetName): readonly Canary[] {
  const personal = PERSONAL.map(([a, b]) => (set === "a" ? a : b));
  const digits = (text: string, ...binary: readonly Buffer[]): Canary => ({ text, piece: 4, binary });
  return [
    ...[...personal, TICKETS[set]].map((text): Canary => ({ text, piece: 4 })),
    ...ROWS[set].flatMap((row) => [
      digits(`${row.n}`, int32(row.n)),
      digits(row.big, int64(BigInt(row.big))),
      digits(row.num, ...numericGroups(row.num)),
      digits(row.dbl, float64(Number(row.dbl))),
      { text: row.born, piece: 5, binary: [int32(daysOf(row.born))] },
      digits(row.born.slice(0, 4)),
      { text: row.seen.slice(0, -3), piece: 6, binary: [int64(microsOf(row.seen))] },
      ...[row.pin, row.doc, row.raw, ...row.tags, row.blob, row.code].map((text) => digits(text)),
      ...[row.short, row.fixed, row.plate, row.mark, row.words].map((text) => digits(text)),
      ...[row.nums, row.no, row.span, row.span + 9].map((number) => digits(`${number}`, int32(number))),
      { text: row.key, piece: 6, binary: [Buffer.from(row.key.replaceAll("-", ""), "hex")] },
      { text: row.kind, piece: 7 },
      { text: row.addr, piece: 7, binary: [Buffer.from(row.addr.split(".").map(Number))] },
      { text: row.bits, piece: 16, binary: [int32(Number.parseInt(row.bits, 2))] },
    ]),
  ];
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value | 0);
  return bytes;
}

function int64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
}

function float64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return bytes;
}

/** Pairs of the groups of four decimal digits of which a binary numeric is made. */
function numericGroups(text: string): readonly Buffer[] {
  const [whole = "", fraction = ""] = text.split(".");
  const padded = whole.padStart(Math.ceil(whole.length / 4) * 4, "0") + fraction;
  const groups = (padded.match(/.{4}/g) ?? []).map(Number);
  return groups.slice(1).map((group, at) => int32(((groups[at] ?? 0) << 16) | group));
}

const EPOCH_MS = Date.UTC(2000, 0, 1);

function daysOf(date: string): number {
  return (Date.parse(`${date}T00:00:00Z`) - EPOCH_MS) / 86_400_000;
}

function microsOf(time: string): bigint {
  const [, whole = "", micros = ""] = /^(.*)\.(\d{6})/.exec(time) ?? [];
  return BigInt(Date.parse(`${whole.replace(" ", "T")}Z`) - EPOCH_MS) * 1000n + BigInt(micros);
}
