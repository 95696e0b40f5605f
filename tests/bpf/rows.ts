/** Runs rows of questions about bpf/'s pure functions in the kernel; row.h has their shape. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { isIPv4 } from "node:net";
import { test } from "node:test";

const RUNNER = new URL("../../native/build/run-rows", import.meta.url).pathname;
const ROW_BYTES = 472;

const QUESTIONS = {
  decide: 0,
  socketKind: 1,
  port: 2,
  packet: 3,
  pin: 4,
  loopback: 5,
  raises: 6,
  glob: 7,
  unit: 8,
  climbs: 9,
} as const;
const ACTIONS = ["deny", "allow", "intercept"] as const;
const REASONS = [
  "registered",
  "own-listener",
  "nameserver",
  "egress-rule",
  "unlisted",
  "quarantined",
  "no-listener",
  "no-storage",
  "our-listener",
  "socket-kind",
  "listener-port",
  "not-admitted",
  "no-door",
  "sealed-names",
  "daemon-silent",
];
const REACHES = ["nowhere", "loopback", "anywhere", "observed"] as const;

export interface Entry {
  readonly action: (typeof ACTIONS)[number];
  readonly reason?: "registered" | "nameserver" | "egress-rule";
  readonly prefix?: number; // of the 16-byte address
  readonly connection?: number;
}

export interface Row {
  readonly question: keyof typeof QUESTIONS;
  readonly numbers?: readonly number[];
  readonly exact?: Entry;
  readonly any?: Entry;
  readonly address?: string;
  readonly port?: number;
  readonly protocol?: number;
  readonly listener?: number;
  readonly quarantined?: boolean;
  readonly own?: boolean;
  readonly observed?: boolean;
  readonly silent?: boolean;
  readonly glob?: string;
  readonly path?: string;
}

/** 16 bytes in network order; IPv4 as ::ffff:a.b.c.d. */
export function addressBytes(text: string): number[] {
  if (isIPv4(text)) return [...Array(10).fill(0), 0xff, 0xff, ...text.split(".").map(Number)];
  const [head = "", tail = ""] = text.split("::");
  const words = (part: string) =>
    part
      .split(":")
      .filter((word) => word !== "")
      .map((word) => Number.parseInt(word, 16));
  const front = words(head);
  const back = words(tail);
  const all = [...front, ...Array(8 - front.length - back.length).fill(0), ...back] as number[];
  return all.flatMap((word) => [word >> 8, word & 0xff]);
}

function encode(row: Row): Buffer {
  const bytes = Buffer.alloc(ROW_BYTES);
  bytes.writeUInt32LE(QUESTIONS[row.question], 0);
  row.numbers?.forEach((value, index) => void bytes.writeUInt32LE(value, 8 + 4 * index));
  for (const [index, entry] of [row.exact, row.any].entries()) {
    if (entry === undefined) continue;
    bytes[24 + index] = 1;
    bytes.writeUInt32LE(entry.connection ?? 0, 28 + 8 * index);
    bytes[32 + 8 * index] = ACTIONS.indexOf(entry.action);
    bytes[33 + 8 * index] = REASONS.indexOf(entry.reason ?? "egress-rule");
    bytes[34 + 8 * index] = entry.prefix ?? 128;
  }
  Buffer.from(addressBytes(row.address ?? "192.0.2.1")).copy(bytes, 44);
  bytes.writeUInt16LE(row.port ?? 5432, 60);
  bytes.writeUInt16LE(row.protocol ?? 6, 62);
  bytes.writeUInt16LE(row.listener ?? 25_000, 64);
  bytes[66] = row.quarantined === true ? 1 : 0;
  bytes[67] = row.own === true ? 1 : 0;
  bytes[68] = row.observed === true ? 1 : 0;
  bytes[69] = row.silent === true ? 1 : 0;
  bytes.write(row.glob ?? "", 88);
  bytes.write(row.path ?? "", 88 + 128);
  return bytes;
}

interface Answer {
  readonly answer: boolean;
  readonly address: number[];
  readonly verdict: string;
  readonly connection: number;
  readonly observed: boolean;
}

function decode(bytes: Buffer): Answer {
  const [action = 0, reason = 0, admission = 0, observed = 0] = bytes.subarray(80, 84);
  return {
    answer: bytes.readUInt32LE(4) !== 0,
    address: [...bytes.subarray(44, 60)],
    verdict: `${ACTIONS[action]} ${REASONS[reason]} ${REACHES[admission]}`,
    connection: bytes.readUInt32LE(76),
    observed: observed !== 0,
  };
}

function ask(rows: readonly Row[]): Answer[] {
  const run = spawnSync(RUNNER, { input: Buffer.concat(rows.map(encode)) });
  assert.equal(run.status, 0, `${RUNNER}: ${run.error ?? run.stderr}`);
  assert.equal(run.stdout.length, rows.length * ROW_BYTES);
  return rows.map((_, index) => decode(run.stdout.subarray(index * ROW_BYTES, (index + 1) * ROW_BYTES)));
}

const skip = process.getuid?.() === 0 ? {} : { skip: "needs root" };

/** One test per row, one run of the kernel per table. */
export function table<R extends Row & { readonly name: string }>(
  rows: readonly R[],
  check: (row: R, answer: Answer) => void,
): void {
  let answers: Answer[] | undefined;
  for (const [index, row] of rows.entries())
    test(row.name, skip, () => {
      answers ??= ask(rows);
      check(row, answers[index] as Answer);
    });
}
