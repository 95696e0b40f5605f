/** Gives the process's own streams to the command line and its code back. bin/start.mjs loads it. */
import { codeOf } from "../../base/errors.ts";
import type { DaemonModule } from "../ports.ts";
import { runCommandLine } from "./program.ts";

// A reader that has seen enough (head, less) ends us quietly.
process.stdout.on("error", (error) => {
  if (codeOf(error) === "EPIPE") process.exit(0);
  throw error;
});

process.exitCode = await runCommandLine({
  argv: process.argv.slice(2),
  env: process.env,
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  // The one way from control to main.ts: taken at run time, by the commands that work without a daemon or become one.
  loadDaemon: async () => (await import(new URL("../../main.ts", import.meta.url).href)) as DaemonModule,
});
