import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { createRecorder } from "../../src/recorder/recorder.ts";
import { openStore } from "../../src/store/store.ts";
import { folder, handClock, quietLog } from "../store/folder.ts";
import { entries } from "./kit.ts";

const WRITER = fileURLToPath(new URL("./writer.ts", import.meta.url));

// After how many bytes of forwarded numbers the process is killed: early, between, and after a new segment.
for (const bytes of [1, 100, 5_000, 20_000, 40_000]) {
  test(`kill -9 after ${bytes} bytes forwarded: every forwarded operation has its decision`, async (t) => {
    const state = join(folder(t), "state");
    const child = spawn(process.execPath, [WRITER, state], { stdio: ["ignore", "pipe", "inherit"] });
    const closed = once(child, "close");
    let forwarded = "";
    for await (const chunk of child.stdout) {
      forwarded += chunk;
      if (forwarded.length >= bytes && !child.killed) child.kill("SIGKILL");
    }
    await closed;
    assert.equal(child.signalCode, "SIGKILL");

    const dir = join(state, "recordings");
    const decided = new Set<string>();
    const asked: number[] = [];
    for (const at of [1, 2]) {
      const read = await entries(dir, `s${at}`);
      for (const entry of read)
        if (entry.kind === "decision" && entry.decision === "allow") decided.add(`${at} ${entry.askId}`);
      asked.push(read.filter(({ kind }) => kind === "action").length);
      assert.equal(read.at(-1)?.kind, "interrupted");
      assert.ok(!read.some(({ kind }) => kind === "missing"));
    }
    // The last line may be cut: what stands in it was written before it nevertheless.
    const lines = forwarded.split("\n").slice(0, -1);
    assert.ok(lines.length > 0);
    assert.deepEqual(
      lines.filter((line) => !decided.has(line)),
      [],
    );

    const store = await openStore(state, quietLog());
    t.after(() => store.close());
    const options = { dir, clock: handClock(), scrub: (text: string) => text, index: store.sessions, log: quietLog() };
    const recorder = await createRecorder(options);
    assert.deepEqual(await recorder.recoverOpen(0), { interrupted: 2, indexed: 2 });
    for (const at of [1, 2]) {
      const row = await store.sessions.get(`s${at}`);
      assert.equal(row?.state, "interrupted");
      assert.ok((row?.statements ?? 0) >= lines.filter((line) => line.startsWith(`${at} `)).length);
      assert.equal(row?.statements, asked[at - 1]);
    }
  });
}
