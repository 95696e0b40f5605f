/** DNS messages: what is read, what is built, and that nothing of a peer's bytes goes on. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Answer, decode, encode, type Packet, type RecordType } from "dns-packet";
import fc from "fast-check";
import { NAME_RECORDS_MAX } from "../../src/base/limits.ts";
import {
  type Query,
  RCODES,
  readAnswer,
  readQuery,
  TYPES,
  writeAnswer,
  writeQuestion,
  writeRefusal,
} from "../../src/names/message.ts";
import { cleanBinding } from "../../src/names/service-binding.ts";

const QUESTION = encode({ type: "query", id: 0x1234, flags: 0x100, questions: [{ name: "Db.Internal", type: "A" }] });

function queryOf(bytes: Uint8Array): Query {
  const read = readQuery(bytes);
  assert.equal(read.kind, "query");
  return read.kind === "query" ? read.query : assert.fail();
}

/** A question with its header's words and its bytes changed. */
function changed(change: (bytes: Buffer) => Buffer): Buffer {
  return change(Buffer.from(QUESTION));
}

function withWord(at: number, value: number): Buffer {
  return changed((bytes) => {
    bytes.writeUInt16BE(value, at);
    return bytes;
  });
}

test("a question is read, in lower case beside its own spelling", () => {
  const expected = { id: 0x1234, asked: "Db.Internal", name: "db.internal", type: 1, datagramBytes: 512, edns: false };
  assert.deepEqual(queryOf(QUESTION), expected);
});

const edns = (size: number) =>
  encode({
    type: "query",
    id: 1,
    questions: [{ name: "a.b", type: "A" }],
    additionals: [
      {
        type: "OPT",
        name: ".",
        udpPayloadSize: size,
        extendedRcode: 0,
        ednsVersion: 0,
        flags: 0,
        flag_do: false,
        options: [],
      },
    ],
  });
for (const [size, taken] of [
  [100, 512],
  [1_232, 1_232],
  [65_535, 4_096],
] as const) {
  test(`a client that takes ${size} bytes is given at most ${taken}`, () => {
    assert.equal(queryOf(edns(size)).datagramBytes, taken);
  });
}

test("bytes behind the question are not looked at", () => {
  assert.equal(queryOf(Buffer.concat([QUESTION, Buffer.from("data that would like to travel")])).name, "db.internal");
});

const name = (...labels: readonly string[]) =>
  Buffer.concat([
    ...labels.map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label, "latin1")])),
    Buffer.from([0]),
  ]);
const asking = (bytes: Buffer) => Buffer.concat([QUESTION.subarray(0, 12), bytes, Buffer.from([0, 1, 0, 1])]);

const broken: readonly (readonly [string, Buffer, number])[] = [
  ["another opcode", withWord(2, 0x2900), RCODES.notImplemented],
  ["no question", withWord(4, 0), RCODES.format],
  ["two questions", withWord(4, 2), RCODES.format],
  ["an answer in it", withWord(6, 1), RCODES.format],
  ["an authority in it", withWord(8, 1), RCODES.format],
  ["two additional records", withWord(10, 2), RCODES.format],
  ["an additional record that is missing", withWord(10, 1), RCODES.format],
  ["class CHAOS", Buffer.concat([QUESTION.subarray(0, -2), Buffer.from([0, 3])]), RCODES.format],
  ["a name that is cut", QUESTION.subarray(0, 16), RCODES.format],
  ["no type", QUESTION.subarray(0, -3), RCODES.format],
  ["a pointer", asking(Buffer.from([0xc0, 0x0c])), RCODES.format],
  ["the root", asking(Buffer.from([0])), RCODES.format],
  ["a dot inside a label", asking(name("a.b", "c")), RCODES.format],
  ["a NUL inside a label", asking(name("a\0b", "c")), RCODES.format],
  ["bytes above 127", asking(name("\xe4", "c")), RCODES.format],
  ["a space", asking(name("a b", "c")), RCODES.format],
  ["a label that begins with a hyphen", asking(name("-a", "c")), RCODES.format],
  ["a label of 64", asking(name("a".repeat(64))), RCODES.format],
  ["256 bytes", asking(name(...Array<string>(5).fill("a".repeat(60)))), RCODES.format],
];
for (const [what, bytes, rcode] of broken) {
  test(`a query with ${what} is answered by an error that repeats none of it`, () => {
    const read = readQuery(bytes);
    assert.equal(read.kind, "broken");
    const reply = read.kind === "broken" ? read.reply : Buffer.alloc(0);
    assert.equal(reply.length, 12);
    const { id, flags, type } = decode(reply);
    assert.deepEqual([id, type, (flags ?? 0) & 15], [0x1234, "response", rcode]);
  });
}

for (const [what, bytes] of [
  ["an answer", withWord(2, 0x8180)],
  ["eleven bytes", QUESTION.subarray(0, 11)],
  ["nothing", Buffer.alloc(0)],
] as const) {
  test(`${what} is no query and gets no reply`, () => assert.deepEqual(readQuery(bytes), { kind: "garbage" }));
}

test("a question upstream holds nothing of the client's but name and type", () => {
  const packet = decode(writeQuestion(7, "db.internal", TYPES.HTTPS));
  const [opt, ...more] = packet.additionals ?? [];
  assert.deepEqual(
    [packet.id, packet.type, packet.flags, packet.questions, packet.answers, packet.authorities, more],
    [7, "query", 0x100, [{ name: "db.internal", type: "UNKNOWN_65", class: "IN" }], [], [], []],
  );
  assert.ok(opt?.type === "OPT" && opt.options.length === 0 && opt.udpPayloadSize === 1_232 && opt.flags === 0);
});

const ASKED = { id: 9, name: "a.b", type: TYPES.A, spelling: "exact" } as const;
const A: Answer = { type: "A", name: "a.b", ttl: 60, data: "192.0.2.1" };

function answerOf(more: Partial<Packet>): Buffer {
  return encode({
    type: "response",
    id: 9,
    flags: 0x180,
    questions: [{ name: "a.b", type: "A" }],
    answers: [A],
    ...more,
  });
}

function recordsOf(answers: readonly Answer[], type: number = TYPES.A, text: RecordType = "A") {
  const bytes = answerOf({ questions: [{ name: "a.b", type: text }], answers: [...answers] });
  const read = readAnswer(bytes, { ...ASKED, type });
  return read.kind === "answer" ? read.answered.records.map((record) => `${record.type} ${record.name}`) : read.kind;
}

test("the answer to the question is taken", () => {
  const read = readAnswer(answerOf({}), ASKED);
  assert.ok(read.kind === "answer");
  assert.deepEqual(read.answered, { rcode: 0, records: [{ ...A, class: "IN" }] });
});

const foreign: readonly (readonly [string, Partial<Packet>])[] = [
  ["another id", { id: 8 }],
  ["another name", { questions: [{ name: "a.c", type: "A" }] }],
  ["another spelling", { questions: [{ name: "A.b", type: "A" }] }],
  ["another type", { questions: [{ name: "a.b", type: "AAAA" }] }],
  ["another class", { questions: [{ name: "a.b", type: "A", class: "CH" }] }],
  ["no question", { questions: [] }],
  [
    "two questions",
    {
      questions: [
        { name: "a.b", type: "A" },
        { name: "a.b", type: "A" },
      ],
    },
  ],
  ["the form of a query", { type: "query" }],
];
for (const [what, more] of foreign) {
  test(`an answer with ${what} is nobody's`, () => assert.equal(readAnswer(answerOf(more), ASKED).kind, "foreign"));
}

test("over TCP the spelling does not matter", () => {
  const bytes = answerOf({ questions: [{ name: "A.B", type: "A" }] });
  assert.equal(readAnswer(bytes, { ...ASKED, spelling: "any" }).kind, "answer");
});

for (const [rcode, kind] of [
  [0, "answer"],
  [2, "failed"],
  [3, "answer"],
  [5, "failed"],
] as const) {
  test(`rcode ${rcode} is ${kind}`, () => {
    assert.equal(readAnswer(answerOf({ flags: 0x180 | rcode, answers: [] }), ASKED).kind, kind);
  });
}

test("an answer that is cut says so", () => {
  assert.equal(readAnswer(answerOf({ flags: 0x380 }), ASKED).kind, "truncated");
});

const cname = (from: string, to: string): Answer => ({ type: "CNAME", name: from, ttl: 60, data: to });
const at = (owner: string): Answer => ({ ...A, name: owner });
const chains: readonly (readonly [string, readonly Answer[], readonly string[]])[] = [
  [
    "aliases are followed in any order",
    [at("z.y"), cname("C.d", "z.y"), cname("a.b", "c.D")],
    ["CNAME a.b", "CNAME c.d", "A z.y"],
  ],
  ["records of other names are left out", [A, at("evil.example"), cname("x.y", "a.b")], ["A a.b"]],
  ["records of other types are left out", [A, { type: "AAAA", name: "a.b", ttl: 1, data: "2001:db8::1" }], ["A a.b"]],
  ["a loop ends", [cname("a.b", "c.d"), cname("c.d", "a.b")], ["CNAME a.b", "CNAME c.d"]],
  ["an alias to no name is left out", [cname("a.b", "c d")], []],
  ["another class is left out", [{ ...A, class: "CH" } as Answer], []],
];
for (const [what, answers, expected] of chains) test(what, () => assert.deepEqual(recordsOf(answers), expected));

test("more records than are bearable are refused", () => {
  const many = (count: number) => recordsOf(Array.from({ length: count }, () => A));
  assert.equal(many(NAME_RECORDS_MAX).length, NAME_RECORDS_MAX);
  assert.equal(many(NAME_RECORDS_MAX + 1), "failed");
});

const parameter = (key: number, hex: string) => {
  const value = Buffer.from(hex, "hex");
  const head = Buffer.alloc(4);
  head.writeUInt16BE(key, 0);
  head.writeUInt16BE(value.length, 2);
  return Buffer.concat([head, value]);
};
const binding = (...parameters: readonly Buffer[]) => Buffer.concat([Buffer.from([0, 1, 0]), ...parameters]);
const H2 = "026832";
const ECH = parameter(5, "00ff00ff");

// what holds, record, what is left (undefined: nothing)
const bindings: readonly (readonly [string, Buffer, Buffer | undefined])[] = [
  ["ech is taken out", binding(parameter(1, H2), ECH), binding(parameter(1, H2))],
  [
    "address hints are taken out",
    binding(parameter(4, "c0000201"), parameter(6, "20010db8000000000000000000000001")),
    binding(),
  ],
  ["HTTP/3 is taken out", binding(parameter(1, `026833${H2}0568332d3239`)), binding(parameter(1, H2))],
  ["a record of HTTP/3 alone goes", binding(parameter(1, "026833")), undefined],
  [
    "port and no-default-alpn stay",
    binding(parameter(2, ""), parameter(3, "20fb")),
    binding(parameter(2, ""), parameter(3, "20fb")),
  ],
  ["what nobody knows is taken out", binding(parameter(7, "2f"), parameter(9, "00")), binding()],
  ["a record that is void without ech goes", binding(parameter(0, "0005"), ECH), undefined],
  [
    "what was mandatory and stays needs no mention",
    binding(parameter(0, "0001"), parameter(1, H2)),
    binding(parameter(1, H2)),
  ],
  ["keys out of order", binding(parameter(3, "20fb"), parameter(1, H2)), undefined],
  ["a key twice", binding(parameter(1, H2), parameter(1, H2)), undefined],
  ["a value that is cut", binding(parameter(3, "20fb").subarray(0, 5)), undefined],
  ["no target", Buffer.from([0, 1]), undefined],
  ["a pointer as target", Buffer.from([0, 1, 0xc0, 0x0c]), undefined],
];
for (const [what, data, left] of bindings) {
  test(`of service bindings: ${what}`, () => assert.deepEqual(cleanBinding(data), left));
}

test("an HTTPS record arrives without ech", () => {
  const record = {
    type: "UNKNOWN_65",
    name: "a.b",
    ttl: 60,
    data: binding(parameter(1, H2), ECH),
  } as unknown as Answer;
  const bytes = answerOf({ questions: [{ name: "a.b", type: "UNKNOWN_65" as RecordType }], answers: [record] });
  assert.ok(bytes.includes(ECH));
  const read = readAnswer(bytes, { ...ASKED, type: TYPES.HTTPS });
  assert.ok(read.kind === "answer" && read.answered.records.length === 1);
  const query = queryOf(
    encode({ type: "query", id: 1, questions: [{ name: "a.b", type: "UNKNOWN_65" as RecordType }] }),
  );
  const told = writeAnswer(query, read.answered, 512);
  assert.ok(told.includes(parameter(1, H2)) && !told.includes(ECH.subarray(0, 6)));
});

test("an answer repeats the client's spelling, and what does not fit is cut", () => {
  const query = queryOf(QUESTION);
  const records = Array.from({ length: 40 }, () => ({ ...A, name: "db.internal", ttl: 60, class: "IN" }) as const);
  const whole = decode(writeAnswer(query, { rcode: 0, records }, 65_535));
  assert.deepEqual([whole.flag_tc, whole.answers?.length, whole.answers?.[0]?.name], [false, 40, "Db.Internal"]);
  const bytes = writeAnswer(query, { rcode: 0, records }, 512);
  const cut = decode(bytes);
  assert.deepEqual([cut.flag_tc, cut.answers?.length, cut.questions?.[0]?.name], [true, 0, "Db.Internal"]);
  assert.ok(bytes.length <= 512);
});

test("a refusal tells its reason to clients that speak EDNS, and only to them", () => {
  const reason = { code: 15, text: "no rule names it" } as const;
  const told = writeRefusal(queryOf(edns(1_232)), RCODES.noSuchName, reason);
  assert.ok(told.includes("no rule names it"));
  assert.equal((decode(told).flags ?? 0) & 15, 3);
  assert.equal(decode(writeRefusal(queryOf(QUESTION), RCODES.noSuchName, reason)).additionals?.length, 0);
});

test("no bytes make reading throw, and what is built is read again", () => {
  const mutated = fc.tuple(
    fc.constantFrom(QUESTION, edns(1_232), answerOf({})),
    fc.array(fc.tuple(fc.nat(80), fc.nat(255)), { maxLength: 6 }),
  );
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    mutated.map(([base, changes]) => {
      const copy = Buffer.from(base);
      for (const [where, value] of changes) if (where < copy.length) copy[where] = value;
      return copy;
    }),
  );
  fc.assert(
    fc.property(bytes, (input) => {
      const read = readQuery(input);
      const answer = readAnswer(input, ASKED);
      if (read.kind !== "query") return;
      assert.match(read.query.name, /^[a-z0-9_.-]+$/);
      const reply = writeAnswer(
        read.query,
        answer.kind === "answer" ? answer.answered : { rcode: 0, records: [] },
        512,
      );
      assert.equal(decode(reply).questions?.[0]?.name, read.query.asked);
      assert.ok(reply.length <= 512);
    }),
    { numRuns: 3_000 },
  );
});

test("no bytes make cleaning a service binding throw or leave ech in it", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (input) => {
      const clean = cleanBinding(Buffer.from(input));
      if (clean !== undefined) assert.deepEqual(cleanBinding(clean), clean);
    }),
    { numRuns: 3_000 },
  );
});
