/** One call of the command line within this process, without a daemon. */
import { Readable } from "node:stream";
import { runCommandLine } from "../../src/control/cli/program.ts";
import type { DaemonModule } from "../../src/control/ports.ts";

export async function commandLine(argv: readonly string[], main: Partial<DaemonModule>) {
  let [out, err] = ["", ""];
  const code = await runCommandLine({
    argv: ["--run", "/nonexistent", ...argv],
    env: {},
    stdin: Readable.from([]),
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    loadDaemon: async () => main as DaemonModule,
  });
  return { code, out, err };
}
