/**
 * Runs a TypeScript file under the project's own Node 24: `node scripts/with-node24.mjs [--root] FILE ARGS`.
 * With --root it goes through sudo when the caller is not root. Runs on Node 20; needs scripts/setup.mjs before it.
 * Ends as the child ended: same exit code, same signal.
 */
import { spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const NODE = join(ROOT, "node_modules", ".bin", "node");
/** liftoff-only: the SQL parser is WebAssembly, and optimising it costs more than it brings. */
const FLAGS = ["--liftoff-only", "--disable-warning=ExperimentalWarning"];
/** What sudo would drop and the programs below read. */
const KEPT = ["PATH", "CI", "NO_COLOR", "FORCE_COLOR", "TERM"];

const args = process.argv.slice(2);
const wantsRoot = args[0] === "--root";
const command = [NODE, ...FLAGS, ...(wantsRoot ? args.slice(1) : args)];

const [file, ...rest] = wantsRoot && process.geteuid() !== 0 ? throughSudo(command) : command;
const child = spawn(file, rest, { stdio: "inherit" });
// The terminal sends SIGINT to the child as well; a supervisor sends SIGTERM to us alone.
process.on("SIGINT", () => {});
for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("error", (error) => {
  process.stderr.write(`Cannot start ${file}: ${error.message}\nremedy: run npm start, npm test or npm run build\n`);
  process.exitCode = 1;
});
child.on("exit", (code, signal) => {
  if (signal === null) {
    process.exitCode = code ?? 1;
    return;
  }
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
});

function throughSudo(argv) {
  const variables = KEPT.filter((name) => process.env[name] !== undefined).map(
    (name) => `${name}=${process.env[name]}`,
  );
  const quiet = process.stdin.isTTY ? [] : ["--non-interactive"];
  return ["sudo", ...quiet, "env", ...variables, ...argv];
}
