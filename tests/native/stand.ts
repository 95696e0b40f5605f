/** A relay between real sockets, with a real file and permits of the test's own. */
import assert from "node:assert/strict";
import { closeSync, openSync, readFileSync } from "node:fs";
import { createServer, connect as dial, type Socket } from "node:net";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { Relay, type RelayReturned } from "ebpf-loader";
import { FIRST_LINK, hashOf, messagesIn, readBlock } from "../../src/recorder/block.ts";
import { SegmentDecoder } from "../../src/recorder/decode.ts";
import type { RecordEntry } from "../../src/recorder/format.ts";
import { Packer } from "../../src/recorder/pack.ts";
import { server as answer, join as concat, message, client as say } from "../kit/wire.ts";
import { folder } from "../store/folder.ts";

export const DESCRIPTION = answer.columns({ name: "n" });
export const ROW = answer.row("7");
export const DONE = answer.complete("SELECT 1");
export const READY = answer.ready("I");
export const ANSWER = concat(DESCRIPTION, ROW, DONE, READY);
export const SELECT = (digits: string) => say.query(`SELECT n FROM t WHERE n = ${digits};`);
/** As a driver runs what it has prepared. */
export const EXECUTE = (values: readonly (string | null)[], { statement = "s1", portal = "", rows = 0 } = {}) =>
  concat(say.bind(portal, statement, { values }), say.execute("", rows), say.sync());

function decision(): Uint8Array {
  const packer = new Packer();
  packer.decisionFields({ kind: "allow", rules: ["read"], policy: "p1" });
  return Uint8Array.from(packer.view());
}

export const QUERY = {
  request: [{ type: 0x51, parts: [Buffer.from("SELECT n FROM t WHERE n = "), "integer", Buffer.from(";\0")] }],
  answer: [DESCRIPTION],
  hasRows: true,
  ...{ text: "", action: new Uint8Array(), decision: decision() },
} as const;
/** Of which nobody is asked. */
const CLEAN = {
  ...QUERY,
  request: [{ type: 0x51, parts: [Buffer.from("SELECT m FROM t WHERE n = "), "integer", Buffer.from(";\0")] }],
  isWordless: true,
} as const;
/** Of which each group is asked about. */
const ASKED = {
  ...QUERY,
  request: [{ type: 0x51, parts: [Buffer.from("SELECT k FROM t WHERE n = "), "integer", Buffer.from(";\0")] }],
  isAsked: true,
} as const;
const BOUND = {
  request: [
    { type: 0x42, parts: [Buffer.from("\0s1\0\0\0\0\x01"), "value", Buffer.of(0, 0)] },
    { type: 0x45, parts: [Buffer.from("\0\0\0\0\0")] },
    { type: 0x53, parts: [] },
  ],
  answer: [message("2")],
  hasRows: false,
  ...{ text: "UPDATE t SET n = $1", action: new Uint8Array(), decision: decision() },
} as const;

/** Three integers in binary form, after a Parse. */
const INTEGERS = {
  request: [
    { type: 0x50, parts: [Buffer.from("\0UPDATE u SET n = $1\0\0\0")] },
    { type: 0x42, parts: [Buffer.from("\0\0\0\x01\0\x01\0\x03"), "int2", "int4", "int8", Buffer.of(0, 0)] },
    { type: 0x45, parts: [Buffer.from("\0\0\0\0\0")] },
    { type: 0x53, parts: [] },
  ],
  answer: [message("1"), message("2")],
  hasRows: false,
  leaves: true,
  ...{ text: "UPDATE u SET n = $1", action: new Uint8Array(), decision: decision() },
} as const;
export const BINARY = (values: readonly (Buffer | null)[]) =>
  concat(
    say.parse("", "UPDATE u SET n = $1"),
    say.bind("", "", { formats: [1], values }),
    say.execute("", 0),
    say.sync(),
  );

interface Stand {
  readonly client: Socket;
  readonly server: Socket;
  readonly relay: Relay;
  readonly flow: number;
  readonly file: string;
  /** Everything that came so far. */
  readonly atServer: () => Buffer;
  readonly atClient: () => Buffer;
  /** Why it was given back. */
  readonly why: () => string | undefined;
  readonly take: () => RelayReturned;
}

export async function pair(t: TestContext): Promise<{ readonly outer: Socket; readonly inner: Socket }> {
  const listening = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  const address = listening.address();
  assert.ok(typeof address === "object" && address !== null);
  const accepted = new Promise<Socket>((resolve) => listening.once("connection", resolve));
  const outer = dial({ port: address.port, host: "127.0.0.1", allowHalfOpen: true });
  const inner = await accepted;
  outer.on("error", () => {});
  inner.on("error", () => {});
  t.after(() => {
    outer.destroy();
    inner.destroy();
    listening.close();
  });
  return { outer, inner };
}

export const fdOf = (socket: Socket) => (socket as unknown as { _handle: { fd: number } })._handle.fd;

export async function stand(
  t: TestContext,
  how: {
    readonly sizeMax?: number;
    readonly forMs?: number;
    readonly file?: string;
    /** Of the recording, where it is not a file. */
    readonly fd?: number;
    readonly vouch?: (text: string, flow: number, relay: Relay) => boolean;
    /** Of groups of ASKED. */
    readonly decide?: (askId: number, group: Buffer, flow: number, relay: Relay) => boolean;
    /** In place of taking it. */
    readonly giveBack?: (relay: Relay, flow: number) => void;
  } = {},
): Promise<Stand> {
  const [one, other] = [await pair(t), await pair(t)];
  const file = how.file ?? join(folder(t), "segment");
  const fd = how.fd ?? openSync(file, "a");
  let why: string | undefined;
  const relay = new Relay({
    giveBack: (_flow, reason) => {
      why = reason;
      if (how.giveBack === undefined) taken ??= relay.take(flow);
      else how.giveBack(relay, flow);
    },
    vouch: (id, _permit, text) => how.vouch?.(text, id, relay) ?? false,
    decide: (id, _permit, askId, group) => how.decide?.(askId, group, id, relay) ?? false,
  });
  let taken: RelayReturned | undefined;
  const flow = relay.lend({
    client: fdOf(one.inner),
    server: fdOf(other.inner),
    tail: { fd, size: 0, sizeMax: how.sizeMax ?? 1 << 20, sequence: 0, link: FIRST_LINK },
    lastAskId: 10,
    forMs: how.forMs ?? 60_000,
    permits: [
      relay.permit(QUERY),
      relay.permit(BOUND),
      relay.permit(CLEAN),
      relay.permit(INTEGERS),
      relay.permit(ASKED),
    ],
  });
  t.after(() => {
    relay.take(flow);
    relay.close();
    closeSync(fd);
  });
  const heard = (socket: Socket) => {
    const parts: Buffer[] = [];
    socket.on("data", (bytes: Buffer) => parts.push(bytes));
    return () => Buffer.concat(parts);
  };
  return {
    ...{ client: one.outer, server: other.outer, relay, flow, file },
    atClient: heard(one.outer),
    atServer: heard(other.outer),
    why: () => why,
    take: () => {
      taken ??= relay.take(flow);
      assert.ok(taken);
      return taken;
    },
  };
}

export async function until(holds: () => boolean, what: string): Promise<void> {
  for (let turn = 0; turn < 500; turn++) {
    if (holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail(`Did not come: ${what}`);
}

/** The records of a segment without a head; every block is checked against the one before. */
export function recordsIn(file: string): readonly RecordEntry[] {
  const bytes = readFileSync(file);
  const records: RecordEntry[] = [];
  const decoder = new SegmentDecoder();
  let link = FIRST_LINK;
  for (let offset = 0; offset < bytes.length; ) {
    const block = readBlock(bytes, offset);
    assert.ok(block.kind === "block");
    assert.equal(block.link, link);
    link = hashOf(block.whole);
    for (const record of messagesIn(block.body)) records.push(decoder.decode(record));
    offset += block.whole.length;
  }
  return records;
}
