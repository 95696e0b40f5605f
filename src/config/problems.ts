/** What is wrong with a settings file, told by place and key. Never shows a value: it may be a misplaced secret. */
import { UserError } from "../base/errors.ts";
import { SETTINGS_PROBLEMS_MAX } from "../base/limits.ts";

/** Steps from the root of the settings to a value: keys and indexes. */
export type Path = readonly (string | number)[];

export interface Finding {
  readonly path: Path;
  /** `key`: the place is the key itself; `value`: what stands behind it. */
  readonly at: "key" | "value";
  /** One sentence without the key and without its value. */
  readonly message: string;
}

export interface SettingsProblem {
  readonly file: string;
  /** From 1; 0 where the settings did not come from a file. */
  readonly line: number;
  readonly column: number;
  /** "connections[0].tls.mode", or "" for the whole. */
  readonly key: string;
  readonly message: string;
}

/** Everything that is wrong with one settings file, in the order of its lines, at most SETTINGS_PROBLEMS_MAX. */
export class SettingsError extends UserError {
  readonly problems: readonly SettingsProblem[];

  constructor(file: string, all: readonly SettingsProblem[]) {
    const distinct = new Map(all.map((problem) => [line(problem), problem])); // one open bracket is found by several rules
    const sorted = [...distinct.values()].sort((a, b) => a.line - b.line || a.column - b.column);
    const shown = sorted.slice(0, SETTINGS_PROBLEMS_MAX);
    super(
      "SETTINGS_INVALID",
      [`Cannot use the settings ${file}:`, ...shown.map(line), ...more(sorted.length - shown.length)].join("\n  "),
      "Mend the lines named above (docs/settings.md lists every key), then run `sallyport reload` or start again",
    );
    this.problems = shown;
  }
}

/** "connections[0].tls.mode"; a key that is no plain word is shown as data["public.customers"]. */
export function formatPath(path: Path): string {
  return path
    .map((step, index) => {
      if (typeof step === "number") return `[${step}]`;
      if (!/^[A-Za-z0-9_-]+$/.test(step)) return `[${JSON.stringify(step)}]`;
      return index === 0 ? step : `.${step}`;
    })
    .join("");
}

function line({ file, line, column, key, message }: SettingsProblem): string {
  const place = line === 0 ? file : `${file}:${line}:${column}`;
  return key === "" ? `${place}: ${message}` : `${place}: ${key} ${message}`;
}

function more(count: number): string[] {
  return count > 0 ? [`and ${count} more`] : [];
}
