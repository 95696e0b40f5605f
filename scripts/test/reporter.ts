/**
 * A reporter for `node --test`: one JSON line for each test that ended, nothing else. The gate reads these
 * lines (scripts/test/suite.ts); a person never does.
 */
import { basename } from "node:path";
import { inspect } from "node:util";

/** One test as it ended. A file that has no test in it, or that broke as a whole, is a line of its own. */
export interface Line {
  readonly outcome: "passed" | "failed" | "skipped" | "file-without-tests";
  readonly file: string;
  readonly name: string;
  /** Why it was skipped, or the error with its stack; else "". */
  readonly text: string;
}

interface RunnerEvent {
  readonly type: string;
  readonly data: {
    readonly name?: string;
    readonly file?: string;
    readonly entryFile?: string;
    readonly nesting?: number;
    readonly skip?: string | boolean;
    readonly todo?: string | boolean;
    readonly details?: { readonly type?: string; readonly error?: Error & { readonly failureType?: string } };
  };
}

/**
 * A test process says a summary when its tests are done. One that exits before (process.exit in a test) does not,
 * and the runner lets it pass: here it fails. Tests of a helper file count for the test file that runs them.
 */
// biome-ignore lint/style/noDefaultExport: the runner loads a reporter by its default export.
export default async function* report(events: AsyncIterable<RunnerEvent>): AsyncGenerator<string> {
  const unfinished = new Set<string>();
  for await (const event of events) {
    const { file, entryFile = file } = event.data;
    if (event.type === "test:summary" && file !== undefined) unfinished.delete(file);
    const line = lineOf(event);
    if (line === undefined) continue;
    if (entryFile !== undefined) {
      if (isFile(event)) unfinished.delete(entryFile);
      else unfinished.add(entryFile);
    }
    yield `${JSON.stringify(line)}\n`;
  }
  for (const file of unfinished) {
    const text = "its process ended before its tests did";
    yield `${JSON.stringify({ file, name: basename(file), outcome: "failed", text } satisfies Line)}\n`;
  }
}

function lineOf({ type, data }: RunnerEvent): Line | undefined {
  if (type !== "test:pass" && type !== "test:fail") return undefined;
  const { name = "", details, skip, todo } = data;
  const file = data.entryFile ?? data.file ?? "";
  const at = { file, name };
  if (type === "test:fail") {
    // A group fails because of its tests, which have lines of their own; unless its own hooks did.
    if (details?.error?.failureType === "subtestsFailed") return undefined;
    return { ...at, outcome: "failed", text: inspect(details?.error?.cause ?? details?.error) };
  }
  if (skip !== undefined && skip !== false) return { ...at, outcome: "skipped", text: reason(skip) };
  if (todo !== undefined && todo !== false) return { ...at, outcome: "skipped", text: `todo ${reason(todo)}` };
  if (details?.type === "suite") return undefined;
  return { ...at, outcome: isFile({ type, data }) ? "file-without-tests" : "passed", text: "" };
}

function isFile({ data }: RunnerEvent): boolean {
  return data.nesting === 0 && basename(data.name ?? "") === basename(data.file ?? "");
}

function reason(given: string | boolean): string {
  return given === true ? "" : String(given);
}
