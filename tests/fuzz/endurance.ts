/**
 * Single sessions that go on and on, against what they may keep: names that are never closed, answers that never come,
 * messages that never end, notices and descriptions without end. What is kept is measured with the session alive.
 */
import { setImmediate } from "node:timers/promises";
import { prepareAnalysis } from "../../src/protocols/postgres/actions.ts";
import { client, server } from "../kit/wire.ts";
import type { Counts } from "./counts.ts";
import { FuzzFault } from "./fault.ts";
import { ANSWERS } from "./material.ts";
import { heapBytes } from "./memory.ts";
import type { MakeSession, Move, Setting } from "./setting.ts";
import { Trial } from "./trial.ts";
import { worldNamed } from "./worlds.ts";

export interface Endured {
  readonly name: string;
  readonly messages: number;
  readonly fedBytes: number;
  /** More than before the session began. */
  readonly keptBytes: number;
  readonly keptMax: number;
}

interface Course {
  readonly name: string;
  readonly world: string;
  /** What base/limits.ts lets one session keep of this, with room for what JavaScript adds. */
  readonly keptMax: number;
  /** The `at`th messages of the client, and what the server says to them. */
  readonly client?: (at: number) => readonly Buffer[];
  readonly server?: (at: number) => readonly Buffer[];
}

const MIB = 1024 * 1024;
const LONG = "x".repeat(400);

const COURSES: readonly Course[] = [
  {
    name: "statements that are never closed",
    world: "open",
    // PREPARED_BYTES_MAX of texts, as the analysis and the name keep them, and PREPARED_MAX entries.
    keptMax: 96 * MIB,
    client: (at) => [client.parse(`s${at}`, `SELECT '${LONG}' AS a${at % 7}`), client.sync()],
    server: () => [server.parsed(), server.ready()],
  },
  {
    name: "portals that are never closed",
    world: "labelled",
    keptMax: 64 * MIB,
    client: (at) =>
      at === 0
        ? [client.query("BEGIN"), client.parse("s", "SELECT 1"), client.sync()]
        : [client.bind(`p${at}`, "s", { values: [LONG] }), client.sync()],
    server: (at) =>
      at === 0
        ? [server.complete("BEGIN"), server.ready("T"), server.parsed(), server.ready("T")]
        : [server.bound(), server.ready("T")],
  },
  {
    name: "answers that never come",
    world: "redacted",
    // PIPELINE_MAX answers, and what waits behind them unread: FRAME_BYTES_MAX doubled by an inlet that grows.
    keptMax: 160 * MIB,
    client: (at) => [client.query(`SELECT ${at}`)],
  },
  {
    name: "a client's message that does not end",
    world: "open",
    keptMax: 136 * MIB,
    client: (at) => [at === 0 ? Buffer.from("Q\x03\x00\x00\x00a", "latin1") : Buffer.alloc(4_096, 0x61)],
  },
  {
    name: "a row that does not end, masked",
    world: "redacted",
    keptMax: 136 * MIB,
    client: (at) => (at === 0 ? [client.query("SELECT 1")] : []),
    server: (at) =>
      at === 0
        ? [server.columns({ name: "a" }), Buffer.from("D\x03\x00\x00\x00\x00\x01\x02\x00\x00\x00", "latin1")]
        : [Buffer.alloc(4_096, 0x61)],
  },
  {
    name: "a line of a copy that does not end",
    world: "redacted",
    keptMax: 136 * MIB,
    client: (at) => (at === 0 ? [client.query("COPY orders TO STDOUT")] : []),
    server: (at) => (at === 0 ? [server.copyOut(1)] : [server.copyData("y".repeat(4_096))]),
  },
  {
    name: "notices, parameters and notifications",
    world: "labelled",
    keptMax: 8 * MIB,
    server: (at) => [
      server.notice({ S: "NOTICE", V: "NOTICE", C: "00000", M: `${at} ${LONG}` }),
      server.parameter("application_name", `${at}${LONG}`),
      server.notification("news", `${at} ${LONG}`),
    ],
  },
  {
    name: "results that are all described otherwise",
    world: "labelled",
    keptMax: 16 * MIB,
    client: () => [client.query("SELECT 1")],
    server: (at) => [
      server.columns({ name: `c${at}${LONG}` }, { name: "d", type: 23 }),
      server.row(`${at}`, "2"),
      server.complete(`SELECT ${at}`),
      server.ready(),
    ],
  },
];

/** Feeds each course until its session ends, or `bytes` were fed. Throws FuzzFault. */
export async function endure(
  bytes: number,
  counts: Counts,
  make: MakeSession,
  only?: string,
): Promise<readonly Endured[]> {
  const endured: Endured[] = [];
  for (const course of COURSES) {
    if (only !== undefined && course.name !== only) continue;
    endured.push(await run(course, bytes, counts, make));
    await prepareAnalysis();
  }
  return endured;
}

async function run(course: Course, bytes: number, counts: Counts, make: MakeSession): Promise<Endured> {
  const { name, keptMax } = course;
  const before = await heapBytes();
  const setting: Setting = {
    world: worldNamed(course.world),
    seed: 1,
    server: "script",
    denied: 0,
    late: 0,
    failing: 0,
    chatty: 0,
    unlucky: 0,
  };
  const trial = new Trial(setting, ANSWERS, make);
  trial.give({ kind: "client", bytes: client.startup({ user: "agent", database: "shop" }) });
  trial.give({ kind: "settle" });
  let messages = 0;
  let kept = 0;
  const give = (kind: Move["kind"] & ("client" | "server"), frames: readonly Buffer[]) => {
    for (const frame of frames) trial.give({ kind, bytes: frame });
    trial.said.length = 0;
    counts.plain(kind, frames.length);
    messages += frames.length;
  };
  for (let at = 0; trial.given < bytes && !trial.isClosed; at++) {
    give("client", course.client?.(at) ?? []);
    give("server", course.server?.(at) ?? []);
    if (at % 1_024 === 0) await setImmediate();
    if (at % CHECK_EVERY === CHECK_EVERY - 1) kept = Math.max(kept, (await heapBytes()) - before);
  }
  kept = Math.max(kept, (await heapBytes()) - before);
  counts.endurance(trial);
  if (kept > keptMax)
    throw new FuzzFault("memory", `${name}: ${kept} bytes are kept of ${trial.given} bytes; the limit is ${keptMax}`);
  return { name, messages, fedBytes: trial.given, keptBytes: kept, keptMax };
}

const CHECK_EVERY = 20_000;
