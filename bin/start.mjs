// Where bin/sallyport comes in: has V8's code of what is loaded kept, which is more than half of a command's time. JavaScript
// itself, since Node starts a compiler before it reads any TypeScript whose code it has not kept: 40 ms of each command.
import { statSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

// In the package's own folder, and only where nobody else could write to what is, or will be, there: whoever can change it
// changes the program.
const OTHERS_WRITE = 0o022;
const owners = new Set([0, process.geteuid?.(), statSync(import.meta.filename).uid]);
const cache = fileURLToPath(new URL("../build/compile-cache", import.meta.url));
if ([dirname(cache), cache].every(isOurs) && (process.umask() & OTHERS_WRITE) === OTHERS_WRITE)
  enableCompileCache(cache);
await import("../src/control/cli/main.ts");

/** Or is not there yet. */
function isOurs(path) {
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    return found === undefined || ((found.mode & OTHERS_WRITE) === 0 && owners.has(found.uid));
  } catch {
    return false; // not for us to see
  }
}
