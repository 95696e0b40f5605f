/**
 * The gate: static checks, then every suite. One line each; failures in full at the end and in build/test.log.
 * Options: `--only NAME` (a suite, a check or a group; may be repeated), `--json FILE`.
 * The last line is "N passed, N failed, N skipped". Exit code 1: something failed, or a test that needs the
 * kernel was skipped although this kernel has what it needs; 2: wrong usage.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { runChecks } from "./test/checks.ts";
import { probeKernel } from "./test/kernel-probe.ts";
import type { Result } from "./test/result.ts";
import { runSuite } from "./test/suite.ts";
import { NEEDS_KERNEL, SUITES } from "./test/suites.ts";

const ROOT = dirname(import.meta.dirname);
const LOG = join(ROOT, "build", "test.log");
/** Of one failure, on the terminal. */
const SHOWN_LINES_MAX = 120;

const { values } = options();
const only = new Set(values.only ?? []);
const known = new Set(SUITES.flatMap(({ name, group }) => [name, group]));
const unknown = [...only].filter((name) => !known.has(name));
if (unknown.length > 0) {
  console.error(`Cannot run ${unknown.join(", ")}: the suites are ${[...known].join(" ")}`);
  process.exit(2);
}

const results: Result[] = [];
const chosen = SUITES.filter(({ name, group }) => only.size === 0 || only.has(name) || only.has(group));
if (chosen.some(({ group }) => group === "static")) for (const result of await runChecks(ROOT)) add(result);
for (const suite of chosen) add(await runSuite(suite, ROOT));
await forbidSkips();
finish();

function options() {
  try {
    return parseArgs({ options: { only: { type: "string", multiple: true }, json: { type: "string" } } });
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\nOptions: --only NAME (repeatable), --json FILE`);
    process.exit(2);
  }
}

function add(result: Result): void {
  results.push(result);
  const { name, passed, failed, skipped, ms } = result;
  const counts = [`${passed} passed`, failed > 0 && `${failed} failed`, skipped > 0 && `${skipped} skipped`];
  const mark = failed > 0 ? "FAIL" : "ok";
  console.log(`${mark.padEnd(5)} ${name.padEnd(14)} ${counts.filter(Boolean).join(", ")}  ${(ms / 1000).toFixed(1)} s`);
}

/** TESTING.md: where the kernel has cgroup BPF, a kernel or system test that skips fails the run. */
async function forbidSkips(): Promise<void> {
  const needy = results.filter(({ group }) => [...NEEDS_KERNEL].some((name) => name === group));
  if (needy.length === 0) return;
  const { hasCgroupBpf, why } = await probeKernel();
  if (!hasCgroupBpf) {
    console.log(`This kernel has no cgroup BPF (${why}): kernel and system tests may be skipped.`);
    return;
  }
  const skips = needy.flatMap(({ skips }) => skips);
  if (skips.length === 0) return;
  const failures = [{ name: "skipped although the kernel could", text: skips.map(({ name }) => name).join("\n") }];
  add({ name: "kernel-skips", group: "kernel", passed: 0, failed: 1, skipped: 0, ms: 0, failures, skips: [] });
}

function finish(): void {
  const total = (of: "passed" | "failed" | "skipped") => results.reduce((sum, result) => sum + result[of], 0);
  const list = (of: "failures" | "skips", word: string) =>
    results.flatMap((result) => result[of].map(({ name, text }) => `--- ${word} ${result.name}: ${name}\n${text}\n`));
  const failures = list("failures", "FAILED");
  const summary = `${total("passed")} passed, ${total("failed")} failed, ${total("skipped")} skipped`;
  mkdirSync(dirname(LOG), { recursive: true });
  writeFileSync(LOG, [...failures, ...list("skips", "skipped"), summary, ""].join("\n"));
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);
  for (const failure of failures) console.log(`\n${shortened(failure.trimEnd())}`);
  console.log(`\n${summary}`);
  process.exitCode = total("failed") > 0 ? 1 : 0;
}

/** A linter can have pages to say; the whole of it is in the log. */
function shortened(text: string): string {
  const lines = text.split("\n");
  if (lines.length <= SHOWN_LINES_MAX) return text;
  return [...lines.slice(0, SHOWN_LINES_MAX), `… ${lines.length - SHOWN_LINES_MAX} more lines in ${LOG}`].join("\n");
}
