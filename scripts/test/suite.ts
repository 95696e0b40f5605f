/** Runs one suite in a `node --test` of its own and counts what its reporter says. Never interprets free text. */
import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { createInterface } from "node:readline";
import type { Line } from "./reporter.ts";
import type { Failure, Result } from "./result.ts";
import type { Suite } from "./suites.ts";

const REPORTER = join(import.meta.dirname, "reporter.ts");
const FLAGS = ["--liftoff-only", "--disable-warning=ExperimentalWarning", "--test"];
/** From the polite signal to the other one: time for tests to stop the servers that they started. */
const GRACE_MS = 10_000;
/** Of the runner's own words, kept for a failure that no test reported. */
const STDERR_MAX = 64 * 1024;

/** Runs every *.test.ts below the suite's folder. A test that ends without a line of its own counts as failed. */
export async function runSuite(suite: Suite, root: string): Promise<Result> {
  const startedMs = performance.now();
  const files = testFilesIn(join(root, suite.folder));
  const failures: Failure[] = [];
  const skips: Failure[] = [];
  let passed = 0;

  if (files.length > 0) {
    const ended = await run(suite, root, files, (line) => {
      const named = { name: `${relative(root, line.file)}: ${line.name}`, text: line.text };
      if (line.outcome === "passed") passed += 1;
      else if (line.outcome === "skipped") skips.push(named);
      else if (line.outcome === "failed") failures.push(named);
      else failures.push({ name: relative(root, line.file), text: "the file holds no test" });
    });
    if (ended !== undefined && (failures.length === 0 || ended.isDecisive))
      failures.push({ name: suite.name, text: ended.text });
  }
  if (passed + skips.length + failures.length === 0) {
    failures.push({ name: suite.name, text: `no test was executed in ${suite.folder}` });
  }
  return {
    name: suite.name,
    group: suite.group,
    passed,
    failed: failures.length,
    skipped: skips.length,
    ms: performance.now() - startedMs,
    failures,
    skips,
  };
}

/** Every *.test.ts below `folder`, sorted; empty when there is no such folder. */
export function testFilesIn(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".test.ts"))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** What went wrong with the run as a whole; `isDecisive` when it is not merely the sum of its tests. */
interface BadEnd {
  readonly text: string;
  readonly isDecisive: boolean;
}

function run(
  suite: Suite,
  root: string,
  files: readonly string[],
  onLine: (line: Line) => void,
): Promise<BadEnd | undefined> {
  const args = [...FLAGS, `--test-concurrency=${suite.concurrency}`, `--test-reporter=${REPORTER}`, ...files];
  // Inside a test, node:test tells its children to report to it; these report to us.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  // A group of its own, so that a suite over its limit ends with everything that it started.
  const child = spawn(process.execPath, args, { cwd: root, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  let stderr = "";
  let isLate = false;
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr = (stderr + text).slice(-STDERR_MAX);
  });
  const unreadable: string[] = [];
  const lines = createInterface({ input: child.stdout });
  lines.on("line", (text) => {
    const line = parse(text);
    if (line === undefined) unreadable.push(text);
    else onLine(line);
  });

  const end = (signal: NodeJS.Signals) => endGroup(child.pid, signal);
  let killTimer: NodeJS.Timeout | undefined;
  const limit = setTimeout(() => {
    isLate = true;
    end("SIGTERM");
    killTimer = setTimeout(() => end("SIGKILL"), GRACE_MS);
  }, suite.limitS * 1000);
  const interrupt = () => {
    end("SIGTERM");
    process.exit(130);
  };
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);

  const closed = Promise.withResolvers<BadEnd | undefined>();
  const linesDone = new Promise((resolve) => lines.once("close", resolve));
  child.once("error", (error) => closed.resolve({ text: error.message, isDecisive: true }));
  child.once("close", async (code, signal) => {
    clearTimeout(limit);
    clearTimeout(killTimer);
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
    await linesDone;
    if (isLate) closed.resolve({ text: `not done after ${suite.limitS} s\n${stderr}`, isDecisive: true });
    else if (unreadable.length > 0) closed.resolve({ text: unreadable.join("\n"), isDecisive: true });
    else if (code !== 0) closed.resolve({ text: `ended with ${signal ?? code}\n${stderr}`, isDecisive: false });
    else closed.resolve(undefined);
  });
  return closed.promise;
}

function parse(text: string): Line | undefined {
  try {
    const line: unknown = JSON.parse(text);
    return isLine(line) ? line : undefined;
  } catch {
    return undefined;
  }
}

function isLine(value: unknown): value is Line {
  return typeof value === "object" && value !== null && "outcome" in value && "file" in value && "name" in value;
}

function endGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // Gone already.
  }
}
