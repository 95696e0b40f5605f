/**
 * A daemon in small, to be killed: records an operation, "forwards" it by printing its number, and so on
 * until it is gone. Every third time it notes an answer, too. Argument: the state folder.
 */
import { writeSync } from "node:fs";
import { join } from "node:path";
import { createRecorder } from "../../src/recorder/recorder.ts";
import { openStore } from "../../src/store/store.ts";
import { quietLog } from "../store/folder.ts";
import { allow, answer, ask, start } from "./kit.ts";

const state = process.argv[2] ?? "";
const log = quietLog();
const store = await openStore(state, log);
const clock = { nowMs: () => Date.now() };
const dir = join(state, "recordings");
const recorder = await createRecorder({ dir, clock, scrub: (text) => text, index: store.sessions, log });
const recordings = ["s1", "s2"].map((id) => recorder.open(start(id)));

for (let id = 1; ; id += 1) {
  for (const [at, recording] of recordings.entries()) {
    recording.asked(id, [ask(`SELECT ${id} ${"x".repeat((id * 37) % 5_000)}`)], allow);
    recording.flush();
    // Forwarded: from here on it counts.
    writeSync(1, `${at + 1} ${id}\n`);
    if (id % 3 === 0) recording.answered(answer(id));
  }
  // Lets the index be written, too.
  if (id % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
}
