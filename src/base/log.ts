/** The daemon's own diary, one JSON object or one plain line each. Never a secret, never a row's value. */
import { messageOf, UserError } from "./errors.ts";
import { WARNINGS_KEPT_MAX } from "./limits.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/** A log that hands each line from `least` up to `write`, as "info  message  key=value …". */
export function createLog(write: (line: string) => void, least: LogLevel = "info"): Log {
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}) => {
      if (RANK[level] < RANK[least]) return;
      const tail = Object.entries(fields)
        .filter(([, value]) => value !== undefined)
        .map(([key, value]) => `${key}=${typeof value === "string" ? JSON.stringify(value) : value}`);
      write([level.padEnd(5), message, ...tail].join(" "));
    };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** Warns of what is tried again and again, once. Forgets what it said when there is too much of it. */
export class Warnings {
  readonly #log: Log;
  readonly #told = new Set<string>();

  constructor(log: Log) {
    this.#log = log;
  }

  tell(what: string, error: unknown): void {
    const message = `${what}: ${messageOf(error)}`;
    if (this.#told.has(message)) return;
    if (this.#told.size >= WARNINGS_KEPT_MAX) this.#told.clear();
    this.#told.add(message);
    this.#log.warn(message, { remedy: error instanceof UserError ? error.remedy : "" });
  }
}
