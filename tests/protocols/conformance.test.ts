/** What is demanded of every protocol in src/protocols/index.ts, whatever it speaks. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FRAME_BYTES_MAX } from "../../src/base/limits.ts";
import type { Verdict } from "../../src/model/decision.ts";
import type { MaskFor } from "../../src/model/mask.ts";
import type { Asked } from "../../src/model/operation.ts";
import { mintPermit, redeemPermit } from "../../src/model/permit.ts";
import type { Protocol } from "../../src/model/protocol.ts";
import type { AnswerEntry, SessionCommand, SessionEvent } from "../../src/model/session.ts";
import { protocols } from "../../src/protocols/index.ts";
import { client, int32, join, messagesIn, server } from "../kit/wire.ts";
import { GREETING, maskPlainly, STARTUP } from "./postgres/kit.ts";

const CARD = "4111111111111111";
const SECRET = "hunter2-upstream";
/** A conversation is not cut at random more often than this: the machine is shared. */
const RUNS = 60;

interface Turn {
  readonly side: "client" | "server";
  readonly bytes: Uint8Array;
}

/** What a test has to know of a protocol. */
interface Sample {
  /** Up to the login; the rest follows it. */
  readonly opening: readonly Turn[];
  readonly greeting: unknown;
  readonly turns: readonly Turn[];
  /** Throws when what the client got cannot be read. Absent: the protocol has no form of its own. */
  readonly readable?: (toClient: Uint8Array) => void;
  /** Whether values are looked at at all. */
  readonly masks: boolean;
}

const from = (side: Turn["side"], ...bytes: readonly Uint8Array[]): Turn => ({ side, bytes: join(...bytes) });
const error = server.error({ S: "ERROR", V: "ERROR", C: "22P02", M: `bad value: "${SECRET}" or ${CARD}`, D: CARD });
const columns = server.columns({ name: "n", type: 23 }, { name: "t" });

const SAMPLES: Readonly<Record<string, Sample>> = {
  opaque: {
    opening: [from("client", Buffer.from("early"))],
    greeting: undefined,
    turns: [
      from("client", Buffer.from("ping")),
      from("server", Buffer.from("pong")),
      from("client", Buffer.from("bye")),
    ],
    masks: false,
  },
  postgres: {
    opening: [from("client", client.gssRequest(), STARTUP)],
    greeting: GREETING,
    turns: [
      from("client", client.query("select n, t from t")),
      from(
        "server",
        columns,
        server.row("1", CARD),
        server.row("2", `no ${SECRET}`),
        server.complete("SELECT 2"),
        server.ready(),
      ),
      from("client", client.parse("s", "select $1::text"), client.describe("S", "s"), client.sync()),
      from("server", server.parsed(), server.parameters(25), server.columns({ name: "t" }), server.ready()),
      from(
        "client",
        ...[client.bind("", "s", { values: [SECRET] }), client.describe("P", ""), client.execute(""), client.sync()],
        ...[client.query("drop table refuse_me"), client.query("select 2")],
      ),
      from(
        "server",
        ...[
          server.bound(),
          server.columns({ name: "t" }),
          server.row(CARD),
          server.complete("SELECT 1"),
          server.ready(),
        ],
        ...[server.error({ S: "ERROR", V: "ERROR", C: "42601", M: "syntax error" }), server.ready()],
        ...[
          server.notice({ S: "NOTICE", V: "NOTICE", C: "00000", M: CARD }),
          server.notification("c", CARD),
          error,
          server.ready(),
        ],
      ),
      from("client", client.query("copy t to stdout")),
      from(
        "server",
        server.copyOut(2),
        server.copyData(`1\t${CARD}\n`),
        server.copyDone(),
        server.complete("COPY 1"),
        server.ready(),
      ),
      from("client", client.query("copy t from stdin")),
      from("server", server.copyIn()),
      from("client", client.copyData("1\ta\n"), client.copyData("2\tb\n"), client.copyDone()),
      from("server", server.complete("COPY 2"), server.ready()),
      from("client", client.terminate()),
    ],
    readable: (toClient) => {
      // The N that answers GSSENCRequest comes before the first message.
      messagesIn(toClient.subarray(1));
    },
    masks: true,
  },
};

/** Runs a session as the driver does and keeps what it did, in order of each kind. */
class Stage {
  readonly toClient: Uint8Array[] = [];
  readonly toServer: Uint8Array[] = [];
  readonly asked: string[] = [];
  readonly notes: AnswerEntry[] = [];
  readonly closed: string[] = [];
  #logins = 0;
  readonly #session;
  readonly #judge: (asked: readonly Asked[]) => "allow" | "deny" | "wait";
  readonly #events: SessionEvent[] = [];

  constructor(protocol: Protocol, judge: (asked: readonly Asked[]) => "allow" | "deny" | "wait", maskFor: MaskFor) {
    this.#judge = judge;
    const connection = {
      name: "sample",
      protocol: protocol.name,
      addresses: [],
      labels: {},
      tls: { mode: "disable" },
      data: {},
    } as const;
    this.#session = protocol.session({ sessionId: "s1", connection, maskFor, cancelSecret: Buffer.alloc(4, 1) });
    this.give({ kind: "start" });
  }

  get logins(): number {
    return this.#logins;
  }

  give(event: SessionEvent): void {
    this.#events.push(event);
    for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) {
      for (const command of this.#session.handle(next)) this.#obey(command);
    }
  }

  /** In pieces that end at `cuts`; each piece is overwritten afterwards, as a static read buffer is. */
  say({ side, bytes }: Turn, cuts: readonly number[] = []): void {
    const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1))), bytes.length].sort((a, b) => a - b);
    let at = 0;
    for (const end of ends) {
      if (end === at) continue;
      const piece = Buffer.from(bytes.subarray(at, end));
      this.give({ kind: side, bytes: piece });
      piece.fill(0xee);
      at = end;
    }
  }

  #obey(command: SessionCommand): void {
    switch (command.kind) {
      case "toClient":
        this.toClient.push(Buffer.from(command.bytes));
        break;
      case "ask": {
        // Housekeeping may be asked for in as many parts as it came in.
        const told = command.asked.filter(({ operation }) => operation.actions.length > 0 || operation.forbidden);
        if (told.length > 0) this.asked.push(JSON.stringify(told));
        const answer = this.#judge(command.asked);
        if (answer === "wait") break;
        this.#events.push({ kind: "verdict", id: command.id, decision: decisionOf(answer, command.id, command.bytes) });
        break;
      }
      case "forward":
        this.toServer.push(Buffer.from(redeemPermit(command.permit, "s1", command.id)));
        break;
      case "login":
        redeemPermit(command.permit, "s1", command.id);
        this.#logins++;
        break;
      case "note":
        this.notes.push({ ...command.entry, askId: 0 });
        break;
      case "close":
        this.closed.push(command.fault ?? "");
        break;
      default:
        break;
    }
  }
}

function decisionOf(answer: "allow" | "deny", id: number, bytes: Uint8Array): Verdict {
  if (answer === "deny") return { kind: "deny", rules: ["no-ddl"], message: "refused", policy: "p1" };
  return { kind: "allow", permit: mintPermit("s1", id, bytes), rules: [], policy: "p1" };
}

const judgeBySample = (asked: readonly Asked[]) =>
  asked.some(({ text, operation }) => operation.forbidden || text.includes("refuse_me")) ? "deny" : "allow";

function play(protocol: Protocol, sample: Sample, cuts: readonly (readonly number[])[] = []): Stage {
  const stage = new Stage(protocol, judgeBySample, maskPlainly);
  sample.opening.forEach((turn, at) => {
    stage.say(turn, cuts[at]);
  });
  stage.give({ kind: "loggedIn", greeting: sample.greeting });
  sample.turns.forEach((turn, at) => {
    stage.say(turn, cuts[sample.opening.length + at]);
  });
  return stage;
}

function account({ toClient, toServer, asked, notes, closed }: Stage) {
  return { toClient: latin1(toClient), toServer: latin1(toServer), asked, notes, closed };
}

function latin1(parts: readonly Uint8Array[]): string {
  return Buffer.concat(parts).toString("latin1");
}

for (const protocol of protocols) {
  const { name } = protocol;
  const sample = SAMPLES[name];
  await protocol.prepare();

  test(`${name}: has a sample conversation here`, () => assert.ok(sample !== undefined));
  if (sample === undefined) continue;
  const turns = sample.opening.length + sample.turns.length;

  test(`${name}: the sample conversation reaches the server and comes back without a fault`, () => {
    const stage = play(protocol, sample);
    assert.equal(stage.logins, 1);
    assert.ok(stage.toServer.length > 0 && stage.toClient.length > 0);
    assert.deepEqual(
      stage.closed.filter((fault) => fault !== ""),
      [],
    );
  });

  test(`${name}: however a conversation is cut into chunks, the same things are done`, () => {
    const whole = account(play(protocol, sample));
    const everyByte = sample.opening.concat(sample.turns).map(({ bytes }) => [...bytes.keys()]);
    assert.deepEqual(account(play(protocol, sample, everyByte)), whole);
    const cuts = fc.array(fc.array(fc.nat(4_000), { maxLength: 4 }), { minLength: turns, maxLength: turns });
    fc.assert(
      fc.property(cuts, (chosen) => {
        assert.deepEqual(account(play(protocol, sample, chosen)), whole);
      }),
      { numRuns: RUNS },
    );
  });

  test(`${name}: nothing is dialled or forwarded before a verdict`, () => {
    const shy = new Stage(protocol, () => "wait", maskPlainly);
    for (const turn of [...sample.opening, ...sample.turns.filter(({ side }) => side === "client")]) shy.say(turn);
    assert.equal(shy.logins, 0);
    const later = new Stage(protocol, (asked) => (isConnect(asked) ? "allow" : "wait"), maskPlainly);
    for (const turn of sample.opening) later.say(turn);
    later.give({ kind: "loggedIn", greeting: sample.greeting });
    for (const turn of sample.turns.filter(({ side }) => side === "client")) later.say(turn);
    assert.equal(later.logins, 1);
    assert.deepEqual([shy.toServer, later.toServer], [[], []]);
  });

  test(`${name}: random bytes of either side end in silence or a close, never in another error`, () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(bytes, bytes, bytes, (first, second, third) => {
        const stranger = new Stage(protocol, judgeBySample, maskPlainly);
        stranger.say({ side: "client", bytes: first });
        const known = new Stage(protocol, judgeBySample, maskPlainly);
        for (const turn of sample.opening) known.say(turn);
        known.give({ kind: "loggedIn", greeting: sample.greeting });
        known.say({ side: "client", bytes: second });
        known.say({ side: "server", bytes: third });
        if (known.closed.length > 0) assert.equal(known.closed.length, 1);
      }),
      { numRuns: RUNS * 10 },
    );
  });

  test(`${name}: a byte that was changed ends in an answer or a close, never in another error`, () => {
    const change = fc.tuple(fc.nat(turns - 1), fc.nat(4_000), fc.nat(255));
    fc.assert(
      fc.property(change, ([turn, position, value]) => {
        const spoiled = (given: Turn, at: number): Turn => {
          if (at !== turn) return given;
          const bytes = Buffer.from(given.bytes);
          bytes[position % bytes.length] = value;
          return { ...given, bytes };
        };
        const { opening } = sample;
        play(protocol, {
          ...sample,
          opening: opening.map(spoiled),
          turns: sample.turns.map((given, at) => spoiled(given, at + opening.length)),
        });
      }),
      { numRuns: RUNS * 5 },
    );
  });

  test(`${name}: a client that does not stop speaking is cut off`, () => {
    const stage = new Stage(protocol, () => "wait", maskPlainly);
    for (const turn of sample.opening) stage.say(turn);
    const chunk = Buffer.alloc(1024 * 1024, 0x51);
    let sent = 0;
    while (stage.closed.length === 0 && sent <= 2 * FRAME_BYTES_MAX) {
      stage.give({ kind: "client", bytes: chunk });
      sent += chunk.length;
    }
    assert.equal(stage.closed.length, 1);
    assert.ok(sent <= FRAME_BYTES_MAX + 2 * chunk.length);
  });

  test(`${name}: no note holds a secret or a value`, () => {
    const notes = JSON.stringify(play(protocol, sample).notes);
    assert.ok(!notes.includes(SECRET) && !notes.includes(CARD), notes);
  });

  test(`${name}: after a stop nothing more is done`, () => {
    const stage = play(protocol, { ...sample, turns: [] });
    stage.give({ kind: "stop", reason: "the grant has ended" });
    const before = account(stage);
    for (const turn of sample.turns) stage.say(turn);
    assert.deepEqual(account(stage), before);
    assert.equal(stage.closed.length, 1);
  });

  const { readable } = sample;
  if (readable !== undefined) {
    test(`${name}: everything that the client gets can be read, refusals too`, () => {
      const toClient = Buffer.concat(play(protocol, sample).toClient);
      assert.ok(toClient.includes("no-ddl"));
      readable(toClient);
    });
  }

  if (sample.masks) {
    test(`${name}: a masked value never reaches the client`, () => {
      const shown = Buffer.concat(play(protocol, sample).toClient);
      assert.ok(!shown.includes(CARD));
      const unmasked = new Stage(protocol, judgeBySample, () => undefined);
      for (const turn of sample.opening) unmasked.say(turn);
      unmasked.give({ kind: "loggedIn", greeting: sample.greeting });
      for (const turn of sample.turns) unmasked.say(turn);
      // The control: without masks it is there.
      assert.ok(Buffer.concat(unmasked.toClient).includes(CARD));
    });
  }
}

function isConnect(asked: readonly Asked[]): boolean {
  return asked.some(({ operation }) => operation.actions.some(({ name }) => name === "connect"));
}

test("a header that promises much costs nothing until it comes", () => {
  const [protocol] = protocols.filter(({ name }) => name === "postgres");
  assert.ok(protocol !== undefined);
  const before = process.memoryUsage().arrayBuffers;
  const sessions = Array.from({ length: 200 }, () => {
    const stage = play(protocol, { opening: [from("client", STARTUP)], greeting: GREETING, turns: [], masks: true });
    stage.say({ side: "client", bytes: join(Buffer.from("Q"), int32(FRAME_BYTES_MAX)) });
    return stage;
  });
  assert.ok(sessions.every(({ closed }) => closed.length === 0));
  assert.ok(process.memoryUsage().arrayBuffers - before < 16 * 1024 * 1024);
});
