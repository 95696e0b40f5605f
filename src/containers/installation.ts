/**
 * Our hook in container runtimes: what is put where, taken away again, and seen. The program is copied to a folder of
 * root's, so that containers start whatever becomes of a checkout. Talks to no daemon and restarts no runtime.
 */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { codeOf, messageOf, UserError } from "../base/errors.ts";
import { addDockerRuntime, type DockerBefore, hasDockerRuntime, removeDockerRuntime } from "./docker-settings.ts";
import { objectOf, readJson, textOf } from "./documents.ts";
import { crioHooksFolder, DOCKER_SETTINGS, podmanHooksFolder } from "./folders.ts";

export type HookedRuntime = "podman" | "crio" | "docker";

export const LIBRARY = "/usr/local/lib/sallyport";

export interface HookPlaces {
  /** Where the programs go; LIBRARY but in tests. */
  readonly library: string;
  /** Instead of the folder that podman's or CRI-O's settings name. */
  readonly hooksFolder?: string;
  readonly dockerSettings?: string;
}

export interface HookInstallation extends HookPlaces {
  readonly runtimes: readonly HookedRuntime[];
  /** Docker: for every container that names no other runtime, or for those that name ours. */
  readonly docker: "default" | "by-name";
  readonly socketPath: string;
  readonly stateDir: string;
  /** The real low-level runtime that sallyport-runc stands for. */
  readonly realRuntime: string;
}

export interface HookStatus {
  readonly runtime: HookedRuntime;
  /** Whether the runtime is on this host. */
  readonly present: boolean;
  readonly installed: boolean;
  /** The file that names our program. */
  readonly file: string;
  /** Why an installed hook does not work, else "". */
  readonly problem: string;
}

const PROGRAM = "sallyport-hook";
const STAND_IN = "sallyport-runc";
const HOOK_FILE = "sallyport.json";
const BUILT = fileURLToPath(new URL(`../../native/build/${PROGRAM}`, import.meta.url));
const EXECUTABLES: Readonly<Record<HookedRuntime, string>> = { podman: "podman", crio: "crio", docker: "dockerd" };
/** Longer than the hook's own limits, so that its words are heard. */
const HOOK_TIMEOUT_S = 20;

/** Returns the files that were written. Throws HOOK_NOT_BUILT, HOOK_INSTALL, DOCKER_SETTINGS. */
export function installHooks(asked: HookInstallation): readonly string[] {
  if (!existsSync(BUILT)) {
    throw new UserError("HOOK_NOT_BUILT", `Cannot install the hook: ${BUILT} is missing`, "Build it: npm run build");
  }
  return told("install", () => {
    const { library } = asked;
    const settings = `socket=${asked.socketPath}\nundecided=${join(asked.stateDir, "undecided")}\nruntime=${asked.realRuntime}\n`;
    const made = [makeFolder(library)];
    const written = [
      put(join(library, PROGRAM), readFileSync(BUILT), 0o755),
      put(join(library, "hook.conf"), settings, 0o644),
    ];
    const files = new Set(asked.runtimes.filter((name) => name !== "docker").map((name) => hookFileOf(name, asked)));
    for (const file of files) {
      made.push(makeFolder(dirname(file)));
      written.push(put(file, hookText(library), 0o644));
    }
    const before = readMemory(library);
    let docker = before.docker;
    if (asked.runtimes.includes("docker")) {
      const standIn = join(library, STAND_IN);
      rmSync(standIn, { force: true });
      symlinkSync(PROGRAM, standIn);
      const file = asked.dockerSettings ?? DOCKER_SETTINGS;
      made.push(makeFolder(dirname(file)));
      const changed = addDockerRuntime(file, standIn, asked.docker);
      docker ??= changed; // what was there before our first change
      written.push(standIn, file);
    }
    const memory: Memory = {
      files: [...new Set([...before.files, ...files])],
      folders: [...new Set([...before.folders, ...made.flat()])],
      ...(docker === undefined ? {} : { docker }),
    };
    put(join(library, MEMORY), JSON.stringify(memory), 0o644);
    return written;
  });
}

/** Returns what was removed or changed back; nothing when nothing was installed. */
export function removeHooks(library: string): readonly string[] {
  return told("remove", () => {
    const { files, folders, docker } = readMemory(library);
    const removed: string[] = [];
    if (docker !== undefined) {
      removeDockerRuntime(docker);
      removed.push(docker.file);
    }
    const own = [STAND_IN, PROGRAM, "hook.conf", MEMORY].map((name) => join(library, name));
    for (const file of [...files, ...own]) {
      if (!existsSync(file)) continue;
      rmSync(file);
      removed.push(file);
    }
    for (const folder of [...folders].sort().reverse()) removeIfEmpty(folder); // the deepest first
    return removed;
  });
}

export function hooksStatus(places: HookPlaces): readonly HookStatus[] {
  return (["podman", "crio", "docker"] as const).map((runtime) => {
    const file = runtime === "docker" ? (places.dockerSettings ?? DOCKER_SETTINGS) : hookFileOf(runtime, places);
    const installed = isInstalled(runtime, file);
    return {
      runtime,
      present: isPresent(runtime),
      installed,
      file,
      problem: installed ? problemOf(runtime, file, places) : "",
    };
  });
}

function isInstalled(runtime: HookedRuntime, file: string): boolean {
  try {
    return runtime === "docker" ? hasDockerRuntime(file) : existsSync(file);
  } catch {
    return false; // a damaged daemon.json names nothing
  }
}

function problemOf(runtime: HookedRuntime, file: string, { library }: HookPlaces): string {
  const settings = readJson(file) ?? {};
  const named =
    runtime === "docker"
      ? textOf(objectOf(objectOf(settings["runtimes"])["sallyport"])["path"])
      : textOf(objectOf(settings["hook"])["path"]);
  if (!existsSync(named)) return `it names ${named}, which is missing: containers do not start`;
  if (!existsSync(join(dirname(named), "hook.conf"))) return "its settings are missing: containers do not start";
  if (dirname(named) !== library) return `it names ${named}, which is another installation's`;
  const isOld = existsSync(BUILT) && !readFileSync(BUILT).equals(readFileSync(named));
  return isOld ? "its program is of another version; install it again" : "";
}

function isPresent(runtime: HookedRuntime): boolean {
  return ["/usr/bin", "/usr/local/bin", "/usr/sbin", "/bin"].some((folder) =>
    existsSync(join(folder, EXECUTABLES[runtime])),
  );
}

function hookFileOf(runtime: "podman" | "crio", { hooksFolder }: HookPlaces): string {
  return join(hooksFolder ?? (runtime === "podman" ? podmanHooksFolder() : crioHooksFolder()), HOOK_FILE);
}

/** Source: oci-hooks(5). createRuntime: namespaces and cgroup exist, the container's program does not run yet. */
function hookText(library: string): string {
  const hook = { path: join(library, PROGRAM), args: [PROGRAM], timeout: HOOK_TIMEOUT_S };
  return `${JSON.stringify({ version: "1.0.0", hook, when: { always: true }, stages: ["createRuntime"] }, null, 2)}\n`;
}

/** What was installed, for removal: files of hooks, folders that were made for them, and what Docker's settings were. */
interface Memory {
  readonly files: readonly string[];
  readonly folders: readonly string[];
  readonly docker?: DockerBefore;
}

const MEMORY = "installed.json";

function readMemory(library: string): Memory {
  const memory = readJson(join(library, MEMORY)) as Partial<Memory> | undefined;
  return { files: [], folders: [], ...memory };
}

/** Those that were not there before. */
function makeFolder(folder: string): readonly string[] {
  const first = mkdirSync(folder, { recursive: true, mode: 0o755 });
  const made: string[] = [];
  for (let at = folder; first !== undefined && at.length >= first.length; at = dirname(at)) made.push(at);
  return made;
}

/** Replaces a file at once: a container may start at any moment. */
function put(file: string, content: string | Uint8Array, mode: number): string {
  writeFileSync(`${file}.new`, content);
  chmodSync(`${file}.new`, mode);
  renameSync(`${file}.new`, file);
  return file;
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // other hooks lie in it, or it is gone
  }
}

function told<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    const denied = /^(EACCES|EPERM|EROFS)$/.test(codeOf(cause));
    const remedy = denied
      ? "Use sudo; where /usr is read-only, name a folder with --hooks-folder"
      : "Mend what it says and try again";
    throw new UserError("HOOK_INSTALL", `Cannot ${what} the hook: ${messageOf(cause)}`, remedy, {
      cause,
      exitCode: denied ? 4 : 1,
    });
  }
}
