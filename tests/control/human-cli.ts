/** The command line as a human has it: with a home of its own, in which their session is kept. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import type { TestContext } from "node:test";
import { runCommandLine } from "../../src/control/cli/program.ts";
import { sessionFile } from "../../src/control/cli/session-file.ts";
import type { FakeDaemon } from "./fake-daemon.ts";

export interface Cli {
  readonly home: string;
  readonly file: string;
  run(
    args: readonly string[],
    how?: Running,
  ): Promise<{ readonly code: number; readonly out: string; readonly err: string }>;
}
interface Running {
  readonly env?: Readonly<Record<string, string>>;
  readonly heard?: (err: string) => void;
}

export function commandLineOf(t: TestContext, daemon: FakeDaemon): Cli {
  const home = mkdtempSync(join(tmpdir(), "sallyport-home-"));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  return {
    home,
    file: sessionFile({ HOME: home }, daemon.runDir),
    async run(args, { env = {}, heard } = {}) {
      let [out, err] = ["", ""];
      const code = await runCommandLine({
        argv: ["--run", daemon.runDir, ...args],
        env: { HOME: home, ...env },
        stdin: Readable.from([]),
        stdout: { write: (text) => (out += String(text)) },
        stderr: {
          write: (text) => {
            err += String(text);
            heard?.(err);
          },
        },
        loadDaemon: () => assert.fail("no command about humans is the daemon"),
      });
      return { code, out, err };
    },
  };
}
