/** The static checks: each is one command, and counts as one test. Never changes a file. */
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Result } from "./result.ts";

interface Check {
  readonly name: string;
  readonly argv: readonly string[];
}

const LIMIT_MS = 300_000;

/** Runs all of them, two at a time. */
export async function runChecks(root: string): Promise<readonly Result[]> {
  const left = [...checks(root)];
  const results: Result[] = [];
  const work = async () => {
    for (let check = left.shift(); check !== undefined; check = left.shift()) results.push(await runCheck(check, root));
  };
  await Promise.all([work(), work()]);
  return results;
}

function checks(root: string): readonly Check[] {
  const tool = (name: string) => join(root, "node_modules", ".bin", name);
  const sources = [
    "bpf",
    "native/src",
    "native/launch",
    "native/hook",
    "tests/bpf",
    "tests/native",
    "tests/fuzz/relay",
  ].flatMap((folder) => cFilesIn(root, folder));
  return [
    { name: "tsc", argv: [tool("tsc"), "--noEmit", "-p", "tsconfig.json"] },
    { name: "biome", argv: [tool("biome"), "ci", "--colors=off", "--error-on-warnings", "--max-diagnostics=100"] },
    { name: "knip", argv: [tool("knip"), "--no-progress"] },
    { name: "floors", argv: [process.execPath, "scripts/floors.ts"] },
    ...(sources.length === 0
      ? []
      : [{ name: "clang-format", argv: ["clang-format", "--dry-run", "-Werror", ...sources] }]),
  ];
}

function cFilesIn(root: string, folder: string): readonly string[] {
  try {
    return readdirSync(join(root, folder))
      .filter((name) => /\.(c|cc|h)$/.test(name))
      .map((name) => join(folder, name));
  } catch {
    return [];
  }
}

async function runCheck({ name, argv }: Check, root: string): Promise<Result> {
  const startedMs = performance.now();
  const [file = "", ...args] = argv;
  const child = spawn(file, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"], timeout: LIMIT_MS });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (output += text));
  const bad = await new Promise<string | undefined>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, signal) => resolve(code === 0 ? undefined : `ended with ${signal ?? code}\n${output}`));
  });
  return {
    name,
    group: "static",
    passed: bad === undefined ? 1 : 0,
    failed: bad === undefined ? 0 : 1,
    skipped: 0,
    ms: performance.now() - startedMs,
    failures: bad === undefined ? [] : [{ name: argv.slice(0, 4).join(" "), text: bad }],
    skips: [],
  };
}
