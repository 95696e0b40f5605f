/** Where bin/sallyport comes in. Gives the process's own streams to the command line and its code back. */
import { enableCompileCache } from "node:module";
import { fileURLToPath } from "node:url";
import type { DaemonModule } from "../ports.ts";

// V8's code for what is loaded, which is half of a command's time. In the package's own folder, and only where nobody else
// could write to what is made there: whoever can change it changes the program.
const OTHERS_WRITE = 0o022;
if ((process.umask() & OTHERS_WRITE) === OTHERS_WRITE)
  enableCompileCache(fileURLToPath(new URL("../../../build/compile-cache", import.meta.url)));
const { codeOf } = await import("../../base/errors.ts");
const { runCommandLine } = await import("./program.ts");

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
