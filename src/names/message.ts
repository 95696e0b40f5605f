/**
 * DNS messages: bytes in, plain values out, and back. Nothing that a peer sent goes on as it came: every message is
 * built anew. Asks nobody, remembers nothing. Sources: RFC 1035, 6891 (EDNS), 8914 (extended errors).
 */
import { type Answer, decode, encode, type OptAnswer, type Packet, type RecordType } from "dns-packet";
import { NAME_RECORDS_MAX } from "../base/limits.ts";
import { canonical } from "./ip.ts";
import { cleanBinding } from "./service-binding.ts";

/** Record types that agents may ask for, of names that rules allow; transfers, ANY and NULL are not among them. */
export const TYPES = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  SVCB: 64,
  HTTPS: 65,
  CAA: 257,
} as const;
export type TypeName = keyof typeof TYPES;

export const RCODES = { ok: 0, format: 1, failed: 2, noSuchName: 3, notImplemented: 4, refused: 5 } as const;

/** Why there is no answer, for whoever reads it: RFC 8914, section 4. */
export interface Reason {
  readonly code: 15 | 22 | 23;
  readonly text: string;
}

export interface Query {
  readonly id: number;
  /** As the client wrote it: it compares the answer's. */
  readonly asked: string;
  /** Lower case, without the last dot. */
  readonly name: string;
  readonly type: number;
  /** What a datagram to this client may hold; 512 without EDNS. */
  readonly datagramBytes: number;
  readonly edns: boolean;
}

export type ReadQuery =
  | { readonly kind: "query"; readonly query: Query }
  /** To be answered with `reply`. */
  | { readonly kind: "broken"; readonly reply: Buffer }
  /** No query at all: nobody waits for an answer. */
  | { readonly kind: "garbage" };

/** A record of an answer, with its owner in lower case. */
export type NameRecord = Answer & { readonly name: string; readonly ttl: number };

export interface Answered {
  readonly rcode: 0 | 3;
  readonly records: readonly NameRecord[];
}

const HEADER_BYTES = 12;
const DATAGRAM_BYTES_MIN = 512;
/** Of ours, in both directions: passes unfragmented wherever IPv6 does. Source: DNS flag day 2020. */
const EDNS_BYTES = 1_232;
/** Clients are on this machine: no path cuts their datagrams. */
const DATAGRAM_BYTES_MAX = 4_096;
const CLASS_IN = 1;
const TYPE_OPT = 41;
const FLAG_RESPONSE = 0x8000;
const OPCODE_BITS = 0x7800;
const FLAG_TRUNCATED = 0x0200;
const FLAG_RECURSION_DESIRED = 0x0100;
const FLAG_RECURSION_AVAILABLE = 0x0080;
const EXTENDED_ERROR = 15;
const LABEL = /^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/;

const nameOfType = new Map<number, TypeName>(Object.entries(TYPES).map(([name, number]) => [number, name as TypeName]));

/** Undefined for types that nobody may ask for. */
export function typeName(type: number): TypeName | undefined {
  return nameOfType.get(type);
}

/** One question, class IN, opcode QUERY, at most an OPT record besides; what follows is not looked at. */
export function readQuery(bytes: Uint8Array): ReadQuery {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.length < HEADER_BYTES || (view.readUInt16BE(2) & FLAG_RESPONSE) !== 0) return { kind: "garbage" };
  const id = view.readUInt16BE(0);
  const broken = (rcode: number): ReadQuery => ({ kind: "broken", reply: bareReply(id, rcode) });
  if ((view.readUInt16BE(2) & OPCODE_BITS) !== 0) return broken(RCODES.notImplemented);
  const [questions, answers, authorities, additionals] = [4, 6, 8, 10].map((at) => view.readUInt16BE(at));
  if (questions !== 1 || answers !== 0 || authorities !== 0 || (additionals ?? 0) > 1) return broken(RCODES.format);
  const question = readQuestion(view);
  if (question === undefined) return broken(RCODES.format);
  const { asked, type, end } = question;
  const edns = additionals === 1 ? readEdns(view, end) : 0;
  if (edns === undefined) return broken(RCODES.format);
  const datagramBytes = Math.min(Math.max(edns, DATAGRAM_BYTES_MIN), DATAGRAM_BYTES_MAX);
  return {
    kind: "query",
    query: { id, asked, name: asked.toLowerCase(), type, datagramBytes, edns: additionals === 1 },
  };
}

/** An answer; longer than `bytesMax`, it says that it is cut and holds no record. */
export function writeAnswer(query: Query, answered: Answered, bytesMax: number): Buffer {
  const whole = write(query, answered.rcode, answered.records, undefined, 0);
  return whole.length <= bytesMax ? whole : write(query, answered.rcode, [], undefined, FLAG_TRUNCATED);
}

export function writeRefusal(query: Query, rcode: number, reason: Reason | undefined): Buffer {
  return write(query, rcode, [], reason, 0);
}

/** A question of our own: of the agent's bytes it has the name and the type alone. */
export function writeQuestion(id: number, name: string, type: number): Buffer {
  return encode({
    type: "query",
    id,
    flags: FLAG_RECURSION_DESIRED,
    questions: [{ name, type: typeText(type) }],
    additionals: [optRecord([])],
  });
}

export type ReadAnswer =
  | { readonly kind: "answer"; readonly answered: Answered }
  | { readonly kind: "truncated" }
  /** Of another question, or nobody's: wait on. */
  | { readonly kind: "foreign" }
  /** The server cannot or will not: ask another. */
  | { readonly kind: "failed" };

/** `name` as it was sent: with `exact`, the answer must spell it the same, which a guesser does not know to do. */
export function readAnswer(
  bytes: Uint8Array,
  question: { readonly id: number; readonly name: string; readonly type: number; readonly spelling: "exact" | "any" },
): ReadAnswer {
  let packet: ReturnType<typeof decode>;
  try {
    packet = decode(Buffer.from(bytes));
  } catch {
    return { kind: "foreign" };
  }
  const [asked, ...more] = packet.questions ?? [];
  const same = (text: string) => (question.spelling === "exact" ? text : text.toLowerCase());
  if (packet.type !== "response" || packet.id !== question.id || asked === undefined || more.length > 0) {
    return { kind: "foreign" };
  }
  if (same(asked.name) !== same(question.name) || asked.type !== typeText(question.type) || asked.class !== "IN") {
    return { kind: "foreign" };
  }
  if (packet.flag_tc) return { kind: "truncated" };
  const rcode = (packet.flags ?? 0) & 0xf;
  if (rcode !== RCODES.ok && rcode !== RCODES.noSuchName) return { kind: "failed" };
  const records = chainOf(packet.answers ?? [], question.name.toLowerCase(), question.type);
  return records === undefined ? { kind: "failed" } : { kind: "answer", answered: { rcode, records } };
}

/** The records that answer the question, in the order of their aliases; all others are left out. */
function chainOf(answers: readonly Answer[], name: string, type: number): readonly NameRecord[] | undefined {
  if (answers.length > NAME_RECORDS_MAX) return undefined;
  const records = answers.flatMap((answer) => cleanRecord(answer) ?? []);
  const chain: NameRecord[] = [];
  let owner = name;
  for (let steps = 0; steps < NAME_RECORDS_MAX; steps++) {
    const at = owner;
    const found = records.filter((record) => record.name === at && record.type === typeText(type));
    if (found.length > 0) return [...chain, ...found];
    const alias = records.find((record) => record.name === at && record.type === "CNAME");
    if (alias?.type !== "CNAME" || chain.includes(alias)) return chain;
    chain.push(alias);
    owner = alias.data.toLowerCase();
  }
  return undefined;
}

/** A record that is known in full, or nothing. */
function cleanRecord(answer: Answer): NameRecord | undefined {
  if (answer.type === "OPT" || answer.class !== "IN" || answer.flush === true || !isName(answer.name)) return undefined;
  const base = { name: answer.name.toLowerCase(), ttl: ttlOf(answer.ttl), class: "IN" } as const;
  switch (answer.type) {
    case "A":
    case "AAAA": {
      const address = canonical(answer.data);
      return address === undefined ? undefined : { ...base, type: answer.type, data: answer.data };
    }
    case "CNAME":
    case "NS":
    case "PTR":
      return isName(answer.data) ? { ...base, type: answer.type, data: answer.data } : undefined;
    case "MX":
      return isName(answer.data.exchange) ? { ...base, type: "MX", data: answer.data } : undefined;
    case "SRV":
      return isName(answer.data.target) ? { ...base, type: "SRV", data: answer.data } : undefined;
    case "TXT":
      return { ...base, type: "TXT", data: answer.data };
    case "CAA":
      return { ...base, type: "CAA", data: answer.data };
    case "SOA":
      return isName(answer.data.mname) ? { ...base, type: "SOA", data: answer.data } : undefined;
    default:
      return bindingRecord(answer, base);
  }
}

/** HTTPS and SVCB, which the library gives as bytes under a name made of their number. */
function bindingRecord(answer: Answer, base: { name: string; ttl: number; class: "IN" }): NameRecord | undefined {
  const known = [TYPES.SVCB, TYPES.HTTPS].map(typeText).includes(answer.type);
  if (!known || !("data" in answer) || !Buffer.isBuffer(answer.data)) return undefined;
  const data = cleanBinding(answer.data);
  return data === undefined ? undefined : ({ ...base, type: answer.type, data } as NameRecord);
}

function write(
  query: Query,
  rcode: number,
  records: readonly NameRecord[],
  reason: Reason | undefined,
  flags: number,
): Buffer {
  const packet: Packet = {
    type: "response",
    id: query.id,
    flags: FLAG_RECURSION_DESIRED | FLAG_RECURSION_AVAILABLE | flags | rcode,
    questions: [{ name: query.asked, type: typeText(query.type) }],
    answers: records.map((record) => (record.name === query.name ? { ...record, name: query.asked } : record)),
    additionals: query.edns ? [optRecord(reason === undefined ? [] : [extendedError(reason)])] : [],
  };
  return encode(packet);
}

function extendedError({ code, text }: Reason): OptAnswer["options"][number] {
  const data = Buffer.concat([Buffer.from([0, code]), Buffer.from(text)]);
  return { code: EXTENDED_ERROR, data } as unknown as OptAnswer["options"][number]; // the types know no option 15
}

function optRecord(options: OptAnswer["options"]): OptAnswer {
  return {
    type: "OPT",
    name: ".",
    udpPayloadSize: EDNS_BYTES,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options,
  };
}

function bareReply(id: number, rcode: number): Buffer {
  const reply = Buffer.alloc(HEADER_BYTES);
  reply.writeUInt16BE(id, 0);
  reply.writeUInt16BE(FLAG_RESPONSE | FLAG_RECURSION_AVAILABLE | rcode, 2);
  return reply;
}

/** Plain labels, no pointers; undefined for names that no host has. */
function readQuestion(view: Buffer): { asked: string; type: number; end: number } | undefined {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (;;) {
    const length = view[at];
    if (length === undefined || length > 63 || at + 1 + length > view.length) return undefined;
    at += 1;
    if (length === 0) break;
    const label = view.toString("latin1", at, at + length);
    if (!LABEL.test(label)) return undefined;
    labels.push(label);
    at += length;
    if (at - HEADER_BYTES > 254) return undefined;
  }
  if (labels.length === 0 || at + 4 > view.length || view.readUInt16BE(at + 2) !== CLASS_IN) return undefined;
  return { asked: labels.join("."), type: view.readUInt16BE(at), end: at + 4 };
}

/** The client's datagram size; undefined where the one additional record is no OPT. Its options are of no interest. */
function readEdns(view: Buffer, at: number): number | undefined {
  if (at + 11 > view.length || view[at] !== 0 || view.readUInt16BE(at + 1) !== TYPE_OPT) return undefined;
  return view.readUInt16BE(at + 3);
}

function isName(text: string): boolean {
  return text.length <= 253 && text.split(".").every((label) => LABEL.test(label));
}

/** RFC 2181, section 8: a TTL with its top bit set counts as 0. */
function ttlOf(ttl: number | undefined): number {
  return ttl === undefined || ttl > 0x7fff_ffff ? 0 : ttl;
}

function typeText(type: number): RecordType {
  return (
    nameOfType.get(type) === undefined || type === TYPES.SVCB || type === TYPES.HTTPS
      ? `UNKNOWN_${type}`
      : nameOfType.get(type)
  ) as RecordType;
}
