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
    readonly nesting?: number;
    readonly skip?: string | boolean;
    readonly todo?: string | boolean;
    readonly details?: { readonly type?: string; readonly error?: Error & { readonly failureType?: string } };
  };
}

/** node:test wants a default export. */
// biome-ignore lint/style/noDefaultExport: the runner loads a reporter by its default export.
export default async function* report(events: AsyncIterable<RunnerEvent>): AsyncGenerator<string> {
  for await (const event of events) {
    const line = lineOf(event);
    if (line !== undefined) yield `${JSON.stringify(line)}\n`;
  }
}

function lineOf({ type, data }: RunnerEvent): Line | undefined {
  if (type !== "test:pass" && type !== "test:fail") return undefined;
  const { name = "", file = "", details, skip, todo } = data;
  const isFile = data.nesting === 0 && basename(name) === basename(file);
  const at = { file, name };
  if (type === "test:fail") {
    // A group fails because of its tests, which have lines of their own; unless its own hooks did.
    if (details?.error?.failureType === "subtestsFailed") return undefined;
    return { ...at, outcome: "failed", text: inspect(details?.error?.cause ?? details?.error) };
  }
  if (skip !== undefined && skip !== false) return { ...at, outcome: "skipped", text: reason(skip) };
  if (todo !== undefined && todo !== false) return { ...at, outcome: "skipped", text: `todo ${reason(todo)}` };
  if (details?.type === "suite") return undefined;
  return { ...at, outcome: isFile ? "file-without-tests" : "passed", text: "" };
}

function reason(given: string | boolean): string {
  return given === true ? "" : String(given);
}
