/**
 * `npm run bench-search`: what search and replay cost on much that was recorded. One million entries, half of them audit
 * events and half operations that a recorder wrote, then searched; and one session of 1 GB, opened, sought in and
 * followed through the API of a process of its own, whose memory is read. Options: `--quick` (a twentieth), `--write`
 * (puts the table into docs/performance.md). Last line: a count of the aims. Exit code 1: one fell short.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { today, writeSection } from "./page.ts";
import { replayMeasures } from "./search/replay.ts";
import { searchMeasures } from "./search/searches.ts";

export interface Measure {
  readonly what: string;
  readonly value: string;
  /** Absent: a fact, not a promise. */
  readonly aim?: { readonly text: string; readonly isMet: boolean };
}

const { values } = parseArgs({
  options: { quick: { type: "boolean", default: false }, write: { type: "boolean", default: false } },
});
const share = values.quick ? 20 : 1;
const folder = mkdtempSync(join(tmpdir(), "sallyport-bench-"));
try {
  const measures = [
    ...(await searchMeasures(join(folder, "search"), 1_000_000 / share)),
    ...(await replayMeasures(join(folder, "replay"), 1024 ** 3 / share)),
  ];
  const table = tableOf(measures);
  console.log(table);
  if (values.write) writeSection("bench-search", `${today()}\n\n${table}`);
  const aims = measures.flatMap(({ aim }) => aim ?? []);
  const met = aims.filter(({ isMet }) => isMet).length;
  console.log(`\n${met} passed, ${aims.length - met} failed, 0 skipped`);
  process.exitCode = met === aims.length ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function tableOf(measures: readonly Measure[]): string {
  const lines = measures.map(({ what, value, aim }) => {
    const verdict = aim === undefined ? "" : `${aim.isMet ? "met" : "short"}: ${aim.text}`;
    return `| ${what} | ${value} | ${verdict} |`;
  });
  return ["| measure | value | aim |", "|---|--:|---|", ...lines].join("\n");
}
