/** JSON that runtimes keep on disk: read up to a limit and looked at without trust in its shape. Never writes. */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { CONTAINER_FILE_BYTES_MAX, CONTAINER_LABELS_MAX, CONTAINER_TEXT_MAX } from "../base/limits.ts";

export type Json = Readonly<Record<string, unknown>>;

/** Undefined when the file is not there. Throws when it is too large, no file, or no JSON object. */
export function readJson(file: string): Json | undefined {
  let fd: number;
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    const about = fstatSync(fd);
    if (!about.isFile() || about.size > CONTAINER_FILE_BYTES_MAX) throw new Error(`Cannot read ${file}: too large`);
    const bytes = Buffer.alloc(about.size);
    return parseJson(bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, 0)));
  } finally {
    closeSync(fd);
  }
}

export function parseJson(bytes: Uint8Array): Json {
  return objectOf(JSON.parse(Buffer.from(bytes).toString("utf8")));
}

/** An object without a prototype that could answer for it; empty for anything else. */
export function objectOf(value: unknown): Json {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject ? Object.assign(Object.create(null) as Record<string, unknown>, value) : {};
}

export function textOf(value: unknown): string {
  return typeof value === "string" && value.length <= CONTAINER_TEXT_MAX ? value : "";
}

/** Throws when there are too many: what was cut off might have been what a matcher looks for. */
export function labelsOf(value: unknown): Readonly<Record<string, string>> {
  const entries = Object.entries(objectOf(value));
  if (entries.length > CONTAINER_LABELS_MAX) throw new Error(`Cannot look through ${entries.length} labels`);
  const labels: Record<string, string> = Object.create(null);
  for (const [key, text] of entries) labels[key] = typeof text === "string" ? text : "";
  return labels;
}
