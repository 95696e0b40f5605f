/** Where container runtimes keep their state on this host, by their own settings. Reads settings files; nothing else. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../base/errors.ts";
import { readJson, textOf } from "./documents.ts";

export interface RuntimeFolders {
  /** containers/storage's "graphroot", with podman's database in it. */
  readonly podman: string;
  readonly docker: string;
  /** Bundles are at FOLDER/ID/userdata (CRI-O) and FOLDER/ID (containerd). */
  readonly crio: string;
  readonly containerd: string;
}

export const DOCKER_SETTINGS = "/etc/docker/daemon.json";
/** Where Debian's podman and CRI-O look for hooks unless told otherwise. */
const HOOKS = "/usr/share/containers/oci/hooks.d";

/** `environment` counts as it does for podman: CONTAINERS_STORAGE_CONF names another storage.conf. */
export function runtimeFolders(environment: Readonly<Record<string, string | undefined>>): RuntimeFolders {
  const named = environment["CONTAINERS_STORAGE_CONF"];
  const files = named === undefined ? ["/etc/containers/storage.conf", "/usr/share/containers/storage.conf"] : [named];
  const value = (key: string, usual: string) => files.map((file) => tomlText(file, key)).find((text) => text) ?? usual;
  return {
    podman: value("graphroot", "/var/lib/containers/storage"),
    docker: dockerRoot(),
    crio: join(value("runroot", "/run/containers/storage"), "overlay-containers"),
    containerd: "/run/containerd/io.containerd.runtime.v2.task/k8s.io",
  };
}

/** The folder that podman reads hooks from: the last of hooks_dir in containers.conf(5), else Debian's. */
export function podmanHooksFolder(): string {
  return hooksFolder(
    ["/usr/share/containers/containers.conf", "/etc/containers/containers.conf"],
    "/etc/containers/containers.conf.d",
  );
}

/** As above, by crio.conf(5). */
export function crioHooksFolder(): string {
  return hooksFolder(["/etc/crio/crio.conf"], "/etc/crio/crio.conf.d");
}

function hooksFolder(files: readonly string[], dropIns: string): string {
  const more = existsSync(dropIns)
    ? readdirSync(dropIns)
        .sort()
        .map((name) => join(dropIns, name))
    : [];
  for (const file of [...files, ...more].reverse()) {
    const list = /^\s*hooks_dir\s*=\s*\[([^\]]*)\]/m.exec(textIn(file))?.[1];
    const folders = [...(list ?? "").matchAll(/"([^"\n]+)"/g)].map((match) => match[1] ?? "");
    const last = folders.at(-1);
    if (last?.startsWith("/")) return last;
  }
  return HOOKS;
}

function dockerRoot(): string {
  try {
    return textOf(readJson(DOCKER_SETTINGS)?.["data-root"]) || "/var/lib/docker";
  } catch {
    return "/var/lib/docker"; // a damaged daemon.json: dockerd does not start with it, either
  }
}

/** One `key = "text"` of a TOML file; comments do not count. */
function tomlText(file: string, key: string): string | undefined {
  return new RegExp(`^\\s*${key}\\s*=\\s*"([^"\\n]*)"`, "m").exec(textIn(file))?.[1];
}

function textIn(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (!/ENOENT|ENOTDIR/.test(messageOf(error))) throw error;
    return "";
  }
}
