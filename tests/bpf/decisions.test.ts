/** The decisions of bpf/redirect.h, row by row, run by the kernel itself. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { isIPv4 } from "node:net";
import { test } from "node:test";

const RUNNER = new URL("../../native/build/run-rows", import.meta.url).pathname;
const ROW_BYTES = 472;

const QUESTIONS = { decide: 0, socketKind: 1, port: 2, packet: 3, pin: 4, loopback: 5 } as const;
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
];
const REACHES = ["nowhere", "loopback", "anywhere"] as const;

interface Entry {
  readonly action: (typeof ACTIONS)[number];
  readonly reason?: "registered" | "nameserver" | "egress-rule";
  readonly prefix?: number; // of the 16-byte address
  readonly connection?: number;
}

interface Row {
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
}

/** 16 bytes in network order; IPv4 as ::ffff:a.b.c.d. */
function addressBytes(text: string): number[] {
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
  return bytes;
}

interface Answer {
  readonly answer: boolean;
  readonly address: number[];
  readonly verdict: string;
  readonly connection: number;
}

function decode(bytes: Buffer): Answer {
  const [action = 0, reason = 0, admission = 0] = bytes.subarray(80, 84);
  return {
    answer: bytes.readUInt32LE(4) !== 0,
    address: [...bytes.subarray(44, 60)],
    verdict: `${ACTIONS[action]} ${REASONS[reason]} ${REACHES[admission]}`,
    connection: bytes.readUInt32LE(76),
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
function table<R extends Row & { readonly name: string }>(
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

const intercept: Entry = { action: "intercept", reason: "registered", connection: 7 };
const allow: Entry = { action: "allow" };
const deny: Entry = { action: "deny" };
const INTERCEPTED = "intercept registered loopback";
const ALLOWED = "allow egress-rule anywhere";
const DENIED = "deny egress-rule nowhere";
const UNLISTED = "deny unlisted nowhere";
const OWN = "allow own-listener loopback";
const OURS = "deny our-listener nowhere";

type DecisionRow = Omit<Row, "question"> & { readonly name: string; readonly verdict: string };
const decisions: readonly DecisionRow[] = [
  { name: "nothing listed is denied", verdict: UNLISTED },
  { name: "UDP that is not listed is denied", protocol: 17, port: 443, verdict: UNLISTED },
  { name: "a protocol without a number is denied", protocol: 0, verdict: UNLISTED },
  { name: "a registered destination is intercepted", exact: intercept, verdict: INTERCEPTED },
  { name: "a registered network is intercepted on any port", any: { ...intercept, prefix: 104 }, verdict: INTERCEPTED },
  { name: "an egress rule allows", exact: allow, verdict: ALLOWED },
  { name: "an egress rule for any port allows", any: allow, verdict: ALLOWED },
  { name: "an egress rule denies", exact: deny, verdict: DENIED },
  {
    name: "a row may say that it is a nameserver",
    protocol: 17,
    port: 5353,
    exact: { action: "allow", reason: "nameserver" },
    verdict: "allow nameserver anywhere",
  },
  {
    name: "the longer prefix wins: deny for any port",
    exact: { ...allow, prefix: 104 },
    any: { ...deny, prefix: 120 },
    verdict: DENIED,
  },
  {
    name: "the longer prefix wins: allow for this port",
    exact: { ...allow, prefix: 120 },
    any: { ...deny, prefix: 104 },
    verdict: ALLOWED,
  },
  {
    name: "the longer prefix wins: allow for any port",
    exact: { ...deny, prefix: 104 },
    any: { ...allow, prefix: 128 },
    verdict: ALLOWED,
  },
  {
    name: "the longer prefix wins: even over interception",
    exact: { ...intercept, prefix: 104 },
    any: { ...deny, prefix: 128 },
    verdict: DENIED,
  },
  { name: "on a tie deny beats allow: any port", exact: allow, any: deny, verdict: DENIED },
  { name: "on a tie deny beats allow: this port", exact: deny, any: allow, verdict: DENIED },
  { name: "on a tie interception of this port beats deny", exact: intercept, any: deny, verdict: INTERCEPTED },
  { name: "on a tie interception of this port beats allow", exact: intercept, any: allow, verdict: INTERCEPTED },
  { name: "on a tie interception of any port beats allow", exact: allow, any: intercept, verdict: INTERCEPTED },
  { name: "on a tie deny of this port beats interception of any", exact: deny, any: intercept, verdict: DENIED },
  { name: "an IPv6 prefix does not speak for IPv4: allow", any: { ...allow, prefix: 0 }, verdict: UNLISTED },
  { name: "an IPv6 prefix does not speak for IPv4: intercept", exact: { ...intercept, prefix: 80 }, verdict: UNLISTED },
  {
    name: "an IPv6 prefix does not hide an IPv4 rule",
    exact: { ...deny, prefix: 0 },
    any: { ...allow, prefix: 96 },
    verdict: ALLOWED,
  },
  { name: "all of IPv4 is a prefix of 96 bits", any: { ...allow, prefix: 96 }, verdict: ALLOWED },
  { name: "all of IPv6 is a prefix of 0 bits", address: "2001:db8::1", any: { ...allow, prefix: 0 }, verdict: ALLOWED },
  { name: "no listener, no interception", exact: intercept, listener: 0, verdict: "deny no-listener nowhere" },
  { name: "no listener, but a rule", exact: allow, listener: 0, verdict: ALLOWED },
  { name: "quarantine beats a rule", exact: allow, quarantined: true, verdict: "deny quarantined nowhere" },
  { name: "quarantine beats interception", exact: intercept, quarantined: true, verdict: "deny quarantined nowhere" },
  { name: "quarantine beats an own listener", own: true, quarantined: true, verdict: "deny quarantined nowhere" },
  { name: "an own listener is allowed", address: "127.0.0.1", own: true, verdict: OWN },
  { name: "an own listener is allowed in spite of a rule", address: "127.0.0.1", own: true, any: deny, verdict: OWN },
  {
    name: "a registered destination comes before an own listener",
    address: "127.0.0.1",
    own: true,
    exact: intercept,
    verdict: INTERCEPTED,
  },
  {
    name: "our listener is denied in spite of a rule",
    address: "127.0.0.1",
    port: 25_000,
    exact: allow,
    verdict: OURS,
  },
  { name: "our IPv6 listener is denied", address: "::1", port: 25_000, exact: allow, verdict: OURS },
  {
    name: "our listener is denied as a destination",
    address: "127.0.0.1",
    port: 25_000,
    exact: intercept,
    verdict: OURS,
  },
  {
    name: "our port on another loopback address is a port like any",
    address: "127.0.0.2",
    port: 25_000,
    exact: allow,
    verdict: ALLOWED,
  },
  { name: "our port on another host is a port like any", port: 25_000, exact: allow, verdict: ALLOWED },
  {
    name: "our port is denied over UDP, too",
    address: "127.0.0.1",
    port: 25_000,
    protocol: 17,
    exact: allow,
    verdict: OURS,
  },
];

table(
  decisions.map((row) => ({ question: "decide" as const, ...row })),
  (row, answer) => {
    assert.equal(answer.verdict, row.verdict);
    assert.equal(answer.connection, row.verdict === INTERCEPTED ? 7 : 0);
  },
);

table(
  [
    { name: "TCP is a socket kind", numbers: [2, 1, 6], allowed: true },
    { name: "TCP by default is a socket kind", numbers: [10, 1, 0], allowed: true },
    { name: "UDP is a socket kind", numbers: [10, 2, 17], allowed: true },
    { name: "UDP by default is a socket kind", numbers: [2, 2, 0], allowed: true },
    { name: "raw is none", numbers: [2, 3, 1], allowed: false },
    { name: "raw with TCP's number is none", numbers: [2, 3, 6], allowed: false },
    { name: "ping is none", numbers: [2, 2, 1], allowed: false },
    { name: "ping over IPv6 is none", numbers: [10, 2, 58], allowed: false },
    { name: "MPTCP is none", numbers: [2, 1, 262], allowed: false },
    { name: "SCTP is none", numbers: [2, 1, 132], allowed: false },
    { name: "SCTP one-to-many is none", numbers: [2, 5, 132], allowed: false },
    { name: "UDP-Lite is none", numbers: [2, 2, 136], allowed: false },
    { name: "DCCP is none", numbers: [2, 6, 33], allowed: false },
    { name: "SMC is none", numbers: [43, 1, 0], allowed: false },
    { name: "a stream of UDP is none", numbers: [2, 1, 17], allowed: false },
  ].map((row) => ({ question: "socketKind" as const, ...row })),
  (row, answer) => assert.equal(answer.answer, row.allowed),
);

table(
  [
    { name: "a bind to no port in particular passes", numbers: [0, 25_000], allowed: true },
    { name: "a bind to no port passes where nobody listens", numbers: [0, 0], allowed: true },
    { name: "a bind to another port passes", numbers: [24_999, 25_000], allowed: true },
    { name: "a bind to the listener's port does not", numbers: [25_000, 25_000], allowed: false },
  ].map((row) => ({ question: "port" as const, ...row })),
  (row, answer) => assert.equal(answer.answer, row.allowed),
);

table(
  [
    { name: "a packet of a socket that nobody admitted is dropped", numbers: [0, 2, 0], allowed: false },
    { name: "also on loopback", numbers: [0, 1, 0], allowed: false },
    { name: "an allowed flow passes on any device", numbers: [2, 3, 0], allowed: true },
    { name: "an allowed flow ends with a quarantine", numbers: [2, 3, 1], allowed: false },
    { name: "a redirected flow passes on loopback", numbers: [1, 1, 0], allowed: true },
    { name: "a redirected flow passes on no other device", numbers: [1, 2, 0], allowed: false },
    { name: "a redirected flow is left to the daemon under quarantine", numbers: [1, 1, 1], allowed: true },
    { name: "an admission without a name is none", numbers: [3, 1, 0], allowed: false },
  ].map((row) => ({ question: "packet" as const, ...row })),
  (row, answer) => assert.equal(answer.answer, row.allowed),
);

table(
  [
    { name: "0.0.0.0 is pinned to 127.0.0.1", address: "0.0.0.0", pinned: "127.0.0.1" },
    { name: ":: is pinned to ::1", address: "::", pinned: "::1" },
    { name: "0.0.0.1 is not unspecified", address: "0.0.0.1", pinned: undefined },
    { name: "::1 is not unspecified", address: "::1", pinned: undefined },
    { name: "2001:db8:: is not unspecified", address: "2001:db8::", pinned: undefined },
    { name: "10.0.0.0 is not unspecified", address: "10.0.0.0", pinned: undefined },
  ].map((row) => ({ question: "pin" as const, ...row })),
  (row, answer) => {
    assert.equal(answer.answer, row.pinned !== undefined);
    assert.deepEqual(answer.address, addressBytes(row.pinned ?? row.address));
  },
);

table(
  [
    { name: "127.0.0.1 is loopback", address: "127.0.0.1", loopback: true },
    { name: "127.255.255.254 is loopback", address: "127.255.255.254", loopback: true },
    { name: "::1 is loopback", address: "::1", loopback: true },
    { name: "128.0.0.1 is not loopback", address: "128.0.0.1", loopback: false },
    { name: "::7f00:1 is not loopback", address: "::7f00:1", loopback: false },
    { name: "::2 is not loopback", address: "::2", loopback: false },
    { name: "fe80::1 is not loopback", address: "fe80::1", loopback: false },
  ].map((row) => ({ question: "loopback" as const, ...row })),
  (row, answer) => assert.equal(answer.answer, row.loopback),
);
