/** Our entry in Docker's daemon.json, put in and taken out so that everything else stays. Restarts nothing. */
import { existsSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { messageOf, UserError } from "../base/errors.ts";
import { readJson, textOf } from "./documents.ts";

/** The runtime's name for `docker run --runtime`. */
export const DOCKER_RUNTIME = "sallyport";

/** What `removeDockerRuntime` needs to know to undo. */
export interface DockerBefore {
  readonly file: string;
  readonly existed: boolean;
  /** "default-runtime" as it was; absent when it was not changed. */
  readonly defaultRuntime?: string | null;
}

/** Throws DOCKER_SETTINGS when the file is not JSON: it is not ours to mend. */
export function addDockerRuntime(file: string, program: string, standing: "default" | "by-name"): DockerBefore {
  const existed = existsSync(file);
  const settings = read(file);
  const before = settings["default-runtime"];
  settings["runtimes"] = { ...(settings["runtimes"] as object | undefined), [DOCKER_RUNTIME]: { path: program } };
  if (standing === "default") settings["default-runtime"] = DOCKER_RUNTIME;
  write(file, settings);
  const defaultRuntime = textOf(before) || null;
  return standing === "default" ? { file, existed, defaultRuntime } : { file, existed };
}

export function hasDockerRuntime(file: string): boolean {
  return Object.hasOwn((read(file)["runtimes"] as object | undefined) ?? {}, DOCKER_RUNTIME);
}

/** What somebody else changed meanwhile stays. */
export function removeDockerRuntime({ file, existed, defaultRuntime }: DockerBefore): void {
  const settings = read(file);
  const runtimes = { ...(settings["runtimes"] as Record<string, unknown> | undefined) };
  delete runtimes[DOCKER_RUNTIME];
  if (Object.keys(runtimes).length > 0) settings["runtimes"] = runtimes;
  else delete settings["runtimes"];
  if (settings["default-runtime"] === DOCKER_RUNTIME) {
    if (defaultRuntime) settings["default-runtime"] = defaultRuntime;
    else delete settings["default-runtime"];
  }
  if (!existed && Object.keys(settings).length === 0) rmSync(file, { force: true });
  else if (existsSync(file)) write(file, settings);
}

function read(file: string): Record<string, unknown> {
  try {
    return { ...readJson(file) };
  } catch (cause) {
    const message = `Cannot change ${file}: ${messageOf(cause)}`;
    throw new UserError("DOCKER_SETTINGS", message, "Mend it until dockerd --validate accepts it", { cause });
  }
}

function write(file: string, settings: object): void {
  mkdirSync(dirname(file), { recursive: true });
  const mode = existsSync(file) ? statSync(file).mode & 0o777 : 0o644;
  writeFileSync(`${file}.sallyport`, `${JSON.stringify(settings, null, 2)}\n`, { mode });
  renameSync(`${file}.sallyport`, file);
}
