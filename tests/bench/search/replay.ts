/** One large session: how soon its replay begins, also in its middle, and what the process that reads it takes of memory. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ApiClient } from "../../../src/control/cli/client.ts";
import type { SessionEntry } from "../../../src/control/ports.ts";
import type { Operation } from "../../../src/model/operation.ts";
import { createRecorder } from "../../../src/recorder/recorder.ts";
import { openStore } from "../../../src/store/store.ts";
import { allow, answer, start, summary } from "../../recorder/kit.ts";
import { quietLog } from "../../store/folder.ts";
import type { Measure } from "../search.ts";

const TEXT = `insert into notes (body) values ('${"lorem ipsum dolor sit amet ".repeat(70)}')`;
const OPERATION: Operation = {
  actions: [{ name: "sql.insert", facts: { statement: { kind: "insert", tables: [] } } }],
};
/** Read to its end, a gigabyte takes a minute: so many entries say what reading on costs. */
const READ_ON = 50_000;
const MIB = 1024 * 1024;

export async function replayMeasures(state: string, bytes: number): Promise<readonly Measure[]> {
  const statements = Math.floor(bytes / (TEXT.length + 100));
  await record(state, statements);
  const child = fork(fileURLToPath(new URL("./replay-server.ts", import.meta.url)), [state], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const [ready] = (await once(child, "message")) as [{ runDir: string }];
  try {
    const api = new ApiClient(ready.runDir);
    const pid = child.pid ?? 0;
    const idle = rssOf(pid);
    const open = await first(api, "");
    const middle = await first(api, `?from=${statements}`);
    const byTime = await first(api, `?from=${Math.floor(statements * 0.9)}ms`);
    const end = await first(api, `?from=${statements * 3 - 2}`);
    const fromMs = performance.now();
    let seen = 0;
    for await (const _ of api.lines<SessionEntry>("/v1/sessions/large/entries")) if (++seen === READ_ON) break;
    const rate = (seen / (performance.now() - fromMs)) * 1_000;
    const peak = Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
    return [
      {
        what: "size of the session",
        value: `${(bytes / MIB).toFixed(0)} MiB, ${statements.toLocaleString("en")} statements`,
      },
      aim("replay opens: its first entry", open, 2_000),
      aim("seek to an entry in the middle", middle, 2_000),
      aim("seek by time, to nine tenths", byTime, 2_000),
      aim("seek to the last statement", end, 2_000),
      { what: "reading on", value: `${Math.round(rate).toLocaleString("en")} entries/s` },
      {
        what: `peak memory of the process that reads (${(idle / MIB).toFixed(0)} MiB before)`,
        value: `${(peak / MIB).toFixed(0)} MiB`,
        aim: { text: "under 200 MB", isMet: peak < 200e6 },
      },
    ];
  } finally {
    child.kill();
  }
}

function aim(what: string, ms: number, most: number): Measure {
  return { what, value: `${ms.toFixed(0)} ms`, aim: { text: `under ${most / 1_000} s`, isMet: ms < most } };
}

async function first(api: ApiClient, query: string): Promise<number> {
  const from = performance.now();
  for await (const _ of api.lines<SessionEntry>(`/v1/sessions/large/entries${query}`)) return performance.now() - from;
  throw new Error(`There is no entry at ${query}`);
}

function rssOf(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
}

/** A statement each millisecond; with its decision and answer it is three records. */
async function record(state: string, statements: number): Promise<void> {
  const store = await openStore(state, quietLog());
  let nowMs = Date.UTC(2026, 0, 31);
  const clock = { nowMs: () => nowMs };
  const dir = join(state, "recordings");
  const recorder = await createRecorder({ dir, clock, scrub: (text) => text, index: store.sessions, log: quietLog() });
  const recording = recorder.open({ ...start("large"), startedAtMs: nowMs });
  for (let id = 1; id <= statements; id++) {
    nowMs += 1;
    recording.asked(id, [{ operation: OPERATION, text: TEXT }], allow);
    recording.answered(answer(id));
    if (id % 20 === 0) recording.flush();
  }
  await recording.end({ ...summary, endedAtMs: nowMs });
  await recorder.close();
  await store.close();
}
