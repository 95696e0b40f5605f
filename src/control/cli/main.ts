/** Where bin/sallyport comes in. Gives the process's own streams to the command line and its code back. */
import { statSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import type { DaemonModule } from "../ports.ts";

// V8's code for what is loaded, which is half of a command's time. In the package's own folder, and only where nobody else
// could write to what is, or will be, there: whoever can change it changes the program.
const OTHERS_WRITE = 0o022;
const owners = new Set([0, process.geteuid?.(), statSync(import.meta.filename).uid]);
const cache = fileURLToPath(new URL("../../../build/compile-cache", import.meta.url));
if ([dirname(cache), cache].every(isOurs) && (process.umask() & OTHERS_WRITE) === OTHERS_WRITE)
  enableCompileCache(cache);
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

/** Or is not there yet. */
function isOurs(path: string): boolean {
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    return found === undefined || ((found.mode & OTHERS_WRITE) === 0 && owners.has(found.uid));
  } catch {
    return false; // not for us to see
  }
}
